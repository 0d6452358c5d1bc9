package data

import (
	"math/rand/v2"

	"github.com/pkg/errors"
)

// Copy is the copy task: a word of random tokens, a delimiter, and the word again from memory. Input and target are sequences
// of 2 Length steps over V = Tokens + 2 classes, which are the tokens, then the delimiter |, then the blank _:
//
//	input   a b c | _ _
//	target  _ _ _ a b c
//
// Only the second half of the steps is scored: an accuracy of 1/Tokens is chance.
type Copy struct {
	Length      int // of the word, 1..4096; 0 means 8
	Tokens      int // different ones, 2..4096; 0 means 8
	Train, Test int // samples; 0 means 1000 and 200
	Coding      Coding
	Seed        uint64
}

// Load makes both parts. Errors: options that are negative or absurdly large.
func (c Copy) Load() (train, test *Set, err error) {
	train, test, err = c.load()
	return train, test, errors.Wrap(err, "data: Copy")
}

func (c Copy) load() (train, test *Set, err error) {
	const most = 1 << 12
	for _, err := range []error{within("Length", c.Length, 1, most), within("Tokens", c.Tokens, 2, most), c.Coding.validate()} {
		if err != nil {
			return nil, nil, err
		}
	}
	length, alphabet := or(c.Length, 8), or(c.Tokens, 8)
	for _, err := range []error{
		within("Train", c.Train, 0, maxToyValues/(4*length)), within("Test", c.Test, 0, maxToyValues/(4*length)),
	} {
		if err != nil {
			return nil, nil, err
		}
	}
	part := func(name string, n int, from stream) *Set {
		t := tokens{steps: 2 * length, stride: 2 * length, classes: alphabet + 2, scored: length, coding: c.Coding}
		t.input, t.target = make([]uint16, n*t.steps), make([]uint16, n*t.steps)
		delimiter, blank := uint16(alphabet), uint16(alphabet+1)
		r := from.generator(c.Seed)
		for i := range n {
			input, target := t.row(t.input, i), t.row(t.target, i)
			for k := range length {
				token := uint16(r.IntN(alphabet))
				input[k], input[length+k] = token, blank
				target[k], target[length+k] = blank, token
			}
			input[length] = delimiter
		}
		return t.set(name, n)
	}
	return part("Copy train", or(c.Train, toyTrain), trainStream), part("Copy test", or(c.Test, toyTest), testStream), nil
}

// InContext is linear regression in context: every sample is a task of its own, with w ~ N(0, I) and all x ~ N(0, I) in Dim
// dimensions; what w is must be seen from the pairs. The input is [Pairs+1, Dim+1], rows (x_n, w.x_n) and a query row
// (x_q, 0); the target is [1], w.x_q. A prediction of zero has the mean loss Dim/2.
//
// A fresh batch of tasks in every step, as in the source, is Train = steps * batch and one epoch. Source: arXiv:2512.11255.
type InContext struct {
	Pairs       int // per task, 1..4096; 0 means 50
	Dim         int // of x, 1..4096; 0 means 2
	Train, Test int // tasks; 0 means 1000 and 200
	Seed        uint64
}

// Load makes both parts. Errors: options that are negative or absurdly large.
func (c InContext) Load() (train, test *Set, err error) {
	const most = 1 << 12
	for _, err := range []error{within("Pairs", c.Pairs, 1, most), within("Dim", c.Dim, 1, most)} {
		if err != nil {
			return nil, nil, errors.Wrap(err, "data: InContext")
		}
	}
	pairs, dim := or(c.Pairs, 50), or(c.Dim, 2)
	w := make([]float64, dim)
	sample := func(r *rand.Rand, _ int, x, y []float64) int {
		for j := range w {
			w[j] = r.NormFloat64()
		}
		for n := range pairs + 1 {
			token := row(x, dim+1, n)
			for j := range w {
				token[j] = r.NormFloat64()
				token[dim] += w[j] * token[j]
			}
		}
		y[0] = x[len(x)-1]
		x[len(x)-1] = 0
		return 0
	}
	train, test, err = toy{name: "InContext", train: c.Train, test: c.Test, seed: c.Seed,
		in: (pairs + 1) * (dim + 1), out: 1, sample: sample}.load()
	if err != nil {
		return nil, nil, err
	}
	train.steps, test.steps = pairs+1, pairs+1
	return train, test, nil
}
