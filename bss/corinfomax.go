package bss

import (
	"math/rand/v2"

	"github.com/pkg/errors"
	"gonum.org/v1/gonum/mat"
)

// CorInfoMax is online correlative information maximisation: outputs in the domain of maximal log-determinant of their correlation,
// predicted linearly from the mixtures. It keeps the inverse B of the outputs' correlation,
//
//	y <- nonlinearity(y + s_k [g_y B y + gamma (W x - y)]),   g_y = (1-lambda)/lambda
//	W <- W + eta_t (y - W x) x^T,   B <- (B - g_y z z^T)/lambda with z = B y
//
// The predecessor's version (TwoGains) has an inverse correlation of the errors in place of gamma: g_e Be (W x - y), Be diagonal.
// (Bozkurt, Ates, Erdogan 2023, as the release of arXiv 2605.19965 has it.)
type CorInfoMax struct {
	Domain     Domain
	Memory     float64 // lambda
	Prediction float64 // gamma; unused with TwoGains
	Rate       Schedule
	Inference  Inference
	Init       Init // W as there; CovarianceDiagonal and -Noise are those of B

	TwoGains     bool
	ErrorMemory  float64 // lambda_e of TwoGains
	ErrorGain    float64 // Be = ErrorGain I of TwoGains at the start
	UpdateErrors bool    // Be <- (Be - g_e diag((Be e)^2))/lambda_e after every sample; else it stays
}

// Validate reports options that cannot be run, for so many sources.
func (o CorInfoMax) Validate(sources int) error {
	const method = "CorInfoMax"
	if err := memory(method, "Memory", o.Memory); err != nil {
		return err
	}
	if o.TwoGains {
		if err := memory(method, "ErrorMemory", o.ErrorMemory); err != nil {
			return err
		}
		if err := positive(method, option{"ErrorGain", o.ErrorGain}); err != nil {
			return err
		}
	} else if err := positive(method, option{"Prediction", o.Prediction}); err != nil {
		return err
	}
	if err := o.Rate.validate(method, "Rate"); err != nil {
		return err
	}
	return o.Inference.validate(method, o.Domain, sources)
}

// Start makes a network for so many sources in so many mixtures; rng draws what Init does.
func (o CorInfoMax) Start(sources, mixtures int, rng *rand.Rand) (*CorInfoMaxNetwork, error) {
	if err := checkSizes("CorInfoMax", sources, mixtures); err != nil {
		return nil, err
	}
	w := mat.NewDense(sources, mixtures, o.Init.weights(sources, mixtures, rng))
	return o.StartFrom(w, mat.NewDense(sources, sources, o.Init.covariance(sources, rng)))
}

// StartFrom makes a network with the weights W [sources, mixtures] and the symmetric inverse correlation B [sources, sources] that are
// given; it copies them.
func (o CorInfoMax) StartFrom(w, b *mat.Dense) (*CorInfoMaxNetwork, error) {
	n, m := w.Dims()
	if r, s := b.Dims(); r != n || s != n {
		return nil, errors.Errorf("bss: CorInfoMax: W is [%d, %d] and B [%d, %d]: want B [%d, %d]", n, m, r, s, n, n)
	}
	if err := o.Validate(n); err != nil {
		return nil, err
	}
	net := &CorInfoMaxNetwork{options: o, sources: n, mixtures: m, settling: newSettling(o.Domain, o.Inference, n),
		ff: make([]float64, n), e: make([]float64, n), z: make([]float64, n), gains: make([]float64, n)}
	net.w = append(net.w, mat.DenseCopyOf(w).RawMatrix().Data...)
	net.inverse = append(net.inverse, mat.DenseCopyOf(b).RawMatrix().Data...)
	if !finite(net.w) || !finite(net.inverse) {
		return nil, errors.New("bss: CorInfoMax: W or B has a NaN or an infinity at the start")
	}
	for i := range net.gains {
		net.gains[i] = o.ErrorGain
	}
	return net, nil
}

// A CorInfoMaxNetwork is CorInfoMax at work: a Separator.
type CorInfoMaxNetwork struct {
	options           CorInfoMax
	sources, mixtures int
	sample            int

	w       []float64
	inverse []float64 // B
	gains   []float64 // diagonal of Be
	ff, e   []float64
	z       []float64
	made    int
	settling
}

var _ Separator = (*CorInfoMaxNetwork)(nil)

// Observe is described at Separator.
func (c *CorInfoMaxNetwork) Observe(x []float64) ([]float64, error) {
	if err := checkSample("CorInfoMax", x, c.mixtures); err != nil {
		return nil, err
	}
	product(c.ff, c.w, x)
	if !finite(c.ff) || !finite(c.inverse) {
		return nil, &DivergenceError{Method: "CorInfoMax", Sample: c.sample + 1}
	}
	n, lambda := c.sources, c.options.Memory
	gy := (1 - lambda) / lambda
	for i, v := range c.inverse {
		c.m[i] = -gy * v
	}
	for i := range c.ff {
		g := c.gain(i)
		c.m[i*n+i] += g
		c.b[i] = g * c.ff[i]
	}
	c.made = c.settling.run()
	for i, y := range c.y {
		c.e[i] = y - c.ff[i]
	}
	outer(c.w, c.options.Rate.At(c.sample), c.e, x)
	product(c.z, c.inverse, c.y)
	for i, zi := range c.z {
		for j := i; j < n; j++ { // one triangle: an antisymmetric part would grow as lambda^-t
			v := (c.inverse[i*n+j] - gy*(zi*c.z[j])) / lambda
			c.inverse[i*n+j], c.inverse[j*n+i] = v, v
		}
	}
	if c.options.TwoGains && c.options.UpdateErrors {
		le := c.options.ErrorMemory
		for i, be := range c.gains {
			ee := be * c.e[i]
			c.gains[i] = (be - (1-le)/le*(ee*ee)) / le
		}
	}
	c.sample++
	return c.y, nil
}

// gain is the gain of the prediction error of output i.
func (c *CorInfoMaxNetwork) gain(i int) float64 {
	if !c.options.TwoGains {
		return c.options.Prediction
	}
	return (1 - c.options.ErrorMemory) / c.options.ErrorMemory * c.gains[i]
}

// Unmixing is W [sources, mixtures].
func (c *CorInfoMaxNetwork) Unmixing() *mat.Dense {
	return mat.NewDense(c.sources, c.mixtures, append([]float64(nil), c.w...))
}

// ImplicitUnmixing is the fixed point of the inner iterations without their nonlinearity, y = M x with
//
//	M = -(g_y B - G)^-1 G W,   G the gains of the prediction error
func (c *CorInfoMaxNetwork) ImplicitUnmixing() (*mat.Dense, error) {
	gy := (1 - c.options.Memory) / c.options.Memory
	var a mat.Dense
	a.Scale(-gy, c.Inverse())
	gw := c.Unmixing()
	for i := range c.sources {
		g := c.gain(i)
		a.Set(i, i, a.At(i, i)+g)
		for j := range c.mixtures {
			gw.Set(i, j, g*gw.At(i, j))
		}
	}
	var out mat.Dense
	if err := out.Solve(&a, gw); err != nil {
		return nil, errors.Wrap(err, "bss: CorInfoMax: the implicit read-out")
	}
	return &out, nil
}

// Inverse is B [sources, sources], the running inverse correlation of the outputs.
func (c *CorInfoMaxNetwork) Inverse() *mat.Dense {
	return mat.NewDense(c.sources, c.sources, append([]float64(nil), c.inverse...))
}

// Samples is how many samples it has seen.
func (c *CorInfoMaxNetwork) Samples() int { return c.sample }

// Iterations is how many inner iterations the last sample took.
func (c *CorInfoMaxNetwork) Iterations() int { return c.made }
