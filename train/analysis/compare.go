package analysis

import (
	"fmt"
	"math"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/internal/kernel"
	"github.com/pcgraph/pcgraph/train"
)

// An Agreement is how far a gradient is from backprop's.
type Agreement struct {
	Cosine   float64 // of the angle between them; 0 if either vanishes
	Relative float64 // |g - g_BP| / |g_BP|; 0 if both vanish
	Ratio    float64 // |g| / |g_BP|
}

// Agree compares two gradients. It panics, and names both lengths, when they differ in length.
func Agree[T graph.Float](g, bp []T) Agreement {
	if len(g) != len(bp) {
		panic(fmt.Sprintf("analysis: Agree of gradients of different lengths: %d and %d numbers", len(g), len(bp)))
	}
	var gg, bb, gb, dd float64
	for i := range g {
		x, y := float64(g[i]), float64(bp[i])
		gg, bb, gb, dd = gg+x*x, bb+y*y, gb+x*y, dd+(x-y)*(x-y)
	}
	a := Agreement{Relative: math.Sqrt(dd / bb), Ratio: math.Sqrt(gg / bb)}
	if bb == 0 {
		a.Relative, a.Ratio = math.Sqrt(gg), 0
	}
	if gg > 0 && bb > 0 {
		a.Cosine = gb / math.Sqrt(gg) / math.Sqrt(bb)
	}
	return a
}

// A Comparison is one point of the way that PC's weight gradient takes towards backprop's.
type Comparison struct {
	Step             int // of inference
	Energy, Residual float64
	Terms            []float64   // energies by term
	Whole            Agreement   // over all weights
	Params           []Agreement // per weight, in the order of the slab
}

// Compare runs the inference of pc on the batch x, y from the feedforward pass and compares the weight gradient with
// that of bp, a model in feedforward coordinates over the same weights, at every step that at holds of (nil: all). PC's
// gradient is multiplied by scale first: 1/precision where the output has a small precision, else 1.
func Compare[T graph.Float](pc, bp *arch.Model[T], solver infer.Solver[T], stop infer.Stop, x, y []T, scale float64, at func(step int) bool) ([]Comparison, infer.Result, error) {
	if pc == nil || bp == nil {
		return nil, infer.Result{}, errors.New("analysis: compare: give both models, as Compile returned them without an error: one is nil")
	}
	if err := train.Runnable(solver, stop); err != nil {
		return nil, infer.Result{}, errors.WithMessage(err, "analysis: compare")
	}
	w := pc.Weights()
	if bp.Weights() != w {
		return nil, infer.Result{}, errors.New("analysis: compare: the two models have different weights: compile both over one slab")
	}
	want, got := make([]T, len(w.Data())), make([]T, len(w.Data()))
	if err := bp.Clamp(x, y); err != nil {
		return nil, infer.Result{}, err
	}
	if _, err := bp.ParamGrad(want); err != nil {
		return nil, infer.Result{}, err
	}
	if err := pc.Clamp(x, y); err != nil {
		return nil, infer.Result{}, err
	}
	if err := pc.Forward(); err != nil {
		return nil, infer.Result{}, err
	}
	var rows []Comparison
	var failed error
	look := func(now infer.Reading) {
		if failed != nil || at != nil && !at(now.Step) {
			return
		}
		if _, err := pc.ParamGrad(got); err != nil {
			failed = err
			return
		}
		kernel.Scale(got, got, T(scale))
		c := Comparison{Step: now.Step, Energy: now.Energy, Residual: now.Residual, Terms: make([]float64, len(pc.Terms())), Whole: Agree(got, want)}
		pc.TermEnergies(c.Terms)
		for i := range w.Fields() {
			c.Params = append(c.Params, Agree(w.Part(got, i), w.Part(want, i)))
		}
		rows = append(rows, c)
	}
	res, err := infer.Run(solver, train.ProblemOf(pc), pc.State(), stop, look)
	if err == nil {
		err = failed
	}
	return rows, res, err
}
