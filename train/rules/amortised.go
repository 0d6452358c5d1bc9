package rules

import (
	"slices"
	"strings"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/train"
)

// Amortised starts every free activity at the guess of another network, the amortiser: its block of a name guesses the site of
// that name of the network that infers, the generator. The amortiser's one input has the name of the end of the generator
// that it reads. arch.Amortiser describes one for a chain. (Tschantz et al. 2023, hybrid predictive coding.)
type Amortised[T graph.Float] struct {
	Amortiser *arch.Model[T] // in arch.Feedforward coordinates; Hybrid trains it

	guesses map[*arch.Model[T]]*guess[T]
}

var _ train.Start[float32] = (*Amortised[float32])(nil)

// A guess is an amortiser's program for one batch size.
type guess[T graph.Float] struct {
	*localProgram[T]          // its inputs are what is read, and the targets of the blocks in order
	sites            []string // guessed, in the order of values
	fields           []int    // of the generator's state: which guess begins it
	readsX           bool     // the generator's input rather than its output
}

// MarshalBinary is empty: it remembers nothing from batch to batch.
func (a *Amortised[T]) MarshalBinary() ([]byte, error) { return nil, nil }

// UnmarshalBinary restores nothing.
func (a *Amortised[T]) UnmarshalBinary(state []byte) error {
	return train.Memories(nil).UnmarshalBinary(state)
}

// Begin runs the amortiser.
func (a *Amortised[T]) Begin(m *arch.Model[T], x, y []T) error {
	_, err := a.begin(m, x, y)
	return err
}

// begin is Begin, and gives the program that guessed.
func (a *Amortised[T]) begin(m *arch.Model[T], x, y []T) (*guess[T], error) {
	g, err := a.guess(m)
	if err != nil {
		return nil, err
	}
	seen := y
	if g.readsX {
		seen = x
	}
	if err := g.clamp(0, "what the amortiser reads,", seen); err != nil {
		return nil, err
	}
	if err := g.run(valueTarget); err != nil {
		return nil, err
	}
	state := m.StateVector()
	for i, of := range g.fields {
		copy(state.Part(state.Data(), i), g.prog.Value(g.values[of]))
	}
	m.Show()
	return g, nil
}

// guess is the program that guesses for a model.
func (a *Amortised[T]) guess(m *arch.Model[T]) (*guess[T], error) {
	if g := a.guesses[m]; g != nil {
		return g, nil
	}
	if err := a.ValidateFor(m); err != nil {
		return nil, err
	}
	g, err := newGuess(a.Amortiser, m)
	if err != nil {
		return nil, errors.WithMessage(err, "Amortised: amortiser")
	}
	if a.guesses == nil {
		a.guesses = make(map[*arch.Model[T]]*guess[T])
	}
	a.guesses[m] = g
	return g, nil
}

// newGuess draws and compiles an amortiser's program: every block's prediction is read by others as it is, and compared with
// a target of its own, so that each learns by itself.
func newGuess[T graph.Float](amortiser, m *arch.Model[T]) (*guess[T], error) {
	n := amortiser.Network()
	s, err := newLocalGraph(n, amortiser.Weights(), m.Plan().Batch)
	if err != nil {
		return nil, err
	}
	at := map[string]*graph.Node{n.Inputs[0].Name: s.input(n.Inputs[0].Name, n.Inputs[0].Shape)}
	order, err := s.blocks.Pass(at)
	if err != nil {
		return nil, err
	}
	inputs, _ := m.Network().Ends()
	g := &guess[T]{readsX: n.Inputs[0].Name == inputs[0]}
	_, outputs := n.Ends()
	var sites []energy.Prediction
	for _, i := range order {
		name := n.Blocks[i].Name
		mu := at[name]
		g.sites, s.values = append(g.sites, name), append(s.values, mu)
		target := s.input(name+"/target", mu.Shape()[1:])
		sites = append(sites, energy.Prediction{Name: name, Mean: mu, Activity: target, Output: slices.Contains(outputs, name)})
	}
	total := s.total(amortiser.Plan().Energy, nil, sites...)
	for k, i := range order {
		if err := s.learn(i, total, without(s.values, s.values[k])); err != nil {
			return nil, err
		}
	}
	for _, name := range m.Free() {
		g.fields = append(g.fields, slices.Index(g.sites, name))
	}
	g.localProgram, err = s.compile()
	return g, err
}

// ValidateFor reports an amortiser that cannot guess the activities of m.
func (a *Amortised[T]) ValidateFor(m *arch.Model[T]) error {
	if err := a.Validate(); err != nil {
		return err
	}
	if err := noLayerInputs(a.Amortiser); err != nil {
		return errors.WithMessage(err, "Amortised: amortiser")
	}
	if c := m.Plan().Coordinates; c != arch.Activities {
		return errors.Errorf("Amortised: guesses are activities, the model is in the coordinates of %v: compile it in arch.Activities", c)
	}
	n := a.Amortiser.Network()
	inputs, outputs := m.Network().Ends()
	ends := append(inputs, outputs...)
	if len(inputs) != 1 || len(outputs) != 1 {
		return errors.Errorf("Amortised: the generator has the ends %s: want one input and one output", strings.Join(ends, ", "))
	}
	in, out := m.Sizes()
	size := map[string]int{ends[0]: in, ends[1]: out}
	for i, name := range m.Free() {
		size[name] = m.StateVector().Fields()[i].Size() / m.Plan().Batch
	}
	for _, b := range m.Network().Blocks {
		if b.Predicts == "" && size[b.Name] == 0 {
			return errors.Errorf("Amortised: the generator's site %q is clamped: leave hidden sites free", b.Name)
		}
	}
	if own, _ := n.Ends(); n.Input != nil || len(own) != 1 || !slices.Contains(ends, own[0]) {
		return errors.Errorf("Amortised: the amortiser reads %s: give it one input, in Network.Inputs, named after the end of the generator that it sees, %q or %q",
			strings.Join(own, ", "), ends[0], ends[1])
	}
	read := n.Inputs[0]
	if h, said := m.Plan().Hold[read.Name]; slices.Contains(m.Free(), read.Name) || said && h != arch.Clamped {
		return errors.Errorf("Amortised: the amortiser reads %q, which the generator infers: clamp it", read.Name)
	}
	if got := (graph.Field{Shape: read.Shape}).Size(); got != size[read.Name] {
		return errors.Errorf("Amortised: the amortiser reads %d numbers of %q, which has %d", got, read.Name, size[read.Name])
	}
	return a.guessesAll(m, size)
}

// guessesAll checks the amortiser's blocks against the generator's sites of known size.
func (a *Amortised[T]) guessesAll(m *arch.Model[T], size map[string]int) error {
	n := a.Amortiser.Network()
	at := make(map[string]*graph.Node)
	b := graph.NewBuilder[T]()
	blocks, err := arch.NewBlocks(b, n, a.Amortiser.Weights())
	if err != nil {
		return errors.WithMessage(err, "Amortised: amortiser")
	}
	at[n.Inputs[0].Name] = b.Data(n.Inputs[0].Name, append([]int{1}, n.Inputs[0].Shape...)...)
	if _, err := blocks.Pass(at); err != nil {
		return errors.WithMessage(err, "Amortised: amortiser")
	}
	for _, blk := range n.Blocks {
		if blk.Predicts != "" || blk.Shares != "" || blk.Precision != arch.FixedPrecision {
			return errors.Errorf("Amortised: block %q of the amortiser predicts another's site, shares weights or learns a precision: an amortiser is a plain pass, take it out", blk.Name)
		}
		want, is := size[blk.Name]
		if !is {
			return errors.Errorf("Amortised: the amortiser guesses %q, which is no site of the generator that is free or an end: there are %s", blk.Name, strings.Join(m.Free(), ", "))
		}
		if got := at[blk.Name].Shape().TotalSize(); got != want {
			return errors.Errorf("Amortised: the amortiser guesses %d numbers of %q, which has %d: make the amortiser the generator's mirror", got, blk.Name, want)
		}
	}
	for _, name := range m.Free() {
		if at[name] == nil {
			return errors.Errorf("Amortised: the amortiser has no block %q, and the generator is to infer that site: name a block after each", name)
		}
	}
	return nil
}

// Validate reports a missing amortiser, and one in other coordinates.
func (a *Amortised[T]) Validate() error {
	if a.Amortiser == nil {
		return errors.New("Amortised: Amortiser is missing")
	}
	if c := a.Amortiser.Plan().Coordinates; c != arch.Feedforward {
		return errors.Errorf("Amortised: the amortiser is in the coordinates of %v, and guesses by a feedforward pass: compile it in arch.Feedforward", c)
	}
	return nil
}
