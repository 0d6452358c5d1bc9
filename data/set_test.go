package data

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// pictures is a small set of n pictures, 2 x 3 of 2 channels, pixel bytes 0, 1, 2, ... and labels i mod 3.
func pictures(n int) *Set {
	norms := []Norm{{Mean: 0, Std: 1}, {Mean: 0.5, Std: 0.25}}
	s := &Set{n: n, in: 12, out: 3, shape: Shape{Channels: 2, Height: 2, Width: 3}, norms: norms}
	for _, norm := range norms {
		s.levels = append(s.levels, norm.table())
	}
	for i := range n {
		s.labels = append(s.labels, uint16(i%3))
		for j := range s.in {
			s.pixels = append(s.pixels, uint8(i*s.in+j))
		}
	}
	return s
}

func TestFill_WritesNormalisedPixelsAndOneHotRows(t *testing.T) {
	s := pictures(5)
	idx := []int{4, 0, 4}
	x, y := make([]float64, len(idx)*s.In()), make([]float64, len(idx)*s.Out())
	for k := range y {
		y[k] = math.NaN() // what was there before must not stay
	}
	Fill(s, x, y, idx)
	var wantX, wantY []float64
	for _, i := range idx { // oracle: the formula, pixel by pixel
		for j := range 12 {
			v := float64(i*12 + j)
			if j%2 == 0 { // channels last
				wantX = append(wantX, v/255)
			} else {
				wantX = append(wantX, (v/255-0.5)/0.25)
			}
		}
		for c := range 3 {
			wantY = append(wantY, map[bool]float64{true: 1}[c == i%3])
		}
	}
	if diff := cmp.Diff(wantX, x); diff != "" {
		t.Errorf("x (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(wantY, y); diff != "" {
		t.Errorf("y (-want +got):\n%s", diff)
	}
}

func TestFill_Float32IsFloat64RoundedOnce(t *testing.T) {
	toy, _, err := Linear{Seed: 1, Noise: 0.1}.Load()
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]*Set{"pictures": pictures(9), "numbers": toy} {
		idx := []int{3, 1, 8}
		x64, y64 := make([]float64, 3*s.In()), make([]float64, 3*s.Out())
		x32, y32 := make([]float32, 3*s.In()), make([]float32, 3*s.Out())
		Fill(s, x64, y64, idx)
		Fill(s, x32, y32, idx)
		for k := range x64 {
			if x32[k] != float32(x64[k]) {
				t.Errorf("%s: x[%d] = %v, want %v", name, k, x32[k], float32(x64[k]))
			}
		}
		for k := range y64 {
			if y32[k] != float32(y64[k]) {
				t.Errorf("%s: y[%d] = %v, want %v", name, k, y32[k], float32(y64[k]))
			}
		}
	}
}

func TestFill_AllocatesNothing(t *testing.T) {
	toy, _, err := Sine{}.Load()
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]*Set{"pictures": pictures(9), "numbers": toy} {
		idx := []int{3, 1, 8}
		x, y := make([]float32, 3*s.In()), make([]float32, 3*s.Out())
		if n := testing.AllocsPerRun(100, func() { Fill(s, x, y, idx) }); n != 0 {
			t.Errorf("%s: %v allocations per Fill", name, n)
		}
	}
}

func TestFill_NilLeavesOut(t *testing.T) {
	s := pictures(4)
	x, y := make([]float32, s.In()), make([]float32, s.Out())
	Fill(s, x, nil, []int{1})
	Fill(s, nil, y, []int{1})
	if x[0] != float32(12.0/255) || y[1] != 1 {
		t.Errorf("x[0] = %v, y = %v", x[0], y)
	}
}

func TestWrongCallsPanic(t *testing.T) {
	s := pictures(5)
	part := s.Slice(1, 3)
	regression, _, err := Sine{}.Load()
	if err != nil {
		t.Fatal(err)
	}
	x, y := make([]float32, 12), make([]float32, 3)
	for reason, call := range map[string]func(){
		"x too short":                   func() { Fill(s, x[:11], y, []int{0}) },
		"y too long":                    func() { Fill(s, x, make([]float32, 4), []int{0}) },
		"index is Len":                  func() { Fill(s, x, y, []int{5}) },
		"index is negative":             func() { Fill(s, x, y, []int{-1}) },
		"index behind the slice":        func() { Fill(part, x, y, []int{2}) },
		"label behind the slice":        func() { part.Label(2) },
		"pixels behind the slice":       func() { part.Pixels(2) },
		"label of regression":           func() { regression.Label(0) },
		"pixels of what has no picture": func() { regression.Pixels(0) },
		"slice beyond Len":              func() { part.Slice(0, 3) },
		"slice backwards":               func() { s.Slice(2, 1) },
	} {
		t.Run(reason, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			call()
		})
	}
}

func TestFill_NamesTheWrongIndex(t *testing.T) {
	defer func() {
		if got := recover(); got != "data: Fill: index is not a sample" {
			t.Errorf("panic says %v", got)
		}
	}()
	Fill(pictures(5), nil, make([]float32, 3), []int{5})
}

func TestSlice_IsTheSameSamplesFurtherOn(t *testing.T) {
	toy, _, err := Linear{Train: 7, Seed: 2}.Load()
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]*Set{"pictures": pictures(7), "numbers": toy} {
		part := s.Slice(2, 6)
		if part.Len() != 4 || part.Classes() != s.Classes() || part.In() != s.In() || part.Out() != s.Out() {
			t.Errorf("%s: Slice has Len %d, In %d, Out %d, Classes %d", name, part.Len(), part.In(), part.Out(), part.Classes())
		}
		x, y := make([]float64, 2*s.In()), make([]float64, 2*s.Out())
		px, py := make([]float64, 2*s.In()), make([]float64, 2*s.Out())
		Fill(s, x, y, []int{5, 2})
		Fill(part, px, py, []int{3, 0})
		if !cmp.Equal(x, px) || !cmp.Equal(y, py) {
			t.Errorf("%s: slice and whole differ", name)
		}
	}
}

func TestNorm_PixelInvertsApply(t *testing.T) {
	for _, n := range []Norm{{0.1307, 0.3081}, {0.5, 0.5}, {0, 1}} {
		for v := range 256 {
			if got := n.Pixel(n.Apply(uint8(v))); got != uint8(v) {
				t.Errorf("%v: byte %d comes back as %d", n, v, got)
			}
		}
		for x, want := range map[float64]uint8{math.Inf(1): 255, math.Inf(-1): 0, 1e9: 255, -1e9: 0} {
			if got := n.Pixel(x); got != want {
				t.Errorf("%v: Pixel(%v) = %d, want %d", n, x, got, want)
			}
		}
		if got := n.Pixel(math.NaN()); got != 0 {
			t.Errorf("%v: Pixel(NaN) = %d, want 0", n, got)
		}
	}
}

func TestNorm_RefusesWhatIsNotFinite(t *testing.T) {
	for _, test := range []struct {
		norm   Norm
		reason string
	}{
		{Norm{Mean: 0.5}, "division by zero"},
		{Norm{Std: -1}, "negative deviation"},
		{Norm{Std: math.NaN()}, "NaN deviation"},
		{Norm{Std: math.Inf(1)}, "Inf deviation is no number, though v/Inf is one"},
		{Norm{Mean: math.NaN(), Std: 1}, "NaN mean"},
		{Norm{Mean: math.Inf(1), Std: 1}, "Inf mean"},
		{Norm{Std: 1e-300}, "overflows float32"},
	} {
		if _, _, err := (MNIST{Dir: t.TempDir(), Norm: test.norm}).Load(); err == nil || errorIsNotFound(err) {
			t.Errorf("%v (%s): got error %v, want one about Norm", test.norm, test.reason, err)
		}
	}
}

func BenchmarkFill_MNISTSized(b *testing.B) {
	const n = 64
	s := &Set{n: n, in: 784, out: 10, shape: Shape{1, 28, 28}, pixels: make([]uint8, n*784), labels: make([]uint16, n),
		levels: [][256]float64{Norm{0.1307, 0.3081}.table()}}
	x, y, idx := make([]float32, n*784), make([]float32, n*10), make([]int, n)
	b.ReportAllocs()
	for b.Loop() {
		Fill(s, x, y, idx)
	}
}
