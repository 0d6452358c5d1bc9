package train_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/theory"
	"github.com/pcgraph/pcgraph/train"
	"github.com/pcgraph/pcgraph/train/analysis"
	"github.com/pcgraph/pcgraph/train/rules"
)

// normals are n draws.
func normals(seed uint64, n int) []float64 {
	r := rand.New(rand.NewPCG(seed, 5))
	v := make([]float64, n)
	for i := range v {
		v[i] = r.NormFloat64()
	}
	return v
}

// made compiles a network over fresh weights.
func made(t *testing.T, n *arch.Network, p arch.Plan) *arch.Model[float64] {
	t.Helper()
	w, err := arch.NewWeights[float64](n, rand.New(rand.NewPCG(3, 3)))
	ok(t, err)
	m, err := arch.Compile(n, w, p)
	ok(t, err)
	return m
}

// atRest is inference to the end.
func atRest() (infer.Solver[float64], infer.Stop) {
	return &infer.Descent[float64]{Optimizer: &optim.SGD[float64]{Rate: .2}}, infer.Any{infer.Stationary{Tol: 1e-13}, infer.Steps(20000)}
}

// near compares numbers.
func near(t *testing.T, what string, got, want []float64, tol float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d numbers, want %d", what, len(got), len(want))
	}
	for i, v := range got {
		if !(math.Abs(v-want[i]) <= tol) {
			t.Fatalf("%s: element %d is %v, want %v", what, i, v, want[i])
		}
	}
}

// TestQuery_InversionIsLeastSquares: the free input of one linear layer minimises |y - x W|^2, whose solution gonum knows.
// The tolerance is that of the stop rule divided by the smallest curvature.
func TestQuery_InversionIsLeastSquares(t *testing.T) {
	const in, out, n = 3, 5, 10 // 10 samples in batches of 4: two whole ones and a rest
	net, err := arch.Chain{Act: layers.LinearAct, Widths: []int{in, out}}.Network()
	ok(t, err)
	m := made(t, net, arch.Plan{Batch: 4, FreeInput: true})
	for i, v := range normals(1, in*out) {
		m.Weights().Data()[i] = .5 * v
	}
	m.Weights().Touch()
	y := normals(2, n*out)
	solver, stop := atRest()
	q := &train.Query[float64]{Model: m, Solver: solver, Stop: stop, Start: &train.Gaussian[float64]{Std: .05, Seed: 1}, Site: arch.InputName}
	got, err := q.Inputs(y)
	ok(t, err)
	var want mat.Dense
	ok(t, want.Solve(mat.NewDense(in, out, m.Weights().Data()).T(), mat.NewDense(n, out, y).T()))
	near(t, "inputs", got, mat.DenseCopyOf(want.T()).RawMatrix().Data, 1e-10)
}

// TestQuery_CompletionIsTheConditionalMean: with a normal prior on the causes of a linear memory, the missing units are
// those of the best cause, (z - c)(I + W_g W_g') = (y_g - (c W + b)_g) W_g', g being the given ones, which stay to the bit.
func TestQuery_CompletionIsTheConditionalMean(t *testing.T) {
	const causes, units, n = 2, 4, 3
	lin := func(in, out int) layers.Linear { return layers.Linear{In: in, Out: out, Bias: true} }
	net := &arch.Network{Input: []int{1}, Blocks: []arch.Block{{Name: "cause", Layer: lin(1, causes)}, {Name: "seen", Layer: lin(causes, units)}}}
	m := made(t, net, arch.Plan{Batch: n, Hold: map[string]arch.Hold{"seen": arch.Masked}})
	mask := []float64{1, 0, 1, 0}
	ok(t, m.Mask("seen", mask))
	for _, start := range []train.Start[float64]{nil, &train.Gaussian[float64]{Std: 1, Seed: 2}} {
		solver, stop := atRest()
		q := &train.Query[float64]{Model: m, Solver: solver, Stop: stop, Start: start, Site: "seen"}
		y := normals(4, n*units)
		got, energy, err := q.Ask(train.Repeat([]float64{1}, n), y, n)
		ok(t, err)
		w := m.Weights()
		c, b, big := mat.NewDense(1, causes, nil), w.Field("seen/b"), mat.NewDense(causes, units, w.Field("seen/W"))
		for k := range causes {
			c.Set(0, k, w.Field("cause/W")[k]+w.Field("cause/b")[k])
		}
		given := mat.NewDense(causes, units, nil)
		given.Apply(func(_, k int, v float64) float64 { return v * mask[k] }, big)
		var h, mean mat.Dense
		h.Mul(given, given.T())
		for k := range causes {
			h.Set(k, k, h.At(k, k)+1)
		}
		mean.Mul(c, big)
		want, least := slices.Clone(y), 0.
		for i := range n {
			r := mat.NewDense(1, units, nil)
			for k := range units {
				r.Set(0, k, (y[i*units+k]-mean.At(0, k)-b[k])*mask[k])
			}
			var g, d, fill mat.Dense
			g.Mul(r, given.T())
			ok(t, d.Solve(&h, g.T()))
			fill.Mul(d.T(), big)
			for k := range units {
				p := mean.At(0, k) + b[k] + fill.At(0, k)
				if mask[k] == 0 {
					want[i*units+k] = p
				} else {
					least += math.Pow(y[i*units+k]-p, 2) / 2 / n
				}
			}
			for k := range causes {
				least += math.Pow(d.At(k, 0), 2) / 2 / n
			}
		}
		near(t, "completed", got, want, 1e-10)
		near(t, "energy", []float64{energy}, []float64{least}, 1e-12)
		for i, v := range got {
			if mask[i%units] == 1 && v != y[i] {
				t.Errorf("given unit %d became %v, was %v", i, v, y[i])
			}
		}
	}
}

// TestGuess_BeginsWithTheFeedforwardPassOfTheGuess: no hidden layer has an error, and the output is Predict's.
func TestGuess_BeginsWithTheFeedforwardPassOfTheGuess(t *testing.T) {
	net, err := arch.MLP(nil, layers.Tanh, 2, 6, 5, 3)
	ok(t, err)
	m := made(t, net, arch.Plan{Batch: 4, FreeInput: true})
	y := normals(1, 4*3)
	ok(t, m.Clamp(nil, y))
	guess := []float64{.3, -.7}
	ok(t, train.Guess[float64]{Site: arch.InputName, Values: guess}.Begin(m, nil, y))
	f, err := m.Energy()
	ok(t, err)
	p, err := m.Predict(guess)
	ok(t, err)
	want := 0.
	for i, v := range y {
		want += math.Pow(v-p[i%3], 2) / 2 / 4
	}
	near(t, "energy", []float64{f}, []float64{want}, 1e-14)
	says(t, "another size", train.Guess[float64]{Site: "x", Values: guess[:1]}.Begin(m, nil, y), "Guess", `1 numbers for "x", which has 2`)
	says(t, "no such site", train.Guess[float64]{Site: "z", Values: guess}.Begin(m, nil, y), `"z"`)
}

// TestUnsupervised_FindsThePrincipalComponents: a linear network whose free input is at rest learns, by PC's gradient, the
// subspace of the largest variance: what remains of the energy is half the variance of the other directions, which the
// eigenvalues of the covariance say. The tolerance is what descent on the weights has left after its steps.
func TestUnsupervised_FindsThePrincipalComponents(t *testing.T) {
	const units, latents, n = 5, 2, 40
	x := normals(7, n*units)
	for i := range x {
		x[i] *= []float64{3, .5, 2, .4, .3}[i%units]
	}
	net, err := arch.Chain{Act: layers.LinearAct, Widths: []int{latents, units}}.Network()
	ok(t, err)
	m := made(t, net, arch.Plan{Batch: n, FreeInput: true})
	copy(m.Weights().Data(), normals(8, latents*units))
	m.Weights().Touch()
	solver := &infer.Descent[float64]{Optimizer: &optim.Momentum[float64]{Rate: .1, Mu: .8}}
	rule := &rules.Unsupervised[float64]{Model: m, Solver: solver, Stop: infer.Any{infer.Stationary{Tol: 1e-9}, infer.Steps(500)}, Start: &train.Gaussian[float64]{Seed: 1}}
	ok(t, rule.Validate())
	grad := make([]float64, latents*units)
	opt := train.Update[float64]{Optimizer: &optim.SGD[float64]{Rate: .3}}
	var report train.Report
	for range 300 {
		report, err = rule.Gradient(grad, x, nil, n)
		ok(t, err)
		opt.Step(m.Weights(), grad)
	}
	var e mat.EigenSym
	var second mat.SymDense
	second.SymOuterK(1./n, mat.NewDense(n, units, x).T())
	if !e.Factorize(&second, false) {
		t.Fatal("no eigenvalues")
	}
	want := 0.
	for _, v := range e.Values(nil)[:units-latents] { // ascending
		want += v / 2
	}
	near(t, "energy", []float64{report.Energy}, []float64{want}, 1e-6)
	if in, out := rule.Subject().Sizes(); in != units || out != 0 {
		t.Errorf("sizes %d and %d", in, out)
	}
}

// TestUnsupervised_WithAConstantInputIsPC: the same gradient to the bit as PC has for that input.
func TestUnsupervised_WithAConstantInputIsPC(t *testing.T) {
	net, err := arch.MLP(nil, layers.Tanh, 1, 4, 6)
	ok(t, err)
	m := made(t, net, arch.Plan{Batch: 5})
	x, one := normals(1, 5*6), train.Repeat([]float64{1}, 5)
	solver := &infer.Descent[float64]{Optimizer: &optim.SGD[float64]{Rate: .1}}
	a, b := make([]float64, len(m.Weights().Data())), make([]float64, len(m.Weights().Data()))
	rule := &rules.Unsupervised[float64]{Model: m, Input: one[:1], Solver: solver, Stop: infer.Steps(7), Start: train.Feedforward[float64]{}}
	ok(t, rule.Validate())
	_, err = rule.Gradient(a, x, nil, 5)
	ok(t, err)
	_, err = (&train.PC[float64]{Model: m, Solver: solver, Stop: infer.Steps(7)}).Gradient(b, one, x, 5)
	ok(t, err)
	if !slices.Equal(a, b) {
		t.Errorf("gradients differ: %v and %v", a, b)
	}
}

// TestGenerator_IsItsRuleTheOtherWayRound: gradient, sizes and prediction with inputs and targets exchanged.
func TestGenerator_IsItsRuleTheOtherWayRound(t *testing.T) {
	rule := baseRules[float64](t, 3, 6, 4)["pc"]
	g := &rules.Generator[float64]{Rule: rule}
	ok(t, g.Validate())
	if in, out := g.Subject().Sizes(); in != 4 || out != 3 {
		t.Errorf("sizes %d and %d", in, out)
	}
	x, y := normals(1, 8*4), normals(2, 8*3)
	a, b := make([]float64, len(rule.Subject().Weights.Data())), make([]float64, len(rule.Subject().Weights.Data()))
	_, err := g.Gradient(a, x, y, 8)
	ok(t, err)
	_, err = rule.Gradient(b, y, x, 8)
	ok(t, err)
	if !slices.Equal(a, b) {
		t.Error("gradients differ")
	}
	_, err = g.Predict(x)
	says(t, "nothing inverts", err, "Invert is missing")
	g.Invert = func(x []float64) ([]float64, error) { return x[:1], nil }
	p, err := g.Predict(x)
	ok(t, err)
	if p[0] != x[0] {
		t.Error("Predict is not Invert")
	}
	says(t, "no rule", (&rules.Generator[float64]{}).Validate(), "Rule is missing")

	// A rule that moves the weights within a batch does so here, too.
	var learner train.Rule[float64] = &rules.Generator[float64]{Rule: &rules.Incremental[float64]{PC: plainPC(toyModel[float64](t, arch.Activities, 3, 6, 4), .1, 5)}}
	l, is := learner.(train.Learner[float64])
	if !is {
		t.Fatal("a Generator of a Learner is none")
	}
	moves := 0
	_, err = l.Learn(make([]float64, len(l.Subject().Weights.Data())), x, y, 8, func(train.Report) error { moves++; return nil })
	ok(t, err)
	if moves != 5 {
		t.Errorf("the weights moved %d times in a batch, want 5, once in every step of inference", moves)
	}
}

// linearPair is a linear chain in the package and in theory, with clamped data and the activities at the feedforward pass.
func linearPair(t *testing.T, widths ...int) (*arch.Model[float64], theory.Linear) {
	t.Helper()
	net, err := arch.Chain{Act: layers.LinearAct, Widths: widths}.Network()
	ok(t, err)
	m := made(t, net, arch.Plan{Batch: 1})
	var l theory.Linear
	for i := range len(widths) - 1 {
		l.Weights = append(l.Weights, mat.NewDense(widths[i], widths[i+1], slices.Clone(m.Weights().Part(m.Weights().Data(), i))))
	}
	ok(t, m.Clamp(normals(1, widths[0]), normals(2, widths[len(widths)-1])))
	ok(t, m.Forward())
	return m, l
}

// TestSlice_OfALinearChainIsAParabola: F(z + s d) = F + s g.d + s^2/2 d'Hd with theory's Hessian, exactly but for rounding.
func TestSlice_OfALinearChainIsAParabola(t *testing.T) {
	m, l := linearPair(t, 3, 4, 2, 3)
	h, err := l.ActivityHessian()
	ok(t, err)
	z := slices.Clone(m.State())
	d, grad := normals(3, len(z)), make([]float64, len(z))
	f, err := m.StateGrad(grad, m.State())
	ok(t, err)
	v := mat.NewVecDense(len(d), d)
	slope, curvature := mat.Dot(mat.NewVecDense(len(d), grad), v), mat.Inner(v, h, v)
	at := []float64{-2, -.5, 0, 1, 3}
	got, err := analysis.Slice(m, d, at)
	ok(t, err)
	var want []float64
	for _, s := range at {
		want = append(want, f+s*slope+s*s/2*curvature)
	}
	near(t, "slice", got, want, 1e-12)
	if !slices.Equal(z, m.State()) {
		t.Error("the activities moved")
	}
	_, err = analysis.Slice(m, d[1:], at)
	says(t, "a short direction", err, "slice")
}

// TestTrace_IsRunWithEveryPoint: the energies fall to theory's equilibrium, the terms add up to them, and the end is that of
// a plain run to the bit.
func TestTrace_IsRunWithEveryPoint(t *testing.T) {
	m, l := linearPair(t, 3, 4, 2, 3)
	solver, stop := atRest()
	moments, result, err := analysis.Trace(m, solver, stop)
	ok(t, err)
	if len(moments) != result.Step+1 || result.Status != infer.Converged {
		t.Fatalf("%d moments of %v", len(moments), result)
	}
	for i, now := range moments {
		sum := 0.
		for _, e := range now.Terms {
			sum += e
		}
		near(t, "terms", []float64{sum}, []float64{now.Energy}, 1e-14)
		if i > 0 && now.Energy > moments[i-1].Energy*(1+1e-14) {
			t.Errorf("the energy rises at step %d", i)
		}
	}
	eq, err := l.Equilibrium(mat.NewDense(1, 3, normals(1, 3)), mat.NewDense(1, 3, normals(2, 3)))
	ok(t, err)
	near(t, "energy", []float64{moments[len(moments)-1].Energy}, []float64{eq.Energy}, 1e-13)
	end := slices.Clone(m.State())
	ok(t, m.Forward())
	_, err = infer.Run(solver, infer.Problem[float64]{Energy: m.StateGrad}, m.State(), stop, nil)
	ok(t, err)
	if !slices.Equal(end, m.State()) {
		t.Error("another end than Run's")
	}
}

// TestFitCloud_KnowsItsAxes: four points on two axes have the covariance diag(2 a^2, 2 b^2)/3; draws from the fit have its
// deviations within five standard errors.
func TestFitCloud_KnowsItsAxes(t *testing.T) {
	const a, b = 3, .5
	c, err := analysis.FitCloud([]float64{1 + a, 2, 1 - a, 2, 1, 2 + b, 1, 2 - b}, 2)
	ok(t, err)
	near(t, "mean", c.Mean, []float64{1, 2}, 1e-15)
	near(t, "deviations", c.Stds, []float64{a * math.Sqrt(2./3), b * math.Sqrt(2./3)}, 1e-14)
	p := c.At(0, 1)
	near(t, "a point", []float64{math.Abs(p[0] - 1), p[1]}, []float64{c.Stds[0], 2}, 1e-14)
	rng := rand.New(rand.NewPCG(1, 1))
	const n = 2000
	var sums [2]float64
	for range n {
		p := c.Sample(rng)
		sums[0] += math.Pow(p[0]-1, 2) / n
		sums[1] += math.Pow(p[1]-2, 2) / n
	}
	for k, s := range sums {
		if got := math.Sqrt(s); math.Abs(got/c.Stds[k]-1) > 5/math.Sqrt(2*n) {
			t.Errorf("axis %d: deviation %v of the draws, want %v", k, got, c.Stds[k])
		}
	}
	_, err = analysis.FitCloud([]float64{1, 2}, 2)
	says(t, "one point", err, "two or more")
}

// turnStream is points that go round, and a linear stream of them.
func turnStream(t *testing.T) (*rules.Stream[float64], func(k int) []float64) {
	t.Helper()
	const streams = 16
	lin := func(in, out int) layers.Linear { return layers.Linear{In: in, Out: out} }
	m := made(t, &arch.Network{Input: []int{2}, Blocks: []arch.Block{{Name: "state", Layer: lin(2, 2)}, {Name: "seen", Layer: lin(2, 2)}}}, arch.Plan{Batch: streams})
	s := &rules.Stream[float64]{Model: m, Site: "state",
		Solver: &infer.Descent[float64]{Optimizer: &optim.SGD[float64]{Rate: .2}}, Stop: infer.Steps(20)}
	ok(t, s.Validate())
	phases := normals(9, streams)
	return s, func(k int) []float64 {
		var y []float64
		for _, p := range phases {
			sin, cos := math.Sincos(3*p + .5*float64(k))
			y = append(y, cos, sin)
		}
		return y
	}
}

// TestStream_LearnsHowPointsTurn: what it expects of the next step comes within 1 % (of the squared error) of the distance that
// the points move, also two steps ahead; looking ahead leaves the stream where it is.
func TestStream_LearnsHowPointsTurn(t *testing.T) {
	s, at := turnStream(t)
	tr := &train.Trainer[float64]{Rule: s, Optimizer: &optim.Adam[float64]{Rate: .01}, MaxSteps: 1500,
		Feed: func(step int) (x, y []float64) { return nil, at(step - 1) }}
	_, err := tr.Run(t.Context())
	ok(t, err)
	before := slices.Clone(s.Activity())
	expected, err := s.Expect(2)
	ok(t, err)
	if !slices.Equal(before, s.Activity()) {
		t.Error("looking ahead moved the stream")
	}
	for i, e := range expected {
		wrong, moved := 0., 0.
		now, next := at(1499), at(1500+i)
		for k := range e {
			wrong, moved = wrong+math.Pow(e[k]-next[k], 2), moved+math.Pow(now[k]-next[k], 2)
		}
		if wrong > .01*moved {
			t.Errorf("%d steps ahead: squared error %v, the points moved %v", i+1, wrong, moved)
		}
	}
	s.Reset()
	if slices.ContainsFunc(s.Activity(), func(v float64) bool { return v != 0 }) {
		t.Error("Reset left an activity")
	}
}

// TestStream_InfersWhatTheModelDoes: what is observed is an inference of the model with the activity before as
// its input, and leaves the weights alone.
func TestStream_InfersWhatTheModelDoes(t *testing.T) {
	s, at := turnStream(t)
	w := slices.Clone(s.Model.Weights().Data())
	_, err := s.Observe(at(0))
	ok(t, err)
	z := slices.Clone(s.Activity())
	r, err := s.Observe(at(1))
	ok(t, err)
	if !slices.Equal(w, s.Model.Weights().Data()) {
		t.Error("the weights moved")
	}
	end := slices.Clone(s.Activity())
	m := s.Model
	ok(t, m.Clamp(z, at(1)))
	ok(t, m.Forward())
	_, err = infer.Run(s.Solver, infer.Problem[float64]{Energy: m.StateGrad}, m.State(), s.Stop, nil)
	ok(t, err)
	f, err := m.Energy()
	ok(t, err)
	if f != r.Energy || !slices.Equal(end, m.State()[:len(end)]) {
		t.Errorf("energy %v, want %v", r.Energy, f)
	}
}

// TestTasks_SayWhatIsMissing: descriptions that cannot work are errors that name the part.
func TestTasks_SayWhatIsMissing(t *testing.T) {
	net, err := arch.MLP(nil, layers.Tanh, 3, 4, 2)
	ok(t, err)
	clamped, free := made(t, net, arch.Plan{Batch: 2}), made(t, net, arch.Plan{Batch: 2, FreeInput: true})
	errs := made(t, net, arch.Plan{Batch: 2, Coordinates: arch.Errors, FreeInput: true})
	solver, stop := atRest()
	start := &train.Gaussian[float64]{Std: .1}
	for _, c := range []struct {
		reason string
		err    error
		want   []string
	}{
		{"no model", (&train.Query[float64]{Solver: solver, Stop: stop, Site: "x"}).Validate(), []string{"query", "missing"}},
		{"errors are no activities", (&train.Query[float64]{Model: errs, Solver: solver, Stop: stop, Site: "x"}).Validate(), []string{"coordinates of errors"}},
		{"a clamped site", (&train.Query[float64]{Model: clamped, Solver: solver, Stop: stop, Site: "x"}).Validate(), []string{`"x"`, "Hold"}},
		{"no end", (&train.Query[float64]{Model: free, Solver: solver, Site: "x"}).Validate(), []string{"Stop is missing"}},
		{"a start out of range", (&train.Query[float64]{Model: free, Solver: solver, Stop: stop, Site: "x", Start: &train.Gaussian[float64]{Std: -1}}).Validate(), []string{"Std -1"}},
		{"no start", (&rules.Unsupervised[float64]{Model: free, Solver: solver, Stop: stop}).Validate(), []string{"unsupervised", "Start"}},
		{"clamped to nothing", (&rules.Unsupervised[float64]{Model: clamped, Solver: solver, Stop: stop, Start: start}).Validate(), []string{"FreeInput"}},
		{"free and given", (&rules.Unsupervised[float64]{Model: free, Input: make([]float64, 3), Solver: solver, Stop: stop, Start: start}).Validate(), []string{"give one of them"}},
		{"an input of another size", (&rules.Unsupervised[float64]{Model: clamped, Input: make([]float64, 2), Solver: solver, Stop: stop, Start: start}).Validate(), []string{"2 numbers", "takes 3"}},
		{"no such site", (&rules.Stream[float64]{Model: clamped, Solver: solver, Stop: stop, Site: "block7"}).Validate(), []string{"stream", `"block7"`}},
		{"an input of another width", (&rules.Stream[float64]{Model: clamped, Solver: solver, Stop: stop, Site: "block1"}).Validate(), []string{"3 units", "4"}},
		{"a free input", (&rules.Stream[float64]{Model: free, Solver: solver, Stop: stop, Site: "block1"}).Validate(), []string{"stream", "free"}},
	} {
		says(t, c.reason, c.err, c.want...)
	}
	_, err = (&train.Query[float64]{Model: free, Solver: solver, Stop: stop, Site: "x"}).Inputs(make([]float64, 3))
	says(t, "no whole samples", err, "whole samples of 2")
	_, err = (&rules.Unsupervised[float64]{}).Subject().Predict(nil)
	says(t, "nothing to predict", err, "Query")
}

// TestQuery_SaysWhereInferenceDiverged: no activity stays finite at such a rate.
func TestQuery_SaysWhereInferenceDiverged(t *testing.T) {
	net, err := arch.MLP(nil, layers.LinearAct, 3, 4, 2)
	ok(t, err)
	m := made(t, net, arch.Plan{Batch: 2, FreeInput: true})
	q := &train.Query[float64]{Model: m, Solver: &infer.Descent[float64]{Optimizer: &optim.SGD[float64]{Rate: 1e3}}, Stop: infer.Steps(1000), Site: "x"}
	_, err = q.Inputs(normals(1, 6))
	says(t, "too large a rate", err, "samples 0 to 1 diverged", "lower")
}

// TestTasks_AllocateNothing: a gradient and an observed step, once their memory is there.
func TestTasks_AllocateNothing(t *testing.T) {
	if underRace {
		t.Skip("the race detector allocates")
	}
	net, err := arch.MLP(nil, layers.Tanh, 3, 4, 2)
	ok(t, err)
	m := made(t, net, arch.Plan{Batch: 8, FreeInput: true})
	rule := &rules.Unsupervised[float64]{Model: m, Solver: &infer.Descent[float64]{Optimizer: &optim.SGD[float64]{Rate: .1}}, Stop: infer.Steps(4), Start: &train.Gaussian[float64]{Std: .1}}
	grad, x := make([]float64, len(m.Weights().Data())), normals(1, 16)
	if n := testing.AllocsPerRun(20, func() {
		if _, err := rule.Gradient(grad, x, nil, 8); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("Unsupervised.Gradient allocates %v times", n)
	}
	s, at := turnStream(t)
	y, grad := at(0), make([]float64, len(s.Model.Weights().Data()))
	if n := testing.AllocsPerRun(20, func() {
		_, err := s.Observe(y)
		_, also := s.Gradient(grad, nil, y, len(y)/2)
		if err != nil || also != nil {
			t.Error(err, also)
		}
	}); n != 0 {
		t.Errorf("Stream.Observe and Gradient allocate %v times", n)
	}
}
