package layertest

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/layers"
)

// large is a batch that programs cut into several pieces.
const large = 67

// deterministic runs one program twice and another compiled from the same layer.
func deterministic(l layers.Layer, input []int) error {
	var first [][]float32
	for range 2 {
		p, err := newProbe[float32](l, input, large)
		if err != nil {
			return err
		}
		for range 2 {
			rs, err := p.results()
			if err != nil {
				return err
			}
			if first == nil {
				first = rs
			}
			for i := range rs {
				if !slices.Equal(rs[i], first[i]) {
					return errors.Errorf("result %d (output, gradients, H v) differs between runs", i)
				}
			}
		}
	}
	return nil
}

// perSample checks to the last bit that output and gradient of a sample stay the same when the batch is permuted and
// when it is smaller.
func perSample(l layers.Layer, input []int) error {
	whole, err := newProbe[float64](l, input, large)
	if err != nil {
		return err
	}
	if err := whole.prog.RunAll(); err != nil {
		return err
	}
	for _, rows := range []int{1, 4, large} {
		part, err := newProbe[float64](l, input, rows)
		if err != nil {
			return err
		}
		order := rand.New(rand.NewPCG(3, 3)).Perm(large)[:rows]
		for k, r := range order {
			for i, n := range part.batched() {
				copy(part.row(n, k), whole.row(whole.batched()[i], r))
			}
		}
		if err := part.prog.RunAll(); err != nil {
			return err
		}
		for k, r := range order {
			if !slices.Equal(part.row(part.out, k), whole.row(whole.out, r)) {
				return errors.Errorf("output of sample %d of %d differs when it is sample %d of %d", r, large, k, rows)
			}
			if part.vocab == 0 && !slices.Equal(part.row(part.grads[0], k), whole.row(whole.grads[0], r)) {
				return errors.Errorf("gradient of sample %d of %d differs when it is sample %d of %d", r, large, k, rows)
			}
		}
	}
	return nil
}

// frugal counts the allocations of a run.
func frugal(l layers.Layer, input []int) error {
	p, err := newProbe[float32](l, input, large)
	if err != nil {
		return err
	}
	var failed error
	n := testing.AllocsPerRun(3, func() {
		if err := p.prog.Run(0); err != nil {
			failed = err
		}
	})
	if failed != nil {
		return failed
	}
	if n != 0 {
		return errors.Errorf("%g allocations per run", n)
	}
	return nil
}
