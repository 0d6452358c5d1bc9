package infer

import (
	"encoding/json"

	"github.com/pkg/errors"
)

// A Pace keeps the largest curvature of energies that change little from one to the next, as those of batch after batch do: it is
// measured by [LargestCurvature] for the first and for every Refresh-th.
type Pace[T Float] struct {
	Refresh int // 0 means 50

	known known
}

// What a Pace knows.
type known struct {
	Curvature float64 `json:"curvature"` // 0 before the first measurement
	Uses      int     `json:"uses"`      // since it was measured
	Raised    int     `json:"raised"`
}

const (
	defaultRefresh = 50
	// curvatureMargin makes up for power iterations, which come to the largest eigenvalue from below.
	curvatureMargin = 1.05
)

// Due reports whether the next Use measures.
func (c *Pace[T]) Due() bool {
	refresh := c.Refresh
	if refresh == 0 {
		refresh = defaultRefresh
	}
	return c.known.Curvature == 0 || c.known.Uses >= refresh
}

// Use returns the curvature for one more energy, measured around z if that is due, and how many evaluations that took. Where the
// measurement is not finite the last one holds, and 0 if there is none.
func (c *Pace[T]) Use(p Problem[T], z []T) (curvature float64, evals int, err error) {
	if c.Due() {
		measured, err := LargestCurvature(p, z)
		if err != nil {
			return 0, powerIterations + 1, err
		}
		if finite(measured) {
			c.known.Curvature, c.known.Uses = curvatureMargin*measured, 0
		}
		evals = powerIterations + 1
	}
	c.known.Uses++
	return c.known.Curvature, evals, nil
}

// Curvature is the one in use; 0 before the first Use.
func (c *Pace[T]) Curvature() float64 { return c.known.Curvature }

// Raise doubles the curvature: it has turned out to be too small.
func (c *Pace[T]) Raise() { c.known.Curvature *= 2; c.known.Raised++ }

// Raised is how often Raise was called.
func (c *Pace[T]) Raised() int { return c.known.Raised }

// Validate reports a Refresh below 0.
func (c *Pace[T]) Validate() error {
	if c.Refresh < 0 {
		return errors.Errorf("infer: Refresh %d: want 1 or more, or 0 for %d", c.Refresh, defaultRefresh)
	}
	return nil
}

// MarshalBinary is what is known.
func (c *Pace[T]) MarshalBinary() ([]byte, error) { return json.Marshal(c.known) }

// UnmarshalBinary restores it.
func (c *Pace[T]) UnmarshalBinary(text []byte) error {
	c.known = known{}
	return errors.Wrap(json.Unmarshal(text, &c.known), "infer: the largest curvature")
}
