package arch

import (
	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/graph"
)

// Coordinates say which variables are free.
type Coordinates int

const (
	Activities  Coordinates = iota // z_l free: predictive coding
	Errors                         // e_l free, z_l = mu_l + e_l: the same energy in error coordinates; the output has no error variable
	Feedforward                    // nothing free, z_l = mu_l: what is left is the backprop loss
)

func (c Coordinates) String() string {
	switch c {
	case Activities:
		return "activities"
	case Errors:
		return "errors"
	case Feedforward:
		return "feedforward"
	}
	return "unknown coordinates"
}

// A Plan says how a network becomes a model. PC and backprop differ in Coordinates alone.
type Plan struct {
	Batch       int
	Energy      energy.Functional // nil means energy.PC{}
	Coordinates Coordinates
	FreeInput   bool // the input is an activity: unsupervised networks
	FreeOutput  bool // the output is an activity too
}

func (p Plan) validate() error {
	if p.Batch <= 0 {
		return errors.Errorf("arch: batch of %d samples: want one or more", p.Batch)
	}
	if p.Coordinates < Activities || p.Coordinates > Feedforward {
		return errors.Errorf("arch: unknown coordinates %d", int(p.Coordinates))
	}
	if p.Coordinates == Feedforward && (p.FreeInput || p.FreeOutput) {
		return errors.New("arch: the feedforward coordinates have nothing free: use Activities or Errors with FreeInput or FreeOutput")
	}
	return nil
}

// An unrolled network: its graph and the nodes that a model is about.
type unrolled struct {
	b       *graph.Builder
	in      *graph.Node   // data, or a state with FreeInput
	out     *graph.Node   // data, or a state with FreeOutput
	params  []*graph.Node // in the order of the weights
	free    []energy.Named
	sites   []energy.Site
	predict *graph.Node // the output's prediction
}

// unroll builds the network's graph up to its sites.
func unroll[T graph.Float](n *Network, w *graph.Vector[T], p Plan) (*unrolled, error) {
	b := graph.NewBuilder[T]()
	u := &unrolled{b: b}
	for i := range w.Fields() {
		u.params = append(u.params, graph.ParamOf(b, w, i))
	}
	shape := append([]int{p.Batch}, n.Input...)
	if p.FreeInput {
		u.in = b.State(InputName, shape...)
		u.free = append(u.free, energy.Named{Name: InputName, Node: u.in})
	} else {
		u.in = b.Data(InputName, shape...)
	}
	z := map[string]*graph.Node{InputName: u.in}
	previous, param := InputName, 0
	for i, blk := range n.Blocks {
		if blk.From != "" {
			previous = blk.From
		}
		last := i == len(n.Blocks)-1
		b.Within(blk.Name, func() {
			forward := func(l interface {
				Forward(*graph.Builder, []*graph.Node, *graph.Node) *graph.Node
			}, params int, x *graph.Node) *graph.Node {
				ps := u.params[param : param+params]
				param += params
				return l.Forward(b, ps, x)
			}
			x := z[previous]
			mu := b.Scale(forward(blk.Layer, len(blk.Layer.Params()), x), n.scaling().Factors(n.position(i)).Forward)
			for _, s := range blk.Skips {
				from := x
				if s.From != "" {
					from = z[s.From]
				}
				skip := forward(s.Layer, len(s.Layer.Params()), from)
				if b.Err() == nil && !skip.Shape().Eq(mu.Shape()) {
					b.Fail(errors.Errorf("a skip gives shape %v where the layer gives %v: make them equal", []int(skip.Shape()), []int(mu.Shape())))
				}
				mu = b.Add(mu, skip)
			}
			if b.Err() != nil {
				return
			}
			z[blk.Name] = u.site(p, blk.Name, mu, last)
		})
		if b.Err() != nil {
			return nil, errors.WithMessage(b.Err(), "arch: compile")
		}
		previous = blk.Name
	}
	return u, nil
}

// site adds the site of a prediction and returns its activity.
func (u *unrolled) site(p Plan, name string, mu *graph.Node, last bool) *graph.Node {
	s := energy.Site{Name: name, Prediction: mu, Activity: mu, Output: last}
	shape := mu.Shape()
	switch {
	case last:
		u.predict = mu
		if p.FreeOutput {
			s.Activity = u.b.State("y", shape...)
			u.free = append(u.free, energy.Named{Name: name, Node: s.Activity})
		} else {
			s.Activity = u.b.Data("y", shape...)
		}
		u.out = s.Activity
	case p.Coordinates == Activities:
		s.Activity = u.b.State("z", shape...)
		u.free = append(u.free, energy.Named{Name: name, Node: s.Activity})
	case p.Coordinates == Errors:
		s.Error = u.b.State("e", shape...)
		s.Activity = u.b.Add(mu, s.Error)
		u.free = append(u.free, energy.Named{Name: name, Node: s.Activity})
	default:
		return mu // its own prediction: no error, no site
	}
	u.sites = append(u.sites, s)
	return s.Activity
}

// latents is what the energy is a function of.
func (u *unrolled) latents(n *Network, batch int) energy.Latents {
	l := energy.Latents{Sites: u.sites, Free: u.free, Batch: batch}
	for i, w := range n.Weights() {
		if !w.Param.Bias {
			l.Weights = append(l.Weights, energy.Named{Name: w.Name, Node: u.params[i]})
		}
	}
	return l
}
