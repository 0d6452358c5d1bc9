package data

import (
	"math"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/internal/jsonfloat"
)

// A Norm turns the byte v of a pixel into a number,
//
//	x = (v/255 - Mean) / Std
//
// The zero value means the usual constants of the data set; Norm{Mean: 0, Std: 1} gives [0, 1].
type Norm struct {
	Mean float64 `json:"mean"`
	Std  float64 `json:"std"`
}

// UnmarshalJSON reads a norm, both of whose numbers must be there.
func (n *Norm) UnmarshalJSON(text []byte) error {
	var f struct{ Mean, Std *float64 }
	if err := jsonfloat.Unmarshal(text, &f); err != nil {
		return err
	}
	if f.Mean == nil || f.Std == nil {
		return errors.Errorf("data: Norm %s: mean or std is missing", text)
	}
	*n = Norm{*f.Mean, *f.Std}
	return nil
}

// Apply returns the number for the byte v.
func (n Norm) Apply(v uint8) float64 { return (float64(v)/255 - n.Mean) / n.Std }

// Pixel is the inverse of Apply: the nearest byte, clipped to 0..255, and 0 for NaN (a picture can always be drawn).
func (n Norm) Pixel(x float64) uint8 {
	v := math.Round((x*n.Std + n.Mean) * 255)
	switch {
	case v >= 255:
		return 255
	case v > 0:
		return uint8(v)
	}
	return 0 // also NaN
}

// or returns n, or the given constants when n is zero. Errors: constants that give numbers float32 cannot hold.
func (n Norm) or(usual Norm) (Norm, error) {
	if n == (Norm{}) {
		return usual, nil
	}
	for _, v := range []uint8{0, 255} {
		if x := math.Abs(n.Apply(v)); !(n.Std > 0 && n.Std <= math.MaxFloat64) || !(x <= math.MaxFloat32) {
			return n, errors.Errorf("Norm: Mean %v and Std %v make byte %d not a finite float32: give a positive, finite Std "+
				"and a finite Mean, or the zero Norm for the usual %v and %v", n.Mean, n.Std, v, usual.Mean, usual.Std)
		}
	}
	return n, nil
}

// table returns Apply of every byte.
func (n Norm) table() (t [256]float64) {
	for v := range t {
		t[v] = n.Apply(uint8(v))
	}
	return t
}
