package study

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

// An Agreement is the way of PC's gradient towards BP's on one batch.
type Agreement struct {
	weights []string // names of the weights, without biases
	params  []int    // where they are in Comparison.Params
	terms   []string // names of the energies, one per layer
	Rows    []analysis.Comparison
	result  infer.Result
	Rest    string // how inference came to rest, where it was to
}

// diverged says where inference did, if it did.
func (a Agreement) diverged() error {
	if a.result.Status != infer.Diverged {
		return nil
	}
	return cli.DivergenceErrorf("inference diverged at its step %d: %s: lower -rate", a.result.Step, a.result.Detail)
}

// Last is the comparison where inference ended; ok is false if there is none.
func (a Agreement) Last() (c analysis.Comparison, ok bool) {
	if len(a.Rows) == 0 {
		return c, false
	}
	return a.Rows[len(a.Rows)-1], true
}

// A Comparison is a network with weights and a batch that gradients are compared on.
type Comparison[T graph.Float] struct {
	Net     *arch.Network
	Flags   cli.NetFlags
	Weights *graph.Vector[T]
	Batch   int
	X, Y    []T
	BP      *arch.Model[T]
	OnStep  func(step int) // told of every step of inference; may be nil
}

// tell tells of a step.
func (b *Comparison[T]) tell(step int) {
	if b.OnStep != nil {
		b.OnStep(step)
	}
}

// NewComparison takes the first samples of a set as the batch.
func NewComparison[T graph.Float](net *arch.Network, flags cli.NetFlags, w *graph.Vector[T], set *data.Set, batch int) (*Comparison[T], error) {
	b := &Comparison[T]{Net: net, Flags: flags, Weights: w, Batch: min(batch, set.Len())}
	b.X, b.Y = make([]T, b.Batch*set.In()), make([]T, b.Batch*set.Out())
	for _, idx := range data.InOrder(b.Batch, b.Batch) {
		data.Fill(set, b.X, b.Y, idx)
	}
	var err error
	b.BP, err = arch.Compile(net, w, arch.Plan{Batch: b.Batch, Energy: flags.Energy(1), Coordinates: arch.Feedforward})
	return b, err
}

// along compares at the steps that at holds of, with the output at a precision.
func (b *Comparison[T]) along(precision float64, solver infer.Solver[T], stop infer.Stop, at func(int) bool) (Agreement, error) {
	pc, err := arch.Compile(b.Net, b.Weights, arch.Plan{Batch: b.Batch, Energy: b.Flags.Energy(precision), Coordinates: b.Flags.Coordinates()})
	if err != nil {
		return Agreement{}, err
	}
	a := b.named(pc)
	a.Rows, a.result, err = analysis.Compare(pc, b.BP, solver, stop, b.X, b.Y, 1/precision, at)
	return a, err
}

// named is an empty agreement with the names of a model.
func (b *Comparison[T]) named(pc *arch.Model[T]) Agreement {
	a := Agreement{terms: pc.Terms()}
	for i, w := range b.Net.Weights() {
		if !w.Param.Bias {
			a.weights, a.params = append(a.weights, w.Name), append(a.params, i)
		}
	}
	return a
}

// inference compares along so many steps of inference: at each of the first ones and ever more rarely later.
func (b *Comparison[T]) inference(ctx context.Context, precision float64, in cli.InferFlags) (Agreement, error) {
	shown := make(map[int]bool)
	for _, s := range Ladder(in.Steps) {
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

// How inference came to an end, in the words of the table of precisions.
const (
	RestGradient = "gradient gone"
	RestEnergy   = "energy at rest"
)

// Equilibrium compares where inference has come to rest, by L-BFGS in the coordinates of errors: the equilibrium is that of the
// activities, and the smaller the precision is, the nearer the curvature is to 1 in all directions.
func (b *Comparison[T]) Equilibrium(ctx context.Context, precision float64) (Agreement, error) {
	pc, err := arch.Compile(b.Net, b.Weights, arch.Plan{Batch: b.Batch, Energy: b.Flags.Energy(precision), Coordinates: arch.Errors})
	if err != nil {
		return Agreement{}, err
	}
	a := b.named(pc)
	want, got := make([]T, len(b.Weights.Data())), make([]T, len(b.Weights.Data()))
	if err := b.BP.Clamp(b.X, b.Y); err != nil {
		return a, err
	}
	if _, err := b.BP.ParamGrad(want); err != nil {
		return a, err
	}
	if err := pc.Clamp(b.X, b.Y); err != nil {
		return a, err
	}
	if err := pc.Forward(); err != nil {
		return a, err
	}
	level := &infer.Level{Window: restWindow, Rel: restFall}
	if b.Flags.Kinked() {
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
		a.Rest = RestGradient
	case steps >= restSteps:
		a.Rest = a.result.Status.String()
	default: // L-BFGS finds nothing lower
		a.Rest = RestEnergy
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
	for i := range b.Weights.Fields() {
		c.Params = append(c.Params, analysis.Agree(b.Weights.Part(got, i), b.Weights.Part(want, i)))
	}
	a.Rows = append(a.Rows, c)
	return a, nil
}

// ontoKinks goes on from the rest of a model in errors, with one in activities: there kinks are where single activities are
// 0, and the weight gradient at rest does not depend on the side from which they were reached. It descends from half the largest
// stable rate, in rounds of half the rate of the one before, and returns the model at rest and the number of steps.
func (b *Comparison[T]) ontoKinks(ctx context.Context, from *arch.Model[T], precision float64) (m *arch.Model[T], steps int, err error) {
	m, err = arch.Compile(b.Net, b.Weights, arch.Plan{Batch: b.Batch, Energy: b.Flags.Energy(precision)})
	if err != nil {
		return nil, 0, err
	}
	if err := m.Clamp(b.X, b.Y); err != nil {
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

// Ladder is 0, 1, 2, 3, 4, 6, 8, 12, 16, 24, ... and n itself.
func Ladder(n int) []int {
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
