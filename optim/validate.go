package optim

import (
	"math"

	"github.com/pkg/errors"
)

// positive checks that a rate is finite and above zero: at rate 0 a training would end as it began, without a word.
func positive(of, name string, v float64) error {
	if v > 0 && !math.IsInf(v, 1) {
		return nil
	}
	return errors.Errorf("optim: %s: %s %g: want a finite number above 0", of, name, v)
}

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
		if err := first(
			nonNegative(of, "factor of a span", s.Factor),
			nonNegative(of, "Eps of a span", s.Eps),
			nonNegative(of, "Decay of a span", s.Decay)); err != nil {
			return err
		}
		end = s.Hi
	}
	return nil
}

// spansFit reports spans that end after n weights.
func spansFit(of string, spans []Span, n int) error {
	if k := len(spans); k > 0 && spans[k-1].Hi > n {
		return errors.Errorf("optim: %s: make the spans of the weights that are trained, as train.AdamSpans does: the last span ends at %d, and there are %d weights", of, spans[k-1].Hi, n)
	}
	return nil
}

// nilPointer is the error of an optimiser that is a nil pointer in an interface.
func nilPointer(of string) error {
	return errors.Errorf("optim: %s: give &optim.%s{Rate: ...}: it is a nil pointer", of, of)
}

// validEps checks that no Eps is rounded to zero, which would make 0/0 of a
// gradient that has always been zero.
func validEps[T Float](of string, eps float64, spans []Span) error {
	eps = orElse(eps, defaultEps)
	for i, s := range spans {
		if e := eps * orElse(s.Eps, 1); T(e) == 0 {
			return errors.Errorf("optim: %s: Eps %g of span %d is zero as a %T: choose a larger one", of, e, i, T(0))
		}
	}
	if T(eps) == 0 {
		return errors.Errorf("optim: %s: Eps %g is zero as a %T: choose a larger one", of, eps, T(0))
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
