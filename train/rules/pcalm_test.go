package rules_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/train"
	"github.com/pcgraph/pcgraph/train/rules"
)

// A residual is a residual chain with a batch of data.
type residual struct {
	model *arch.Model[float64]
	x, y  []float64
	batch int
}

func newResidual(t *testing.T, act layers.Act, depth int) residual {
	t.Helper()
	widths := append(append([]int{5}, slices.Repeat([]int{6}, depth-1)...), 3)
	n, err := arch.ResMLP(arch.MuPC{}, act, widths...)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	w, err := arch.NewWeights[float64](n, rng)
	if err != nil {
		t.Fatal(err)
	}
	const batch = 4
	m, err := arch.Compile(n, w, arch.Plan{Batch: batch})
	if err != nil {
		t.Fatal(err)
	}
	r := residual{model: m, x: make([]float64, 5*batch), y: make([]float64, 3*batch), batch: batch}
	for _, v := range [][]float64{r.x, r.y} {
		for i := range v {
			v[i] = rng.NormFloat64()
		}
	}
	return r
}

func (r residual) gradient(t *testing.T, rule train.Rule[float64]) ([]float64, train.Report) {
	t.Helper()
	g := make([]float64, len(r.model.Weights().Data()))
	report, err := rule.Gradient(g, r.x, r.y, r.batch)
	if err != nil {
		t.Fatal(err)
	}
	return g, report
}

// TestPCALM_WithoutAscentIsPC: to the bit, by plain descent of as many steps.
func TestPCALM_WithoutAscentIsPC(t *testing.T) {
	for _, act := range []layers.Act{layers.LinearAct, layers.Tanh, layers.ReLU} {
		r := newResidual(t, act, 5)
		want, report := r.gradient(t, &train.PC[float64]{Model: r.model, Solver: &infer.Descent[float64]{Optimizer: &optim.SGD[float64]{Rate: .2}}, Stop: infer.Steps(12)})
		got, same := r.gradient(t, &rules.PCALM[float64]{Model: r.model, Rate: .2, Steps: 12})
		if !slices.Equal(got, want) || report.Energy != same.Energy || report.Loss != same.Loss {
			t.Errorf("%v: another gradient than PC's, or another energy: %g and %g", act, same.Energy, report.Energy)
		}
	}
}

// TestPCALM_RateIsMeasured: at 1 / the largest curvature of the energy at the feedforward pass.
func TestPCALM_RateIsMeasured(t *testing.T) {
	r := newResidual(t, layers.Tanh, 4)
	measured := &rules.PCALM[float64]{Model: r.model, Ascent: 1, Steps: 6}
	want, _ := r.gradient(t, measured)
	if err := r.model.Clamp(r.x, r.y); err != nil {
		t.Fatal(err)
	}
	if err := r.model.Forward(); err != nil {
		t.Fatal(err)
	}
	c, _, err := new(infer.Pace[float64]).Use(infer.Problem[float64]{Energy: r.model.StateGrad}, r.model.State())
	if err != nil {
		t.Fatal(err)
	}
	got, _ := r.gradient(t, &rules.PCALM[float64]{Model: r.model, Ascent: 1, Steps: 6, Rate: 1 / c})
	if !slices.Equal(got, want) {
		t.Errorf("another gradient at the rate 1/%g", c)
	}
}

// TestPCALM_BadSettings: each is named, with what to do.
func TestPCALM_BadSettings(t *testing.T) {
	r := newResidual(t, layers.Tanh, 4)
	errs, err := arch.Compile(r.model.Network(), r.model.Weights(), arch.Plan{Batch: 4, Coordinates: arch.Errors})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		rule rules.PCALM[float64]
		want string
	}{
		{rules.PCALM[float64]{}, "Model is missing"},
		{rules.PCALM[float64]{Model: errs}, "arch.Activities"},
		{rules.PCALM[float64]{Model: r.model, Steps: -1}, "Steps -1"},
		{rules.PCALM[float64]{Model: r.model, Rate: -1}, "Rate -1"},
		{rules.PCALM[float64]{Model: r.model, Ascent: -1}, "Ascent -1"},
		{rules.PCALM[float64]{Model: r.model, Sweep: 7}, "Sweep 7"},
		{rules.PCALM[float64]{Model: r.model, Ascent: 2}, "below twice the Penalty, 2"},
		{rules.PCALM[float64]{Model: r.model, Ascent: 3, Penalty: 1.5}, "below twice the Penalty, 3"},
	} {
		if err := test.rule.Validate(); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v, want %q", test.rule, err, test.want)
		}
	}
	unstable := &rules.PCALM[float64]{Model: r.model, Ascent: 1, Rate: 1}
	g := make([]float64, len(r.model.Weights().Data()))
	if _, err := unstable.Gradient(g, r.x, r.y, r.batch); err == nil || !strings.Contains(err.Error(), "Rate must be below") {
		t.Errorf("an unstable rate: %v", err)
	}
}

// TestMultipliers_FusedStepsAreStepsInTurn: to the bit, activities and multipliers, also in error coordinates.
func TestMultipliers_FusedStepsAreStepsInTurn(t *testing.T) {
	r := newResidual(t, layers.ReLU, 6)
	for _, c := range []arch.Coordinates{arch.Activities, arch.Errors} {
		m, err := arch.Compile(r.model.Network(), r.model.Weights(), arch.Plan{Batch: r.batch, Coordinates: c, Energy: energy.AugmentedLagrangian{Penalty: 2, Ascent: .7}})
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Clamp(r.x, r.y); err != nil {
			t.Fatal(err)
		}
		begin := func() {
			if err := m.Forward(); err != nil {
				t.Fatal(err)
			}
		}
		const rate, steps = .1, 5
		begin()
		g := make([]float64, len(m.State()))
		sgd := &optim.SGD[float64]{Rate: rate}
		for range steps {
			if _, err := m.StateGrad(g, m.State()); err != nil {
				t.Fatal(err)
			}
			m.Ascend()
			sgd.Step(m.State(), g)
		}
		z, lambda := slices.Clone(m.State()), slices.Clone(m.Multipliers().Data())
		begin()
		if _, ok, err := m.FusedSteps(g, m.State(), rate, steps); err != nil || !ok {
			t.Fatal(ok, err)
		}
		if !slices.Equal(z, m.State()) || !slices.Equal(lambda, m.Multipliers().Data()) {
			t.Errorf("%v: fused steps end elsewhere", c)
		}
		if slices.Max(lambda) == 0 {
			t.Errorf("%v: no multiplier has moved", c)
		}
	}
}

// TestMultipliers_OtherSolversRefuse: a solver that would leave them where they are says so.
func TestMultipliers_OtherSolversRefuse(t *testing.T) {
	r := newResidual(t, layers.Tanh, 3)
	m, err := arch.Compile(r.model.Network(), r.model.Weights(), arch.Plan{Batch: r.batch, Energy: energy.AugmentedLagrangian{Ascent: 1}})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Clamp(r.x, r.y); err != nil {
		t.Fatal(err)
	}
	_, err = infer.Run(&infer.LBFGS[float64]{}, train.ProblemOf(m), m.State(), infer.Steps(3), nil)
	if err == nil || !strings.Contains(err.Error(), "multipliers") {
		t.Errorf("L-BFGS: %v", err)
	}
}
