package arch

import (
	"slices"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/graph"
)

// An unrolled network is a graph with the nodes that a model is made of.
type unrolled struct {
	*Blocks
	plan        Plan
	sites       []*graphSite // in the order of n.sites()
	byName      map[string]*graphSite
	free        []energy.Named
	predictions []energy.Prediction
	exact       []string
	loop        []string // blocks that predict each other, so that there is no feedforward pass
	order       []int    // of the blocks; of the feedforward pass, if there is one
}

// A graphSite is a site with its nodes in the graph, nil where it has none.
type graphSite struct {
	site
	hold       Hold
	shape      []int // [batch, ...]
	data, mask *graph.Node
	state      *graph.Node // free: the activity, or its error
	isError    bool        // state is an error
	activity   *graph.Node
	prediction *graph.Node // by its own block
	initial    *graph.Node // what the feedforward pass sets state to
}

// unroll builds the network's graph up to its sites.
func unroll[T graph.Float](n *Network, w *graph.Vector[T], p Plan) (*unrolled, error) {
	u := &unrolled{Blocks: newBlocks(graph.NewBuilder[T](), n, w), plan: p, byName: make(map[string]*graphSite)}
	for _, s := range n.sites() {
		at := &graphSite{site: s, hold: p.hold(s)}
		u.sites = append(u.sites, at)
		u.byName[s.name] = at
	}
	if err := u.arrange(); err != nil {
		return nil, err
	}
	for i, in := range n.inputs() {
		u.addSite(u.sites[i], in.Shape)
	}
	if err := u.b.Err(); err != nil {
		return nil, errors.WithMessage(err, "arch: compile")
	}
	for _, i := range u.order {
		u.block(i)
		if err := u.b.Err(); err != nil {
			return nil, errors.WithMessage(err, "arch: compile")
		}
	}
	return u, nil
}

// arrange finds a topological order of the blocks.
func (u *unrolled) arrange() error {
	given := func(name string) bool { // its activity does not wait for its prediction
		at := u.site(name)
		return at.hold == Clamped || u.plan.Coordinates == Activities && at.block >= 0 && u.n.Blocks[at.block].Start != nil
	}
	if u.order, u.loop = u.n.order(given); u.loop == nil {
		return nil
	}
	if u.plan.Coordinates != Activities {
		return errors.Errorf("arch: compile: blocks predict each other in a loop, %s: there is no feedforward pass, which the coordinates of %v need: use Activities, or clamp one of them", arrows(u.loop), u.plan.Coordinates)
	}
	order, loop := u.n.order(func(name string) bool {
		at := u.site(name)
		return given(name) || at.block >= 0 && u.n.Blocks[at.block].shape() != nil
	})
	if loop != nil {
		return errors.Errorf("arch: compile: blocks predict each other in a loop, %s: give one of them its Shape, and a Start for inference to begin at", arrows(loop))
	}
	u.order = order
	return nil
}

// site finds a site by its name.
func (u *unrolled) site(name string) *graphSite {
	return u.byName[name]
}

// inActivities reports whether a site's state is its activity, which is then there before its prediction.
func (u *unrolled) inActivities(at *graphSite) bool {
	return at.input || u.plan.Coordinates == Activities || u.plan.Coordinates == Errors && at.output
}

// addSite adds the nodes that a site has before its prediction: data, mask and state. shape is without the batch.
func (u *unrolled) addSite(at *graphSite, shape []int) {
	at.shape = append([]int{u.plan.Batch}, shape...)
	data, mask, state := "data", "mask", "z"
	switch {
	case at.output && at.hold == Free:
		data, state = "y", "y"
	case at.output:
		data = "y"
	}
	if !at.input {
		u.b.Within(at.name, func() { u.addSiteAs(at, data, mask, state) })
		return
	}
	data, mask, state = at.name, at.name+"/mask", at.name+"/z"
	if at.hold == Free {
		state = at.name
	}
	u.addSiteAs(at, data, mask, state)
}

// addSiteAs is addSite with the names of the nodes.
func (u *unrolled) addSiteAs(at *graphSite, data, mask, state string) {
	b := u.b
	if at.hold != Free {
		at.data = b.Data(data, at.shape...)
	}
	if at.hold == Masked {
		at.mask = b.Data(mask, at.shape...)
	}
	switch {
	case at.hold == Clamped:
		at.activity = at.data
	case u.inActivities(at):
		at.state = b.State(state, at.shape...)
		at.activity = at.state
		if at.hold == Masked {
			at.activity = b.Choose(at.mask, at.data, at.state)
		}
		u.free = append(u.free, energy.Named{Name: at.name, Node: at.activity})
	case u.plan.Coordinates == Errors:
		at.state, at.isError = b.State("e", at.shape...), true
	}
}

// activity returns that of a site, which is added now if it does not need its prediction.
func (u *unrolled) activity(name string) *graph.Node {
	at := u.site(name)
	if at.activity == nil {
		shape := u.n.Blocks[at.block].shape()
		if shape == nil {
			u.b.Fail(errors.Errorf("block %q is read before it is predicted: give it the Shape of its site", name))
			return nil
		}
		u.addSite(at, shape)
	}
	return at.activity
}

// block adds the prediction of block i, and its site.
func (u *unrolled) block(i int) {
	b, blk := u.b, u.n.Blocks[i]
	at := u.site(u.n.target(i))
	mu := u.Predict(i, u.activity)
	if blk.Predicts != "" {
		u.activity(at.name)
	}
	if b.Err() != nil {
		return
	}
	if at.shape != nil && !slices.Equal(at.shape, []int(mu.Shape())) {
		b.Within(blk.Name, func() {
			b.Fail(errors.Errorf("a prediction of shape %v of %q, which has shape %v (Block.Shape or Input.Shape, with the batch): make them equal", []int(mu.Shape()), at.name, at.shape))
		})
		return
	}
	if blk.Shape != nil && !slices.Equal(blk.Shape, []int(mu.Shape())[1:]) {
		b.Within(blk.Name, func() {
			b.Fail(errors.Errorf("Shape says %v, without the batch, and the layer predicts %v: make them equal, or leave Shape out", blk.Shape, []int(mu.Shape())[1:]))
		})
		return
	}
	u.predicted(i, at, mu)
}

// predicted records the prediction mu by block i of a site, which it adds if it is not there yet.
func (u *unrolled) predicted(i int, at *graphSite, mu *graph.Node) {
	blk := u.n.Blocks[i]
	if blk.Predicts == "" && at.shape == nil {
		u.addSite(at, mu.Shape()[1:])
	}
	u.b.Within(blk.Name, func() {
		s := energy.Prediction{Name: blk.Name, Mean: mu, Output: at.output}
		if blk.Predicts == "" {
			s.Error = u.ownPrediction(at, mu, blk.Start != nil)
		}
		if at.activity == mu { // no error, no site
			u.exact = append(u.exact, blk.Name)
			return
		}
		s.Activity, s.Mask = at.activity, at.mask
		if blk.Precision != FixedPrecision {
			s.LogPrecision = u.params[u.weight[blk.Name+"/"+precisionName]]
			if blk.Precision == ScalarPrecision {
				s.LogPrecision = u.b.Spread(u.b.Sum(s.LogPrecision, 1), mu.Shape()[1:]...)
			}
		}
		u.predictions = append(u.predictions, s)
	})
}

// ownPrediction gives a site its activity from its own block's prediction mu, and returns the error if that is a node already.
func (u *unrolled) ownPrediction(at *graphSite, mu *graph.Node, started bool) (e *graph.Node) {
	b := u.b
	at.prediction = mu
	masked := func(free *graph.Node) *graph.Node {
		if at.hold == Masked {
			return b.Choose(at.mask, at.data, free)
		}
		return free
	}
	switch {
	case at.activity == nil && at.isError:
		at.activity, e = masked(b.Add(mu, at.state)), at.state
		if at.hold == Masked {
			e = b.Choose(at.mask, b.Sub(at.data, mu), at.state)
		}
		u.free = append(u.free, energy.Named{Name: at.name, Node: at.activity})
	case at.activity == nil:
		at.activity = masked(mu)
	case at.state != nil && !started:
		at.initial = masked(mu)
	}
	return e
}

// outputs are the predictions of the outputs.
func (u *unrolled) outputs() []*graph.Node {
	var ns []*graph.Node
	for _, at := range u.sites {
		if at.output {
			ns = append(ns, at.prediction)
		}
	}
	return ns
}

// batched are the inputs of the graph that carry the batch.
func (u *unrolled) batched() []*graph.Node {
	var ns []*graph.Node
	for _, in := range u.b.Inputs() {
		if in.Kind != graph.Param {
			ns = append(ns, in.Node)
		}
	}
	return ns
}

// states are the inputs of the graph that are free.
func (u *unrolled) states() []graph.Input {
	var ins []graph.Input
	for _, in := range u.b.Inputs() {
		if in.Kind == graph.State {
			ins = append(ins, in)
		}
	}
	return ins
}

// latents are the variables of the energy.
func (u *unrolled) latents() energy.Latents {
	return energy.Latents{Predictions: u.predictions, Exact: u.exact, Free: u.free, Weights: u.Regular(), Batch: u.plan.Batch}
}

// unseen reports whether weight i is a precision that no energy depends on, for its site costs nothing.
func (u *unrolled) unseen(i int) bool {
	w := u.weights[i]
	return w.Param.Name == precisionName && slices.ContainsFunc(u.exact, func(name string) bool { return w.Name == name+"/"+precisionName })
}
