package data

import (
	"math"
	"math/rand/v2"

	"github.com/pkg/errors"
)

// Sizes of a toy task whose description leaves them zero.
const (
	toyTrain = 1000
	toyTest  = 200
)

const (
	maxToyValues = 1 << 27 // numbers in one part: 1 GB of float64
	maxToyNoise  = 1e6     // keeps every value far inside float32
)

// A stream is the second half of a generator's seed. The top bit keeps streams apart from epochs, so a shuffle with the same
// seed is independent of the data; the parts have streams of their own, so more training samples do not change the test part.
type stream uint64

const (
	trainStream stream = 1<<63 + iota
	testStream
	truthStream
	splitStream
)

func (s stream) generator(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, uint64(s))) }

// A toy is what all generated tasks share. sample writes sample i: its input x [in] and either its target y [out] or, when
// classes is not 0, its class, which it returns.
type toy struct {
	name        string
	train, test int
	noise       float64
	seed        uint64
	in, out     int
	classes     int
	sample      func(r *rand.Rand, i int, x, y []float64) (class int)
}

// load makes both parts. Errors: negative or absurd sizes, negative or non-finite noise.
func (t toy) load() (train, test *Set, err error) {
	if err := t.validate(); err != nil {
		return nil, nil, errors.Wrapf(err, "data: %s", t.name)
	}
	train = t.part(t.name+" train", or(t.train, toyTrain), trainStream)
	test = t.part(t.name+" test", or(t.test, toyTest), testStream)
	return train, test, nil
}

func (t toy) validate() error {
	if !(t.noise >= 0) || t.noise > maxToyNoise {
		return errors.Errorf("Noise is %v: give a standard deviation in [0, %g]", t.noise, float64(maxToyNoise))
	}
	for _, size := range []struct {
		field string
		value int
		most  int
	}{
		{"Train", t.train, maxToyValues / (t.in + t.out)},
		{"Test", t.test, maxToyValues / (t.in + t.out)},
	} {
		if err := within(size.field, size.value, 0, size.most); err != nil {
			return err
		}
	}
	return nil
}

func (t toy) part(name string, n int, from stream) *Set {
	s := &Set{Name: name, n: n, in: t.in, out: t.out, values: make([]float64, n*t.in)}
	if t.classes > 0 {
		s.labels = make([]uint16, n)
	} else {
		s.targets = make([]float64, n*t.out)
	}
	r := from.generator(t.seed)
	for i := range n {
		x := row(s.values, s.in, i)
		if t.classes > 0 {
			s.labels[i] = uint16(t.sample(r, i, x, nil))
			for j := range x {
				x[j] += t.noise * r.NormFloat64()
			}
			continue
		}
		y := row(s.targets, s.out, i)
		t.sample(r, i, x, y)
		for j := range y {
			y[j] += t.noise * r.NormFloat64()
		}
	}
	return s
}

// or returns n, or the usual value when n is zero.
func or(n, usual int) int {
	if n == 0 {
		return usual
	}
	return n
}

// within returns an error when an option is not in least..most; zero always passes, it means the default.
func within(field string, value, least, most int) error {
	if value != 0 && (value < least || value > most) {
		return errors.Errorf("%s is %d: give %d..%d, or 0 for the default", field, value, max(least, 1), most)
	}
	return nil
}

// XOR is the exclusive or: the corners of the square [-1, 1]^2, class 1 where the signs differ, plus N(0, Noise^2) on both
// inputs. No linear map separates it. [2] -> 2 classes, the four corners in turn.
type XOR struct {
	Train, Test int     // samples; 0 means 1000 and 200
	Noise       float64 // standard deviation; 0 means the bare corners, 0.3 begins to overlap
	Seed        uint64
}

// Load makes both parts. Errors: options that are negative, not finite or absurdly large.
func (t XOR) Load() (train, test *Set, err error) {
	sample := func(_ *rand.Rand, i int, x, _ []float64) int {
		a, b := i&1, i>>1&1
		x[0], x[1] = float64(2*a-1), float64(2*b-1)
		return a ^ b
	}
	return toy{name: "XOR", train: t.Train, test: t.Test, noise: t.Noise, seed: t.Seed,
		in: 2, out: 2, classes: 2, sample: sample}.load()
}

// Moons is two interleaved half circles, plus N(0, Noise^2) on both inputs; with t uniform in [0, pi],
//
//	class 0: (cos t, sin t)        class 1: (1 - cos t, 1/2 - sin t)
//
// as in scikit-learn's make_moons (which spaces t evenly). [2] -> 2 classes in turn.
type Moons struct {
	Train, Test int     // samples; 0 means 1000 and 200
	Noise       float64 // standard deviation; 0 means the bare arcs, 0.1 still separates
	Seed        uint64
}

// Load makes both parts. Errors: options that are negative, not finite or absurdly large.
func (t Moons) Load() (train, test *Set, err error) {
	sample := func(r *rand.Rand, i int, x, _ []float64) int {
		sin, cos := math.Sincos(math.Pi * r.Float64())
		if i%2 == 0 {
			x[0], x[1] = cos, sin
		} else {
			x[0], x[1] = 1-cos, 0.5-sin
		}
		return i % 2
	}
	return toy{name: "Moons", train: t.Train, test: t.Test, noise: t.Noise, seed: t.Seed,
		in: 2, out: 2, classes: 2, sample: sample}.load()
}

// Spirals is k arms wound around the origin, plus N(0, Noise^2) on both inputs; with u uniform in [0, 1], arm j is
//
//	radius = 0.1 + 0.9 u        angle = 2 pi (j/k + Turns u)
//
// [2] -> Arms classes in turn.
type Spirals struct {
	Train, Test int     // samples; 0 means 1000 and 200
	Arms        int     // 2..256; 0 means 3
	Turns       float64 // windings of an arm, at most 1000 either way; 0 means 1
	Noise       float64 // standard deviation; 0 means the bare arms
	Seed        uint64
}

// Load makes both parts. Errors: options that are negative, not finite or absurdly large.
func (t Spirals) Load() (train, test *Set, err error) {
	const maxArms, maxTurns = 256, 1000
	if err := within("Arms", t.Arms, 2, maxArms); err != nil {
		return nil, nil, errors.Wrap(err, "data: Spirals")
	}
	if !(math.Abs(t.Turns) <= maxTurns) {
		return nil, nil, errors.Errorf("data: Spirals: Turns is %v: give -%d..%d, or 0 for the default", t.Turns, maxTurns, maxTurns)
	}
	arms, turns := or(t.Arms, 3), t.Turns
	if turns == 0 {
		turns = 1
	}
	sample := func(r *rand.Rand, i int, x, _ []float64) int {
		arm, u := i%arms, r.Float64()
		sin, cos := math.Sincos(2 * math.Pi * (float64(arm)/float64(arms) + turns*u))
		radius := 0.1 + 0.9*u
		x[0], x[1] = radius*cos, radius*sin
		return arm
	}
	return toy{name: "Spirals", train: t.Train, test: t.Test, noise: t.Noise, seed: t.Seed,
		in: 2, out: arms, classes: arms, sample: sample}.load()
}
