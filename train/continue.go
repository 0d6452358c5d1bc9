package train

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/internal/kernel"
)

// Continue draws n tokens after those of start from a model of sequences, one at a time,
//
//	token ~ softmax(logits / temperature)
//
// with the logits that predict, the feedforward pass, gives at the last token so far of one window [window, classes], one-hot.
// The model must be causal: tokens after the last are zeros. Once there are more tokens than a window holds, it sees the last
// ones. Temperature 0 takes the most probable token. It returns start and what was drawn.
func Continue[T graph.Float](predict func(x []T) ([]T, error), start []int, window, classes, n int, temperature float64, rng *rand.Rand) ([]int, error) {
	if predict == nil {
		return nil, errors.New("train: continue: predict is missing: give Model.Predict")
	}
	if len(start) == 0 {
		return nil, errors.New("train: continue: no token to start from")
	}
	if !(temperature >= 0) || math.IsInf(temperature, 1) {
		return nil, errors.Errorf("train: continue: temperature is %v: want 0 or more", temperature)
	}
	if window < 1 || classes < 1 || n < 0 {
		return nil, errors.Errorf("train: continue: %d tokens in windows of %d and %d classes: want no negative number, and one or more of the others", n, window, classes)
	}
	for i, id := range start {
		if id < 0 || id >= classes {
			return nil, errors.Errorf("train: continue: token %d is %d: want 0 .. %d", i, id, classes-1)
		}
	}
	ids := append(make([]int, 0, len(start)+n), start...)
	x := make([]T, window*classes)
	weights := make([]float64, classes)
	for range n {
		seen := ids[max(0, len(ids)-window):]
		clear(x)
		for t, id := range seen {
			x[t*classes+id] = 1
		}
		y, err := predict(x)
		if err != nil {
			return nil, err
		}
		if len(y) != window*classes {
			return nil, errors.Errorf("train: continue: predict gave %d numbers for a window of %d tokens of %d classes: want %d", len(y), window, classes, window*classes)
		}
		logits := y[(len(seen)-1)*classes:][:classes]
		if i := kernel.FirstNonFinite(logits); i >= 0 {
			return nil, errors.WithMessage(&DivergenceError{Where: fmt.Sprintf("the logit of class %d after token %d is %v", i, len(ids), logits[i])}, "train: continue")
		}
		if temperature > 0 && rng == nil {
			return nil, errors.Errorf("train: continue: a temperature of %v and no rng to draw from: give one, or take temperature 0", temperature)
		}
		ids = append(ids, draw(logits, weights, temperature, rng))
	}
	return ids, nil
}

// draw is a class from softmax(logits/temperature); weights is memory.
func draw[T graph.Float](logits []T, weights []float64, temperature float64, rng *rand.Rand) int {
	most := Largest(logits)
	if temperature == 0 {
		return most
	}
	sum := 0.
	for i, v := range logits {
		weights[i] = math.Exp(float64(v-logits[most]) / temperature)
		sum += weights[i]
	}
	at := rng.Float64() * sum
	for i, w := range weights {
		if at -= w; at < 0 {
			return i
		}
	}
	return most // what rounding leaves
}
