package data

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// sources is a small source of every kind of set there is: bytes, numbers, pictures of numbers, classes, regression, tokens in both
// codings, text, an augmentation.
var sources = map[string]Source{
	"moons":              Moons{Train: 300, Test: 40, Seed: 3},
	"linear":             Linear{In: 5, Out: 3, Train: 300, Test: 40, Noise: .1, Seed: 2},
	"bars":               BarsAndStripes{Train: 300, Test: 40, Seed: 4},
	"bars augmented":     Augmented{Source: BarsAndStripes{Train: 300, Test: 41, Seed: 4}, By: Augment{Pad: 1, Flip: true, Seed: 1}},
	"copy":               Copy{Train: 300, Test: 40, Seed: 5},
	"copy indices":       Copy{Train: 300, Test: 40, Seed: 5, Coding: Indices},
	"text":               Corpus{Text: strings.Repeat("the quick brown fox. ", 20), Window: 8},
	"arrays":             Arrays[float64]{Inputs: grid(1, 400, 12), Targets: grid(2, 400, 2)},
	"arrays raw":         Arrays[float64]{Inputs: grid(1, 400, 12), Targets: grid(2, 400, 2), Prepare: Preparation{Raw: true}},
	"arrays as pictures": Arrays[float64]{Inputs: grid(1, 400, 12), Targets: grid(2, 400, 2), Prepare: Preparation{Shape: Shape{Channels: 3, Height: 2, Width: 2}}},
}

// kindOf makes the training part of a source, in memory of its own.
func kindOf(t *testing.T, name string) *Set {
	t.Helper()
	s, _, err := sources[name].Load()
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if s.tokens != nil {
		own := *s.tokens
		own.input, own.target = slices.Clone(own.input), slices.Clone(own.target) // a text's are one slice
		s.tokens = &own
	}
	return s
}

// TestSum_IsOfTheSamples: sets that are made twice have one sum, and no two of different samples, layouts or numbers share one.
func TestSum_IsOfTheSamples(t *testing.T) {
	seen := map[[32]byte]string{}
	for name, source := range sources {
		again := kindOf(t, name)
		train, test, err := source.Load()
		if err != nil {
			t.Fatal(err)
		}
		if again.Sum() != train.Sum() {
			t.Errorf("%s: another sum of the same samples", name)
		}
		for part, s := range map[string]*Set{name: train, name + " test": test} {
			sum := s.Sum()
			if other, is := seen[sum]; is {
				t.Errorf("%s and %s have one sum", part, other)
			}
			seen[sum] = part
			n := s.Len()
			if s.Slice(0, n-1).Sum() == sum || s.Slice(1, n).Sum() == sum {
				t.Errorf("%s: a sample less, and the same sum", part)
			}
			if s.Slice(0, n).Sum() != sum || s.Slice(1, n).Slice(1, 3).Sum() != s.Slice(2, 4).Sum() {
				t.Errorf("%s: slices of the same samples have different sums", part)
			}
			s.Slice(2, 2).Sum() // of nothing, in no panic
		}
	}
}

// TestSum_SeesEveryNumber changes one thing at a time in a set made of fields, wherever it is, and looks that what Fill gives
// and the sum change together.
func TestSum_SeesEveryNumber(t *testing.T) {
	changes := map[string]struct {
		of string
		do func(s *Set, i int)
	}{
		"a pixel":              {"bars", func(s *Set, i int) { s.pixels[i%len(s.pixels)] ^= 255 }},
		"a number":             {"moons", func(s *Set, i int) { s.values[i%len(s.values)] += 1e-9 }},
		"a label":              {"moons", func(s *Set, i int) { s.labels[i%len(s.labels)] ^= 1 }},
		"a target":             {"linear", func(s *Set, i int) { s.targets[i%len(s.targets)] += 1e-9 }},
		"a token":              {"text", func(s *Set, i int) { next(&s.tokens.input[i%s.n], s.tokens.classes) }},
		"a token to predict":   {"text", func(s *Set, i int) { next(&s.tokens.target[i%s.n], s.tokens.classes) }},
		"a level":              {"bars", func(s *Set, i int) { s.levels[0][255*(i%2)] += 1e-9 }},
		"the augmenting seed":  {"bars augmented", func(s *Set, i int) { s.augment.Seed += uint64(i + 1) }},
		"the augmenting shift": {"bars augmented", func(s *Set, i int) { s.augment.Pad = 2 + i%2 }},
		"the augmenting flip":  {"bars augmented", func(s *Set, _ int) { s.augment.Flip = false }},
		"the epoch":            {"bars augmented", func(s *Set, i int) { *s = *s.AtEpoch(i + 1) }},
		"two rows": {"arrays", func(s *Set, i int) {
			i %= s.n - 1
			a, b := row(s.values, s.in, i), row(s.values, s.in, i+1)
			for j := range a {
				a[j], b[j] = b[j], a[j]
			}
		}},
	}
	whole := func(s *Set) []float64 {
		x, y := make([]float64, s.n*s.in), make([]float64, s.n*s.out)
		idx := make([]int, s.n)
		for i := range idx {
			idx[i] = i
		}
		Fill(s, x, y, idx)
		return append(x, y...)
	}
	for name, c := range changes {
		rng := rand.New(rand.NewPCG(1, 1))
		for range 20 {
			s := kindOf(t, c.of)
			sum, filled := s.Sum(), whole(s)
			c.do(s, rng.IntN(1<<20))
			if slices.Equal(whole(s), filled) {
				t.Errorf("%s: the change does not show in Fill: the test says nothing", name)
			}
			if s.Sum() == sum {
				t.Errorf("%s changes, and not the sum", name)
			}
		}
	}
	// What does not show in the samples, and says what they are.
	for name, change := range map[string]func(s *Set){
		"a norm":                  func(s *Set) { s.norms = []Norm{{Mean: 1, Std: 2}} },
		"a scale of inputs":       func(s *Set) { s.scales = []Scale{{1, 2}} },
		"a scale of targets":      func(s *Set) { s.units = []Scale{{1, 2}} },
		"a scale of the other":    func(s *Set) { s.scales, s.units = s.units, s.scales },
		"the deviation":           func(s *Set) { s.units = slices.Clone(s.units); s.units[0].Deviation++ },
		"names of classes":        func(s *Set) { s.classes = []string{"a", "b"} },
		"names cut in other ways": func(s *Set) { s.classes = []string{"ab", ""} },
		"shape":                   func(s *Set) { s.shape = Shape{Channels: 1, Height: 2, Width: 6} },
		"shape the other way":     func(s *Set) { s.shape = Shape{Channels: 1, Height: 6, Width: 2} },
		"steps":                   func(s *Set) { s.steps = 2 },
	} {
		s := kindOf(t, "arrays")
		sum := s.Sum()
		if change(s); s.Sum() == sum {
			t.Errorf("%s: the same sum", name)
		}
	}
}

// next makes a token another one of its alphabet.
func next(token *uint16, classes int) { *token = uint16((int(*token) + 1) % classes) }

// TestSum_KnowsEveryField: a field that a Set gets has to be thought of in Sum. Those that say nothing about the samples are
// named here.
func TestSum_KnowsEveryField(t *testing.T) {
	hashed := strings.Fields("n in out first pixels shape norms levels values scales steps labels classes targets units tokens augment epoch")
	apart := strings.Fields("Name Files guesses encoding") // names, reports, and a copy of what is hashed
	set := reflect.TypeFor[Set]()
	for i := range set.NumField() {
		if name := set.Field(i).Name; !slices.Contains(hashed, name) && !slices.Contains(apart, name) {
			t.Errorf("Set has a field %s: let Sum hash it, or say here that Fill does not depend on it", name)
		}
	}
}

// TestSum_IsFast sums as many bytes as the training part of MNIST has, in a fraction of the time of one epoch.
func TestSum_IsFast(t *testing.T) {
	const n = 60000
	s := &Set{n: n, in: 784, out: 10, shape: Shape{1, 28, 28}, pixels: bytes.Repeat([]byte{1, 2, 3, 4}, n*196), labels: make([]uint16, n), levels: make([][256]float64, 1)}
	least := time.Hour
	for range 3 {
		start := time.Now()
		s.Sum()
		least = min(least, time.Since(start))
	}
	t.Logf("%v", least)
	if least > 500*time.Millisecond && !testing.Short() {
		t.Errorf("a sum of 47 MB takes %v", least)
	}
}
