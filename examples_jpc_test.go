package pcgraph_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

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
)

// The examples of docs/JPC-migration.md: what users of JPC write here.

// must takes an error for the end of an example.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// got takes a value without its error.
func got[V any](v V, err error) V {
	must(err)
	return v
}

func weightsOf(n *arch.Network) *graph.Vector[float64] {
	return got(arch.NewWeights[float64](n, rand.New(rand.NewPCG(1, 1))))
}

// draws are n normal numbers.
func draws(seed uint64, n int) []float64 {
	rng := rand.New(rand.NewPCG(seed, 0))
	v := make([]float64, n)
	for i := range v {
		v[i] = rng.NormFloat64()
	}
	return v
}

// jpc.make_mlp, make_skip_model, get_act_fn, the scalings of a parameterisation, compute_param_norms.
func Example_makeMLP() {
	plain := got(arch.MLP(arch.SP{}, layers.ReLU, 10, 20, 20, 5))          // with biases
	skips := got(arch.ResMLP(arch.MuPC{}, layers.Tanh, 10, 20, 20, 20, 5)) // without, identities over the hidden layers
	act := got(layers.ParseAct("gelu"))
	for _, w := range skips.Weights() {
		fmt.Printf("%s %v %.4f\n", w.Name, w.Param.Shape, w.Factors.Forward)
	}
	w := weightsOf(plain)
	fmt.Println(act, len(w.Fields()), optim.Norm(w.Field("block2/W")) > 0)
	// Output:
	// block1/W [10 20] 0.3162
	// block2/W [20 20] 0.1118
	// block3/W [20 20] 0.1118
	// block4/W [20 5] 0.0500
	// gelu 6 true
}

// jpc.make_pc_step with record_energies, test_discriminative_pc, compute_accuracy.
func Example_makePCStep() {
	training, test, err := data.Moons{Noise: .1, Seed: 1}.Load()
	must(err)
	n := got(arch.MLP(arch.SP{}, layers.Tanh, 2, 16, 16, 2))
	w := weightsOf(n)
	const batch = 32
	m := got(arch.Compile(n, w, arch.Plan{Batch: batch, Energy: energy.Sum{energy.PC{}, energy.WeightDecay{Rate: 1e-5}}}))
	t := train.Trainer[float64]{
		Rule: &train.PC[float64]{Model: m, // max_t1 = 20, of JPC's batch mean, is 20/batch per sample
			Solver: &infer.Flow[float64]{Method: ode.Heun, Control: ode.PID{RTol: 1e-3, ATol: 1e-3}, Horizon: 20. / batch}},
		Optimizer: &optim.Adam[float64]{Rate: 1e-2},
		Train:     training, Test: test, Batch: batch, Epochs: 20, Seed: 1,
		OnStep: func(s train.Step[float64]) { _ = s.Terms }, // energies by layer, in the order of Rule.Terms
	}
	history := got(t.Run(context.Background()))
	fmt.Println(history.Last().Accuracy > .97, history.Rest.Fraction(infer.TimeLimit))
	// Output: true 1
}

// jpc.init_activities_with_ffwd, pc_energy_fn, compute_pc_activity_grad, solve_inference with record_iters,
// compute_infer_energies, compute_activity_norms, compute_pc_param_grads.
func Example_solveInference() {
	n := got(arch.MLP(arch.SP{}, layers.Tanh, 10, 20, 20, 5))
	w := weightsOf(n)
	const batch = 4
	m := got(arch.Compile(n, w, arch.Plan{Batch: batch}))
	x, y := draws(1, batch*10), draws(2, batch*5)
	must(m.Clamp(x, y))
	must(m.Forward())
	loss := got(m.Energy()) // at the feedforward pass
	dz := make([]float64, len(m.State()))
	got(m.StateGrad(dz, m.State())) // JPC's gradient, times the batch
	flow := &infer.Flow[float64]{Method: ode.Tsit5, Control: ode.PID{RTol: 1e-6, ATol: 1e-6}, Horizon: 30}
	moments, result, err := train.Trace(m, flow, nil)
	must(err)
	last := moments[len(moments)-1]
	norm := optim.Norm(m.StateVector().Field("block1/z"))
	dw := make([]float64, len(w.Data()))
	f := got(m.ParamGrad(dw))
	fmt.Println(m.Terms(), result.Status)
	fmt.Println(last.Energy < loss, last.Time, math.Abs(f-last.Energy) < 1e-12, norm > 0)
	// Output:
	// [block1 block2 block3] time limit
	// true 30 true true
}

// jpc.update_pc_activities and update_pc_params: the loop by hand, with a rate of JPC's batch mean.
func Example_updatePCActivities() {
	n := got(arch.MLP(arch.SP{}, layers.ReLU, 10, 20, 5))
	w := weightsOf(n)
	const batch = 4
	m := got(arch.Compile(n, w, arch.Plan{Batch: batch, Energy: energy.PC{Output: energy.Categorical{}}})) // loss_id="ce"
	y := make([]float64, batch*5)
	for i := range batch {
		y[i*5+i] = 1
	}
	must(m.Clamp(draws(1, batch*10), y))
	must(m.Forward())
	activities, weights := &optim.SGD[float64]{Rate: .5 / batch}, &optim.Adam[float64]{Rate: 1e-2}
	dz, dw := make([]float64, len(m.State())), make([]float64, len(w.Data()))
	first := got(m.Energy())
	for range 10 {
		for range 5 {
			got(m.StateGrad(dz, m.State()))
			activities.Step(m.State(), dz)
		}
		got(m.ParamGrad(dw))
		weights.Step(w.Data(), dw)
		w.Touch() // says that the weights have changed
	}
	fmt.Println(got(m.Energy()) < first/2)
	// Output: true
}

// jpc.init_activities_from_normal, make_pc_step without input, test_generative_pc.
func Example_unsupervised() {
	n := got(arch.MLP(arch.SP{}, layers.Tanh, 2, 20, 6)) // latent, hidden, observed
	w := weightsOf(n)
	m := got(arch.Compile(n, w, arch.Plan{Batch: 8, FreeInput: true}))
	solver := &infer.Descent[float64]{Optimizer: &optim.SGD[float64]{Rate: .1}}
	start := &train.Gaussian[float64]{Std: .05, Seed: 1}
	rule := &train.Unsupervised[float64]{Model: m, Solver: solver, Stop: infer.Steps(50), Start: start}
	must(rule.Validate())
	seen, grad := draws(1, 8*6), make([]float64, len(w.Data()))
	adam := train.Update[float64]{Optimizer: &optim.Adam[float64]{Rate: 1e-2}}
	var energies []float64
	for range 100 {
		r := got(rule.Gradient(grad, seen, nil, 8))
		energies = append(energies, r.Energy)
		adam.Step(w, grad)
	}
	q := &train.Query[float64]{Model: m, Solver: solver, Stop: infer.Steps(200), Start: start, Site: arch.InputName}
	latents := got(q.Inputs(seen)) // for a generator of pictures from labels: the labels
	fmt.Println(energies[99] < energies[0]/2, len(latents))
	// Output: true 16
}

// jpc.init_activities_with_amort, hpc_energy_fn, make_hpc_step, test_hpc.
func Example_hybrid() {
	chain := arch.Chain{Act: layers.Tanh, Widths: []int{2, 16, 6}}
	generator, amortiser := got(chain.Network()), got(arch.Amortiser(chain))
	whole, parts, err := arch.NewWeightsTogether[float64](rand.New(rand.NewPCG(1, 1)),
		arch.Member{Name: "generator", Network: generator}, arch.Member{Name: "amortiser", Network: amortiser})
	must(err)
	g := got(arch.Compile(generator, parts[0], arch.Plan{Batch: 8}))
	square := energy.Gaussian{Precision: 2} // JPC's energy of the amortiser has no 1/2
	a := got(arch.Compile(amortiser, parts[1], arch.Plan{Batch: 8, Coordinates: arch.Feedforward, Energy: energy.PC{Hidden: square, Output: square}}))
	solver := &infer.Descent[float64]{Optimizer: &optim.SGD[float64]{Rate: .1}}
	rule := &train.Hybrid[float64]{Generator: g, Amortiser: a, Solver: solver, Stop: infer.Steps(20)}
	must(rule.Validate())
	observed, causes, grad := draws(1, 8*6), draws(2, 8*2), make([]float64, len(whole.Data()))
	adam := train.Update[float64]{Optimizer: &optim.Adam[float64]{Rate: 1e-2}}
	var energies []float64
	for range 200 {
		r := got(rule.Gradient(grad, observed, causes, 8))
		energies = append(energies, r.Energy)
		adam.Step(whole, grad)
	}
	free := got(arch.Compile(generator, parts[0], arch.Plan{Batch: 8, FreeInput: true}))
	q := &train.Query[float64]{Model: free, Solver: solver, Stop: infer.Steps(100), Start: &train.Amortised[float64]{Amortiser: a}, Site: arch.InputName}
	guessed, inferred := got(rule.Predict(observed)), got(q.Inputs(observed))
	fmt.Println(energies[199] < energies[0]/2, len(guessed), len(inferred))
	// Output: true 16 16
}

// jpc.bpc_energy_fn, update_bpc_activities, update_bpc_params; pdm_energy_fn, update_pdm_activities, update_pdm_params.
func Example_bidirectional() {
	both := arch.Bidirectional{Chain: arch.Chain{Act: layers.Tanh, Widths: []int{6, 8, 8, 2}}, Backward: .1}
	n := got(both.Network())
	for _, plan := range []arch.Plan{
		{Batch: 4, Energy: both.Energy()},
		{Batch: 4, Energy: both.Energy(), Dendrites: &arch.Dendrites{}},                   // PDM; Mix is bpc_terms_factor
		{Batch: 4, Energy: both.Coupled(true, true), Dendrites: &arch.Dendrites{Mix: .5}}, // with both extra errors
	} {
		m := got(arch.Compile(n, weightsOf(n), plan))
		rule := &train.PC[float64]{Model: m, Solver: &infer.Descent[float64]{Optimizer: &optim.SGD[float64]{Rate: .1}}, Stop: infer.Steps(10)}
		r := got(rule.Gradient(make([]float64, len(m.Weights().Data())), draws(1, 4*6), draws(2, 4*2), 4))
		fmt.Println(len(m.Terms()), r.Energy < r.Loss)
	}
	// Output:
	// 6 true
	// 6 true
	// 6 true
}

// jpc.init_epc_errors, epc_energy_fn, update_epc_errors, update_epc_params.
func Example_errors() {
	n := got(arch.MLP(arch.SP{}, layers.ReLU, 10, 20, 20, 5))
	w := weightsOf(n)
	m := got(arch.Compile(n, w, arch.Plan{Batch: 4, Coordinates: arch.Errors}))
	must(m.Clamp(draws(1, 4*10), draws(2, 4*5)))
	must(m.Forward()) // all errors zero
	loss := got(m.Energy())
	result := got(infer.Run(&infer.LBFGS[float64]{}, infer.Problem[float64]{Energy: m.StateGrad}, m.State(), infer.Steps(20), nil))
	fmt.Println(len(m.Free()), result.Energy < loss)
	// Output: 2 true
}

// jpc.linear_equilib_energy, compute_linear_equilib_rescaling, compute_linear_activity_hessian, compute_linear_activity_solution,
// compute_linear_equilib_energy_grads.
func Example_linearTheory() {
	spec := theory.Spec{Scaling: theory.MuPC, Inputs: 5, Width: 16, Outputs: 2, Depth: 4, Skips: true}
	l := got(spec.Sample(rand.New(rand.NewPCG(1, 1))))
	x, y := mat.NewDense(3, 5, draws(1, 15)), mat.NewDense(3, 2, draws(2, 6))
	eq := got(l.Equilibrium(x, y))
	f, _, err := l.Energy(x, y, eq.Activities)
	must(err)
	kappa := got(theory.Condition(got(l.ActivityHessian())))
	rows, _ := eq.Rescaling.Dims()
	fmt.Println(math.Abs(f-eq.Energy) < 1e-12, rows, kappa > 1, len(eq.Gradient().Dense()))
	// Output: true 2 true 4
}
