package analysis

import (
	"math"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/train"
)

// A TargetAlignment says how straight a small step of a rule's weights takes the outputs of a batch to their targets (Oliviers, Lominadze
// and Bogacz 2026, arXiv 2605.11911): the cosine of the angle between the change of the output along minus the gradient and the
// error y - mu, both of the feedforward pass. 1 is straight, 0 at a right angle or where either vanishes.
type TargetAlignment struct {
	Whole   float64 // over all samples as one vector
	Samples float64 // mean over samples of each one's own cosine
}

// AlignTargets measures the target alignment of a rule on a batch x [batch, in], y [batch, out]. Errors are those of squares: of
// a network of logits, give targets in the units of logits. The change is a central difference along the gradient, so the measure
// works for every rule and network that predicts, best in float64; weights end where they were. A rule that moves on with every
// gradient, by random numbers or matrices that learn, does.
func AlignTargets[T graph.Float](rule train.Rule[T], x, y []T, batch int) (TargetAlignment, error) {
	if train.Missing(rule) {
		return TargetAlignment{}, errors.New("analysis: target alignment: the rule is missing")
	}
	s := rule.Subject()
	if s.Weights == nil {
		return TargetAlignment{}, errors.Errorf("analysis: target alignment: the rule, a %T, has no weights: give it a model", rule)
	}
	if len(x) != batch*s.In || len(y) != batch*s.Out {
		return TargetAlignment{}, errors.Errorf("analysis: target alignment: %d inputs and %d targets for %d samples of %d and %d numbers", len(x), len(y), batch, s.In, s.Out)
	}
	w := s.Weights.Data()
	g := make([]T, len(w))
	if _, err := rule.Gradient(g, x, y, batch); err != nil {
		return TargetAlignment{}, err
	}
	mu, err := s.Predict(x)
	if err != nil {
		return TargetAlignment{}, err
	}
	change, err := along(s, g, x)
	if err != nil {
		return TargetAlignment{}, err
	}
	a := TargetAlignment{}
	var all cosine
	for i := range batch {
		var one cosine
		for k := i * s.Out; k < (i+1)*s.Out; k++ {
			one.add(-change[k], float64(y[k])-float64(mu[k]))
		}
		all = all.plus(one)
		a.Samples += one.value() / float64(batch)
	}
	a.Whole = all.value()
	return a, nil
}

// along is the derivative of the outputs along g, by a central difference. The weights are as before.
func along[T graph.Float](s train.Subject[T], g, x []T) ([]float64, error) {
	w := s.Weights.Data()
	before := append([]T(nil), w...)
	defer func() { copy(w, before); s.Weights.Touch() }()
	var gg, ww float64
	for i := range g {
		gg, ww = gg+float64(g[i])*float64(g[i]), ww+float64(w[i])*float64(w[i])
	}
	if gg == 0 {
		return make([]float64, len(x)/s.In*s.Out), nil
	}
	h := math.Cbrt(ulp[T]()) * math.Sqrt((ww+1e-30)/gg)
	var ends [2][]T
	for e, sign := range []float64{1, -1} {
		for i := range w {
			w[i] = T(float64(before[i]) + sign*h*float64(g[i]))
		}
		s.Weights.Touch()
		mu, err := s.Predict(x)
		if err != nil {
			return nil, err
		}
		ends[e] = append([]T(nil), mu...)
	}
	change := make([]float64, len(ends[0]))
	for i := range change {
		change[i] = (float64(ends[0][i]) - float64(ends[1][i])) / (2 * h)
	}
	return change, nil
}

// ulp is the relative spacing of numbers.
func ulp[T graph.Float]() float64 {
	if one := T(1); one+T(1e-10) == one {
		return 0x1p-23
	}
	return 0x1p-52
}

// A cosine is the sums that the cosine of an angle is made of.
type cosine struct{ xx, yy, xy float64 }

func (c *cosine) add(x, y float64) { c.xx, c.yy, c.xy = c.xx+x*x, c.yy+y*y, c.xy+x*y }

func (c cosine) plus(d cosine) cosine { return cosine{c.xx + d.xx, c.yy + d.yy, c.xy + d.xy} }

func (c cosine) value() float64 {
	if c.xx == 0 || c.yy == 0 {
		return 0
	}
	return c.xy / math.Sqrt(c.xx) / math.Sqrt(c.yy)
}
