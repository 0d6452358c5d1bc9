package pcgraph_test

import (
	"fmt"
	"math"
	"math/cmplx"
	"slices"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/internal/reference"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/theory"
	"github.com/pcgraph/pcgraph/train"
	"github.com/pcgraph/pcgraph/train/rules"
)

// Tolerances of PC-ALM: the iteration, and what it is run to.
const (
	pcalmTol      = 1e-10
	pcalmLimitTol = 1e-8
)

// A pcalmRun is one setting of the iteration.
type pcalmRun struct {
	Budget, Inner   int
	Eta, Alpha, Rho float64
	Sweep, Mode     string
}

type pcalmOptions struct {
	Case   string
	L      int
	Act    string
	Sizes  []int
	Scales []float64
	Runs   []pcalmRun
	pcalmRun
}

type pcalmCase = paperCase[pcalmOptions]

// TestReference_PCALM compares PC-ALM with an independent program: activities, multipliers, the Lagrangian after every number of steps,
// weight gradients, what it converges to, and the eigenvalues of its modes.
func TestReference_PCALM(t *testing.T) {
	checkPapers(t, "pcalm", func(o pcalmOptions) string { return o.Case }, map[string]func(*testing.T, *pcalmCase){
		"run": checkPCALMRun, "limit": checkPCALMLimit, "modes": checkPCALMModes,
	})
}

// pcalmModel is the residual network of a case with its weights, which must have the scales of muPC.
func pcalmModel(t *testing.T, c *pcalmCase, coordinates arch.Coordinates) *arch.Model[float64] {
	t.Helper()
	act, err := layers.ParseAct(c.Options.Act)
	if err != nil {
		t.Fatal(err)
	}
	n, err := arch.Chain{Scaling: arch.MuPC{}, Act: act, Widths: c.Options.Sizes, Skips: true}.Network()
	if err != nil {
		t.Fatal(err)
	}
	var fields []graph.Field
	for i, w := range n.Weights() {
		fields = append(fields, graph.Field{Name: w.Name, Shape: w.Param.Shape})
		if s := c.Options.Scales[i]; math.Abs(w.Factors.Forward-s) > 1e-15 {
			t.Fatalf("the scale of W%d is %g, not muPC's %g", i+1, s, w.Factors.Forward)
		}
	}
	v := graph.NewVector[float64](fields...)
	for i := range fields {
		copy(v.Part(v.Data(), i), c.transposed(t, fmt.Sprintf("W%d", i+1)))
	}
	m, err := arch.Compile(n, v, arch.Plan{Batch: c.Arrays["x"].Shape[0], Coordinates: coordinates})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func (o pcalmRun) rule(t *testing.T, m *arch.Model[float64]) *rules.PCALM[float64] {
	t.Helper()
	order, known := map[string]rules.Sweep{"jacobi": rules.Together, "reverse": rules.Backwards, "forward": rules.Forwards}[o.Sweep]
	mode, also := map[string]rules.DualMode{"pre_dual": rules.BeforeLast, "post_dual": rules.AfterLast}[o.Mode]
	if !known || !also {
		t.Fatalf("unknown sweep %q or mode %q", o.Sweep, o.Mode)
	}
	r := &rules.PCALM[float64]{Model: m, Steps: o.Budget, Inner: o.Inner, Rate: o.Eta, Penalty: o.Rho, Ascent: o.Alpha, Sweep: order, Dual: mode}
	if err := r.Validate(); err != nil {
		t.Fatal(err)
	}
	return r
}

// weightGradients compares a gradient with the arrays prefix+"dW1", ...
func weightGradients(t *testing.T, c *pcalmCase, prefix string, v *graph.Vector[float64], g []float64, tol float64) {
	t.Helper()
	for i := range v.Fields() {
		name := fmt.Sprintf("%sdW%d", prefix, i+1)
		reference.Near(t, name, v.Part(g, i), c.transposed(t, name), tol)
	}
}

// hiddenSites compares the parts of a vector with the arrays name+"1", ...
func hiddenSites(t *testing.T, c *pcalmCase, name string, v *graph.Vector[float64], data []float64, tol float64) {
	t.Helper()
	for i := range v.Fields() {
		at := fmt.Sprintf("%s%d", name, i+1)
		reference.Near(t, at, v.Part(data, i), c.array(t, at), tol)
	}
}

func checkPCALMRun(t *testing.T, c *pcalmCase) {
	m := pcalmModel(t, c, arch.Activities)
	x, y, batch := c.array(t, "x"), c.array(t, "y"), m.Plan().Batch
	g := make([]float64, len(m.Weights().Data()))
	bp := &train.Backprop[float64]{Model: pcalmModel(t, c, arch.Feedforward)}
	report, err := bp.Gradient(g, x, y, batch)
	if err != nil {
		t.Fatal(err)
	}
	reference.Near(t, "loss", []float64{report.Loss}, c.value(t, "loss"), pcalmTol)
	weightGradients(t, c, "bp_", m.Weights(), g, pcalmTol)
	if err := m.Clamp(x, y); err != nil {
		t.Fatal(err)
	}
	if err := m.Forward(); err != nil {
		t.Fatal(err)
	}
	hiddenSites(t, c, "feedforward", m.StateVector(), m.State(), pcalmTol)
	out, err := m.Predict(x)
	if err != nil {
		t.Fatal(err)
	}
	reference.Near(t, "output", out, c.array(t, fmt.Sprintf("feedforward%d", c.Options.L)), pcalmTol)
	for i := range c.Options.L - 1 {
		c.array(t, fmt.Sprintf("bp_lam%d", i+1)) // held against the limit below, where there is one
	}
	for i, run := range c.Options.Runs {
		prefix := fmt.Sprintf("run%d_", i)
		var lagrangian []float64
		pre := run
		pre.Mode = "pre_dual"
		for budget := 1; budget <= run.Budget; budget++ {
			pre.Budget = budget
			r := pre.rule(t, m)
			report, err := r.Gradient(g, x, y, batch)
			if err != nil {
				t.Fatal(err)
			}
			square := 0.
			for _, l := range r.Batch().Model().Multipliers().Data() {
				square += l * l
			}
			lagrangian = append(lagrangian, report.Energy+square/(2*float64(batch)*run.Rho))
		}
		reference.Near(t, prefix+"lagrangian", lagrangian, c.array(t, prefix+"lagrangian"), pcalmTol)
		r := run.rule(t, m)
		if _, err := r.Gradient(g, x, y, batch); err != nil {
			t.Fatal(err)
		}
		last := r.Batch().Model()
		weightGradients(t, c, prefix, m.Weights(), g, pcalmTol)
		hiddenSites(t, c, prefix+"z", last.StateVector(), last.State(), pcalmTol)
		hiddenSites(t, c, prefix+"lam_weight", last.Multipliers(), last.Multipliers().Data(), pcalmTol)
		run.Mode = "post_dual"
		r = run.rule(t, m)
		if _, err := r.Gradient(g, x, y, batch); err != nil {
			t.Fatal(err)
		}
		last = r.Batch().Model()
		hiddenSites(t, c, prefix+"lam", last.Multipliers(), last.Multipliers().Data(), pcalmTol)
	}
}

func checkPCALMLimit(t *testing.T, c *pcalmCase) {
	m := pcalmModel(t, c, arch.Activities)
	g := make([]float64, len(m.Weights().Data()))
	r := c.Options.pcalmRun.rule(t, m)
	if _, err := r.Gradient(g, c.array(t, "x"), c.array(t, "y"), m.Plan().Batch); err != nil {
		t.Fatal(err)
	}
	last := r.Batch().Model()
	weightGradients(t, c, "", m.Weights(), g, pcalmLimitTol)
	hiddenSites(t, c, "z", last.StateVector(), last.State(), pcalmLimitTol)
	hiddenSites(t, c, "lam", last.Multipliers(), last.Multipliers().Data(), pcalmLimitTol)
	if _, linear := c.Values["hessian_max"]; !linear {
		return
	}
	x, y := c.array(t, "x"), c.array(t, "y")
	if err := m.Clamp(x, y); err != nil {
		t.Fatal(err)
	}
	h, err := m.StateHessian()
	if err != nil {
		t.Fatal(err)
	}
	if err := h.At(m.State()); err != nil {
		t.Fatal(err)
	}
	low, high, err := theory.Lanczos{Seed: 1}.Extremes(h.Dim(), func(dst, v []float64) error { return h.Mul(dst, v) })
	if err != nil {
		t.Fatal(err)
	}
	reference.Near(t, "hessian_min", []float64{low.Value}, c.value(t, "hessian_min"), pcalmTol)
	reference.Near(t, "hessian_max", []float64{high.Value}, c.value(t, "hessian_max"), pcalmTol)
	reference.Near(t, "spectral_radius", []float64{contraction(t, c.Options.pcalmRun, m, x, y)}, c.value(t, "spectral_radius"), pcalmTol)
}

// contraction is the spectral radius of the iteration of a linear network, an affine map of activities and multipliers.
func contraction(t *testing.T, run pcalmRun, m *arch.Model[float64], x, y []float64) float64 {
	t.Helper()
	p := m.Plan()
	p.Energy = energy.AugmentedLagrangian{Penalty: run.Rho, Ascent: run.Alpha}
	l, err := arch.Compile(m.Network(), m.Weights(), p)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Clamp(x, y); err != nil {
		t.Fatal(err)
	}
	n := len(l.State())
	lambda, z, g := l.Multipliers().Data(), make([]float64, n), make([]float64, n)
	step := func(from int) []float64 { // of the unit vector from; of 0 for -1
		clear(z)
		clear(lambda)
		if from >= n {
			lambda[from-n] = 1
		} else if from >= 0 {
			z[from] = 1
		}
		if _, err := l.StateGrad(g, z); err != nil {
			t.Fatal(err)
		}
		floats.AddScaled(z, -run.Eta, g)
		if _, err := l.StateGrad(g, z); err != nil {
			t.Fatal(err)
		}
		l.Ascend()
		return slices.Concat(z, lambda)
	}
	zero := step(-1)
	iteration := mat.NewDense(2*n, 2*n, nil)
	for i := range 2 * n {
		column := step(i)
		floats.Sub(column, zero)
		iteration.SetCol(i, column)
	}
	var eigen mat.Eigen
	if !eigen.Factorize(iteration, mat.EigenNone) {
		t.Fatal("no eigenvalues of the iteration")
	}
	radius := 0.
	for _, v := range eigen.Values(nil) {
		radius = max(radius, cmplx.Abs(v))
	}
	return radius
}

func checkPCALMModes(t *testing.T, c *pcalmCase) {
	var re, im, stable []float64
	p := c.array(t, "parameters")
	for i := 0; i < len(p); i += 4 {
		mu := theory.MultiplierMode(p[i], p[i+1], p[i+2], p[i+3])
		inside := 1.
		for _, v := range mu {
			re, im = append(re, real(v)), append(im, imag(v))
			if cmplx.Abs(v) >= 1 {
				inside = 0
			}
		}
		stable = append(stable, inside)
	}
	reference.Near(t, "eigenvalues_re", re, c.array(t, "eigenvalues_re"), pcalmTol)
	reference.Near(t, "eigenvalues_im", im, c.array(t, "eigenvalues_im"), pcalmTol)
	reference.Near(t, "stable", stable, c.array(t, "stable"), 0)
	c.array(t, "delay_limits") // of a delayed ascent, which PCALM does not have
}
