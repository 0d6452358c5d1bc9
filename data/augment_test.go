package data

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func augmented(t interface {
	Helper()
	Fatal(...any)
}, s *Set, a Augment) *Set {
	t.Helper()
	got, err := s.Augmented(a)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func filled(s *Set, idx ...int) []float64 {
	x := make([]float64, len(idx)*s.In())
	Fill(s, x, nil, idx)
	return x
}

// Oracle: pad, cut out and mirror a copy of the picture, then normalise.
func TestAugment_IsPadCropFlip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := Augment{Pad: rapid.IntRange(0, 2).Draw(t, "Pad"), Flip: rapid.Bool().Draw(t, "Flip"), Seed: rapid.Uint64().Draw(t, "Seed")}
		epoch, i := rapid.IntRange(0, 5).Draw(t, "epoch"), rapid.IntRange(0, 4).Draw(t, "i")
		plain := pictures(5)
		const height, width, channels = 2, 3, 2
		padded := make([]uint8, (height+2*a.Pad)*(width+2*a.Pad)*channels)
		for h := range height {
			for w := range width {
				for c := range channels {
					padded[((h+a.Pad)*(width+2*a.Pad)+w+a.Pad)*channels+c] = plain.Pixels(i)[(h*width+w)*channels+c]
				}
			}
		}
		v := a.view(epoch, i)
		var want []float64
		for h := range height {
			line := make([][channels]uint8, width)
			for w := range width {
				for c := range channels {
					line[w][c] = padded[((h+v.down+a.Pad)*(width+2*a.Pad)+w+v.right+a.Pad)*channels+c]
				}
			}
			if v.flipped {
				slices.Reverse(line)
			}
			for w := range width {
				for c := range channels {
					want = append(want, plain.Norm(c).Apply(line[w][c]))
				}
			}
		}
		if got := filled(augmented(t, plain, a).AtEpoch(epoch), i); !slices.Equal(got, want) {
			t.Fatalf("%+v: got %v, want %v", v, got, want)
		}
	})
}

// Nothing but seed, epoch and index matters: not the batch, its order, the slice, who else asks, or what was asked before.
func TestAugment_DependsOnSeedEpochAndIndexOnly(t *testing.T) {
	a := Augment{Pad: 2, Flip: true, Seed: 9}
	s := augmented(t, pictures(50), a).AtEpoch(3)
	var want []float64
	for i := range 50 {
		want = append(want, filled(s, i)...)
	}
	row := func(x []float64, k int) []float64 { return x[k*s.In() : (k+1)*s.In()] }
	var wg sync.WaitGroup
	for seed := range uint64(4) {
		wg.Go(func() {
			for _, idx := range (Batches{N: 50, Size: 7, Seed: seed}).Epoch(0, 0) {
				for k, x := 0, filled(s, idx...); k < len(idx); k++ {
					if !slices.Equal(row(x, k), row(want, idx[k])) {
						t.Errorf("sample %d differs in another batch", idx[k])
					}
				}
			}
		})
	}
	wg.Wait()
	if got := filled(s.Slice(10, 30).Slice(5, 20), 4); !slices.Equal(got, row(want, 19)) {
		t.Error("sample 19 differs in a slice")
	}
	if got := filled(s.AtEpoch(0).AtEpoch(3), 19); !slices.Equal(got, row(want, 19)) {
		t.Error("sample 19 differs when the epoch comes again")
	}
	all := slices.Collect(naturals(50))
	if got := filled(s.AtEpoch(4), all...); slices.Equal(got, want) {
		t.Error("the next epoch is the same")
	}
	a.Seed++
	if got := filled(augmented(t, pictures(50), a).AtEpoch(3), all...); slices.Equal(got, want) {
		t.Error("the next seed is the same")
	}
}

// Pins the draws: a checkpoint of today must resume tomorrow.
func TestAugment_DrawsArePinned(t *testing.T) {
	var got []view
	for i := range 4 {
		got = append(got, Augment{Pad: 4, Flip: true, Seed: 1}.view(2, i))
	}
	want := []view{{4, -3, false}, {-4, 4, true}, {0, -2, false}, {-1, 2, true}} // the formula in Python
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(view{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Every shift and flip is equally likely, over samples of an epoch and over epochs of a sample: chi-squared with 161 degrees of
// freedom (81 shifts, 2 flips) has mean 161 and deviation 18; allow 5 of them.
func TestAugment_DrawsAreUniform(t *testing.T) {
	const n = 81 * 2 * 200
	a := Augment{Pad: 4, Flip: true, Seed: 5}
	for name, draw := range map[string]func(k int) view{
		"samples": func(k int) view { return a.view(7, k) },
		"epochs":  func(k int) view { return a.view(k, 7) },
		"seeds":   func(k int) view { return Augment{Pad: 4, Flip: true, Seed: uint64(k)}.view(7, 7) },
	} {
		counts := map[view]int{}
		for k := range n {
			v := draw(k)
			if max(v.down, -v.down, v.right, -v.right) > 4 {
				t.Fatalf("%s: %+v", name, v)
			}
			counts[v]++
		}
		var chi float64
		for _, c := range counts {
			chi += float64((c-200)*(c-200)) / 200
		}
		if len(counts) != 162 || chi > 161+5*18 || chi < 161-5*18 {
			t.Errorf("%s: %d different views, chi-squared %v", name, len(counts), chi)
		}
	}
}

func TestAugmented_ChangesTheTrainingPartOnly(t *testing.T) {
	dir := writeCIFAR10(t, t.TempDir())
	plainTrain, plainTest := mustLoad(t, CIFAR10{Dir: dir})
	train, test := mustLoad(t, Augmented{Source: CIFAR10{Dir: dir}, By: Augment{Pad: 4, Flip: true, Seed: 1}})
	all := slices.Collect(naturals(10))
	if slices.Equal(filled(train, all...), filled(plainTrain, all...)) {
		t.Error("the training part is not augmented")
	}
	if !slices.Equal(filled(test.AtEpoch(2), 0), filled(plainTest, 0)) {
		t.Error("the test part is augmented")
	}
	if train.Name != plainTrain.Name || train.Len() != 10 || !slices.Equal(train.Pixels(3), plainTrain.Pixels(3)) {
		t.Error("more than Fill is changed")
	}
	unchanged, _ := mustLoad(t, Augmented{Source: CIFAR10{Dir: dir}})
	if !slices.Equal(filled(unchanged.AtEpoch(4), all...), filled(plainTrain, all...)) {
		t.Error("the zero Augment changes pictures")
	}
}

func TestAugment_AllocatesPerEpochNotPerBatch(t *testing.T) {
	s := augmented(t, pictures(5), Augment{Pad: 1, Flip: true})
	x, idx := make([]float32, 2*s.In()), []int{4, 2}
	if n := testing.AllocsPerRun(100, func() { Fill(s, x, nil, idx) }); n != 0 {
		t.Errorf("%v allocations per Fill", n)
	}
	if n := testing.AllocsPerRun(100, func() { s.AtEpoch(3) }); n > 1 {
		t.Errorf("%v allocations per AtEpoch", n)
	}
	plain := pictures(5)
	if plain.AtEpoch(3) != plain {
		t.Error("a set without Augment is copied")
	}
}

func TestAugment_RefusesWhatCannotBe(t *testing.T) {
	for _, test := range []struct {
		source Source
		want   string
	}{
		{Augmented{}, "Source is missing"},
		{Augmented{Source: Moons{}, By: Augment{Flip: true}}, "not pictures"},
		{Augmented{Source: Copy{}, By: Augment{Flip: true}}, "not pictures"},
		{Augmented{Source: BarsAndStripes{}, By: Augment{Pad: -1}}, "Pad is -1: give 0..4"},
		{Augmented{Source: BarsAndStripes{}, By: Augment{Pad: 5}}, "Pad is 5: give 0..4"},
		{Augmented{Source: Sine{Noise: -1}}, "Noise"},
	} {
		train, held, err := test.source.Load()
		if err == nil || train != nil || held != nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: error %v, want %q in it", test.source, err, test.want)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("no panic for a negative epoch")
		}
	}()
	pictures(2).AtEpoch(-1)
}

func BenchmarkFill_CIFARSized(b *testing.B) {
	const n = 64
	norm := Norm{0.5, 0.5}
	plain := &Set{n: n, in: 3072, out: 10, shape: Shape{3, 32, 32}, pixels: make([]uint8, n*3072), labels: make([]uint16, n),
		levels: [][256]float64{norm.table(), norm.table(), norm.table()}}
	x, y, idx := make([]float32, n*3072), make([]float32, n*10), make([]int, n)
	for name, s := range map[string]*Set{"plain": plain, "augmented": augmented(b, plain, Augment{Pad: 4, Flip: true})} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Fill(s, x, y, idx)
			}
		})
	}
}
