package theory

import (
	"github.com/pkg/errors"
	"gonum.org/v1/gonum/mat"
)

// A OneHidden is the chain of one linear hidden unit, f(x) = w2 w1 x, on one sample: backpropagation's loss
// and the energy at equilibrium,
//
//	L = (y - w2 w1 x)^2 / 2        F* = (y - w2 w1 x)^2 / (2 (1 + w2^2))
//
// with their derivatives with respect to (w1, w2). Source: "Understanding Predictive Coding as an Adaptive
// Trust-Region Method" (arXiv 2305.18188), appendix A.
type OneHidden struct{ W1, W2, X, Y float64 }

func (o OneHidden) residual() float64 { return o.Y - o.W2*o.W1*o.X }

func (o OneHidden) rescaling() float64 { return 1 + o.W2*o.W2 }

// Activity is the hidden activity at equilibrium, z* = (w1 x + w2 y) / (1 + w2^2).
func (o OneHidden) Activity() float64 { return (o.W1*o.X + o.W2*o.Y) / o.rescaling() }

// Loss is L.
func (o OneHidden) Loss() float64 { return o.residual() * o.residual() / 2 }

// Energy is F*.
func (o OneHidden) Energy() float64 { return o.Loss() / o.rescaling() }

// LossGradient is dL/d(w1, w2).
func (o OneHidden) LossGradient() [2]float64 {
	r := o.residual()
	return [2]float64{-r * o.W2 * o.X, -r * o.W1 * o.X}
}

// EnergyGradient is dF*/d(w1, w2).
func (o OneHidden) EnergyGradient() [2]float64 {
	r, s, g := o.residual(), o.rescaling(), o.LossGradient()
	return [2]float64{g[0] / s, g[1]/s - r*r*o.W2/(s*s)}
}

// LossHessian is the second derivative of L: at the origin its eigenvalues are +-|x y|, at a minimum x^2 (w1^2 + w2^2) and 0.
func (o OneHidden) LossHessian() *mat.SymDense {
	a, b := o.W1*o.X, o.W2*o.X
	return mat.NewSymDense(2, []float64{b * b, a*b - o.residual()*o.X, 0, a * a})
}

// EnergyHessian is the second derivative of F*: at the origin its eigenvalues are (-y^2 +- sqrt(y^4 + 4 x^2 y^2)) / 2 (theorem A.3),
// at a minimum those of L divided by 1 + w2^2 (theorem A.4).
func (o OneHidden) EnergyHessian() *mat.SymDense {
	r, s, a, b := o.residual(), o.rescaling(), o.W1*o.X, o.W2*o.X
	return mat.NewSymDense(2, []float64{
		b * b / s, (a*b-r*o.X)/s + 2*r*b*o.W2/(s*s),
		0, a*a/s + 4*r*a*o.W2/(s*s) - r*r/(s*s) + 4*r*r*o.W2*o.W2/(s*s*s),
	})
}

// A TrustRegion is the energy of a linear network around its feedforward pass zhat, as a function of the hidden activities,
//
//	F(zhat + dz) = L + g dz + 1/2 dz I dz
//
// where I is the [Linear.ActivityHessian], which is the Fisher information of the network's generative model as well. Its minimum is the
// equilibrium: inference solves a trust-region problem exactly, with steps measured by I. Source: arXiv 2305.18188, section 3; the output's
// precision is not part of Loss, as in [Pass].
type TrustRegion struct {
	Pass     *Pass
	Gradient []*mat.Dense // g, by hidden layer [B, n_l]: zero but for the last
	Step     []*mat.Dense // -I^-1 g, likewise: z* - zhat

	net Linear
}

// TrustRegion returns the step, by factorising the activity Hessian: it uses nothing of [Linear.Equilibrium]. It reports shapes that
// do not fit, a network without hidden layers, an activity decay, and weights too large.
func (n Linear) TrustRegion(x, y *mat.Dense) (*TrustRegion, error) {
	if n.ActivityDecay != 0 {
		return nil, errors.New("theory: trust region of a network with activity decay: the feedforward pass is no minimum of the energy without the output's term, so take the decay away")
	}
	h, err := n.HessianBlocks()
	if err != nil {
		return nil, err
	}
	pass, err := n.Feedforward(x, y)
	if err != nil {
		return nil, err
	}
	chol, err := h.Cholesky()
	if err != nil {
		return nil, err
	}
	t := &TrustRegion{Pass: pass, net: n}
	g, step := mat.NewDense(batch(x), n.hidden(), nil), mat.NewDense(batch(x), n.hidden(), nil)
	layers := n.layers(g)
	n.addBack(len(layers), -n.precision(), pass.Residual, layers[len(layers)-1])
	step.Scale(-1, g)
	chol.solveRows(step)
	for i, l := range n.layers(step) {
		t.Gradient, t.Step = append(t.Gradient, mat.DenseCopyOf(layers[i])), append(t.Step, mat.DenseCopyOf(l))
	}
	return t, nil
}

// Activities are zhat + dz, the step's end, by hidden layer [B, n_l].
func (t *TrustRegion) Activities() []*mat.Dense {
	var z []*mat.Dense
	for i, s := range t.Step {
		d := new(mat.Dense)
		d.Add(t.Pass.Predictions[i], s)
		z = append(z, d)
	}
	return z
}

// A Decomposition is predictive coding's weight gradient at equilibrium as backpropagation's plus what the trust-region step adds, one
// [n_{l-1}, n_l] matrix per weight.
type Decomposition struct {
	PC, BP      []*mat.Dense
	TrustRegion []*mat.Dense // PC - BP
	// Literal are the two terms of arXiv 2305.18188, equation 7, as it is written: of a hidden weight the step's, (dzhat/dW)^T I^-1 g
	// taken locally, -a_l/B zhat_{l-1}^T e_l with the step's own errors e_l = dz_l - dz_{l-1} M_l; of the output's weight
	// backpropagation's gradient. The first weight's is the whole of PC's gradient.
	Literal []*mat.Dense
}

// Decompose splits the gradient of the equilibrated energy.
func (t *TrustRegion) Decompose() *Decomposition {
	n, last := t.net, len(t.net.Weights)-1
	d := &Decomposition{BP: t.Pass.Gradient().Dense()}
	z := t.Activities()
	deltas, local := make([]*mat.Dense, last+1), make([]*mat.Dense, last+1)
	for i, s := range t.Step {
		e := mat.DenseCopyOf(s)
		if i > 0 {
			n.addForward(i, -1, t.Step[i-1], e)
		}
		deltas[i], local[i] = e, e
	}
	deltas[last] = mat.DenseCopyOf(t.Pass.Residual)
	n.addForward(last, -1, t.Step[last-1], deltas[last])
	deltas[last].Scale(n.precision(), deltas[last])
	local[last] = t.Pass.Residual
	d.PC = n.gradient(t.Pass.x, z, deltas).Dense()
	d.Literal = n.gradient(t.Pass.x, t.Pass.Predictions[:last], local).Dense()
	for i, g := range d.PC {
		diff := new(mat.Dense)
		diff.Sub(g, d.BP[i])
		d.TrustRegion = append(d.TrustRegion, diff)
	}
	return d
}
