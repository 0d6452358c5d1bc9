package bss

import (
	"context"
	"math/rand/v2"

	"github.com/pkg/errors"
	"gonum.org/v1/gonum/mat"

	"github.com/pcgraph/pcgraph/internal/kernel"
)

// A Moment is which second moment LDMI maximises.
type Moment int

// The moments of A and B [samples, ..] with means a and b.
const (
	Correlation        Moment = iota // A^T B/N
	Covariance                       // A^T B/N - a b^T: W predicts Y but for an offset, so that W X needs it, or centred sources
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
	run := newLDMI(o, x, y)
	if !run.chol.Factorize(symmetric(run.rx)) {
		return nil, errors.New("bss: LDMI: the mixtures are linearly dependent: whiten them to fewer, or set Regularise")
	}
	result := &LDMIResult{Outputs: y}
	run.weights()
	for ; result.Iterations < o.Iterations && ctx.Err() == nil; result.Iterations++ {
		if watch != nil {
			watch(run.w)
		}
		if !run.step(o.Rate.At(result.Iterations)) {
			return nil, &DivergenceError{Method: method, Sample: run.samples}
		}
		run.weights()
	}
	if watch != nil {
		watch(run.w)
	}
	run.outputs(y)
	result.Unmixing = run.w
	return result, nil
}

// ldmiRun is LDMI at work. One pass over the samples makes an iteration: with what W, R_Y and R_E are, the step is linear,
//
//	Y <- P(M Y + K X + c 1),   M = I + a_k/N (R_Y^-1 - R_E^-1),   K = a_k/N R_E^-1 W
//
// and the moments of the new Y, of which all the rest follows, are summed on the way:
//
//	R_E = R_Y - W R_XY - R_YX W^T + W R_X W^T
//
// Samples are held in blocks that fit the processor's cache. A block is [sources+mixtures+1, width]: y, x and ones.
type ldmiRun struct {
	LDMI
	samples, sources, mixtures int
	blocks                     [][]float64
	next                       []float64 // [sources, width], M Y + K X + c 1 of a block
	point, scratch             []float64 // [sources], a sample while it is projected

	rx      *mat.Dense // R_X as the weights have it
	chol    mat.Cholesky
	rawX    *mat.Dense // X^T X/N
	meanX   []float64
	moments *mat.Dense // [sources, sources+mixtures+1]: Y^T Y/N, Y^T X/N and the mean of Y
	w       *mat.Dense // [sources, mixtures]
}

// ldmiBlock is the width of a block: 16 rows of 256 numbers are 32 kB.
const ldmiBlock = 256

func newLDMI(o LDMI, x, y *mat.Dense) *ldmiRun {
	samples, m := x.Dims()
	_, n := y.Dims()
	rows := n + m + 1
	r := &ldmiRun{LDMI: o, samples: samples, sources: n, mixtures: m, next: make([]float64, n*ldmiBlock), point: make([]float64, n), scratch: make([]float64, n),
		meanX: mean(x), rawX: covariance(x, x, nil, nil), moments: mat.NewDense(n, rows, nil)}
	for at := 0; at < samples; at += ldmiBlock {
		width := min(ldmiBlock, samples-at)
		block := make([]float64, rows*width)
		for i := range width {
			for k, v := range y.RawRowView(at + i) {
				block[k*width+i] = v
			}
			for k, v := range x.RawRowView(at + i) {
				block[(n+k)*width+i] = v
			}
			block[(n+m)*width+i] = 1
		}
		r.blocks = append(r.blocks, block)
		r.sum(block)
	}
	r.rx = r.offMeans(mat.DenseCopyOf(r.rawX), r.meanX, r.meanX)
	if o.Regularise {
		addDiagonal(r.rx, o.Eps)
	}
	return r
}

// sum adds the moments of a block.
func (r *ldmiRun) sum(block []float64) {
	rows := r.sources + r.mixtures + 1
	width := len(block) / rows
	kernel.Gemm(false, true, r.sources, rows, width, 1/float64(r.samples), block, width, block, width, 1, r.moments.RawMatrix().Data, rows)
}

// offMeans makes the moment A^T B/N that o asks for of the raw one, in place.
func (r *ldmiRun) offMeans(raw *mat.Dense, a, b []float64) *mat.Dense {
	part := 1.
	switch r.Moment {
	case Correlation:
		return raw
	case CovarianceReleased:
		part = 1 / float64(r.samples)
	}
	raw.Apply(func(i, j int, v float64) float64 { return v - part*a[i]*b[j] }, raw)
	return raw
}

// meanY is the mean of Y.
func (r *ldmiRun) meanY() []float64 { return mat.Col(nil, r.sources+r.mixtures, r.moments) }

// raw are Y^T Y/N and Y^T X/N, which the next step changes.
func (r *ldmiRun) raw() (yy, yx *mat.Dense) {
	n := r.sources
	return r.moments.Slice(0, n, 0, n).(*mat.Dense), r.moments.Slice(0, n, n, n+r.mixtures).(*mat.Dense)
}

// weights computes W = R_YX R_X^-1.
func (r *ldmiRun) weights() {
	_, yx := r.raw()
	ryx := r.offMeans(mat.DenseCopyOf(yx), r.meanY(), r.meanX)
	var wt mat.Dense
	_ = r.chol.SolveTo(&wt, ryx.T()) // it can only report a bad condition: from has refused what cannot be factorised
	r.w = mat.DenseCopyOf(wt.T())
}

// step makes one iteration at the rate a, without the weights; false if R_Y or R_E cannot be inverted.
func (r *ldmiRun) step(a float64) bool {
	n, m := r.sources, r.mixtures
	yy, yx := r.raw()
	meanY, meanE := r.meanY(), make([]float64, n)
	product(meanE, r.w.RawMatrix().Data, r.meanX)
	for i, v := range meanY {
		meanE[i] = v - meanE[i]
	}
	ry := r.offMeans(mat.DenseCopyOf(yy), meanY, meanY)
	var cross, wx, re mat.Dense
	cross.Mul(r.w, yx.T())
	wx.Mul(r.w, r.rawX)
	re.Mul(&wx, r.w.T())
	re.Apply(func(i, j int, v float64) float64 {
		v += yy.At(i, j) - cross.At(i, j) - cross.At(j, i)
		if r.Moment != Correlation { // centred in the release too
			v -= meanE[i] * meanE[j]
		}
		return v
	}, &re)
	iy, ok := inverse(ry, r.Eps)
	if !ok {
		return false
	}
	ie, ok := inverse(&re, r.Eps)
	if !ok {
		return false
	}
	linear := mat.NewDense(n, n+m+1, nil) // M, K, c
	a /= float64(r.samples)
	linear.Slice(0, n, n, n+m).(*mat.Dense).Mul(ie, r.w)
	for i := range n {
		for j := range n {
			linear.Set(i, j, iy.At(i, j)-ie.At(i, j))
			if r.Moment != Correlation {
				linear.Set(i, n+m, linear.At(i, n+m)+ie.At(i, j)*meanE[j]-iy.At(i, j)*meanY[j])
			}
		}
	}
	linear.Scale(a, linear)
	for i := range n {
		linear.Set(i, i, 1+linear.At(i, i))
	}
	clear(r.moments.RawMatrix().Data)
	for _, block := range r.blocks {
		width := len(block) / (n + m + 1)
		kernel.Gemm(false, false, n, width, n+m+1, 1, linear.RawMatrix().Data, n+m+1, block, width, 0, r.next, width)
		r.projectBlock(block[:n*width], r.next[:n*width], width)
		r.sum(block)
	}
	return true
}

// projectBlock writes the projections of the columns of y [sources, width] to dst.
func (r *ldmiRun) projectBlock(dst, y []float64, width int) {
	if b, is := r.Domain.(box); is { // number by number
		for i, v := range y {
			dst[i] = min(max(v, b.lo), b.hi)
		}
		return
	}
	for i := range width {
		for k := range r.point {
			r.point[k] = y[k*width+i]
		}
		r.Domain.Project(r.point, r.scratch)
		for k, v := range r.point {
			dst[k*width+i] = v
		}
	}
}

// outputs writes Y to y [samples, sources].
func (r *ldmiRun) outputs(y *mat.Dense) {
	for b, block := range r.blocks {
		width := len(block) / (r.sources + r.mixtures + 1)
		for i := range width {
			row := y.RawRowView(b*ldmiBlock + i)
			for k := range row {
				row[k] = block[k*width+i]
			}
		}
	}
}

// inverse is (a + eps I)^-1 of a symmetric a, which it changes; false if that is not positive.
func inverse(a *mat.Dense, eps float64) (*mat.SymDense, bool) {
	addDiagonal(a, eps)
	var chol mat.Cholesky
	var out mat.SymDense
	if !chol.Factorize(symmetric(a)) {
		return nil, false
	}
	return &out, chol.InverseTo(&out) == nil
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
