package arch

import (
	"fmt"
	"math"
	"slices"
	"sync/atomic"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/internal/kernel"
)

// A Model is a network with memory: one expression graph, one energy, and one program over weights that it shares with
// every other model compiled over them. It spreads its work over the cores and is used by one goroutine at a time: a call that
// finds another one under way panics and says so, because the numbers of both would be wrong. Programs that serve several
// goroutines compile a model for each over the same weights, or guard one with a sync.Mutex. Writing to State or to the
// weights while a call is under way is not noticed.
//
// Methods panic on slices of wrong lengths, on slices that overlap where they must not, and on a nil Model; what depends on
// data or on the description is an error.
//
// Units: the energy is the mean over the batch, F = 1/B sum_i F_i. StateGrad gives each sample's own gradient
// dF_i/dz_i = B dF/dz, so that a rate or a tolerance means the same at every batch size; ParamGrad gives dF/dW.
//
// After the weights have changed, Clamp reads them anew, and so does every evaluation after weights.Touch().
type Model[T graph.Float] struct {
	net         *Network
	plan        Plan
	weights     *graph.Vector[T]
	u           *unrolled
	prog        *graph.Program[T]
	state       *graph.Vector[T]
	states      []*graph.Node // the inputs that state's fields are
	terms       []energy.Term
	dz, dw      []*graph.Node        // dw nil for a weight that the energy does not depend on
	pass        *graph.Chain[T]      // the feedforward pass; nil if there is nothing to predict, or whole does it
	whole       []graph.Link[T]      // the feedforward pass, where it cannot be done sample by sample
	begin       []func()             // sets the states that the feedforward pass leaves out to where inference begins
	passed      []bool               // states that the feedforward pass sets
	fused       *graph.FusedSteps[T] // nil where samples depend on each other
	clamps      []*clamp[T]
	layerInputs []*layerInput[T]
	multipliers *multipliers[T] // nil if the energy has none
	x, y        []*clamp[T]     // those of the inputs and of the outputs
	version     uint64
	into        *T          // where the program writes weight gradients to
	busy        atomic.Bool // a call is under way, see enter

	view       *viewer[T]
	newton     *newton[T] // nil before the first step
	sweeper    *sweeper[T]
	predictors map[int]*predictor[T]
	resized    map[int]*Model[T]
}

// Targets of a model's program.
const (
	stateTarget = iota // terms and dF_i/dz_i
	paramTarget        // terms and dF/dW
	valueTarget        // terms
	passTarget         // and following: one prediction each
)

// Compile builds the graph of a network with an energy, differentiates it and compiles it over the weights w, which
// NewWeights allocates. Errors name the block, the shapes and what to do.
func Compile[T graph.Float](n *Network, w *graph.Vector[T], p Plan) (*Model[T], error) {
	if err := n.Validate(); err != nil {
		return nil, err
	}
	if err := p.validate(n); err != nil {
		return nil, err
	}
	if err := checkWeights(n, w); err != nil {
		return nil, err
	}
	if p.Energy == nil {
		p.Energy = energy.PC{}
	}
	u, err := unroll(n, w, p)
	if err != nil {
		return nil, err
	}
	m := &Model[T]{net: n, plan: p, weights: w, u: u, predictors: make(map[int]*predictor[T])}
	m.terms = p.Energy.Terms(u.b, u.latents())
	if err := u.b.Err(); err != nil {
		return nil, errors.WithMessage(err, "arch: energy")
	}
	if len(m.terms) == 0 {
		return nil, errors.New("arch: the energy has no terms: it would be zero")
	}
	for _, t := range m.terms {
		switch {
		case t.Node == nil:
			return nil, errors.Errorf("arch: energy: the term %q has no node and there is no error: return what the graph's builder gives, or say why there is none with its Fail", t.Name)
		case t.Node.Dims() > 0:
			return nil, errors.Errorf("arch: energy: the term %q has shape %v: want a scalar, such as the builder's Sum or HalfSquare gives", t.Name, []int(t.Node.Shape()))
		}
	}
	if err := m.differentiate(); err != nil {
		return nil, errors.WithMessage(err, "arch: compile")
	}
	return m, nil
}

// A MismatchError is the error, to be found with errors.As, of weights that are not those of a network: of Compile, NewBlocks and
// LoadWeights.
type MismatchError struct{ Reason string }

func (e *MismatchError) Error() string { return e.Reason }

func mismatch(format string, args ...any) error {
	return errors.WithStack(&MismatchError{Reason: fmt.Sprintf(format, args...)})
}

// checkWeights compares the slab with what the network needs.
func checkWeights[T graph.Float](n *Network, w *graph.Vector[T]) error {
	if w == nil {
		return mismatch("arch: the weights are missing: allocate them with NewWeights for this network")
	}
	want, have := n.Weights(), w.Fields()
	if len(want) != len(have) {
		return mismatch("arch: the network has %d weights, the slab %d: allocate it with NewWeights for this network", len(want), len(have))
	}
	for i, f := range have {
		if f.Name != want[i].Name || !slices.Equal(f.Shape, want[i].Param.Shape) {
			return mismatch("arch: weight %d of the slab is %s%v, the network has %s%v: allocate it with NewWeights for this network",
				i, f.Name, f.Shape, want[i].Name, want[i].Param.Shape)
		}
	}
	return nil
}

// Network is the description that the model was compiled from.
func (m *Model[T]) Network() *Network { m.there("Network"); return m.net }

// Plan returns the plan that the model was compiled with.
func (m *Model[T]) Plan() Plan { m.there("Plan"); return m.plan }

// Weights is the slab that the model was compiled over.
func (m *Model[T]) Weights() *graph.Vector[T] { m.there("Weights"); return m.weights }

// Resized is the model of another batch size over the same weights, itself for its own. It is compiled once.
func (m *Model[T]) Resized(batch int) (*Model[T], error) {
	m.enter("Resized")
	defer m.leave()
	if batch == m.plan.Batch {
		return m, nil
	}
	if r := m.resized[batch]; r != nil {
		return r, nil
	}
	p := m.plan
	p.Batch = batch
	r, err := Compile(m.net, m.weights, p)
	if err != nil {
		return nil, err
	}
	if m.resized == nil {
		m.resized = make(map[int]*Model[T])
	}
	m.resized[batch] = r
	for _, e := range m.layerInputs {
		if e.one != nil {
			if err := r.SetLayerInput(e.name, e.one); err != nil {
				return nil, err
			}
		}
	}
	for _, c := range m.clamps {
		if c.unitMask != nil {
			if err := r.Mask(c.name, c.unitMask); err != nil {
				return nil, err
			}
		}
	}
	return r, nil
}

// refresh makes the program read the weights anew if they have changed, or in any case.
func (m *Model[T]) refresh(always bool) {
	if v := m.weights.Version(); always || v != m.version {
		m.version = v
		m.prog.Touch()
	}
}

// Forward sets the free activities to the feedforward pass from the inputs (from the present activities of free ones); a
// block's Start takes the place of its prediction. In the coordinates of errors that is the zero error, and the
// prediction for a free output; in those of backprop there is nothing to set. Blocks that predict each other in a loop
// without a Start are an error.
func (m *Model[T]) Forward() error {
	m.enter("Forward")
	defer m.leave()
	if m.u.loop != nil {
		return errors.Errorf("arch: forward: blocks predict each other in a loop, %s: there is no feedforward pass: give one of them a Start, or set State", arrows(m.u.loop))
	}
	m.refresh(false)
	for _, begin := range m.begin {
		begin()
	}
	if m.multipliers != nil {
		clear(m.multipliers.Data())
	}
	for _, l := range m.whole {
		for i, n := range m.states {
			m.prog.Load(n, m.state.Part(m.state.Data(), i))
		}
		if err := m.prog.Run(l.Target); err != nil {
			return err
		}
		copy(l.Copy, m.prog.Value(l.From))
	}
	if m.pass == nil {
		return nil
	}
	for i, n := range m.states {
		if !m.passed[i] {
			m.prog.Load(n, m.state.Part(m.state.Data(), i))
		}
	}
	return m.prog.RunChain(m.pass)
}

// State is the live slab of free activities, one field per free site: "block1/z", ... A solver moves it in place.
func (m *Model[T]) State() []T { m.there("State"); return m.state.Data() }

// StateVector is State with its names and shapes.
func (m *Model[T]) StateVector() *graph.Vector[T] { m.there("StateVector"); return m.state }

// Free names the sites whose activities, or errors, are the fields of StateVector, in that order.
func (m *Model[T]) Free() []string {
	m.there("Free")
	site := make(map[*graph.Node]string)
	for _, at := range m.u.sites {
		if at.state != nil {
			site[at.state] = at.name
		}
	}
	names := make([]string, len(m.states))
	for i, n := range m.states {
		names[i] = site[n]
	}
	return names
}

// Show writes the data of clamped units to the state slab, so that it shows the activities of masked sites: to be called after
// the slab has been set by hand.
func (m *Model[T]) Show() {
	m.enter("Show")
	defer m.leave()
	for _, c := range m.clamps {
		c.show(m.prog)
	}
}

// StateGrad writes each sample's own gradient dF_i/dz_i at the activities z to dst (with Plan.Dendrites what they say instead)
// and returns F. Both are as long as State; z may be State itself or any other point. It panics if the lengths differ, or if dst shares memory with z or State.
func (m *Model[T]) StateGrad(dst, z []T) (float64, error) {
	m.enter("StateGrad")
	defer m.leave()
	m.stateSized("StateGrad", "dst", dst)
	m.stateSized("StateGrad", "z", z)
	apart("StateGrad", "dst", dst, "z", z)
	apart("StateGrad", "dst", dst, "State", m.state.Data())
	m.load(z)
	for i, n := range m.dz {
		m.prog.Store(n, m.state.Part(dst, i))
	}
	m.multipliers.store(m.prog)
	if err := m.prog.Run(stateTarget); err != nil {
		return 0, err
	}
	return m.energy(), nil
}

// FusedSteps makes moves steps z <- z - rate dF_i/dz_i in place, one or more: the same bits as StateGrad, Ascend and optim.SGD in
// turn, but faster, each piece of the batch being taken through all steps at once. The gradient before the last step goes
// to grad, and F there is returned. If numbers are not finite there, or if samples depend on each other, ok is false and z
// is left as it was. It panics if the lengths are not that of State, if grad shares memory with z or State, and on less than
// one step.
func (m *Model[T]) FusedSteps(grad, z []T, rate float64, moves int) (f float64, ok bool, err error) {
	m.enter("FusedSteps")
	defer m.leave()
	m.stateSized("FusedSteps", "grad", grad)
	m.stateSized("FusedSteps", "z", z)
	apart("FusedSteps", "grad", grad, "z", z)
	apart("FusedSteps", "grad", grad, "State", m.state.Data())
	if moves < 1 {
		panic(fmt.Sprintf("arch: FusedSteps of %d steps: want one or more", moves))
	}
	if m.fused == nil {
		return 0, false, nil
	}
	m.ready()
	for i := range m.states {
		m.fused.Bind(i, m.state.Part(z, i), m.state.Part(grad, i))
	}
	if l := m.multipliers; l != nil {
		l.load(m.prog) // of rate 0
		at := len(m.states)
		for i, rate := range l.rates {
			if rate != 0 {
				m.fused.Bind(at, l.Part(l.Data(), i), nil)
				at++
			}
		}
	}
	if ok, err = m.prog.RunSteps(m.fused, T(rate), moves); !ok || err != nil {
		return 0, false, err
	}
	return m.energy(), true, nil
}

// ParamGrad writes dF/dW at the present activities to dst, as long as the weights, and returns F. It panics if dst has another
// length or shares memory with the weights.
func (m *Model[T]) ParamGrad(dst []T) (float64, error) {
	m.enter("ParamGrad")
	defer m.leave()
	sized("ParamGrad", "dst", len(dst), len(m.weights.Data()), "the weights")
	apart("ParamGrad", "dst", dst, "the weights", m.weights.Data())
	m.load(m.state.Data())
	if len(dst) > 0 && m.into != &dst[0] {
		m.into = &dst[0]
		for i, n := range m.dw {
			if n != nil {
				m.prog.Into(n, m.weights.Part(dst, i))
			}
		}
	}
	for i, n := range m.dw {
		if n == nil {
			clear(m.weights.Part(dst, i))
		}
	}
	if err := m.prog.Run(paramTarget); err != nil {
		return 0, err
	}
	return m.energy(), nil
}

// Energy is F at the present activities.
func (m *Model[T]) Energy() (float64, error) {
	m.enter("Energy")
	defer m.leave()
	m.load(m.state.Data())
	if err := m.prog.Run(valueTarget); err != nil {
		return 0, err
	}
	return m.energy(), nil
}

// load hands the activities z to the next run.
func (m *Model[T]) load(z []T) {
	m.ready()
	for i, n := range m.states {
		m.prog.Load(n, m.state.Part(z, i))
	}
	m.multipliers.load(m.prog)
}

// ready checks that there is data and reads weights that have changed.
func (m *Model[T]) ready() {
	for _, c := range m.clamps {
		if !c.set {
			panic("arch: a model is evaluated before Clamp, or ClampSite, gave every clamped site its data")
		}
	}
	m.refresh(false)
}

func (m *Model[T]) energy() float64 {
	f := 0.0
	for _, t := range m.terms {
		f += m.prog.Scalar(t.Node)
	}
	return f
}

// Terms names the terms of the energy: one per prediction, by its block, then those of regularisers.
func (m *Model[T]) Terms() []string {
	m.there("Terms")
	names := make([]string, len(m.terms))
	for i, t := range m.terms {
		names[i] = t.Name
	}
	return names
}

// TermEnergies writes the terms of the last evaluated energy, in the order of Terms, to dst. It panics if dst has another length.
func (m *Model[T]) TermEnergies(dst []float64) {
	m.enter("TermEnergies")
	defer m.leave()
	sized("TermEnergies", "dst", len(dst), len(m.terms), "Terms")
	for i, t := range m.terms {
		dst[i] = m.prog.Scalar(t.Node)
	}
}

// Bytes is the memory of the model beside the weights: activities, programs and packed weights.
func (m *Model[T]) Bytes() int {
	m.there("Bytes")
	n := len(m.state.Data())
	if m.multipliers != nil {
		n += 2 * len(m.multipliers.Data())
	}
	for _, c := range m.clamps {
		n += len(c.rows) + len(c.mask)
	}
	for _, e := range m.layerInputs {
		n += len(e.values)
	}
	var t T
	if _, single := any(t).(float32); single {
		return m.prog.Bytes() + 4*n
	}
	return m.prog.Bytes() + 8*n
}

// Locate names what went wrong first when an energy is not finite: a weight, or else the first site, in the order of the
// blocks, whose energy or activity is not finite. It is empty if all is finite.
func (m *Model[T]) Locate() string {
	m.enter("Locate")
	defer m.leave()
	if i := kernel.FirstNonFinite(m.weights.Data()); i >= 0 {
		return m.weights.Where(i)
	}
	for _, t := range m.terms {
		if e := m.prog.Scalar(t.Node); math.IsNaN(e) || math.IsInf(e, 0) {
			return "energy of " + t.Name
		}
	}
	if i := kernel.FirstNonFinite(m.state.Data()); i >= 0 {
		return m.state.Where(i)
	}
	return ""
}
