// Package arch describes networks, scales their weights and compiles them to models.
//
// A Network is an immutable value: blocks, what predicts what, and a Scaling. Compile unrolls it into one expression
// graph with an energy and gives a Model, which has memory and programs: clamp data, run the feedforward pass, evaluate
// the energy with its gradient with respect to the free activities (StateGrad) or the weights (ParamGrad). Backprop is the same
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

// A Network is a value: inputs, blocks and the scaling of their weights. Every block predicts one site; what it reads may
// be any sites, also ones behind it. A chain unless blocks say otherwise.
//
// Blocks that read each other in a loop have no feedforward pass. Their activities then begin at a Start; without one,
// Model.Forward is an error that names the loop, and the activities are for the caller to set.
type Network struct {
	Input   []int   // shape of one sample of the input "x", without the batch
	Inputs  []Input // inputs by name, after "x" or instead of it
	Blocks  []Block
	Scaling Scaling // nil means SP
}

// An Input is a site that no block needs to predict.
type Input struct {
	Name  string
	Shape []int // of one sample, without the batch
}

// A Block predicts the activity of a site from those of others: Layer(Merge(z_from, ...)) + sum of its skips.
type Block struct {
	Name  string // names the block's site, its weights ("name/W"), its term of the energy and errors
	Layer layers.Layer
	From  []string     // inputs and blocks whose activities it reads; empty for the block before, or the input
	Merge layers.Merge // makes one of several; layers.Add{}, layers.Concat{}, layers.Attend{...}
	Skips []Skip

	// Predicts names a site of another block, or an input, that this block predicts too: a further term of the energy for
	// that activity. A block of this kind has no site of its own; it may read what its site predicts, or the site itself.
	Predicts  string
	Shares    string    // block whose layer's weights it uses instead of own ones
	Output    bool      // its site is an output; if no block says so, the last one's is
	Shape     []int     // of its site, without the batch; needed only where a layer that is not Linear is read before it is predicted, or with DiagonalPrecision
	Start     *Start    // where inference on its site begins; nil for its prediction
	Precision Precision // what is learned of the precision of its prediction
}

// A Skip adds Layer(z_from), unscaled, to a block's prediction.
type Skip struct {
	From  string       // empty for the block's own input
	Layer layers.Layer // layers.Identity{} for a plain skip
}

// A Start draws the activities that inference on a site begins with, in the coordinates of activities. The zero Start is
// zeros. The draws are the same at every Forward, and those of a sample in a batch of any size.
type Start struct {
	Init
	Seed uint64
}

// Precision says what is learned of the precision of a block's prediction: a weight "name/precision", its logarithm, which
// starts at zero. Regularisers leave it alone, and no scaling changes its rate.
//
// Where the activity is data, that is the noise around the prediction. Where it is free, inference has made the errors
// smaller than the noise, and the precision learned from them comes out larger.
type Precision int

const (
	FixedPrecision    Precision = iota // that of the likelihood
	ScalarPrecision                    // one for all units
	DiagonalPrecision                  // one for each unit
)

// precisionName is the name of a learned precision among a block's weights.
const precisionName = "precision"

// Ends names the inputs and the sites that are outputs.
func (n *Network) Ends() (inputs, outputs []string) {
	for _, s := range n.sites() {
		if s.input {
			inputs = append(inputs, s.name)
		}
		if s.output {
			outputs = append(outputs, s.name)
		}
	}
	return inputs, outputs
}

// scaling is the network's scaling with its default.
func (n *Network) scaling() Scaling {
	if n.Scaling == nil {
		return SP{}
	}
	return n.Scaling
}

// Residual reports whether any block has a skip, or a layer with a branch in it.
func (n *Network) Residual() bool {
	for _, b := range n.Blocks {
		if len(b.Skips) > 0 {
			return true
		}
		if b.Layer == nil {
			continue
		}
		for _, p := range b.Layer.Params() {
			if p.Role == layers.BranchRole {
				return true
			}
		}
	}
	return false
}

// A Weight is one weight of a network with what its scaling says of it.
type Weight struct {
	Name    string // "block2/W"
	Param   layers.Param
	Factors Factors
}

// A part is a layer or a merge of a block with the name of its weights.
type part struct {
	prefix string // "block2/", "block2/skip1/", "block2/merge/"
	params []layers.Param
	skip   bool
}

// parts lists what of block i has weights, the layer first. A layer that shares its weights has its owner's names.
func (n *Network) parts(i int) []part {
	b := n.Blocks[i]
	owner := b.Name
	if b.Shares != "" {
		owner = b.Shares
	}
	ps := []part{{prefix: owner + "/", params: b.Layer.Params()}}
	for j, s := range b.Skips {
		ps = append(ps, part{prefix: b.Name + "/skip" + strconv.Itoa(j+1) + "/", params: s.Layer.Params(), skip: true})
	}
	if b.Merge != nil {
		ps = append(ps, part{prefix: b.Name + "/merge/", params: b.Merge.Params()})
	}
	return ps
}

// Weights lists all weights in the order of the slab that NewWeights allocates.
func (n *Network) Weights() []Weight {
	var ws []Weight
	c := n.census()
	for i, b := range n.Blocks {
		for j, part := range n.parts(i) {
			if j == 0 && b.Shares != "" {
				continue
			}
			for _, p := range part.params {
				ws = append(ws, Weight{Name: part.prefix + p.Name, Param: p, Factors: c.factors(i, part, p)})
			}
		}
		if b.Precision != FixedPrecision {
			shape := []int{1}
			if b.Precision == DiagonalPrecision {
				shape = b.shape()
			}
			ws = append(ws, Weight{
				Name:    b.Name + "/" + precisionName,
				Param:   layers.Param{Name: precisionName, Shape: shape, FanIn: 1, FanOut: 1, Bias: true},
				Factors: Factors{Forward: 1, SGD: 1, Adam: 1},
			})
		}
	}
	return ws
}

// A census is what positions depend on, gathered once for all weights.
type census struct {
	*Network
	sites    map[string]site
	residual bool
	depth    int // blocks with a site of their own
}

func (n *Network) census() census {
	c := census{Network: n, sites: make(map[string]site), residual: n.Residual()}
	for _, b := range n.Blocks {
		if b.Predicts == "" {
			c.depth++
		}
	}
	for _, s := range n.sites() {
		c.sites[s.name] = s
	}
	return c
}

// factors is what the scaling says of a weight of block i.
func (c census) factors(i int, of part, p layers.Param) Factors {
	n, at := c.Network, c.position(i, p)
	f := n.scaling().Factors(at)
	forward := f.Forward
	if p.Bias || p.Role == layers.GainRole {
		f = n.scaling().Bias(at)
	}
	f.Forward = forward
	if of.skip { // skips are not scaled
		f.Forward = 1
	}
	if p.Role == layers.GainRole {
		f.Forward, f.Init = 1, Init{Mean: 1}
	}
	return f
}

// position says where a weight of block i (from 0) stands.
func (c census) position(i int, p layers.Param) Position {
	s := c.sites[c.target(i)]
	at := Position{
		Index: i + 1, Depth: max(1, c.depth), FanIn: p.FanIn, FanOut: p.FanOut,
		Residual: c.residual, Output: s.output, Role: p.Role,
	}
	if p.Role != layers.ByPlace {
		return at
	}
	at.Role = layers.InputRole
	for _, from := range c.From(i) {
		read := c.sites[from]
		if end := read.input || read.output && c.Blocks[i].Predicts != ""; !end {
			at.Role = layers.HiddenRole
		}
	}
	switch {
	case at.Role == layers.InputRole:
	case s.output || s.input:
		at.Role = layers.ReadoutRole
	case len(c.Blocks[i].Skips) > 0:
		at.Role = layers.BranchRole
	}
	return at
}

const noRand = "arch: no random numbers to draw weights from: give rand.New(rand.NewPCG(seed, 0)) for rng, which is nil"

// NewWeights allocates the weights of a network and draws them from the scaling's initial distribution.
func NewWeights[T graph.Float](n *Network, rng *rand.Rand) (*graph.Vector[T], error) {
	if err := n.Validate(); err != nil {
		return nil, err
	}
	if rng == nil {
		return nil, errors.New(noRand)
	}
	ws := n.Weights()
	fields := make([]graph.Field, len(ws))
	for i, w := range ws {
		fields[i] = graph.Field{Name: w.Name, Shape: w.Param.Shape}
	}
	v := graph.NewVector[T](fields...)
	drawWeights(ws, v, rng)
	return v, nil
}

// drawWeights draws the weights from their initial distributions.
func drawWeights[T graph.Float](ws []Weight, v *graph.Vector[T], rng *rand.Rand) {
	for i, w := range ws {
		data := v.Part(v.Data(), i)
		for j := range data {
			data[j] = T(w.Factors.Init.draw(rng))
		}
	}
	v.Touch()
}

// validateWeights checks the weights' shapes and what the scaling says of them.
func (n *Network) validateWeights() error {
	seen := make(map[string]bool)
	total := int64(0)
	for _, w := range n.Weights() {
		if seen[w.Name] {
			return errors.Errorf("arch: two weights are named %q: rename the block or the layer's weight", w.Name)
		}
		seen[w.Name] = true
		if len(w.Param.Shape) == 0 {
			return errors.Errorf("arch: %s has no shape: a weight has one dimension or more, []int{1} for a single number", w.Name)
		}
		for _, d := range w.Param.Shape {
			if d <= 0 {
				return errors.Errorf("arch: %s has shape %v: every dimension must be positive", w.Name, w.Param.Shape)
			}
		}
		size, fits := graph.Elements(w.Param.Shape)
		if total += size; !fits || total > graph.MaxElements {
			return errors.Errorf("arch: %s of shape %v makes more than %d weights: look at the widths", w.Name, w.Param.Shape, int64(graph.MaxElements))
		}
		f := w.Factors
		for _, v := range []float64{f.SGD, f.Adam, f.Init.Std, f.Eps, f.Decay} {
			if !(v >= 0) || math.IsInf(v, 1) {
				return errors.Errorf("arch: the scaling %s gives %s the factors %+v: they must be finite and not negative: look at its fields", n.scaling(), w.Name, f)
			}
		}
		if f.Init.Mean-f.Init.Mean != 0 {
			return errors.Errorf("arch: the scaling %s gives %s the mean %v to begin with: want a finite number: look at its fields", n.scaling(), w.Name, f.Init.Mean)
		}
		if !(f.Forward > 0) || math.IsInf(f.Forward, 1) {
			return errors.Errorf("arch: the scaling %s gives %s the forward factor %v: it must be a positive number: look at its fields", n.scaling(), w.Name, f.Forward)
		}
	}
	return nil
}
