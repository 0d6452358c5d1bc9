package bss

import (
	"math"

	"github.com/pkg/errors"
	"gonum.org/v1/gonum/mat"
)

// A Taylor is how well PEM's objective stands for the log-determinant that it replaces. With D = diag C, O = C - D and
// B = D^-1/2 O D^-1/2,
//
//	log det C = sum_i log D_i - 1/2 tr B^2 + R
//
// where the first two terms are the surrogate.
type Taylor struct {
	LogDet, Surrogate, Remainder float64
	Tight                        float64 // |R| <= max(1/3 sum_{l>=0} l^3, 1/3 sum_{l<0} |l|^3/(1+l)) over the eigenvalues l of B
	Loose                        float64 // |R| <= 1/3 |O|_F^2 |O|_2/lambda_min(C)^3
	NormO, NormB                 float64 // Frobenius
	SpectralB                    float64 // |B|_2
	SmallestC, SmallestB         float64 // eigenvalues
}

// Expand computes it of a covariance C [n, n], symmetrised. A C that is not positive definite is an error.
func Expand(c *mat.Dense) (*Taylor, error) {
	n, m := c.Dims()
	if n != m || n == 0 {
		return nil, errors.Errorf("bss: Expand: a covariance [%d, %d]: want a square matrix", n, m)
	}
	sym, o, b := mat.NewSymDense(n, nil), mat.NewSymDense(n, nil), mat.NewSymDense(n, nil)
	t := &Taylor{}
	for i := range n {
		if !(c.At(i, i) > 0) {
			return nil, errors.Errorf("bss: Expand: variance %d is %v: want numbers above 0", i, c.At(i, i))
		}
	}
	for i := range n {
		for j := i; j < n; j++ {
			v := (c.At(i, j) + c.At(j, i)) / 2
			sym.SetSym(i, j, v)
			if j != i {
				o.SetSym(i, j, v)
				b.SetSym(i, j, v/math.Sqrt(c.At(i, i)*c.At(j, j)))
			}
		}
	}
	values := func(a *mat.SymDense) ([]float64, error) {
		var e mat.EigenSym
		if !e.Factorize(a, false) {
			return nil, errors.New("bss: Expand: eigenvalues do not converge: look for NaN in the covariance")
		}
		return e.Values(nil), nil
	}
	ec, err := values(sym)
	if err != nil {
		return nil, err
	}
	eo, err := values(o)
	if err != nil {
		return nil, err
	}
	eb, err := values(b)
	if err != nil {
		return nil, err
	}
	t.SmallestC, t.SmallestB = ec[0], eb[0]
	if !(t.SmallestC > 0) || !(t.SmallestB > -1) {
		return nil, errors.Errorf("bss: Expand: the covariance is not positive definite: smallest eigenvalue %v, of B %v", t.SmallestC, t.SmallestB)
	}
	spectral := func(e []float64) float64 { return max(math.Abs(e[0]), math.Abs(e[n-1])) }
	t.NormO, t.NormB, t.SpectralB = mat.Norm(o, 2), mat.Norm(b, 2), spectral(eb)
	for i := range n {
		t.Surrogate += math.Log(c.At(i, i))
		t.LogDet += math.Log(ec[i])
	}
	t.Surrogate -= t.NormB * t.NormB / 2
	up, down := 0., 0.
	for _, l := range eb {
		if l >= 0 {
			up += l * l * l / 3
		} else {
			down -= l * l * l / 3 / max(1+l, 1e-12)
		}
	}
	t.Remainder = t.LogDet - t.Surrogate
	t.Tight = max(up, down)
	t.Loose = t.NormO * t.NormO * spectral(eo) / (t.SmallestC * t.SmallestC * t.SmallestC) / 3
	return t, nil
}
