package bss

import (
	"math"
	"math/rand/v2"

	"github.com/pkg/errors"
	"gonum.org/v1/gonum/mat"
)

// A Source draws the sources of one sample. Those of this package are Uniform, Copula, Ball, BernoulliSparse, PAM and InPolytope.
type Source interface {
	// Validate reports options that cannot be drawn from, for so many sources.
	Validate(sources int) error
	// Draw writes one sample to s [sources].
	Draw(s []float64, rng *rand.Rand)
}

// Sources draws samples [samples, sources].
func Sources(d Source, samples, sources int, rng *rand.Rand) (*mat.Dense, error) {
	if samples < 1 || sources < 1 {
		return nil, errors.Errorf("bss: %d samples of %d sources: want at least one of each", samples, sources)
	}
	if err := d.Validate(sources); err != nil {
		return nil, err
	}
	s := mat.NewDense(samples, sources, nil)
	for i := range samples {
		d.Draw(s.RawRowView(i), rng)
	}
	return s, nil
}

// Uniform are independent sources, uniform in [Lo, Hi].
type Uniform struct{ Lo, Hi float64 }

// Validate is described at Source.
func (u Uniform) Validate(int) error {
	if !(u.Lo < u.Hi) {
		return errors.Errorf("bss: uniform sources in [%v, %v]: want Lo below Hi", u.Lo, u.Hi)
	}
	return nil
}

// Draw is described at Source.
func (u Uniform) Draw(s []float64, rng *rand.Rand) {
	for i := range s {
		s[i] = u.Lo + (u.Hi-u.Lo)*rng.Float64()
	}
}

// Copula are correlated sources with uniform marginals in [0, 1], or [-1, 1] if Signed, from a t-copula with 4 degrees of freedom:
// g ~ N(0, R), w ~ chi^2_4 for all components of the sample,
//
//	u_i = F_t4(sqrt(4/w) g_i)
//
// R is (1-Rho) I + Rho 1 1^T, or Rho^|i-j| if Toeplitz. At Rho = 0 the components are uncorrelated, not independent: they share w.
type Copula struct {
	Rho      float64
	Toeplitz bool
	Signed   bool
}

// Validate is described at Source.
func (c Copula) Validate(sources int) error {
	low := -1.
	if !c.Toeplitz && sources > 1 {
		low = -1 / float64(sources-1)
	}
	if !(c.Rho > low && c.Rho < 1) {
		return errors.Errorf("bss: copula of %d sources with rho %v: the correlation matrix is not positive definite", sources, c.Rho)
	}
	return nil
}

// Draw is described at Source.
func (c Copula) Draw(s []float64, rng *rand.Rand) {
	for i := range s {
		s[i] = rng.NormFloat64()
	}
	w := 2 * (rng.ExpFloat64() + rng.ExpFloat64()) // chi^2_4
	c.transform(s, w)
}

// transform turns standard normal numbers into a sample, in place.
func (c Copula) transform(g []float64, w float64) {
	if c.Toeplitz { // first-order autoregression
		past, fresh := 0., math.Sqrt(1-c.Rho*c.Rho)
		for i := range g {
			if i > 0 {
				g[i] = c.Rho*past + fresh*g[i]
			}
			past = g[i]
		}
	} else { // the columns of the Cholesky factor are constant below their diagonals
		sum, d := 0., 1. // sum of L_ij g_j over j < i; L_ii
		for i, v := range g {
			g[i] = sum + d*v
			sum += (c.Rho - 1 + d*d) / d * v
			d = math.Sqrt((1 - c.Rho) * (1 + float64(i+1)*c.Rho) / (1 + float64(i)*c.Rho))
		}
	}
	scale := math.Sqrt(4 / w)
	for i, v := range g {
		u := studentCDF(scale * v)
		if c.Signed {
			u = 2*u - 1
		}
		g[i] = u
	}
}

// studentCDF is Student's distribution function with 4 degrees of freedom:
//
//	F(t) = 1/2 + 3/8 t/sqrt(1+t^2/4) (1 - q/12),   q = t^2/(1+t^2/4)
func studentCDF(t float64) float64 {
	r := 1 + t*t/4
	return .5 + .375*t/math.Sqrt(r)*(1-t*t/r/12)
}

// Ball are sources drawn uniformly in [-Width, Width]^n and projected on a domain: the paper's sparse (Width 4), nonnegative sparse (2)
// and simplex (4) sources.
type Ball struct {
	Domain Projector
	Width  float64
}

// Validate is described at Source.
func (b Ball) Validate(int) error {
	if b.Domain == nil || !(b.Width > 0) {
		return errors.Errorf("bss: projected sources: domain %v, width %v: want a domain and a width above 0", b.Domain, b.Width)
	}
	return nil
}

// Draw is described at Source.
func (b Ball) Draw(s []float64, rng *rand.Rand) {
	Uniform{-b.Width, b.Width}.Draw(s, rng)
	b.Domain.Project(s, make([]float64, len(s)))
}

// SourcesOf are the paper's sources of a domain: Uniform for the boxes, Ball for the others.
func SourcesOf(d Domain) (Source, error) {
	switch d {
	case Antisparse:
		return Uniform{-1, 1}, nil
	case NonnegAntisparse:
		return Uniform{0, 1}, nil
	case Sparse:
		return Ball{Sparse, 4}, nil
	case NonnegSparse:
		return Ball{NonnegSparse, 2}, nil
	case Simplex:
		return Ball{Simplex, 4}, nil
	}
	return nil, errors.Errorf("bss: no sources are known for the domain %v: draw them yourself", d)
}

// BernoulliSparse are sources uniform in [-1, 1] with probability Active, else 0.
type BernoulliSparse struct{ Active float64 }

// Validate is described at Source.
func (b BernoulliSparse) Validate(int) error {
	if !(b.Active > 0 && b.Active <= 1) {
		return errors.Errorf("bss: sources active with probability %v: want more than 0, at most 1", b.Active)
	}
	return nil
}

// Draw is described at Source.
func (b BernoulliSparse) Draw(s []float64, rng *rand.Rand) {
	for i := range s {
		s[i] = 0
		if rng.Float64() < b.Active {
			s[i] = 2*rng.Float64() - 1
		}
	}
}

// PAM are sources of equiprobable levels -(Levels-1), -(Levels-3), ..., Levels-1: pulse-amplitude modulation.
type PAM struct{ Levels int }

// Validate is described at Source.
func (p PAM) Validate(int) error {
	if p.Levels < 2 {
		return errors.Errorf("bss: PAM with %d levels: want two or more", p.Levels)
	}
	return nil
}

// Draw is described at Source.
func (p PAM) Draw(s []float64, rng *rand.Rand) {
	for i := range s {
		s[i] = p.level(rng.Float64())
	}
}

// level is the level of a number in [0, 1).
func (p PAM) level(u float64) float64 { return float64(2*int(float64(p.Levels)*u) - (p.Levels - 1)) }

// InPolytope are sources uniform in a polytope, by rejection from its box.
type InPolytope struct{ Polytope Polytope }

// Validate is described at Source.
func (p InPolytope) Validate(sources int) error { return p.Polytope.Validate(sources) }

// Draw is described at Source.
func (p InPolytope) Draw(s []float64, rng *rand.Rand) {
	for {
		for _, i := range p.Polytope.Signed {
			s[i] = 2*rng.Float64() - 1
		}
		for _, i := range p.Polytope.Nonneg {
			s[i] = rng.Float64()
		}
		if p.Polytope.Contains(s) {
			return
		}
	}
}

// A MixingLaw is what the entries of a mixing matrix are drawn from, all of variance 1.
type MixingLaw int

// The laws.
const (
	GaussianMixing   MixingLaw = iota // N(0, 1)
	UniformMixing                     // U[-sqrt 3, sqrt 3]
	LaplaceMixing                     // of scale 1/sqrt 2
	RademacherMixing                  // -1 or 1
	StudentMixing                     // t_5 sqrt(3/5)
)

// String is the law's name.
func (l MixingLaw) String() string {
	return [...]string{"gaussian", "uniform", "laplace", "rademacher", "t5"}[l]
}

// draw draws one entry.
func (l MixingLaw) draw(rng *rand.Rand) float64 {
	switch l {
	case UniformMixing:
		return math.Sqrt(3) * (2*rng.Float64() - 1)
	case LaplaceMixing:
		return math.Copysign(rng.ExpFloat64()/math.Sqrt2, rng.Float64()-.5)
	case RademacherMixing:
		return math.Copysign(1, rng.Float64()-.5)
	case StudentMixing:
		chi := 2 * (rng.ExpFloat64() + rng.ExpFloat64())
		z := rng.NormFloat64()
		return rng.NormFloat64() / math.Sqrt((chi+z*z)/5) * math.Sqrt(.6)
	}
	return rng.NormFloat64()
}

// Mixing draws a mixing matrix A [mixtures, sources]; until it has full column rank, where there are at least as many mixtures.
func Mixing(l MixingLaw, mixtures, sources int, rng *rand.Rand) *mat.Dense {
	for {
		a := mat.NewDense(mixtures, sources, nil)
		a.Apply(func(int, int, float64) float64 { return l.draw(rng) }, a)
		var svd mat.SVD
		if !svd.Factorize(a, mat.SVDNone) {
			continue
		}
		v := svd.Values(nil)
		if v[len(v)-1] > 1e-9*v[0] {
			return a
		}
	}
}

// Mix returns X = S A^T + noise [samples, mixtures] and the noise, of sources S [samples, sources] and the mixing A [mixtures, sources].
// The noise is Gaussian, white, and of the power 10^(-snr/10) mean(x_i^2) in each mixture; snr in dB, +Inf for none.
func Mix(s, a *mat.Dense, snr float64, rng *rand.Rand) (x, noise *mat.Dense) {
	x = Apply(a, s)
	n, m := x.Dims()
	noise = mat.NewDense(n, m, nil)
	if math.IsInf(snr, 1) {
		return x, noise
	}
	noise.Apply(func(int, int, float64) float64 { return rng.NormFloat64() }, noise)
	addNoise(x, noise, snr)
	return x, noise
}

// addNoise scales standard normal noise to its power in each mixture and adds it to x.
func addNoise(x, noise *mat.Dense, snr float64) {
	n, m := x.Dims()
	power := make([]float64, m)
	for i := range n {
		for j, v := range x.RawRowView(i) {
			power[j] += v * v / float64(n)
		}
	}
	gain := make([]float64, m)
	for j, p := range power {
		gain[j] = math.Sqrt(math.Pow(10, -snr/10) * p)
	}
	for i := range n {
		row, z := x.RawRowView(i), noise.RawRowView(i)
		for j := range row {
			z[j] *= gain[j]
			row[j] += z[j]
		}
	}
}

// MMSE is the linear minimum mean square error (Wiener) estimator of the sources S [samples, sources] from mixtures A S + noise, from
// the sample moments of both:
//
//	W = R_s A^T (A R_s A^T + R_n)^-1
//
// It knows mixing and sources: a bound for linear methods where there are fewer mixtures than sources.
func MMSE(a, s, noise *mat.Dense) (*mat.Dense, error) {
	rs, rn := covariance(s, s, nil, nil), covariance(noise, noise, nil, nil)
	var ra, c, w mat.Dense
	ra.Mul(a, rs) // A R_s; its transpose is R_s A^T
	c.Mul(&ra, a.T())
	c.Add(&c, rn)
	if err := w.Solve(&c, &ra); err != nil { // C symmetric: W^T = C^-1 A R_s
		return nil, errors.Wrap(err, "bss: MMSE: the mixtures' covariance")
	}
	return mat.DenseCopyOf(w.T()), nil
}
