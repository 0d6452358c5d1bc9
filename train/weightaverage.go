package train

import (
	"math"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/internal/kernel"
)

// averageWeights moves the average of a training whose weights have moved t times,
//
//	average <- d average + (1-d) w,    d = min(decay, (t-1)/t)
//
// which is the mean of all weights so far until there are 1/(1-decay) of them, so that the start has no weight of its own.
func averageWeights[T graph.Float](average, w []T, decay float64, t int) {
	d := math.Min(decay, float64(t-1)/float64(t))
	kernel.Axpby(average, T(d), average, T(1-d), w)
}

// AveragedWeights is the exponential moving average of the weights that WeightAverage asks for, in the order of the weights' slab, in
// the current training or the last one; nil without. It is the trainer's memory.
func (t *Trainer[T]) AveragedWeights() []T { return t.average }

// UseAverage calls f while the average stands in the place of the weights, for every model over them, and puts the weights back:
//
//	err := trainer.UseAverage(func() error { return arch.SaveWeights(path, network, weights) })
//
// It returns the error of f; one of its own where there is no average. It must not be called while another goroutine trains.
func (t *Trainer[T]) UseAverage(f func() error) error {
	if t.average == nil {
		return errors.New("train: UseAverage: there is no average of the weights: set WeightAverage, and Run")
	}
	w := t.Rule.Subject().Weights
	swap := func() {
		for i, v := range w.Data() {
			w.Data()[i], t.average[i] = t.average[i], v
		}
		w.Touch()
	}
	swap()
	defer swap()
	return f()
}
