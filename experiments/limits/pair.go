package limits

import (
	"math"

	"gonum.org/v1/gonum/mat"

	"github.com/pcgraph/pcgraph/experiments/claim"
	"github.com/pcgraph/pcgraph/theory"
)

// A rule is what a linear network learns by.
type rule bool

// The rules.
const (
	backprop   rule = false
	predictive rule = true // by the gradient at equilibrium
)

// A state is what is seen before a step of learning.
type state struct {
	loss     float64
	energy   float64         // at equilibrium; the loss for backprop
	gradient theory.Gradient // by the rule
	backprop theory.Gradient // by backprop at the same weights
}

// A learner is a linear network that learns a batch.
type learner struct {
	net  theory.Linear
	x, y *mat.Dense
	rule rule
	step func(layer int, weight, gradient []float64)
}

// descent steps against the gradient.
func descent(rate float64) func(int, []float64, []float64) {
	return func(_ int, weight, gradient []float64) {
		for i, g := range gradient {
			weight[i] -= rate * g
		}
	}
}

// look is the state.
func (l *learner) look() (state, error) {
	p, err := l.net.Feedforward(l.x, l.y)
	if err != nil {
		return state{}, err
	}
	s := state{loss: p.Loss, backprop: p.Gradient()}
	s.gradient, s.energy = s.backprop, s.loss
	if l.rule == predictive {
		e, err := l.net.Equilibrium(l.x, l.y)
		if err != nil {
			return state{}, err
		}
		s.gradient, s.energy = e.Gradient(), e.Energy
	}
	return s, nil
}

// learn makes a step by the gradient of a state.
func (l *learner) learn(s state) {
	for i, g := range s.gradient.Dense() {
		l.step(i, l.net.Weights[i].RawMatrix().Data, g.RawMatrix().Data)
	}
}

// clone is the network with weights of its own.
func clone(n theory.Linear) theory.Linear {
	weights := make([]*mat.Dense, len(n.Weights))
	for i, w := range n.Weights {
		weights[i] = mat.DenseCopyOf(w)
	}
	n.Weights = weights
	return n
}

// tiny is a loss that is as good as none: gradients have no direction worth measuring below it.
const tiny = 1e-4

// paths are a PC and a BP network that learn the same from the same weights, each on its own way.
type paths struct {
	BP     []float64        `json:"bp"`     // loss before step 0, 1, ...
	PC     []float64        `json:"pc"`     // loss too, not energy
	Apart  []claim.Nullable `json:"apart"`  // cosine of PC's gradient on its path to BP's on BP's, as the paper's code has it
	Within []claim.Nullable `json:"within"` // cosine of PC's gradient to BP's at the same weights, those of PC
}

// together lets both learn; observe may end it early.
func together(n theory.Linear, x, y *mat.Dense, steps int, step func() func(int, []float64, []float64), observe func(t int) error) (paths, error) {
	bp := &learner{net: clone(n), x: x, y: y, rule: backprop, step: step()}
	pc := &learner{net: n, x: x, y: y, rule: predictive, step: step()}
	var r paths
	for t := 0; ; t++ {
		a, err := bp.look()
		if err != nil {
			return r, err
		}
		b, err := pc.look()
		if err != nil {
			return r, err
		}
		apart, within := math.NaN(), math.NaN()
		if b.loss > tiny {
			if within, err = b.gradient.Cosine(b.backprop); err != nil {
				return r, err
			}
			if a.loss > tiny {
				if apart, err = b.gradient.Cosine(a.gradient); err != nil {
					return r, err
				}
			}
		}
		r.BP, r.PC = append(r.BP, short(a.loss)), append(r.PC, short(b.loss))
		r.Apart, r.Within = append(r.Apart, claim.Nullable(fine(apart))), append(r.Within, claim.Nullable(fine(within)))
		if t == steps {
			return r, nil
		}
		if err := observe(t); err != nil {
			return r, err
		}
		bp.learn(a)
		pc.learn(b)
	}
}

// fine keeps twelve decimals: what is interesting of a cosine is how far it is from 1.
func fine(cosine float64) float64 { return math.Round(cosine*1e12) / 1e12 }

// short keeps six digits, so that records of curves stay small.
func short(v float64) float64 {
	if v == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return v
	}
	unit := math.Pow(10, 5-math.Floor(math.Log10(math.Abs(v))))
	return math.Round(v*unit) / unit
}
