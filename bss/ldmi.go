package bss

import (
	"context"
	"math/rand/v2"

	"github.com/pkg/errors"
	"gonum.org/v1/gonum/mat"
)

// A Moment is which second moment LDMI maximises.
type Moment int

// The moments of A and B [samples, ..] with means a and b.
const (
	Correlation        Moment = iota // A^T B/N
	Covariance                       // A^T B/N - a b^T
	CovarianceReleased               // (A^T B - a b^T)/N, as the release has it: practically not centred
)

// LDMI is batch CorInfoMax: it maximises the log-determinant mutual information of mixtures and outputs in the domain by projected
// gradient ascent,
//
//	Y <- P(Y + a_k/N (R_Y^-1 Y - R_E^-1 E)),   E = Y - W X,   W = R_YX R_X^-1
//
// with Eps I added to R_Y and R_E. (Erdogan 2022.)
type LDMI struct {
	Domain     Projector
	Moment     Moment
	Rate       Schedule // a_k
	Eps        float64
	Regularise bool // adds Eps I to R_X as well
	Iterations int
	Samples    int // learns from so many of the first samples; 0: all
}

// An LDMIResult is what LDMI came to.
type LDMIResult struct {
	Unmixing   *mat.Dense // [sources, mixtures]
	Outputs    *mat.Dense // Y [samples learned from, sources]
	Iterations int        // fewer than asked for if the context was done
}

// Separate runs over x [samples, mixtures]; rng draws Y at the start, uniform in [0, 1/2), then projected.
func (o LDMI) Separate(ctx context.Context, x *mat.Dense, sources int, rng *rand.Rand) (*LDMIResult, error) {
	samples, mixtures := x.Dims()
	if o.Samples > 0 && o.Samples < samples {
		x = x.Slice(0, o.Samples, 0, mixtures).(*mat.Dense)
		samples = o.Samples
	}
	if err := checkSizes("LDMI", sources, mixtures); err != nil {
		return nil, err
	}
	y := mat.NewDense(samples, sources, nil)
	y.Apply(func(int, int, float64) float64 { return rng.Float64() / 2 }, y)
	o.project(y)
	return o.from(ctx, x, y, nil)
}

// project projects every row of y.
func (o LDMI) project(y *mat.Dense) {
	n, m := y.Dims()
	scratch := make([]float64, m)
	for i := range n {
		o.Domain.Project(y.RawRowView(i), scratch)
	}
}

// from runs from Y, in place; watch, if it is there, sees W before every iteration.
func (o LDMI) from(ctx context.Context, x, y *mat.Dense, watch func(w *mat.Dense)) (*LDMIResult, error) {
	const method = "LDMI"
	if o.Domain == nil {
		return nil, errors.New("bss: LDMI: Domain is missing")
	}
	if o.Iterations < 1 || o.Moment < Correlation || o.Moment > CovarianceReleased {
		return nil, errors.Errorf("bss: LDMI: %d iterations, moment %d: want at least one, and a moment of the list", o.Iterations, int(o.Moment))
	}
	if err := o.Rate.validate(method, "Rate"); err != nil {
		return nil, err
	}
	if err := positive(method, option{"Eps", o.Eps}); err != nil {
		return nil, err
	}
	if !finite(x.RawMatrix().Data) {
		return nil, errors.New("bss: LDMI: the mixtures have a NaN or an infinity")
	}
	samples, _ := x.Dims()
	meanX := mean(x)
	var chol mat.Cholesky
	rx := o.moment(x, x, meanX, meanX)
	if o.Regularise {
		addDiagonal(rx, o.Eps)
	}
	if !chol.Factorize(symmetric(rx)) {
		return nil, errors.New("bss: LDMI: the mixtures are linearly dependent: whiten them to fewer, or set Regularise")
	}
	w := o.weights(x, y, meanX, &chol)
	result := &LDMIResult{Outputs: y}
	var e, wx, step mat.Dense
	for ; result.Iterations < o.Iterations && ctx.Err() == nil; result.Iterations++ {
		if watch != nil {
			watch(w)
		}
		wx.Mul(x, w.T())
		e.Sub(y, &wx)
		meanY, meanE := mean(y), mean(&e)
		var cy, ce mat.Cholesky
		ry, re := o.moment(y, y, meanY, meanY), o.errorMoment(&e, meanE)
		addDiagonal(ry, o.Eps)
		addDiagonal(re, o.Eps)
		if !cy.Factorize(symmetric(ry)) || !ce.Factorize(symmetric(re)) {
			return nil, &DivergenceError{Method: method, Sample: samples}
		}
		var iy, ie mat.SymDense
		if cy.InverseTo(&iy) != nil || ce.InverseTo(&ie) != nil {
			return nil, &DivergenceError{Method: method, Sample: samples}
		}
		if o.Moment != Correlation {
			center(&e, meanE)
		}
		step.Mul(&e, &ie)
		yc := y
		if o.Moment != Correlation {
			yc = mat.DenseCopyOf(y)
			center(yc, meanY)
		}
		var up mat.Dense
		up.Mul(yc, &iy)
		up.Sub(&up, &step)
		up.Scale(o.Rate.At(result.Iterations)/float64(samples), &up)
		y.Add(y, &up)
		o.project(y)
		w = o.weights(x, y, meanX, &chol)
	}
	if watch != nil {
		watch(w)
	}
	result.Unmixing = w
	return result, nil
}

// weights is W = R_YX R_X^-1 [sources, mixtures].
func (o LDMI) weights(x, y *mat.Dense, meanX []float64, rx *mat.Cholesky) *mat.Dense {
	rxy := o.moment(x, y, meanX, mean(y))
	var wt mat.Dense
	_ = rx.SolveTo(&wt, rxy) // it can only report a bad condition: from has refused what cannot be factorised
	return mat.DenseCopyOf(wt.T())
}

// moment is the second moment of a and b that o asks for.
func (o LDMI) moment(a, b *mat.Dense, meanA, meanB []float64) *mat.Dense {
	switch o.Moment {
	case Covariance:
		return covariance(a, b, meanA, meanB)
	case CovarianceReleased:
		n, _ := a.Dims()
		r := covariance(a, b, nil, nil)
		r.Apply(func(i, j int, v float64) float64 { return v - meanA[i]*meanB[j]/float64(n) }, r)
		return r
	}
	return covariance(a, b, nil, nil)
}

// errorMoment is that of the errors, centred in the release too.
func (o LDMI) errorMoment(e *mat.Dense, mu []float64) *mat.Dense {
	if o.Moment == Correlation {
		mu = nil
	}
	return covariance(e, e, mu, mu)
}

func addDiagonal(a *mat.Dense, v float64) {
	n, _ := a.Dims()
	for i := range n {
		a.Set(i, i, a.At(i, i)+v)
	}
}

// symmetric reads the upper triangle of a.
func symmetric(a *mat.Dense) *mat.SymDense {
	n, _ := a.Dims()
	return mat.NewSymDense(n, a.RawMatrix().Data)
}

// center takes mu off every row.
func center(x *mat.Dense, mu []float64) {
	n, _ := x.Dims()
	for i := range n {
		row := x.RawRowView(i)
		for j := range row {
			row[j] -= mu[j]
		}
	}
}
