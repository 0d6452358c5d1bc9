package layers

import (
	"math"
	"slices"

	"github.com/pkg/errors"
)

// validActs reports an activation that is none of Acts.
func validActs(what string, acts ...Act) error {
	for _, a := range acts {
		if !slices.Contains(Acts(), a) {
			return errors.Errorf("%s: there is no activation %d: take one of %v, or write a layer of your own for another", what, uint8(a), Acts())
		}
	}
	return nil
}

// notNegative reports a number that is negative or not finite; zero means a default.
func notNegative(what, name string, v float64) error {
	if !(v >= 0) || math.IsInf(v, 1) {
		return errors.Errorf("%s: %s is %v: want a positive number, or 0 for the default", what, name, v)
	}
	return nil
}

// validPart asks a layer inside another.
func validPart(l Layer) error {
	if v, can := l.(interface{ Validate() error }); can {
		return v.Validate()
	}
	return nil
}

// Validate reports an unknown Act or Post.
func (l Linear) Validate() error { return validActs("a linear layer", l.Act, l.Post) }

// Validate reports an unknown Act or Post.
func (l Conv2D) Validate() error { return validActs("a convolution", l.Act, l.Post) }

// Validate reports an unknown Act or Post.
func (l ConvTranspose2D) Validate() error {
	return validActs("a transposed convolution", l.Act, l.Post)
}

// Validate reports an unknown Act.
func (l FeedForward) Validate() error { return validActs("a feed-forward layer", l.Act) }

// Validate reports an unknown Act.
func (l Lateral) Validate() error { return validActs("a lateral layer", l.Act) }

// Validate reports a rate that is not in [0, 1).
func (l Dropout) Validate() error {
	if !(l.Rate >= 0 && l.Rate < 1) {
		return errors.Errorf("dropout at a rate of %v: want a number from 0 to below 1", l.Rate)
	}
	return nil
}

// Validate reports an Eps that is negative or not finite.
func (l LayerNorm) Validate() error { return notNegative("a layer normalisation", "Eps", l.Eps) }

// Validate reports an Eps that is negative or not finite.
func (l RMSNorm) Validate() error {
	return notNegative("a root-mean-square normalisation", "Eps", l.Eps)
}

// Validate reports heads that do not divide the width, and a Scale that is not finite.
func (l Attention) Validate() error {
	if l.Heads < 1 || l.Width%l.Heads != 0 {
		return errors.Errorf("attention of width %d with %d heads: the heads must divide the width", l.Width, l.Heads)
	}
	if math.IsNaN(l.Scale) || math.IsInf(l.Scale, 0) {
		return errors.Errorf("attention: Scale is %v: want a finite number, or 0 for 1/sqrt(Width/Heads)", l.Scale)
	}
	return nil
}

// Validate reports a Factor that is not finite, and what is wrong with Inner.
func (l Residual) Validate() error {
	if math.IsNaN(l.Factor) || math.IsInf(l.Factor, 0) {
		return errors.Errorf("a residual layer: Factor is %v: want a finite number, or 0 for 1", l.Factor)
	}
	return validPart(l.Inner)
}

// Validate reports what is wrong with the parts.
func (l Compose) Validate() error {
	for i, part := range l {
		if err := validPart(part); err != nil {
			return errors.WithMessagef(err, "part %d of a composed layer", i+1)
		}
	}
	return nil
}
