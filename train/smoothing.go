package train

import (
	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/graph"
)

// smooth takes a part of the weight of every one-hot target and spreads it over all its classes,
//
//	y <- (1-part) y + part/classes
//
// (Szegedy et al. 2016, section 7). Tokens that have no class, all zeros, stay so.
func smooth[T graph.Float](y []T, classes int, part float64) {
	keep, each := T(1-part), T(part/float64(classes))
	for at := 0; at+classes <= len(y); at += classes {
		one := y[at : at+classes]
		if sum(one) == 0 {
			continue
		}
		for i, v := range one {
			one[i] = keep*v + each
		}
	}
}

func sum[T graph.Float](xs []T) (s T) {
	for _, x := range xs {
		s += x
	}
	return s
}

// validateSmoothing reports a LabelSmoothing out of range, and data without labels.
func (t *Trainer[T]) validateSmoothing() error {
	s := t.LabelSmoothing
	switch {
	case !(s >= 0 && s < 1):
		return errors.Errorf("train: LabelSmoothing is %v: want a number in [0, 1)", s)
	case s > 0 && (t.Feed != nil || t.Train == nil):
		return errors.New("train: LabelSmoothing is for the classes of Train: with a Feed let it give smoothed targets")
	case s > 0 && classesOf(t.Train) < 2:
		return errors.Errorf("train: LabelSmoothing is for classes, and %q has none: leave it out", t.Train.Name)
	}
	return nil
}

// classesOf is the number of classes; 0 for a set that is not there.
func classesOf(s *data.Set) int {
	if s == nil {
		return 0
	}
	return s.Classes()
}
