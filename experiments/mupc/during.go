package mupc

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/pkg/errors"
	"gonum.org/v1/gonum/mat"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/experiments/claim"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/theory"
	"github.com/pcgraph/pcgraph/train"
)

// A watched is a training during which the activity Hessian of one sample is looked at, at every evaluation.
type watched struct{ Setup }

// Cost is that of training, and of the spectra.
func (w watched) Cost() float64 {
	return w.Setup.Cost() + 4*20*math.Pow(float64(w.Hidden*w.Width), 3)
}

// A curve is how conditioning went.
type curve struct {
	Start     claim.Nullable   `json:"start"` // condition number before training
	End       claim.Nullable   `json:"end"`   // and after it
	Accuracy  float64          `json:"accuracy"`
	At        []int            `json:"at"` // iterations
	Condition []claim.Nullable `json:"condition"`
}

var conditionTrained = claim.Grid("mupc/conditioning-training", 1, func(s claim.Scale) []watched {
	base := Setup{Data: MNIST, Method: PC, Scaling: MuPC, Hidden: 8, Width: 128, Steps: 8, Rate: publishedRate, LR: muPCLR, Batch: 64, Iterations: 900, EvalEvery: 300, Test: 10000}
	acts, count := []Act{Linear, Tanh, ReLU}, 3
	if s == claim.Quick {
		base.Hidden, base.Width, base.Steps, base.Iterations, base.EvalEvery, base.Test = 4, 32, 4, 150, 50, 500
		count = 1
	}
	var grid []watched
	for _, seed := range claim.Seeds(count) {
		for _, act := range acts {
			b := base
			b.Act, b.Seed = act, seed
			e := b
			e.Method, e.Rate, e.Steps, e.LR = ErrorPC, errorRate, errorSteps, equilibriumLR
			grid = append(grid, watched{b}, watched{e})
		}
	}
	return grid
}, func(ctx context.Context, s watched, at *claim.Cell) (curve, error) {
	t, err := s.trainer()
	if err != nil {
		return curve{}, err
	}
	net, err := s.network(t.Train.In(), t.Train.Out())
	if err != nil {
		return curve{}, err
	}
	w := t.Rule.Subject().Weights
	var c curve
	look := func(step int) error {
		k, err := sampleCondition(net, w, t.Test)
		c.At, c.Condition = append(c.At, step), append(c.Condition, claim.Nullable(k))
		return err
	}
	err = look(0)
	t.OnEval = func(e train.Eval) {
		if err == nil {
			err = look(e.Step)
		}
	}
	for step, failed := range t.Steps(ctx) {
		if err != nil {
			return curve{}, err
		}
		if failed != nil {
			return curve{}, failed
		}
		at.Progress(step.Step, s.Iterations)
	}
	if err != nil {
		return curve{}, err
	}
	c.Start, c.End = c.Condition[0], c.Condition[len(c.Condition)-1]
	c.Accuracy = s.result(t, w.Data(), &sums{}).Accuracy
	return c, nil
})

// sampleCondition is the ratio of the extreme absolute eigenvalues of the activity Hessian of the first test sample at its
// feedforward pass, in float64.
func sampleCondition(net *arch.Network, w *graph.Vector[float32], test *data.Set) (float64, error) {
	h, err := sampleHessian(net, w, test)
	if err != nil {
		return 0, err
	}
	if i := slices.IndexFunc(h.RawSymmetric().Data, func(v float64) bool { return !finite(v) }); i >= 0 {
		return math.NaN(), nil
	}
	values, err := theory.Eigenvalues(h)
	if err != nil {
		return 0, err
	}
	low, high := math.Inf(1), 0.
	for _, v := range values {
		low, high = min(low, math.Abs(v)), max(high, math.Abs(v))
	}
	return high / low, nil
}

// columns is how many columns of a Hessian are taken from one evaluation.
const columns = 128

// sampleHessian is the activity Hessian of the first test sample at its feedforward pass, by central differences of the
// gradient. All rows of a batch are that sample, each with one unit moved, so that an evaluation gives many columns.
func sampleHessian(net *arch.Network, w *graph.Vector[float32], test *data.Set) (*mat.SymDense, error) {
	exact := graph.NewVector[float64](w.Fields()...)
	for i, v := range w.Data() {
		exact.Data()[i] = float64(v)
	}
	m, err := arch.Compile(net, exact, arch.Plan{Batch: columns})
	if err != nil {
		return nil, err
	}
	x, y := make([]float64, columns*test.In()), make([]float64, columns*test.Out())
	data.Fill(test, x, y, make([]int, columns))
	if err := m.Clamp(x, y); err != nil {
		return nil, err
	}
	if err := m.Forward(); err != nil {
		return nil, err
	}
	state := m.StateVector()
	z := append([]float64(nil), state.Data()...)
	up, down := make([]float64, len(z)), make([]float64, len(z))
	// unit i of sample row is element at(i, row) of the slab: fields are [batch, width]
	var fields [][2]int // offset, width
	dim := 0
	for i := range state.Fields() {
		lo, hi := state.Span(i)
		fields = append(fields, [2]int{lo, (hi - lo) / columns})
		dim += (hi - lo) / columns
	}
	at := func(i, row int) int {
		for _, f := range fields {
			if i < f[1] {
				return f[0] + row*f[1] + i
			}
			i -= f[1]
		}
		panic("mupc: no such unit")
	}
	h := mat.NewDense(dim, dim, nil)
	const step = 1e-4
	for from := 0; from < dim; from += columns {
		count := min(columns, dim-from)
		move := func(by float64, g []float64) error {
			p := append([]float64(nil), z...)
			for row := range count {
				p[at(from+row, row)] += by
			}
			f, err := m.StateGrad(g, p)
			if err == nil && !finite(f) {
				return errors.Errorf("energy of the test sample is %v", f)
			}
			return err
		}
		if err := move(step, up); err != nil {
			return nil, err
		}
		if err := move(-step, down); err != nil {
			return nil, err
		}
		for row := range count {
			for i := range dim {
				k := at(i, row)
				h.Set(i, from+row, (up[k]-down[k])/(2*step))
			}
		}
	}
	s := mat.NewSymDense(dim, nil)
	for i := range dim {
		for j := i; j < dim; j++ {
			s.SetSym(i, j, (h.At(i, j)+h.At(j, i))/2)
		}
	}
	return s, nil
}

func duringClaims() []claim.Claim {
	return []claim.Claim{{
		ID:        "mupc/conditioning-training",
		Source:    paper + ", figure 3; from the released code and notes on the paper",
		Statement: "The activity Hessian becomes worse conditioned during training.",
		Paper:     "condition number over an epoch, N = 128, H = 8",
		Grid:      conditionTrained,
		Bounds: []claim.Bound{
			{Text: "at the paper's size the logarithm of end over start is above 0 by more than its scatter over seeds (95 %, paired), for each activation, at the published rates and at equilibrium; and by a fifth in the mean", Origin: claim.After, Commit: "c0d9cf6",
				Note: "the fifth was set in the commit that recorded the measurement, the scatter added later"},
		},
		Check:   conditionGrows,
		Verdict: claim.WithCare,
		Care:    claim.Constant("At the paper's size. In small networks (N = 32, H = 4) only tanh and ReLU at the published rates do so; in linear ones, and at equilibrium, it stays or falls."),
		Plot:    conditionFigure,
	}}
}

// conditionGrows is the check of mupc/conditioning-training.
func conditionGrows(t claim.Table) (string, error) {
	var off claim.Off
	var words []string
	for _, m := range []Method{PC, ErrorPC} {
		for _, act := range []Act{Linear, Tanh, ReLU} {
			at := conditionCurve(t, m, act)
			if len(at) == 0 {
				continue // not measured yet
			}
			ks := claim.Keys(at)
			a, b := at[ks[0]].Mean, at[ks[len(ks)-1]].Mean
			words = append(words, fmt.Sprintf("%s %s %.3g to %.3g", m, act, a, b))
			if wanted := t.Scale == claim.Full || m == PC && act != Linear; wanted && !(b > 1.2*a) {
				off.Add("%s, %s: from %.3g to %.3g: want a fifth more", m, act, a, b)
			}
			grown := conditionGrowth(t, m, act)
			if t.Scale == claim.Full && !grown.Above(0) {
				off.Add("%s, %s: the logarithm grows by %s", m, act, grown)
			}
		}
	}
	return strings.Join(words, "; "), off.Err()
}

// conditionFigure is the figure of mupc/conditioning-training.
func conditionFigure(t claim.Table) []claim.Figure {
	f := claim.Figure{Name: "mupc-conditioning-training", Caption: "Condition number of one sample's activity Hessian at the feedforward pass. Bands: standard error over seeds."}
	for _, m := range []Method{PC, ErrorPC} {
		p := claim.Panel{Title: map[Method]string{PC: "T = H at the published rates", ErrorPC: "at equilibrium"}[m], X: claim.Axis{Label: "iterations"}, Y: claim.Axis{Label: "condition number", Log: true}}
		for i, act := range []Act{Linear, Tanh, ReLU} {
			at := conditionCurve(t, m, act)
			if len(at) > 0 {
				p.Lines = append(p.Lines, claim.Curve(string(act), i+1, at))
			}
		}
		f.Panels = append(f.Panels, p)
	}
	return []claim.Figure{f}
}

// conditionGrowth estimates by how much the logarithm of the condition number grows in a training.
func conditionGrowth(t claim.Table, m Method, act Act) claim.Estimate {
	var grown []float64
	for _, r := range claim.Where[watched, curve](t, func(w watched) bool { return w.Method == m && w.Act == act }) {
		grown = append(grown, math.Log(float64(r.Result.End/r.Result.Start)))
	}
	return claim.Mean(grown...)
}

// conditionCurve is the condition number over iterations.
func conditionCurve(t claim.Table, m Method, act Act) map[int]claim.Estimate {
	values := map[int][]float64{}
	for _, r := range claim.Where[watched, curve](t, func(w watched) bool { return w.Method == m && w.Act == act }) {
		for i, step := range r.Result.At {
			values[step] = append(values[step], float64(r.Result.Condition[i]))
		}
	}
	at := map[int]claim.Estimate{}
	for step, v := range values {
		at[step] = claim.Mean(v...)
	}
	return at
}
