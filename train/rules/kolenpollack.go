package rules

import (
	"encoding/json"
	"math"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/internal/kernel"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/train"
)

// KolenPollack is direct feedback alignment whose matrices learn (direct Kolen-Pollack feedback: Casnici et al. 2026, arXiv 2602.15571;
// Kolen and Pollack 1994). After each batch a matrix moves as a readout from its site would,
//
//	B_l <- B_l - Rate (delta_L^T act_{l+1}(mu_l) + Decay B_l)      B_l [out, width of l],  delta_L = dloss/dmu_L
//
// The matrix of the last hidden site gets the update of the output's weights, so with the same rate and decay on both (optim.SGD with an
// energy.WeightDecay of Decay) it becomes their transpose: the difference falls by 1 - Rate Decay per batch.
type KolenPollack[T graph.Float] struct {
	DirectFeedback[T]
	Rate  float64 // above 0
	Decay float64 // zero or more
}

var _ train.Rule[float32] = (*KolenPollack[float32])(nil)

// Validate reports what DirectFeedback reports, and a Rate or Decay out of range.
func (r *KolenPollack[T]) Validate() error {
	if err := r.DirectFeedback.Validate(); err != nil {
		return errors.WithMessage(err, "KolenPollack")
	}
	if !(r.Rate > 0) || !(r.Decay >= 0) || math.IsInf(float64(T(r.Rate+r.Decay)), 1) {
		return errors.Errorf("KolenPollack: Rate %v and Decay %v: want finite numbers, above 0 and not below 0", r.Rate, r.Decay)
	}
	return nil
}

// learning draws the graph of DirectFeedback with the gradients of its matrices.
func (r *KolenPollack[T]) learning(batch int) (*localGraph[T], error) {
	p, backs, err := r.draw(batch)
	if err != nil {
		return nil, err
	}
	delta := p.b.Copy(p.delta)
	for l, back := range backs {
		act := p.net.Blocks[p.chain[l+1]].Layer.(layers.Linear).Act
		readout := p.b.Inner(p.b.MatMul(p.b.Act(act, p.mu[l]), back, false, true), delta)
		if err := p.b.Err(); err != nil {
			return nil, err
		}
		ds, err := graph.GradHolding(readout, []*graph.Node{delta}, back)
		if err != nil {
			return nil, err
		}
		p.values = append(p.values, ds[0])
	}
	return p.localGraph, nil
}

// Gradient is that of DirectFeedback; after it the matrices move.
func (r *KolenPollack[T]) Gradient(grad, x, y []T, batch int) (train.Report, error) {
	l, err := r.programs.at(batch, r.learning)
	if err != nil {
		return train.Report{}, errors.WithMessage(err, "KolenPollack")
	}
	report, err := r.programs.gradient(l, grad, x, y)
	if err != nil || len(l.values) == 0 {
		return report, err
	}
	if err := l.run(valueTarget); err != nil {
		return report, err
	}
	back := r.Feedback()
	for i, d := range l.values {
		kernel.SGD(back.Part(back.Data(), i), l.prog.Value(d), T(r.Rate), T(r.Decay))
	}
	r.moved()
	return report, nil
}

// moved makes the programs read the matrices anew.
func (r *KolenPollack[T]) moved() {
	for _, l := range r.programs.bySize {
		l.prog.Touch()
	}
}

// Subject is the model, with the terms of the loss.
func (r *KolenPollack[T]) Subject() train.Subject[T] {
	return r.programs.subject(r.Model, r.learning)
}

// Memory is the matrices.
func (r *KolenPollack[T]) Memory() train.Memory { return matricesOf[T]{r} }

// matricesOf is the memory of a KolenPollack.
type matricesOf[T graph.Float] struct{ r *KolenPollack[T] }

// MarshalBinary writes the matrices.
func (m matricesOf[T]) MarshalBinary() ([]byte, error) { return json.Marshal(m.r.Feedback().Data()) }

// UnmarshalBinary restores them.
func (m matricesOf[T]) UnmarshalBinary(text []byte) error {
	var data []T
	if err := json.Unmarshal(text, &data); err != nil {
		return errors.Wrap(err, "KolenPollack")
	}
	back := m.r.Feedback()
	if len(data) != len(back.Data()) {
		return errors.Errorf("KolenPollack: matrices of %d numbers, want %d", len(data), len(back.Data()))
	}
	copy(back.Data(), data)
	m.r.moved()
	return nil
}
