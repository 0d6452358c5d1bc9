// Package thesis checks what "Towards Scaling Deep Neural Networks with Predictive Coding" (arXiv 2510.23323) says beyond
// the papers that its chapters are: when predictive coding learns faster than backprop, and when not.
package thesis

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/pkg/errors"
	"gonum.org/v1/gonum/mat"

	"github.com/pcgraph/pcgraph/experiments/claim"
	"github.com/pcgraph/pcgraph/experiments/closedform"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/theory"
	"github.com/pcgraph/pcgraph/train"
)

// Claims are the claims of this package.
func Claims() []claim.Claim { return append([]claim.Claim{fasterFromSaddles}, without()...) }

// A race is a linear network that learns y = -x, x having 3 inputs N(1, .1^2), from a new batch of 64 at every step, once by
// BP and once by PC at exact equilibrium, from the same weights on the same batches.
type race struct {
	Hidden int     `json:"hidden"` // H = L - 1
	Width  int     `json:"width"`
	Init   float64 `json:"init"` // deviation of the weights; 0 means 1/sqrt(width)
	Adam   bool    `json:"adam"` // otherwise SGD
	Rate   float64 `json:"rate"`
	Skips  bool    `json:"skips"`
	Seed   int     `json:"seed"`
}

// limit is when a race is given up.
const limit = 4000

// Cost is about how many seconds it takes.
func (r race) Cost() float64 {
	if r.Adam || r.Skips || r.Init == 0 {
		return .01
	}
	return .02 * float64(r.Hidden*r.Hidden)
}

// finish is the number of batches until the loss is below .15, limit if it is not by then.
type finish struct {
	BP int `json:"bp"`
	PC int `json:"pc"`
}

var races = claim.Grid("thesis/races", 2, func(s claim.Scale) []race {
	count, sizes := 5, [][2]int{{5, 8}, {3, 4}}
	if s == claim.Quick {
		count, sizes = 3, sizes[1:]
	}
	var grid []race
	for _, size := range sizes {
		for _, r := range []race{{Init: .05, Rate: .1}, {Init: .05, Rate: .01, Adam: true}, {Init: .05, Rate: .02, Skips: true},
			{Init: .05, Rate: .01, Adam: true, Skips: true}, {Rate: .02}, {Rate: .1}} {
			for seed := range count {
				r.Hidden, r.Width, r.Seed = size[0], size[1], seed+1
				grid = append(grid, r)
			}
		}
	}
	return grid
}, func(ctx context.Context, r race, _ *claim.Cell) (finish, error) {
	bp, err := r.run(ctx, closedform.Backprop)
	if err != nil {
		return finish{}, err
	}
	pc, err := r.run(ctx, closedform.PC)
	return finish{BP: bp, PC: pc}, err
})

// run counts the batches that a method needs: limit if it diverges or takes longer.
func (r race) run(ctx context.Context, method closedform.Method) (int, error) {
	const features, samples, enough = 3, 64, .15
	random := rand.New(rand.NewPCG(uint64(r.Seed), 2510_23323))
	var n theory.Linear
	if r.Skips {
		n.Skips = theory.HiddenSkips(r.Hidden + 1)
	}
	for l := range r.Hidden + 1 {
		in, out := r.Width, r.Width
		if l == 0 {
			in = features
		}
		if l == r.Hidden {
			out = features
		}
		w, std := mat.NewDense(in, out, nil), r.Init
		if std == 0 {
			std = 1 / math.Sqrt(float64(r.Width))
		}
		for i := range w.RawMatrix().Data {
			w.RawMatrix().Data[i] = std * random.NormFloat64()
		}
		n.Weights = append(n.Weights, w)
	}
	rule, err := closedform.New(n, method)
	if err != nil {
		return 0, err
	}
	x, y := make([]float64, samples*features), make([]float64, samples*features)
	trainer := train.Trainer[float64]{Rule: rule, Optimizer: &optim.SGD[float64]{Rate: r.Rate}, MaxSteps: limit, Feed: func(int) (_, _ []float64) {
		for i := range x {
			x[i] = 1 + .1*random.NormFloat64()
			y[i] = -x[i]
		}
		return x, y
	}}
	if r.Adam {
		trainer.Optimizer = &optim.Adam[float64]{Rate: r.Rate}
	}
	for step, err := range trainer.Steps(ctx) {
		var diverged *train.DivergenceError
		switch {
		case errors.As(err, &diverged):
			return limit, nil
		case err != nil:
			return 0, err
		case step.Loss < enough:
			return step.Step - 1, nil
		}
	}
	return limit, nil
}

// A kind is a race but for its seed.
type kind struct {
	hidden, width int
	how           string
}

func (r race) kind() kind {
	how := "SGD"
	if r.Adam {
		how = "Adam"
	}
	if r.Init == 0 {
		how += fmt.Sprintf(" %g, init 1/sqrt(N)", r.Rate)
	} else {
		how += fmt.Sprintf(", init %g", r.Init)
	}
	if r.Skips {
		how += ", skips"
	}
	return kind{r.Hidden, r.Width, how}
}

// saddle is the one race that PC is to win: away from a saddle by SGD, without skips.
const saddle = "SGD, init 0.05"

// times are the batches of all seeds by kind, in the order of the grid.
func times(t claim.Table) (kinds []kind, bp, pc map[kind][]int) {
	bp, pc = map[kind][]int{}, map[kind][]int{}
	for _, r := range claim.Rows[race, finish](t) {
		k := r.Params.kind()
		if !slices.Contains(kinds, k) {
			kinds = append(kinds, k)
		}
		bp[k], pc[k] = append(bp[k], r.Result.BP), append(pc[k], r.Result.PC)
	}
	return kinds, bp, pc
}

// arrived leaves the draws in which both arrive, and counts those in which BP alone does not.
func arrived(bp, pc []int) (a, b []int, lost int) {
	for i := range bp {
		switch {
		case bp[i] < limit && pc[i] < limit:
			a, b = append(a, bp[i]), append(b, pc[i])
		case pc[i] < limit:
			lost++
		}
	}
	return a, b, lost
}

// wins counts the draws in which PC is sooner by more than a third.
func wins(bp, pc []int) int {
	n := 0
	for i := range bp {
		if 3*pc[i] < 2*bp[i] {
			n++
		}
	}
	return n
}

// median is NaN of nothing.
func median(list []int) float64 {
	if len(list) == 0 {
		return math.NaN()
	}
	s := slices.Sorted(slices.Values(list))
	return float64(s[(len(s)-1)/2]+s[len(s)/2]) / 2
}

var fasterFromSaddles = claim.Claim{
	ID:     "thesis/faster-only-from-saddles",
	Source: "Towards Scaling Deep Neural Networks with Predictive Coding (arXiv 2510.23323), discussion; the author's blog",
	Statement: "PC learns much faster than BP only in networks without skips, from small weights, by plain gradient descent: Adam, skips or a usual " +
		"initialisation each take the advantage away.",
	Paper: "no figures. An independent numpy program, H=5, N=8, median batches to a loss of .15, BP and PC: small init, SGD 2771 and 412; Adam 17 and 15; with skips 31 and 45; " +
		"init 1/sqrt(N) 5 and 6",
	Grid: races,
	Bounds: []claim.Bound{
		{Text: "away from the saddle by SGD, without skips, PC's median is at most .3 of BP's", Origin: claim.Independent, Note: "a numpy program: .15"},
		{Text: "everywhere else PC's median is at least .6 of BP's, of the draws in which both arrive", Origin: claim.Before, Commit: "92e474d", Note: "the independent program's least ratio, .88, was known"},
		{Text: "PC is sooner in every draw of the former, and nowhere else by more than a third in every draw", Origin: claim.After, Note: "added so that draws are compared one by one"},
	},
	Check:   fasterFromSaddlesOnly,
	Verdict: claim.WithCare,
	Care:    racesCare,
	Plot:    racesFigure,
}

// fasterFromSaddlesOnly is the check of thesis/faster-only-from-saddles.
func fasterFromSaddlesOnly(t claim.Table) (string, error) {
	kinds, bp, pc := times(t)
	var off claim.Off
	var ours []string
	for _, k := range kinds {
		a, b, lost := bp[k], pc[k], 0
		if k.how != saddle {
			a, b, lost = arrived(a, b)
		}
		said := fmt.Sprintf("H=%d, %s: BP %g, PC %g", k.hidden, k.how, median(a), median(b))
		if lost > 0 {
			said += fmt.Sprintf(" (BP does not arrive in %d more)", lost)
		}
		ours = append(ours, said)
		if len(a) == 0 {
			off.Add("%s: in no draw both arrive", said)
			continue
		}
		switch won := wins(a, b); {
		case k.how == saddle && won < len(a):
			off.Add("%s: PC is sooner by more than a third in %d of %d draws only", said, won, len(a))
		case k.how != saddle && won == len(a):
			off.Add("%s: PC is sooner by more than a third in all draws", said)
		}
		switch ratio := median(b) / median(a); {
		case k.how == saddle && ratio > .3:
			off.Add("%s: a ratio of %.2f, want .3 at most", said, ratio)
		case k.how != saddle && ratio < .6:
			off.Add("%s: a ratio of %.2f, want .6 at least", said, ratio)
		}
	}
	return "median batches: " + strings.Join(ours, "; "), off.Err()
}

// racesCare is the care of thesis/faster-only-from-saddles.
func racesCare(t claim.Table) string {
	kinds, bp, pc := times(t)
	low, high, lost, draws := math.Inf(1), 0., 0, 0
	for _, k := range kinds {
		if !strings.Contains(k.how, "init 1/sqrt(N)") {
			continue
		}
		a, b, n := arrived(bp[k], pc[k])
		lost, draws = lost+n, draws+len(bp[k])
		if len(a) > 0 {
			low, high = min(low, median(b)/median(a)), max(high, median(b)/median(a))
		}
	}
	return fmt.Sprintf("At a usual initialisation PC is not equally fast but takes %.2g to %.2g times as many batches, since it divides the error by S. That also steadies it: "+
		"in %d of %d draws BP does not arrive and PC does, at the larger rate, which is an advantage of another kind.", low, high, lost, draws)
}

// racesFigure is the figure of thesis/faster-only-from-saddles.
func racesFigure(t claim.Table) []claim.Figure {
	kinds, bp, pc := times(t)
	var f claim.Figure
	for _, size := range [][2]int{{5, 8}, {3, 4}} {
		panel := claim.Panel{Title: fmt.Sprintf("%d hidden layers of %d", size[0], size[1]),
			X: claim.Axis{Label: "batches until the loss is .15, BP", Log: true}, Y: claim.Axis{Label: "the same, PC", Log: true}}
		for _, k := range kinds {
			if k.hidden != size[0] {
				continue
			}
			l := claim.Line{Name: k.how, NoLine: true}
			for i := range bp[k] {
				l.X, l.Y = append(l.X, float64(bp[k][i])), append(l.Y, float64(pc[k][i]))
			}
			panel.Lines = append(panel.Lines, l)
		}
		if len(panel.Lines) > 0 {
			panel.Lines = append(panel.Lines, claim.Line{Name: "equally fast", Reference: true, X: []float64{3, limit}, Y: []float64{3, limit}})
			f.Panels = append(f.Panels, panel)
		}
	}
	f.Name = "thesis-races"
	f.Caption = fmt.Sprintf("Linear networks learning y = -x, a point per seed; a race is given up after %d batches. Below the dotted line PC is faster.", limit)
	return []claim.Figure{f}
}
