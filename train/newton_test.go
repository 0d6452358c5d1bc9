package train_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/theory"
	"github.com/pcgraph/pcgraph/train"
)

// TestNewton_IsTheExactSolveOfLinearChains: one step from anywhere is the equilibrium of the linear theory, at the price of
// one evaluation and one backward pass; with skips, at any output precision, of any depth.
func TestNewton_IsTheExactSolveOfLinearChains(t *testing.T) {
	for _, spec := range []theory.Spec{
		{Scaling: theory.SP, Inputs: 6, Width: 7, Outputs: 3, Depth: 2},
		{Scaling: theory.SP, Inputs: 6, Width: 7, Outputs: 3, Depth: 5, Precision: 20},
		{Scaling: theory.SP, Inputs: 20, Width: 16, Outputs: 1, Depth: 12, Skips: true},
		{Scaling: theory.MuPC, Inputs: 20, Width: 16, Outputs: 10, Depth: 20, Skips: true, Precision: .01},
	} {
		c := newChain(t, spec, 5)
		lambda := 1.
		if spec.Precision > 0 {
			lambda = spec.Precision
		}
		c.linear.Precision = lambda
		eq, err := c.linear.Equilibrium(c.x, c.y)
		ok(t, err)
		m, err := arch.Compile(c.model.Network(), c.model.Weights(), arch.Plan{Batch: 5, Coordinates: arch.Errors, Energy: energy.PC{Output: energy.Gaussian{Precision: lambda}}})
		ok(t, err)
		ok(t, m.Clamp(c.x.RawMatrix().Data, c.y.RawMatrix().Data))
		r := rand.New(rand.NewPCG(1, 1))
		for i := range m.State() {
			m.State()[i] = r.NormFloat64()
		}
		res, err := infer.Run(&infer.Newton[float64]{}, train.ProblemOf(m), m.State(), infer.Steps(1), nil)
		ok(t, err)
		var want []float64
		for _, e := range eq.Errors[:spec.Depth-1] {
			want = append(want, e.RawMatrix().Data...)
		}
		f, err := m.Energy()
		ok(t, err)
		if d := relative(m.State(), want); !(d <= 1e-10) || math.Abs(f/eq.Energy-1) > 1e-12 || res.Evals != 3 {
			t.Errorf("%+v: errors off by %.1e, energy %.15g, want %.15g; %v", spec, d, f, eq.Energy, res)
		}
	}
}

// TestNewton_SolvesTheGaussNewtonSystem: the oracle is the dense matrix D + A^T H A of each sample, A by central differences
// of plain loops, which are good to about 1e-8.
func TestNewton_SolvesTheGaussNewtonSystem(t *testing.T) {
	const precision, hidden, h = 3., 2., 1e-5
	for _, softmax := range []bool{false, true} {
		k := newTask(t, arch.Chain{Act: layers.Tanh, Bias: true, Skips: true}, softmax, 1)
		pc := k.likelihood(precision)
		pc.Hidden = energy.Gaussian{Precision: hidden}
		m, err := arch.Compile(k.net, k.w, arch.Plan{Batch: k.batch, Coordinates: arch.Errors, Energy: pc})
		ok(t, err)
		ok(t, m.Clamp(k.x, k.y))
		r := rand.New(rand.NewPCG(2, 1))
		grad, step := make([]float64, len(m.State())), make([]float64, len(m.State()))
		for i := range grad {
			m.State()[i], grad[i] = .3*r.NormFloat64(), r.NormFloat64()
		}
		evals, err := m.Newton(step, grad, m.State())
		ok(t, err)
		if evals != 3 {
			t.Errorf("%d evaluations, want one per output", evals)
		}
		v := m.StateVector()
		width, in := 8, 5
		size := width * len(v.Fields())
		at := func(i, j int) int { lo, _ := v.Span(j / width); return lo + i*width + j%width }
		for i := range k.batch {
			output := func() []float64 {
				var errs [][]float64
				for l := range v.Fields() {
					errs = append(errs, v.Part(m.State(), l)[i*width:(i+1)*width])
				}
				zs := k.plain.forward(k.x[i*in:(i+1)*in], errs)
				return append([]float64(nil), k.plain.predict(len(zs)-2, zs[len(zs)-2])...)
			}
			a := mat.NewDense(3, size, nil)
			for j := range size {
				e := &m.State()[at(i, j)]
				*e += h
				up := output()
				*e -= 2 * h
				down := output()
				*e += h
				for o := range 3 {
					a.Set(o, j, (up[o]-down[o])/2/h)
				}
			}
			curvature := mat.NewDense(3, 3, nil)
			mu := output()
			sum := 0.
			for o := range mu {
				mu[o] = math.Exp(mu[o])
				sum += mu[o]
			}
			for o := range 3 {
				curvature.Set(o, o, precision)
				for q := range 3 {
					if softmax {
						p, s := mu[o]/sum, mu[q]/sum
						curvature.Set(o, q, -precision*p*s)
						if o == q {
							curvature.Set(o, q, precision*p*(1-p))
						}
					}
				}
			}
			var c, ha mat.Dense
			ha.Mul(curvature, a)
			c.Mul(a.T(), &ha)
			g := mat.NewVecDense(size, nil)
			for j := range size {
				c.Set(j, j, c.At(j, j)+hidden)
				g.SetVec(j, grad[at(i, j)])
			}
			var want mat.VecDense
			ok(t, want.SolveVec(&c, g))
			for j := range size {
				if d := math.Abs(step[at(i, j)] - want.AtVec(j)); d > 1e-7 {
					t.Fatalf("softmax %v, sample %d, error %d: off by %.1e", softmax, i, j, d)
				}
			}
		}
	}
}

// TestNewton_ReachesTheEquilibrium: of nonlinear networks, in few steps, the same as L-BFGS in either coordinates: the
// weight gradients there agree.
func TestNewton_ReachesTheEquilibrium(t *testing.T) {
	for _, act := range []layers.Act{layers.Tanh, layers.Sigmoid, layers.GELU, layers.SiLU} {
		for _, softmax := range []bool{false, true} {
			k := newTask(t, arch.Chain{Act: act, Bias: true}, softmax, 1)
			var want []float64
			for _, way := range []struct {
				name        string
				coordinates arch.Coordinates
				solver      infer.Solver[float64]
				evals       int
			}{
				{"L-BFGS on activities", arch.Activities, &infer.LBFGS[float64]{}, 120},
				{"L-BFGS on errors", arch.Errors, &infer.LBFGS[float64]{}, 80},
				{"Newton", arch.Errors, &infer.Newton[float64]{}, 130},
			} {
				rule := &train.PC[float64]{Model: k.model(t, way.coordinates, 1), Solver: way.solver, Stop: infer.Stationary{Tol: 1e-10}}
				got, report := gradient(t, rule, k.x, k.y, k.batch)
				t.Logf("%v softmax=%v %s: %v", act, softmax, way.name, report.Inference)
				if report.Inference.Status != infer.Converged || report.Inference.Evals > way.evals {
					t.Errorf("%v softmax=%v %s: %v", act, softmax, way.name, report.Inference)
				}
				if want == nil {
					want = got
				}
				if d := k.worstField(got, want); !(d <= 1e-6) { // residuals of 1e-10 over gradients of 1e-4 where an activation is steep nowhere
					t.Errorf("%v softmax=%v %s: a weight's gradient is off by %.1e", act, softmax, way.name, d)
				}
			}
		}
	}
}

// TestNewton_RefusesWhatItIsNotFor names the model's trouble and what to do.
func TestNewton_RefusesWhatItIsNotFor(t *testing.T) {
	n := toyModel[float64](t, arch.Activities, 2, 4, 2).Network()
	learned := *n
	learned.Blocks = append([]arch.Block(nil), n.Blocks...)
	learned.Blocks[0].Precision = arch.ScalarPrecision
	wide, err := arch.MLP(nil, layers.Tanh, 1, 65, 65)
	ok(t, err)
	for _, test := range []struct {
		reason string
		net    *arch.Network
		plan   arch.Plan
		want   string
	}{
		{"activities", n, arch.Plan{}, "compile it in arch.Errors"},
		{"another energy", n, arch.Plan{Coordinates: arch.Errors, Energy: energy.Sum{energy.PC{}, energy.ActivityDecay{Rate: 1}}}, "want energy.PC"},
		{"a hidden category", n, arch.Plan{Coordinates: arch.Errors, Energy: energy.PC{Hidden: energy.Categorical{}}}, `"block1" is categorical`},
		{"a learned precision", &learned, arch.Plan{Coordinates: arch.Errors}, "learned precision"},
		{"too large a Jacobian", wide, arch.Plan{Batch: 1 << 15, Coordinates: arch.Errors}, "infer.LBFGS"},
		{"no free input", n, arch.Plan{Coordinates: arch.Errors, FreeInput: true}, "free input"},
	} {
		w, err := arch.NewWeights[float64](test.net, rand.New(rand.NewPCG(1, 1)))
		ok(t, err)
		if test.plan.Batch == 0 {
			test.plan.Batch = 2
		}
		m, err := arch.Compile(test.net, w, test.plan)
		ok(t, err)
		s := make([]float64, len(m.State()))
		_, err = m.Newton(s, s, s)
		says(t, test.reason, err, "arch: Newton", test.want)
	}
}
