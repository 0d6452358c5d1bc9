package mupc

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pcgraph/pcgraph/experiments/claim"
)

// How much inference is enough, and what more of it does: ReLU networks of muPC over the number of steps, at the published
// rate of the activities and larger ones, and at equilibrium, which takes error coordinates. There the curvature at
// initialisation is 1 + O(L/N) whatever the depth, so that few steps of .1 or so per sample come to it.
const (
	publishedRate = .5
	gridRate      = 10  // the best of the paper's grid
	errorRate     = 6.4 // .1 per sample
	errorSteps    = 20
)

// equilibriumLR is the rate of the weights that suits gradients that reach all layers: that of BP.
const equilibriumLR = 1e-2

var amounts = trains("inference", func(s claim.Scale) []Setup {
	base := Setup{Data: MNIST, Scaling: MuPC, Act: ReLU, Width: 128, Batch: 64, Iterations: 300, Test: 10000, Seed: 1}
	hidden, factors := []int{8, 16, 32, 64}, []float64{.5, 1, 2, 4}
	if s == claim.Quick {
		base.Width, base.Iterations, base.Test = 64, 40, 1000
		hidden, factors = []int{4, 16}, []float64{1}
	}
	var grid []Setup
	for _, h := range hidden {
		base.Hidden = h
		for _, lr := range []float64{muPCLR, equilibriumLR} {
			bp, e := base, base
			bp.Method, bp.LR = BP, lr
			e.Method, e.LR, e.Rate, e.Steps = ErrorPC, lr, errorRate, errorSteps
			grid = append(grid, bp, e)
		}
		pc := base
		pc.Method, pc.LR = PC, muPCLR
		steps := []int{1, 2}
		for _, f := range factors {
			if t := int(f * float64(h)); t > steps[len(steps)-1] && (t <= 128) {
				steps = append(steps, t)
			}
		}
		for _, pc.Rate = range []float64{publishedRate, gridRate} {
			for _, pc.Steps = range steps {
				grid = append(grid, pc)
			}
		}
	}
	return grid
})

// amount are the results over T of a depth, with the published rate of the weights.
func amount(t claim.Table, h int, rate float64) map[int]Run {
	at := map[int]Run{}
	for _, r := range results(t, func(s Setup) bool { return s.Hidden == h && s.Method == PC && s.Rate == rate }) {
		at[r.Params.Steps] = r.Result
	}
	return at
}

// better is the result of a method with the better of two rates of the weights.
func better(t claim.Table, h int, m Method) (best Run) {
	for _, r := range results(t, func(s Setup) bool { return s.Hidden == h && s.Method == m }) {
		if r.Result.Accuracy >= best.Accuracy {
			best = r.Result
		}
	}
	return best
}

// hiddens are the depths of a table.
func hiddens(t claim.Table) (hs []int) {
	for _, r := range results(t, anySetup) {
		hs = append(hs, r.Params.Hidden)
	}
	slices.Sort(hs)
	return slices.Compact(hs)
}

func inferenceClaims() []claim.Claim {
	return []claim.Claim{{
		ID:        "mupc/steps-enough",
		Source:    paper + "; second-hand: notes on the paper",
		Statement: "One step of inference is not enough; as many steps as there are hidden layers are.",
		Paper:     "T = H is the budget of all figures",
		Grid:      amounts,
		Bounds: []claim.Bound{
			{Text: "T = H is a point better than T = 1 at least, and at most a point worse than equilibrium, at every depth", Origin: claim.Before, Commit: "0dd3103", Note: "one seed: a point is more than seeds scatter in mupc/depth-relu"},
		},
		Shuffled: "the sentence is refuted by what its own cells gave, and results in the wrong cells refute it as well",
		Check:    stepsSuffice,
		Verdict:  claim.Fails,
		Care:     stepsCare,
		Plot:     accuracyFigure,
	}, {
		ID:        "mupc/inference-reaches",
		Source:    paper + ": our reading, not a sentence of the paper",
		Statement: "More inference, up to the equilibrium of the activities, makes muPC train more layers, all of them in the end, and train better.",
		Paper:     "none: T = H at the published rate is all that is shown",
		Grid:      amounts,
		Bounds: []claim.Bound{
			{Text: "as many layers or more learn at 20 times the published rate as at it, and all H+1 at equilibrium", Origin: claim.Before, Commit: "0dd3103"},
			{Text: "where N >= 8 H equilibrium is no worse than the published rate", Origin: claim.After, Commit: "dc06bc3", Note: "the condition on N was set when the measurement was known; one seed"},
		},
		Check:   moreInferenceReachesMore,
		Verdict: claim.WithCare,
		Care:    inferenceCare,
		Plot:    layersFigure,
	}}
}

// stepsSuffice is the check of mupc/steps-enough.
func stepsSuffice(t claim.Table) (string, error) {
	hs := hiddens(t)
	var off claim.Off
	var words []string
	for _, h := range hs {
		at := amount(t, h, publishedRate)
		equal := better(t, h, ErrorPC)
		words = append(words, fmt.Sprintf("H = %d: %.1f / %.1f / %.1f %%", h, 100*at[1].Accuracy, 100*at[h].Accuracy, 100*equal.Accuracy))
		if at[h].Accuracy < at[1].Accuracy+.01 {
			off.Add("H=%d: T = 1 %s, T = H %s", h, claim.Percent(at[1].Accuracy), claim.Percent(at[h].Accuracy))
		}
		if at[h].Accuracy < equal.Accuracy-.01 {
			off.Add("H=%d: T = H %s, at equilibrium %s", h, claim.Percent(at[h].Accuracy), claim.Percent(equal.Accuracy))
		}
	}
	return "T = 1, T = H, equilibrium: " + strings.Join(words, "; "), off.Err()
}

// stepsCare is the care of mupc/steps-enough.
func stepsCare(t claim.Table) string {
	hs := hiddens(t)
	var words []string
	for _, h := range hs {
		at := amount(t, h, publishedRate)
		equal := better(t, h, ErrorPC)
		words = append(words, fmt.Sprintf("%+.1f points at H = %d", 100*(equal.Accuracy-at[h].Accuracy), h))
	}
	return "One step is not enough, as the sentence says; T = H is not either. At the published rate it is nearly as far from equilibrium as T = 1, because the rate is on the gradient of the batch mean: " +
		"a handful of layers learn, and the random ones in front of them make the features. At equilibrium all layers learn, which is better where networks are much wider " +
		"than deep and worse where they are not: " + strings.Join(words, ", ") + ". One seed."
}

// moreInferenceReachesMore is the check of mupc/inference-reaches.
func moreInferenceReachesMore(t claim.Table) (string, error) {
	hs := hiddens(t)
	var off claim.Off
	var words []string
	for _, h := range hs {
		published := amount(t, h, publishedRate)
		faster := amount(t, h, gridRate)
		equal := better(t, h, ErrorPC)
		bp := better(t, h, BP)
		a, b := published[h], faster[h]
		words = append(words, fmt.Sprintf("H = %d: %d / %d / %d / %d layers, %.1f / %.1f / %.1f / %.1f %%", h,
			a.Reach, b.Reach, equal.Reach, bp.Reach, 100*a.Accuracy, 100*b.Accuracy, 100*equal.Accuracy, 100*bp.Accuracy))
		if !(a.Reach <= b.Reach && b.Reach <= equal.Reach && equal.Reach == h+1) {
			off.Add("H=%d: layers that learn: %d, %d, %d of %d", h, a.Reach, b.Reach, equal.Reach, h+1)
		}
		if wide := results(t, func(s Setup) bool { return s.Hidden == h && s.Width >= 8*h }); len(wide) > 0 && equal.Accuracy < a.Accuracy {
			off.Add("H=%d: at the published rate %s, at equilibrium %s", h, claim.Percent(a.Accuracy), claim.Percent(equal.Accuracy))
		}
	}
	return "published rate, 20 times it, equilibrium, BP: " + strings.Join(words, "; "), off.Err()
}

// inferenceCare is the care of mupc/inference-reaches.
func inferenceCare(t claim.Table) string {
	relaxed := 0.
	for _, r := range results(t, func(s Setup) bool { return s.Method == ErrorPC }) {
		relaxed = max(relaxed, r.Result.Relaxed)
	}
	return fmt.Sprintf("More layers always, better only where N >= 8 H or so: training deep narrow networks at equilibrium enlarges S (mupc/energy-becomes-loss). "+
		"Equilibrium means that the gradient has fallen to %.2g of its start or less. Of the weights' rates %g and %g the better one is taken: gradients that reach all layers make the larger one too long a step in deep networks. "+
		"Equilibrium within %d steps takes error coordinates; in activities it takes about as many steps as the Hessian's condition number.", relaxed, muPCLR, equilibriumLR, errorSteps)
}

// accuracyFigure shows accuracy against T.
func accuracyFigure(t claim.Table) []claim.Figure {
	p := claim.Panel{X: claim.Axis{Label: "steps of inference T", Log: true}, Y: claim.Axis{Label: "test accuracy"}}
	q := p
	p.Title, q.Title = "at the published rate, .5", "at 20 times the published rate"
	hs := hiddens(t)
	for i, h := range hs {
		equal := better(t, h, ErrorPC)
		for _, panel := range []struct {
			*claim.Panel
			rate float64
		}{{&p, publishedRate}, {&q, gridRate}} {
			at := amount(t, h, panel.rate)
			l := claim.Line{Name: fmt.Sprintf("H = %d", h), Series: i + 1, Points: true}
			for _, steps := range claim.Keys(at) {
				l.X, l.Y = append(l.X, float64(steps)), append(l.Y, at[steps].Accuracy)
			}
			panel.Lines = append(panel.Lines, l, claim.Line{Series: i + 1, Dash: 2, X: []float64{1, float64(h)}, Y: []float64{equal.Accuracy, equal.Accuracy}})
		}
	}
	caption := "ReLU networks of muPC over the number of steps of inference. Dotted: at equilibrium, reached in error coordinates, with the better of two rates of the weights. "
	return []claim.Figure{{Name: "mupc-inference", Caption: caption + describe(t), Panels: []claim.Panel{p, q}}}
}

// layersFigure shows how many layers learn against T.
func layersFigure(t claim.Table) []claim.Figure {
	hs := hiddens(t)
	p := claim.Panel{Title: "layers that learn", X: claim.Axis{Label: "steps of inference T", Log: true}, Y: claim.Axis{Label: "layers that moved by 1 % or more", Log: true}}
	for i, h := range hs {
		for dash, rate := range []float64{publishedRate, gridRate} {
			at := amount(t, h, rate)
			l := claim.Line{Name: fmt.Sprintf("H = %d, rate %g", h, rate), Series: i + 1, Points: true, Dash: dash}
			for _, steps := range claim.Keys(at) {
				l.X, l.Y = append(l.X, float64(steps)), append(l.Y, float64(at[steps].Reach))
			}
			p.Lines = append(p.Lines, l)
		}
	}
	return []claim.Figure{{Name: "mupc-layers", Caption: "ReLU networks of muPC: layers whose weights moved by more than 1 % in training, of H + 1. At equilibrium all do. " + describe(t), Panels: []claim.Panel{p}}}
}
