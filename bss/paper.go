package bss

import "github.com/pkg/errors"

// PaperPEM has the published settings for a domain (five sources, ten mixtures of 30 dB, 100,000 samples), with the gradient that is
// asked for. A domain that is not the paper's is an error.
func PaperPEM(d Domain, g Gradient) (PEM, error) {
	usual := Init{Diagonal: 1, Noise: .01, CovarianceDiagonal: .2}
	p := PEM{Domain: d, Gradient: g, Memory: .99, Init: usual}
	inner := func(rate, floor float64, iterations int, tol, beta float64) Inference {
		return Inference{Step: Schedule{Law: Harmonic, Rate: rate, Floor: floor}, Iterations: iterations, Tol: tol, Threshold: beta}
	}
	falling := func(rate, time float64) Schedule {
		return Schedule{Law: Harmonic, Rate: rate, Time: time, Floor: 1e-8}
	}
	switch d {
	case Antisparse:
		p.Prediction, p.Lateral, p.Eps = 250, 10, 1e-5+1e-6
		p.Rate, p.Inference = falling(.05, 5000), inner(.5, 1e-6, 250, 1e-7, 0)
	case NonnegAntisparse:
		p.Memory, p.Prediction, p.Lateral, p.Eps = .95, 750, 300, 1e-4+1e-6
		p.Rate, p.Inference = falling(.05, 20000), inner(.05, 1e-4, 500, 1e-6, 0)
		p.Init = Init{Diagonal: .01, Noise: 1. / 15, CovarianceDiagonal: 2}
	case Sparse:
		p.Prediction, p.Lateral, p.Eps = 150, 50, 1e-5
		p.Rate, p.Inference = falling(.05, 5000), inner(.05, 1e-4, 100, 1e-6, .5)
	case NonnegSparse:
		p.Prediction, p.Lateral, p.Eps = 250, 3200, 1e-4
		p.Rate, p.Inference = falling(.05, 2000), inner(.1, 1e-4, 100, 1e-7, .5)
		p.Init = Init{Diagonal: .01, Noise: 1. / 15, CovarianceDiagonal: .1, CovarianceNoise: 1. / 15}
	case Simplex:
		p.Prediction, p.Lateral, p.Eps = 150, 100, 1e-5
		if g == Unnormalised {
			p.Eps = 1e-4
		}
		p.Rate = Schedule{Law: Logarithmic, Rate: .05, Time: 5000, Floor: 1e-8}
		p.Inference = inner(.1, 1e-4, 100, 1e-7, .05)
	default:
		if _, is := d.(Polytope); !is {
			return PEM{}, errors.Errorf("bss: no published settings of PEM for the domain %v: write a PEM of your own", d)
		}
		p.Memory, p.Prediction, p.Lateral, p.Eps = .998, 100, 20, 1e-3
		p.Rate, p.Inference = falling(.05, 100000), inner(.01, 1e-5, 300, 1e-6, .8)
	}
	return p, nil
}

// PaperCorInfoMax has the published settings of online CorInfoMax for a domain; sparse is the predecessor's version with two gains.
func PaperCorInfoMax(d Domain) (CorInfoMax, error) {
	c := CorInfoMax{Domain: d, Memory: .99, Init: Init{Diagonal: 1, Noise: .01, CovarianceDiagonal: 5}}
	loop := func(rate, floor float64, iterations int, tol, beta float64) Inference {
		return Inference{Step: Schedule{Law: Harmonic, Rate: rate, Floor: floor}, Iterations: iterations, Tol: tol, Threshold: beta}
	}
	log := func(rate, time float64) Schedule {
		return Schedule{Law: Logarithmic, Rate: rate, Time: time, Floor: 1e-8}
	}
	switch d {
	case Antisparse:
		c.Prediction, c.Rate, c.Inference = 10, log(.05, 5000), loop(.5, 1e-6, 250, 1e-7, 0)
	case NonnegAntisparse:
		c.Prediction, c.Rate, c.Inference = 15, log(.1, 10000), loop(.9, 1e-6, 500, 1e-6, 0)
	case NonnegSparse:
		c.Prediction, c.Rate, c.Inference = 10, log(.1, 5000), loop(.9, 1e-9, 250, 1e-7, 1)
	case Sparse:
		c.TwoGains, c.ErrorMemory, c.ErrorGain = true, .99, 1000
		c.Rate, c.Inference = Schedule{Rate: .03}, loop(.1, 1e-3, 500, 1e-6, 1)
		c.Init = Init{Diagonal: 1, CovarianceDiagonal: 1}
	case Simplex:
		c.Prediction, c.Rate, c.Inference = 50, Schedule{Rate: .01}, loop(.1, 1e-3, 500, 1e-6, .05)
		c.Init.CovarianceDiagonal = 1
	default:
		return CorInfoMax{}, errors.Errorf("bss: no published settings of CorInfoMax for the domain %v: write a CorInfoMax of your own", d)
	}
	return c, nil
}

// PaperLDMI has the published settings of LDMI for a domain. Those for nonnegative domains have CovarianceReleased, as the release
// computes it: sources that are not centred are then outputs of W alone.
func PaperLDMI(d Domain) (LDMI, error) {
	l := LDMI{Eps: 1e-5, Iterations: 5000, Samples: 10000}
	exponential := func(rate float64) Schedule { return Schedule{Law: Exponential, Rate: rate, Decay: .995} }
	switch d {
	case Antisparse:
		l.Domain, l.Rate, l.Regularise = Antisparse, exponential(600), true
	case NonnegAntisparse:
		l.Domain, l.Moment, l.Rate, l.Regularise = NonnegAntisparse, CovarianceReleased, exponential(100), true
	case Sparse:
		l.Domain, l.Rate = Sparse, Schedule{Law: Sqrt, Rate: 100}
	case NonnegSparse:
		l.Domain, l.Moment, l.Rate, l.Regularise, l.Eps = NonnegSparse, CovarianceReleased, Schedule{Law: Sqrt, Rate: 100}, true, 1e-3
	case Simplex:
		l.Domain, l.Rate, l.Eps = Simplex, exponential(250), 1e-3
	default:
		return LDMI{}, errors.Errorf("bss: no published settings of LDMI for the domain %v: write an LDMI of your own", d)
	}
	return l, nil
}
