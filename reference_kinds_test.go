package pcgraph_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/internal/kernel"
	"github.com/pcgraph/pcgraph/internal/reference"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/optim"
)

// checkGrads compares per-sample activity gradients, divided by the batch, and weight gradients.
func checkGrads(t *testing.T, c *refCase, m *arch.Model[float64], z []float64, dz string, first int) {
	t.Helper()
	checkGradsBy(t, c, m, z, dz, first, func(field string) []float64 { return c.weight(t, "d", field) })
}

// checkGradsBy is checkGrads with the expected gradient of a weight by its name.
func checkGradsBy(t *testing.T, c *refCase, m *arch.Model[float64], z []float64, dz string, first int, weight func(field string) []float64) {
	t.Helper()
	w := m.Weights()
	copy(m.State(), z)
	g := make([]float64, len(z))
	f, err := m.StateGrad(g, m.State())
	if err != nil {
		t.Fatal(err)
	}
	reference.Near(t, "energy", []float64{f}, []float64{*c.Energy}, referenceTol)
	for i := range g {
		g[i] /= float64(c.Batch)
	}
	reference.Near(t, "activity gradient", g, c.states(t, dz, first), referenceTol)
	dw := make([]float64, len(w.Data()))
	if _, err := m.ParamGrad(dw); err != nil {
		t.Fatal(err)
	}
	for i, field := range w.Fields() {
		reference.Near(t, "gradient of "+field.Name, w.Part(dw, i), weight(field.Name), referenceTol)
	}
}

func checkEnergy(t *testing.T, c *refCase) {
	m, w := refModel[float64](t, c, arch.Plan{})
	for i, want := range c.Scalings {
		reference.Near(t, "factor", []float64{m.Network().Weights()[i*len(w.Fields())/c.depth()].Factors.Forward}, []float64{want}, 1e-15)
	}
	x, y := c.array(t, "x"), c.array(t, "y")
	if err := m.Clamp(x, y); err != nil {
		t.Fatal(err)
	}
	checkGrads(t, c, m, c.states(t, "z", 1), "dz", 1)
	terms := make([]float64, len(m.Terms()))
	m.TermEnergies(terms)
	reference.Near(t, "layer energies", terms, c.array(t, "layer_energies"), referenceTol)

	if err := m.Forward(); err != nil {
		t.Fatal(err)
	}
	reference.Near(t, "feedforward pass", m.State(), c.states(t, "feedforward", 1), referenceTol)
	out, err := m.Predict(x)
	if err != nil {
		t.Fatal(err)
	}
	reference.Near(t, "prediction", out, c.array(t, "feedforward"+strconv.Itoa(c.depth())), referenceTol)

	// inference: rates here are of the batch mean
	descend := func(opt optim.Optimizer[float64], steps int, noise func() float64) (energies, activities []float64) {
		t.Helper()
		if err := m.Forward(); err != nil {
			t.Fatal(err)
		}
		for i := range m.State() {
			m.State()[i] *= 1 + noise()
		}
		var fs []float64
		p := infer.Problem[float64]{Energy: func(g, z []float64) (float64, error) {
			f, err := m.StateGrad(g, z)
			for i := range g {
				g[i] /= float64(c.Batch)
			}
			return f, err
		}}
		_, err := infer.Run(&infer.Descent[float64]{Optimizer: opt}, p, m.State(), infer.Steps(steps), func(r infer.Reading) { fs = append(fs, r.Energy) })
		if err != nil {
			t.Fatal(err)
		}
		return fs, slices.Clone(m.State())
	}
	exact := func() float64 { return 0 }
	fs, zs := descend(&optim.SGD[float64]{Rate: c.GD.Rate}, c.GD.Steps, exact)
	reference.Near(t, "gd energies", fs, c.array(t, "gd_energies"), referenceTol)
	reference.Near(t, "gd activities", zs, c.states(t, "gd_z", 1), referenceTol)

	// Adam divides by |gradient| + 1e-8, and from a feedforward start the gradient of a layer that the output's error has
	// not reached is rounding noise, about 1e-16 and not the same in any two programs. One step turns it into a
	// displacement of 1e-10, the next one that into 1e-4: the trajectory is defined to that accuracy only. What
	// rounding does is measured, by starting from activities off by an ulp or so, and allowed for.
	adam := func(noise func() float64) ([]float64, []float64) {
		return descend(&optim.Adam[float64]{Rate: c.Adam.Rate, Beta1: c.Adam.B1, Beta2: c.Adam.B2, Eps: c.Adam.Eps}, c.Adam.Steps, noise)
	}
	fs, zs = adam(exact)
	spreadF, spreadZ := make([]float64, len(fs)), make([]float64, len(zs))
	rng := rand.New(rand.NewPCG(1, 2))
	for range 16 {
		f, z := adam(func() float64 { return 2.2e-16 * float64(rng.IntN(3)-1) })
		widen(spreadF, f, fs)
		widen(spreadZ, z, zs)
	}
	within(t, "adam energies", fs, c.array(t, "adam_energies"), spreadF, referenceTol)
	within(t, "adam activities", zs, c.states(t, "adam_z", 1), spreadZ, referenceTol)

	// Backprop is the same network with nothing free; its loss is without the output's precision.
	loss := energy.Likelihood(energy.Gaussian{})
	if c.Net.Loss == "ce" {
		loss = energy.Categorical{}
	}
	bp, _ := refModel[float64](t, c, arch.Plan{Coordinates: arch.Feedforward, Energy: energy.PC{Output: loss}})
	if err := bp.Clamp(x, y); err != nil {
		t.Fatal(err)
	}
	dw := make([]float64, len(w.Data()))
	f, err := bp.ParamGrad(dw)
	if err != nil {
		t.Fatal(err)
	}
	reference.Near(t, "backprop loss", []float64{f}, []float64{*c.BPLoss}, 1e-12)
	for i, field := range w.Fields() {
		reference.Near(t, "backprop gradient of "+field.Name, w.Part(dw, i), c.weight(t, "bp_d", field.Name), 1e-12)
	}

	// the same energy in single precision
	s, _ := refModel[float32](t, c, arch.Plan{})
	if err := s.Clamp(as[float32](x), as[float32](y)); err != nil {
		t.Fatal(err)
	}
	set(s.State(), c.states(t, "z", 1))
	f, err = s.Energy()
	if err != nil {
		t.Fatal(err)
	}
	reference.Near(t, "float32 energy", []float64{f}, []float64{*c.Energy}, 1e-4)
}

func checkUnsupervised(t *testing.T, c *refCase) {
	m, _ := refModel[float64](t, c, arch.Plan{FreeInput: true})
	if err := m.Clamp(nil, c.array(t, "y")); err != nil {
		t.Fatal(err)
	}
	checkGrads(t, c, m, c.states(t, "z", 0), "dz", 0)
}

func checkRegularised(t *testing.T, c *refCase) {
	m, _ := refModel[float64](t, c, arch.Plan{Energy: energy.Sum{
		energy.PC{Output: c.likelihood()},
		energy.WeightDecay{Rate: c.Coefficients.WeightDecay},
		energy.Spectral{Rate: c.Coefficients.SpectralPenalty},
		energy.ActivityDecay{Rate: c.Coefficients.ActivityDecay},
	}})
	if err := m.Clamp(c.array(t, "x"), c.array(t, "y")); err != nil {
		t.Fatal(err)
	}
	checkGrads(t, c, m, c.states(t, "z", 1), "dz", 1)
}

func checkErrors(t *testing.T, c *refCase) {
	m, _ := refModel[float64](t, c, arch.Plan{Coordinates: arch.Errors})
	x := c.array(t, "x")
	if err := m.Clamp(x, c.array(t, "y")); err != nil {
		t.Fatal(err)
	}
	checkGrads(t, c, m, c.states(t, "e", 1), "de", 1)
	out, err := m.Predict(x)
	if err != nil {
		t.Fatal(err)
	}
	reference.Near(t, "feedforward output", out, c.array(t, "feedforward_output"), referenceTol)
}

// checkBidirectional: forward blocks W, backward blocks V, one energy.
func checkBidirectional(t *testing.T, c *refCase) {
	act, err := layers.ParseAct(c.Net.Act)
	if err != nil {
		t.Fatal(err)
	}
	if c.Net.Scaling != "sp" || c.Net.Skip || c.Net.Bias || c.Net.Gamma != nil || c.Net.OutputPrecision != nil || c.Net.Loss != "mse" {
		t.Fatalf("a network of a kind that bidirectional cases do not have: %+v", c.Net)
	}
	both := arch.Bidirectional{Chain: arch.Chain{Act: act, Widths: c.Net.Sizes}, Forward: c.ForwardWeight, Backward: c.BackwardWeight}
	n, err := both.Network()
	if err != nil {
		t.Fatal(err)
	}
	w, err := arch.NewWeights[float64](n, rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		t.Fatal(err)
	}
	name := func(prefix, field string) string { // "block2/W" is "W2", "back2/W" "V2"
		kind, l := "W", strings.TrimSuffix(strings.TrimPrefix(field, "block"), "/W")
		if rest, back := strings.CutPrefix(field, "back"); back {
			kind, l = "V", strings.TrimSuffix(rest, "/W")
		}
		return prefix + kind + l
	}
	for i, f := range w.Fields() {
		copy(w.Part(w.Data(), i), c.transposed(t, name("", f.Name)))
	}
	m, err := arch.Compile(n, w, arch.Plan{Batch: c.Batch, Energy: both.Energy()})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Clamp(c.array(t, "x"), c.array(t, "y")); err != nil {
		t.Fatal(err)
	}
	checkGradsBy(t, c, m, c.states(t, "z", 1), "dz", 1, func(field string) []float64 { return c.transposed(t, name("d", field)) })
}

func checkTraining(t *testing.T, c *refCase) {
	m, w := refModel[float64](t, c, arch.Plan{})
	bp, err := arch.Compile(m.Network(), w, arch.Plan{Batch: c.Batch, Coordinates: arch.Feedforward, Energy: energy.PC{Output: c.likelihood()}})
	if err != nil {
		t.Fatal(err)
	}
	var opt optim.Optimizer[float64] = &optim.SGD[float64]{Rate: c.Rate}
	if c.Optimiser == "adam" {
		opt = &optim.Adam[float64]{Rate: c.Rate}
	}
	solver := &infer.Descent[float64]{Optimizer: &optim.SGD[float64]{Rate: c.ActivityRate / float64(c.Batch)}}
	var losses, energies []float64
	dw := make([]float64, len(w.Data()))
	for k := 1; k <= c.Steps; k++ {
		x, y := c.array(t, fmt.Sprintf("x_step%d", k)), c.array(t, fmt.Sprintf("y_step%d", k))
		for _, model := range []*arch.Model[float64]{m, bp} {
			if err := model.Clamp(x, y); err != nil {
				t.Fatal(err)
			}
		}
		loss, err := bp.Energy()
		if err != nil {
			t.Fatal(err)
		}
		losses = append(losses, loss)
		if err := m.Forward(); err != nil {
			t.Fatal(err)
		}
		if _, err := infer.Run(solver, infer.Problem[float64]{Energy: m.StateGrad}, m.State(), infer.Steps(c.InferenceSteps), nil); err != nil {
			t.Fatal(err)
		}
		f, err := m.ParamGrad(dw)
		if err != nil {
			t.Fatal(err)
		}
		energies = append(energies, f)
		opt.Step(w.Data(), dw)
		w.Touch()
	}
	reference.Near(t, "losses", losses, c.array(t, "losses"), referenceTol)
	reference.Near(t, "energies after inference", energies, c.array(t, "energies_after_inference"), referenceTol)
	for i, field := range w.Fields() {
		reference.Near(t, "final "+field.Name, w.Part(w.Data(), i), c.weight(t, "final_", field.Name), referenceTol)
	}
}

func checkActivation(t *testing.T, c *refCase) {
	name := strings.TrimPrefix(c.Name, "activation_")
	act, err := layers.ParseAct(name)
	if err != nil {
		t.Fatal(err)
	}
	x := c.array(t, "x")
	one, got := make([]float64, len(x)), make([]float64, len(x))
	for i := range one {
		one[i] = 1
	}
	kernel.Activate(act, got, x)
	reference.Near(t, "f", got, c.array(t, "y"), referenceTol)
	kernel.ActivateGrad(act, got, x, one)
	reference.Near(t, "f'", got, c.array(t, "dy"), referenceTol)
	kernel.ActivateGrad2(act, got, x, one, one)
	reference.Near(t, "f''", got, c.array(t, "d2y"), referenceTol)
}

func checkLayer(t *testing.T, c *refCase) {
	if check := sequenceLayers[c.Layer]; check != nil {
		check(t, c)
		return
	}
	if check := imageLayers[c.Layer]; check != nil {
		check(t, c)
		return
	}
	if c.Layer != "cross_entropy" {
		t.Fatalf("unknown layer %q", c.Layer)
	}
	shape := c.Arrays["logits"].Shape
	b := graph.NewBuilder[float64]()
	y, m := b.Data("y", shape...), b.Data("logits", shape...)
	loss := b.CrossEntropy(y, m, 1, 1)
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	ds, err := graph.Grad(loss, m)
	if err != nil {
		t.Fatal(err)
	}
	p, err := graph.Compile[float64](loss, ds[0])
	if err != nil {
		t.Fatal(err)
	}
	copy(p.Value(y), c.array(t, "y"))
	copy(p.Value(m), c.array(t, "logits"))
	if err := p.RunAll(); err != nil {
		t.Fatal(err)
	}
	reference.Near(t, "loss", []float64{p.Scalar(loss)}, []float64{*c.LossSum}, referenceTol)
	reference.Near(t, "gradient", p.Value(ds[0]), c.array(t, "d_logits"), referenceTol)
}
