package data

import (
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// collect copies the batches out of an iteration and checks that steps count up from first.
func collect(t rapid.TB, seq func(func(int, []int) bool), first int) [][]int {
	t.Helper()
	var all [][]int
	for step, idx := range seq {
		if step != first+len(all) {
			t.Fatalf("step %d, want %d", step, first+len(all))
		}
		all = append(all, slices.Clone(idx))
	}
	return all
}

// drawBatches draws a description that yields at least one batch.
func drawBatches(t *rapid.T) Batches {
	n := rapid.IntRange(1, 300).Draw(t, "N")
	b := Batches{N: n, Seed: rapid.Uint64().Draw(t, "Seed"), DropLast: rapid.Bool().Draw(t, "DropLast")}
	b.Size = rapid.IntRange(1, 400).Draw(t, "Size")
	if b.DropLast {
		b.Size = min(b.Size, n)
	}
	return b
}

func TestEpoch_IsThePermutationOfSeedAndEpoch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b, epoch := drawBatches(t), rapid.IntRange(0, 1000).Draw(t, "epoch")
		if err := b.Validate(); err != nil {
			t.Fatal(err)
		}
		batches := collect(t, b.Epoch(epoch, 0), 0)
		if len(batches) != b.Steps() {
			t.Fatalf("%d batches, Steps says %d", len(batches), b.Steps())
		}
		for step, idx := range batches {
			last := step == len(batches)-1 && !b.DropLast
			if len(idx) != b.Size && !(last && len(idx) > 0 && len(idx) < b.Size) {
				t.Fatalf("batch %d of %d has %d indices, Size %d", step, len(batches), len(idx), b.Size)
			}
		}
		got := slices.Concat(batches...)
		want := rand.New(rand.NewPCG(b.Seed, uint64(epoch))).Perm(b.N) // the documented oracle
		if b.DropLast {
			want = want[:b.N/b.Size*b.Size]
		}
		if !slices.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
		slices.Sort(got)
		if !b.DropLast && !slices.Equal(got, slices.Collect(naturals(b.N))) {
			t.Fatalf("not a permutation of 0..%d", b.N-1)
		}
	})
}

func naturals(n int) func(func(int) bool) {
	return func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	}
}

func TestEpoch_ResumesAtEveryStep(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b, epoch := drawBatches(t), rapid.IntRange(0, 9).Draw(t, "epoch")
		from := rapid.IntRange(0, b.Steps()).Draw(t, "from")
		whole := collect(t, b.Epoch(epoch, 0), 0)
		rest := collect(t, b.Epoch(epoch, from), from)
		if len(rest) != len(whole)-from || (len(rest) > 0 && !cmp.Equal(whole[from:], rest)) {
			t.Fatalf("from %d: %v, want %v", from, rest, whole[from:])
		}
	})
}

// Pins the order across Go versions: a checkpoint of today must resume tomorrow.
func TestEpoch_OrderIsPinned(t *testing.T) {
	got := collect(t, Batches{N: 10, Size: 10, Seed: 1}.Epoch(2, 0), 0)[0]
	if want := []int{4, 2, 3, 6, 9, 1, 8, 0, 5, 7}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestEpoch_DiffersByEpochAndSeed(t *testing.T) {
	seen := map[[8]int]bool{}
	for seed := range uint64(3) {
		for epoch := range 3 {
			b := Batches{N: 1000, Size: 8, Seed: seed}
			for _, idx := range b.Epoch(epoch, 0) {
				seen[[8]int(idx)] = true
				break
			}
		}
	}
	if len(seen) != 9 {
		t.Errorf("9 (seed, epoch) give %d different first batches", len(seen))
	}
}

func TestEpoch_AllocationsDoNotGrowWithSteps(t *testing.T) {
	allocs := func(size int) float64 {
		b := Batches{N: 4096, Size: size, Seed: 1}
		return testing.AllocsPerRun(10, func() {
			for range b.Epoch(3, 0) {
			}
			for range InOrder(b.N, b.Size) {
			}
		})
	}
	if one, many := allocs(4096), allocs(1); one != many {
		t.Errorf("1 step allocates %v times, 4096 steps %v", one, many)
	}
}

func TestEpoch_BatchesAreIndependentOfOtherIterations(t *testing.T) {
	b := Batches{N: 100, Size: 7, Seed: 5}
	want := collect(t, b.Epoch(1, 0), 0)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if got := collect(t, b.Epoch(1, 0), 0); !cmp.Equal(got, want) {
				t.Error("a concurrent iteration differs")
			}
		})
	}
	wg.Wait()
}

func TestInOrder_CountsUpAndLeavesNothingOut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, size := rapid.IntRange(0, 100).Draw(t, "n"), rapid.IntRange(1, 120).Draw(t, "size")
		got := slices.Concat(collect(t, InOrder(n, size), 0)...)
		if !slices.Equal(got, slices.Collect(naturals(n))) {
			t.Fatalf("got %v", got)
		}
	})
	for range InOrder(10, 3) {
		break // stops without a panic
	}
}

func TestBatches_ValidateAndPanics(t *testing.T) {
	for _, test := range []struct {
		b      Batches
		reason string
	}{
		{Batches{N: 10}, "Size left out"},
		{Batches{N: 10, Size: -1}, "negative Size"},
		{Batches{Size: 1}, "no samples"},
		{Batches{N: -1, Size: 1}, "negative N"},
		{Batches{N: 10, Size: 11, DropLast: true}, "nothing left"},
	} {
		if err := test.b.Validate(); err == nil {
			t.Errorf("%+v passes: %s", test.b, test.reason)
		}
	}
	if steps := (Batches{N: math.MaxInt, Size: math.MaxInt - 1}).Steps(); steps != 2 {
		t.Errorf("huge sizes: %d steps, want 2", steps)
	}
	for reason, call := range map[string]func(){
		"Size left out":       func() { Batches{N: 1}.Steps() },
		"negative N":          func() { Batches{N: -1, Size: 1}.Epoch(0, 0) },
		"negative epoch":      func() { Batches{N: 1, Size: 1}.Epoch(-1, 0) },
		"from beyond the end": func() { Batches{N: 1, Size: 1}.Epoch(0, 2) },
		"negative from":       func() { Batches{N: 1, Size: 1}.Epoch(0, -1) },
		"InOrder by zero":     func() { InOrder(1, 0) },
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
