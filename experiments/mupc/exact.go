package mupc

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/pkg/errors"
	"gonum.org/v1/gonum/mat"

	"github.com/pcgraph/pcgraph/experiments/claim"
	"github.com/pcgraph/pcgraph/experiments/closedform"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/train"
)

// An exact is a linear residual network on MNIST that learns from the exact equilibrium of its activities, in float64.
type exact struct {
	Scaling    Scaling `json:"scaling"`
	Hidden     int     `json:"hidden"`
	Width      int     `json:"width"`
	LR         float64 `json:"lr"` // of Adam
	Iterations int     `json:"iterations"`
	Test       int     `json:"test"` // samples of the test set
	Seed       uint64  `json:"seed"`
}

// Cost is that of the products with the weights, the first layer's and the hidden ones'.
func (e exact) Cost() float64 {
	return float64(e.Iterations+1) * float64(e.Width*(784+e.Hidden*(e.Width+20)))
}

// An exactRun is how the training went.
type exactRun struct {
	Ratio     claim.Nullable   `json:"ratio"`     // loss / equilibrated energy, geometric mean over the last tenth of the iterations
	First     claim.Nullable   `json:"first"`     // the same before training
	Rescaling claim.Nullable   `json:"rescaling"` // mean diagonal of S before training
	Theory    claim.Nullable   `json:"theory"`    // its expectation in closed form
	Accuracy  claim.Nullable   `json:"accuracy"`  // on the test set at the end
	Loss      claim.Nullable   `json:"loss"`      // mean over the last tenth
	At        []int            `json:"at"`        // iterations at which Ratios were taken
	Ratios    []claim.Nullable `json:"ratios"`
}

var marks = []int{0, 5, 10, 50, 100, 200, 450, 900}

// measure trains. A run that leaves what can be factorised is given up; its numbers are NaN.
func (e exact) measure(ctx context.Context, at *claim.Cell) (exactRun, error) {
	training, test, err := load(MNIST)
	if err != nil {
		return exactRun{}, err
	}
	spec := family{e.Scaling, true}.spec(e.Hidden, e.Width)
	net, err := spec.Sample(generator(e.Seed))
	if err != nil {
		return exactRun{}, err
	}
	expected, err := spec.ExpectedRescaling()
	if err != nil {
		return exactRun{}, err
	}
	nan := claim.Nullable(math.NaN())
	r := exactRun{Ratio: nan, First: nan, Rescaling: nan, Theory: claim.Nullable(expected), Accuracy: nan, Loss: nan}
	rule, err := closedform.New(net, closedform.PC)
	if err != nil {
		return exactRun{}, err
	}
	trainer := train.Trainer[float64]{Rule: rule, Optimizer: &optim.Adam[float64]{Rate: e.LR}, Train: training, Batch: 64, DropLast: true, Seed: e.Seed,
		MaxSteps: e.Iterations + 1} // the last one for what is seen before it
	var logs, losses float64
	var score train.Score
	late := 0
	for step, err := range trainer.Steps(ctx) {
		var diverged *train.DivergenceError
		if errors.As(err, &diverged) { // weights too large
			return r, nil
		}
		if err != nil {
			return exactRun{}, err
		}
		before := step.Step - 1
		ratio := step.Loss / step.Energy
		if slices.Contains(marks, before) || before == e.Iterations {
			r.At, r.Ratios = append(r.At, before), append(r.Ratios, claim.Nullable(ratio))
		}
		if before == 0 {
			r.First, r.Rescaling = claim.Nullable(ratio), claim.Nullable(mat.Trace(rule.State().Equilibrium.Rescaling)/float64(training.Out()))
		}
		if before >= e.Iterations-e.Iterations/10 {
			logs, losses, late = logs+math.Log(ratio), losses+step.Loss, late+1
		}
		if before == e.Iterations {
			break
		}
		at.Progress(step.Step, e.Iterations)
		if step.Step == e.Iterations {
			if score, err = train.Evaluate(rule.Subject().Predict, test.Slice(0, e.Test)); err != nil {
				return exactRun{}, err
			}
		}
	}
	r.Ratio, r.Loss = claim.Nullable(math.Exp(logs/float64(late))), claim.Nullable(losses/float64(late))
	r.Accuracy = claim.Nullable(score.Accuracy)
	return r, nil
}

func exactly(name string, grid func(claim.Scale) []exact) claim.Experiment {
	return claim.Grid("mupc/"+name, 1, grid, func(ctx context.Context, e exact, at *claim.Cell) (exactRun, error) { return e.measure(ctx, at) })
}

// ratios is figure 6: the ratio of loss and equilibrated energy over width, depth and training.
var ratios = exactly("ratio", func(s claim.Scale) []exact {
	sizes, its, test := []int{1, 2, 4, 8, 16, 32, 64}, 900, 10000
	if s == claim.Quick {
		sizes, its, test = []int{2, 8, 32}, 10, 500
	}
	var grid []exact
	add := func(h, n, its int) {
		for _, p := range []Scaling{MuPC, SP} {
			grid = append(grid, exact{p, h, n, exactLR[p], its, test, 1})
		}
	}
	for _, h := range sizes {
		for _, n := range sizes {
			add(h, n, its)
		}
	}
	if s == claim.Full { // wide: where the closed form of S is asked of
		for _, h := range []int{4, 8, 16} {
			add(h, 128, 100)
			add(h, 256, 100)
		}
	}
	return grid
})

// The rates of the figures.
var exactLR = map[Scaling]float64{MuPC: .1, SP: 1e-4}

// perfect is the training of networks of depth 8 to 32 with exact activities. The released code has .1 for muPC.
var perfect = exactly("perfect-inference", func(s claim.Scale) []exact {
	hidden, width, its, test := []int{8, 16, 32}, 128, 900, 10000
	if s == claim.Quick {
		hidden, width, its, test = []int{4, 16}, 64, 25, 1000
	}
	var grid []exact
	for _, h := range hidden {
		for _, lr := range []float64{muPCLR, equilibriumLR} {
			grid = append(grid, exact{MuPC, h, width, lr, its, test, 1})
		}
		grid = append(grid, exact{SP, h, width, 1e-3, its, test, 1})
	}
	return grid
})

// A shape is a point of a grid.
type shape struct{ hidden, width int }

// measured are the means of a scaling.
func measured(t claim.Table, scaling Scaling, value func(exactRun) float64) map[shape]claim.Estimate {
	rows := claim.Where[exact, exactRun](t, func(e exact) bool { return e.Scaling == scaling })
	return claim.By(rows, func(e exact) shape { return shape{e.Hidden, e.Width} }, value)
}

func exactClaims() []claim.Claim {
	return []claim.Claim{{
		ID:        "mupc/energy-becomes-loss",
		Source:    paper + ", theorem 1 and figure 6; from the released code and notes on the paper",
		Statement: "For linear residual networks of muPC the energy at equilibrium becomes backprop's loss where width is much larger than depth, and stays near it in training.",
		Paper:     "loss / energy is 1 wherever N >> H, up to 1e3 where N << H",
		Grid:      ratios,
		Bounds: []claim.Bound{
			{Text: "before training below 1.6 where N >= 4 H and N >= 8", Origin: claim.Before, Commit: "0dd3103", Note: "E[S] is 1.43 at most there, one draw a cell"},
			{Text: "S within 6 % of the closed form from N = 128 on", Origin: claim.Derived, Note: "E[S] of the sizes, one draw a cell"},
			{Text: "at the end of training below 1.1 where N >= 32 H", Origin: claim.After, Commit: "ddb4d25", Note: "found when trainings were looked at, before the record was complete"},
		},
		Check:   ratioFallsToOne,
		Verdict: claim.WithCare,
		Care:    ratioCare,
		Plot:    ratioFigure,
	}, {
		ID:        "mupc/sp-energy-stays-apart",
		Source:    paper + ", figure 6 and appendix; from the released code and notes on the paper",
		Statement: "With the standard parametrisation no width brings the energy at equilibrium to the loss.",
		Paper:     "loss / energy up to 1e7 for deep networks, whatever the width",
		Grid:      ratios,
		Check:     noWidthHelps,
		Bounds: []claim.Bound{
			{Text: "at every depth the mean logarithm of loss/energy over widths from 16 on is above 0 by more than its scatter (95 %), and within half of the closed form's, H log(4/3)", Origin: claim.After,
				Note: "before, commit 0dd3103, the widest was to be above 1.5 from H = 4 on, one draw a cell; the closed form is derived"},
			{Text: "over all depths it does not fall with width by more than a fifth of the closed form's with every doubling, the 95 % interval included", Origin: claim.After, Note: "likewise"},
		},
		Verdict: claim.WithCare,
		Care:    spRatioCare,
	}, {
		ID:        "mupc/perfect-inference",
		Source:    paper + ", toy experiments of the released code",
		Statement: "Even with perfect inference networks of the standard parametrisation learn worse with depth, those of muPC do not.",
		Paper: "curves of linear residual networks, N = 128, H = 8, 16, 32. An independent JAX program (bench/jax/equilibrium.py), seeds 1 to 3: " +
			"muPC 79 / 72 / 53 % at rate .1, SP (seed 1) 74 / 52 / 11 % at .001",
		Grid: perfect,
		Bounds: []claim.Bound{
			{Text: "from the least depth to the greatest muPC loses at most 3 points at its released rate of .1", Origin: claim.Before, Commit: "0dd3103"},
			{Text: "SP loses at least 5 points", Origin: claim.Before, Commit: "0dd3103"},
		},
		Shuffled: "the sentence is refuted by what its own cells gave, and results in the wrong cells refute it as well",
		Check:    depthHurtsStandardOnly,
		Verdict:  claim.Fails,
		Care:     perfectCare,
	}}
}

// ratioFallsToOne is the check of mupc/energy-becomes-loss.
func ratioFallsToOne(t claim.Table) (string, error) {
	rows := claim.Rows[exact, exactRun](t)
	var off claim.Off
	var deep, worst float64
	wide, later := 1., 1.
	for _, r := range rows {
		p, v := r.Params, r.Result
		if p.Scaling != MuPC {
			continue
		}
		if p.Width >= 4*p.Hidden && p.Width >= 8 {
			wide, later = max(wide, float64(v.First)), max(later, float64(v.Ratio))
			if !(v.First < 1.6) {
				off.Add("H=%d, N=%d: %.3g before training", p.Hidden, p.Width, v.First)
			}
		}
		if p.Width >= 32*p.Hidden && !(v.Ratio < 1.1) {
			off.Add("H=%d, N=%d: %.3g after %d iterations", p.Hidden, p.Width, v.Ratio, p.Iterations)
		}
		if p.Width < p.Hidden {
			deep = max(deep, float64(v.First))
		}
		if p.Width >= 128 {
			d := math.Abs(float64(v.Rescaling/v.Theory) - 1)
			if worst = max(worst, d); d > .06 { // one draw
				off.Add("H=%d, N=%d: S is %.4g, closed form %.4g", p.Hidden, p.Width, v.Rescaling, v.Theory)
			}
		}
	}
	return fmt.Sprintf("before training at most %.3g where N >= 4 H, up to %.3g where N < H; in training up to %.3g where N >= 4 H", wide, deep, later), off.Err()
}

// ratioCare is the care of mupc/energy-becomes-loss.
func ratioCare(t claim.Table) string {
	rows := claim.Rows[exact, exactRun](t)
	said, most := "", 0.
	for _, r := range rows {
		if p, v := r.Params, r.Result; p.Scaling == MuPC && p.Width >= 8*p.Hidden && p.Width < 32*p.Hidden && float64(v.Ratio/v.First) > most {
			most = float64(v.Ratio / v.First)
			said = fmt.Sprintf(" At N = %d, H = %d loss / energy goes from %.2g to %.2g within %d iterations.", p.Width, p.Hidden, v.First, v.Ratio, p.Iterations)
		}
	}
	return "Before training as the closed form of S says. In training, at the released rate of .1, only where N >= 32 H: PC can lower its energy by enlarging S, and does." + said
}

// noWidthHelps is the check of mupc/sp-energy-stays-apart.
func noWidthHelps(t claim.Table) (string, error) {
	m := measured(t, SP, func(r exactRun) float64 { return math.Log(float64(r.First)) })
	var off claim.Off
	var words []string
	byDepth := map[int]map[int]float64{} // logarithms of widths that do not fluctuate with the single draw, by depth
	for at, e := range m {
		if at.width < 8 || t.Scale == claim.Full && at.width < 16 {
			continue
		}
		if byDepth[at.hidden] == nil {
			byDepth[at.hidden] = map[int]float64{}
		}
		byDepth[at.hidden][at.width] = e.Mean
	}
	var x, y []float64 // deviations from the depth's mean of log2 N, and of log(loss/energy) in units of the closed form's
	for _, h := range claim.Keys(byDepth) {
		var logs, widths []float64
		for _, n := range claim.Keys(byDepth[h]) {
			logs, widths = append(logs, byDepth[h][n]), append(widths, math.Log2(float64(n)))
		}
		e, w := claim.Mean(logs...), claim.Mean(widths...)
		form := float64(h) * math.Log(4./3)
		words = append(words, fmt.Sprintf("%.3g at H = %d (closed form %.3g)", math.Exp(e.Mean), h, math.Exp(form)))
		above := e.Above(0)
		if t.Scale == claim.Quick {
			above = e.Mean > 0
		}
		if !above || math.Abs(e.Mean/form-1) > .5 {
			off.Add("H=%d: the logarithm of loss/energy is %s over widths: want it above 0 and near %.3g", h, e, form)
		}
		for i := range logs {
			x, y = append(x, widths[i]-w.Mean), append(y, (logs[i]-e.Mean)/form)
		}
	}
	trend := claim.Slope(x, y)
	trend.N = max(0, trend.N-len(byDepth)) // a mean was taken away from each depth
	// Five doublings of width would bring the energy to the loss at a slope of -.2.
	if t.Scale == claim.Full && !trend.Above(-.2) {
		off.Add("the logarithm falls by %s of itself with every doubling of width", trend)
	}
	return fmt.Sprintf("before training, geometric means over widths %s; with every doubling of width its logarithm changes by %s of the closed form's", strings.Join(words, ", "), trend), off.Err()
}

// spRatioCare is the care of mupc/sp-energy-stays-apart.
func spRatioCare(t claim.Table) string {
	m := measured(t, SP, func(r exactRun) float64 { return math.Log(float64(r.First)) })
	widest := map[int]int{}
	for at := range m {
		widest[at.hidden] = max(widest[at.hidden], at.width)
	}
	var words []string
	for _, h := range claim.Keys(widest) {
		words = append(words, fmt.Sprintf("%.2f at H = %d, N = %d", m[shape{h, widest[h]}].Mean/(float64(h)*math.Log(4./3)), h, widest[h]))
	}
	return "One draw a cell, before training. The logarithm of loss/energy does fall a little with width (see below), towards the closed form and not towards 0: at the widest it is, in units of the closed form's, " +
		strings.Join(words, ", ") + "."
}

// depthHurtsStandardOnly is the check of mupc/perfect-inference.
func depthHurtsStandardOnly(t claim.Table) (string, error) {
	var off claim.Off
	var words []string
	drop := map[Scaling]float64{}
	for _, f := range []struct {
		scaling Scaling
		lr      float64
	}{{MuPC, muPCLR}, {MuPC, equilibriumLR}, {SP, 1e-3}} {
		rows := claim.Rows[exact, exactRun](t)
		rows = slices.DeleteFunc(rows, func(r claim.Row[exact, exactRun]) bool { return r.Params.Scaling != f.scaling || r.Params.LR != f.lr })
		at := claim.By(rows, func(e exact) int { return e.Hidden }, func(r exactRun) float64 {
			if finite(float64(r.Accuracy)) {
				return float64(r.Accuracy)
			}
			return chance
		})
		if len(at) == 0 {
			continue // not measured yet
		}
		words = append(words, fmt.Sprintf("%s, rate %g: %s", f.scaling, f.lr, listed(at)))
		hs := claim.Keys(at)
		if f.lr != equilibriumLR { // which the released code does not have
			drop[f.scaling] = at[hs[0]].Mean - at[hs[len(hs)-1]].Mean
		}
	}
	if drop[MuPC] > .03 {
		off.Add("muPC loses %s", claim.Percent(drop[MuPC]))
	}
	if drop[SP] < .05 {
		off.Add("SP loses %s only", claim.Percent(drop[SP]))
	}
	return strings.Join(words, "; "), off.Err()
}

// perfectCare is the care of mupc/perfect-inference.
func perfectCare(t claim.Table) string {
	rows := claim.Rows[exact, exactRun](t)
	if len(rows) == 0 {
		return ""
	}
	at := func(scaling Scaling, lr float64) string {
		of := slices.DeleteFunc(slices.Clone(rows), func(r claim.Row[exact, exactRun]) bool { return r.Params.Scaling != scaling || r.Params.LR != lr })
		if len(of) == 0 {
			return "-"
		}
		return listed(claim.By(of, func(e exact) int { return e.Hidden }, func(r exactRun) float64 { return float64(r.Accuracy) }))
	}
	return fmt.Sprintf("At the released rate of .1 the deeper muPC networks lose much accuracy as well: %s; at .01 %s. SP is worse at the deepest: %s. One seed. The energy at equilibrium "+
		"is the loss divided by S, and training enlarges S, in deep networks by orders of magnitude, instead of making the loss smaller: "+
		"an independent program that differentiates this energy by JAX finds accuracies within a few points of these, and S grown to hundreds.", at(MuPC, muPCLR), at(MuPC, equilibriumLR), at(SP, 1e-3))
}

// ratioFigure maps the ratio over width and depth.
func ratioFigure(t claim.Table) []claim.Figure {
	f := claim.Figure{Name: "mupc-ratio", Caption: "Loss of the feedforward pass over the energy at equilibrium; linear residual networks on MNIST. Logarithms to base 10; 0 means that they agree."}
	for _, s := range []Scaling{MuPC, SP} {
		for _, when := range []struct {
			name  string
			value func(exactRun) float64
		}{
			{"before training", func(r exactRun) float64 { return float64(r.First) }},
			{"end of training", func(r exactRun) float64 { return float64(r.Ratio) }},
		} {
			m := measured(t, s, when.value)
			hs, ns := map[int]bool{}, map[int]bool{}
			for k := range m {
				if k.width <= 64 {
					hs[k.hidden], ns[k.width] = true, true
				}
			}
			p := claim.Panel{Title: string(s) + ", " + when.name, X: claim.Axis{Label: "width N"}, Y: claim.Axis{Label: "hidden layers H"}, Map: &claim.Map{}}
			for _, n := range claim.Keys(ns) {
				p.Map.Columns = append(p.Map.Columns, fmt.Sprint(n))
			}
			for _, h := range claim.Keys(hs) {
				p.Map.Rows = append(p.Map.Rows, fmt.Sprint(h))
				var row []float64
				for _, n := range claim.Keys(ns) {
					v := math.NaN()
					if e, ok := m[shape{h, n}]; ok {
						v = math.Log10(e.Mean)
					}
					row = append(row, v)
				}
				p.Map.Values = append(p.Map.Values, row)
			}
			f.Panels = append(f.Panels, p)
		}
	}
	return []claim.Figure{f}
}
