package bss

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/pkg/errors"
	"gonum.org/v1/gonum/mat"
)

// Separation separates a matrix of mixtures, of any scale: it prepares them, runs a method several times and keeps the best run. Its
// zero value is PEM on the domain that Choose finds, with as many sources as CountSources finds.
//
// The mixtures are whitened to as many channels as there are sources, z = P x with E[z z^T] = v I, where v is the second moment of the
// paper's sources of the domain: the published rates then suit any data. With Offset they are centred before, and a constant channel is
// added whose weight is learned, so that y = W x + b.
type Separation struct {
	Method   Method    // of Methods; the zero value is PEM
	Domain   Projector // nil: Choose
	Sources  int       // 0: CountSources
	Offset   bool      // the mixtures have an unknown constant added, as pictures that were saved have
	Restarts int       // runs; 0: 3. Run k has the published rate times 3, 1, 10, .3, 3, ... and another rotation of z
	Samples  int       // that a run of an online method learns from, at random, several times if there are fewer; 0: 100,000
}

// rateFactors are what the published rates are multiplied by, run by run: after whitening a sample is smaller than in the paper's
// simulations, where ten mixtures of five sources have about ten times the power. Sources with rare peaks want the smaller ones.
var rateFactors = []float64{3, 1, 10, .3}

// Twice is the correlation of two outputs from which on they count as the same source, found twice.
const Twice = .8

// A Result is what a separation came to.
type Result struct {
	Unmixing *mat.Dense // [sources, mixtures]
	Offset   []float64  // [sources]: y = Unmixing x + Offset; zeros without Separation.Offset
	Domain   Projector  // nil for a method without one
	Choice   *Choice    // how the domain was chosen; nil if it was given
	Runs     []Run      // in their order
	Best     int        // the run that was kept
}

// Apply returns the sources [samples, sources] of mixtures x [samples, mixtures].
func (r *Result) Apply(x *mat.Dense) *mat.Dense {
	y := Apply(r.Unmixing, x)
	addOffset(y, r.Offset)
	return y
}

func addOffset(y *mat.Dense, b []float64) {
	n, _ := y.Dims()
	for i := range n {
		row := y.RawRowView(i)
		for j := range row {
			row[j] += b[j]
		}
	}
}

// Failed is how many runs found a source twice, or diverged.
func (r *Result) Failed() int {
	n := 0
	for _, run := range r.Runs {
		if run.Failed() {
			n++
		}
	}
	return n
}

// A Run is one run of a method.
type Run struct {
	Rate        float64 // factor of the published rate; 0 for methods without
	Samples     int     // seen
	Surrogate   float64 // what runs are compared by: of the outputs' covariance on the domain; -Inf if it diverged, NaN without a domain
	Correlation float64 // largest |correlation| of two outputs
	Moved       float64 // |W - W'|_F/|W|_F, W' the weights after nine tenths of the samples: small if it has converged
	Iterations  float64 // inner iterations a sample; 0 for methods without
	Path        []Point // of online methods
	Converged   bool    // of batch methods
	Err         error   // *DivergenceError

	w    *mat.Dense // on the inputs z
	p    *mat.Dense // the whitening
	mean []float64  // of the mixtures
}

// Failed reports whether the run found a source twice, or diverged.
func (r Run) Failed() bool { return r.Err != nil || r.Correlation > Twice }

// A Point is where a run was after some samples.
type Point struct {
	Samples   int
	Surrogate float64
	Unmixing  *mat.Dense // [sources, mixtures]
}

// points is how many points a path has.
const points = 40

// A prepared is mixtures on which a method can run.
type prepared struct {
	x       *mat.Dense // [samples, mixtures], of those that are learned from
	sources int
	offset  bool
	mean    []float64 // of the mixtures
}

// Separate separates x [samples, mixtures]. rng draws the order of samples, and where the runs begin; runs go on at the same time on the
// cores that there are, with the same results. A context that is done ends the runs; what they had by then is the result. Errors:
// numbers that are not finite, constant mixtures, fewer mixtures than sources, mixtures of a lower rank, and runs that all diverged.
func (o Separation) Separate(ctx context.Context, x *mat.Dense, rng *rand.Rand) (*Result, error) {
	if o.Method.Name == "" {
		o.Method = Methods()[0]
	}
	if err := CheckMixtures(x); err != nil {
		return nil, err
	}
	var err error
	if o.Sources == 0 {
		if o.Sources, err = CountSources(x); err != nil {
			return nil, err
		}
	}
	samples, mixtures := x.Dims()
	if o.Sources < 1 || o.Sources > mixtures {
		return nil, errors.Errorf("bss: Separate: %d sources in %d mixtures: want at least one source, and as many mixtures as sources", o.Sources, mixtures)
	}
	if o.Restarts == 0 {
		o.Restarts = 3
	}
	if o.Samples == 0 {
		o.Samples = 100000
	}
	result := &Result{Domain: o.Domain}
	if o.Domain == nil && o.Method.Domains != nil {
		if result.Choice, err = o.choose(ctx, x, rng); err != nil {
			return nil, err
		}
		o.Domain, result.Domain = result.Choice.Domain, result.Choice.Domain
	}
	switch {
	case o.Method.Domains == nil:
		result.Domain = nil
	case !o.Method.takes(o.Domain):
		return nil, errors.Errorf("bss: Separate: %s is not for the domain %v, but for %v", o.Method.Title, o.Domain, o.Method.Domains)
	}
	if !o.Method.Online {
		o.Restarts = 1
	}
	order := rng.Perm(samples)
	learn := subset(x, order[:min(samples, o.Samples)])
	if result.Runs, err = o.runs(ctx, learn, rng); err != nil {
		return nil, err
	}
	for i, run := range result.Runs {
		if best := result.Runs[result.Best]; run.Surrogate > best.Surrogate || best.Err != nil && run.Err == nil {
			result.Best = i
		}
	}
	best := result.Runs[result.Best]
	if best.Err != nil {
		return nil, best.Err
	}
	result.Unmixing, result.Offset = best.fold(best.w)
	return result, nil
}

// subset is the given rows of x.
func subset(x *mat.Dense, rows []int) *mat.Dense {
	_, m := x.Dims()
	out := mat.NewDense(len(rows), m, nil)
	for k, i := range rows {
		copy(out.RawRowView(k), x.RawRowView(i))
	}
	return out
}

// CheckMixtures reports mixtures [samples, mixtures] that nothing can be separated from: NaN and infinities, numbers whose squares overflow or
// vanish, constant ones, too few samples.
func CheckMixtures(x *mat.Dense) error {
	n, m := x.Dims()
	if n < 10*m {
		return errors.Errorf("bss: %d samples of %d mixtures: want at least %d", n, m, 10*m)
	}
	for j := range m {
		constant, size := true, 0.
		for i := range n {
			v := x.At(i, j)
			if v-v != 0 {
				return errors.Errorf("bss: sample %d of mixture %d is %v: want finite numbers", i+1, j+1, v)
			}
			constant, size = constant && v == x.At(0, j), max(size, math.Abs(v))
		}
		if constant {
			return &ConstantError{Mixture: j + 1, Value: x.At(0, j)}
		}
		if size > 1e100 || size < 1e-100 {
			return errors.Errorf("bss: the largest number of mixture %d is %.3g, whose square has no room: give it in another unit", j+1, size)
		}
	}
	return nil
}

// A ConstantError says that a mixture is the same number in every sample.
type ConstantError struct {
	Mixture int // counted from 1
	Value   float64
}

func (e *ConstantError) Error() string {
	return errors.Errorf("bss: mixture %d is %v in every sample: leave it out", e.Mixture, e.Value).Error()
}

// Eigenvalues are those of the mixtures' covariance, falling.
func Eigenvalues(x *mat.Dense) ([]float64, error) {
	_, m := x.Dims()
	r := covariance(x, x, mean(x), mean(x))
	var eigen mat.EigenSym
	if !eigen.Factorize(mat.NewSymDense(m, r.RawMatrix().Data), false) {
		return nil, errors.New("bss: the eigenvalues of the mixtures' covariance do not converge: look for infinities in the data")
	}
	d := eigen.Values(nil)
	slices.Reverse(d)
	return d, nil
}

// CountSources guesses how many sources are in x [samples, mixtures] from the eigenvalues of its covariance: as many as there are before
// the widest gap to what can be noise, else as many as mixtures. Noise is below 0.3 % of the first eigenvalue, and below a fifth of the
// one before it if those that follow are alike, or below a thirtieth. It is one more where no mixture is negative and the sources add up to
// a constant, which takes one dimension away.
func CountSources(x *mat.Dense) (int, error) {
	d, err := Eigenvalues(x)
	if err != nil {
		return 0, err
	}
	n, m, widest := len(d), len(d), 1.
	for i := 1; i < m; i++ {
		wide := 30.
		if m-i > 1 && d[i] < 4*d[m-1] {
			wide = 5
		}
		if d[i] > .003*d[0] {
			continue
		}
		if gap := d[i-1] / max(d[i], 1e-15*d[0]) / wide; gap > widest {
			n, widest = i, gap
		}
	}
	if n < m && mat.Min(x) >= 0 && explainsOne(x) > simplexPart(n+1) {
		n++
	}
	return n, nil
}

// power is the second moment of the components of the paper's sources of a domain: of five sources, where it depends on the number.
func power(d Domain) float64 {
	switch d {
	case Sparse:
		return .138
	case NonnegSparse:
		return .0527
	case Simplex:
		return .1645
	}
	return 1. / 3
}

// whitening is P and the inputs z = P x of the methods [samples, inputs]: with an offset a constant is the last of them.
func (p *prepared) whitening(d Domain, rotation *mat.Dense) (*mat.Dense, *mat.Dense, error) {
	v := power(d)
	centred := p.x
	if p.offset {
		v /= 4 // of [0, 1] about its middle
		centred = mat.DenseCopyOf(p.x)
		center(centred, p.mean)
	}
	white, err := whitenMoment(centred, p.sources)
	if err != nil {
		return nil, nil, err
	}
	white.Scale(math.Sqrt(v), white)
	var turned mat.Dense
	turned.Mul(rotation, white)
	z := Apply(&turned, centred)
	if p.offset {
		n, _ := z.Dims()
		var with mat.Dense
		with.Augment(z, mat.NewDense(n, 1, slices.Repeat([]float64{constant}, n)))
		z = &with
	}
	return &turned, z, nil
}

// constant is the channel that an offset is learned from.
const constant = .5

// whitenMoment is Whiten by the second moment E[x x^T]: the mean is left where it is.
func whitenMoment(x *mat.Dense, sources int) (*mat.Dense, error) {
	_, m := x.Dims()
	return whitenBy(covariance(x, x, nil, nil), sources, m)
}

// fold is the unmixing of x that the weights w of z are, and its offset.
func (r *Run) fold(w *mat.Dense) (*mat.Dense, []float64) {
	n, inputs := w.Dims()
	k, m := r.p.Dims()
	b := make([]float64, n)
	var u mat.Dense
	u.Mul(w.Slice(0, n, 0, k), r.p)
	if inputs > k {
		for i := range b {
			b[i] = constant * w.At(i, k)
			for j := range m {
				b[i] -= u.At(i, j) * r.mean[j]
			}
		}
	}
	return &u, b
}
