package train

import (
	"fmt"
	"reflect"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/optim"
)

// Missing reports whether a part is not there: nil, or a nil pointer in an interface.
func Missing(part any) bool {
	if part == nil {
		return true
	}
	v := reflect.ValueOf(part)
	return v.Kind() == reflect.Pointer && v.IsNil()
}

// isNil is the error of a part that is there and is a nil pointer; nil for others, also for a part that is left out.
func isNil(name string, part any) error {
	if part != nil && Missing(part) {
		return errors.Errorf("%s: give a value, or leave it out: it is a nil %T", name, part)
	}
	return nil
}

// Runnable reports what infer.Run would panic at.
func Runnable[T graph.Float](s infer.Solver[T], stop infer.Stop) error {
	if Missing(s) {
		return errors.New("the solver is missing")
	}
	if d, descends := s.(*infer.Descent[T]); descends && Missing(d.Optimizer) {
		return errors.New("infer: Descent: Optimizer is missing")
	}
	if _, ends := s.(infer.Stop); Missing(stop) && !ends {
		return errors.New("Stop is missing, and the solver does not end by itself")
	}
	return nil
}

// CheckGradient panics unless a gradient is as long as the weights.
func CheckGradient[T graph.Float](grad []T, w *graph.Vector[T]) {
	if n := len(w.Data()); len(grad) != n {
		panic(fmt.Sprintf("train: Gradient into a slice of %d numbers, and there are %d weights", len(grad), n))
	}
}

// notShared reports an optimiser that moves the weights and, in an infer.Descent, the activities: what it remembers of the ones
// would be taken for that of the others, and every inference begins with its Reset.
func notShared[T graph.Float](o optim.Optimizer[T], s infer.Solver[T]) error {
	d, descends := s.(*infer.Descent[T])
	if !descends || Missing(o) || d == nil || Missing(d.Optimizer) {
		return nil
	}
	for _, a := range unwrapped(o) {
		for _, b := range unwrapped(d.Optimizer) {
			of := reflect.TypeOf(a)
			if of == reflect.TypeOf(b) && of.Kind() == reflect.Pointer && of.Elem().Size() > 0 && a == b { // all of size 0 may be one
				return errors.Errorf("give the weights an optimiser of their own: this %T moves the activities too, in the infer.Descent of the rule", a)
			}
		}
	}
	return nil
}

// unwrapped is an optimiser and, if it is an optim.Wrapper, what it hands gradients to.
func unwrapped[T graph.Float](o optim.Optimizer[T]) []optim.Optimizer[T] {
	all := []optim.Optimizer[T]{o}
	for {
		c, is := o.(optim.Wrapper[T])
		if !is || Missing(o) || Missing(c.Wraps()) {
			return all
		}
		o = c.Wraps()
		all = append(all, o)
	}
}
