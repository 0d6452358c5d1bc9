package claim

import (
	"math"
	"slices"
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

// Minus is the difference of two independent estimates; N is the smaller one's, which makes Margin wide rather than narrow.
func (e Estimate) Minus(f Estimate) Estimate {
	return Estimate{Mean: e.Mean - f.Mean, Err: math.Hypot(e.Err, f.Err), N: min(e.N, f.N)}
}

// Margin is half the width of the 95 % interval of the mean, t Err, where t is the quantile .975 of Student's distribution
// with N-1 degrees of freedom: 12.7 for two seeds, 4.3 for three, 2.8 for five. It is infinite for fewer than two values,
// which say nothing of their scatter.
func (e Estimate) Margin() float64 {
	if e.N < 2 || math.IsNaN(e.Err) {
		return math.Inf(1)
	}
	return student(e.N-1) * e.Err
}

// Scatter is the standard error, and 0 if it is not known.
func (e Estimate) Scatter() float64 {
	if math.IsNaN(e.Err) {
		return 0
	}
	return e.Err
}

// Above reports whether the whole 95 % interval is above v, Below whether it is below. Neither is true of NaN.
func (e Estimate) Above(v float64) bool { return e.Mean-e.Margin() > v }

// Below reports whether the whole 95 % interval is below v.
func (e Estimate) Below(v float64) bool { return e.Mean+e.Margin() < v }

// student is the quantile .975 of Student's distribution.
func student(freedom int) float64 {
	table := []float64{12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
		2.120, 2.110, 2.101, 2.093, 2.086}
	if freedom <= len(table) {
		return table[freedom-1]
	}
	return 1.96 + 2.5/float64(freedom) // within .003
}

// Paired estimates a - b from the keys that both have, as a rule seeds, which share their data and their order.
func Paired[K comparable](a, b map[K]float64) Estimate {
	var d []float64
	for k, v := range a {
		if w, ok := b[k]; ok {
			d = append(d, v-w)
		}
	}
	slices.Sort(d) // a map has no order, and sums depend on it
	return Mean(d...)
}

// Slope is the slope of the least-squares line through points, with its standard error from their scatter about the line. N
// is the number of points less 1, so that Margin has the n-2 degrees of freedom that are left.
func Slope(x, y []float64) Estimate {
	n := float64(len(x))
	mx, my := Mean(x...).Mean, Mean(y...).Mean
	var xx, xy, rest float64
	for i := range x {
		xx += (x[i] - mx) * (x[i] - mx)
		xy += (x[i] - mx) * (y[i] - my)
	}
	if len(x) < 3 || xx == 0 {
		return Estimate{Mean: xy / xx, Err: math.NaN(), N: max(0, len(x)-1)}
	}
	b := xy / xx
	for i := range x {
		d := y[i] - my - b*(x[i]-mx)
		rest += d * d
	}
	return Estimate{Mean: b, Err: math.Sqrt(rest / (n - 2) / xx), N: len(x) - 1}
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
