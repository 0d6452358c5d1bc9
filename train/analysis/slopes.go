package analysis

import (
	"math"
	"slices"
)

// A Place is a site that networks of every depth have.
type Place int

// The places.
const (
	FirstHidden Place = iota
	MiddleHidden
	LastHidden
	AtOutput
)

func (p Place) String() string {
	return [...]string{"first", "middle", "last", "output"}[p]
}

// Places lists the places.
func Places() []Place { return []Place{FirstHidden, MiddleHidden, LastHidden, AtOutput} }

// index is the number of the place's site in a network of so many, counted from 1.
func (p Place) index(of int) int {
	return [...]int{1, of / 2, of - 1, of}[p]
}

// At reports whether a coordinate is that of a place.
func (c Coord) At(p Place) bool { return c.Index == p.index(c.Of) }

// A Slope is how activities at a place and their changes depend on the size of the network: the exponent p of
// rms ~ size^p, fitted by least squares on logarithms.
type Slope struct {
	Place            Place
	Relaxed          bool
	Activity, Change Exponent
}

// An Exponent is the mean over seeds, with the least and the largest. It is +Inf where a network diverged and NaN where
// something is zero or there are less than two sizes.
type Exponent struct{ Mean, Low, High float64 }

// A Verdict says in a word how something depends on the size.
type Verdict string

// The verdicts.
const (
	Flat      Verdict = "flat"
	Grows     Verdict = "grows"
	Shrinks   Verdict = "shrinks"
	Diverges  Verdict = "diverges"
	Undefined Verdict = "-"
)

// Verdict compares the mean with a band around zero.
func (e Exponent) Verdict(band float64) Verdict {
	switch {
	case math.IsNaN(e.Mean):
		return Undefined
	case math.IsInf(e.Mean, 1):
		return Diverges
	case e.Mean > band:
		return Grows
	case e.Mean < -band:
		return Shrinks
	}
	return Flat
}

// Slopes fits the coordinates at a step, place by place, in the feedforward pass and then where inference ended.
func Slopes(coords []Coord, step int) []Slope {
	var slopes []Slope
	for _, relaxed := range []bool{false, true} {
		for _, p := range Places() {
			bySeed := make(map[uint64][]Coord)
			var seeds []uint64
			for _, c := range coords {
				if c.Step != step || c.Relaxed != relaxed || !c.At(p) {
					continue
				}
				if bySeed[c.Seed] == nil {
					seeds = append(seeds, c.Seed)
				}
				bySeed[c.Seed] = append(bySeed[c.Seed], c)
			}
			if len(seeds) == 0 {
				continue
			}
			var activity, change []float64
			for _, seed := range seeds {
				activity = append(activity, slope(bySeed[seed], func(c Coord) float64 { return c.Activity }))
				change = append(change, slope(bySeed[seed], func(c Coord) float64 { return c.Change }))
			}
			slopes = append(slopes, Slope{Place: p, Relaxed: relaxed, Activity: exponent(activity), Change: exponent(change)})
		}
	}
	return slopes
}

// slope is the exponent of one seed.
func slope(cs []Coord, of func(Coord) float64) float64 {
	var mx, my float64
	for _, c := range cs {
		v := of(c)
		if math.IsInf(v, 1) {
			return v
		}
		mx, my = mx+math.Log(float64(c.Size))/float64(len(cs)), my+math.Log(v)/float64(len(cs))
	}
	var xy, xx float64
	for _, c := range cs {
		dx := math.Log(float64(c.Size)) - mx
		xy, xx = xy+dx*(math.Log(of(c))-my), xx+dx*dx
	}
	return xy / xx
}

// exponent sums up the exponents of all seeds.
func exponent(es []float64) Exponent {
	e := Exponent{Low: slices.Min(es), High: slices.Max(es)}
	for _, v := range es {
		e.Mean += v / float64(len(es))
	}
	return e
}
