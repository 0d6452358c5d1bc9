package notebooks

import (
	"context"
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/theory"
	"github.com/pcgraph/pcgraph/train"
)

// Linear is a deep linear network without biases, 784-300-300-300-300-10, whose energy at equilibrium is known before inference:
//
//	F* = 1/2B sum r S^-1 r
//
// with r the error of the feedforward pass (arXiv 2408.11979, theorem 1; theory.Linear).
type Linear struct{}

// Budget is that of the notebook linear_net_theoretical_energy.
func (Linear) Budget() Budget {
	return Budget{Updates: 100, EvalEvery: 10, Rate: 1e-3, Inference: jpcFlow(300),
		Saved: map[int]float64{10: 72.8, 20: 75.8, 30: 79.2, 40: 82, 50: 81.1, 60: 80.4, 70: 80.9, 80: 82.1, 90: 82.3, 100: 80.3}}
}

// Measured is what Linear came to.
type Measured struct {
	Learned
	Updates []Energies // of every update of the weights
	Traces  []Trace    // inference on test pictures after the updates 1, 10 and the last
	Ends    []float64  // F* of each trace
}

// Energies are those of one batch, per sample.
type Energies struct {
	Loss   float64 // at the feedforward pass, where inference starts
	Energy float64 // where it ends
	Theory float64 // F*
}

// Worst is the largest |F/F* - 1| of all updates.
func (m Measured) Worst() (worst float64) {
	for _, u := range m.Updates {
		worst = math.Max(worst, math.Abs(u.Energy/u.Theory-1))
	}
	return worst
}

// equilibriumEnergy is F* of a batch for a linear chain without biases.
func equilibriumEnergy(m *arch.Model[float32], x, y []float32) (float64, error) {
	l, w := theory.Linear{Precision: 1}, m.Weights()
	for i, weight := range m.Network().Weights() {
		l.Weights = append(l.Weights, matrix(w.Part(w.Data(), i), weight.Param.Shape[0]))
		l.Factors = append(l.Factors, weight.Factors.Forward)
	}
	in, _ := m.Sizes()
	e, err := l.Equilibrium(matrix(x, len(x)/in), matrix(y, len(x)/in))
	if err != nil {
		return 0, err
	}
	return e.Energy, nil
}

// matrix is a slab as a matrix of so many rows.
func matrix(slab []float32, rows int) *mat.Dense {
	d := mat.NewDense(rows, len(slab)/rows, nil)
	for i, v := range slab {
		d.RawMatrix().Data[i] = float64(v)
	}
	return d
}

// predicted is predictive coding that computes F* of every batch before it infers.
type predicted struct {
	*train.PC[float32]
	updates []Energies
}

// Gradient is that of PC.
func (r *predicted) Gradient(grad, x, y []float32, batch int) (train.Report, error) {
	f, err := equilibriumEnergy(r.Model, x, y)
	if err != nil {
		return train.Report{}, err
	}
	report, err := r.PC.Gradient(grad, x, y, batch)
	r.updates = append(r.updates, Energies{report.Loss, report.Energy, f})
	return report, err
}

// Run trains and measures every energy beside its closed form.
func (l Linear) Run(ctx context.Context, s *Setup) (r Measured, err error) {
	if err := s.begin("linear", l.Budget()); err != nil {
		return r, err
	}
	net, err := arch.Chain{Act: layers.LinearAct, Widths: widths(s.Train.In(), 4, 300, s.Train.Out())}.Network()
	if err != nil {
		return r, err
	}
	m, err := s.model(net, arch.Plan{})
	if err != nil {
		return r, err
	}
	x, y := s.pictures(64)
	small, err := m.Resized(len(x) / s.Test.In())
	if err != nil {
		return r, err
	}
	watch := func(step int) error {
		if step != 1 && step != 10 && step != s.Budget.Updates {
			return nil
		}
		t, err := s.trace(fmt.Sprintf("after update %d", step), small, train.Feedforward[float32]{}, x, y, 8)
		if err != nil {
			return err
		}
		f, err := equilibriumEnergy(small, x, y)
		r.Traces, r.Ends = append(r.Traces, t), append(r.Ends, f)
		return err
	}
	rule := &predicted{PC: s.pc(m)}
	r.Learned, err = s.learn(ctx, s.trainer(rule, true, m), watch)
	r.Updates = rule.updates
	return r, err
}
