package train_test

import (
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/infer/ode"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/theory"
	"github.com/pcgraph/pcgraph/train"
)

// chain is a linear network at its start in theory and as a model, with data clamped.
type chain struct {
	spec   theory.Spec
	linear theory.Linear
	eq     *theory.Equilibrium
	model  *arch.Model[float64]
	x, y   *mat.Dense
}

func newChain(t *testing.T, spec theory.Spec, batch int) chain {
	t.Helper()
	r := rand.New(rand.NewPCG(7, 11))
	c := chain{spec: spec, x: mat.NewDense(batch, spec.Inputs, nil), y: mat.NewDense(batch, spec.Outputs, nil)}
	var err error
	c.linear, err = spec.Sample(r)
	ok(t, err)
	sizes := []int{spec.Inputs}
	for range spec.Depth - 1 {
		sizes = append(sizes, spec.Width)
	}
	scaling := map[theory.Scaling]arch.Scaling{theory.SP: arch.SP{}, theory.MuPC: arch.MuPC{}}[spec.Scaling]
	n, err := arch.Chain{Scaling: scaling, Act: layers.LinearAct, Widths: append(sizes, spec.Outputs), Skips: spec.Skips}.Network()
	ok(t, err)
	w, err := arch.NewWeights[float64](n, r)
	ok(t, err)
	for i, m := range c.linear.Weights {
		copy(w.Part(w.Data(), i), m.RawMatrix().Data)
	}
	w.Touch()
	for i := range c.x.RawMatrix().Data {
		c.x.RawMatrix().Data[i] = r.NormFloat64()
	}
	for i := range batch {
		c.y.Set(i, r.IntN(spec.Outputs), 1)
	}
	c.eq, err = c.linear.Equilibrium(c.x, c.y)
	ok(t, err)
	c.model, err = arch.Compile(n, w, arch.Plan{Batch: batch})
	ok(t, err)
	ok(t, c.model.Clamp(c.x.RawMatrix().Data, c.y.RawMatrix().Data))
	return c
}

// excess is F/F* - 1.
func (c chain) excess(energy float64) float64 { return energy/c.eq.Energy - 1 }

func (c chain) run(t *testing.T, s infer.Solver[float64], stop infer.Stop, observe func(infer.Reading)) infer.Result {
	t.Helper()
	ok(t, c.model.Forward())
	res, err := infer.Run(s, infer.Problem[float64]{Energy: c.model.StateGrad}, c.model.State(), stop, observe)
	ok(t, err)
	return res
}

// The energy falls to F* and never below it, along the closed form: the modes of the activity Hessian decay on their own,
// F(t) - F* = 1/2 sum_k lambda_k exp(-2 lambda_k t) c_k^2 with c_k the start's distance from equilibrium.
func TestFlow_FallsToTheEquilibriumEnergyOfALinearChain(t *testing.T) {
	for _, spec := range []theory.Spec{
		{Scaling: theory.SP, Inputs: 784, Width: 16, Outputs: 10, Depth: 6},
		{Scaling: theory.MuPC, Inputs: 50, Width: 16, Outputs: 10, Depth: 6, Skips: true},
	} {
		const batch = 8
		c := newChain(t, spec, batch)
		h, err := c.linear.ActivityHessian()
		ok(t, err)
		var eig mat.EigenSym
		if !eig.Factorize(h, true) {
			t.Fatal("eigenvalues")
		}
		lambda := eig.Values(nil)
		var vectors mat.Dense
		eig.VectorsTo(&vectors)
		ok(t, c.model.Forward())
		fields := len(c.eq.Activities)
		weight := make([]float64, len(lambda)) // sum over samples of c_k^2
		for i := range batch {
			d := mat.NewVecDense(len(lambda), nil)
			for l := range fields {
				for j := range spec.Width {
					d.SetVec(l*spec.Width+j, c.model.StateVector().Part(c.model.State(), l)[i*spec.Width+j]-c.eq.Activities[l].At(i, j))
				}
			}
			var modes mat.VecDense
			modes.MulVec(vectors.T(), d)
			for k := range weight {
				weight[k] += modes.AtVec(k) * modes.AtVec(k) / batch
			}
		}
		closed := func(t float64) float64 {
			f := c.eq.Energy
			for k, l := range lambda {
				f += l * math.Exp(-2*l*t) * weight[k] / 2
			}
			return f
		}
		for _, solver := range []*infer.Flow[float64]{
			{Method: ode.Tsit5, Control: ode.PID{RTol: 1e-8, ATol: 1e-8}, Horizon: 40},
			{Method: ode.Heun, Control: ode.PID{RTol: 1e-7, ATol: 1e-7}, Horizon: 5},
			{Method: ode.RK4, Control: ode.Constant{Step: 0.05}, Horizon: 40},
		} {
			last := math.Inf(1)
			res := c.run(t, solver, nil, func(r infer.Reading) {
				if want := closed(r.Time); math.Abs(r.Energy/want-1) > 1e-6 {
					t.Errorf("%s: energy %.10g at time %g, want %.10g", solver.Method.Name, r.Energy, r.Time, want)
				}
				if r.Energy < c.eq.Energy-1e-9 || r.Energy > last+1e-12 {
					t.Errorf("%s: energy %.12g after %.12g, lowest possible %.12g", solver.Method.Name, r.Energy, last, c.eq.Energy)
				}
				last = r.Energy
			})
			if res.Status != infer.TimeLimit {
				t.Errorf("%v", res)
			}
			t.Logf("%v %s: %v, F/F*-1 %.2e", spec.Scaling, solver.Method.Name, res, c.excess(res.Energy))
		}
	}
}

// A batch of 100 samples is more than one shard of the model's program. The flow has one norm over all of it: with any
// number of cores, the same bits; with the energy evaluated in two halves of the batch, the same steps and, as each
// sample's gradient is its own, the same bits too.
func TestFlow_IsExactWhenTheBatchIsSplit(t *testing.T) {
	const batch, half = 100, 50
	sizes := []int{20, 30, 30, 10}
	n, err := arch.MLP(arch.SP{}, layers.Tanh, sizes...)
	ok(t, err)
	r := rand.New(rand.NewPCG(3, 4))
	w, err := arch.NewWeights[float64](n, r)
	ok(t, err)
	x, y := make([]float64, batch*20), make([]float64, batch*10)
	for i := range x {
		x[i] = r.NormFloat64() * float64(1+i*8/len(x)) // the second half is harder
	}
	for i := range y {
		y[i] = r.NormFloat64()
	}
	compile := func(batch int, x, y []float64) *arch.Model[float64] {
		m, err := arch.Compile(n, w, arch.Plan{Batch: batch})
		ok(t, err)
		ok(t, m.Clamp(x, y))
		ok(t, m.Forward())
		return m
	}
	whole := compile(batch, x, y)
	first, second := compile(half, x[:half*20], y[:half*10]), compile(half, x[half*20:], y[half*10:])
	// scatter copies the halves' slabs into the whole's, or back.
	scatter := func(slab []float64, do func(whole, first, second []float64)) {
		for l := range whole.StateVector().Fields() {
			width := sizes[l+1]
			part := whole.StateVector().Part(slab, l)
			do(part, part[:half*width], part[half*width:])
		}
	}
	g := [2][]float64{make([]float64, len(first.State())), make([]float64, len(second.State()))}
	inHalves := infer.Problem[float64]{Energy: func(grad, z []float64) (float64, error) {
		l := 0
		scatter(z, func(_, a, b []float64) {
			copy(first.StateVector().Part(first.State(), l), a)
			copy(second.StateVector().Part(second.State(), l), b)
			l++
		})
		e1, err := first.StateGrad(g[0], first.State())
		if err != nil {
			return 0, err
		}
		e2, err := second.StateGrad(g[1], second.State())
		l = 0
		scatter(grad, func(_, a, b []float64) {
			copy(a, first.StateVector().Part(g[0], l))
			copy(b, second.StateVector().Part(g[1], l))
			l++
		})
		return (e1 + e2) / 2, err
	}}
	flow := func(p infer.Problem[float64]) (infer.Result, []float64) {
		z := slices.Clone(whole.State())
		res, err := infer.Run(&infer.Flow[float64]{Method: ode.Heun, Control: ode.PID{RTol: 1e-3, ATol: 1e-3}, Horizon: 3}, p, z, nil, nil)
		ok(t, err)
		res.Elapsed = 0
		return res, z
	}
	start := slices.Clone(whole.State())
	at := func(grad, z []float64) (float64, error) { return whole.StateGrad(grad, z) }
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	one, z := flow(infer.Problem[float64]{Energy: at})
	copy(whole.State(), start)
	runtime.GOMAXPROCS(4)
	four, z4 := flow(infer.Problem[float64]{Energy: at})
	if one != four || !slices.Equal(z, z4) {
		t.Errorf("one core: %v\nfour cores: %v", one, four)
	}
	copy(whole.State(), start)
	halves, zh := flow(inHalves)
	if halves.Step != one.Step || halves.Rejected != one.Rejected || halves.Time != one.Time || !slices.Equal(z, zh) {
		t.Errorf("whole: %v\nhalves: %v", one, halves)
	}
}

// PC with a flow needs no stop rule: the flow ends at its horizon, and the report says so.
func TestPC_WithAFlowEndsAtTheHorizon(t *testing.T) {
	c := newChain(t, theory.Spec{Scaling: theory.SP, Inputs: 20, Width: 16, Outputs: 5, Depth: 4}, 8)
	rule := &train.PC[float64]{Model: c.model, Solver: &infer.Flow[float64]{Method: ode.Heun, Control: ode.PID{RTol: 1e-3, ATol: 1e-3}, Horizon: 2}}
	ok(t, rule.Validate())
	grad := make([]float64, len(c.model.Weights().Data()))
	report, err := rule.Gradient(grad, c.x.RawMatrix().Data, c.y.RawMatrix().Data, 8)
	ok(t, err)
	if report.Inference.Status != infer.TimeLimit || !(report.Energy < report.Loss) || math.Abs(report.Energy-report.Inference.Energy) > 1e-12 || optim.Norm(grad) == 0 {
		t.Errorf("%+v", report)
	}
	rule.Solver = &infer.Flow[float64]{Method: ode.Heun, Horizon: 2}
	if rule.Validate() == nil {
		t.Error("a flow without control is valid")
	}
}

// Why there is no implicit or exponential step (docs/INFERENCE.md has the numbers for more networks). An SP chain is not
// stiff: Euler at its stability limit is at equilibrium in some tens of evaluations. A deep muPC chain with skips is, but the
// energy is quadratic and only its end point is wanted, so the remedy is a better descent, or the exact solve.
func TestFlow_StiffnessOfLinearChains(t *testing.T) {
	if underRace {
		t.Skip("statistics")
	}
	const goal = 1e-4 // of F/F* - 1
	for _, test := range []struct {
		spec            theory.Spec
		condition       [2]float64 // of the activity Hessian, between
		euler, momentum [2]int     // evaluations, between
	}{
		{theory.Spec{Scaling: theory.SP, Inputs: 64, Width: 64, Outputs: 10, Depth: 10}, [2]float64{15, 60}, [2]int{20, 60}, [2]int{5, 25}},
		{theory.Spec{Scaling: theory.MuPC, Inputs: 64, Width: 64, Outputs: 10, Depth: 10, Skips: true}, [2]float64{300, 1500}, [2]int{400, 2000}, [2]int{25, 100}},
	} {
		c := newChain(t, test.spec, 16)
		h, err := c.linear.ActivityHessian()
		ok(t, err)
		lambda, err := theory.Eigenvalues(h)
		ok(t, err)
		low, high := lambda[0], lambda[len(lambda)-1]
		if k := high / low; k < test.condition[0] || k > test.condition[1] {
			t.Errorf("%v: condition %.0f, want within %v", test.spec.Scaling, k, test.condition)
		}
		wide, narrow := math.Sqrt(high), math.Sqrt(low)
		for _, s := range []struct {
			name   string
			solver infer.Solver[float64]
			want   [2]int
		}{
			{"Euler", &infer.Flow[float64]{Method: ode.Euler, Control: ode.Constant{Step: 1.9 / high}, Horizon: 1e4}, test.euler},
			// the best rates for a quadratic of this spectrum (Polyak 1964)
			{"momentum", &infer.Descent[float64]{Optimizer: &optim.Momentum[float64]{
				Rate: 4 / ((wide + narrow) * (wide + narrow)), Mu: math.Pow((wide-narrow)/(wide+narrow), 2)}}, test.momentum},
		} {
			res := c.run(t, s.solver, below{c.eq.Energy * (1 + goal)}, nil)
			t.Logf("%v, spectrum %.3g to %.3g: %s took %d evaluations", test.spec.Scaling, low, high, s.name, res.Evals)
			if res.Evals < s.want[0] || res.Evals > s.want[1] {
				t.Errorf("%v %s: %d evaluations, want within %v", test.spec.Scaling, s.name, res.Evals, s.want)
			}
		}
	}
}

// below stops at an energy, or after too many steps.
type below struct{ energy float64 }

func (b below) Done(r infer.Reading) (infer.Status, bool) {
	return infer.Converged, r.Energy <= b.energy || r.Step >= 4000
}

// Near equilibrium the error of a step says nothing, so adaptive steps grow until they are unstable, are rejected, and grow
// again: the residual hovers at a level that the tolerances set, and a stop rule below it never fires. A constant step
// within the stability limit converges.
func TestFlow_AdaptiveStepsHoverAboveEquilibrium(t *testing.T) {
	c := newChain(t, theory.Spec{Scaling: theory.SP, Inputs: 64, Width: 16, Outputs: 5, Depth: 4}, 8)
	stop := infer.Stationary{Tol: 1e-9}
	hovering := func(tol float64) float64 {
		floor := math.Inf(1)
		res := c.run(t, &infer.Flow[float64]{Method: ode.Heun, Control: ode.PID{RTol: tol, ATol: tol}, Horizon: 200}, stop, func(r infer.Reading) {
			floor = min(floor, r.Residual)
		})
		if res.Status != infer.TimeLimit {
			t.Errorf("tolerance %g: %v, want the horizon", tol, res)
		}
		t.Logf("tolerance %g: %v, lowest residual %.1e, F/F*-1 %.1e", tol, res, floor, c.excess(res.Energy))
		return floor
	}
	loose, tight := hovering(1e-3), hovering(1e-5)
	if loose < 1e-7 || tight > loose/5 {
		t.Errorf("lowest residual %g at tolerance 1e-3, %g at 1e-5: want one that the tolerance sets", loose, tight)
	}
	if res := c.run(t, &infer.Flow[float64]{Method: ode.Heun, Control: ode.Constant{Step: 0.5}, Horizon: 200}, stop, nil); res.Status != infer.Converged {
		t.Errorf("constant steps: %v, want convergence", res)
	}
}
