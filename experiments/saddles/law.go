package saddles

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/pkg/errors"
	"gonum.org/v1/gonum/mat"

	"github.com/pcgraph/pcgraph/experiments/claim"
	"github.com/pcgraph/pcgraph/experiments/closedform"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/theory"
	"github.com/pcgraph/pcgraph/train"
)

// A fall is a chain of single linear units that learns y = -1 of x = 1 from weights of one size near the saddle at the origin, by gradient
// descent at rate .1 on the loss (BP) and on the equilibrated energy (PC).
type fall struct {
	Depth int     `json:"depth"` // L
	Size  float64 `json:"size"`  // weights are Size (1 + .1 n), with the product of the target's sign
	Seed  uint64  `json:"seed"`
}

// Cost is about how many seconds it takes.
func (f fall) Cost() float64 { return 1e-5 * math.Pow(f.Size, 2-float64(f.Depth)) }

// lost is when a fall is given up.
const lost = 400_000

// A duration is the number of updates until the loss is below .05; lost if it is not by then.
type duration struct {
	BP int `json:"bp"`
	PC int `json:"pc"`
}

var falls = claim.Grid("saddles/falls", 1, func(s claim.Scale) []fall {
	depths, seeds := []int{2, 3, 4, 5, 6}, 3
	if s == claim.Quick {
		depths, seeds = depths[:3], 1
	}
	var grid []fall
	for _, l := range depths {
		for _, size := range []float64{.3, .1, .03} {
			for _, seed := range claim.Seeds(seeds) {
				grid = append(grid, fall{l, size, seed})
			}
		}
	}
	return grid
}, func(ctx context.Context, f fall, _ *claim.Cell) (d duration, err error) {
	r := generator(f.Seed)
	var n theory.Linear
	for l := range f.Depth {
		w := f.Size * (1 + .1*r.NormFloat64())
		if l == 0 {
			w = -w
		}
		n.Weights = append(n.Weights, mat.NewDense(1, 1, []float64{w}))
	}
	one := func(int) (x, y []float64) { return []float64{1}, []float64{-1} }
	if d.BP, err = until(ctx, n, closedform.Backprop, &optim.SGD[float64]{Rate: .1}, one, .05, lost); err != nil {
		return d, err
	}
	limit := lost
	if f.Depth == 6 && f.Size < .1 {
		limit = 20_000
	}
	d.PC, err = until(ctx, n, closedform.PC, &optim.SGD[float64]{Rate: .1}, one, .05, limit)
	return d, err
})

// until counts the updates until the loss is below enough: limit if it takes longer or diverges.
func until(ctx context.Context, n theory.Linear, method closedform.Method, opt optim.Optimizer[float64], feed func(int) (x, y []float64), enough float64, limit int) (int, error) {
	rule, err := closedform.New(n, method)
	if err != nil {
		return 0, err
	}
	trainer := train.Trainer[float64]{Rule: rule, Optimizer: opt, MaxSteps: limit, Feed: feed}
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

func lawClaims() []claim.Claim {
	return []claim.Claim{backpropLaw, pcLaw, farFromSaddle}
}

// A depthSize is a fall but for its seed.
type depthSize struct {
	depth int
	size  float64
}

// independent are the updates that an independent program needed, BP and PC; lost for more than 400 000.
var independent = map[depthSize][2]float64{
	{2, .3}: {16, 18}, {2, .1}: {28, 26}, {2, .03}: {40, 35},
	{3, .3}: {28, 30}, {3, .1}: {95, 58}, {3, .03}: {324, 91},
	{4, .3}: {55, 53}, {4, .1}: {485, 146}, {4, .03}: {5362, 306},
	{5, .3}: {125, 97}, {5, .1}: {3302, 435}, {5, .03}: {122_086, 1444},
	{6, .3}: {303, 199}, {6, .1}: {24_121, 1547}, {6, .03}: {lost, 7702},
}

// times are the logarithms of the updates, by kind, of BP (0) and PC (1).
func times(t claim.Table) [2]map[depthSize]claim.Estimate {
	rows := claim.Rows[fall, duration](t)
	key := func(f fall) depthSize { return depthSize{f.Depth, f.Size} }
	return [2]map[depthSize]claim.Estimate{
		claim.By(rows, key, func(d duration) float64 { return math.Log(float64(d.BP)) }),
		claim.By(rows, key, func(d duration) float64 { return math.Log(float64(d.PC)) }),
	}
}

// exponents are slopes from size .1 to .03, of the logarithm of the updates against that of grow(size), by depth.
func exponents(m map[depthSize]claim.Estimate, grow func(size float64) float64) map[int]float64 {
	list := map[int]float64{}
	for at, e := range m {
		small, there := m[depthSize{at.depth, .03}]
		if at.size == .1 && there && !gaveUp(small) {
			list[at.depth] = (small.Mean - e.Mean) / math.Log(grow(.03)/grow(.1))
		}
	}
	return list
}

// gaveUp reports whether a mean of logarithms is that of falls that were given up.
func gaveUp(e claim.Estimate) bool { return e.Mean > math.Log(lost)-1e-6 }

func inverse(size float64) float64    { return 1 / size }
func logarithm(size float64) float64  { return math.Log(1 / size) }
func fitted(m map[int]float64) string { return inOrder(fittedTexts(m)) }

func fittedTexts(m map[int]float64) map[int]string {
	texts := map[int]string{}
	for l, e := range m {
		texts[l] = fmt.Sprintf("L=%d: %.2f", l, e)
	}
	return texts
}

// nearTable adds what is further than a factor from the independent program's updates.
func nearTable(off *claim.Off, m map[depthSize]claim.Estimate, method int, factor float64) {
	for at, e := range m {
		want, known := independent[at]
		if !known || want[method] == lost {
			continue
		}
		if d := math.Abs(e.Mean - math.Log(want[method])); d > math.Log(factor) {
			off.Add("L=%d, size %g: %.0f updates, an independent program %.0f", at.depth, at.size, math.Exp(e.Mean), want[method])
		}
	}
}

const lawSource = "derived for this project, after " + paper + ", figures 2, 5 and 7"

var backpropLaw = claim.Claim{
	ID:        "saddles/escape-backprop",
	Source:    lawSource,
	Statement: "From weights of size e backprop needs in proportion to e^-(L-2) updates to leave the saddle of a chain of L weights.",
	Paper:     "none (the paper shows curves). An independent numpy program, from e = .1 to .03: exponents 1.02, 2.00, 3.00 for L = 3, 4, 5; 122 086 updates for L = 5, e = .03",
	Grid:      falls,
	Bounds: []claim.Bound{
		{Text: "the exponent from e = .1 to .03 is within .1 of L - 2 for L = 3 to 5, and below .4 for L = 2", Origin: claim.Derived, Note: "the loss' first derivative that is not 0 has order L: dw/dt = w^(L-1)"},
		{Text: "updates are within a factor of 1.5 of the independent program's", Origin: claim.Independent, Note: "theory.md 3.7: weights are e (1 + .1 n), whose product scatters"},
	},
	Check: backpropFalls,
	Plot:  lawFigure,
}

// backpropFalls is the check of saddles/escape-backprop.
func backpropFalls(t claim.Table) (string, error) {
	var off claim.Off
	m := times(t)[0]
	exps := exponents(m, inverse)
	for l, e := range exps {
		if l == 2 && e > .4 || l > 2 && l < 6 && math.Abs(e-float64(l-2)) > .1 {
			off.Add("L=%d: exponent %.2f", l, e)
		}
	}
	if len(exps) < 3 {
		off.Add("exponents of %d depths only", len(exps))
	}
	nearTable(&off, m, 0, 1.5)
	return "exponents " + fitted(exps), off.Err()
}

var pcLaw = claim.Claim{
	ID:     "saddles/escape-pc",
	Source: lawSource,
	Statement: "Predictive coding at its equilibrium needs a power of the logarithm only, about ln(1/e)^(L-2): the last weight grows exponentially from the start, and " +
		"each one before it once the next has grown.",
	Paper: "none. An independent numpy program: exponents 1.07, 1.76, 2.85, 3.82 of ln(1/e) for L = 3 to 6; 1444 updates for L = 5, e = .03",
	Grid:  falls,
	Bounds: []claim.Bound{
		{Text: "the exponent of ln(1/e) from e = .1 to .03 is within .35 of L - 2 for L = 3 to 6", Origin: claim.Independent, Note: "fitted by it: L - 2 + .07, -.24, -.15, -.18"},
		{Text: "from e = .1 to .03 updates grow by less than a factor of 6 at every depth", Origin: claim.Independent, Note: "5.0 for L = 6"},
		{Text: "updates are within a factor of 1.3 of its", Origin: claim.Independent, Note: "theory.md 3.7"},
	},
	Check: pcFalls,
}

// pcFalls is the check of saddles/escape-pc.
func pcFalls(t claim.Table) (string, error) {
	var off claim.Off
	m := times(t)[1]
	exps := exponents(m, logarithm)
	for l, e := range exps {
		if l > 2 && math.Abs(e-float64(l-2)) > .35 {
			off.Add("L=%d: exponent %.2f of the logarithm", l, e)
		}
		if grown := m[depthSize{l, .03}].Mean - m[depthSize{l, .1}].Mean; grown > math.Log(6) {
			off.Add("L=%d: %.2g times as many updates", l, math.Exp(grown))
		}
	}
	if len(exps) < 3 {
		off.Add("exponents of %d depths only", len(exps))
	}
	nearTable(&off, m, 1, 1.3)
	return "exponents of ln(1/e) " + fitted(exps), off.Err()
}

// lawFigure is the figure of both laws.
func lawFigure(t claim.Table) []claim.Figure {
	f := claim.Figure{Name: "saddles-escape", Caption: "Updates until the loss of a chain of L single linear units is below .05, from weights of one size: gradient descent at rate .1, x = 1, y = -1. Grey: an independent program. Runs that take more than 400 000 are left out."}
	for k, name := range []string{"BP: descent on the loss", "PC: descent on the energy at equilibrium"} {
		p := claim.Panel{Title: name, X: claim.Axis{Label: "size of the weights at the start", Log: true}, Y: claim.Axis{Label: "updates", Log: true, Min: 10, Max: lost}}
		m := times(t)[k]
		for l := 2; l <= 6; l++ {
			line, known := claim.Line{Name: fmt.Sprintf("L=%d", l), Points: true, Series: l - 1}, claim.Line{Reference: true}
			for _, size := range []float64{.03, .1, .3} {
				if e, there := m[depthSize{l, size}]; there && !gaveUp(e) {
					line.X, line.Y = append(line.X, size), append(line.Y, math.Exp(e.Mean))
				}
				if v := independent[depthSize{l, size}][k]; v < lost {
					known.X, known.Y = append(known.X, size), append(known.Y, v)
				}
			}
			if len(line.X) > 0 {
				p.Lines = append(p.Lines, line, known)
			}
		}
		if len(p.Lines) > 0 {
			f.Panels = append(f.Panels, p)
		}
	}
	return []claim.Figure{f}
}

var farFromSaddle = claim.Claim{
	ID:        "saddles/not-faster-far-away",
	Source:    lawSource + "; the thesis (arXiv 2510.23323) that holds these chapters says so of usual initialisations",
	Statement: "Far from the saddle, or with one hidden layer, predictive coding is not faster: its advantage grows as the start nears the saddle, and with depth.",
	Paper:     "none. An independent numpy program, BP over PC: .89, .93, 1.04, 1.29 for L = 2 to 5 at e = .3, 1.1, 3.6, 17.5, 84.5 at e = .03",
	Grid:      falls,
	Bounds: []claim.Bound{
		{Text: "from e = .3 BP needs at most 1.1 times PC's updates for L = 2 to 4", Origin: claim.Independent, Note: ".89, .93, 1.04"},
		{Text: "for L = 2 it needs at most 1.35 times as many from everywhere", Origin: claim.Independent, Note: "at most 1.14; draws scatter"},
		{Text: "the ratio grows from each size to the next smaller, and from e = .1 on with each layer", Origin: claim.Derived, Note: "e^-(L-2) over ln(1/e)^(L-2)"},
	},
	Check: farIsNotFaster,
}

// farIsNotFaster is the check of saddles/not-faster-far-away.
func farIsNotFaster(t claim.Table) (string, error) {
	var off claim.Off
	m := times(t)
	ratio := func(at depthSize) float64 { return math.Exp(m[0][at].Mean - m[1][at].Mean) }
	var ours []string
	for l := 2; l <= 6; l++ {
		var words []string
		for i, size := range []float64{.3, .1, .03} {
			at := depthSize{l, size}
			if _, there := m[0][at]; !there {
				continue
			}
			v := ratio(at)
			words = append(words, fmt.Sprintf("%.3g", v))
			if limit := map[bool]float64{true: 1.35, false: 1.1}[l == 2]; (l == 2 || i == 0 && l <= 4) && v > limit {
				off.Add("L=%d, e=%g: BP needs %.2f times PC's updates", l, size, v)
			}
			if gaveUp(m[0][at]) { // given up: the ratio is larger
				words[len(words)-1] = "more than " + words[len(words)-1]
				continue
			}
			if before := (depthSize{l, []float64{.3, .3, .1}[i]}); i > 0 && !(v > ratio(before)) {
				off.Add("L=%d: the ratio falls from e=%g to %g", l, before.size, size)
			}
			if i > 0 && l > 2 && !(v > ratio(depthSize{l - 1, size})) {
				off.Add("e=%g: the ratio falls from L=%d to %d", size, l-1, l)
			}
		}
		if len(words) > 0 {
			ours = append(ours, fmt.Sprintf("L=%d: %s", l, strings.Join(words, ", ")))
		}
	}
	return "updates of BP over those of PC at e = .3, .1, .03: " + strings.Join(ours, "; "), off.Err()
}
