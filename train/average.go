package train

import (
	"encoding/json"
	"math"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/internal/kernel"
)

// Average starts the inference of every sample at the running mean of the activities that samples of its label have settled at
// (Pinchetti et al. 2026, arXiv 2601.20895: the stream-aligned average). The label is the largest target. Samples of labels that have
// not been seen start at the feedforward pass.
//
// It needs labels, so it is for training. The activities of a batch count from the next batch on; those that are not finite never do.
type Average[T graph.Float] struct {
	Rate float64 // of an exponential mean, once a label has been seen 1/Rate times; 0: the mean of all

	settled settled[T]
	labels  []int // of the batch under way
	means   averages[T]
}

// averages are what Average remembers: by label, how many samples were seen and their mean.
type averages[T graph.Float] struct {
	Seen  []int
	Means [][]T
}

var (
	_ Start[float32] = (*Average[float32])(nil)
	_ Memory         = (*Average[float32])(nil)
)

// ValidateFor reports a Rate out of range, a model in other coordinates than activities, and targets without labels.
func (a *Average[T]) ValidateFor(m *arch.Model[T]) error {
	if !(a.Rate >= 0 && a.Rate <= 1) {
		return errors.Errorf("Average: Rate %v: want a number from 0 to 1", a.Rate)
	}
	if _, out := m.Sizes(); out < 2 {
		return errors.Errorf("Average: targets of %d number have no labels: train.Recall needs none", out)
	}
	return inActivities("Average", m)
}

// inActivities reports a model in other coordinates.
func inActivities[T graph.Float](start string, m *arch.Model[T]) error {
	if c := m.Plan().Coordinates; c != arch.Activities {
		return errors.Errorf("%s: a model in the coordinates of %v: what has settled are activities: compile it in arch.Activities", start, c)
	}
	return nil
}

// Begin counts what the batch before has settled at and sets the activities.
func (a *Average[T]) Begin(m *arch.Model[T], _, y []T) error {
	a.count()
	rows := m.Plan().Batch
	out := len(y) / rows
	for len(a.means.Seen) < out {
		a.means.Seen, a.means.Means = append(a.means.Seen, 0), append(a.means.Means, make([]T, len(m.State())/rows))
	}
	a.labels = a.labels[:0]
	fresh := false
	for i := range rows {
		best := 0
		for k, v := range y[i*out : (i+1)*out] {
			if v > y[i*out+best] {
				best = k
			}
		}
		a.labels = append(a.labels, best)
		fresh = fresh || a.means.Seen[best] == 0
	}
	if fresh {
		if err := m.Forward(); err != nil {
			return errors.WithMessage(err, "Average: samples of labels that have not been seen")
		}
	}
	for i, label := range a.labels {
		if a.means.Seen[label] > 0 {
			eachPart(m, i, a.means.Means[label], func(z, mean []T) { copy(z, mean) })
		}
	}
	m.Show()
	a.settled.of = m
	return nil
}

// count adds the batch under way, which has ended, to the means.
func (a *Average[T]) count() {
	m := a.settled.take()
	if m == nil {
		return
	}
	for i, label := range a.labels {
		a.means.Seen[label]++
		rate := T(max(a.Rate, 1/float64(a.means.Seen[label])))
		eachPart(m, i, a.means.Means[label], func(z, mean []T) { kernel.Axpby(mean, 1-rate, mean, rate, z) })
	}
}

// MarshalBinary is the means, with those of the last batch.
func (a *Average[T]) MarshalBinary() ([]byte, error) {
	a.count()
	return json.Marshal(a.means)
}

// UnmarshalBinary restores them.
func (a *Average[T]) UnmarshalBinary(text []byte) error {
	a.settled.of, a.means = nil, averages[T]{}
	return errors.Wrap(json.Unmarshal(text, &a.means), "Average")
}

// settled is the model whose activities an inference is moving.
type settled[T graph.Float] struct{ of *arch.Model[T] }

// take returns the model once its inference has ended, nil if there is none or its activities are not finite.
func (s *settled[T]) take() *arch.Model[T] {
	m := s.of
	if s.of = nil; m == nil || !kernel.AllFinite(m.State()) {
		return nil
	}
	return m
}

// eachPart calls f with the activities of sample i at each site and the part of all, which has those of one sample side by side.
func eachPart[T graph.Float](m *arch.Model[T], i int, all []T, f func(z, part []T)) {
	v, rows := m.StateVector(), m.Plan().Batch
	for k := range v.Fields() {
		z := v.Part(v.Data(), k)
		n := len(z) / rows
		f(z[i*n:(i+1)*n], all[:n])
		all = all[n:]
	}
}

// Recall starts the inference of every sample at what a memory of settled activities recalls by its input x,
//
//	z = sum_j a_j z_j,   a = softmax_j(-|x - x_j|^2 / (2 Width^2))
//
// over the last Capacity samples: one step of a continuous Hopfield network, which needs no labels (Pinchetti et al. 2026, arXiv
// 2601.20895). The first batch starts at the feedforward pass. The activities of a batch are remembered from the next batch on; those
// that are not finite never are.
type Recall[T graph.Float] struct {
	Capacity int     // samples
	Width    float64 // of likeness, in the units of |x|; small: the nearest alone

	settled settled[T]
	x       []T // of the batch under way
	near    []float64
	stored  recollections[T]
}

// recollections are what Recall remembers: a ring of samples.
type recollections[T graph.Float] struct {
	Next int // place of the next sample
	X, Z [][]T
}

var (
	_ Start[float32] = (*Recall[float32])(nil)
	_ Memory         = (*Recall[float32])(nil)
)

// ValidateFor reports options out of range and a model in other coordinates than activities.
func (r *Recall[T]) ValidateFor(m *arch.Model[T]) error {
	if r.Capacity < 1 || !(r.Width > 0) || math.IsInf(r.Width, 1) {
		return errors.Errorf("Recall: Capacity %d, Width %v: want one or more, and a finite number above 0", r.Capacity, r.Width)
	}
	return inActivities("Recall", m)
}

// Begin remembers what the batch before has settled at and sets the activities.
func (r *Recall[T]) Begin(m *arch.Model[T], x, _ []T) error {
	r.store()
	rows := m.Plan().Batch
	r.x, r.settled.of = append(r.x[:0], x...), m
	if len(r.stored.X) == 0 {
		return m.Forward()
	}
	in := len(x) / rows
	for i := range rows {
		r.weigh(x[i*in : (i+1)*in])
		for j, a := range r.near {
			w := T(a)
			eachPart(m, i, r.stored.Z[j], func(z, from []T) {
				if j == 0 {
					kernel.Scale(z, from, w)
				} else {
					kernel.Axpby(z, 1, z, w, from)
				}
			})
		}
	}
	m.Show()
	return nil
}

// weigh sets near to the weights of what is stored.
func (r *Recall[T]) weigh(x []T) {
	r.near = r.near[:0]
	least, sum := math.Inf(1), 0.
	for _, key := range r.stored.X {
		d := 0.
		for k, v := range key {
			e := float64(x[k] - v)
			d += e * e
		}
		r.near, least = append(r.near, d), min(least, d)
	}
	for j, d := range r.near {
		r.near[j] = math.Exp((least - d) / (2 * r.Width * r.Width))
		sum += r.near[j]
	}
	for j := range r.near {
		r.near[j] /= sum
	}
}

// store remembers the batch under way, which has ended.
func (r *Recall[T]) store() {
	m := r.settled.take()
	if m == nil {
		return
	}
	rows, s := m.Plan().Batch, &r.stored
	in := len(r.x) / rows
	for i := range rows {
		if len(s.X) < r.Capacity {
			s.X, s.Z = append(s.X, make([]T, in)), append(s.Z, make([]T, len(m.State())/rows))
			s.Next = len(s.X) - 1
		}
		copy(s.X[s.Next], r.x[i*in:(i+1)*in])
		eachPart(m, i, s.Z[s.Next], func(z, to []T) { copy(to, z) })
		s.Next = (s.Next + 1) % r.Capacity
	}
}

// MarshalBinary is what is remembered, with the last batch.
func (r *Recall[T]) MarshalBinary() ([]byte, error) {
	r.store()
	return json.Marshal(r.stored)
}

// UnmarshalBinary restores it.
func (r *Recall[T]) UnmarshalBinary(text []byte) error {
	r.settled.of, r.stored = nil, recollections[T]{}
	return errors.Wrap(json.Unmarshal(text, &r.stored), "Recall")
}
