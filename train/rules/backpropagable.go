package rules

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/graph"
)

// chainEnergy is the PC part of an energy that consists of it and of terms of the weights alone.
func chainEnergy(f energy.Functional) (energy.PC, error) {
	parts, sum := f.(energy.Sum)
	if !sum {
		parts = energy.Sum{f}
	}
	var pc energy.PC
	for _, part := range parts {
		switch part := part.(type) {
		case energy.PC:
			pc = part
		case nil, energy.WeightDecay, energy.Spectral:
		default:
			return pc, errors.Errorf("an energy with %T: want energy.PC, alone or with terms of the weights", part)
		}
	}
	return pc, nil
}

// gradientEnergy is chainEnergy of a model in the coordinates of activities, that steps along the gradient of its energy and is of a
// feedforward network.
func gradientEnergy[T graph.Float](m *arch.Model[T]) (energy.PC, error) {
	p := m.Plan()
	if p.Coordinates != arch.Activities {
		return energy.PC{}, errors.Errorf("a model in the coordinates of %v: compile it in arch.Activities", p.Coordinates)
	}
	if p.Dendrites != nil {
		return energy.PC{}, errors.New("a model with dendrites does not step along the gradient of the energy: compile it without")
	}
	pc, err := chainEnergy(p.Energy)
	return pc, cmp.Or(err, feedforwardNet(m.Network()), dataInputs(m.Network(), p))
}

// withPart is an energy with another part in the place of its energy.PC.
func withPart(f, part energy.Functional) energy.Sum {
	all := energy.Sum{part}
	if sum, is := f.(energy.Sum); is {
		for _, other := range sum {
			if _, pc := other.(energy.PC); !pc {
				all = append(all, other)
			}
		}
	}
	return all
}

// unitHidden reports an energy that is not energy.PC with unit Gaussian hidden sites, and terms of the weights.
func unitHidden(f energy.Functional) error {
	pc, err := chainEnergy(f)
	for _, lik := range append(likelihoods(pc.Blocks), pc.Hidden) {
		if g, gaussian := lik.(energy.Gaussian); lik != nil && (!gaussian || g.Precision != 0 && g.Precision != 1) {
			err = cmp.Or(err, errors.Errorf("hidden likelihood %+v: want energy.Gaussian of unit precision, and no likelihoods of single blocks but that", lik))
		}
	}
	return err
}

// likelihoods are those of single blocks, in a fixed order.
func likelihoods(sites map[string]energy.Likelihood) []energy.Likelihood {
	var ls []energy.Likelihood
	for _, name := range slices.Sorted(maps.Keys(sites)) {
		ls = append(ls, sites[name])
	}
	return ls
}

// feedforwardNet reports what a network has that a feedforward pass has not: predictions of a site by several blocks, and
// learned precisions of hidden sites.
func feedforwardNet(n *arch.Network) error {
	for i, b := range n.Blocks {
		switch {
		case b.Predicts != "":
			return errors.Errorf("block %q is a further prediction of %q: backprop has none", b.Name, b.Predicts)
		case b.Precision != arch.FixedPrecision && !output(n, i):
			return errors.Errorf("block %q has a learned precision: backprop has none at hidden sites", b.Name)
		}
	}
	return nil
}

// dataInputs reports an input that is masked: units of it are free, and backprop has none.
func dataInputs(n *arch.Network, p arch.Plan) error {
	inputs, _ := n.Ends()
	for _, name := range inputs {
		if p.Hold[name] == arch.Masked {
			return errors.Errorf("the input %q is masked, and backprop infers none of its units: compile the model with it clamped", name)
		}
	}
	return nil
}

// output reports whether the site of block i is an output.
func output(n *arch.Network, i int) bool {
	if slices.ContainsFunc(n.Blocks, func(b arch.Block) bool { return b.Output }) {
		return n.Blocks[i].Output
	}
	return i == len(n.Blocks)-1
}

// noStart reports a block whose inference begins elsewhere than in the feedforward pass.
func noStart(n *arch.Network) error {
	for _, b := range n.Blocks {
		if b.Start != nil {
			return errors.Errorf("block %q has a Start: predictions are those of the feedforward pass: leave it out", b.Name)
		}
	}
	return nil
}

// blockOf is the block that a weight belongs to.
func blockOf(n *arch.Network, weight string) int {
	best := -1
	for i, b := range n.Blocks {
		if strings.HasPrefix(weight, b.Name+"/") && (best < 0 || len(b.Name) > len(n.Blocks[best].Name)) {
			best = i
		}
	}
	return best
}
