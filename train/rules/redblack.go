package rules

import (
	"cmp"
	"math"
	"slices"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/internal/kernel"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/train"
)

// A Projection says how a hidden activity is kept in the range of its block's last activation P, layers.ReLU or layers.HardTanh. With a
// the block's prediction before P, P(a) = f(h below), and D = -d(1/2 |e above|^2)/dh,
//
//	ProjectInput    h <- P(a + D)      "modified" projected gradient: a unit that is off can be turned on by its error
//	ProjectOutput   h <- P(P(a) + D)   projected gradient descent of step 1
//
// Both are h <- f + D in a block that ends without an activation.
type Projection int

// The projections.
const (
	ProjectInput Projection = iota
	ProjectOutput
)

// An Order says which activities are renewed at the same time.
type Order int

// The orders.
const (
	EvenThenOdd Order = iota // red-black: those of even places in the chain, then those of odd places, counted from 1
	AllAtOnce                // synchronous: it diverges on most networks
)

// RedBlack is nudged predictive coding by projected gradient steps over even and odd sites in turn (Kerjan, Hoier and Scellier 2026,
// arXiv 2606.03584), in a chain of L blocks with an activity h_L at the output too,
//
//	F = sum_k 1/2 |h_k - f_k(h_{k-1})|^2 + beta C(h_L, y)
//
// From the feedforward pass, Iterations times: the sites of even place, then those of odd place, take
//
//	h_k <- P(a_k + D_k)  (see Projection),   h_L <- f_L(h_{L-1}) - beta dC/dh_L
//
// and the gradient is 1/beta dE/dW there, with E the sum without C: backprop's, with an error of order beta, or of order beta^2 if
// Sign is Centred. An error moves up to two sites per iteration. A sweep costs about as much as one gradient of the energy.
//
// The Report's Loss is C at the feedforward pass, its Energy is F at |beta|. RandomSign draws a sign for each sample.
type RedBlack[T graph.Float] struct {
	Model      *arch.Model[T] // a chain, in arch.Feedforward coordinates
	Beta       float64        // above 0; .02 to .05 in the paper
	Sign       Sign
	Iterations int // one or more; 5 for five blocks, 10 for ten in the paper
	Projection Projection
	Order      Order
	Seed       uint64 // of RandomSign

	signs train.Random
	made  redBlackPlan[T]
	sizes map[int]*redBlack[T]
	now   *redBlack[T]
	other []T
}

var _ train.Rule[float32] = (*RedBlack[float32])(nil)

// A redBlackPlan is what the graph of a RedBlack depends on.
type redBlackPlan[T graph.Float] struct {
	model      *arch.Model[T]
	beta       float64
	projection Projection
	order      Order
}

// Validate reports a missing model, one in other coordinates, masked or with a network that is no chain, energies that are not unit
// Gaussian at hidden sites, hidden blocks that end in an activation that is no projection, and options out of range.
func (r *RedBlack[T]) Validate() error {
	const fit = "rules.Nudged and train.PC take any network"
	if err := validateChain(r.Model); err != nil {
		return errors.WithMessage(err, "RedBlack ("+fit+")")
	}
	n := r.Model.Network()
	_, _, ends := withoutProjections(n)
	if err := cmp.Or(unitHidden(r.Model.Plan().Energy), noFurther(n), noStart(n), ends); err != nil {
		return errors.WithMessage(err, "RedBlack ("+fit+")")
	}
	switch {
	case !(r.Beta > 0) || math.IsInf(float64(T(r.Beta)), 1) || math.IsInf(float64(T(1/r.Beta)), 1):
		return errors.Errorf("RedBlack: Beta %g: want a number above 0 that is finite as a %T, as its inverse is; Sign says its sign", r.Beta, T(0))
	case r.Sign < Positive || r.Sign > RandomSign:
		return errors.Errorf("RedBlack: unknown Sign %d", int(r.Sign))
	case r.Iterations < 1:
		return errors.Errorf("RedBlack: %d Iterations: want one or more", r.Iterations)
	case r.Projection != ProjectInput && r.Projection != ProjectOutput:
		return errors.Errorf("RedBlack: unknown Projection %d", int(r.Projection))
	case r.Order != EvenThenOdd && r.Order != AllAtOnce:
		return errors.Errorf("RedBlack: unknown Order %d", int(r.Order))
	}
	return nil
}

// withoutProjections is the network with hidden blocks, and the output's, that end without their activation, which it returns by
// block. Its weights are the same.
func withoutProjections(n *arch.Network) (*arch.Network, []layers.Act, error) {
	bare := *n
	bare.Blocks = slices.Clone(n.Blocks)
	acts := make([]layers.Act, len(n.Blocks))
	for i, b := range n.Blocks {
		if len(b.Skips) > 0 {
			continue // the sum with the skip has no activation behind it
		}
		bare.Blocks[i].Layer, acts[i] = withoutPost(b.Layer)
		switch {
		case output(n, i) || acts[i] == layers.LinearAct || acts[i] == layers.ReLU || acts[i] == layers.HardTanh:
		default:
			return nil, nil, errors.Errorf("block %q ends in %v, which is no projection: end it in relu, in hard_tanh or without (Post), any activation may stand in front (Act)", b.Name, acts[i])
		}
	}
	return &bare, acts, nil
}

// withoutPost is a layer without the activation that it ends in. Maxima and new shapes commute with activations that do not fall.
func withoutPost(l layers.Layer) (layers.Layer, layers.Act) {
	switch l := l.(type) {
	case layers.Linear:
		act := l.Post
		l.Post = layers.LinearAct
		return l, act
	case layers.Conv2D:
		act := l.Post
		l.Post = layers.LinearAct
		return l, act
	case layers.Compose:
		for i := len(l) - 1; i >= 0; i-- {
			switch l[i].(type) {
			case layers.MaxPool2D, layers.Flatten, layers.Reshape, layers.Identity:
				continue
			}
			parts := slices.Clone(l)
			var act layers.Act
			parts[i], act = withoutPost(l[i])
			return parts, act
		}
	}
	return l, layers.LinearAct
}

// A redBlack is the compiled graph of a RedBlack for one batch size.
type redBlack[T graph.Float] struct {
	*localProgram[T]
	h     []*graph.Node      // activities, inputs of the graph
	sites *graph.Vector[T]   // their values
	pass  []graph.Link[T]    // the feedforward pass
	sweep [2][]graph.Link[T] // even, odd
	chain [3]*graph.Chain[T] // of pass and of the sweeps; nil where samples depend on each other
	renew []*graph.Node      // all at once
	costs []*graph.Node      // whose sum is the loss, in values
	signs []T                // of each sample
}

// redBlackTargets is the first target of the activities: predictions, renewals one by one, all renewals.
const redBlackTargets = valueTarget + 1

// build draws the graph for a batch size.
func (r *RedBlack[T]) build(batch int) (*redBlack[T], error) {
	n := r.Model.Network()
	bare, acts, err := withoutProjections(n)
	if err != nil {
		return nil, err
	}
	chain, err := plainChain(n)
	if err != nil {
		return nil, err
	}
	s, err := newLocalGraph(bare, r.Model.Weights(), batch)
	if err != nil {
		return nil, err
	}
	g := &redBlack[T]{signs: make([]T, batch)}
	b, last := s.b, len(chain)-1
	at := s.input("x", inputShape(n))
	var fields []graph.Field
	a, mu, e := make([]*graph.Node, last+1), make([]*graph.Node, last+1), make([]*graph.Node, last+1)
	y := new(graph.Node)
	for k, i := range chain {
		a[k] = s.blocks.Predict(i, func(string) *graph.Node { return at })
		if err := b.Err(); err != nil {
			return nil, err
		}
		mu[k] = b.Act(acts[i], a[k])
		if k == 0 { // inputs 0 and 1 are x and y
			_, out := r.Model.Sizes()
			y = s.input("y", []int{out})
		}
		name := n.Blocks[i].Name
		b.Within(name, func() { at = s.input("h", mu[k].Shape()[1:]) })
		g.h, e[k] = append(g.h, at), b.Sub(at, mu[k])
		fields = append(fields, graph.Field{Name: name, Shape: at.Shape()})
	}
	sign := s.input("sign", []int{1})
	if g.sites = graph.NewVector[T](fields...); b.Err() != nil {
		return nil, b.Err()
	}
	if shape := g.h[last].Shape(); shape.Dims() > 2 {
		y = b.Reshape(y, shape[1:]...)
	}
	total, err := r.terms(s, g, chain, e, y)
	if err != nil {
		return nil, err
	}
	if err := g.renewals(s, r, chain, acts, a, mu, e, sign); err != nil {
		return nil, err
	}
	for k, i := range chain {
		delta := b.Copy(b.Scale(bySample(b, e[k], sign), -1/(r.Beta*float64(batch)))) // with respect to mu
		if err := s.learn(i, s.sum(total, b.Inner(mu[k], delta)), []*graph.Node{delta}); err != nil {
			return nil, err
		}
	}
	if g.localProgram, err = s.compile(); err != nil {
		return nil, err
	}
	for i, links := range [][]graph.Link[T]{g.pass, g.sweep[0], g.sweep[1]} {
		if len(links) > 0 {
			g.chain[i], _ = g.prog.Chain(links)
		}
	}
	return g, nil
}

// terms sets what is reported: the errors of all blocks and beta C, and regularisers. It returns C with these.
func (r *RedBlack[T]) terms(s *localGraph[T], g *redBlack[T], chain []int, e []*graph.Node, y *graph.Node) (*graph.Node, error) {
	b, last := s.b, len(chain)-1
	name := s.net.Blocks[chain[last]].Name
	var others []string
	for _, blk := range s.net.Blocks {
		if blk.Name != name {
			others = append(others, blk.Name)
		}
	}
	total := s.total(r.Model.Plan().Energy, others, energy.Prediction{Name: name, Mean: g.h[last], Activity: y, Output: true})
	if err := b.Err(); err != nil {
		return nil, err
	}
	costs := s.terms
	s.terms = nil
	for k, i := range chain {
		s.terms = append(s.terms, energy.Term{Name: s.net.Blocks[i].Name, Node: b.HalfSquare(e[k], 1, s.batch)})
	}
	for _, c := range costs {
		g.costs = append(g.costs, c.Node)
		if c.Name == name {
			c = energy.Term{Name: name + "/cost", Node: b.Scale(c.Node, r.Beta)}
		}
		s.terms = append(s.terms, c)
	}
	s.values = g.costs
	return total, b.Err()
}

// renewals adds what activities become, and the targets and links of pass and sweeps.
func (g *redBlack[T]) renewals(s *localGraph[T], r *RedBlack[T], chain []int, acts []layers.Act, a, mu, e []*graph.Node, sign *graph.Node) error {
	b, last := s.b, len(chain)-1
	for k, i := range chain {
		down := nodesOf(s.terms)[min(k+1, last)]
		factor := float64(s.batch)
		if k == last {
			down, factor = s.sum(g.costs...), r.Beta*float64(s.batch)
		}
		if err := b.Err(); err != nil {
			return err
		}
		ds, err := graph.Grad(down, g.h[k])
		if err != nil {
			return err
		}
		var next *graph.Node
		switch {
		case k == last:
			next = b.Combine([]float64{1, -factor}, mu[k], bySample(b, ds[0], sign))
		case r.Projection == ProjectOutput:
			next = b.Act(acts[i], b.Combine([]float64{1, -factor}, mu[k], ds[0]))
		default:
			next = b.Act(acts[i], b.Combine([]float64{1, -factor}, a[k], ds[0]))
		}
		g.renew = append(g.renew, next)
	}
	if err := b.Err(); err != nil {
		return err
	}
	link := func(k int, from *graph.Node) graph.Link[T] {
		s.more = append(s.more, []*graph.Node{from})
		return graph.Link[T]{Target: redBlackTargets + len(s.more) - 1, From: from, To: g.h[k], Copy: g.sites.Part(g.sites.Data(), k)}
	}
	for k := range chain {
		g.pass = append(g.pass, link(k, mu[k]))
	}
	for parity := range 2 {
		for k := 1 - parity; k <= last; k += 2 { // places count from 1
			g.sweep[parity] = append(g.sweep[parity], link(k, g.renew[k]))
		}
	}
	s.more = append(s.more, g.renew)
	return nil
}

// bySample multiplies each sample of x [batch, ...] by its own number, [batch, 1].
func bySample(b *graph.Builder, x, by *graph.Node) *graph.Node {
	if b.Err() != nil || x.Dims() == 2 {
		return b.TimesColumn(x, by)
	}
	shape := x.Shape()[1:]
	return b.Reshape(b.TimesColumn(b.Reshape(x, shape.TotalSize()), by), shape...)
}

// at is the graph for a batch size, built when first asked for.
func (r *RedBlack[T]) at(batch int) (*redBlack[T], error) {
	if plan := (redBlackPlan[T]{r.Model, r.Beta, r.Projection, r.Order}); r.made != plan {
		r.made, r.sizes, r.now = plan, make(map[int]*redBlack[T]), nil
	}
	if g := r.sizes[batch]; g != nil {
		return g, nil
	}
	g, err := r.build(batch)
	if err != nil {
		return nil, errors.WithMessage(err, "RedBlack")
	}
	r.sizes[batch] = g
	return g, nil
}

// Gradient renews the activities from the feedforward pass, twice if Centred, and takes the gradient where they came to.
func (r *RedBlack[T]) Gradient(grad, x, y []T, batch int) (train.Report, error) {
	train.CheckGradient(grad, r.Model.Weights())
	g, err := r.at(batch)
	if err != nil {
		return train.Report{}, err
	}
	r.now = g
	for i := range g.signs {
		g.signs[i] = 1
		if r.Sign == Negative || r.Sign == RandomSign && r.signs.From(r.Seed, signStream).IntN(2) == 1 {
			g.signs[i] = -1
		}
	}
	if err := cmp.Or(g.clamp(0, "x", x), g.clamp(1, "y", y)); err != nil {
		return train.Report{}, err
	}
	report, err := r.phase(g, grad)
	if err != nil || r.Sign != Centred {
		return report, err
	}
	for i := range g.signs {
		g.signs[i] = -1
	}
	if len(r.other) != len(grad) {
		r.other = make([]T, len(grad))
	}
	second, err := r.phase(g, r.other)
	kernel.Axpby(grad, .5, grad, .5, r.other)
	second.Inference.Step += report.Inference.Step
	second.Inference.Evals += report.Inference.Evals
	return second, err
}

// phase is the gradient with the signs as they are.
func (r *RedBlack[T]) phase(g *redBlack[T], grad []T) (report train.Report, err error) {
	g.prog.Load(g.data[len(g.data)-1], g.signs)
	g.refresh()
	if err := g.follow(0, g.pass); err != nil {
		return report, err
	}
	if err := g.run(valueTarget); err != nil {
		return report, err
	}
	for _, c := range g.costs {
		report.Loss += g.prog.Scalar(c)
	}
	for range r.Iterations {
		if r.Order == AllAtOnce {
			err = g.all()
		} else {
			err = cmp.Or(g.follow(1, g.sweep[0]), g.follow(2, g.sweep[1]))
		}
		if err != nil {
			return report, err
		}
		report.Inference.Step++
		report.Inference.Evals++
	}
	report.Inference.Status = infer.StepLimit
	report.Energy, err = g.gradient(grad)
	return report, err
}

// follow computes links one after the other.
func (g *redBlack[T]) follow(chain int, links []graph.Link[T]) error {
	if c := g.chain[chain]; c != nil {
		return g.prog.RunChain(c)
	}
	for _, l := range links {
		if err := g.prog.Run(l.Target); err != nil {
			return err
		}
		copy(l.Copy, g.prog.Value(l.From))
		g.prog.Load(l.To, l.Copy)
		g.prog.LoadNow()
	}
	return nil
}

// all renews all activities from where they are.
func (g *redBlack[T]) all() error {
	for k, n := range g.renew {
		g.prog.Store(n, g.sites.Part(g.sites.Data(), k))
	}
	if err := g.prog.Run(redBlackTargets + len(g.more) - 1); err != nil {
		return err
	}
	for k, n := range g.h {
		g.prog.Load(n, g.sites.Part(g.sites.Data(), k))
	}
	return nil
}

// Activities are those of the last gradient (of the negative phase, if Centred), by block [batch, ...]; nil before the first. They are
// valid until the next.
func (r *RedBlack[T]) Activities() *graph.Vector[T] {
	if r.now == nil {
		return nil
	}
	return r.now.sites
}

// Subject is the model. The terms are the errors of all blocks, beta C and regularisers.
func (r *RedBlack[T]) Subject() train.Subject[T] {
	s := train.SubjectOf(r.Model, func() *arch.Model[T] { return nil })
	s.Terms = nil
	if r.Model != nil {
		if g, err := r.at(r.Model.Plan().Batch); err == nil {
			s.Terms = g.names()
		}
	}
	last := func() *localProgram[T] {
		if r.now == nil {
			return nil
		}
		return r.now.localProgram
	}
	s.TermEnergies, s.Locate = func(dst []float64) { last().energies(dst) }, func() string { return last().locate() }
	return s
}

// Memory is where the random signs are.
func (r *RedBlack[T]) Memory() train.Memory { return train.Memories{"signs": &r.signs} }
