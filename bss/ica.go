package bss

import (
	"context"
	"math"
	"math/rand/v2"

	"github.com/pkg/errors"
	"gonum.org/v1/gonum/mat"
)

// InfoMax is extended infomax ICA (Lee, Girolami, Sejnowski 1999) on centred, whitened samples Z, in blocks of
// floor(sqrt(N/3)) samples in a new random order every epoch: with U = W Z_block + b
//
//	W <- W + rate (L I - diag(signs) tanh(U) U^T - U U^T) W,   b <- b - 2 rate tanh(U) 1
//
// After an epoch the signs (1 for super-Gaussian, -1 for sub-Gaussian) are estimated anew, and the rate falls by a tenth when the
// change of W turned by more than 60 degrees. A W that grows beyond 1e8 begins again with .8 of the rate.
type InfoMax struct {
	Rate    float64 // .001 is usual
	Epochs  int     // at most so many
	Tol     float64 // ends when the squared change of W in an epoch is below
	Samples int     // drawn for the signs; 0 or more than there are: all
}

// PaperInfoMax has the published settings.
func PaperInfoMax() InfoMax { return InfoMax{Rate: 1e-3, Epochs: 10000, Tol: 1e-12, Samples: 6000} }

// An ICA is what a batch method of independent component analysis came to.
type ICA struct {
	Unmixing  *mat.Dense // [sources, mixtures]: y = Unmixing x, means included
	Epochs    int
	Converged bool // else it ended at its limit of epochs, or because the context did
}

// Separate runs over x [samples, mixtures] until it has converged, the epochs are over or ctx is done.
func (o InfoMax) Separate(ctx context.Context, x *mat.Dense, sources int, rng *rand.Rand) (*ICA, error) {
	if err := positive("InfoMax", option{"Rate", o.Rate}, option{"Epochs", float64(o.Epochs)}); err != nil {
		return nil, err
	}
	p, z, err := whitened(x, sources)
	if err != nil {
		return nil, err
	}
	n, _ := z.Dims()
	rate := o.Rate
	for {
		run := newInfomax(z, rate)
		for epoch := 1; ; epoch++ {
			change, ok := run.epoch(rng.Perm(n), o.signSample(n, rng))
			if !ok {
				break
			}
			converged := change < o.Tol
			if converged || epoch == o.Epochs || ctx.Err() != nil {
				var w mat.Dense
				w.Mul(run.w, p)
				return &ICA{Unmixing: &w, Epochs: epoch, Converged: converged}, nil
			}
		}
		if rate *= .8; rate < 1e-12*o.Rate {
			return nil, &DivergenceError{Method: "InfoMax", Sample: n}
		}
	}
}

// signSample draws the samples that the signs are estimated from; nil for all.
func (o InfoMax) signSample(n int, rng *rand.Rand) []int {
	if o.Samples <= 0 || o.Samples >= n {
		return nil
	}
	idx := make([]int, o.Samples)
	for i := range idx {
		idx[i] = rng.IntN(n)
	}
	return idx
}

// whitened centres and whitens x; p [sources, mixtures] is the whitening.
func whitened(x *mat.Dense, sources int) (p, z *mat.Dense, err error) {
	if p, err = Whiten(x, sources); err != nil {
		return nil, nil, err
	}
	z = Apply(p, x)
	mu := mean(z)
	z.Apply(func(_, j int, v float64) float64 { return v - mu[j] }, z)
	return p, z, nil
}

// infomax is extended infomax at work.
type infomax struct {
	z     *mat.Dense // [samples, sources]
	w     *mat.Dense
	b     []float64
	signs []float64
	rate  float64
	block int

	first  bool
	before []float64 // change of W in the epoch before
	angle  float64   // degrees; -1 in the first epoch
}

func newInfomax(z *mat.Dense, rate float64) *infomax {
	samples, n := z.Dims()
	r := &infomax{z: z, w: mat.NewDense(n, n, identity(n)), b: make([]float64, n), signs: make([]float64, n), rate: rate,
		block: max(1, int(math.Sqrt(float64(samples)/3))), first: true}
	for i := range r.signs {
		r.signs[i] = -1
	}
	return r
}

// epoch makes one pass in the given order and returns the squared change of W; false if W grew without bound.
func (r *infomax) epoch(order, signSample []int) (float64, bool) {
	n := len(r.b)
	start := mat.DenseCopyOf(r.w)
	u := mat.NewDense(r.block, n, nil)
	t := mat.NewDense(r.block, n, nil)
	var g, uu, dw mat.Dense
	for at := 0; at+r.block <= len(order); at += r.block {
		for i := range r.block {
			z, row := r.z.RawRowView(order[at+i]), u.RawRowView(i)
			product(row, r.w.RawMatrix().Data, z)
			tanh := t.RawRowView(i)
			for j := range row {
				row[j] += r.b[j]
				tanh[j] = math.Tanh(row[j])
			}
		}
		g.Mul(t.T(), u)
		uu.Mul(u.T(), u)
		g.Apply(func(i, j int, v float64) float64 {
			v = -r.signs[i]*v - uu.At(i, j)
			if i == j {
				v += float64(r.block)
			}
			return v
		}, &g)
		dw.Mul(&g, r.w)
		dw.Scale(r.rate, &dw)
		r.w.Add(r.w, &dw)
		for i := range r.block {
			for j, v := range t.RawRowView(i) {
				r.b[j] -= 2 * r.rate * v
			}
		}
		if m := mat.Max(r.w); !(m < 1e8) || !(mat.Min(r.w) > -1e8) {
			return 0, false
		}
	}
	var change mat.Dense
	change.Sub(r.w, start)
	d := change.RawMatrix().Data
	size := dot(d, d)
	r.angle = -1
	if !r.first {
		r.angle = math.Acos(min(max(dot(d, r.before)/math.Sqrt(size*dot(r.before, r.before)), -1), 1)) * 180 / math.Pi
		if r.angle > 60 {
			r.rate *= .9
		}
	}
	r.first, r.before = false, append(r.before[:0], d...)
	r.estimateSigns(signSample)
	return size, true
}

// estimateSigns sets sign_i = sgn(mean sech^2(u) mean u^2 - mean tanh(u) u), u = W z.
func (r *infomax) estimateSigns(sample []int) {
	n := len(r.b)
	count, _ := r.z.Dims()
	if sample != nil {
		count = len(sample)
	}
	u := make([]float64, n)
	sech, square, slope := make([]float64, n), make([]float64, n), make([]float64, n)
	for i := range count {
		k := i
		if sample != nil {
			k = sample[i]
		}
		product(u, r.w.RawMatrix().Data, r.z.RawRowView(k))
		for j, v := range u {
			t := math.Tanh(v)
			sech[j] += 1 - t*t
			square[j] += v * v
			slope[j] += t * v
		}
	}
	c := float64(count)
	for j := range r.signs {
		r.signs[j] = sign(sech[j]/c*(square[j]/c) - slope[j]/c)
	}
}

func sign(x float64) float64 {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	}
	return 0
}

func dot(a, b []float64) float64 {
	s := 0.
	for i, v := range a {
		s += v * b[i]
	}
	return s
}

// FastICA is the fixed-point algorithm with the contrast log cosh and symmetric decorrelation (Hyvarinen 1999), on centred, whitened
// samples: all rows at once,
//
//	W+ = 1/N tanh(W Z) Z^T - diag(mean sech^2(W Z)) W,   W = (W+ W+^T)^-1/2 W+
type FastICA struct {
	Iterations int     // at most so many; 200 is usual
	Tol        float64 // ends when all rows turned by less: max |1 - |w_new . w_old||; 1e-4 is usual
}

// Separate runs over x [samples, mixtures]; rng draws where it begins. An ICA that did not converge is no error.
func (o FastICA) Separate(ctx context.Context, x *mat.Dense, sources int, rng *rand.Rand) (*ICA, error) {
	if err := positive("FastICA", option{"Iterations", float64(o.Iterations)}, option{"Tol", o.Tol}); err != nil {
		return nil, err
	}
	p, z, err := whitened(x, sources)
	if err != nil {
		return nil, err
	}
	samples, n := z.Dims()
	w, err := decorrelated(mat.NewDense(n, n, diagonal(n, n, 0, 1, rng)))
	if err != nil {
		return nil, err
	}
	out := &ICA{}
	for out.Epochs < o.Iterations && !out.Converged && ctx.Err() == nil {
		u := Apply(w, z)
		slope := make([]float64, n)
		for i := range samples {
			for j, v := range u.RawRowView(i) {
				t := math.Tanh(v)
				u.Set(i, j, t)
				slope[j] += 1 - t*t
			}
		}
		var next mat.Dense
		next.Mul(u.T(), z)
		next.Apply(func(i, j int, v float64) float64 { return (v - slope[i]*w.At(i, j)) / float64(samples) }, &next)
		new, err := decorrelated(&next)
		if err != nil {
			return nil, err
		}
		turned := 0.
		for i := range n {
			turned = max(turned, math.Abs(1-math.Abs(dot(new.RawRowView(i), w.RawRowView(i)))))
		}
		w, out.Epochs, out.Converged = new, out.Epochs+1, turned < o.Tol
	}
	out.Unmixing = &mat.Dense{}
	out.Unmixing.Mul(w, p)
	return out, nil
}

// decorrelated is (W W^T)^-1/2 W.
func decorrelated(w *mat.Dense) (*mat.Dense, error) {
	var svd mat.SVD
	if !svd.Factorize(w, mat.SVDThin) {
		return nil, errors.New("bss: FastICA: the weights cannot be decorrelated: look for a source that is constant")
	}
	var u, v, out mat.Dense
	svd.UTo(&u)
	svd.VTo(&v)
	out.Mul(&u, v.T())
	return &out, nil
}
