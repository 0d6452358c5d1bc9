package reference_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/infer/ode"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/theory"
	"github.com/pcgraph/pcgraph/train"
	"github.com/pcgraph/pcgraph/train/rules"
)

// The code of docs/JPC-migration.md: what to write here for each public function of the JPC library (1.0). The tests share one
// batch and one network, whose weights are a formula, so that most outputs are numbers of a program in another language.

const batch = 2

var (
	batchX = []float64{1, math.Cos(1), math.Cos(2), math.Cos(3), math.Cos(4), math.Cos(5)} // [2, 3]
	batchY = []float64{math.Sin(2), math.Sin(4), math.Sin(3), math.Sin(5)}                 // [2, 2]
	chain  = arch.Chain{Act: layers.Tanh, Widths: []int{3, 4, 4, 2}}                       // make_mlp(key, 3, 4, 3, 2, "tanh")
	mirror = arch.Chain{Act: layers.Tanh, Widths: []int{2, 4, 4, 3}}                       // a generator of x from y
)

// example compiles a network over the weights of the formula.
func example(n *arch.Network, p arch.Plan) *arch.Model[float64] {
	w, err := arch.NewWeights[float64](n, rand.New(rand.NewPCG(1, 0)))
	must(err)
	formula(w)
	p.Batch = batch
	m, err := arch.Compile(n, w, p)
	must(err)
	return m
}

// formula sets weight l of a chain, [in j, out i], to .6 sin(1 + 7 (l-1) + 3i + 2j), and weight k of blocks backwards to
// .4 cos(2 + 5 (k-1) + 2i + 3j).
func formula(w *graph.Vector[float64]) {
	for _, f := range w.Fields() {
		name, _, _ := strings.Cut(f.Name, "/")
		l, err := strconv.Atoi(strings.TrimPrefix(strings.TrimPrefix(name, "block"), "back"))
		must(err)
		v := w.Field(f.Name)
		for at := range v {
			i, j := float64(at%f.Shape[1]), float64(at/f.Shape[1])
			v[at] = .6 * math.Sin(1+7*float64(l-1)+3*i+2*j)
			if strings.HasPrefix(name, "back") {
				v[at] = .4 * math.Cos(2+5*float64(l-1)+2*i+3*j)
			}
		}
	}
}

func network(c interface {
	Network() (*arch.Network, error)
}) *arch.Network {
	n, err := c.Network()
	must(err)
	return n
}

// printed collects what an example prints.
type printed struct{ strings.Builder }

func (p *printed) Println(a ...any)               { fmt.Fprintln(p, a...) }
func (p *printed) Printf(format string, a ...any) { fmt.Fprintf(p, format, a...) }

// want compares what was printed with the expected text.
func (p *printed) want(t *testing.T, text string) {
	t.Helper()
	if got, want := strings.TrimSpace(p.String()), strings.TrimSpace(text); got != want {
		t.Errorf("printed\n%s\nwant\n%s", got, want)
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// rms is the root mean square.
func rms(v []float64) float64 {
	s := 0.
	for _, x := range v {
		s += x * x
	}
	return math.Sqrt(s / float64(len(v)))
}

// init_activities_with_ffwd
func TestMigration_InitActivitiesWithFfwd(t *testing.T) {
	var p printed
	m := example(network(chain), arch.Plan{})
	must(m.Clamp(batchX, batchY))
	must(m.Forward())            // the hidden activities, in m.State()
	mu, err := m.Predict(batchX) // the output, which is no activity here: it is clamped to y
	must(err)
	p.Println(m.Free())
	p.Printf("%.8f\n", mu)
	p.want(t, `
[block1 block2]
[0.06565424 -0.08846879 -0.05666681 0.07904862]`)
}

// init_activities_from_normal
func TestMigration_InitActivitiesFromNormal(t *testing.T) {
	var p printed
	m := example(network(chain), arch.Plan{FreeInput: true}) // mode "unsupervised"; without FreeInput the input is data
	must(m.Clamp(nil, batchY))
	start := &train.Gaussian[float64]{Std: .05, Seed: 1} // as PC.Start it draws anew for every batch
	must(start.Begin(m, nil, batchY))
	p.Println(m.Free(), len(m.State()), rms(m.State()) < .1)
	p.want(t, `
[x block1 block2] 22 true`)
}

// hybrid is a generator, label to observation, and its amortiser.
func hybrid(plan arch.Plan) *rules.Hybrid[float64] {
	generator, err := mirror.Network()
	must(err)
	amortiser, err := arch.Amortiser(mirror) // the mirror: its blocks are named after what they guess
	must(err)
	_, w, err := arch.NewWeightsTogether[float64](rand.New(rand.NewPCG(1, 0)),
		arch.Member{Name: "generator", Network: generator}, arch.Member{Name: "amortiser", Network: amortiser})
	must(err)
	plan.Batch = batch
	g, err := arch.Compile(generator, w[0], plan)
	must(err)
	twice := energy.Gaussian{Precision: 2} // JPC's has no factor 1/2
	a, err := arch.Compile(amortiser, w[1], arch.Plan{Batch: batch, Coordinates: arch.Feedforward, Energy: energy.PC{Hidden: twice, Output: twice}})
	must(err)
	return &rules.Hybrid[float64]{Generator: g, Amortiser: a, Solver: heun(50)}
}

// heun is JPC's default inference to max_t1, which it counts in times of the batch's mean.
func heun(maxT1 float64) *infer.Flow[float64] {
	return &infer.Flow[float64]{Method: ode.Heun, Control: ode.PID{RTol: 1e-3, ATol: 1e-3}, Horizon: maxT1 / batch}
}

// init_activities_with_amort
func TestMigration_InitActivitiesWithAmort(t *testing.T) {
	var p printed
	h := hybrid(arch.Plan{FreeInput: true})
	must(h.Generator.Clamp(nil, batchX)) // the observation is the generator's output
	start := &rules.Amortised[float64]{Amortiser: h.Amortiser}
	must(start.Begin(h.Generator, nil, batchX))
	label, err := h.Amortiser.Predict(batchX)
	must(err)
	p.Println(h.Generator.Free(), rms(label) == rms(h.Generator.StateVector().Field("x")))
	p.want(t, `
[x block1 block2] true`)
}

// init_epc_errors
func TestMigration_InitEpcErrors(t *testing.T) {
	var p printed
	m := example(network(chain), arch.Plan{Coordinates: arch.Errors})
	must(m.Clamp(batchX, batchY))
	must(m.Forward()) // zero errors: the feedforward pass
	p.Println(m.Free(), rms(m.State()))
	p.want(t, `
[block1 block2] 0`)
}

// pc_energy_fn
func TestMigration_PcEnergyFn(t *testing.T) {
	var p printed
	n := network(chain)
	m := example(n, arch.Plan{}) // loss="mse"
	must(m.Clamp(batchX, batchY))
	must(m.Forward())
	z := m.StateVector()
	for i := range z.Field("block1/z") {
		z.Field("block1/z")[i] += .1
		z.Field("block2/z")[i] -= .2
	}
	f, err := m.Energy()
	must(err)
	terms := make([]float64, len(m.Terms())) // record_layers=True, in the order of the layers
	m.TermEnergies(terms)
	p.Printf("%.10f %v %.8f\n", f, m.Terms(), terms)

	// The other keywords are parts of a sum; gamma is a scaling (Example_getParamScalings).
	all := example(n, arch.Plan{Energy: energy.Sum{
		energy.PC{Output: energy.Categorical{Precision: 1}}, // loss="ce", output_energy_scaling=1
		energy.WeightDecay{Rate: 1e-2},
		energy.Spectral{Rate: 1e-2},
		energy.ActivityDecay{Rate: 1e-2},
	}})
	must(all.Clamp(batchX, batchY))
	copy(all.State(), m.State())
	_, err = all.Energy()
	must(err)
	terms = make([]float64, len(all.Terms()))
	all.TermEnergies(terms)
	p.Printf("%v\n%.8f\n", all.Terms(), terms)
	p.want(t, `
0.7903666180 [block1 block2 block3] [0.02000000 0.08249070 0.68787591]
[block1 block2 block3 weight decay spectral activity decay]
[0.02000000 0.08249070 -0.14937565 0.03712171 0.07992318 0.01251508]`)
}

// hpc_energy_fn and compute_hpc_param_grads
func TestMigration_HpcEnergyFn(t *testing.T) {
	var p printed
	h := hybrid(arch.Plan{})
	must(h.Validate())
	grad := make([]float64, len(h.Subject().Weights.Data())) // of generator and amortiser: parts of one slab
	_, err := h.Gradient(grad, batchX, batchY, batch)
	must(err)
	terms := make([]float64, len(h.Subject().Terms))
	h.Subject().TermEnergies(terms)
	p.Println(h.Subject().Terms)

	// By hand: what the guesses miss the equilibrium and the cause by.
	must(h.Amortiser.Clamp(batchX, batchY))
	guess, err := h.Amortiser.Activities()
	must(err)
	cause, err := h.Predict(batchX)
	must(err)
	missed := 0.
	for _, pair := range [][2][]float64{
		{h.Generator.StateVector().Field("block2/z"), guess.Field("block2")},
		{h.Generator.StateVector().Field("block1/z"), guess.Field("block1")},
		{batchY, cause},
	} {
		for i, z := range pair[0] {
			missed += (z - pair[1][i]) * (z - pair[1][i]) / batch
		}
	}
	p.Println(math.Abs(terms[3]+terms[4]+terms[5]-missed) < 1e-12)
	p.want(t, `
[generator/block1 generator/block2 generator/block3 amortiser/block2 amortiser/block1 amortiser/x]
true`)
}

// both has the forward blocks of the chain and blocks backwards; JPC's lists [top_down, bottom_up].
var both = arch.Bidirectional{Chain: chain, Forward: 1, Backward: 1} // forward_energy_weight, backward_energy_weight

// atWaves clamps the batch and sets z_1 = .3 sin(b + i), z_2 = .3 cos(2b + i).
func atWaves(m *arch.Model[float64]) {
	must(m.Clamp(batchX, batchY))
	for b := range batch {
		for i := range 4 {
			m.StateVector().Field("block1/z")[4*b+i] = .3 * math.Sin(float64(b+i))
			m.StateVector().Field("block2/z")[4*b+i] = .3 * math.Cos(float64(2*b+i))
		}
	}
}

// bpc_energy_fn
func TestMigration_BpcEnergyFn(t *testing.T) {
	var p printed
	n := network(both)
	n.Blocks[5].Layer = layers.Linear{In: 2, Out: 4, Act: layers.Tanh} // back3 reads data: arch puts no activation in front of it
	m := example(n, arch.Plan{Energy: both.Energy()})
	atWaves(m)
	f, err := m.Energy()
	must(err)
	terms := make([]float64, len(m.Terms()))
	m.TermEnergies(terms)
	p.Printf("%.10f\n%v\n%.8f\n", f, m.Terms(), terms)
	p.want(t, `
3.0792509479
[block1 block2 block3 back1 back2 back3]
[1.29758118 0.13557243 0.62705523 0.68815927 0.10019312 0.23068972]`)
}

// epc_energy_fn
func TestMigration_EpcEnergyFn(t *testing.T) {
	var p printed
	m := example(network(chain), arch.Plan{Coordinates: arch.Errors})
	must(m.Clamp(batchX, batchY))
	must(m.Forward())
	f, err := m.Energy() // at zero errors the loss of the feedforward pass
	must(err)
	p.Printf("%.10f\n", f)
	p.want(t, `
0.5687277792`)
}

// dendrites are the blocks of JPC's predictive dendrites: those backwards have their activation behind.
func dendrites() *arch.Network {
	n := network(both)
	n.Blocks[4].Layer = layers.Linear{In: 4, Out: 4, Post: layers.Tanh}
	n.Blocks[5].Layer = layers.Linear{In: 2, Out: 4, Post: layers.Tanh}
	return n
}

// pdm_energy_fn
func TestMigration_PdmEnergyFn(t *testing.T) {
	var p printed
	m := example(dendrites(), arch.Plan{Energy: both.Energy(), Dendrites: &arch.Dendrites{}})
	atWaves(m)
	_, err := m.Energy()
	must(err)
	terms := make([]float64, len(m.Terms())) // block1 block2 block3 back1 back2 back3
	m.TermEnergies(terms)
	p.Printf("%.10f\n", terms[0]+terms[1]+terms[4]+terms[5]) // JPC leaves block3 and back1 out, which then do not learn
	p.want(t, `
1.8203909356`)
}

// _get_param_scalings and make_skip_model
func TestMigration_GetParamScalings(t *testing.T) {
	var p printed
	c := arch.Chain{Scaling: arch.MuPC{Gamma: 2}, Widths: []int{3, 4, 4, 2}, Skips: true}
	for _, w := range network(c).Weights() {
		p.Printf("%s %.4f\n", w.Name, w.Factors.Forward)
	}
	p.want(t, `
block1/W 0.5774
block2/W 0.2887
block3/W 0.1250`)
}

// neg_pc_activity_grad and compute_pc_activity_grad
func TestMigration_ComputePcActivityGrad(t *testing.T) {
	var p printed
	m := example(network(chain), arch.Plan{})
	atWaves(m)
	z, grad := m.State(), make([]float64, len(m.State()))
	_, err := m.StateGrad(grad, z) // of each sample's own energy: JPC's times the batch size
	must(err)
	energyAt := func(shift float64) float64 {
		z[0] += shift
		f, err := m.Energy()
		must(err)
		z[0] -= shift
		return f
	}
	p.Printf("%.6f %.6f\n", grad[0]/batch, (energyAt(1e-5)-energyAt(-1e-5))/2e-5)
	p.want(t, `
-0.648678 -0.648678`)
}

// compute_pc_param_grads
func TestMigration_ComputePcParamGrads(t *testing.T) {
	var p printed
	m := example(network(chain), arch.Plan{})
	atWaves(m)
	w, grad := m.Weights(), make([]float64, len(m.Weights().Data()))
	_, err := m.ParamGrad(grad) // of the batch's mean, as in JPC
	must(err)
	energyAt := func(shift float64) float64 {
		w.Field("block2/W")[0] += shift
		w.Touch() // who moves weights by hand says so
		f, err := m.Energy()
		must(err)
		w.Field("block2/W")[0] -= shift
		return f
	}
	p.Printf("%.6f %.6f\n", w.Part(grad, 1)[0], (energyAt(1e-5)-energyAt(-1e-5))/2e-5)
	p.want(t, `
0.004747 0.004747`)
}

// compute_bpc_activity_grad, compute_bpc_param_grads, update_bpc_activities and update_bpc_params
func TestMigration_Bpc(t *testing.T) {
	var p printed
	m := example(network(both), arch.Plan{Energy: both.Energy()})
	rule := &train.PC[float64]{
		Model:  m,
		Solver: &infer.Descent[float64]{Optimizer: &optim.SGD[float64]{Rate: .2}},
		Stop:   infer.Steps(100),
	}
	must(rule.Validate())
	update := train.Update[float64]{Optimizer: &optim.Adam[float64]{Rate: 1e-2}} // of both directions
	grad := make([]float64, len(m.Weights().Data()))
	var first, last float64
	for i := range 200 {
		r, err := rule.Gradient(grad, batchX, batchY, batch)
		must(err)
		update.Step(m.Weights(), grad)
		if last = r.Energy; i == 0 {
			first = last
		}
	}
	p.Println(last < first/3) // not to zero: two directions of a few samples do not fit exactly
	p.want(t, `
true`)
}

// compute_epc_error_grad, compute_epc_param_grads, update_epc_errors and update_epc_params
func TestMigration_Epc(t *testing.T) {
	var p printed
	m := example(network(chain), arch.Plan{Coordinates: arch.Errors})
	must(m.Clamp(batchX, batchY))
	must(m.Forward())
	inference := &infer.Descent[float64]{Optimizer: &optim.SGD[float64]{Rate: .5}}
	r, err := infer.Run(inference, infer.Problem[float64]{Energy: m.StateGrad}, m.State(), infer.Any{infer.Stationary{Tol: 1e-9}, infer.Steps(1000)}, nil)
	must(err)
	grad := make([]float64, len(m.Weights().Data()))
	f, err := m.ParamGrad(grad)
	must(err)
	learning := train.Update[float64]{Optimizer: &optim.SGD[float64]{Rate: 1e-2}}
	learning.Step(m.Weights(), grad)
	p.Printf("%v %.10f\n", r.Status, f) // the equilibrium of activities
	p.want(t, `
converged 0.2740133549`)
}

// compute_pdm_activity_grad, compute_pdm_param_grads, update_pdm_activities and update_pdm_params
func TestMigration_Pdm(t *testing.T) {
	var p printed
	m := example(network(both), arch.Plan{
		Energy:    both.Energy(),            // or both.Coupled(true, true): the extra errors, P and Q
		Dendrites: &arch.Dendrites{Mix: .5}, // bpc_terms_factor
	})
	rule := &train.PC[float64]{Model: m, Solver: &infer.Descent[float64]{Optimizer: &optim.SGD[float64]{Rate: .2}}, Stop: infer.Steps(100)}
	must(rule.Validate())
	update := train.Update[float64]{Optimizer: &optim.Adam[float64]{Rate: 1e-2}}
	grad := make([]float64, len(m.Weights().Data()))
	var first, last float64
	for i := range 200 {
		r, err := rule.Gradient(grad, batchX, batchY, batch)
		must(err)
		update.Step(m.Weights(), grad)
		if last = r.Energy; i == 0 {
			first = last
		}
	}
	p.Println(last < first/100)
	p.want(t, `
true`)
}

// solve_inference
func TestMigration_SolveInference(t *testing.T) {
	var p printed
	m := example(network(chain), arch.Plan{})
	must(m.Clamp(batchX, batchY))
	must(m.Forward())
	var recorded []float64
	solver := &infer.Flow[float64]{
		Method:  ode.Heun,                        // solver
		Control: ode.PID{RTol: 1e-3, ATol: 1e-3}, // stepsize_controller; dt is its Step
		Horizon: 20. / batch,                     // max_t1
		At:      []float64{0, 10. / batch},       // record_every=10
		Sample:  func(_ float64, z []float64) { recorded = append(recorded, z[0]) },
	}
	steps := 0
	r, err := infer.Run(solver, infer.Problem[float64]{Energy: m.StateGrad}, m.State(), infer.Stationary{Tol: 1e-6},
		func(infer.Reading) { steps++ }) // record_iters: called at every accepted step, m.State() being the activities
	must(err)
	p.Printf("%v F %.4f, at %d times and %v steps\n", r.Status, r.Energy, len(recorded), steps == r.Step+1)
	p.want(t, `
time limit F 0.2740, at 2 times and true steps`)
}

// update_pc_activities and update_pc_params
func TestMigration_UpdatePcActivities(t *testing.T) {
	var p printed
	m := example(network(chain), arch.Plan{})
	must(m.Clamp(batchX, batchY))
	must(m.Forward())
	inference := &infer.Descent[float64]{Optimizer: &optim.SGD[float64]{Rate: .5}} // JPC's rate / batch
	_, err := infer.Run(inference, infer.Problem[float64]{Energy: m.StateGrad}, m.State(), infer.Steps(500), nil)
	must(err)
	grad := make([]float64, len(m.Weights().Data()))
	f, err := m.ParamGrad(grad)
	must(err)
	learning := train.Update[float64]{Optimizer: &optim.SGD[float64]{Rate: 1e-2}} // keep it: Adam's memory is in it
	learning.Step(m.Weights(), grad)
	p.Printf("%.10f\n", f)
	p.want(t, `
0.2740133549`)
}

// deep is the linear network of the theory: residual muPC of 3 weights, and the batch, on matrices.
func deep() (n theory.Linear, x, y *mat.Dense) {
	c := arch.Chain{Scaling: arch.MuPC{}, Widths: []int{3, 4, 4, 2}, Skips: true}
	m := example(network(c), arch.Plan{})
	n.Skips = theory.HiddenSkips(3)
	for i, w := range m.Network().Weights() {
		n.Weights = append(n.Weights, mat.NewDense(w.Param.Shape[0], w.Param.Shape[1], m.Weights().Part(m.Weights().Data(), i)))
		n.Factors = append(n.Factors, w.Factors.Forward)
	}
	return n, mat.NewDense(batch, 3, batchX), mat.NewDense(batch, 2, batchY)
}

// linear_equilib_energy, compute_linear_equilib_rescaling and compute_linear_activity_solution
func TestMigration_LinearEquilibEnergy(t *testing.T) {
	var p printed
	n, x, y := deep() // n.Precision is output_energy_scaling
	e, err := n.Equilibrium(x, y)
	must(err)
	p.Printf("F* %.10f\n", e.Energy)
	p.Printf("S  %.10f %.10f\n", e.Rescaling.At(0, 0), e.Rescaling.At(0, 1))
	f, _, err := n.Energy(x, y, e.Activities)
	must(err)
	p.Printf("F(z*) %.10f\n", f)
	p.want(t, `
F* 0.4749493099
S  1.1107433282 -0.1129209404
F(z*) 0.4749493099`)
}

// compute_linear_activity_hessian
func TestMigration_ComputeLinearActivityHessian(t *testing.T) {
	var p printed
	n, _, _ := deep() // n.ActivityDecay is activity_decay, of any size; n.HessianBlocks has the parts
	h, err := n.ActivityHessian()
	must(err)
	v, err := theory.Eigenvalues(h)
	must(err)
	p.Printf("%.8f %.8f\n", v[0], v[len(v)-1])
	p.want(t, `
0.32644683 3.41646742`)
}

// compute_linear_equilib_energy_grads and update_linear_equilib_energy_params
func TestMigration_ComputeLinearEquilibEnergyGrads(t *testing.T) {
	var p printed
	n, x, y := deep()
	var energies []float64
	for range 3 {
		e, err := n.Equilibrium(x, y)
		must(err)
		energies = append(energies, e.Energy)
		for l, g := range e.Gradient().Dense() {
			g.Scale(-.1, g)
			n.Weights[l].Add(n.Weights[l], g)
		}
	}
	p.Println(energies[2] < energies[1] && energies[1] < energies[0])
	p.want(t, `
true`)
}

// make_mlp, make_skip_model and get_act_fn
func TestMigration_MakeMlp(t *testing.T) {
	var p printed
	relu, err := layers.ParseAct("relu") // or layers.ReLU, which the compiler checks
	must(err)
	n := network(arch.Chain{Scaling: arch.MuPC{}, Act: relu, Widths: []int{10, 20, 20, 5}, Bias: true, Skips: true})
	w, err := arch.NewWeights[float32](n, rand.New(rand.NewPCG(1, 0)))
	must(err)
	m, err := arch.Compile(n, w, arch.Plan{Batch: 64})
	must(err)
	for _, f := range m.Weights().Fields() {
		p.Println(f.Name, f.Shape) // weights are [in, out]
	}
	_, err = layers.ParseAct("step")
	p.Println(err != nil)
	p.want(t, `
block1/W [10 20]
block1/b [20]
block2/W [20 20]
block2/b [20]
block3/W [20 5]
block3/b [5]
true`)
}

// mse_loss, cross_entropy_loss, compute_accuracy and test_discriminative_pc
func TestMigration_TestDiscriminativePc(t *testing.T) {
	var p printed
	_, test, err := data.XOR{}.Load()
	must(err)
	guess := func(x []float64) ([]float64, error) { // Rule.Subject().Predict or Model.Predict
		y := make([]float64, len(x))
		for i := 0; i < len(x); i += 2 {
			y[i] = 1 // always the first class
		}
		return y, nil
	}
	s, err := train.Evaluate(guess, test)
	must(err)
	p.Printf("loss %.2f cross-entropy %.4f accuracy %.2f\n", s.Loss, s.CrossEntropy, s.Accuracy)

	// The losses of a batch are energies with nothing free.
	for _, likelihood := range []energy.Likelihood{energy.Gaussian{}, energy.Categorical{}} {
		m := example(network(chain), arch.Plan{Coordinates: arch.Feedforward, Energy: energy.PC{Output: likelihood}})
		must(m.Clamp(batchX, []float64{1, 0, 0, 1}))
		loss, err := m.Energy()
		must(err)
		p.Printf("%.4f\n", loss)
	}
	p.want(t, `
loss 0.50 cross-entropy 0.8133 accuracy 0.50
0.4330
0.6233`)
}

// get_t_max, compute_activity_norms, compute_param_norms and compute_infer_energies
func TestMigration_ComputeInferEnergies(t *testing.T) {
	var p printed
	m := example(network(chain), arch.Plan{})
	must(m.Clamp(batchX, batchY))
	must(m.Forward())
	var table [][]float64 // energies by layer at every accepted step, the start included, however many there are
	r, err := infer.Run(heun(20), infer.Problem[float64]{Energy: m.StateGrad}, m.State(), nil, func(infer.Reading) {
		terms := make([]float64, len(m.Terms()))
		m.TermEnergies(terms)
		table = append(table, terms)
	})
	must(err)
	p.Println(len(table) == r.Step+1, table[0][:2]) // r.Step is t_max
	norms := func(v *graph.Vector[float64]) {
		for i, f := range v.Fields() {
			p.Printf("%s %.4f\n", f.Name, optim.Norm(v.Part(v.Data(), i)))
		}
	}
	norms(m.Weights())
	z, err := m.Activities() // of all sites, the clamped output too
	must(err)
	norms(z)
	p.want(t, `
true [0 0]
block1/W 1.5231
block2/W 1.8871
block3/W 1.2423
block1 2.1023
block2 0.7896
block3 1.5294`)
}

// make_pc_step
func TestMigration_MakePcStep(t *testing.T) {
	var p printed
	m := example(network(chain), arch.Plan{})
	rule := &train.PC[float64]{Model: m, Solver: heun(20)}
	must(rule.Validate())
	grad := make([]float64, len(m.Weights().Data()))
	r, err := rule.Gradient(grad, batchX, batchY, batch)
	must(err)
	update := train.Update[float64]{Optimizer: &optim.Adam[float64]{Rate: 1e-3}}
	update.Step(m.Weights(), grad)
	p.Printf("loss %.10f, energy %.4f, %v\n", r.Loss, r.Energy, r.Inference.Status)

	// The loop over batches is there, too: it tells of every step, evaluates, and stops on numbers gone wrong.
	set, test, err := data.Linear{In: 3, Out: 2, Train: 64, Test: 32, Seed: 1}.Load()
	must(err)
	trainer := train.Trainer[float64]{Rule: rule, Optimizer: &optim.Adam[float64]{Rate: 1e-2}, Train: set, Test: test, Batch: 16, Epochs: 50,
		OnStep: func(s train.Step[float64]) { _, _ = s.GradNorm(), s.WeightNorm() }} // grad_norms, param_norms
	h, err := trainer.Run(context.Background())
	must(err)
	p.Println(h.Steps, h.Last().Loss < .1)
	p.want(t, `
loss 0.5687277792, energy 0.2740, time limit
200 true`)
}

// make_pc_step without input: unsupervised
func TestMigration_MakePcStepUnsupervised(t *testing.T) {
	var p printed
	m := example(network(mirror), arch.Plan{FreeInput: true})
	rule := &rules.Unsupervised[float64]{
		Model: m, Solver: heun(100), Targets: 2,
		Start: &train.Gaussian[float64]{Std: .05, Seed: 1}, // key, layer_sizes, sigma
	}
	must(rule.Validate())
	update := train.Update[float64]{Optimizer: &optim.Adam[float64]{Rate: 1e-2}}
	grad := make([]float64, len(m.Weights().Data()))
	var energies []float64
	for range 100 {
		r, err := rule.Gradient(grad, batchX, nil, batch) // the observations
		must(err)
		update.Step(m.Weights(), grad)
		energies = append(energies, r.Energy)
	}
	p.Println(energies[99] < energies[0]/100)
	p.want(t, `
true`)
}

// make_hpc_step
func TestMigration_MakeHpcStep(t *testing.T) {
	var p printed
	h := hybrid(arch.Plan{}) // arch.Plan{FreeInput: true} is unsupervised
	must(h.Validate())
	grad := make([]float64, len(h.Subject().Weights.Data()))
	update := train.Update[float64]{Optimizer: &optim.Adam[float64]{Rate: 1e-2}} // of both networks
	var first, last train.Report
	for i := range 200 {
		r, err := h.Gradient(grad, batchX, batchY, batch) // the observation, then its cause
		must(err)
		update.Step(h.Subject().Weights, grad)
		if last = r; i == 0 {
			first = r
		}
	}
	p.Println(last.Energy < first.Energy/5, last.Inference.Status)
	p.want(t, `
true time limit`)
}

// test_generative_pc
func TestMigration_TestGenerativePc(t *testing.T) {
	var p printed
	m := example(network(mirror), arch.Plan{})
	labels := []float64{1, 0, 0, 1}
	seen, err := m.Predict(labels) // output_preds: what the generator makes of labels
	must(err)

	// Which label is it? The same weights with the input free.
	inverse, err := arch.Compile(m.Network(), m.Weights(), arch.Plan{Batch: batch, FreeInput: true})
	must(err)
	ask := train.Query[float64]{Model: inverse, Solver: heun(500), Start: &train.Gaussian[float64]{Std: .05, Seed: 1}, Site: "x"}
	x, err := ask.Inputs(seen) // train.Evaluate(ask.Inputs, set) is input_acc
	must(err)
	p.Println(train.Largest(x[:2]), train.Largest(x[2:]))
	p.want(t, `
0 1`)
}

// test_hpc
func TestMigration_TestHpc(t *testing.T) {
	var p printed
	h := hybrid(arch.Plan{FreeInput: true})
	labels := []float64{1, 0, 0, 1}
	seen, err := h.Generator.Predict(labels)
	must(err)
	right := func(x []float64) (n int) {
		for i := range batch {
			if train.Largest(x[2*i:2*i+2]) == train.Largest(labels[2*i:2*i+2]) {
				n++
			}
		}
		return n
	}
	guess, err := h.Amortiser.Predict(seen) // amort_acc
	must(err)
	p.Println("of 2, guessed:", right(guess))
	for _, start := range []train.Start[float64]{ // hpc_acc, gen_acc
		&rules.Amortised[float64]{Amortiser: h.Amortiser},
		&train.Gaussian[float64]{Std: .05, Seed: 1},
	} {
		ask := train.Query[float64]{Model: h.Generator, Solver: heun(2000), Start: start, Site: "x"}
		x, err := ask.Inputs(seen)
		must(err)
		p.Println("inferred:", right(x))
	}
	p.want(t, `
of 2, guessed: 1
inferred: 2
inferred: 2`)
}

// _check_param_type: there are no names to get wrong, but what cannot be built is an error that says where and why.
func TestMigration_CheckParamType(t *testing.T) {
	var p printed
	_, err := arch.Chain{Scaling: arch.MuPC{Gamma: -1}, Widths: []int{3, 4, 2}}.Network()
	p.Println(err)
	_, err = arch.Chain{Widths: []int{3, 4, 8, 2}, Skips: true}.Network()
	p.Println(err)
	p.want(t, `
arch: the scaling mupc gives block2/W the forward factor -0.25: it must be a positive number: look at its fields
arch: the identity skip over block2 joins widths 4 and 8: make the hidden widths equal`)
}

// A network of FabricPC (nodes, edges and a task map), trained by either rule; and its scalar oracle.
func TestMigration_FabricPC(t *testing.T) {
	var p printed
	n := &arch.Network{Input: []int{1}, Blocks: []arch.Block{
		{Name: "hidden", Layer: layers.Linear{In: 1, Out: 1}}, // Linear(shape=(1,), name="hidden") and the edge from x
		{Name: "output", Layer: layers.Linear{In: 1, Out: 1}, From: []string{"hidden"}},
	}}
	w, err := arch.NewWeights[float64](n, rand.New(rand.NewPCG(1, 0)))
	must(err)
	w.Field("hidden/W")[0], w.Field("output/W")[0] = 2, 3
	m, err := arch.Compile(n, w, arch.Plan{Batch: 1})
	must(err)
	pc := &train.PC[float64]{ // train_pcn
		Model:  m,
		Solver: &infer.Descent[float64]{Optimizer: &optim.SGD[float64]{Rate: .05}}, // eta_infer
		Stop:   infer.Steps(200),                                                   // infer_steps
	}
	grad := make([]float64, 2)
	r, err := pc.Gradient(grad, []float64{1}, []float64{1}, 1)
	must(err)
	p.Printf("energy %.4f at %.4f\n", r.Energy, m.StateVector().Field("hidden/z"))

	same, err := arch.Compile(n, w, arch.Plan{Batch: 1, Coordinates: arch.Feedforward})
	must(err)
	bp := &train.Backprop[float64]{Model: same} // train_backprop: the same network and weights
	r, err = bp.Gradient(grad, []float64{1}, []float64{1}, 1)
	must(err)
	p.Printf("loss %.4f\n", r.Loss)
	p.want(t, `
energy 1.2500 at [0.5000]
loss 12.5000`)
}

// The recipe of pcx's benchmark: nudged towards the target, states by SGD with momentum, weights by AdamW.
func TestMigration_Pcx(t *testing.T) {
	var p printed
	n, err := arch.MLP(arch.SP{}, layers.GELU, 2, 32, 32, 2) // a Vode behind every layer
	must(err)
	w, err := arch.NewWeights[float32](n, rand.New(rand.NewPCG(1, 0)))
	must(err)
	m, err := arch.Compile(n, w, arch.Plan{Batch: 32}) // the last Vode's energy_fn is Plan.Energy's Output
	must(err)
	rule := &rules.Nudged[float32]{
		PC: train.PC[float32]{
			Model:  m,
			Solver: &infer.Descent[float32]{Optimizer: &optim.Momentum[float32]{Rate: .05, Mu: .5}}, // optim_h
			Stop:   infer.Steps(7),                                                                  // T
		},
		Nudge: rules.NudgedTarget, Sign: rules.Negative, Beta: .2,
	}
	set, test, err := data.Moons{Seed: 1}.Load()
	must(err)
	trainer := train.Trainer[float32]{
		Rule:      rule,
		Optimizer: &optim.AdamW[float32]{Rate: 1e-2, Decay: 1e-4, Spans: train.AdamSpans(n, w)}, // optim_w
		Train:     set, Test: test, Batch: 32, Epochs: 20,
	}
	h, err := trainer.Run(context.Background())
	must(err)
	p.Println(h.Last().Accuracy > .95)
	p.want(t, `
true`)
}
