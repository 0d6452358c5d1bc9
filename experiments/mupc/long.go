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
			b.Data, b.Hidden, b.Width, b.Steps, b.Iterations, b.EvalEvery, b.Test = MNIST, 8, 64, 8, 200, 100, 1000
			b.LR = .1 // at which that time is enough
		}
		bp := b
		bp.Method, bp.Steps, bp.Rate, bp.LR = BP, 0, 0, 5e-3
		return []Setup{b, bp}
	}
}

// lastAndBest are the accuracy at the end and the best of all evaluations on the test set, which is chosen by the test set itself.
func lastAndBest(rows []result) (last, best claim.Estimate) {
	var a, b []float64
	for _, r := range rows {
		top := 0.
		for _, e := range r.Result.Evals {
			top = max(top, e.Accuracy)
		}
		a, b = append(a, r.Result.Accuracy), append(b, top)
	}
	return claim.Mean(a...), claim.Mean(b...)
}

// A longRun is one of the claims on training 128 layers for long.
type longRun struct {
	id        string
	data      Data
	epochs    int
	width     int
	lr, floor float64
	said      string
	bound     claim.Bound
	verdict   claim.Verdict
	care      func(claim.Table) string
}

func longClaims() []claim.Claim {
	long := func(c longRun) claim.Claim {
		return claim.Claim{
			ID:          "mupc/" + c.id,
			Source:      paper + "; settings from the released code, accuracies second-hand: notes on the paper",
			Statement:   fmt.Sprintf("A network of 128 hidden layers, %d wide, reaches %.3g %% on %s in %d epochs.", c.width, 100*c.floor, c.data, c.epochs),
			Paper:       c.said,
			Grid:        trains(c.id, epochs(c.data, c.epochs, c.width, c.lr)),
			Bounds:      []claim.Bound{c.bound},
			QuickPasses: c.verdict == claim.Fails,
			Shuffled:    "the table is one training by PC and one by BP: to exchange two results is no test",
			Check:       func(t claim.Table) (string, error) { return reaches(t, c) },
			Verdict:     c.verdict,
			Care:        c.care,
			Plot:        func(t claim.Table) []claim.Figure { return longFigure(t, c) },
		}
	}
	before := func(text, note string) claim.Bound {
		return claim.Bound{Text: text, Origin: claim.Before, Commit: "0dd3103", Note: note}
	}
	return []claim.Claim{
		long(longRun{id: "mnist-5-epochs", data: MNIST, epochs: 5, width: 512, lr: .1, floor: .975, said: "about 98 %", bound: before("97.5 % after the last epoch",
			"half a point below the paper's; before, the best evaluation had to reach it"), verdict: claim.WithCare, care: oneSeed}),
		long(longRun{id: "fashion-15-epochs", data: Fashion, epochs: 15, width: 512, lr: .05, floor: .88, said: "about 89 % before the 15th epoch", bound: before("88 % after the last epoch",
			"a point below the paper's, which is of its best epoch"), verdict: claim.Open,
			care: claim.Constant("Not measured in full: it takes hours. What the tests measure at quick scale is another network, of 16 hidden layers, on MNIST: it shows that the code runs, " +
				"and nothing of this sentence. At a width of 128 the like of it does not hold: see mupc/fashion-15-epochs-narrow.")}),
		long(longRun{id: "mnist-5-epochs-narrow", data: MNIST, epochs: 5, width: 128, lr: .1, floor: .95, said: "none at this width", bound: before("95 % after the last epoch",
			"before, the best evaluation had to reach it"), verdict: claim.WithCare, care: oneSeed}),
		long(longRun{id: "fashion-15-epochs-narrow", data: Fashion, epochs: 15, width: 128, lr: .05, floor: .86, said: "none at this width", bound: before("86 % after the last epoch",
			"commit ca936aa moved it to 85 % of the best evaluation after that had come out at 85.5 %; it is back at what was expected"), verdict: claim.Fails,
			care: fashionNarrowCare}),
	}
}

// reaches is the check of a long training.
func reaches(t claim.Table, c longRun) (string, error) {
	var off claim.Off
	var words []string
	for _, m := range []Method{PC, BP} {
		rows := results(t, func(s Setup) bool { return s.Method == m })
		if len(rows) == 0 {
			continue
		}
		last, best := lastAndBest(rows)
		words = append(words, fmt.Sprintf("%s %s %% after the last epoch, %s %% after the best of all by the test set, %d of %d layers", m, claim.Points(last), claim.Points(best),
			rows[0].Result.Reach, rows[0].Params.Hidden+1))
		want := c.floor
		if t.Scale == claim.Quick {
			want = .8
		}
		if m == PC && last.Mean < want {
			off.Add("%s after the last epoch, %s after the best: want %s", claim.Percent(last.Mean), claim.Percent(best.Mean), claim.Percent(want))
		}
	}
	return strings.Join(words, "; "), off.Err()
}

// longFigure is the figure of a long training.
func longFigure(t claim.Table, c longRun) []claim.Figure {
	rows := results(t, anySetup)
	if len(rows) == 0 {
		return nil
	}
	p := claim.Panel{Title: string(rows[0].Params.Data), X: claim.Axis{Label: "iterations"}, Y: claim.Axis{Label: "test accuracy"}}
	for _, r := range rows {
		l := claim.Line{Name: map[Method]string{PC: "muPC", BP: "BP, depth-muP"}[r.Params.Method], Points: true}
		for _, e := range r.Result.Evals {
			l.X, l.Y = append(l.X, float64(e.Step)), append(l.Y, e.Accuracy)
		}
		p.Lines = append(p.Lines, l)
	}
	return []claim.Figure{{Name: "mupc-" + c.id, Caption: fmt.Sprintf("H = %d, ReLU. %s One seed.", rows[0].Params.Hidden, describe(t)), Panels: []claim.Panel{p}}}
}

// fashionNarrowCare is the care of mupc/fashion-15-epochs-narrow.
func fashionNarrowCare(t claim.Table) string {
	pc := results(t, func(s Setup) bool { return s.Method == PC })
	if len(pc) == 0 {
		return ""
	}
	bp := results(t, func(s Setup) bool { return s.Method == BP })
	top, at := 0., 0
	for i, e := range pc[0].Result.Evals {
		if e.Accuracy > top {
			top, at = e.Accuracy, i+1
		}
	}
	last, _ := lastAndBest(pc)
	lastBP, bestBP := lastAndBest(bp)
	return fmt.Sprintf("It does not hold as it was predicted, neither at the end nor at its best: it comes to %s after epoch %d of %d, and loses accuracy again, to %s at the end. "+
		"Backprop comes to %s at its best and %s at the end. One seed: what scatter seeds have here was not measured.", claim.Percent(top), at, len(pc[0].Result.Evals), claim.Percent(last.Mean), claim.Percent(bestBP.Mean), claim.Percent(lastBP.Mean))
}

// oneSeed is the care of an accuracy that was measured once.
func oneSeed(t claim.Table) string {
	rows := results(t, func(s Setup) bool { return s.Method == PC })
	if len(rows) == 0 {
		return "Of one seed: what scatter seeds have here was not measured."
	}
	last, best := lastAndBest(rows)
	var others []float64
	for i, e := range rows[0].Result.Evals {
		if i+1 < len(rows[0].Result.Evals) {
			others = append(others, e.Accuracy)
		}
	}
	before := "-"
	if len(others) > 0 {
		before = claim.Percent(others[len(others)-1])
	}
	return fmt.Sprintf("Of one seed, so that the scatter over seeds is not known: after the last epoch %s, after the one before it %s, after the best by the test set %s.", claim.Percent(last.Mean), before, claim.Percent(best.Mean))
}
