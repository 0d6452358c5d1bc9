package theory

import (
	"math"

	"github.com/pkg/errors"
	"gonum.org/v1/gonum/mat"
)

// A Flow is inference in continuous time, dz_i/dt = -dF_i/dz_i, of a linear
// network: the modes of the activity Hessian decay on their own,
//
//	F(t) = F* + 1/2 sum_k lambda_k w_k exp(-2 lambda_k t)
//
// Source: arXiv 2505.13124, section 3.
type Flow struct {
	Equilibrium float64   // F*
	Rates       []float64 // lambda_k, ascending
	Weights     []float64 // w_k, mean over samples of the squared distance to z* along mode k at t = 0
}

// Flow returns the flow from activities z_1 ... z_{L-1}, [B, n_l]; nil means the
// feedforward pass. It is dense, O((sum n_l)^3). It reports shapes that do not
// fit.
func (n Linear) Flow(x, y *mat.Dense, z []*mat.Dense) (*Flow, error) {
	eq, err := n.Equilibrium(x, y)
	if err != nil {
		return nil, err
	}
	h, err := n.ActivityHessian()
	if err != nil {
		return nil, err
	}
	if z == nil {
		pass, err := n.Feedforward(x, y)
		if err != nil {
			return nil, err
		}
		z = pass.Predictions[:len(eq.Activities)]
	}
	if _, _, err := n.Energy(x, y, z); err != nil {
		return nil, err
	}
	var eig mat.EigenSym
	if !eig.Factorize(h, true) {
		return nil, errors.Errorf("theory: eigenvalues of a [%d,%d] matrix do not converge", h.SymmetricDim(), h.SymmetricDim())
	}
	f := &Flow{Equilibrium: eq.Energy, Rates: eig.Values(nil), Weights: make([]float64, h.SymmetricDim())}
	var vectors, modes mat.Dense
	eig.VectorsTo(&vectors)
	away := mat.NewDense(batch(x), len(f.Rates), nil)
	for l, d := range n.layers(away) {
		d.Sub(z[l], eq.Activities[l])
	}
	modes.Mul(away, &vectors)
	for i := range batch(x) {
		for k, c := range modes.RawRowView(i) {
			f.Weights[k] += c * c / float64(batch(x))
		}
	}
	return f, nil
}

// Energy is F at time t.
func (f *Flow) Energy(t float64) float64 { return f.Equilibrium + f.Excess(t) }

// Excess is F(t) - F*, to full relative precision.
func (f *Flow) Excess(t float64) float64 {
	sum := 0.0
	for k, l := range f.Rates {
		sum += l * f.Weights[k] * math.Exp(-2*l*t) / 2
	}
	return sum
}

// Descent returns the rate at which steps z <- z - rate dF_i/dz_i converge
// fastest, and the factor by which each of them then brings z closer to z* at
// least, with kappa the condition number:
//
//	rate = 2/(low + high),   factor = (kappa-1)/(kappa+1)
func (f *Flow) Descent() (rate, factor float64) {
	low, high := f.Rates[0], f.Rates[len(f.Rates)-1]
	return 2 / (low + high), (high - low) / (high + low)
}
