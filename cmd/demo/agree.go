package main

import (
	"context"
	"math"
	"strings"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/train"
	"github.com/pcgraph/pcgraph/train/analysis"
)

// An agreement is the way of PC's gradient towards BP's on one batch.
type agreement struct {
	weights []string // names of the weights, without biases
	params  []int    // where they are in Comparison.Params
	terms   []string // names of the energies, one per layer
	rows    []analysis.Comparison
	result  infer.Result
	rest    string // how inference came to rest, where it was to
}

// diverged says where inference did, if it did.
func (a agreement) diverged() error {
	if a.result.Status != infer.Diverged {
		return nil
	}
	return cli.DivergenceErrorf("inference diverged at its step %d: %s: lower -rate", a.result.Step, a.result.Detail)
}

// last is the comparison where inference ended; ok is false if there is none.
func (a agreement) last() (c analysis.Comparison, ok bool) {
	if len(a.rows) == 0 {
		return c, false
	}
	return a.rows[len(a.rows)-1], true
}

// A bench is a network with weights and a batch that gradients are compared on.
type bench[T graph.Float] struct {
	net     *arch.Network
	flags   cli.NetFlags
	weights *graph.Vector[T]
	batch   int
	x, y    []T
	bp      *arch.Model[T]
	onStep  func(step int) // told of every step of inference; may be nil
}

// tell tells of a step.
func (b *bench[T]) tell(step int) {
	if b.onStep != nil {
		b.onStep(step)
	}
}

// newBench takes the first samples of a set as the batch.
func newBench[T graph.Float](net *arch.Network, flags cli.NetFlags, w *graph.Vector[T], set *data.Set, batch int) (*bench[T], error) {
	b := &bench[T]{net: net, flags: flags, weights: w, batch: min(batch, set.Len())}
	b.x, b.y = make([]T, b.batch*set.In()), make([]T, b.batch*set.Out())
	for _, idx := range data.InOrder(b.batch, b.batch) {
		data.Fill(set, b.x, b.y, idx)
	}
	var err error
	b.bp, err = arch.Compile(net, w, arch.Plan{Batch: b.batch, Energy: flags.Energy(1), Coordinates: arch.Feedforward})
	return b, err
}

// along compares at the steps that at holds of, with the output at a precision.
func (b *bench[T]) along(precision float64, solver infer.Solver[T], stop infer.Stop, at func(int) bool) (agreement, error) {
	pc, err := arch.Compile(b.net, b.weights, arch.Plan{Batch: b.batch, Energy: b.flags.Energy(precision), Coordinates: b.flags.Coordinates()})
	if err != nil {
		return agreement{}, err
	}
	a := b.named(pc)
	a.rows, a.result, err = analysis.Compare(pc, b.bp, solver, stop, b.x, b.y, 1/precision, at)
	return a, err
}

// named is an empty agreement with the names of a model.
func (b *bench[T]) named(pc *arch.Model[T]) agreement {
	a := agreement{terms: pc.Terms()}
	for i, w := range b.net.Weights() {
		if !w.Param.Bias {
			a.weights, a.params = append(a.weights, w.Name), append(a.params, i)
		}
	}
	return a
}

// inference compares along so many steps of inference: at each of the first ones and ever more rarely later.
func (b *bench[T]) inference(ctx context.Context, precision float64, in cli.InferFlags) (agreement, error) {
	shown := make(map[int]bool)
	for _, s := range ladder(in.Steps) {
		shown[s] = true
	}
	stop := infer.Any{infer.Cancelled{Context: ctx}, infer.Steps(in.Steps + 1)} // one more: the limit comes before the evaluation
	return b.along(precision, cli.Descent[T](in.Rate), stop, func(step int) bool { b.tell(step); return shown[step] })
}

// Equilibrium, as far as the comparison needs it. A smooth network is there when the gradient has all but vanished. One with a
// kinked activation (relu) comes to rest with activities on kinks, where the gradient jumps and does not vanish. There descent
// with a rate that is halved again and again goes on to the minimum (Goffin 1977).
const (
	restRel    = 1e-7 // of the energy gradient, relative to the start
	restFall   = 1e-7 // of the energy over restWindow steps, relative to the whole fall
	restKinked = 1e-3 // the same where L-BFGS is to come near kinks only
	restWindow = 8
	restSteps  = 600 // of L-BFGS at most
)

// Inference to the end by a heavy ball, in the commands that train to equilibrium: it comes to rest in a few hundred steps where
// plain descent takes thousands, and is stable as long as the energy's curvature is below 2 (1 + momentum) / rate = 76.
const (
	restRate     = .05
	restMomentum = .9
)

// How inference came to an end, in the words of the table of precisions.
const (
	restGradient = "gradient gone"
	restEnergy   = "energy at rest"
)

// equilibrium compares where inference has come to rest, by L-BFGS in the coordinates of errors: the equilibrium is that of the
// activities, and the smaller the precision is, the nearer the curvature is to 1 in all directions.
func (b *bench[T]) equilibrium(ctx context.Context, precision float64) (agreement, error) {
	pc, err := arch.Compile(b.net, b.weights, arch.Plan{Batch: b.batch, Energy: b.flags.Energy(precision), Coordinates: arch.Errors})
	if err != nil {
		return agreement{}, err
	}
	a := b.named(pc)
	want, got := make([]T, len(b.weights.Data())), make([]T, len(b.weights.Data()))
	if err := b.bp.Clamp(b.x, b.y); err != nil {
		return a, err
	}
	if _, err := b.bp.ParamGrad(want); err != nil {
		return a, err
	}
	if err := pc.Clamp(b.x, b.y); err != nil {
		return a, err
	}
	if err := pc.Forward(); err != nil {
		return a, err
	}
	level := &infer.Level{Window: restWindow, Rel: restFall}
	if b.flags.Kinked() {
		level.Rel = restKinked
	}
	stop := infer.Any{infer.Cancelled{Context: ctx}, infer.Stationary{Rel: restRel}, level, infer.Steps(restSteps)}
	solver := &infer.LBFGS[T]{MaxSteps: 2 * restSteps}
	var last infer.Reading
	a.result, err = infer.Run(solver, train.ProblemOf(pc), pc.State(), stop,
		func(r infer.Reading) { last = r; b.tell(r.Step) })
	if err != nil || ctx.Err() != nil || a.result.Status == infer.Diverged {
		return a, err
	}
	steps := a.result.Step
	switch {
	case a.result.Residual <= restRel*last.Initial:
		a.rest = restGradient
	case steps >= restSteps:
		a.rest = a.result.Status.String()
	default: // L-BFGS finds nothing lower
		a.rest = restEnergy
		more := 0
		if pc, more, err = b.ontoKinks(ctx, pc, precision); err != nil || ctx.Err() != nil {
			return a, err
		}
		steps += more
	}
	f, err := pc.ParamGrad(got)
	if err != nil {
		return a, err
	}
	for i := range got {
		got[i] /= T(precision)
	}
	c := analysis.Comparison{Step: steps, Energy: f, Residual: a.result.Residual, Terms: make([]float64, len(pc.Terms())), Whole: analysis.Agree(got, want)}
	pc.TermEnergies(c.Terms)
	for i := range b.weights.Fields() {
		c.Params = append(c.Params, analysis.Agree(b.weights.Part(got, i), b.weights.Part(want, i)))
	}
	a.rows = append(a.rows, c)
	return a, nil
}

// ontoKinks goes on from the rest of a model in errors, with one in activities: there kinks are where single activities are
// 0, and the weight gradient at rest does not depend on the side from which they were reached. It descends from half the largest
// stable rate, in rounds of half the rate of the one before, and returns the model at rest and the number of steps.
func (b *bench[T]) ontoKinks(ctx context.Context, from *arch.Model[T], precision float64) (m *arch.Model[T], steps int, err error) {
	m, err = arch.Compile(b.net, b.weights, arch.Plan{Batch: b.batch, Energy: b.flags.Energy(precision)})
	if err != nil {
		return nil, 0, err
	}
	if err := m.Clamp(b.x, b.y); err != nil {
		return nil, 0, err
	}
	sites, err := from.Activities()
	if err != nil {
		return nil, 0, err
	}
	for i, f := range m.StateVector().Fields() {
		copy(m.StateVector().Part(m.State(), i), sites.Field(strings.TrimSuffix(f.Name, "/z")))
	}
	m.StateVector().Touch()
	curvature, err := infer.LargestCurvature(train.ProblemOf(m), m.State())
	if err != nil {
		return nil, 0, err
	}
	made := 0
	steps, err = infer.Subgradient(ctx, train.ProblemOf(m), m.State(), curvature, func() { made++; b.tell(made) })
	m.StateVector().Touch()
	return m, steps, err
}

// ladder is 0, 1, 2, 3, 4, 6, 8, 12, 16, 24, ... and n itself.
func ladder(n int) []int {
	var steps []int
	for s := 0; s < n; {
		steps = append(steps, s)
		if s < 4 {
			s++
		} else if p := int(math.Log2(float64(s))); s == 1<<p {
			s += s / 2
		} else {
			s = 1 << (p + 1)
		}
	}
	return append(steps, n)
}

// double is a copy of weights in float64.
func double(net *arch.Network, w *graph.Vector[float32]) (*graph.Vector[float64], error) {
	d, err := cli.NewWeights[float64](net, 0)
	if err != nil {
		return nil, err
	}
	for i, v := range w.Data() {
		d.Data()[i] = float64(v)
	}
	d.Touch()
	return d, nil
}
