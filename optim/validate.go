package optim

import (
	"math"

	"github.com/pkg/errors"
)

// nonNegative checks that a number is finite and not below zero.
func nonNegative(of, name string, v float64) error {
	if v >= 0 && !math.IsInf(v, 1) {
		return nil
	}
	return errors.Errorf("optim: %s: %s %g: want a finite number, at least 0", of, name, v)
}

// fraction checks that a number is in [0, 1).
func fraction(of, name string, v float64) error {
	if v >= 0 && v < 1 {
		return nil
	}
	return errors.Errorf("optim: %s: %s %g: want a number in [0, 1)", of, name, v)
}

func validSpans(of string, spans []Span) error {
	end := 0
	for i, s := range spans {
		if s.Lo < 0 || s.Hi < s.Lo {
			return errors.Errorf("optim: %s: span %d is [%d:%d]: want 0 <= Lo <= Hi", of, i, s.Lo, s.Hi)
		}
		if s.Lo < end {
			return errors.Errorf("optim: %s: span %d starts at %d, the span before it ends at %d: "+
				"want disjoint spans in ascending order", of, i, s.Lo, end)
		}
		if err := nonNegative(of, "factor of a span", s.Factor); err != nil {
			return err
		}
		end = s.Hi
	}
	return nil
}

// first returns the first error that is not nil.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
