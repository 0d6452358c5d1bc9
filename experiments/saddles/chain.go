package saddles

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/experiments/claim"
	"github.com/pcgraph/pcgraph/experiments/closedform"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/theory"
	"github.com/pcgraph/pcgraph/train"
)

// A start is a linear network near the origin that learns y = -x of x ~ N(1, .1^2), from a new batch of 64 at every step.
type start struct {
	Hidden int     `json:"hidden"`
	Width  int     `json:"width"`
	In     int     `json:"in"`
	Rate   float64 `json:"rate"`
	Enough float64 `json:"enough"` // the loss that ends it
	Limit  int     `json:"limit"`
	// Released is inference as the release has it, 20 steps at .1 from the feedforward pass; otherwise PC is at its equilibrium.
	Released bool   `json:"released,omitempty"`
	Seed     uint64 `json:"seed"`
}

// Cost is about how many seconds it takes.
func (s start) Cost() float64 { return 1e-4 * float64(s.Limit*s.Hidden) }

// A flight is how each method leaves.
type flight struct {
	BP       int     `json:"bp"` // updates until the loss is below Enough; Limit if it is not by then
	PC       int     `json:"pc"`
	BPNorm   float64 `json:"bpNorm"` // the largest length of the weight gradient up to then
	PCNorm   float64 `json:"pcNorm"`
	BPLosses string  `json:"bpLosses"` // before each of the first 50 updates
	PCLosses string  `json:"pcLosses"`
}

var flights = claim.Grid("saddles/flights", 1, func(s claim.Scale) []start {
	chains, wide := 20, 5
	if s == claim.Quick {
		chains, wide = 5, 2
	}
	var grid []start
	add := func(p start, seeds int) {
		for _, p.Seed = range claim.Seeds(seeds) {
			grid = append(grid, p)
		}
	}
	for hidden := 1; hidden <= 2; hidden++ {
		for _, released := range []bool{false, true} {
			add(start{Hidden: hidden, Width: 1, In: 1, Rate: .4, Enough: .05, Limit: 50, Released: released}, chains)
		}
	}
	for _, size := range [][2]int{{1, 10}, {2, 5}, {3, 4}} {
		add(start{Hidden: size[0], Width: size[1], In: 3, Rate: .1, Enough: .15, Limit: 2000}, wide)
	}
	return grid
}, func(ctx context.Context, p start, _ *claim.Cell) (f flight, err error) {
	var losses []float64
	if f.BP, f.BPNorm, losses, err = p.fly(ctx, closedform.Backprop); err != nil {
		return f, err
	}
	f.BPLosses = words(losses)
	f.PC, f.PCNorm, losses, err = p.fly(ctx, closedform.PC)
	f.PCLosses = words(losses)
	return f, err
})

// fly counts the updates of a method, and gives its losses before each of the first 50.
func (p start) fly(ctx context.Context, method closedform.Method) (at int, norm float64, losses []float64, err error) {
	r := generator(p.Seed)
	var n theory.Linear
	for l := range p.Hidden + 1 {
		in, out := p.Width, p.Width
		if l == 0 {
			in = p.In
		}
		if l == p.Hidden {
			out = p.In
		}
		n.Weights = append(n.Weights, normal(r, in, out, 0, .05))
	}
	rule, err := p.rule(n, method)
	if err != nil {
		return 0, 0, nil, err
	}
	trainer := train.Trainer[float64]{Rule: rule, Optimizer: &optim.SGD[float64]{Rate: p.Rate}, MaxSteps: p.Limit, Feed: func(int) (_, _ []float64) {
		x, y := toy(r, p.In, false)
		return x.RawMatrix().Data, y.RawMatrix().Data
	}}
	at = p.Limit
	for step, err := range trainer.Steps(ctx) {
		var diverged *train.DivergenceError
		if errors.As(err, &diverged) {
			break
		}
		if err != nil {
			return 0, 0, nil, err
		}
		norm = max(norm, step.GradNorm())
		if len(losses) < 50 {
			losses = append(losses, step.Loss)
		}
		if step.Loss < p.Enough && at == p.Limit {
			at = step.Step - 1
		}
		if at < p.Limit && (p.In > 1 || step.Step >= 50) {
			break
		}
	}
	return at, norm, losses, nil
}

// rule is descent on the closed form, or for released inference that of a compiled network with the same weights.
func (p start) rule(n theory.Linear, method closedform.Method) (train.Rule[float64], error) {
	if !p.Released || method == closedform.Backprop {
		return closedform.New(n, method)
	}
	widths := []int{p.In}
	for range p.Hidden {
		widths = append(widths, p.Width)
	}
	net, err := arch.Chain{Widths: append(widths, p.In)}.Network()
	if err != nil {
		return nil, err
	}
	w, err := arch.NewWeights[float64](net, generator(p.Seed))
	if err != nil {
		return nil, err
	}
	for i, m := range n.Weights {
		copy(w.Part(w.Data(), i), m.RawMatrix().Data)
	}
	w.Touch()
	model, err := arch.Compile(net, w, arch.Plan{Batch: batch})
	if err != nil {
		return nil, err
	}
	return &train.PC[float64]{Model: model, Solver: &infer.Descent[float64]{Optimizer: &optim.SGD[float64]{Rate: .1}}, Stop: infer.Steps(20)}, nil
}

func chainClaims() []claim.Claim {
	return []claim.Claim{chainEscapes, shallowEqual, wideEscapes}
}

// of are the flights of one kind.
func of(t claim.Table, hidden, in int, released bool) []claim.Row[start, flight] {
	return claim.Where[start, flight](t, func(p start) bool { return p.Hidden == hidden && p.In == in && p.Released == released })
}

// count is how many leave in time, and the median updates of all.
func count(rows []claim.Row[start, flight], method closedform.Method) (left int, median int) {
	var list []int
	for _, r := range rows {
		v := r.Result.BP
		if method == closedform.PC {
			v = r.Result.PC
		}
		if v < r.Params.Limit {
			left++
		}
		list = append(list, v)
	}
	slices.Sort(list)
	if len(list) == 0 {
		return 0, 0
	}
	return left, list[len(list)/2]
}

var chainEscapes = claim.Claim{
	ID:     "saddles/chain",
	Source: paper + ", figures 2 and 7 (Linear_Chains_Analysis of the release): H = 2",
	Statement: "Within 50 batches predictive coding leaves the saddle of a chain of two hidden units from small weights, and backprop as a rule does not, whose " +
		"gradient stays small.",
	Paper: "PC leaves in 5 of 5 seeds, BP in 1 of 5. An independent numpy program: BP in 1 of 5 (batch 31), PC in 5 of 5 (21 to 37); largest gradient of BP .001 to .01 where it stays, of PC .31 to .36",
	Grid:  flights,
	Bounds: []claim.Bound{
		{Text: "PC leaves in 80 % of the draws at least, by its equilibrium and by 20 steps of inference", Origin: claim.Paper, Note: "5 of 5; weights of 20 draws are at times ten times smaller"},
		{Text: "BP leaves in 40 % at most", Origin: claim.Paper, Note: "1 of 5"},
		{Text: "where BP stays and PC leaves, PC's largest gradient is .28 to .42 and BP's median below a fifth of PC's", Origin: claim.Independent, Note: ".31 to .36 and .001 to .01; of more draws some have BP about to leave at batch 50"},
	},
	Check: chainLeaves,
	Plot:  chainFigure,
}

// chainLeaves is the check of saddles/chain.
func chainLeaves(t claim.Table) (string, error) {
	var off claim.Off
	var ours []string
	for _, released := range []bool{false, true} {
		rows := of(t, 2, 1, released)
		if len(rows) == 0 {
			continue
		}
		name := map[bool]string{false: "at equilibrium", true: "20 steps"}[released]
		bp, _ := count(rows, closedform.Backprop)
		pc, median := count(rows, closedform.PC)
		if 5*pc < 4*len(rows) || 5*bp > 2*len(rows) {
			off.Add("%s: PC leaves in %d, BP in %d of %d", name, pc, bp, len(rows))
		}
		var b, p []float64
		for _, r := range rows {
			f := r.Result
			if f.BP < r.Params.Limit || f.PC == r.Params.Limit {
				continue
			}
			if b, p = append(b, f.BPNorm), append(p, f.PCNorm); f.PCNorm < .28 || f.PCNorm > .42 {
				off.Add("%s, seed %d: PC's gradients up to %.2g", name, r.Params.Seed, f.PCNorm)
			}
		}
		slices.Sort(b)
		slices.Sort(p)
		if len(b) > 0 && !(5*b[len(b)/2] < p[len(p)/2]) {
			off.Add("%s: median of the largest gradients %.2g (BP) and %.2g (PC)", name, b[len(b)/2], p[len(p)/2])
		}
		ours = append(ours, fmt.Sprintf("%s: PC leaves in %d of %d (median batch %d), BP in %d", name, pc, len(rows), median, bp))
	}
	return strings.Join(ours, "; "), off.Err()
}

// chainFigure is the figure of saddles/chain.
func chainFigure(t claim.Table) []claim.Figure {
	f := claim.Figure{Name: "saddles-chain", Caption: "Chains of single linear units from weights N(0, .05²), learning y = -x at rate .4, a line per seed (five of them); predictive coding by 20 steps of inference at rate .1, as released."}
	for hidden := 1; hidden <= 2; hidden++ {
		p := claim.Panel{Title: fmt.Sprintf("%d hidden", hidden), X: claim.Axis{Label: "batch"}, Y: claim.Axis{Label: "loss 1/2 (y - yhat)²"}}
		for _, r := range of(t, hidden, 1, true) {
			if r.Params.Seed > 5 {
				continue
			}
			for k, list := range []string{r.Result.BPLosses, r.Result.PCLosses} {
				l := claim.Line{Series: 1 + k, Dash: k}
				if r.Params.Seed == 1 {
					l.Name = []string{"BP", "PC"}[k]
				}
				for i, v := range numbers(list) {
					l.X, l.Y = append(l.X, float64(i)), append(l.Y, v)
				}
				p.Lines = append(p.Lines, l)
			}
		}
		if len(p.Lines) > 0 {
			f.Panels = append(f.Panels, p)
		}
	}
	return []claim.Figure{f}
}

var shallowEqual = claim.Claim{
	ID:        "saddles/shallow",
	Source:    paper + ", figure 2: H = 1",
	Statement: "With one hidden layer, where both saddles are strict, predictive coding has no more than a small advantage.",
	Paper:     "both leave within 15 batches. An independent numpy program, a network of 10 hidden units: BP 9 to 12, PC 9 to 11 batches",
	Grid:      flights,
	Bounds: []claim.Bound{
		{Text: "in chains of one hidden unit both leave within 50 batches in every draw but one in ten, and BP's median is at most 1.6 times PC's", Origin: claim.Derived, Note: "growth at the rates 1 and 1.618 of (A-7), and an S that slows PC down later"},
		{Text: "in networks of 10 hidden units the medians are within 2 batches of each other", Origin: claim.Independent, Note: "BP 9 to 12, PC 9 to 11"},
	},
	Check: shallowIsEqual,
}

// shallowIsEqual is the check of saddles/shallow.
func shallowIsEqual(t claim.Table) (string, error) {
	var off claim.Off
	chains, wide := of(t, 1, 1, false), of(t, 1, 3, false)
	bp, b := count(chains, closedform.Backprop)
	pc, p := count(chains, closedform.PC)
	if 10*min(bp, pc) < 9*len(chains) || float64(b) > 1.6*float64(p) {
		off.Add("chains: BP leaves in %d (median %d), PC in %d (median %d) of %d", bp, b, pc, p, len(chains))
	}
	_, wb := count(wide, closedform.Backprop)
	_, wp := count(wide, closedform.PC)
	if wb-wp > 2 || wp-wb > 2 {
		off.Add("10 units: medians %d and %d", wb, wp)
	}
	return fmt.Sprintf("median batches of BP and PC: chains %d and %d, 10 units %d and %d", b, p, wb, wp), off.Err()
}

var wideEscapes = claim.Claim{
	ID:        "saddles/wide",
	Source:    paper + ", figures 2 and 5 in small: linear networks of [H, N] = [1, 10], [2, 5], [3, 4]",
	Statement: "The advantage of predictive coding near the origin grows with depth in wide networks too.",
	Paper:     "none at these sizes. An independent numpy program, batches to a loss of .15, 5 seeds: BP 9-12, 30-48, 241-362 and PC 9-11, 20-24, 59-68 for H = 1, 2, 3",
	Grid:      flights,
	Bounds: []claim.Bound{
		{Text: "the medians lie within the independent program's ranges, widened by a fifth", Origin: claim.Independent, Note: "theory.md 3.7"},
		{Text: "BP over PC of the medians grows with depth, to 3 at least for H = 3", Origin: claim.Independent, Note: "about 4.5"},
	},
	Check: wideLeaves,
}

// wideLeaves is the check of saddles/wide.
func wideLeaves(t claim.Table) (string, error) {
	var off claim.Off
	ranges := map[int][4]float64{1: {9, 12, 9, 11}, 2: {30, 48, 20, 24}, 3: {241, 362, 59, 68}}
	var ours []string
	before := 0.
	for hidden := 1; hidden <= 3; hidden++ {
		rows := of(t, hidden, 3, false)
		if len(rows) == 0 {
			continue
		}
		_, b := count(rows, closedform.Backprop)
		_, p := count(rows, closedform.PC)
		w := ranges[hidden]
		for i, v := range []int{b, p} {
			if float64(v) < w[2*i]/1.2 || float64(v) > 1.2*w[2*i+1] {
				off.Add("H=%d: %s needs %d batches, an independent program %g to %g", hidden, []string{"BP", "PC"}[i], v, w[2*i], w[2*i+1])
			}
		}
		ratio := float64(b) / float64(p)
		if ratio <= before || hidden == 3 && ratio < 3 {
			off.Add("H=%d: BP over PC %.2f, one layer less %.2f", hidden, ratio, before)
		}
		before = ratio
		ours = append(ours, fmt.Sprintf("H=%d: %d and %d", hidden, b, p))
	}
	return "median batches of BP and PC: " + strings.Join(ours, "; "), off.Err()
}
