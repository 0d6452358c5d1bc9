package bss

import (
	"math"

	"github.com/pkg/errors"
	"gonum.org/v1/gonum/mat"
)

// Whiten is the whitening [sources, mixtures] of the samples x [samples, mixtures] by their largest principal components:
//
//	R = X^T X/N - m m^T = V diag(d) V^T,   P = diag(d^-1/2) V^T  of the n largest d, falling
//
// P x has unit covariance. The mean is taken off R, not off the samples. Mixtures of a rank below n are an error.
func Whiten(x *mat.Dense, sources int) (*mat.Dense, error) {
	n, m := x.Dims()
	if sources < 1 || sources > m {
		return nil, errors.Errorf("bss: whitening %d mixtures to %d components: want at most as many, at least one", m, sources)
	}
	if n < 2 {
		return nil, errors.Errorf("bss: whitening %d samples: want two or more", n)
	}
	return whitenBy(covariance(x, x, mean(x), mean(x)), sources, m)
}

// whitenBy is diag(d^-1/2) V^T of the n largest eigenvalues of r [m, m].
func whitenBy(r *mat.Dense, sources, m int) (*mat.Dense, error) {
	var eigen mat.EigenSym
	if !eigen.Factorize(mat.NewSymDense(m, r.RawMatrix().Data), true) {
		return nil, errors.New("bss: whitening: the eigenvalues of the mixtures' covariance do not converge: look for infinities in the data")
	}
	d := eigen.Values(nil) // rising
	var v mat.Dense
	eigen.VectorsTo(&v)
	p := mat.NewDense(sources, m, nil)
	for i := range sources {
		k := m - 1 - i
		if !(d[k] > 1e-12*d[m-1]) || d[k] <= 0 {
			return nil, errors.Errorf("bss: whitening: the mixtures have rank %d, and %d sources are asked for: ask for fewer, or give mixtures that differ", i, sources)
		}
		for j := range m {
			p.Set(i, j, v.At(j, k)/math.Sqrt(d[k]))
		}
	}
	return p, nil
}

// mean is the mean of every column of x.
func mean(x *mat.Dense) []float64 {
	n, m := x.Dims()
	mu := make([]float64, m)
	for i := range n {
		for j, v := range x.RawRowView(i) {
			mu[j] += v
		}
	}
	for j := range mu {
		mu[j] /= float64(n)
	}
	return mu
}

// covariance is A^T B/N - a b^T; nil means are zero.
func covariance(a, b *mat.Dense, meanA, meanB []float64) *mat.Dense {
	n, _ := a.Dims()
	var r mat.Dense
	r.Mul(a.T(), b)
	r.Scale(1/float64(n), &r)
	if meanA != nil {
		r.Apply(func(i, j int, v float64) float64 { return v - meanA[i]*meanB[j] }, &r)
	}
	return &r
}
