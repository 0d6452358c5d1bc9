package bss

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/mat"
)

// A Choice says which domains were tried and why one was taken.
type Choice struct {
	Domain   Projector
	Why      string
	Kurtosis float64 // mean excess kurtosis of the mixtures' principal components: below 0 for sources without peaks, above for rare ones
	Trials   []Trial
}

// A Trial is a short run on a domain.
type Trial struct {
	Domain Projector
	// Fill is how well the outputs fill the domain, in nats a source: 1/2 log det C - log r^n vol(domain), divided by n. The factor r
	// scales the domain such that 99 in 100 samples are in it. It is the mean log-likelihood of sources uniform in the domain, but for a
	// constant that is the same for all domains.
	Fill float64
	Err  error
}

// A trial is of at most so many samples, and two passes over them.
const trialSamples = 20000

// peaked is the excess kurtosis from which on mixtures with an unknown offset, such as pictures, may be of sources that are near one end
// nearly everywhere. Photographs are below.
const peaked = 3

// choose tries the domains that fit the mixtures, and takes the one that its outputs fill best.
func (o Separation) choose(ctx context.Context, x *mat.Dense, rng *rand.Rand) (*Choice, error) {
	c := &Choice{Kurtosis: kurtosis(x, o.Sources)}
	candidates := []Projector{Antisparse, Sparse}
	nonneg := !o.Offset && mat.Min(x) >= 0
	switch {
	case o.Offset && c.Kurtosis <= peaked:
		candidates = []Projector{NonnegAntisparse}
	case o.Offset:
		candidates = []Projector{NonnegAntisparse, NonnegSparse}
	case nonneg:
		candidates = []Projector{NonnegAntisparse, NonnegSparse, Simplex}
	}
	candidates = slices.DeleteFunc(candidates, func(d Projector) bool { return !o.Method.takes(d) })
	if len(candidates) == 0 {
		candidates = o.Method.Domains
	}
	signs := map[bool]string{true: "no mixture is below 0", false: "the mixtures have both signs"}[nonneg]
	if o.Offset {
		signs = "the mixtures have an unknown offset"
	}
	switch {
	case len(candidates) > 1:
	case o.Offset && c.Kurtosis <= peaked:
		c.Domain, c.Why = candidates[0], fmt.Sprintf("%s, and an excess kurtosis of %.2f: below %d, as of sources that are spread between two ends", signs, c.Kurtosis, peaked)
		return c, nil
	default:
		c.Domain, c.Why = candidates[0], fmt.Sprintf("%s is for no other domain where %s", o.Method.Title, signs)
		return c, nil
	}
	samples, _ := x.Dims()
	few := subset(x, rng.Perm(samples)[:min(samples, trialSamples)])
	if nonneg && o.Method.takes(Simplex) {
		if part := explainsOne(few); part > simplexPart(o.Sources) {
			c.Domain, c.Why = Simplex, fmt.Sprintf("%s, and a weighted sum of them is 1 in every sample but for %.2g %% of its power, as where the sources always add up to the same", signs, 100*(1-part))
			return c, nil
		}
		candidates = slices.DeleteFunc(candidates, func(d Projector) bool { return d == Simplex })
	}
	trial := o
	trial.Method, trial.Restarts, trial.Samples = Methods()[0], 2, min(2*trialSamples, o.Samples)
	for _, d := range candidates {
		trial.Domain = d
		runs, err := trial.runs(ctx, few, rng)
		if err != nil {
			return nil, err
		}
		t := Trial{Domain: d, Fill: math.Inf(-1)}
		for _, r := range runs {
			if r.Err != nil {
				t.Err = r.Err
				continue
			}
			u, b := r.fold(r.w)
			y := Apply(u, few)
			addOffset(y, b)
			t.Fill = max(t.Fill, fill(d, y))
		}
		c.Trials = append(c.Trials, t)
	}
	c.take(signs)
	return c, nil
}

// near is a difference of fills, in nats a source, that decides nothing: in two dimensions a square is an l1 ball, turned.
const near = .05

// take takes the domain of the best fill, or the one that the kurtosis is for where that is near.
func (c *Choice) take(signs string) {
	best := slices.MaxFunc(c.Trials, func(a, b Trial) int { return map[bool]int{true: 1, false: -1}[a.Fill >= b.Fill] })
	c.Domain = best.Domain
	c.Why = fmt.Sprintf("%s, and outputs fill it best (%.2f nats a source)", signs, best.Fill)
	for _, t := range c.Trials {
		if t.Domain == best.Domain || best.Fill-t.Fill > near {
			continue
		}
		rare := func(d Domain) bool { return d == Sparse || d == NonnegSparse }
		if c.Kurtosis > 0 == rare(t.Domain) && c.Kurtosis > 0 != rare(c.Domain) {
			c.Domain = t.Domain
		}
		c.Why = fmt.Sprintf("%s, outputs fill %v and %v alike (%.2f and %.2f nats a source), and the mixtures' excess kurtosis is %.2f: %s", signs, best.Domain, t.Domain, best.Fill, t.Fill, c.Kurtosis,
			map[bool]string{true: "above 0, as of sources with rare peaks", false: "below 0, as of sources without peaks"}[c.Kurtosis > 0])
	}
}

// fill is Trial.Fill of outputs y [samples, sources].
func fill(d Projector, y *mat.Dense) float64 {
	samples, n := y.Dims()
	c := covarianceOf(y)
	det := mat.Det(c)
	if !(det > 0) {
		return math.Inf(-1)
	}
	volume := 0. // logarithm of that of the scaled domain
	column := make([]float64, samples)
	quantile := func(q float64) float64 {
		slices.Sort(column)
		return column[min(samples-1, int(q*float64(samples)))]
	}
	switch d {
	case Antisparse, NonnegAntisparse:
		tail := .01 / float64(2*n) // at each of the 2n faces
		for j := range n {
			mat.Col(column, j, y)
			volume += math.Log(quantile(1-tail) - quantile(tail))
		}
	default:
		for i := range column {
			column[i] = 0
			for _, v := range y.RawRowView(i) {
				column[i] += math.Abs(v)
			}
		}
		volume = float64(n) * math.Log(quantile(.99))
		for k := range n {
			volume -= math.Log(float64(k + 1))
			if d == Sparse {
				volume += math.Ln2
			}
		}
	}
	f := (math.Log(det)/2 - volume) / float64(n)
	if math.IsNaN(f) {
		return math.Inf(-1)
	}
	return f
}

// kurtosis is the mean excess kurtosis of the principal components.
func kurtosis(x *mat.Dense, sources int) float64 {
	p, err := Whiten(x, sources)
	if err != nil {
		return math.NaN()
	}
	z := Centered(Apply(p, x))
	samples, n := z.Dims()
	sum := 0.
	for j := range n {
		two, four := 0., 0.
		for i := range samples {
			v := z.At(i, j) * z.At(i, j)
			two, four = two+v, four+v*v
		}
		sum += four*float64(samples)/(two*two) - 3
	}
	return sum / float64(n)
}

// explainsOne is how much of the constant 1 a weighted sum of the mixtures is, from 0 to 1: mean(x)^T E[x x^T]^-1 mean(x).
func explainsOne(x *mat.Dense) float64 {
	_, m := x.Dims()
	var chol mat.Cholesky
	r := covariance(x, x, nil, nil)
	addDiagonal(r, 1e-12*mat.Trace(r))
	if !chol.Factorize(symmetric(r)) {
		return 0
	}
	mu := mat.NewVecDense(m, mean(x))
	var a mat.VecDense
	if chol.SolveVecTo(&a, mu) != nil {
		return 0
	}
	return mat.Dot(mu, &a)
}

// simplexPart is what explainsOne has to be above: half-way, in the part that is missing, between n sources uniform in [0, 1], of which it
// explains 3n/(3n+1), and mixtures of 25 dB.
func simplexPart(n int) float64 {
	return 1 - math.Sqrt(1/float64(3*n+1)*.003)
}
