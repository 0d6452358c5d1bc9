// Package closedform trains deep linear networks by gradients in closed form: those of backprop, and those of predictive coding
// at its exact equilibrium, where no inference has to be run. It makes package theory a rule that train.Trainer can run.
package closedform

import (
	"fmt"

	"gonum.org/v1/gonum/mat"

	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/theory"
	"github.com/pcgraph/pcgraph/train"
)

// A Method is what the weights learn by.
type Method int

// The methods.
const (
	Backprop Method = iota // the gradient of the loss L at the feedforward pass: theory.Pass.Gradient
	PC                     // the gradient of the equilibrated energy F*: theory.Equilibrium.Gradient (arXiv 2408.11979, theorem 1)
)

// A Rule is a train.Rule over a theory.Linear. It is made by New.
type Rule struct {
	// Both says that State is to have backprop's gradient beside PC's, for comparisons of the two at the same weights.
	Both bool

	net     theory.Linear
	method  Method
	weights *graph.Vector[float64]
	in, out int
	last    State
}

var _ train.Rule[float64] = (*Rule)(nil)

// A State is what the rule saw in its last batch, at the weights before the step.
type State struct {
	Loss        float64             // 1/(2B) sum_i |y_i - mu_i|^2
	Energy      float64             // F* for PC; the loss for Backprop
	Gradient    theory.Gradient     // what the weights move by
	Backprop    theory.Gradient     // dL/dW; for PC only if Both is set
	Equilibrium *theory.Equilibrium // nil for Backprop
}

// New returns a rule that trains a copy of n. It reports a network that theory.Linear.Validate refuses.
func New(n theory.Linear, method Method) (*Rule, error) {
	if err := n.Validate(); err != nil {
		return nil, err
	}
	var fields []graph.Field
	for i, w := range n.Weights {
		in, out := w.Dims()
		fields = append(fields, graph.Field{Name: fmt.Sprintf("W%d", i+1), Shape: []int{in, out}})
	}
	r := &Rule{net: n, method: method, weights: graph.NewVector[float64](fields...)}
	r.net.Weights = r.matrices(r.weights.Data())
	for i, w := range n.Weights {
		r.net.Weights[i].Copy(w)
	}
	r.in, r.out = fields[0].Shape[0], fields[len(fields)-1].Shape[1]
	return r, nil
}

// matrices are the fields of data, which is as long as the weights; they alias it.
func (r *Rule) matrices(data []float64) []*mat.Dense {
	var list []*mat.Dense
	for i, f := range r.weights.Fields() {
		list = append(list, mat.NewDense(f.Shape[0], f.Shape[1], r.weights.Part(data, i)))
	}
	return list
}

// Gradient writes dL/dW or dF*/dW for the batch x [batch, in], y [batch, out] to grad. Weights for which there is no equilibrium,
// because they are too large or not finite, are a train.DivergenceError.
func (r *Rule) Gradient(grad, x, y []float64, batch int) (train.Report, error) {
	xs, ys := mat.NewDense(batch, r.in, x), mat.NewDense(batch, r.out, y)
	pass, err := r.net.Feedforward(xs, ys)
	if err != nil {
		return train.Report{}, err
	}
	s := State{Loss: pass.Loss, Energy: pass.Loss}
	if r.method == Backprop || r.Both {
		s.Backprop = pass.Gradient()
		s.Gradient = s.Backprop
	}
	if r.method == PC {
		if s.Equilibrium, err = r.net.Equilibrium(xs, ys); err != nil { // the shapes fit: New and Feedforward have seen them
			return train.Report{}, &train.DivergenceError{Where: err.Error()}
		}
		s.Energy, s.Gradient = s.Equilibrium.Energy, s.Equilibrium.Gradient()
	}
	for i, g := range r.matrices(grad) {
		g.Mul(s.Gradient.In[i].T(), s.Gradient.Out[i])
	}
	r.last = s
	return train.Report{Loss: s.Loss, Energy: s.Energy}, nil
}

// State is that of the last batch; the zero value before the first.
func (r *Rule) State() State { return r.last }

// Network is the network that is trained; its weights are live.
func (r *Rule) Network() theory.Linear { return r.net }

// Subject is the network. Its energy has no named terms.
func (r *Rule) Subject() train.Subject[float64] {
	return train.Subject[float64]{Weights: r.weights, In: r.in, Out: r.out, TermEnergies: func([]float64) {}, Predict: r.predict,
		Locate: func() string { return "the closed form" }}
}

// predict is the feedforward pass of x [n, in].
func (r *Rule) predict(x []float64) ([]float64, error) {
	n := len(x) / r.in
	pass, err := r.net.Feedforward(mat.NewDense(n, r.in, x), mat.NewDense(n, r.out, nil))
	if err != nil {
		return nil, err
	}
	return pass.Predictions[len(pass.Predictions)-1].RawMatrix().Data, nil
}
