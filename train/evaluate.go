package train

import (
	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/graph/kernel"
)

// A Score is how well predictions meet the targets of a set.
type Score struct {
	Samples  int
	Loss     float64 // 1/2 |y - prediction|^2, summed over outputs, averaged over samples
	Accuracy float64 // fraction of labels that the largest output meets: one a sample, or each scored step; 0 for regression
}

// evalChunk is how many samples are predicted at a time.
const evalChunk = 1024

// Evaluate scores predict on the whole of a set. A prediction that is not finite is an error that names its sample.
func Evaluate[T graph.Float](predict func(x []T) ([]T, error), set *data.Set) (Score, error) {
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
		if i := kernel.FirstNonFinite(p); i >= 0 {
			return Score{}, errors.Errorf("train: evaluate: output %d of sample %d of %q is %v: %s", i%out, idx[i/out], set.Name, p[i], remedy)
		}
		for i, v := range ys {
			d := float64(v - p[i])
			s.Loss += d * d / 2
		}
		for i, sample := range idx {
			for t := from; t < to; t++ {
				if at := i*out + t*classes; Largest(p[at:at+classes]) == set.TokenLabel(sample, t) {
					right++
				}
			}
		}
	}
	s.Loss /= float64(n)
	if to > from {
		s.Accuracy = float64(right) / float64(n*(to-from))
	}
	return s, nil
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
