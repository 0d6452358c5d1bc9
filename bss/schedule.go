package bss

import (
	"math"

	"github.com/pkg/errors"
)

// A Law is how a Schedule falls.
type Law int

// The laws, with t counted from 0.
const (
	Constant    Law = iota // Rate
	Harmonic               // Rate / (1 + t/Time)
	Logarithmic            // Rate / (1 + ln(2 + t/Time))
	Sqrt                   // Rate / sqrt(1 + t/Time)
	Exponential            // Rate Decay^t
)

// A Schedule is a rate that may fall from step to step, but not below Floor.
type Schedule struct {
	Law   Law
	Rate  float64
	Time  float64 // of Harmonic, Logarithmic and Sqrt, in steps; 0 is 1
	Decay float64 // of Exponential, per step
	Floor float64
}

// At is the rate of step t, counted from 0.
func (s Schedule) At(t int) float64 {
	time := s.Time
	if time == 0 {
		time = 1
	}
	r, x := s.Rate, float64(t)/time
	switch s.Law {
	case Harmonic:
		r /= 1 + x
	case Logarithmic:
		r /= 1 + math.Log(2+x)
	case Sqrt:
		r /= math.Sqrt(1 + x)
	case Exponential:
		r *= math.Pow(s.Decay, float64(t))
	}
	return max(r, s.Floor)
}

// validate reports numbers that are no rates.
func (s Schedule) validate(method, name string) error {
	switch {
	case s.Law < Constant || s.Law > Exponential:
		return errors.Errorf("bss: %s: %s has the unknown law %d", method, name, int(s.Law))
	case !(s.Rate > 0) || math.IsInf(s.Rate, 1):
		return errors.Errorf("bss: %s: %s is %v: want a number above 0", method, name, s.Rate)
	case !(s.Time >= 0) || math.IsInf(s.Time, 1):
		return errors.Errorf("bss: %s: the time of %s is %v: want steps, or 0 for one", method, name, s.Time)
	case !(s.Floor >= 0 && s.Floor <= s.Rate):
		return errors.Errorf("bss: %s: the floor of %s is %v: want a number from 0 to its rate, %v", method, name, s.Floor, s.Rate)
	case s.Law == Exponential && !(s.Decay > 0 && s.Decay <= 1):
		return errors.Errorf("bss: %s: %s decays by %v a step: want a factor above 0, at most 1", method, name, s.Decay)
	}
	return nil
}

// table is the schedule of the first n steps.
func (s Schedule) table(n int) []float64 {
	t := make([]float64, n)
	for k := range t {
		t[k] = s.At(k)
	}
	return t
}
