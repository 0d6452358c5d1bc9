package bss

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/pkg/errors"
	"gonum.org/v1/gonum/mat"

	"github.com/pcgraph/pcgraph/internal/kernel"
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

	// Of the samples in hand, a column each, no more than block: Z, then tanh(U) over U.
	columns, both []float64
}

func newInfomax(z *mat.Dense, rate float64) *infomax {
	samples, n := z.Dims()
	r := &infomax{z: z, w: mat.NewDense(n, n, identity(n)), b: make([]float64, n), signs: make([]float64, n), rate: rate,
		block: max(1, int(math.Sqrt(float64(samples)/3))), first: true}
	r.columns, r.both = make([]float64, n*r.block), make([]float64, 2*n*r.block)
	for i := range r.signs {
		r.signs[i] = -1
	}
	return r
}

// outputs computes tanh(U) and U = W Z + offset [sources, len(samples)] of no more samples than a block has; they are valid until the
// next call.
func (r *infomax) outputs(samples []int, offset []float64) (tanh, u []float64) {
	n, width := len(r.b), len(samples)
	for i, at := range samples {
		for k, v := range r.z.RawRowView(at) {
			r.columns[k*width+i] = v
		}
	}
	tanh, u = r.both[:n*width], r.both[n*width:2*n*width]
	for k, v := range offset {
		kernel.Fill(u[k*width:(k+1)*width], v)
	}
	kernel.Gemm(false, false, n, width, n, 1, r.w.RawMatrix().Data, n, r.columns, width, 1, u, width)
	kernel.Activate(kernel.Tanh, tanh, u)
	return tanh, u
}

// epoch makes one pass in the given order and returns the squared change of W; false if W grew without bound.
func (r *infomax) epoch(order, signSample []int) (float64, bool) {
	n := len(r.b)
	start := mat.DenseCopyOf(r.w)
	g, moments, dw := mat.NewDense(n, n, nil), make([]float64, 2*n*n), mat.NewDense(n, n, nil)
	for at := 0; at+r.block <= len(order); at += r.block {
		tanh, u := r.outputs(order[at:at+r.block], r.b)
		kernel.Gemm(false, true, 2*n, n, r.block, 1, r.both, r.block, u, r.block, 0, moments, n) // tanh(U) U^T over U U^T
		for i := range n {
			for j := range n {
				v := -r.signs[i]*moments[i*n+j] - moments[(n+i)*n+j]
				if i == j {
					v += float64(r.block)
				}
				g.Set(i, j, r.rate*v)
			}
		}
		dw.Mul(g, r.w)
		r.w.Add(r.w, dw)
		for j := range r.b {
			r.b[j] -= 2 * r.rate * kernel.Sum(tanh[j*r.block:(j+1)*r.block])
		}
		if !(kernel.MaxAbs(r.w.RawMatrix().Data) < 1e8) {
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

// estimateSigns sets sign_i = sgn(mean sech^2(u) mean u^2 - mean tanh(u) u), u = W z; nil are all samples.
func (r *infomax) estimateSigns(sample []int) {
	n := len(r.b)
	if sample == nil {
		rows, _ := r.z.Dims()
		for i := range rows {
			sample = append(sample, i)
		}
	}
	sech, square, slope := make([]float64, n), make([]float64, n), make([]float64, n)
	for part := range slices.Chunk(sample, r.block) {
		tanh, u := r.outputs(part, make([]float64, n))
		for j := range n {
			t, v := tanh[j*len(part):(j+1)*len(part)], u[j*len(part):(j+1)*len(part)]
			sech[j] += float64(len(part)) - kernel.SumSquares(t)
			square[j] += kernel.SumSquares(v)
			slope[j] += kernel.Dot(t, v)
		}
	}
	c := float64(len(sample))
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
