package claim

import (
	"math"
	"strconv"
)

// An Estimate is a mean over seeds.
type Estimate struct {
	Mean float64
	Err  float64 // standard error of the mean; NaN for fewer than two values
	N    int     // how many values, as a rule seeds
}

// Mean estimates the mean of values.
func Mean(values ...float64) Estimate {
	e := Estimate{Err: math.NaN(), N: len(values)}
	for _, v := range values {
		e.Mean += v / float64(e.N)
	}
	if e.N == 0 {
		e.Mean = math.NaN()
	}
	if e.N > 1 {
		sum := 0.0
		for _, v := range values {
			sum += (v - e.Mean) * (v - e.Mean)
		}
		e.Err = math.Sqrt(sum / float64(e.N-1) / float64(e.N))
	}
	return e
}

// String is "mean ± error (n)".
func (e Estimate) String() string {
	switch {
	case e.N < 2:
		return digits(e.Mean, 4)
	case math.IsNaN(e.Mean), e.Err <= 1e-14*math.Abs(e.Mean): // of no seed, or the same for all
		return digits(e.Mean, 4) + " (" + strconv.Itoa(e.N) + ")"
	}
	return digits(e.Mean, 4) + " ± " + digits(e.Err, 2) + " (" + strconv.Itoa(e.N) + ")"
}

// digits writes a number with so many significant digits.
func digits(v float64, n int) string { return strconv.FormatFloat(v, 'g', n, 64) }

// By groups rows by a key of their parameters, as a rule everything but the seed, and estimates a value in every group.
func By[K comparable, P, R any](rows []Row[P, R], key func(P) K, value func(R) float64) map[K]Estimate {
	values := map[K][]float64{}
	for _, r := range rows {
		k := key(r.Params)
		values[k] = append(values[k], value(r.Result))
	}
	means := make(map[K]Estimate, len(values))
	for k, v := range values {
		means[k] = Mean(v...)
	}
	return means
}
