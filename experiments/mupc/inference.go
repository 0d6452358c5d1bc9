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
		base.Width, base.Iterations, base.Test = 64, 60, 1000
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
func amount(t claim.Table, h int, rate float64) (map[int]Run, error) {
	rows, err := results(t, func(s Setup) bool { return s.Hidden == h && s.Method == PC && s.Rate == rate })
	at := map[int]Run{}
	for _, r := range rows {
		at[r.Params.Steps] = r.Result
	}
	return at, err
}

// better is the result of a method with the better of two rates of the weights.
func better(t claim.Table, h int, m Method) (Run, error) {
	rows, err := results(t, func(s Setup) bool { return s.Hidden == h && s.Method == m })
	var best Run
	for _, r := range rows {
		if r.Result.Accuracy >= best.Accuracy {
			best = r.Result
		}
	}
	return best, err
}

// hiddens are the depths of a table.
func hiddens(t claim.Table) ([]int, error) {
	rows, err := results(t, func(Setup) bool { return true })
	var hs []int
	for _, r := range rows {
		if !slices.Contains(hs, r.Params.Hidden) {
			hs = append(hs, r.Params.Hidden)
		}
	}
	slices.Sort(hs)
	return hs, err
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
		Check: func(t claim.Table) (string, error) {
			hs, err := hiddens(t)
			if err != nil {
				return "", err
			}
			var off offs
			var words []string
			for _, h := range hs {
				at, err := amount(t, h, publishedRate)
				if err != nil {
					return "", err
				}
				equal, err := better(t, h, ErrorPC)
				if err != nil {
					return "", err
				}
				words = append(words, fmt.Sprintf("H = %d: %.1f / %.1f / %.1f %%", h, 100*at[1].Accuracy, 100*at[h].Accuracy, 100*equal.Accuracy))
				if at[h].Accuracy < at[1].Accuracy+.01 {
					off.add("H=%d: T = 1 %s, T = H %s", h, percent(at[1].Accuracy), percent(at[h].Accuracy))
				}
				if at[h].Accuracy < equal.Accuracy-.01 {
					off.add("H=%d: T = H %s, at equilibrium %s", h, percent(at[h].Accuracy), percent(equal.Accuracy))
				}
			}
			return "T = 1, T = H, equilibrium: " + strings.Join(words, "; "), off.err()
		},
		Verdict: claim.Fails,
		Care: func(t claim.Table) string {
			hs, err := hiddens(t)
			if err != nil {
				return ""
			}
			var words []string
			for _, h := range hs {
				at, err := amount(t, h, publishedRate)
				if err != nil {
					return ""
				}
				equal, err := better(t, h, ErrorPC)
				if err != nil {
					return ""
				}
				words = append(words, fmt.Sprintf("%+.1f points at H = %d", 100*(equal.Accuracy-at[h].Accuracy), h))
			}
			return "One step is not enough, as the sentence says; T = H is not either. At the published rate it is nearly as far from equilibrium as T = 1, because the rate is on the gradient of the batch mean: " +
				"a handful of layers learn, and the random ones in front of them make the features. At equilibrium all layers learn, which is better where networks are much wider " +
				"than deep and worse where they are not: " + strings.Join(words, ", ") + ". One seed."
		},
		Plot: accuracyFigure,
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
		Check: func(t claim.Table) (string, error) {
			hs, err := hiddens(t)
			if err != nil {
				return "", err
			}
			var off offs
			var words []string
			for _, h := range hs {
				published, err := amount(t, h, publishedRate)
				if err != nil {
					return "", err
				}
				faster, err := amount(t, h, gridRate)
				if err != nil {
					return "", err
				}
				equal, err := better(t, h, ErrorPC)
				if err != nil {
					return "", err
				}
				bp, err := better(t, h, BP)
				if err != nil {
					return "", err
				}
				a, b := published[h], faster[h]
				words = append(words, fmt.Sprintf("H = %d: %d / %d / %d / %d layers, %.1f / %.1f / %.1f / %.1f %%", h,
					a.Reach, b.Reach, equal.Reach, bp.Reach, 100*a.Accuracy, 100*b.Accuracy, 100*equal.Accuracy, 100*bp.Accuracy))
				if !(a.Reach <= b.Reach && b.Reach <= equal.Reach && equal.Reach == h+1) {
					off.add("H=%d: layers that learn: %d, %d, %d of %d", h, a.Reach, b.Reach, equal.Reach, h+1)
				}
				if rows, err := results(t, func(s Setup) bool { return s.Hidden == h && s.Width >= 8*h }); err != nil {
					return "", err
				} else if len(rows) > 0 && equal.Accuracy < a.Accuracy {
					off.add("H=%d: at the published rate %s, at equilibrium %s", h, percent(a.Accuracy), percent(equal.Accuracy))
				}
			}
			return "published rate, 20 times it, equilibrium, BP: " + strings.Join(words, "; "), off.err()
		},
		Verdict: claim.WithCare,
		Care: claim.Constant("More layers always, better only where N >= 8 H or so: training in deep narrow networks at equilibrium enlarges S (mupc/energy-becomes-loss). " +
			"At equilibrium, that is with the gradient at a tenth of its start or less, the better of the weights' rates .1 and .01 is taken: gradients that reach all layers make .1 too long a step in deep networks. " +
			"Equilibrium within 20 steps takes error coordinates; in activities it takes about as many steps as the Hessian's condition number."),
		Plot: layersFigure,
	}}
}

// accuracyFigure shows accuracy against T.
func accuracyFigure(t claim.Table) ([]claim.Figure, error) {
	p := claim.Panel{X: claim.Axis{Label: "steps of inference T", Log: true}, Y: claim.Axis{Label: "test accuracy"}}
	q := p
	p.Title, q.Title = "at the published rate, .5", "at 20 times the published rate"
	hs, err := hiddens(t)
	if err != nil {
		return nil, err
	}
	for i, h := range hs {
		equal, err := better(t, h, ErrorPC)
		if err != nil {
			return nil, err
		}
		for _, panel := range []struct {
			*claim.Panel
			rate float64
		}{{&p, publishedRate}, {&q, gridRate}} {
			at, err := amount(t, h, panel.rate)
			if err != nil {
				return nil, err
			}
			l := claim.Line{Name: fmt.Sprintf("H = %d", h), Series: i + 1, Points: true}
			for _, steps := range keys(at) {
				l.X, l.Y = append(l.X, float64(steps)), append(l.Y, at[steps].Accuracy)
			}
			panel.Lines = append(panel.Lines, l, claim.Line{Series: i + 1, Dash: 2, X: []float64{1, float64(h)}, Y: []float64{equal.Accuracy, equal.Accuracy}})
		}
	}
	caption := "ReLU networks of muPC over the number of steps of inference. Dotted: at equilibrium, reached in error coordinates, with the better of two rates of the weights. "
	return []claim.Figure{{Name: "mupc-inference", Caption: caption + describe(t), Panels: []claim.Panel{p, q}}}, nil
}

// layersFigure shows how many layers learn against T.
func layersFigure(t claim.Table) ([]claim.Figure, error) {
	hs, err := hiddens(t)
	if err != nil {
		return nil, err
	}
	p := claim.Panel{Title: "layers that learn", X: claim.Axis{Label: "steps of inference T", Log: true}, Y: claim.Axis{Label: "layers that moved by 1 % or more", Log: true}}
	for i, h := range hs {
		for dash, rate := range []float64{publishedRate, gridRate} {
			at, err := amount(t, h, rate)
			if err != nil {
				return nil, err
			}
			l := claim.Line{Name: fmt.Sprintf("H = %d, rate %g", h, rate), Series: i + 1, Points: true, Dash: dash}
			for _, steps := range keys(at) {
				l.X, l.Y = append(l.X, float64(steps)), append(l.Y, float64(at[steps].Reach))
			}
			p.Lines = append(p.Lines, l)
		}
	}
	return []claim.Figure{{Name: "mupc-layers", Caption: "ReLU networks of muPC: layers whose weights moved by more than 1 % in training, of H + 1. At equilibrium all do. " + describe(t), Panels: []claim.Panel{p}}}, nil
}
