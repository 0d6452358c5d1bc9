// Package pem checks "Normative Networks for Source Separation via Local Plasticity and Dendritic Computation" (arXiv 2605.19965):
// Predictive Entropy Maximization (PEM), an online method with local rules, separates correlated sources about as well as methods that
// need a matrix inverse, and better than local methods that need uncorrelated sources.
//
// The paper's text was not at hand: statements are those of its released code, and the paper's numbers are what was computed again from
// the result files of that code. Every sweep is measured with the paper's settings on our own draws. docs/PEM.md lists which claim is
// which figure and table.
package pem

import (
	"context"
	"math"
	"math/rand/v2"

	"github.com/pkg/errors"
	"gonum.org/v1/gonum/mat"

	"github.com/pcgraph/pcgraph/bss"
	"github.com/pcgraph/pcgraph/experiments/claim"
)

// Claims are the claims of this package.
func Claims() []claim.Claim {
	return []claim.Claim{antisparseTable, nnantisparseTable, upemCorrelated, crossovers, sparseTable, nnsparseTable, simplexTable, upemNoisy, normalisation, truncatedFull, mixingLaw, mixtureCount, taylorBounds, underdetermined, lateralGain, modulation, polytopes, imageSeparation, soundSeparation, ldmiTable, infomaxTable, batchOrder, receptiveFields, features}
}

// paper begins the source of every claim.
const paper = "Normative Networks for Source Separation via Local Plasticity and Dendritic Computation (arXiv 2605.19965)"

// stored is where numbers of the paper are from.
const stored = "computed again from the result files of the released code, 30 seeds"

// failing says why a shuffle is no test of claims that fail.
const failing = "it misses its bounds with the results in their places, and with others it does so too"

// generator is the source of all randomness of a cell: stream 0 draws sources, mixing and noise, which all methods share, stream 1 what a
// method begins with.
func generator(seed int, stream uint64) *rand.Rand {
	return rand.New(rand.NewPCG(uint64(seed), 2605_19965+stream))
}

// A trial is one problem, five sources in noisy mixtures, and one method.
type trial struct {
	Method   string  `json:"method"`
	Domain   string  `json:"domain"`
	Rho      float64 `json:"rho"` // correlation of the t-copula of antisparse sources
	SNR      float64 `json:"snr"` // of the mixtures, dB
	Mixtures int     `json:"mixtures"`
	Law      string  `json:"law,omitempty"`  // of the mixing matrix; empty for Gaussian
	Step     float64 `json:"step,omitempty"` // s0 of PEM's inner iterations; 0 for the published one
	Samples  int     `json:"samples"`
	Seed     int     `json:"seed"`
}

const sources = 5

// The methods.
const (
	pemRule  = "PEM"
	pemFull  = "PEM, full gradient"
	upem     = "u-PEM"
	cim      = "CorInfoMax"
	ldmi     = "LDMI"
	ica      = "InfoMax"
	bsm      = "BSM"
	nsm      = "NSM"
	antiName = "antisparse"
	nnName   = "nnantisparse"
)

// Cost is about how many seconds it takes.
func (t trial) Cost() float64 {
	if t.Method == ldmi { // learns from the first samples alone
		return 2e-4 * float64(min(t.Samples, 10_000))
	}
	seconds := map[string]float64{cim: .3, ica: .6, nsm: .8}[t.Method]
	if t.Method == pemRule || t.Method == upem { // the first to be measured
		seconds = .5
	}
	return max(seconds, .3) * float64(t.Samples) / 1e5
}

// A score is how well the outputs agree with the sources.
type score struct {
	MSNR float64 `json:"msnr"` // mean over the sources of their SNR, dB: what the paper's figures show
	SINR float64 `json:"sinr"` // dB
	Lost int     `json:"lost"` // sources that share their output with another: a run that failed if there are any
	// Diverged says that the method's numbers grew without bound: 0 dB, and all sources are lost.
	Diverged bool `json:"diverged,omitempty"`
}

// domain is a domain of the paper by its name.
func domain(name string) (bss.Projector, error) {
	for _, d := range bss.Domains() {
		if d.String() == name {
			return d, nil
		}
	}
	return nil, errors.Errorf("unknown domain %q", name)
}

// problem draws sources, mixing and noise.
func (t trial) problem() (x, s *mat.Dense, err error) {
	d, err := domain(t.Domain)
	if err != nil {
		return nil, nil, err
	}
	law := bss.GaussianMixing
	for l := bss.GaussianMixing; l <= bss.StudentMixing; l++ {
		if l.String() == t.Law {
			law = l
		}
	}
	var source bss.Source = bss.Copula{Rho: t.Rho, Signed: d == bss.Antisparse}
	if d != bss.Antisparse && d != bss.NonnegAntisparse {
		if source, err = bss.SourcesOf(d); err != nil {
			return nil, nil, err
		}
	}
	rng := generator(t.Seed, 0)
	if s, err = bss.Sources(source, t.Samples, sources, rng); err != nil {
		return nil, nil, err
	}
	const most = 13 // mixtures: fewer are the first of them
	a := bss.Mixing(law, most, sources, rng)
	x, _ = bss.Mix(s, mat.DenseCopyOf(a.Slice(0, t.Mixtures, 0, sources)), t.SNR, rng)
	return x, s, nil
}

// measure runs the method on the problem.
func (t trial) measure(ctx context.Context) (score, error) {
	x, s, err := t.problem()
	if err != nil {
		return score{}, err
	}
	w, err := t.separate(ctx, x)
	if diverged := (*bss.DivergenceError)(nil); errors.As(err, &diverged) {
		return score{Lost: sources, Diverged: true}, nil
	}
	if err != nil {
		return score{}, err
	}
	return evaluate(bss.Apply(w, x), s, t.Method == ica && t.Domain == nnName)
}

// evaluate scores outputs. Outputs of ICA have no offset: offset takes the minimum of each aligned output off it, as the released code
// does for nonnegative sources.
func evaluate(y, s *mat.Dense, offset bool) (score, error) {
	e, err := bss.Evaluate(y, s)
	if err != nil {
		return score{}, err
	}
	lost := e.Lost()
	if offset {
		y = e.Aligned
		rows, cols := y.Dims()
		for j := range cols {
			low := math.Inf(1)
			for i := range rows {
				low = min(low, y.At(i, j))
			}
			for i := range rows {
				y.Set(i, j, y.At(i, j)-low)
			}
		}
		if e, err = bss.Evaluate(y, s); err != nil {
			return score{}, err
		}
	}
	return score{MSNR: decimals(e.MeanSNR, 3), SINR: decimals(e.SINR, 3), Lost: lost}, nil
}

// decimals rounds, so that records stay small.
func decimals(v float64, n int) float64 {
	unit := math.Pow(10, float64(n))
	return math.Round(v*unit) / unit
}

// separate learns the unmixing of x.
func (t trial) separate(ctx context.Context, x *mat.Dense) (*mat.Dense, error) {
	d, err := domain(t.Domain)
	if err != nil {
		return nil, err
	}
	rng := generator(t.Seed, 1)
	var online bss.Separator
	switch t.Method {
	case pemRule, pemFull, upem:
		var p bss.PEM
		if p, err = bss.PaperPEM(d, map[string]bss.Gradient{pemRule: bss.Truncated, pemFull: bss.Full, upem: bss.Unnormalised}[t.Method]); err != nil {
			return nil, err
		}
		if t.Step > 0 {
			p.Inference.Step.Rate = t.Step
		}
		online, err = p.Start(sources, t.Mixtures, rng)
	case cim:
		var c bss.CorInfoMax
		if c, err = bss.PaperCorInfoMax(d); err != nil {
			return nil, err
		}
		online, err = c.Start(sources, t.Mixtures, rng)
	case bsm, nsm:
		p, e := bss.Whiten(x, sources)
		if e != nil {
			return nil, e
		}
		if t.Method == bsm {
			online, err = bss.PaperBSM().Start(p)
		} else {
			online, err = bss.PaperNSM().Start(p, rng)
		}
	case ldmi:
		l, err := bss.PaperLDMI(d)
		if err != nil {
			return nil, err
		}
		r, err := l.Separate(ctx, x, sources, rng)
		if err != nil {
			return nil, err
		}
		return r.Unmixing, ctx.Err()
	case ica:
		r, err := bss.PaperInfoMax().Separate(ctx, x, sources, rng)
		if err != nil {
			return nil, err
		}
		return r.Unmixing, ctx.Err()
	default:
		return nil, errors.Errorf("unknown method %q", t.Method)
	}
	if err != nil {
		return nil, err
	}
	_, err = bss.Observe(online, x, nil)
	return online.Unmixing(), err
}
