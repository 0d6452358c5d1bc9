package newcomers

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/experiments/claim"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/train"
)

// A precise is a training of a tanh chain on a noisy linear task, whose layers have a learned precision each, or all the precision 1.
type precise struct {
	Depth   int    `json:"depth"` // blocks
	Learned bool   `json:"learned"`
	Updates int    `json:"updates"`
	Seed    uint64 `json:"seed"`
}

// Cost is that of the updates.
func (p precise) Cost() float64 { return float64(p.Depth * p.Updates) }

// A precisions is what its layers' errors are at equilibrium after training, on some test samples.
type precisions struct {
	Spread    float64   `json:"spread"`    // log10 of the largest over the smallest mean square error of a unit, over blocks
	Weighted  float64   `json:"weighted"`  // the same of precision times square
	Precision []float64 `json:"precision"` // by block; ones where they are not learned
	Loss      float64   `json:"loss"`      // test, squared error
	Left      float64   `json:"left"`      // of the gradient with respect to activities, mean over updates
}

const (
	preciseWidth = 16
	preciseRate  = .01 // of Adam
)

var preciseGrid = claim.Grid("newcomers/learned-precision", 1, func(s claim.Scale) []precise {
	seeds, updates, depths := 1, 100, []int{3, 5}
	if s == claim.Full {
		seeds, updates, depths = 5, 1000, []int{3, 5, 8}
	}
	var grid []precise
	for _, depth := range depths {
		for _, learned := range []bool{false, true} {
			for _, seed := range claim.Seeds(seeds) {
				grid = append(grid, precise{depth, learned, updates, seed})
			}
		}
	}
	return grid
}, func(ctx context.Context, p precise, _ *claim.Cell) (precisions, error) { return p.measure(ctx) })

// measure trains, and reads the errors off the terms of the energy.
func (p precise) measure(ctx context.Context) (r precisions, err error) {
	set, test, err := data.Linear{In: 10, Out: 4, Train: 512, Test: 256, Noise: .3, Seed: p.Seed}.Load()
	if err != nil {
		return r, err
	}
	widths := []int{10}
	for range p.Depth - 1 {
		widths = append(widths, preciseWidth)
	}
	widths = append(widths, 4)
	net, err := arch.Chain{Act: layers.Tanh, Widths: widths, Bias: true}.Network()
	if err != nil {
		return r, err
	}
	if p.Learned {
		for i := range net.Blocks {
			net.Blocks[i].Precision = arch.ScalarPrecision
		}
	}
	w, err := arch.NewWeights[float64](net, rand.New(rand.NewPCG(p.Seed, 1)))
	if err != nil {
		return r, err
	}
	m, err := arch.Compile(net, w, arch.Plan{Batch: 32})
	if err != nil {
		return r, err
	}
	rule := &train.PC[float64]{Model: m, Solver: &infer.Auto[float64]{}, Stop: infer.Any{infer.Stationary{Rel: .02}, infer.Steps(300)}}
	t := &train.Trainer[float64]{Rule: rule, Optimizer: &optim.Adam[float64]{Rate: preciseRate, Spans: train.AdamSpans(net, w)},
		Train: set, Test: test, Batch: 32, DropLast: true, MaxSteps: p.Updates, Seed: p.Seed}
	h, err := t.Run(ctx)
	if err != nil {
		return r, err
	}
	if h.Interrupted {
		return r, ctx.Err()
	}
	r.Loss, r.Left = h.Last().Loss, h.Left
	x, y := make([]float64, 32*10), make([]float64, 32*4)
	for _, idx := range data.InOrder(32, 32) {
		data.Fill(test, x, y, idx)
	}
	if _, err := rule.Gradient(make([]float64, len(w.Data())), x, y, 32); err != nil {
		return r, err
	}
	terms := make([]float64, len(m.Terms()))
	rule.Subject().TermEnergies(terms)
	if len(terms) != p.Depth {
		return r, errors.Errorf("newcomers: %d terms of %d blocks", len(terms), p.Depth)
	}
	least, most, low, high := math.Inf(1), 0., math.Inf(1), 0.
	for l, term := range terms {
		s, units := 0., float64(widths[l+1])
		if p.Learned {
			s = w.Field(net.Blocks[l].Name + "/precision")[0]
		}
		weighted := 2*term/units + s // the term is units/2 (exp(s) e^2 - s)
		raw := weighted * math.Exp(-s)
		r.Precision = append(r.Precision, math.Exp(s))
		least, most, low, high = min(least, raw), max(most, raw), min(low, weighted), max(high, weighted)
	}
	const none = 1e-300 // an error of zero
	r.Spread, r.Weighted = math.Log10(most/max(least, none)), math.Log10(high/max(low, none))
	return r, nil
}

var learnedPrecision = claim.Claim{
	ID:        "newcomers/learned-precision",
	Source:    "ours: a question that no paper we know answers",
	Statement: "In predictive coding a learned precision per layer equalises prediction errors over depth.",
	Paper: "nothing to compare with. At a minimum over precisions p e^2 = 1 per unit in every layer, so that the errors times their precisions are equal; that says " +
		"nothing of the errors themselves",
	Grid: preciseGrid,
	Bounds: []claim.Bound{
		{Text: "at every depth the mean over seeds of the logarithm of largest over smallest mean square error is lower with learned precisions than with the precision 1", Origin: claim.Derived, Note: "the sentence"},
	},
	Shuffled: "the sentence does not hold, and does not of results shuffled among the cells either",
	Check:    checkLearnedPrecision,
	Verdict:  claim.Fails,
	Care:     learnedPrecisionCare,
}

// preciseKind is a point of the grid.
type preciseKind struct {
	depth   int
	learned bool
}

func preciseKindOf(p precise) preciseKind { return preciseKind{p.Depth, p.Learned} }

// preciseDepths are those of the rows, in their order.
func preciseDepths(rows []claim.Row[precise, precisions]) (depths []int) {
	for _, r := range rows {
		if d := r.Params.Depth; len(depths) == 0 || depths[len(depths)-1] != d {
			depths = append(depths, d)
		}
	}
	return depths
}

// learnedPrecisionCare says what learned precisions do instead.
func learnedPrecisionCare(t claim.Table) string {
	rows := claim.Rows[precise, precisions](t)
	loss := claim.By(rows, preciseKindOf, func(r precisions) float64 { return r.Loss })
	weighted := claim.By(rows, preciseKindOf, func(r precisions) float64 { return r.Weighted })
	most := claim.By(rows, preciseKindOf, func(r precisions) float64 {
		p := 0.
		for _, v := range r.Precision {
			p = max(p, v)
		}
		return math.Log10(p)
	})
	var parts []string
	for _, d := range preciseDepths(rows) {
		l := preciseKind{d, true}
		parts = append(parts, fmt.Sprintf("%d blocks: largest precision 10^%.1f, errors times precision apart by 10^%.1f, test loss %.2f and %.2f with the precision 1",
			d, most[l].Mean, weighted[l].Mean, loss[l].Mean, loss[preciseKind{d, false}].Mean))
	}
	text := "Inference makes the errors of free activities smaller than any noise and precisions follow, so that they grow for as long as they learn and " +
		"come to no minimum, in which errors times precisions would be equal, and deep networks learn worse."
	if len(parts) > 0 {
		text += fmt.Sprintf(" Means over seeds, after %d updates: %s.", rows[0].Params.Updates, strings.Join(parts, "; "))
	}
	return text + " Chains of tanh with a scalar precision in every block, the output's too, Adam at one rate for weights and logarithms of precisions."
}

// checkLearnedPrecision is the check of newcomers/learned-precision.
func checkLearnedPrecision(t claim.Table) (string, error) {
	rows := claim.Rows[precise, precisions](t)
	spread := claim.By(rows, preciseKindOf, func(r precisions) float64 { return r.Spread })
	var off claim.Off
	var parts []string
	for _, d := range preciseDepths(rows) {
		one, learned := spread[preciseKind{d, false}], spread[preciseKind{d, true}]
		text := fmt.Sprintf("%d blocks: 10^%.2f with the precision 1, 10^%.2f with learned ones", d, one.Mean, learned.Mean)
		if parts = append(parts, text); !(learned.Mean < one.Mean) {
			off.Add("%s", text)
		}
	}
	return "largest over smallest mean square error: " + strings.Join(parts, "; "), off.Err()
}
