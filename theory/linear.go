// Package theory holds closed forms of the papers on predictive coding, in
// float64 on gonum matrices: the equilibrium of deep linear networks, its
// weight gradients, its curvature, and what they are at initialisation. It is
// the oracle that the rest of the project is tested against, so it imports
// nothing of the project.
//
// The package is not for training: it is exact, and knows neither biases nor
// activation functions. [Lanczos] and [CG] take any symmetric operator as a
// function, those of nonlinear networks too.
//
// Notation. A sample is a row. L weights W_l [n_{l-1}, n_l] act as linear maps
// z -> z M_l with
//
//	M_l = a_l W_l (+ I where there is a skip)
//
// on z_0 = x [B, n_0], with y [B, n_L] as target. e_l = z_l - z_{l-1} M_l is
// the prediction error of layer l, lambda the precision of the output, and d
// the activity decay, a penalty on the hidden activities that is usually 0:
//
//	F = 1/B sum_i [ 1/2 sum_{l<L} (|e_l|^2 + d |z_l|^2) + lambda/2 |e_L|^2 ]
//
// Energies are summed over units and averaged over the batch of B samples. A
// list that has one entry per weight has layer l at index l-1. Products of
// maps are written P_l = M_l ... M_L [n_{l-1}, n_L].
//
// Sources: "Only Strict Saddles in the Energy Landscape of Predictive Coding
// Networks?" (arXiv 2408.11979), theorem 1, for the equilibrated energy;
// "muPC" (2505.13124) for the parametrisations and the activity Hessian. The
// papers write samples as columns; here everything is transposed.
package theory

import (
	"fmt"
	"math"

	"github.com/pkg/errors"
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// Linear is a deep linear network without biases.
type Linear struct {
	// Weights are W_1 ... W_L, of shape [in, out]: a prediction is a_l z W_l.
	Weights []*mat.Dense
	// Factors are a_1 ... a_L; nil means all are 1.
	Factors []float64
	// Skips says of each map whether the identity is added to it, which it must
	// then be square for; nil means none. See [HiddenSkips].
	Skips []bool
	// Precision is lambda, the weight of the output term; 0 means 1.
	Precision float64
	// ActivityDecay is d, the weight of the penalty on hidden activities.
	ActivityDecay float64
}

// HiddenSkips are the skips of the papers' residual networks of L weights, over
// all layers but the first and the last.
func HiddenSkips(depth int) []bool {
	skips := make([]bool, depth)
	for i := 1; i < depth-1; i++ {
		skips[i] = true
	}
	return skips
}

// Validate reports weights whose shapes do not form a chain, skips around
// weights that are not square, and bad factors.
func (n Linear) Validate() error {
	if len(n.Weights) == 0 {
		return errors.New("theory: network without weights")
	}
	if n.Skips != nil && len(n.Skips) != len(n.Weights) {
		return errors.Errorf("theory: %d skips for %d weights", len(n.Skips), len(n.Weights))
	}
	width := 0
	for i, w := range n.Weights {
		if w == nil || w.IsEmpty() {
			return errors.Errorf("theory: weight %d of %d is missing or empty", i+1, len(n.Weights))
		}
		in, out := w.Dims()
		if i > 0 && in != width {
			return errors.Errorf("theory: weight %d is [%d,%d], but weight %d gives %d features", i+1, in, out, i, width)
		}
		if n.skip(i) && in != out {
			return errors.Errorf("theory: weight %d is [%d,%d]: want a square one around its skip", i+1, in, out)
		}
		width = out
	}
	if n.Factors != nil && len(n.Factors) != len(n.Weights) {
		return errors.Errorf("theory: %d factors for %d weights", len(n.Factors), len(n.Weights))
	}
	for i, a := range n.Factors {
		if math.IsNaN(a) || math.IsInf(a, 0) {
			return errors.Errorf("theory: factor %d is %g", i+1, a)
		}
	}
	if !(n.Precision >= 0) || math.IsInf(n.Precision, 1) {
		return errors.Errorf("theory: output precision %g: want a finite number above 0, or 0 for 1", n.Precision)
	}
	if !(n.ActivityDecay >= 0) || math.IsInf(n.ActivityDecay, 1) {
		return errors.Errorf("theory: activity decay %g: want 0 or a finite number above it", n.ActivityDecay)
	}
	return nil
}

// checkData reports inputs and targets that do not fit the network.
func (n Linear) checkData(x, y *mat.Dense) error {
	if err := n.Validate(); err != nil {
		return err
	}
	in, _ := n.Weights[0].Dims()
	_, out := n.Weights[len(n.Weights)-1].Dims()
	if x == nil || x.IsEmpty() {
		return errors.Errorf("theory: input x is missing or empty, want [batch,%d]", in)
	}
	batch, cols := x.Dims()
	if cols != in {
		return errors.Errorf("theory: input x is [%d,%d], but weight 1 expects %d features", batch, cols, in)
	}
	return checkShape("target y", y, batch, out)
}

func checkShape(what string, m *mat.Dense, rows, cols int) error {
	if m == nil || m.IsEmpty() {
		return errors.Errorf("theory: %s is missing or empty, want [%d,%d]", what, rows, cols)
	}
	if r, c := m.Dims(); r != rows || c != cols {
		return errors.Errorf("theory: %s is [%d,%d], want [%d,%d]", what, r, c, rows, cols)
	}
	return nil
}

// skip says whether the map at index i has a skip.
func (n Linear) skip(i int) bool { return n.Skips != nil && n.Skips[i] }

func (n Linear) factor(i int) float64 {
	if n.Factors == nil {
		return 1
	}
	return n.Factors[i]
}

func (n Linear) precision() float64 {
	if n.Precision == 0 {
		return 1
	}
	return n.Precision
}

// forward returns z M for the map at index i, [B, in] -> [B, out].
func (n Linear) forward(i int, z *mat.Dense) *mat.Dense {
	_, out := n.Weights[i].Dims()
	mu := mat.NewDense(batch(z), out, nil)
	n.addForward(i, 1, z, mu)
	return mu
}

// back returns e M^T for the map at index i, [B, out] -> [B, in].
func (n Linear) back(i int, e *mat.Dense) *mat.Dense {
	in, _ := n.Weights[i].Dims()
	d := mat.NewDense(batch(e), in, nil)
	n.addBack(i, 1, e, d)
	return d
}

// addForward adds c z M to dst for the map at index i.
func (n Linear) addForward(i int, c float64, z, dst *mat.Dense) {
	n.add(i, blas.NoTrans, c, z, dst)
}

// addBack adds c e M^T to dst for the map at index i.
func (n Linear) addBack(i int, c float64, e, dst *mat.Dense) {
	n.add(i, blas.Trans, c, e, dst)
}

func (n Linear) add(i int, side blas.Transpose, c float64, z, dst *mat.Dense) {
	a, w := c*n.factor(i), n.Weights[i].RawMatrix()
	if batch(z) == 1 { // gonum's matrix product is several times slower on a vector
		other := map[blas.Transpose]blas.Transpose{blas.NoTrans: blas.Trans, blas.Trans: blas.NoTrans}[side]
		blas64.Gemv(other, a, w, vector(z.RawRowView(0)), 1, vector(dst.RawRowView(0)))
	} else {
		blas64.Gemm(blas.NoTrans, side, a, z.RawMatrix(), w, 1, dst.RawMatrix())
	}
	if !n.skip(i) {
		return
	}
	for r := range batch(z) {
		floats.AddScaled(dst.RawRowView(r), c, z.RawRowView(r))
	}
}

func vector(v []float64) blas64.Vector { return blas64.Vector{N: len(v), Data: v, Inc: 1} }

// matrix returns M itself for the map at index i, [in, out].
func (n Linear) matrix(i int) *mat.Dense {
	var m mat.Dense
	m.Scale(n.factor(i), n.Weights[i])
	if n.skip(i) {
		for k := range m.RawMatrix().Rows {
			m.Set(k, k, m.At(k, k)+1)
		}
	}
	return &m
}

// A Pass is a feedforward pass: the state in which backpropagation learns.
type Pass struct {
	Predictions []*mat.Dense // mu_1 ... mu_L with mu_l = mu_{l-1} M_l, [B, n_l]
	Residual    *mat.Dense   // r = y - mu_L, [B, n_L]
	// Loss is 1/(2B) sum_i |r_i|^2. The energy at the feedforward activities is
	// Precision times it, and what activity decay adds.
	Loss float64

	net Linear
	x   *mat.Dense
}

// Feedforward passes x [B, n_0] through the network and compares with y
// [B, n_L]. It reports shapes that do not fit.
func (n Linear) Feedforward(x, y *mat.Dense) (*Pass, error) {
	if err := n.checkData(x, y); err != nil {
		return nil, err
	}
	p := &Pass{net: n, x: x}
	z := x
	for i := range n.Weights {
		z = n.forward(i, z)
		p.Predictions = append(p.Predictions, z)
	}
	p.Residual = new(mat.Dense)
	p.Residual.Sub(y, z)
	p.Loss = dot(p.Residual, p.Residual) / float64(2*batch(x))
	return p, nil
}

// Energy returns F at any activities z_1 ... z_{L-1}, [B, n_l], and the
// gradient of each sample's own energy,
//
//	dF_i/dz_l = e_l + d z_l - e_{l+1} M_{l+1}^T        (lambda e_L in place of e_L)
//
// which is B times that of F. It reports shapes that do not fit.
func (n Linear) Energy(x, y *mat.Dense, z []*mat.Dense) (float64, []*mat.Dense, error) {
	if err := n.checkData(x, y); err != nil {
		return 0, nil, err
	}
	last := len(n.Weights) - 1
	if len(z) != last {
		return 0, nil, errors.Errorf("theory: %d activities for %d hidden layers", len(z), last)
	}
	var energy float64
	grads := make([]*mat.Dense, last)
	before := x
	for i := range n.Weights {
		after, weight := y, n.precision()
		if i < last {
			_, cols := n.Weights[i].Dims()
			if err := checkShape(fmt.Sprintf("activity of hidden layer %d", i+1), z[i], batch(x), cols); err != nil {
				return 0, nil, err
			}
			after, weight = z[i], 1
		}
		e := n.forward(i, before)
		e.Sub(after, e)
		energy += weight * dot(e, e)
		e.Scale(weight, e)
		if i > 0 {
			grads[i-1].Sub(grads[i-1], n.back(i, e))
		}
		if i < last {
			grads[i] = e
			if d := n.ActivityDecay; d != 0 {
				energy += d * dot(z[i], z[i])
				var decay mat.Dense
				decay.Scale(d, z[i])
				e.Add(e, &decay)
			}
		}
		before = after
	}
	return energy / float64(2*batch(x)), grads, nil
}

func batch(x *mat.Dense) int { return x.RawMatrix().Rows }

// dot returns sum_ij a_ij b_ij.
func dot(a, b *mat.Dense) float64 {
	var sum float64
	for i := range batch(a) {
		ra, rb := a.RawRowView(i), b.RawRowView(i)
		for j, v := range ra {
			sum += v * rb[j]
		}
	}
	return sum
}
