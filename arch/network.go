// Package arch describes networks, scales their weights and compiles them to models.
//
// A Network is an immutable value: blocks, what predicts what, and a Scaling. Compile unrolls it into one expression
// graph with an energy and gives a Model, which has memory and programs: clamp data, run the feedforward pass, evaluate
// the energy with its gradient by the free activities (StateGrad) or by the weights (ParamGrad). Backprop is the same
// model with nothing free.
//
// The package knows nothing of how activities are relaxed (infer) or weights learned (train).
package arch

import (
	"math"
	"math/rand/v2"
	"strconv"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/layers"
)

// InputName names the network's input in From.
const InputName = "x"

// A Network is a value: blocks and the scaling of their weights. Every block predicts one site; the last block predicts
// the output.
type Network struct {
	Input   []int // shape of one sample, without the batch
	Blocks  []Block
	Scaling Scaling // nil means SP
}

// A Block predicts the activity of its site: factor Layer(z_from) + sum of its skips.
type Block struct {
	Name  string // names the site, its weights ("name/W") and errors
	Layer layers.Layer
	From  string // block whose activity is the input; empty for the block before
	Skips []Skip
}

// A Skip adds Layer(z_from), unscaled, to a block's prediction.
type Skip struct {
	From  string       // empty for the block's own input
	Layer layers.Layer // layers.Identity{} for a plain skip
}

// Residual tells whether any block has a skip.
func (n *Network) Residual() bool {
	for _, b := range n.Blocks {
		if len(b.Skips) > 0 {
			return true
		}
	}
	return false
}

// scaling is the network's scaling with its default.
func (n *Network) scaling() Scaling {
	if n.Scaling == nil {
		return SP{}
	}
	return n.Scaling
}

// Validate checks what can be checked without building the graph: names, references and layers.
func (n *Network) Validate() error {
	if len(n.Blocks) == 0 {
		return errors.New("arch: a network without blocks: give it at least one")
	}
	if len(n.Input) == 0 {
		return errors.New("arch: a network without an input shape: set Network.Input, e.g. []int{784}")
	}
	for _, d := range n.Input {
		if d <= 0 {
			return errors.Errorf("arch: input of shape %v: every dimension must be positive", n.Input)
		}
	}
	known := map[string]bool{InputName: true}
	check := func(block, from string) error {
		if from != "" && !known[from] {
			return errors.Errorf("arch: block %q takes its input from %q, which is no block before it", block, from)
		}
		return nil
	}
	for i, b := range n.Blocks {
		switch {
		case b.Name == "":
			return errors.Errorf("arch: block %d has no name", i+1)
		case known[b.Name]:
			return errors.Errorf("arch: two blocks are named %q (%q is the input)", b.Name, InputName)
		case b.Layer == nil:
			return errors.Errorf("arch: block %q has no layer", b.Name)
		}
		if err := check(b.Name, b.From); err != nil {
			return err
		}
		for _, s := range b.Skips {
			if s.Layer == nil {
				return errors.Errorf("arch: a skip of block %q has no layer: use layers.Identity{} for a plain one", b.Name)
			}
			if err := check(b.Name, s.From); err != nil {
				return err
			}
		}
		known[b.Name] = true
	}
	return n.validateWeights()
}

// validateWeights checks the weights' shapes and what the scaling says of them.
func (n *Network) validateWeights() error {
	for _, w := range n.Weights() {
		for _, d := range w.Param.Shape {
			if d <= 0 {
				return errors.Errorf("arch: %s has shape %v: every dimension must be positive", w.Name, w.Param.Shape)
			}
		}
		f := w.Factors
		for _, v := range []float64{f.SGD, f.Adam, f.Init.Std} {
			if !(v >= 0) || math.IsInf(v, 1) {
				return errors.Errorf("arch: the scaling %s gives %s the factors %+v: they must be finite and not negative: look at its fields", n.scaling(), w.Name, f)
			}
		}
		if !(f.Forward > 0) || math.IsInf(f.Forward, 1) {
			return errors.Errorf("arch: the scaling %s gives %s the forward factor %v: it must be a positive number: look at its fields", n.scaling(), w.Name, f.Forward)
		}
	}
	return nil
}

// A Weight is one weight of a network with what its scaling says of it.
type Weight struct {
	Name    string // "block2/W"
	Param   layers.Param
	Factors Factors
}

// Weights lists all weights in the order of the slab that NewWeights allocates.
func (n *Network) Weights() []Weight {
	var ws []Weight
	for i, b := range n.Blocks {
		for j, l := range n.layersOf(b) {
			pos := n.position(i)
			for _, p := range l.Params() {
				at := pos
				at.FanIn, at.FanOut = p.FanIn, p.FanOut
				f := n.scaling().Factors(at)
				if j > 0 {
					f.Forward = 1 // skips are not scaled
				}
				if p.Bias {
					f = n.scaling().Bias(at)
				}
				ws = append(ws, Weight{Name: paramName(b.Name, j, p.Name), Param: p, Factors: f})
			}
		}
	}
	return ws
}

// layersOf is the block's layer followed by those of its skips.
func (n *Network) layersOf(b Block) []layers.Layer {
	ls := []layers.Layer{b.Layer}
	for _, s := range b.Skips {
		ls = append(ls, s.Layer)
	}
	return ls
}

// paramName names weight p of the block's layer (part 0) or of its skip number part.
func paramName(block string, part int, p string) string {
	if part == 0 {
		return block + "/" + p
	}
	return block + "/skip" + strconv.Itoa(part) + "/" + p
}

// position says where block i (from 0) stands.
func (n *Network) position(i int) Position {
	pos := Position{Index: i + 1, Depth: len(n.Blocks), Residual: n.Residual(), FanIn: 1, FanOut: 1}
	if ps := n.Blocks[i].Layer.Params(); len(ps) > 0 {
		pos.FanIn, pos.FanOut = ps[0].FanIn, ps[0].FanOut
	}
	return pos
}

// NewWeights allocates the weights of a network and draws them from the scaling's initial distribution.
func NewWeights[T graph.Float](n *Network, rng *rand.Rand) (*graph.Vector[T], error) {
	if err := n.Validate(); err != nil {
		return nil, err
	}
	ws := n.Weights()
	fields := make([]graph.Field, len(ws))
	for i, w := range ws {
		fields[i] = graph.Field{Name: w.Name, Shape: w.Param.Shape}
	}
	v := graph.NewVector[T](fields...)
	for i, w := range ws {
		data := v.Part(v.Data(), i)
		for j := range data {
			data[j] = T(w.Param.Start + w.Factors.Init.draw(rng))
		}
	}
	v.Touch()
	return v, nil
}
