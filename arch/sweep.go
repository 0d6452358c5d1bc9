package arch

import (
	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/graph"
)

// A sweeper is the program of Model.Sweep: the gradient of each free site by itself.
type sweeper[T graph.Float] struct {
	low *lowered[T]
	dz  []*graph.Node // by field of the model's state
}

// Sweep visits free sites in turn, numbered as the fields of State, and has update move each along its own gradient dF_i/dz_i, with
// all others where they have come to: block coordinate descent, also called Gauss-Seidel. z and grad are the site's parts, of State
// and of the gradient; update moves z in place. A site may be visited more than once. Only what depends on the sites that moved is
// computed again, so that a sweep over a chain in either direction costs about one StateGrad. The first call compiles a program of its
// own. It is an error in a model with Plan.Dendrites, whose activities follow no energy.
func (m *Model[T]) Sweep(order []int, update func(site int, z, grad []T)) error {
	m.enter("Sweep")
	defer m.leave()
	if m.sweeper == nil {
		s := &sweeper[T]{}
		var err error
		if m.plan.Dendrites != nil {
			err = errors.New("dendrites do not follow the gradient of an energy: compile the model without")
		} else {
			s.low, err = m.lower(m.plan, true, s.differentiate)
		}
		if err != nil {
			return errors.WithMessage(err, "arch: sweep")
		}
		m.sweeper = s
	}
	m.ready()
	s := m.sweeper
	s.low.sync(m.state.Data())
	for _, i := range order {
		if err := s.low.prog.Run(i); err != nil {
			return err
		}
		z := m.state.Part(m.state.Data(), i)
		update(i, z, s.low.prog.Value(s.dz[i]))
		s.low.prog.Load(s.low.states[i], z)
	}
	return nil
}

// differentiate adds one target for each free site.
func (s *sweeper[T]) differentiate(u *unrolled) ([][]*graph.Node, error) {
	var err error
	if _, s.dz, err = u.stateGradients(); err != nil {
		return nil, err
	}
	targets := make([][]*graph.Node, len(s.dz))
	for i, n := range s.dz {
		targets[i] = []*graph.Node{n}
	}
	return targets, nil
}
