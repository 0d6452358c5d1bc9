package energytest

import (
	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/energy"
)

// meanTol is for sums of some tens of float64 in another order.
const meanTol = 1e-13

// batchMean compares the energy of a batch with the mean over its samples, each alone.
func batchMean(f energy.Functional) error {
	whole, err := newProbe[float64](f, batch)
	if err != nil {
		return err
	}
	got, err := whole.energy()
	if err != nil {
		return err
	}
	one, err := newProbe[float64](f, 1)
	if err != nil {
		return err
	}
	mean := 0.0
	for r := range batch {
		for i, n := range one.vars {
			src := whole.prog.Value(whole.vars[i])
			dst := one.prog.Value(n)
			if i < one.batched {
				src = src[r*len(dst) : (r+1)*len(dst)]
			}
			copy(dst, src)
		}
		e, err := one.energy()
		if err != nil {
			return err
		}
		mean += e / batch
	}
	return errors.Wrap(near([]float64{got}, []float64{mean}, meanTol), "energy of the batch, mean of its samples")
}

// additive checks that Sum has the terms of its parts in order, and their energies.
func additive(f energy.Functional) error {
	alone, err := newProbe[float64](f, batch)
	if err != nil {
		return err
	}
	want, err := alone.energy()
	if err != nil {
		return err
	}
	sum, err := newProbe[float64](energy.Sum{f, energy.Sum{f}, energy.Sum{}}, batch)
	if err != nil {
		return err
	}
	got, err := sum.energy()
	if err != nil {
		return err
	}
	if n := len(alone.terms); len(sum.terms) != 2*n {
		return errors.Errorf("%d terms alone, %d in a sum of two", n, len(sum.terms))
	}
	for i, t := range sum.terms {
		if of := alone.terms[i%len(alone.terms)]; t.Name != of.Name || sum.prog.Scalar(t.Node) != alone.prog.Scalar(of.Node) {
			return errors.Errorf("term %d of a sum is %q %v, alone %q %v", i, t.Name, sum.prog.Scalar(t.Node), of.Name, alone.prog.Scalar(of.Node))
		}
	}
	return errors.Wrap(near([]float64{got}, []float64{2 * want}, meanTol), "energy of a sum of two, twice one")
}
