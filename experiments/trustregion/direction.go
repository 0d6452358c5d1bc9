package trustregion

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/pkg/errors"
	"gonum.org/v1/gonum/mat"

	"github.com/pcgraph/pcgraph/experiments/claim"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/theory"
	"github.com/pcgraph/pcgraph/train"
)

// A Method moves the weights (w1, w2) of the chain f(x) = w2 w1 x.
type Method string

// The methods. Each is a direction that the rate multiplies.
const (
	SGD               Method = "sgd"       // -dL/dw
	PC                Method = "pc"        // -dF*/dw, at exact equilibrium
	TrustRegionNewton Method = "tr_newton" // -(H_L + 2 I)^-1 dL/dw
)

var methods = []Method{SGD, PC, TrustRegionNewton}

// A seen is the chain on a batch: means over the samples.
type seen struct {
	loss, energy, equilibrated float64 // L; what is descended on; F*
	gradient                   [2]float64
}

// look evaluates a method's direction at weights on a batch.
func look(m Method, w [2]float64, x, y []float64) (seen, error) {
	var s seen
	var dl, df [2]float64
	hessian := mat.NewSymDense(2, []float64{2, 0, 0, 2})
	n := float64(len(x))
	for i := range x {
		o := theory.OneHidden{W1: w[0], W2: w[1], X: x[i], Y: y[i]}
		s.loss += o.Loss() / n
		s.equilibrated += o.Energy() / n
		gl, gf := o.LossGradient(), o.EnergyGradient()
		for k := range 2 {
			dl[k] += gl[k] / n
			df[k] += gf[k] / n
		}
		h := o.LossHessian()
		h.ScaleSym(1/n, h)
		hessian.AddSym(hessian, h)
	}
	s.gradient, s.energy = dl, s.loss
	switch m {
	case SGD:
	case PC:
		s.gradient, s.energy = df, s.equilibrated
	case TrustRegionNewton:
		var step mat.VecDense
		if err := step.SolveVec(hessian, mat.NewVecDense(2, dl[:])); err != nil {
			return seen{}, errors.Wrapf(err, "trust region of the loss at w = %.3g", w)
		}
		s.gradient = [2]float64{step.AtVec(0), step.AtVec(1)}
	default:
		return seen{}, errors.Errorf("unknown method %q: want one of %v", m, methods)
	}
	return s, nil
}

// Direction is a method's direction at weights on a batch.
func Direction(m Method, w [2]float64, x, y []float64) ([2]float64, error) {
	s, err := look(m, w, x, y)
	return [2]float64{-s.gradient[0], -s.gradient[1]}, err
}

// ToMinimum is the way from w to the nearest point of the minima of y = -x, the hyperbola w1 w2 = -1.
func ToMinimum(w [2]float64) [2]float64 {
	// a point (a, -1/a) is nearest where a^4 - w1 a^3 - w2 a - 1 = 0: the roots are eigenvalues of the companion matrix
	companion := mat.NewDense(4, 4, []float64{
		w[0], 0, w[1], 1,
		1, 0, 0, 0,
		0, 1, 0, 0,
		0, 0, 1, 0,
	})
	var eigen mat.Eigen
	best, nearest := [2]float64{math.NaN(), math.NaN()}, math.Inf(1)
	if !eigen.Factorize(companion, mat.EigenNone) {
		return best
	}
	for _, root := range eigen.Values(nil) {
		if math.Abs(imag(root)) > 1e-6 || real(root) == 0 {
			continue
		}
		a := real(root)
		for range 3 { // Newton, to rounding
			a -= (a*a*a*a - w[0]*a*a*a - w[1]*a - 1) / (4*a*a*a - 3*w[0]*a*a - w[1])
		}
		d := [2]float64{a - w[0], -1/a - w[1]}
		if r := math.Hypot(d[0], d[1]); r < nearest {
			best, nearest = d, r
		}
	}
	return best
}

// Cosine of the angle between two directions.
func Cosine(a, b [2]float64) float64 {
	return (a[0]*b[0] + a[1]*b[1]) / (math.Hypot(a[0], a[1]) * math.Hypot(b[0], b[1]))
}

// A chain is the rule of a method: it makes two weights something that train.Trainer can train.
type chain struct {
	method  Method
	weights *graph.Vector[float64]
	last    seen
}

var _ train.Rule[float64] = (*chain)(nil)

func newChain(m Method, w [2]float64) *chain {
	c := &chain{method: m, weights: graph.NewVector[float64](graph.Field{Name: "w", Shape: []int{2}})}
	copy(c.weights.Data(), w[:])
	return c
}

func (c *chain) at() [2]float64 { return [2]float64(c.weights.Data()) }

// Gradient is minus the method's direction.
func (c *chain) Gradient(grad, x, y []float64, _ int) (train.Report, error) {
	s, err := look(c.method, c.at(), x, y)
	if err != nil {
		return train.Report{}, err
	}
	c.last = s
	copy(grad, s.gradient[:])
	return train.Report{Loss: s.loss, Energy: s.energy}, nil
}

// Subject is the chain.
func (c *chain) Subject() train.Subject[float64] {
	return train.Subject[float64]{Weights: c.weights, In: 1, Out: 1, TermEnergies: func([]float64) {}, Locate: func() string { return "the closed form" },
		Predict: func(x []float64) ([]float64, error) {
			y, w := make([]float64, len(x)), c.at()
			for i := range x {
				y[i] = w[0] * w[1] * x[i]
			}
			return y, nil
		}}
}

// A Path is what a method does.
type Path struct {
	Weights  [][2]float64 // before the first batch and after each
	Optimal  [][2]float64 // to the nearest minimum, before each batch
	Cosines  []float64    // of the method's direction to it
	Losses   []float64    // before each batch
	Energies []float64    // F* likewise
}

// Follow descends with a method from w on the batches that feed gives, counted from 1.
func Follow(ctx context.Context, m Method, w [2]float64, rate float64, batches int, feed func(step int) (x, y []float64)) (*Path, error) {
	rule := newChain(m, w)
	p := &Path{Weights: [][2]float64{w}}
	trainer := train.Trainer[float64]{Rule: rule, Optimizer: &optim.SGD[float64]{Rate: rate}, MaxSteps: batches, Feed: feed}
	for _, err := range trainer.Steps(ctx) {
		if err != nil {
			return nil, err
		}
		before := p.Weights[len(p.Weights)-1]
		optimal, g := ToMinimum(before), rule.last.gradient
		p.Weights, p.Optimal = append(p.Weights, rule.at()), append(p.Optimal, optimal)
		p.Cosines = append(p.Cosines, Cosine([2]float64{-g[0], -g[1]}, optimal))
		p.Losses, p.Energies = append(p.Losses, rule.last.loss), append(p.Energies, rule.last.equilibrated)
	}
	return p, nil
}

// The toy of the paper's later notebook: x ~ N(1, .1^2), y = -x, batches of 64, weights from N(0, .05^2), rate .4.
const (
	toySamples = 64
	toyInit    = .05
	toyRate    = .4
)

// A toy is a draw of it.
type toy struct {
	Method  Method `json:"method"`
	Batches int    `json:"batches"`
	Seed    uint64 `json:"seed"`
}

// start draws the weights and gives the batches; it is the same for all methods.
func (c toy) start() (w [2]float64, feed func(int) (x, y []float64)) {
	r := generator(c.Seed)
	w = [2]float64{toyInit * r.NormFloat64(), toyInit * r.NormFloat64()}
	x, y := make([]float64, toySamples), make([]float64, toySamples)
	return w, func(int) ([]float64, []float64) {
		for i := range x {
			x[i] = 1 + .1*r.NormFloat64()
			y[i] = -x[i]
		}
		return x, y
	}
}

// A travel is what is kept of a toy's path.
type travel struct {
	Cosines []float64  `json:"cosines"` // of the first ten batches: near the minimum there is no direction
	Losses  []float64  `json:"losses"`  // before each batch
	End     [2]float64 `json:"end"`     // weights
}

func (c toy) run(ctx context.Context) (travel, error) {
	w, feed := c.start()
	p, err := Follow(ctx, c.Method, w, toyRate, c.Batches, feed)
	if err != nil {
		return travel{}, err
	}
	return travel{p.Cosines[:10], p.Losses, p.Weights[c.Batches]}, nil
}

// toys is the grid of seeds and methods that direction, toyIsFaster and flatness share.
var toys = claim.Grid("trustregion/toy", 1, func(s claim.Scale) []toy {
	count, batches := 40, 60
	if s == claim.Quick {
		count = 10
	}
	var grid []toy
	for _, seed := range claim.Seeds(count) {
		for _, m := range methods {
			grid = append(grid, toy{m, batches, seed})
		}
	}
	return grid
}, func(ctx context.Context, c toy, _ *claim.Cell) (travel, error) { return c.run(ctx) })

// cosinesAt are a method's cosines at a batch, from 0, by seed.
func cosinesAt(t claim.Table, m Method, batch int) map[uint64]float64 {
	list := map[uint64]float64{}
	for _, r := range claim.Rows[toy, travel](t) {
		if r.Params.Method == m && batch < len(r.Result.Cosines) {
			list[r.Params.Seed] = r.Result.Cosines[batch]
		}
	}
	return list
}

// mean is the mean of a map's values.
func mean(of map[uint64]float64) claim.Estimate {
	var list []float64
	for _, k := range claim.Keys(of) {
		list = append(list, of[k])
	}
	return claim.Mean(list...)
}

var direction = claim.Claim{
	ID:     "trustregion/direction",
	Source: paper + ", figure 2 (second-hand); the optimal direction, to the nearest minimum, is our reading",
	Statement: "In the first batch PC's weight update points nearer to the closest minimum than SGD's, and the trust-region step on the weights, " +
		"-(H + 2 I)^-1 dL/dw, nearer still.",
	Paper: "cosines over the first five batches: trust region > PC > SGD. An independent program, mean of 10 seeds, batch 1: .824, .757, .611",
	Grid:  toys,
	Bounds: []claim.Bound{
		{Text: "in batch 1 the mean cosines are in the order trust region > PC > SGD, with gaps above .03", Origin: claim.Independent, Note: "a numpy program: .824, .757, .611"},
	},
	Check:   directionsAreOrdered,
	Verdict: claim.WithCare,
	Care:    directionCare,
	Plot:    directionFigure,
}

// directionsAreOrdered is the check of trustregion/direction.
func directionsAreOrdered(t claim.Table) (string, error) {
	var off claim.Off
	sgd, pc, tr := mean(cosinesAt(t, SGD, 0)), mean(cosinesAt(t, PC, 0)), mean(cosinesAt(t, TrustRegionNewton, 0))
	if !(tr.Mean > pc.Mean+.03) {
		off.Add("trust region %.3f, PC %.3f", tr.Mean, pc.Mean)
	}
	if !(pc.Mean > sgd.Mean+.03) {
		off.Add("PC %.3f, SGD %.3f", pc.Mean, sgd.Mean)
	}
	return fmt.Sprintf("batch 1: trust region %.3f, PC %.3f, SGD %.3f, mean of %d seeds", tr.Mean, pc.Mean, sgd.Mean, tr.N), off.Err()
}

// directionCare is the care of trustregion/direction.
func directionCare(t claim.Table) string {
	var later []string
	for batch := range 6 {
		var each []string
		for _, m := range methods {
			each = append(each, fmt.Sprintf("%.3f", mean(cosinesAt(t, m, batch)).Mean))
		}
		later = append(later, fmt.Sprintf("batch %d: %s", batch+1, strings.Join(each, ", ")))
	}
	ordered, n := 0, 0
	sgd, pc, tr := cosinesAt(t, SGD, 0), cosinesAt(t, PC, 0), cosinesAt(t, TrustRegionNewton, 0)
	for seed := range sgd {
		if n++; sgd[seed] < pc[seed] && pc[seed] < tr[seed] {
			ordered++
		}
	}
	apart := claim.Paired(pc, sgd)
	return fmt.Sprintf("In the mean over seeds, where PC and SGD are apart by %s, and in batch 1 (%d of %d single draws have the order). Each method goes its own way, and on the way the order is lost: SGD, PC and trust region %s.",
		apart, ordered, n, strings.Join(later, "; "))
}

// directionFigure is the figure of trustregion/direction.
func directionFigure(t claim.Table) []claim.Figure {
	p := claim.Panel{Title: "Cosine to the nearest minimum", X: claim.Axis{Label: "batch"}, Y: claim.Axis{Label: "cosine of the update to the way to the nearest minimum"}}
	for i, m := range methods {
		l := claim.Line{Name: map[Method]string{SGD: "SGD", PC: "PC, exact equilibrium", TrustRegionNewton: "trust region on the weights"}[m], Series: i + 1, Points: true}
		for batch := range 10 {
			if e := mean(cosinesAt(t, m, batch)); e.N > 0 {
				l.Append(float64(batch+1), e)
			}
		}
		if len(l.X) > 0 {
			p.Lines = append(p.Lines, l)
		}
	}
	if len(p.Lines) == 0 {
		return nil
	}
	return []claim.Figure{{Name: "trustregion-direction", Panels: []claim.Panel{p},
		Caption: fmt.Sprintf("The chain f(x) = w2 w1 x learning y = -x, x ~ N(1, .1²), batches of 64, weights from N(0, .05²), rate .4; each method on its own way. Mean over %d seeds, band: standard error. The paper's figure 2 has the first five batches.",
			len(cosinesAt(t, SGD, 0)))}}
}
