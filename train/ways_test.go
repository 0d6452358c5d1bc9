package train_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/theory"
	"github.com/pcgraph/pcgraph/train"
	"github.com/pcgraph/pcgraph/train/rules"
)

func plainDescent[T graph.Float](rate float64) *infer.Descent[T] {
	return &infer.Descent[T]{Optimizer: &optim.SGD[T]{Rate: rate}}
}

// gradient is that of a rule that must have nothing to complain of.
func gradient(t *testing.T, r train.Rule[float64], x, y []float64, batch int) ([]float64, train.Report) {
	t.Helper()
	if v, has := r.(interface{ Validate() error }); has {
		ok(t, v.Validate())
	}
	g := make([]float64, len(r.Subject().Weights.Data()))
	report, err := r.Gradient(g, x, y, batch)
	ok(t, err)
	return g, report
}

// TestZIL_IsBackprop: to rounding, for every activation, both likelihoods, with and without skips; the oracle is
// backprop in plain loops. At another output precision the loss is multiplied by it.
func TestZIL_IsBackprop(t *testing.T) {
	everyTask(t, layers.Acts(), func(t *testing.T, c arch.Chain, softmax bool) {
		k := newTask(t, c, softmax, 1)
		loss, want := k.plainGrad()
		for _, precision := range []float64{1, .3} {
			got, report := gradient(t, &rules.ZIL[float64]{Model: k.model(t, arch.Activities, precision)}, k.x, k.y, k.batch)
			for i := range got {
				got[i] /= precision
			}
			if d := k.worstField(got, want); !(d <= bpTol) {
				t.Errorf("precision %g: a weight's gradient is off by %.1e", precision, d)
			}
			if math.Abs(report.Loss/precision/loss-1) > 1e-13 || report.Inference.Step != 3 || report.Inference.Evals != 3 {
				t.Errorf("%+v, want a loss of %g and 3 steps", report, loss)
			}
		}
	})
}

// reachingBack is a network that is no chain: two blocks read the first one, and a skip comes from far behind.
func reachingBack() *arch.Network {
	lin := func(in, out int) layers.Linear { return layers.Linear{In: in, Out: out, Act: layers.Tanh, Bias: true} }
	return &arch.Network{Input: []int{5}, Blocks: []arch.Block{
		{Name: "a", Layer: lin(5, 6)}, {Name: "b", Layer: lin(6, 6)},
		{Name: "c", Layer: lin(6, 6), From: []string{"a"}, Skips: []arch.Skip{{From: "b", Layer: lin(6, 6)}}},
		{Name: "d", Layer: lin(6, 3), From: []string{"b", "c"}, Merge: layers.Add{}, Skips: []arch.Skip{{From: "x", Layer: lin(5, 3)}}},
	}}
}

// TestFixedPrediction_IsBackpropAtEquilibrium: exactly after as many plain steps of rate 1 as the network is deep, as its
// errors then feed each other no more, and at the equilibrium of any other descent; also on a network that is no chain.
func TestFixedPrediction_IsBackpropAtEquilibrium(t *testing.T) {
	everyTask(t, layers.Acts(), func(t *testing.T, c arch.Chain, softmax bool) {
		k := newTask(t, c, softmax, 1)
		loss, want := k.plainGrad()
		m := k.model(t, arch.Activities, 1)
		for _, test := range []struct {
			name   string
			solver infer.Solver[float64]
			stop   infer.Stop
			tol    float64
		}{
			{"3 unit steps", plainDescent[float64](1), infer.Steps(3), bpTol},
			{"rate 0.6", plainDescent[float64](.6), infer.Any{infer.Stationary{Tol: 1e-14}, infer.Steps(500)}, 1e-10}, // errors are as small as 1e-4
		} {
			rule := &rules.FixedPrediction[float64]{PC: train.PC[float64]{Model: m, Solver: test.solver, Stop: test.stop}}
			got, report := gradient(t, rule, k.x, k.y, k.batch)
			if d := k.worstField(got, want); !(d <= test.tol) {
				t.Errorf("%s: a weight's gradient is off by %.1e", test.name, d)
			}
			if math.Abs(report.Loss-loss) > 1e-13 {
				t.Errorf("%s: loss %g, want %g", test.name, report.Loss, loss)
			}
			sum, terms := 0.0, make([]float64, len(rule.Subject().Terms))
			rule.Subject().TermEnergies(terms)
			for _, e := range terms {
				sum += e
			}
			if math.Abs(sum/report.Energy-1) > 1e-13 || !(report.Energy > report.Loss) {
				t.Errorf("%s: terms %v add up to %g, energy %g", test.name, terms, sum, report.Energy)
			}
		}
	})
	n := reachingBack()
	w, err := arch.NewWeights[float64](n, rand.New(rand.NewPCG(3, 3)))
	ok(t, err)
	var ms [2]*arch.Model[float64]
	for i, c := range []arch.Coordinates{arch.Activities, arch.Feedforward} {
		ms[i], err = arch.Compile(n, w, arch.Plan{Batch: 4, Coordinates: c, Energy: energy.Sum{energy.PC{}, energy.WeightDecay{Rate: .1}}})
		ok(t, err)
	}
	k := newTask(t, arch.Chain{Act: layers.Tanh}, false, 1)
	want, _ := gradient(t, &train.Backprop[float64]{Model: ms[1]}, k.x, k.y, 4)
	rule := &rules.FixedPrediction[float64]{PC: train.PC[float64]{Model: ms[0], Solver: plainDescent[float64](1), Stop: infer.Steps(4)}}
	got, _ := gradient(t, rule, k.x, k.y, 4)
	if d := relative(got, want); !(d <= 1e-13) {
		t.Errorf("not a chain: off by %.1e", d)
	}
	want, _ = gradient(t, &train.Backprop[float64]{Model: ms[1]}, k.x[:15], k.y[:9], 3)
	got, _ = gradient(t, rule, k.x[:15], k.y[:9], 3)
	if d := relative(got, want); !(d <= 1e-13) {
		t.Errorf("a smaller batch: off by %.1e", d)
	}
}

// nudged is a rule whose inference goes on to the rounding floor.
func nudged(m *arch.Model[float64], n rules.Nudge, s rules.Sign, beta float64) *rules.Nudged[float64] {
	return &rules.Nudged[float64]{Nudge: n, Sign: s, Beta: beta, PC: train.PC[float64]{Model: m, Seed: 5,
		Solver: &infer.Descent[float64]{Optimizer: &optim.Momentum[float64]{Rate: .1, Mu: .7}},
		Stop:   infer.Any{infer.Stationary{Tol: 1e-15}, infer.Steps(1500)}}}
}

// TestNudged_TendsToBackprop: a nudged cost has backprop's gradient in the limit of no nudging, from one side with an error
// of first order in beta, centred of second: ten times less beta makes it 10 or 100 times smaller.
func TestNudged_TendsToBackprop(t *testing.T) {
	for _, softmax := range []bool{false, true} {
		k := newTask(t, arch.Chain{Act: layers.Tanh, Bias: true, Skips: true}, softmax, 1)
		m := k.model(t, arch.Activities, 1)
		loss, want := k.plainGrad()
		for sign, order := range map[rules.Sign]float64{rules.Positive: 1, rules.Negative: 1, rules.Centred: 2} {
			var off [2]float64
			for i, beta := range []float64{.02, .002} {
				got, report := gradient(t, nudged(m, rules.NudgedCost, sign, beta), k.x, k.y, k.batch)
				off[i] = relative(got, want)
				if math.Abs(report.Loss-loss) > 1e-13 {
					t.Errorf("loss %g, want %g", report.Loss, loss)
				}
			}
			// the next order is smaller by beta times a number of order one
			if slope := math.Log10(off[0] / off[1]); math.Abs(slope-order) > .1 || off[0] > .3 {
				t.Errorf("softmax %v, sign %d: off by %.2e and %.2e: order %.2f, want %g", softmax, sign, off[0], off[1], slope, order)
			}
		}
	}
}

// TestNudged_TargetTendsToLinearisedPC: with the output moved towards the target (pcx), a linear network's errors are beta
// times those of PC, and its activities feedforward + beta times the way to PC's: so the centred gradient is that of PC's
// errors at the feedforward activities, for every beta, the limit is it too, and neither is backprop's. Beta 1 is PC.
func TestNudged_TargetTendsToLinearisedPC(t *testing.T) {
	c := newChain(t, theory.Spec{Scaling: theory.SP, Inputs: 6, Width: 7, Outputs: 3, Depth: 4}, 5)
	x, y := c.x.RawMatrix().Data, c.y.RawMatrix().Data
	pass, err := c.linear.Feedforward(c.x, c.y)
	ok(t, err)
	flat := func(g theory.Gradient) (all []float64) {
		for _, d := range g.Dense() {
			all = append(all, d.RawMatrix().Data...)
		}
		return all
	}
	pc, bp := c.eq.Gradient(), pass.Gradient()
	limit := flat(pc)
	at := 0
	for l := range pc.Out { // -a_l/B zhat^T e: the factors and signs are in theory's gradients
		var d mat.Dense
		d.Mul(bp.In[l].T(), pc.Out[l])
		copy(limit[at:], d.RawMatrix().Data)
		at += len(d.RawMatrix().Data)
	}
	for _, beta := range []float64{.9, .1} {
		got, _ := gradient(t, nudged(c.model, rules.NudgedTarget, rules.Centred, beta), x, y, 5)
		if d := relative(got, limit); !(d <= 1e-11) { // equilibria to 1e-15 over beta
			t.Errorf("centred, beta %g: off the linearised PC gradient by %.1e", beta, d)
		}
	}
	got, _ := gradient(t, nudged(c.model, rules.NudgedTarget, rules.Positive, 1), x, y, 5)
	if d := relative(got, flat(pc)); !(d <= 1e-11) {
		t.Errorf("beta 1: off PC by %.1e", d)
	}
	got, _ = gradient(t, nudged(c.model, rules.NudgedTarget, rules.Positive, 1e-5), x, y, 5)
	if d := relative(got, limit); !(d <= 1e-4) { // first order in beta
		t.Errorf("beta 1e-5: off the limit by %.1e", d)
	}
	if d := relative(limit, flat(bp)); d < .05 {
		t.Errorf("the limit is backprop's gradient to %.1e: the test says nothing", d)
	}
}

// TestNudged_RandomSignsComeFromTheSeed: each batch has the gradient of one sign or the other, both occur, and the same
// seed gives the same signs.
func TestNudged_RandomSignsComeFromTheSeed(t *testing.T) {
	k := newTask(t, arch.Chain{Act: layers.Tanh}, false, 1)
	m := k.model(t, arch.Activities, 1)
	toward, _ := gradient(t, nudged(m, rules.NudgedTarget, rules.Positive, .5), k.x, k.y, k.batch)
	away, _ := gradient(t, nudged(m, rules.NudgedTarget, rules.Negative, .5), k.x, k.y, k.batch)
	a, b := nudged(m, rules.NudgedTarget, rules.RandomSign, .5), nudged(m, rules.NudgedTarget, rules.RandomSign, .5)
	counts := [2]int{}
	for range 12 {
		g, _ := gradient(t, a, k.x, k.y, k.batch)
		h, _ := gradient(t, b, k.x, k.y, k.batch)
		if relative(g, h) != 0 {
			t.Error("equal seeds, other signs")
		}
		switch {
		case relative(g, toward) == 0:
			counts[0]++
		case relative(g, away) == 0:
			counts[1]++
		default:
			t.Error("neither sign's gradient")
		}
	}
	if counts[0] == 0 || counts[1] == 0 {
		t.Errorf("signs %v", counts)
	}
}

// TestIncremental_MovesBothAtOnce: the oracle is the loop of its definition over the model's own gradients.
func TestIncremental_MovesBothAtOnce(t *testing.T) {
	const steps, rate, lr = 6, .2, .05
	k, j := newTask(t, arch.Chain{Act: layers.Tanh, Bias: true}, false, 1), newTask(t, arch.Chain{Act: layers.Tanh, Bias: true}, false, 1)
	m := j.model(t, arch.Activities, 1)
	dz, dw := make([]float64, len(m.State())), make([]float64, len(j.w.Data()))
	for range steps {
		_, err := m.StateGrad(dz, m.State())
		ok(t, err)
		_, err = m.ParamGrad(dw)
		ok(t, err)
		for i := range dz {
			m.State()[i] -= rate * dz[i]
		}
		for i := range dw {
			j.w.Data()[i] -= lr * dw[i]
		}
		j.w.Touch()
	}
	rule := &rules.Incremental[float64]{PC: train.PC[float64]{Model: k.model(t, arch.Activities, 1), Solver: plainDescent[float64](rate), Stop: infer.Steps(steps)}}
	ok(t, rule.Validate())
	update := &train.Update[float64]{Optimizer: &optim.SGD[float64]{Rate: lr}}
	grad := make([]float64, len(k.w.Data()))
	calls := 0
	report, err := rule.Learn(grad, k.x, k.y, k.batch, func(train.Report) error { calls++; update.Step(k.w, grad); return nil })
	ok(t, err)
	if d := relative(k.w.Data(), j.w.Data()); !(d <= 1e-14) || calls != steps || report.Inference.Evals != steps {
		t.Errorf("weights off by %.1e after %d steps: %+v", d, calls, report)
	}
	// Gradient is what a small rate comes to
	start := append([]float64(nil), k.w.Data()...)
	mean, _ := gradient(t, rule, k.x, k.y, k.batch)
	if relative(k.w.Data(), start) != 0 {
		t.Error("Gradient moved the weights")
	}
	const small = 1e-6
	update.Optimizer = &optim.SGD[float64]{Rate: small}
	_, err = rule.Learn(grad, k.x, k.y, k.batch, func(train.Report) error { update.Step(k.w, grad); return nil })
	ok(t, err)
	for i, w := range k.w.Data() {
		start[i] = (start[i] - w) / small / steps
	}
	if d := relative(start, mean); !(d <= 1e-4) { // of the order of small times steps
		t.Errorf("the mean gradient is off by %.1e", d)
	}
}

// TestIncremental_StopsAtTheStepThatWentWrong: the weights are those before it.
func TestIncremental_StopsAtTheStepThatWentWrong(t *testing.T) {
	m := toyModel[float32](t, arch.Activities, 2, 4, 4, 2)
	rule := &rules.Incremental[float32]{PC: train.PC[float32]{Model: m, Solver: plainDescent[float32](60), Stop: infer.Steps(2000)}}
	tr := trainer(t, rule)
	tr.Optimizer = &optim.SGD[float32]{Rate: 1e-30}
	_, err := tr.Run(t.Context())
	says(t, "activities", err, "train: step 1 (epoch 0)", "lower the rates")
	for _, w := range m.Weights().Data() {
		if w-w != 0 {
			t.Fatalf("weight %g", w)
		}
	}
}

// stationary is the covariance of unadjusted Langevin steps on a linear chain, T (H (I - rate/2 H))^-1.
func stationary(t *testing.T, c chain, rate, temperature float64) (covariance, hessian *mat.Dense) {
	t.Helper()
	h, err := c.linear.ActivityHessian()
	ok(t, err)
	n := h.SymmetricDim()
	hessian = mat.DenseCopyOf(h)
	var hh, inv mat.Dense
	hh.Mul(h, h)
	hh.Scale(-rate/2, &hh)
	hh.Add(&hh, h)
	ok(t, inv.Inverse(&hh))
	inv.Scale(temperature, &inv)
	if n == 0 {
		t.Fatal("no activities")
	}
	return &inv, hessian
}

// TestLangevin_HasTheStationaryVarianceOfALinearChain: every activity's mean and variance over 4000 independent samples of
// a batch, long after the start. The standard error of a variance is sqrt(2/n) of it; of 42 numbers none should be 5 off.
func TestLangevin_HasTheStationaryVarianceOfALinearChain(t *testing.T) {
	const batch, rate, temperature = 4000, .3, .7
	c := newChain(t, theory.Spec{Scaling: theory.SP, Inputs: 6, Width: 7, Outputs: 3, Depth: 4, Precision: 2}, batch)
	plan := c.model.Plan()
	plan.Energy = energy.PC{Output: energy.Gaussian{Precision: 2}}
	c.linear.Precision = 2
	eq, err := c.linear.Equilibrium(c.x, c.y)
	ok(t, err)
	m, err := arch.Compile(c.model.Network(), c.model.Weights(), plan)
	ok(t, err)
	ok(t, m.Clamp(c.x.RawMatrix().Data, c.y.RawMatrix().Data))
	ok(t, m.Forward())
	cov, h := stationary(t, c, rate, temperature)
	var eig mat.Eigen
	eig.Factorize(h, mat.EigenNone)
	for _, v := range eig.Values(nil) {
		if real(v) < .1 || real(v)*rate > 1.5 { // so that 120 steps forget the start to 1e-3 of a deviation
			t.Fatalf("curvature %g", v)
		}
	}
	solver := &infer.Langevin[float64]{Rate: rate, Temperature: temperature, Rand: rand.New(rand.NewPCG(1, 2))}
	ok(t, solver.Validate())
	_, err = infer.Run(solver, infer.Problem[float64]{Energy: m.StateGrad}, m.State(), infer.Steps(250), nil)
	ok(t, err)
	at := 0
	for l, z := range eq.Activities {
		_, n := z.Dims()
		for k := range n {
			mean, square := 0.0, 0.0
			for i := range batch {
				d := m.StateVector().Part(m.State(), l)[i*n+k] - z.At(i, k)
				mean, square = mean+d/batch, square+d*d/batch
			}
			want := cov.At(at, at)
			if se := math.Sqrt(want / batch); math.Abs(mean) > 5*se {
				t.Errorf("activity %d of layer %d: mean off by %.1f standard errors", k, l+1, mean/se)
			}
			if off := (square/want - 1) / math.Sqrt(2./batch); math.Abs(off) > 5 {
				t.Errorf("activity %d of layer %d: variance %.4f, want %.4f: off by %.1f standard errors", k, l+1, square, want, off)
			}
			at++
		}
	}
}

// TestMonteCarlo_GradientIsThePosteriorMean: on a linear chain E dF/dW_l = dF*/dW_l - Cov(z_{l-1}, e_l), and the mean
// energy is F* + 1/2 trace(H Cov), both closed forms in the stationary covariance. Each weight over 40 independent batches,
// in units of its standard error; of some hundred none should be 5 off (t distribution of 39 degrees: 1e-5 each).
func TestMonteCarlo_GradientIsThePosteriorMean(t *testing.T) {
	const batch, rate, temperature, runs = 8, .3, 1., 40
	c := newChain(t, theory.Spec{Scaling: theory.SP, Inputs: 4, Width: 5, Outputs: 2, Depth: 3}, batch)
	cov, h := stationary(t, c, rate, temperature)
	var hc mat.Dense
	hc.Mul(h, cov)
	energyWant := c.eq.Energy + mat.Trace(&hc)/2
	var want []float64
	block := func(i, j int) mat.Matrix { return cov.Slice(5*i, 5*i+5, 5*j, 5*j+5) }
	for l, g := range c.eq.Gradient().Dense() {
		if l > 0 { // Cov(z_{l-1}, e_l) = Cov(z_{l-1}, z_l) - Cov(z_{l-1}) M_l, z_L being fixed
			var shift mat.Dense
			shift.Mul(block(l-1, l-1), c.linear.Weights[l])
			if l < 2 {
				shift.Sub(&shift, block(l-1, l))
			}
			g.Add(g, &shift)
		}
		want = append(want, g.RawMatrix().Data...)
	}
	rule := &rules.MonteCarlo[float64]{BurnIn: 60, Every: 10, PC: train.PC[float64]{Model: c.model,
		Solver: &infer.Langevin[float64]{Rate: rate, Temperature: temperature, Rand: rand.New(rand.NewPCG(4, 2))}, Stop: infer.Steps(261)}}
	mean, square := make([]float64, len(want)+1), make([]float64, len(want)+1)
	for range runs {
		g, report := gradient(t, rule, c.x.RawMatrix().Data, c.y.RawMatrix().Data, batch)
		for i, v := range append(g, report.Energy) {
			mean[i] += v / runs
			square[i] += v * v / runs
		}
	}
	for i, v := range append(want, energyWant) {
		if se := math.Sqrt((square[i] - mean[i]*mean[i]) / (runs - 1)); math.Abs(mean[i]-v) > 5*se {
			t.Errorf("number %d of %d: %.4f, want %.4f: off by %.1f standard errors", i, len(want), mean[i], v, (mean[i]-v)/se)
		}
	}
	var pc []float64
	for _, g := range c.eq.Gradient().Dense() {
		pc = append(pc, g.RawMatrix().Data...)
	}
	if relative(want, pc) < .05 {
		t.Error("the noise makes no difference: the test says nothing")
	}
}

// TestRules_Learn: every rule solves the moons, which no linear map does.
func TestRules_Learn(t *testing.T) {
	if underRace {
		t.Skip("statistics")
	}
	trainSet, testSet := load(t, data.Moons{Train: 300, Test: 200, Noise: .1, Seed: 1})
	for name, rule := range ways[float32](t, 2, 16, 16, 2) {
		run := train.Trainer[float32]{Rule: rule, Optimizer: &optim.Adam[float32]{Rate: 1e-2}, Train: trainSet, Test: testSet, Batch: 32, Epochs: 60, Seed: 1}
		h, err := run.Run(t.Context())
		ok(t, err)
		t.Logf("%s: %d steps, test accuracy %.3f", name, h.Steps, h.Last().Accuracy)
		if h.Last().Accuracy < .97 {
			t.Errorf("%s: test accuracy %.3f, want 0.97", name, h.Last().Accuracy)
		}
	}
}

// ways are the rules of this file on fresh weights each, and PC in error coordinates.
func ways[T graph.Float](t *testing.T, widths ...int) map[string]train.Rule[T] {
	t.Helper()
	pc := func(c arch.Coordinates, s infer.Solver[T], n int) train.PC[T] {
		return train.PC[T]{Model: toyModel[T](t, c, widths...), Solver: s, Stop: infer.Steps(n)}
	}
	errs := pc(arch.Errors, plainDescent[T](.2), 8)
	noisy := &infer.Langevin[T]{Rate: .2, Temperature: .001, Rand: rand.New(rand.NewPCG(1, 1))}
	return map[string]train.Rule[T]{
		"errors":           &errs,
		"fixed prediction": &rules.FixedPrediction[T]{PC: pc(arch.Activities, plainDescent[T](.5), 12)},
		"zil":              &rules.ZIL[T]{Model: toyModel[T](t, arch.Activities, widths...)},
		"incremental":      &rules.Incremental[T]{PC: pc(arch.Activities, plainDescent[T](.2), 6)},
		"nudged target":    &rules.Nudged[T]{PC: pc(arch.Activities, plainDescent[T](.2), 12), Beta: .5, Sign: rules.RandomSign},
		"nudged cost":      &rules.Nudged[T]{PC: pc(arch.Activities, plainDescent[T](.1), 24), Beta: .05, Sign: rules.Centred, Nudge: rules.NudgedCost},
		"pc-alm":           &rules.PCALM[T]{Model: toyModel[T](t, arch.Activities, widths...), Ascent: 1, Refresh: 7},
		"pc-alm backwards": &rules.PCALM[T]{Model: toyModel[T](t, arch.Activities, widths...), Ascent: 1, Sweep: rules.Backwards},
		"monte carlo":      &rules.MonteCarlo[T]{PC: pc(arch.Activities, noisy, 20), BurnIn: 10, Every: 3},
	}
}

// TestRules_OnPictures: on a network of convolutions and pools zero-divergence inference and fixed prediction are backprop
// too, and PC's equilibrium is the same by Gauss-Newton in error coordinates, L-BFGS in either and descent.
func TestRules_OnPictures(t *testing.T) {
	n, err := arch.CNN{Act: layers.Tanh, Image: [3]int{8, 8, 1}, Channels: []int{3, 4}, Classes: 2, Bias: true}.Network()
	ok(t, err)
	w, err := arch.NewWeights[float64](n, rand.New(rand.NewPCG(1, 1)))
	ok(t, err)
	const batch = 3
	var ms [3]*arch.Model[float64]
	for c := range ms {
		ms[c], err = arch.Compile(n, w, arch.Plan{Batch: batch, Coordinates: arch.Coordinates(c)})
		ok(t, err)
	}
	x, y := make([]float64, batch*64), make([]float64, batch*2)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range x {
		x[i] = r.NormFloat64()
	}
	for i := range batch {
		y[2*i+r.IntN(2)] = 1
	}
	bp, _ := gradient(t, &train.Backprop[float64]{Model: ms[arch.Feedforward]}, x, y, batch)
	activities := ms[arch.Activities]
	for name, rule := range map[string]train.Rule[float64]{
		"zil":   &rules.ZIL[float64]{Model: activities},
		"fixed": &rules.FixedPrediction[float64]{PC: train.PC[float64]{Model: activities, Solver: plainDescent[float64](1), Stop: infer.Steps(3)}},
	} {
		if got, _ := gradient(t, rule, x, y, batch); !(relative(got, bp) <= bpTol) {
			t.Errorf("%s: off backprop by %.1e", name, relative(got, bp))
		}
	}
	rest := infer.Any{infer.Stationary{Tol: 1e-12}, infer.Steps(5000)}
	want, _ := gradient(t, &train.PC[float64]{Model: activities, Solver: plainDescent[float64](.3), Stop: rest}, x, y, batch)
	for name, rule := range map[string]*train.PC[float64]{
		"L-BFGS":           {Model: activities, Solver: &infer.LBFGS[float64]{}, Stop: rest},
		"L-BFGS on errors": {Model: ms[arch.Errors], Solver: &infer.LBFGS[float64]{}, Stop: rest},
		"Newton":           {Model: ms[arch.Errors], Solver: &infer.Newton[float64]{}, Stop: rest},
	} {
		got, report := gradient(t, rule, x, y, batch)
		if report.Inference.Status != infer.Converged || !(relative(got, want) <= 1e-9) || report.Inference.Evals > 60 {
			t.Errorf("%s: %v, off by %.1e", name, report.Inference, relative(got, want))
		}
	}
	if relative(want, bp) < .01 {
		t.Error("PC is backprop here: the test says nothing")
	}
}

// TestRules_SeeTheSameDropout: with a dropout between the layers, zero-divergence inference and fixed prediction are the
// backprop of the same masks batch by batch, a nudged cost tends to it, and Gauss-Newton finds the equilibrium that L-BFGS finds.
func TestRules_SeeTheSameDropout(t *testing.T) {
	lin := func(in, out int) layers.Layer {
		return layers.Compose{layers.Dropout{Rate: .4}, layers.Linear{In: in, Out: out, Act: layers.Tanh}}
	}
	n := &arch.Network{Input: []int{5}, Blocks: []arch.Block{
		{Name: "a", Layer: layers.Linear{In: 5, Out: 8}}, {Name: "b", Layer: lin(8, 8), Shape: []int{8}}, {Name: "c", Layer: lin(8, 3), Shape: []int{3}}}}
	w, err := arch.NewWeights[float64](n, rand.New(rand.NewPCG(1, 1)))
	ok(t, err)
	const batch, seed = 4, 9
	var ms [3]*arch.Model[float64]
	for c := range ms {
		ms[c], err = arch.Compile(n, w, arch.Plan{Batch: batch, Coordinates: arch.Coordinates(c)})
		ok(t, err)
	}
	k := newTask(t, arch.Chain{Act: layers.Tanh}, false, 1)
	pc := func(m *arch.Model[float64], s infer.Solver[float64], stop infer.Stop) train.PC[float64] {
		return train.PC[float64]{Model: m, Solver: s, Stop: stop, Seed: seed}
	}
	small := nudged(ms[arch.Activities], rules.NudgedCost, rules.Centred, 1e-3)
	small.PC.Seed = seed
	whole := nudged(ms[arch.Activities], rules.NudgedTarget, rules.Positive, 1)
	whole.PC.Seed = seed
	bfgs := pc(ms[arch.Errors], &infer.LBFGS[float64]{}, infer.Stationary{Tol: 1e-12})
	newton := pc(ms[arch.Errors], &infer.Newton[float64]{}, infer.Stationary{Tol: 1e-12})
	bp := &train.Backprop[float64]{Model: ms[arch.Feedforward], Seed: seed}
	zil := &rules.ZIL[float64]{Model: ms[arch.Activities], Seed: seed}
	fixed := &rules.FixedPrediction[float64]{PC: pc(ms[arch.Activities], plainDescent[float64](1), infer.Steps(3))}
	var before []float64
	for range 3 {
		want, _ := gradient(t, bp, k.x, k.y, batch)
		rest, _ := gradient(t, &bfgs, k.x, k.y, batch)
		for _, test := range []struct {
			name string
			rule train.Rule[float64]
			want []float64
			tol  float64
		}{
			{"zil", zil, want, bpTol}, {"fixed", fixed, want, bpTol}, {"nudged cost", small, want, 1e-5}, // beta^2 times a number
			{"newton", &newton, rest, 1e-9}, {"nudged target of beta 1", whole, rest, 1e-9},
		} {
			if got, _ := gradient(t, test.rule, k.x, k.y, batch); !(relative(got, test.want) <= test.tol) {
				t.Errorf("%s: off by %.1e", test.name, relative(got, test.want))
			}
		}
		if before != nil && relative(want, before) < .01 {
			t.Error("the masks do not change")
		}
		before = want
	}
}
