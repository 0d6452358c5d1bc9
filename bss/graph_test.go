package bss

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/pcgraph/pcgraph/graph"
)

// An objective is PEM's objective for one sample as an expression graph, which differentiates it by its own rules: the oracle of the
// gradient and of the weights' update that are written by hand. With the statistics after the sample,
//
//	C' = lambda C + (1-lambda) ybar^T ybar,  ybar = y - mu,  O = C' without its diagonal,  D = diag C' + eps
//
// it is J = prediction + spread + cross:
//
//	prediction = g0 |y - W x|^2,   spread = -sum_i log D_i,   cross = 1/2 sum_{i != j} O_ij^2 N_ij,   N_ij = 1/(D_i D_j)
//
// What the rules are, in its terms: all of it is Full; with N held constant in cross while it is differentiated, it is Truncated; with
// the number Lateral in place of N, Unnormalised.
type objective struct {
	x, y, w, c, mu                *graph.Node
	after                         *graph.Node // C'
	prediction, spread            *graph.Node
	cross, held, lateral          *graph.Node // cross; cross whose N is the node norm; Lateral/2 sum O^2
	norm                          *graph.Node
	full, truncated, unnormalised *graph.Node // their sums
}

func newObjective(b *graph.Builder, p PEM, n, m int) objective {
	o := objective{x: b.Data("x", 1, m), y: b.State("y", 1, n), w: b.Param("W", m, n), c: b.Param("C", n, n), mu: b.Data("mu", 1, n)}
	o.prediction = b.HalfSquare(b.Sub(o.y, b.Linear(o.x, o.w, nil, 1)), 2*p.Prediction*(1-p.Memory), 1)
	ybar := b.Sub(o.y, o.mu)
	o.after = b.Combine([]float64{p.Memory, 1 - p.Memory}, o.c, b.MatMul(ybar, ybar, true, false))
	off := b.OffDiagonal(o.after)
	d := b.Add(b.MatMul(b.Constant(1, 1, n), b.Sub(o.after, off), false, false), b.Constant(p.Eps, 1, n))
	logs := b.Log(d)
	o.spread = b.Sum(logs, -1)
	inverse := b.Exp(b.Scale(logs, -1))
	norm := b.MatMul(inverse, inverse, true, false)
	square := b.Mul(off, off)
	o.cross = b.Scale(b.Inner(square, norm), .5)
	o.norm = b.Copy(norm)
	o.held = b.Scale(b.Inner(square, o.norm), .5)
	o.lateral = b.HalfSquare(off, p.Lateral, 1)
	sum := func(cross *graph.Node) *graph.Node {
		return b.Combine([]float64{1, 1, 1}, o.prediction, o.spread, cross)
	}
	o.full, o.truncated, o.unnormalised = sum(o.cross), sum(o.held), sum(o.lateral)
	return o
}

// gradient is what the graph's derivative of the objective with respect to y gives in the place of g.
func (o objective) gradient(g Gradient) (*graph.Node, error) {
	cost, held := o.full, []*graph.Node(nil)
	switch g {
	case Truncated:
		cost, held = o.truncated, []*graph.Node{o.norm}
	case Unnormalised:
		cost = o.unnormalised
	}
	d, err := graph.GradHolding(cost, held, o.y)
	if err != nil {
		return nil, err
	}
	return d[0], nil
}

// A circuit is a PEM network in some state with the sample x and outputs y.
type circuit struct {
	net  *PEMNetwork
	x, y []float64
}

func newCircuit(t *testing.T, g Gradient, memory float64) circuit {
	t.Helper()
	p, err := PaperPEM(Antisparse, g)
	if err != nil {
		t.Fatal(err)
	}
	p.Memory, p.Prediction, p.Lateral = memory, 7, 3
	p.Init = Init{Noise: .5, CovarianceDiagonal: .4, CovarianceNoise: .1, Mean: .1}
	rng := rand.New(rand.NewPCG(8, 1))
	net, err := p.Start(4, 6, rng)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		net.mu[i] = .3 * rng.NormFloat64()
		for j := range i {
			net.c[i*4+j] = net.c[j*4+i]
		}
	}
	c := circuit{net: net, x: make([]float64, 6), y: make([]float64, 4)}
	for i := range c.x {
		c.x[i] = rng.NormFloat64()
	}
	for i := range c.y {
		c.y[i] = 2*rng.Float64() - 1
	}
	return c
}

// run evaluates nodes of the objective where the circuit is.
func (c circuit) run(t *testing.T, o objective, nodes ...*graph.Node) [][]float64 {
	t.Helper()
	p, err := graph.Compile[float64](append([]*graph.Node{o.full}, nodes...)...) // all inputs are in it
	if err != nil {
		t.Fatal(err)
	}
	w := make([]float64, len(c.net.w))
	n, m := c.net.sources, c.net.mixtures
	for i := range n {
		for j := range m {
			w[j*n+i] = c.net.w[i*m+j] // the graph's weights are [in, out]
		}
	}
	for node, v := range map[*graph.Node][]float64{o.x: c.x, o.y: c.y, o.w: w, o.c: c.net.c, o.mu: c.net.mu} {
		copy(p.Value(node), v)
	}
	if err := p.Run(0); err != nil {
		t.Fatal(err)
	}
	var out [][]float64
	for _, node := range nodes {
		out = append(out, slices.Clone(p.Value(node)))
	}
	return out
}

// by is the gradient g that the network's inner iterations follow at y, with the covariance c.
func (c circuit) by(covariance []float64) []float64 {
	before := slices.Clone(c.net.c)
	copy(c.net.c, covariance)
	product(c.net.ff, c.net.w, c.x)
	c.net.linearise()
	copy(c.net.c, before)
	copy(c.net.y, c.y)
	c.net.gradient()
	return slices.Clone(c.net.g)
}

// TestPEM_GradientsAreTheGraphs: each rule is the graph's derivative of its objective, dJ/dy = 2 (1-lambda) g, exactly, if it is given the
// covariance after the sample, C'. The network has the one before it, since y is on its way; the error of that falls as 1-lambda.
func TestPEM_GradientsAreTheGraphs(t *testing.T) {
	for _, g := range []Gradient{Truncated, Full, Unnormalised} {
		t.Run([]string{"truncated", "full", "unnormalised"}[g], func(t *testing.T) {
			var apart []float64
			for _, memory := range []float64{.9, .99, .999} {
				c := newCircuit(t, g, memory)
				b := graph.NewBuilder[float64]()
				o := newObjective(b, c.net.pem, 4, 6)
				if b.Err() != nil {
					t.Fatal(b.Err())
				}
				d, err := o.gradient(g)
				if err != nil {
					t.Fatal(err)
				}
				v := c.run(t, o, d, o.after)
				exact, before := c.by(v[1]), c.by(c.net.c)
				size, off := 0., 0.
				for i := range exact {
					want := v[0][i] / 2 / (1 - memory)
					if math.Abs(exact[i]-want) > 1e-12*math.Abs(want)+1e-12 {
						t.Errorf("memory %v: g[%d] is %.15g, the graph's derivative gives %.15g", memory, i, exact[i], want)
					}
					size, off = size+want*want, off+(before[i]-want)*(before[i]-want)
				}
				apart = append(apart, math.Sqrt(off/size))
			}
			t.Logf("with the covariance before the sample, g is off by %.2g, %.2g and %.2g at memories .9, .99 and .999", apart[0], apart[1], apart[2])
			for i := range 2 {
				if r := apart[i] / apart[i+1]; r < 5 || r > 20 {
					t.Errorf("the errors %.3g of the covariance before the sample do not fall as 1-lambda", apart)
				}
			}
		})
	}
}

// TestPEM_TruncatedIsTheNormalisationHeld: what Full has more than Truncated is the graph's derivative of the cross term through its
// normalisation alone, -2 (1-lambda) q ybar, q_k = sum_j O_kj^2/(D_k^2 D_j).
func TestPEM_TruncatedIsTheNormalisationHeld(t *testing.T) {
	c := newCircuit(t, Full, .99)
	b := graph.NewBuilder[float64]()
	o := newObjective(b, c.net.pem, 4, 6)
	full, err := o.gradient(Full)
	if err != nil {
		t.Fatal(err)
	}
	truncated, err := o.gradient(Truncated)
	if err != nil {
		t.Fatal(err)
	}
	v := c.run(t, o, full, truncated, o.after)
	after := v[2]
	for k := range 4 {
		q, dk := 0., after[k*4+k]+c.net.pem.Eps
		for j := range 4 {
			if j != k {
				q += after[k*4+j] * after[k*4+j] / (dk * dk * (after[j*4+j] + c.net.pem.Eps))
			}
		}
		got, want := v[0][k]-v[1][k], -2*(1-.99)*q*(c.y[k]-c.net.mu[k])
		if math.Abs(got-want) > 1e-13 || math.Abs(want) < 1e-5 {
			t.Errorf("output %d: the graph's derivatives differ by %v, want %v", k, got, want)
		}
	}
}

// TestPEM_WeightsFollowTheGraph: one sample moves W by -eta/(2 g0) dJ/dW, at the outputs it settled at and with the weights before it; and
// C becomes the graph's C' if the mean is that after the sample.
func TestPEM_WeightsFollowTheGraph(t *testing.T) {
	c := newCircuit(t, Truncated, .99)
	before := slices.Clone(c.net.w)
	old := *c.net
	old.w, old.c, old.mu = before, slices.Clone(c.net.c), slices.Clone(c.net.mu)
	y, err := c.net.Observe(c.x)
	if err != nil {
		t.Fatal(err)
	}
	b := graph.NewBuilder[float64]()
	o := newObjective(b, c.net.pem, 4, 6)
	d, err := graph.Grad(o.truncated, o.w)
	if err != nil {
		t.Fatal(err)
	}
	at := circuit{net: &old, x: c.x, y: slices.Clone(y)}
	dw := at.run(t, o, d[0])[0]
	p := c.net.pem
	for i := range 4 {
		for j := range 6 {
			want := -p.Rate.At(0) / (2 * p.Prediction * (1 - p.Memory)) * dw[j*4+i]
			if got := c.net.w[i*6+j] - before[i*6+j]; math.Abs(got-want) > 1e-15 || want == 0 {
				t.Errorf("W[%d, %d] moved by %v, the graph's derivative gives %v", i, j, got, want)
			}
		}
	}
	old.mu = c.net.mu
	after := at.run(t, o, o.after)[0]
	for i, v := range after {
		if math.Abs(c.net.c[i]-v) > 1e-15 {
			t.Errorf("C[%d] = %v, the graph gives %v", i, c.net.c[i], v)
		}
	}
}

// TestPEM_WhatIsLocal differentiates the rules with respect to the lateral weights C (the graph's derivative of its derivative): what
// output i's rule reads of C is its own row, and of other outputs the variance alone, D_j, which normalises what comes from there. That
// is so of Full too: what was truncated reads no weight of another neuron, but sums the squares of all synapses of its own, where each
// term of Truncated needs one.
func TestPEM_WhatIsLocal(t *testing.T) {
	for _, g := range []Gradient{Truncated, Full, Unnormalised} {
		c := newCircuit(t, g, .99)
		b := graph.NewBuilder[float64]()
		o := newObjective(b, c.net.pem, 4, 6)
		d, err := o.gradient(g)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 4 {
			reads, err := graph.Grad(b.Sum(b.Columns(d, i, i+1), 1), o.c)
			if err != nil {
				t.Fatal(err)
			}
			v := c.run(t, o, reads[0])[0]
			for j := range 4 {
				for k := range 4 {
					own := j == i || k == i // C is symmetric: the graph may read either of C_ij and C_ji
					variance := j == k && g != Unnormalised
					if read := math.Abs(v[j*4+k]) > 1e-12; read != (own || variance) && !(own && j != k) {
						t.Errorf("gradient %d: output %d: reads C[%d, %d]: %v", g, i, j, k, read)
					}
					if own && j != k && math.Abs(v[j*4+k])+math.Abs(v[k*4+j]) < 1e-12 {
						t.Errorf("gradient %d: output %d does not read C[%d, %d]", g, i, j, k)
					}
				}
			}
		}
	}
}

// TestCompartments_AreTheNeurons: what is readable of each neuron is what its rule is made of.
func TestCompartments_AreTheNeurons(t *testing.T) {
	c := newCircuit(t, Truncated, .99)
	before := slices.Clone(c.net.c)
	w := c.net.Unmixing()
	y, err := c.net.Observe(c.x)
	if err != nil {
		t.Fatal(err)
	}
	n := c.net.Compartments()
	for i := range y {
		basal := 0.
		for j, x := range c.x {
			basal += w.At(i, j) * x
		}
		for what, pair := range map[string][2]float64{"soma": {n.Soma[i], y[i]}, "dendrite": {n.Dendrite[i], basal}, "error": {n.Error[i], y[i] - basal},
			"variance": {n.Variance[i], before[i*4+i] + c.net.pem.Eps}} {
			if math.Abs(pair[0]-pair[1]) > 1e-14 {
				t.Errorf("neuron %d: %s is %v, want %v", i, what, pair[0], pair[1])
			}
		}
	}
	if len(n.Threshold) != 0 {
		t.Errorf("a box has thresholds %v", n.Threshold)
	}
}
