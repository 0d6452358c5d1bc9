package train

import (
	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/data"
)

// An EarlyStop ends a training once evaluations no longer improve (Prechelt 1998), and leaves the weights of the best one. Its zero value
// never does.
//
// Of two evaluations the one of higher accuracy is better, for sets without classes that of the lower squared error; among equals the
// earlier one. A Score that picked the weights is no estimate of what they do on new data: it is too good, the more so the smaller the
// set is. So give On a set that is neither Train nor Test; without one it is Test that picks.
type EarlyStop struct {
	Patience int       // evaluations in a row without a better one after which the training ends; 0: never
	On       *data.Set // what is evaluated for it, when Test is; nil: Test
}

// set is what is evaluated for the stop; nil for none.
func (t *Trainer[T]) stopSet() *data.Set {
	if t.EarlyStop.Patience == 0 || t.EarlyStop.On == nil {
		return t.Test
	}
	return t.EarlyStop.On
}

// validate reports an EarlyStop that could never decide.
func (t *Trainer[T]) validateStop() error {
	switch e := t.EarlyStop; {
	case e.Patience < 0:
		return errors.Errorf("train: EarlyStop.Patience is %d: want zero or more", e.Patience)
	case e.Patience == 0 && e.On != nil:
		return errors.New("train: EarlyStop.On without a Patience: set it, or leave On out")
	case e.Patience == 0:
		return nil
	case t.stopSet() == nil || t.stopSet().Len() == 0:
		return errors.New("train: EarlyStop needs a set: give EarlyStop.On, or Test")
	case t.EvalEvery == 0:
		return errors.New("train: EarlyStop looks at evaluations: set EvalEvery")
	}
	return nil
}

// picked is what the evaluation scores for an EarlyStop.
func (e Eval) picked() Score {
	if e.Stop != nil {
		return *e.Stop
	}
	return e.Score
}

// best is the index of the best evaluation; -1 if there is none.
func (h *History) best(classes bool) int {
	best := -1
	for i, e := range h.Evals {
		if best < 0 {
			best = i
			continue
		}
		a, b := e.picked(), h.Evals[best].picked()
		if classes && a.Accuracy > b.Accuracy || !classes && a.Loss < b.Loss {
			best = i
		}
	}
	return best
}

// judge notes the best evaluation in the history, and whether the training ends there. It reports whether the last one is the best.
func (t *Trainer[T]) judge(h *History) (improved bool) {
	if t.EarlyStop.Patience == 0 || len(h.Evals) == 0 {
		return false
	}
	best := h.best(t.stopSet().Classes() > 0)
	h.Best = h.Evals[best].Step
	h.Stopped = len(h.Evals)-1-best >= t.EarlyStop.Patience
	return best == len(h.Evals)-1
}
