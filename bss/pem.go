package bss

import (
	"math/rand/v2"

	"github.com/pkg/errors"
	"gonum.org/v1/gonum/mat"
)

// A Gradient is which gradient in y the inner iterations of PEM follow.
type Gradient int

// The gradients, with O the off-diagonal part of C, D = diag C + eps and ybar = y - mu:
const (
	Truncated    Gradient = iota // gamma (y - W x) + (O (ybar/D) - ybar)/D, local: the rule of PEM
	Full                         // the same - q ybar, q_k = sum_j O_kj^2/(D_k^2 D_j): all of the objective's gradient
	Unnormalised                 // gamma (y - W x) + Lateral O ybar - ybar/D: u-PEM
)

// PEM is Predictive Entropy Maximization. Its objective for a sample, to be minimised, is
//
//	J(y, W) = g0 |y - W x|^2 - sum_i log D_i + 1/2 sum_{i != j} O_ij^2/(D_i D_j)
//
// the prediction error and, to second order around the diagonal, minus the log-determinant of the outputs' covariance C. For each
// sample y is settled by Inference on the domain, then
//
//	W  <- W + eta_t (y - W x) x^T
//	mu <- lambda mu + (1-lambda) y,   C <- lambda C + (1-lambda) (y - mu)(y - mu)^T  with the new mu
//
// PaperPEM has the published settings. (arXiv 2605.19965.)
type PEM struct {
	Domain     Domain
	Gradient   Gradient
	Memory     float64  // lambda, the trace factor of mu and C: it forgets over 1/(1-lambda) samples
	Prediction float64  // gamma = g0/(1-lambda), the gain of the prediction error
	Lateral    float64  // of Unnormalised alone: the gain in place of 1/(D_i D_j)
	Eps        float64  // added to the diagonal of C
	Rate       Schedule // eta_t, of the feedforward weights
	Inference  Inference
	Init       Init

	// NonnegWeights makes a network of nonnegative features: W <- max(W, 0) after every sample. With Domain NonnegAntisparse its outputs
	// are nonnegative codes, and PEM a relative of nonnegative matrix factorisation.
	NonnegWeights bool
}

// An Init is how the weights begin.
type Init struct {
	Diagonal, Noise                     float64 // W = Diagonal I + Noise N(0, 1)
	CovarianceDiagonal, CovarianceNoise float64 // C = CovarianceDiagonal I + CovarianceNoise N(0, 1)
	Mean                                float64 // of every component of mu
}

// weights draws W [n, m], row-major.
func (i Init) weights(n, m int, rng *rand.Rand) []float64 {
	return diagonal(n, m, i.Diagonal, i.Noise, rng)
}

// covariance draws C [n, n].
func (i Init) covariance(n int, rng *rand.Rand) []float64 {
	return diagonal(n, n, i.CovarianceDiagonal, i.CovarianceNoise, rng)
}

// diagonal is d I + noise N(0, 1) [rows, cols]; without noise it draws nothing.
func diagonal(rows, cols int, d, noise float64, rng *rand.Rand) []float64 {
	v := make([]float64, rows*cols)
	for i := range rows {
		for j := range cols {
			if noise != 0 {
				v[i*cols+j] = noise * rng.NormFloat64()
			}
			if i == j {
				v[i*cols+j] += d
			}
		}
	}
	return v
}

// Validate reports options that cannot be run, for so many sources.
func (p PEM) Validate(sources int) error {
	const method = "PEM"
	if p.Gradient < Truncated || p.Gradient > Unnormalised {
		return errors.Errorf("bss: PEM: unknown Gradient %d", int(p.Gradient))
	}
	if err := memory(method, "Memory", p.Memory); err != nil {
		return err
	}
	if err := positive(method, option{"Prediction", p.Prediction}, option{"Eps", p.Eps}); err != nil {
		return err
	}
	if p.Gradient == Unnormalised {
		if err := positive(method, option{"Lateral", p.Lateral}); err != nil {
			return err
		}
	}
	if err := p.Rate.validate(method, "Rate"); err != nil {
		return err
	}
	return p.Inference.validate(method, p.Domain, sources)
}

// Start makes a network for so many sources in so many mixtures; rng draws what Init does.
func (p PEM) Start(sources, mixtures int, rng *rand.Rand) (*PEMNetwork, error) {
	if err := checkSizes("PEM", sources, mixtures); err != nil {
		return nil, err
	}
	mu := make([]float64, sources)
	for i := range mu {
		mu[i] = p.Init.Mean
	}
	w := p.Init.weights(sources, mixtures, rng)
	return p.StartFrom(mat.NewDense(sources, mixtures, w), mat.NewDense(sources, sources, p.Init.covariance(sources, rng)), mu)
}

// StartFrom makes a network with the weights W [sources, mixtures], the covariance C [sources, sources] and the mean mu [sources] that
// are given; it copies them. C need be neither symmetric nor positive: its past fades as lambda^t, and D_i is at least eps.
func (p PEM) StartFrom(w, c *mat.Dense, mu []float64) (*PEMNetwork, error) {
	n, m := w.Dims()
	if r, s := c.Dims(); r != n || s != n || len(mu) != n {
		return nil, errors.Errorf("bss: PEM: W is [%d, %d], C [%d, %d] and mu [%d]: want C [%d, %d] and mu [%d]", n, m, r, s, len(mu), n, n, n)
	}
	if err := p.Validate(n); err != nil {
		return nil, err
	}
	net := &PEMNetwork{pem: p, sources: n, mixtures: m, settling: newSettling(p.Domain, p.Inference, n),
		d: make([]float64, n), ff: make([]float64, n), e: make([]float64, n), mu: append([]float64(nil), mu...)}
	net.w = append(net.w, mat.DenseCopyOf(w).RawMatrix().Data...)
	net.c = append(net.c, mat.DenseCopyOf(c).RawMatrix().Data...)
	for _, v := range [][]float64{net.w, net.c, net.mu} {
		if !finite(v) {
			return nil, errors.New("bss: PEM: W, C or mu has a NaN or an infinity at the start")
		}
	}
	return net, nil
}

// A PEMNetwork is PEM at work: a Separator.
type PEMNetwork struct {
	pem               PEM
	sources, mixtures int
	sample            int // seen so far

	w, c, mu []float64
	d        []float64 // D of the last sample
	ff       []float64 // W x of the last sample, with the weights of then
	e        []float64 // y - W x of the last sample
	made     int       // inner iterations of the last sample
	settling
}

var _ Separator = (*PEMNetwork)(nil)

// Infer returns the outputs y [sources] that the network settles at for a sample, and learns nothing from it: its code. They are valid
// until the next call.
func (p *PEMNetwork) Infer(x []float64) ([]float64, error) {
	if err := checkSample("PEM", x, p.mixtures); err != nil {
		return nil, err
	}
	product(p.ff, p.w, x)
	if !finite(p.ff) {
		return nil, &DivergenceError{Method: "PEM", Sample: p.sample + 1}
	}
	p.linearise()
	p.made = p.settling.run()
	return p.y, nil
}

// Observe is described at Separator.
func (p *PEMNetwork) Observe(x []float64) ([]float64, error) {
	if _, err := p.Infer(x); err != nil {
		return nil, err
	}
	eta := p.pem.Rate.At(p.sample)
	for i, y := range p.y {
		p.e[i] = y - p.ff[i]
	}
	outer(p.w, eta, p.e, x)
	if p.pem.NonnegWeights {
		for i, v := range p.w {
			p.w[i] = max(v, 0)
		}
	}
	lambda := p.pem.Memory
	for i, y := range p.y {
		p.mu[i] = lambda*p.mu[i] + (1-lambda)*y
	}
	for i, y := range p.y {
		yi := (1 - lambda) * (y - p.mu[i])
		row := p.c[i*p.sources : (i+1)*p.sources]
		for j := range row {
			row[j] = lambda*row[j] + yi*(p.y[j]-p.mu[j])
		}
	}
	p.sample++
	return p.y, nil
}

// linearise writes M and b of the inner iterations, whose gradient is g(y) = M y - b = gamma (y - W x) + (M - gamma I)(y - mu).
func (p *PEMNetwork) linearise() {
	n, eps, gamma := p.sources, p.pem.Eps, p.pem.Prediction
	for i := range p.d {
		p.d[i] = max(p.c[i*n+i]+eps, eps)
	}
	for i, di := range p.d {
		row, c := p.m[i*n:(i+1)*n], p.c[i*n:(i+1)*n]
		own, q := 1/di, 0.
		for j, dj := range p.d {
			switch {
			case j == i:
				continue
			case p.pem.Gradient == Unnormalised:
				row[j] = p.pem.Lateral * c[j]
			default:
				row[j] = c[j] * own / dj
				q += c[j] * row[j]
			}
		}
		row[i] = -own
		if p.pem.Gradient == Full {
			row[i] -= q * own
		}
		b := gamma * p.ff[i]
		for j, v := range row {
			b += v * p.mu[j]
		}
		row[i] += gamma
		p.b[i] = b
	}
}

// Unmixing is W [sources, mixtures]. Separation is linear, y = W x: the inner iterations serve learning alone.
func (p *PEMNetwork) Unmixing() *mat.Dense {
	return mat.NewDense(p.sources, p.mixtures, append([]float64(nil), p.w...))
}

// Covariance is C [sources, sources], the running covariance of the outputs.
func (p *PEMNetwork) Covariance() *mat.Dense {
	return mat.NewDense(p.sources, p.sources, append([]float64(nil), p.c...))
}

// Mean is mu [sources], the running mean of the outputs.
func (p *PEMNetwork) Mean() []float64 { return append([]float64(nil), p.mu...) }

// Samples is how many samples it has seen.
func (p *PEMNetwork) Samples() int { return p.sample }

// Iterations is how many inner iterations the last sample took.
func (p *PEMNetwork) Iterations() int { return p.made }

// Compartments are what the neurons of the two-compartment reading hold after a sample. Slices are the network's, valid until the next
// Observe.
type Compartments struct {
	Soma      []float64 // y, the outputs
	Dendrite  []float64 // W x, the basal dendrites' prediction
	Error     []float64 // y - W x: the mismatch that moves the feedforward weights
	Variance  []float64 // D, each neuron's own gain 1/D
	Threshold []float64 // theta of the inhibitory interneurons; empty for boxes
}

// Compartments reads the neurons after the last sample.
func (p *PEMNetwork) Compartments() Compartments {
	return Compartments{Soma: p.y, Dendrite: p.ff, Error: p.e, Variance: p.d, Threshold: p.theta}
}

// product writes dst = W x, W [len(dst), len(x)].
func product(dst, w, x []float64) {
	m := len(x)
	for i := range dst {
		sum := 0.
		for j, v := range w[i*m : (i+1)*m] {
			sum += v * x[j]
		}
		dst[i] = sum
	}
}

// outer adds a u x^T to W [len(u), len(x)].
func outer(w []float64, a float64, u, x []float64) {
	m := len(x)
	for i, v := range u {
		v *= a
		row := w[i*m : (i+1)*m]
		for j, xj := range x {
			row[j] += v * xj
		}
	}
}
