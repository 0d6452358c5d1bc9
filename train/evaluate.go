package train

import (
	"fmt"
	"math"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/internal/kernel"
)

// A Score is how well predictions meet the targets of a set.
type Score struct {
	Samples  int
	Loss     float64 // 1/2 |y - prediction|^2, summed over outputs, averaged over samples
	Accuracy float64 // fraction of labels that the largest output meets: one a sample, or each scored step; 0 for regression

	// CrossEntropy is -log softmax(prediction) at the label, in nats, averaged over the same labels. It says something only
	// where predictions are logits; 0 for regression.
	CrossEntropy float64
}

// evalChunk is how many samples are predicted at a time.
const evalChunk = 1024

// Evaluate scores predict on the whole of a set. A prediction that is not finite is a DivergenceError that names its sample.
func Evaluate[T graph.Float](predict func(x []T) ([]T, error), set *data.Set) (Score, error) {
	if predict == nil {
		return Score{}, errors.New("train: evaluate: predict is missing: give Rule.Predict or Model.Predict")
	}
	if set == nil {
		return Score{}, errors.New("train: evaluate: the set is missing")
	}
	n, in, out := set.Len(), set.In(), set.Out()
	if n == 0 {
		return Score{}, errors.Errorf("train: evaluate: %q is empty", set.Name)
	}
	chunk := min(n, evalChunk)
	x, y := make([]T, chunk*in), make([]T, chunk*out)
	s := Score{Samples: n}
	classes, right := set.Classes(), 0
	from, to := set.Scored()
	for _, idx := range data.InOrder(n, chunk) {
		xs, ys := x[:len(idx)*in], y[:len(idx)*out]
		data.Fill(set, xs, ys, idx)
		p, err := predict(xs)
		if err != nil {
			return Score{}, err
		}
		if len(p) != len(ys) {
			return Score{}, errors.Errorf("train: evaluate: predict gave %d numbers for %d samples of %q, which has targets of %d: fit the network's outputs to the data", len(p), len(idx), set.Name, out)
		}
		if i := kernel.FirstNonFinite(p); i >= 0 {
			return Score{}, errors.WithMessage(&DivergenceError{Where: fmt.Sprintf("output %d of sample %d of %q is %v", i%out, idx[i/out], set.Name, p[i])}, "train: evaluate")
		}
		for i, v := range ys {
			d := float64(v - p[i])
			s.Loss += d * d / 2
		}
		for i, sample := range idx {
			for t := from; t < to; t++ {
				row, label := p[i*out+t*classes:][:classes], set.TokenLabel(sample, t)
				if Largest(row) == label {
					right++
				}
				s.CrossEntropy += surprise(row, label)
			}
		}
	}
	s.Loss /= float64(n)
	if to > from {
		s.Accuracy = float64(right) / float64(n*(to-from))
		s.CrossEntropy /= float64(n * (to - from))
	}
	return s, nil
}

// surprise is -log softmax(logits)[label].
func surprise[T graph.Float](logits []T, label int) float64 {
	most := float64(logits[Largest(logits)])
	sum := 0.
	for _, v := range logits {
		sum += math.Exp(float64(v) - most)
	}
	return math.Log(sum) + most - float64(logits[label])
}

// Largest is the index of the largest element, the first of equals; -1 if there is none or a NaN.
func Largest[T graph.Float](xs []T) int {
	best := -1
	for i, x := range xs {
		if x != x {
			return -1
		}
		if best < 0 || x > xs[best] {
			best = i
		}
	}
	return best
}
