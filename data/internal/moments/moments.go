// Package moments computes what columns of numbers are standardised by, and which of them are constant but for rounding.
package moments

import (
	"math"
	"strconv"
)

// Distances from 1 to the next number of a precision.
const (
	Eps64 = 0x1p-52
	Eps32 = 0x1p-23
	Eps16 = 0x1p-10
)

// A Scale is the mean and the standard deviation (that of the population) of a column; the latter is 1 where it does not vary.
type Scale struct{ Mean, Deviation float64 }

// Bytes is Columns for bytes, whose sums are exact.
func Bytes(values []uint8, groups int) (scales []Scale, constant []int) {
	sums, squares := make([]int64, groups), make([]int64, groups)
	for at := 0; at < len(values); at += groups {
		for g, b := range values[at : at+groups] {
			sums[g] += int64(b)
			squares[g] += int64(b) * int64(b)
		}
	}
	n := float64(len(values) / groups)
	for g := range groups {
		mean := float64(sums[g]) / n
		// n sum(v^2) - sum(v)^2 is exact below 2^63: up to 2^23 samples; beyond, the difference is of numbers that are rounded once each.
		square := (float64(squares[g]) - mean*float64(sums[g])) / n
		if len(values)/groups <= 1<<23 {
			m := int64(len(values) / groups)
			square = float64(m*squares[g]-sums[g]*sums[g]) / n / n
		}
		if square <= 0 {
			scales, constant = append(scales, Scale{Mean: mean, Deviation: 1}), append(constant, g)
			continue
		}
		scales = append(scales, Scale{Mean: mean, Deviation: math.Sqrt(square)})
	}
	return scales, constant
}

// Columns returns the Scale of each column of values [n, groups], and the columns that are constant up to rounding; eps is that of
// the precision that the values were kept in, 0 if they are whole numbers by type.
//
// When is a column constant up to rounding? Let every value be c (1 + d), where d comes from the rounding of a few operations: of a sum
// such as .1 + .2 for .3, a conversion of units, a logarithm. Then |d| <= k eps and, since no deviation can exceed the largest distance
// from c, the population variance is at most (k eps c)^2, whatever n is. The variance itself is computed from the differences to the
// first value, which are exact where values are within a factor of 2 of one another (Sterbenz), so that its own rounding is relative,
// (n + 3) 2^-53 of it and not of the mean's square: n does not enter the bound, and a sensor that reads 1e6 +- 1e-3 for ten million
// times stays what it is. A rule with n in it, var <= n eps var + (n mean eps)^2, which bounds the error of a sum that is not
// shifted, would take it for constant.
//
// k is a choice between noise of computing and small signals. In float64 there is room for it: k = 64, noise up to 1.4e-14 of the mean
// (32 + .3 - 32 has 1e-14), while data of that many true digits do not occur. In float32 and float16 there is less: measured numbers do
// reach their last digits. k = 4, which is 4.8e-7 of the mean; and 1.
//
// Numbers that went through float32 before they were kept as float64 or written as text have the rounding of float32. A column is
// taken to have done so if each of its values is a float32 exactly, or is the shortest decimal fraction that stands for one.
//
// Whole numbers are exact: they are constant only if they are equal.
func Columns(values []float64, groups int, eps float64) (scales []Scale, constant []int) {
	scales = make([]Scale, groups)
	n := float64(len(values) / groups)
	first := values[:groups:groups]
	varies := make([]bool, groups)
	for at := 0; at < len(values); at += groups {
		for g, v := range values[at : at+groups] {
			scales[g].Mean += (v - first[g]) / n
			varies[g] = varies[g] || v != first[g]
		}
	}
	for at := 0; at < len(values); at += groups {
		for g, v := range values[at : at+groups] {
			d := v - first[g] - scales[g].Mean
			scales[g].Deviation += d * d / n
		}
	}
	for g := range scales {
		mean, deviation := first[g]+scales[g].Mean, math.Sqrt(scales[g].Deviation)
		scales[g] = Scale{Mean: mean, Deviation: deviation}
		switch {
		case !varies[g]:
			scales[g] = Scale{Mean: first[g], Deviation: 1}
		case deviation == 0: // the differences are too small to square
			scales[g] = Scale{Mean: 0, Deviation: 1}
		case !constantUpToRounding(values, groups, g, scales[g], eps):
			continue
		default:
			scales[g].Deviation = 1
		}
		constant = append(constant, g)
	}
	return scales, constant
}

// constantUpToRounding says of a column that varies whether it is constant but for rounding; see Columns.
func constantUpToRounding(values []float64, groups, g int, s Scale, eps float64) bool {
	size := math.Abs(s.Mean)
	within := func(eps float64) bool { return s.Deviation <= roundings(eps)*eps*size }
	if eps == 0 || !within(eps) && !(eps == Eps64 && within(Eps32)) {
		return false
	}
	whole, single := true, true
	for k := g; k < len(values) && (whole || single); k += groups {
		v := values[k]
		whole = whole && v == math.Trunc(v) && math.Abs(v) < 1<<53
		single = single && isSingle(v)
	}
	if whole && eps == Eps64 {
		return false
	}
	return within(eps) || single
}

// roundings is how many units eps numbers of a precision may be apart that are meant to be equal.
func roundings(eps float64) float64 {
	switch eps {
	case Eps64:
		return 64
	case Eps32:
		return 4
	}
	return 1
}

// isSingle reports whether v is a float32, or the shortest decimal fraction that stands for one.
func isSingle(v float64) bool {
	single := float32(v)
	if float64(single) == v {
		return true
	}
	shortest, err := strconv.ParseFloat(strconv.FormatFloat(float64(single), 'g', -1, 32), 64)
	return err == nil && shortest == v
}
