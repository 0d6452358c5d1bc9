package limits

import (
	"context"
	"iter"
	"math"

	"gonum.org/v1/gonum/mat"

	"github.com/pcgraph/pcgraph/experiments/claim"
	"github.com/pcgraph/pcgraph/experiments/closedform"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/theory"
	"github.com/pcgraph/pcgraph/train"
)

// learning trains a copy of a network on one batch, x [B, n_0] and y [B, n_L].
func learning(n theory.Linear, x, y *mat.Dense, method closedform.Method, o optim.Optimizer[float64], steps int) (*closedform.Rule, *train.Trainer[float64], error) {
	rule, err := closedform.New(n, method)
	if err != nil {
		return nil, nil, err
	}
	return rule, &train.Trainer[float64]{Rule: rule, Optimizer: o, MaxSteps: steps,
		Feed: func(int) (xs, ys []float64) { return x.RawMatrix().Data, y.RawMatrix().Data }}, nil
}

// together trains one copy of a network by backprop and one by PC, each with an optimiser of its own, and calls see with the
// states of both before each of the steps 0, 1, ... steps.
func together(ctx context.Context, n theory.Linear, x, y *mat.Dense, steps int, optimiser func() optim.Optimizer[float64],
	see func(t int, bp, pc closedform.State) error) error {
	bp, bpTrainer, err := learning(n, x, y, closedform.Backprop, optimiser(), steps+1)
	if err != nil {
		return err
	}
	pc, pcTrainer, err := learning(n, x, y, closedform.PC, optimiser(), steps+1)
	if err != nil {
		return err
	}
	pc.Both = true
	next, stop := iter.Pull2(bpTrainer.Steps(ctx))
	defer stop()
	for step, err := range pcTrainer.Steps(ctx) {
		if err == nil {
			_, err, _ = next()
		}
		if err == nil {
			err = see(step.Step-1, bp.State(), pc.State())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// tiny is a loss below which gradients are rounding errors: their directions are not measured.
const tiny = 1e-4

// paths are a PC and a BP network that learn the same from the same weights, each on its own way.
type paths struct {
	BP     []float64        `json:"bp"`     // loss before step 0, 1, ...
	PC     []float64        `json:"pc"`     // loss too, not energy
	Apart  []claim.Nullable `json:"apart"`  // cosine of PC's gradient on its path to BP's on BP's, as the paper's code has it
	Within []claim.Nullable `json:"within"` // cosine of PC's gradient to BP's at the same weights, those of PC
}

// descend returns the paths of gradient descent at a rate.
func descend(ctx context.Context, n theory.Linear, x, y *mat.Dense, steps int, rate float64, at *claim.Cell) (paths, error) {
	var r paths
	sgd := func() optim.Optimizer[float64] { return &optim.SGD[float64]{Rate: rate} }
	err := together(ctx, n, x, y, steps, sgd, func(t int, bp, pc closedform.State) (err error) {
		apart, within := math.NaN(), math.NaN()
		if pc.Loss > tiny {
			if within, err = pc.Gradient.Cosine(pc.Backprop); err != nil {
				return err
			}
			if bp.Loss > tiny {
				if apart, err = pc.Gradient.Cosine(bp.Gradient); err != nil {
					return err
				}
			}
		}
		r.BP, r.PC = append(r.BP, short(bp.Loss)), append(r.PC, short(pc.Loss))
		r.Apart, r.Within = append(r.Apart, claim.Nullable(fine(apart))), append(r.Within, claim.Nullable(fine(within)))
		at.Progress(t, steps)
		return nil
	})
	return r, err
}

// fine keeps twelve decimals: what is interesting of a cosine is how far it is from 1.
func fine(cosine float64) float64 { return math.Round(cosine*1e12) / 1e12 }

// short keeps six digits, so that records of curves stay small.
func short(v float64) float64 {
	if v == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return v
	}
	unit := math.Pow(10, 5-math.Floor(math.Log10(math.Abs(v))))
	return math.Round(v*unit) / unit
}
