package bss

import (
	"math"
	"slices"

	"github.com/pkg/errors"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat/distuv"
)

// A Score says how well outputs agree with the sources, after the best order, signs and gains.
type Score struct {
	Order   []int      // the output that source j is matched with: largest |correlation|, uncentred. A source that was lost shares one
	Sign    []float64  // of the match
	Gain    []float64  // least squares, of the signed output
	Aligned *mat.Dense // [samples, sources]: gain sign output
	SNR     []float64  // dB of each source: 10 log10(|S_j|^2/|S_j - aligned_j|^2)
	MeanSNR float64    // dB, their mean: mSNR
	SINR    float64    // dB: 10 log10(|S|_F^2/(|aligned - S|_F^2 + 1e-9)), after Realign
}

// Lost is how many sources share their output with another.
func (s *Score) Lost() int {
	order := slices.Clone(s.Order)
	slices.Sort(order)
	return len(s.Order) - len(slices.Compact(order))
}

// Evaluate scores outputs y against the sources s, both [samples, ..]. (pem.md 3.3 as the release computes it, with correlations
// divided by the norms of what is correlated.) The outputs may be more or fewer than the sources.
func Evaluate(y, s *mat.Dense) (*Score, error) {
	n, outputs := y.Dims()
	rows, sources := s.Dims()
	if n != rows {
		return nil, errors.Errorf("bss: Evaluate: %d samples of outputs, %d of sources: want as many", n, rows)
	}
	if !finite(y.RawMatrix().Data) || !finite(s.RawMatrix().Data) {
		return nil, errors.New("bss: Evaluate: outputs or sources have a NaN or an infinity")
	}
	var c mat.Dense
	c.Mul(y.T(), s)
	sizeY, sizeS := squares(y), squares(s)
	out := &Score{Aligned: mat.NewDense(n, sources, nil)}
	for j := range sources {
		best, most := 0, -1.
		for i := range outputs {
			if r := math.Abs(c.At(i, j)) / math.Sqrt(sizeY[i]*sizeS[j]); r > most {
				best, most = i, r
			}
		}
		sign := math.Copysign(1, c.At(best, j))
		gain := 0.
		if sizeY[best] > 0 {
			gain = math.Abs(c.At(best, j)) / sizeY[best]
		}
		out.Order, out.Sign, out.Gain = append(out.Order, best), append(out.Sign, sign), append(out.Gain, gain)
		for k := range n {
			out.Aligned.Set(k, j, gain*sign*y.At(k, best))
		}
	}
	wrong, all := 0., 0.
	for j, size := range sizeS {
		miss := missed(out.Aligned, s, j, j)
		out.SNR = append(out.SNR, 10*math.Log10(size/miss))
		out.MeanSNR += out.SNR[j] / float64(sources)
		all += size
	}
	for j, k := range pearson(out.Aligned, s) {
		wrong += missed(out.Aligned, s, k, j)
	}
	out.SINR = 10 * math.Log10(all/(wrong+1e-9))
	return out, nil
}

// missed is |y_k - s_j|^2.
func missed(y, s *mat.Dense, k, j int) float64 {
	n, _ := s.Dims()
	sum := 0.
	for i := range n {
		d := y.At(i, k) - s.At(i, j)
		sum += d * d
	}
	return sum
}

// squares is |x_j|^2 of every column.
func squares(x *mat.Dense) []float64 {
	n, m := x.Dims()
	out := make([]float64, m)
	for i := range n {
		for j, v := range x.RawRowView(i) {
			out[j] += v * v
		}
	}
	return out
}

// pearson is, for every column of s, the column of y with the largest |Pearson correlation|.
func pearson(y, s *mat.Dense) []int {
	yc, sc := Centered(y), Centered(s)
	var c mat.Dense
	c.Mul(yc.T(), sc)
	sizes := squares(yc)
	_, sources := s.Dims()
	out := make([]int, sources)
	for j := range out {
		most := -1.
		for i, size := range sizes {
			if r := math.Abs(c.At(i, j)) / math.Sqrt(size); r > most {
				out[j], most = i, r
			}
		}
	}
	return out
}

// Centered is x without its columns' means. General polytopes are scored so.
func Centered(x *mat.Dense) *mat.Dense {
	out := mat.DenseCopyOf(x)
	center(out, mean(x))
	return out
}

// A Summary is what the same measure came to over several seeds.
type Summary struct {
	N            int
	Mean, Median float64
	Half         float64 // half of the 95 % interval of the mean, by Student's t; NaN of a single seed
	Min, Max     float64
}

// Summarise summarises; the zero Summary of no values.
func Summarise(values []float64) Summary {
	n := len(values)
	if n == 0 {
		return Summary{}
	}
	v := slices.Sorted(slices.Values(values))
	s := Summary{N: n, Min: v[0], Max: v[n-1], Median: (v[n/2] + v[(n-1)/2]) / 2, Half: math.NaN()}
	for _, x := range v {
		s.Mean += x / float64(n)
	}
	if n > 1 {
		ss := 0.
		for _, x := range v {
			ss += (x - s.Mean) * (x - s.Mean)
		}
		t := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: float64(n - 1)}.Quantile(.975)
		s.Half = t * math.Sqrt(ss/float64(n-1)/float64(n))
	}
	return s
}
