package arch

import (
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/internal/kernel"
)

// A layerInput is an input that a layer adds beside the data.
type layerInput[T graph.Float] struct {
	name   string
	node   *graph.Node
	draw   func(*rand.Rand) float64 // nil for what is not random
	values []T                      // as the program has them
	one    []T                      // those of every sample, if they are the same
}

// layerInputsOf lists the layer inputs of a program, and sets them to zero.
func layerInputsOf[T graph.Float](u *unrolled, p *graph.Program[T]) []*layerInput[T] {
	var es []*layerInput[T]
	for _, in := range u.layerInputs {
		e := &layerInput[T]{name: in.Name, node: in.Node, draw: in.Draw, values: make([]T, in.Node.Shape().TotalSize())}
		es = append(es, e)
		e.load(p)
	}
	return es
}

// load hands the values to the program.
func (e *layerInput[T]) load(p *graph.Program[T]) {
	p.Load(e.node, e.values)
	p.LoadNow()
}

// names lists the names of layer inputs.
func names[T graph.Float](es []*layerInput[T]) string {
	if len(es) == 0 {
		return "none"
	}
	var all []string
	for _, e := range es {
		all = append(all, e.name)
	}
	return strings.Join(all, ", ")
}

// check reports values that cannot be those of e, given so many samples.
func (e *layerInput[T]) check(values []T, samples int) error {
	one := e.node.Shape()[1:]
	if n := one.TotalSize(); len(values) != n*samples {
		return errors.Errorf("arch: %d numbers for the layer's input %q: want %d, %v for each of %d samples", len(values), e.name, n*samples, []int(one), samples)
	}
	if i := kernel.FirstNonFinite(values); i >= 0 {
		return errors.Errorf("arch: element %d for the layer's input %q is %v: want a number", i, e.name, values[i])
	}
	return nil
}

// LayerInputs are the inputs that layers add to the network beside its data, by name and shape: "block2/padding"
// [batch, tokens] of an attention, "block3/2/dropout" [batch, ...] of a Dropout that is the second part of a Compose.
func (m *Model[T]) LayerInputs() []graph.Field {
	m.there("LayerInputs")
	var fs []graph.Field
	for _, e := range m.layerInputs {
		fs = append(fs, graph.Field{Name: e.name, Shape: slices.Clone(e.node.Shape())})
	}
	return fs
}

// LayerInput is what a layer's input is at present, not to be written to; nil if there is none of that name.
func (m *Model[T]) LayerInput(name string) []T {
	m.there("LayerInput")
	if e := m.layerInput(name); e != nil {
		return e.values
	}
	return nil
}

// SetLayerInput sets a layer's input: of each sample [batch, ...], or of one for all, which then holds for the models that
// Resized gives, too. Until then it is zero, and in Predict it always is. It stays when other data are clamped.
func (m *Model[T]) SetLayerInput(name string, values []T) error {
	m.enter("SetLayerInput")
	defer m.leave()
	e := m.layerInput(name)
	if e == nil {
		return errors.Errorf("arch: %q is no input of a layer: there are %s", name, names(m.layerInputs))
	}
	samples := m.plan.Batch
	if len(values)*samples == len(e.values) {
		samples = 1
	}
	if err := e.check(values, samples); err != nil {
		return err
	}
	e.one = nil
	if samples == 1 {
		e.one = slices.Clone(values)
		for _, r := range m.resized {
			if err := r.SetLayerInput(name, values); err != nil {
				return err
			}
		}
	}
	for i := 0; i < len(e.values); i += len(values) {
		copy(e.values[i:], values)
	}
	e.load(m.prog)
	return nil
}

// DrawLayerInputs draws what layers add at random, the masks of Dropout, in the order of the blocks: for training, once a
// batch, before Forward. Models of one network and one batch size draw the same from the same rng.
func (m *Model[T]) DrawLayerInputs(rng *rand.Rand) {
	m.enter("DrawLayerInputs")
	defer m.leave()
	random := false
	for _, e := range m.layerInputs {
		if e.draw == nil {
			continue
		}
		if rng == nil {
			panic("arch: Model.DrawLayerInputs: " + e.name + " is random and rng is nil: give rand.New(rand.NewPCG(seed, 0))")
		}
		random, e.one = true, nil
		for i := range e.values {
			e.values[i] = T(e.draw(rng))
		}
		m.prog.Load(e.node, e.values)
	}
	if random {
		m.prog.LoadNow()
	}
}

// SetAs gives m the inputs of layers and the masks that other has at present: for a second model of the same network, batch and
// held sites, with another energy.
func (m *Model[T]) SetAs(other *Model[T]) error {
	if m == other {
		return nil
	}
	m.enter("SetAs")
	defer m.leave()
	other.enter("SetAs")
	defer other.leave()
	same := m.net == other.net && m.plan.Batch == other.plan.Batch && len(m.clamps) == len(other.clamps)
	for i, c := range m.clamps {
		same = same && c.name == other.clamps[i].name && len(c.mask) == len(other.clamps[i].mask)
	}
	if !same {
		return errors.New("arch: the inputs of layers and masks of a model of another network, batch size or Hold: want the same, with another energy")
	}
	for i, e := range m.layerInputs {
		copy(e.values, other.layerInputs[i].values)
		e.one = other.layerInputs[i].one
		e.load(m.prog)
	}
	for i, c := range m.clamps {
		if c.mask != nil {
			c.unitMask = other.clamps[i].unitMask
			m.setMask(c, other.clamps[i].mask)
		}
	}
	return nil
}

func (m *Model[T]) layerInput(name string) *layerInput[T] {
	for _, e := range m.layerInputs {
		if e.name == name {
			return e
		}
	}
	return nil
}
