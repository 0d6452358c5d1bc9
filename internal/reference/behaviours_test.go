package reference_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/infer/ode"
	"github.com/pcgraph/pcgraph/internal/reference"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/theory"
	"github.com/pcgraph/pcgraph/train"
	"github.com/pcgraph/pcgraph/train/rules"
)

// The behaviours that the tests of the JPC library (1.0) state, on their network and batch (docs/JPC-behaviours.md). Most of
// those tests ask for shapes and finite numbers; here the numbers are held against matrix formulas.

// samples is the batch of JPC's tests; widths are those of their network.
const samples = 4

var widths = []int{10, 20, 20, 5}

// exactly is the tolerance, relative to the largest number of an array, of sums of a few hundred products in another order.
const exactly = 1e-12

// A formulas is a chain written as matrix formulas: samples are rows, layer l of L predicts a_l act(z_{l-1}) W_l, plus z_{l-1}
// where it has a skip.
type formulas struct {
	w                  []*mat.Dense // [in, out]
	a                  []float64
	act                layers.Act // linear, tanh or relu
	skips, ce          bool
	decay, wd, spectra float64 // of activities, of weights, of their spectra
}

func (p *formulas) depth() int { return len(p.w) }

func (p *formulas) skip(l int) bool { return p.skips && l > 1 && l < p.depth() }

// phi is the activation in front of layer l, and its derivative.
func (p *formulas) phi(l int, z *mat.Dense) (y, dy *mat.Dense) {
	act := p.act
	if l == 1 {
		act = layers.LinearAct
	}
	y, dy = mat.DenseCopyOf(z), mat.DenseCopyOf(z)
	y.Apply(func(_, _ int, v float64) float64 {
		switch act {
		case layers.Tanh:
			return math.Tanh(v)
		case layers.ReLU:
			return max(v, 0)
		}
		return v
	}, z)
	dy.Apply(func(i, j int, v float64) float64 {
		switch {
		case act == layers.Tanh:
			return 1 - y.At(i, j)*y.At(i, j)
		case act == layers.ReLU && v <= 0:
			return 0
		}
		return 1
	}, z)
	return y, dy
}

func (p *formulas) predict(l int, z *mat.Dense) *mat.Dense {
	y, _ := p.phi(l, z)
	mu := new(mat.Dense)
	mu.Mul(y, p.w[l-1])
	mu.Scale(p.a[l-1], mu)
	if p.skip(l) {
		mu.Add(mu, z)
	}
	return mu
}

// back is v times the Jacobian of layer l at z, for each sample.
func (p *formulas) back(l int, z, v *mat.Dense) *mat.Dense {
	_, dy := p.phi(l, z)
	g := new(mat.Dense)
	g.Mul(v, p.w[l-1].T())
	g.Scale(p.a[l-1], g)
	g.MulElem(g, dy)
	if p.skip(l) {
		g.Add(g, v)
	}
	return g
}

// forward is z_0 ... z_{L-1} and y, with errs, if there are any, added to the hidden predictions.
func (p *formulas) forward(x, y *mat.Dense, errs []*mat.Dense) []*mat.Dense {
	z := []*mat.Dense{x}
	for l := 1; l < p.depth(); l++ {
		mu := p.predict(l, z[l-1])
		if errs != nil {
			mu.Add(mu, errs[l-1])
		}
		z = append(z, mu)
	}
	return append(z, y)
}

// errors are e_1 ... e_L, the negative derivatives of the terms by the predictions, and terms the energies by layer. z_0, where
// it is free, is one of the activities that decay.
func (p *formulas) errors(z []*mat.Dense) (e []*mat.Dense, terms []float64) {
	for l := 1; l <= p.depth(); l++ {
		mu := p.predict(l, z[l-1])
		d, f := new(mat.Dense), 0.
		d.Sub(z[l], mu)
		if l < p.depth() || !p.ce {
			f = math.Pow(mat.Norm(d, 2), 2) / 2
		} else {
			for i := range samples {
				sum, all := 0., 0.
				for k := range widths[3] {
					sum += math.Exp(mu.At(i, k))
					all += z[l].At(i, k)
				}
				for k := range widths[3] {
					f -= z[l].At(i, k) * math.Log(math.Exp(mu.At(i, k))/sum)
					d.Set(i, k, z[l].At(i, k)-all*math.Exp(mu.At(i, k))/sum)
				}
			}
		}
		e, terms = append(e, d), append(terms, f/samples)
	}
	return e, terms
}

// energy is the sum of the terms and the regularisers, first being the first free activity.
func (p *formulas) energy(z []*mat.Dense, first int) float64 {
	_, terms := p.errors(z)
	f := 0.
	for _, t := range terms {
		f += t
	}
	for _, w := range p.w {
		f += p.wd / 2 * math.Pow(mat.Norm(w, 2), 2)
		f += p.spectra / 2 * math.Pow(mat.Norm(gram(w), 2), 2)
	}
	for _, v := range z[first:p.depth()] {
		f += p.decay / 2 * math.Pow(mat.Norm(v, 2), 2) / samples
	}
	return f
}

// gram is W W^T - I.
func gram(w *mat.Dense) *mat.Dense {
	g := new(mat.Dense)
	g.Mul(w, w.T())
	for i := range g.RawMatrix().Rows {
		g.Set(i, i, g.At(i, i)-1)
	}
	return g
}

// slopes are each sample's own dF_i/dz_l for l = first .. L-1.
func (p *formulas) slopes(z []*mat.Dense, first int) []*mat.Dense {
	e, _ := p.errors(z)
	var ds []*mat.Dense
	for l := first; l < p.depth(); l++ {
		d := mat.NewDense(samples, z[l].RawMatrix().Cols, nil)
		d.Apply(func(i, k int, v float64) float64 { return p.decay * v }, z[l])
		if l > 0 {
			d.Add(d, e[l-1])
		}
		d.Sub(d, p.back(l+1, z[l], e[l]))
		ds = append(ds, d)
	}
	return ds
}

// errorSlopes are each sample's own dF_i/dz_0, if first is 0, and dF_i/de_l, l = 1 .. L-1: what moving an error does to all
// activities behind it.
func (p *formulas) errorSlopes(z []*mat.Dense, first int) []*mat.Dense {
	g := p.slopes(z, first)
	for i := len(g) - 2; i >= 0; i-- {
		g[i].Add(g[i], p.back(first+i+1, z[first+i], g[i+1]))
	}
	return g
}

// weightSlopes are dF/dW_l.
func (p *formulas) weightSlopes(z []*mat.Dense) []*mat.Dense {
	e, _ := p.errors(z)
	var ds []*mat.Dense
	for l := 1; l <= p.depth(); l++ {
		y, _ := p.phi(l, z[l-1])
		d, s, w := new(mat.Dense), new(mat.Dense), p.w[l-1]
		d.Mul(y.T(), e[l-1])
		d.Scale(-p.a[l-1]/samples, d)
		s.Mul(gram(w), w)
		d.Apply(func(i, j int, v float64) float64 { return v + p.wd*w.At(i, j) + 2*p.spectra*s.At(i, j) }, d)
		ds = append(ds, d)
	}
	return ds
}

// flow moves the free activities along -dF_i/dz_i by the classical Runge-Kutta method with steps of .01.
func (p *formulas) flow(z []*mat.Dense, first int, time float64) {
	steps := int(math.Ceil(time / .01))
	h := time / float64(steps)
	at := func(k []*mat.Dense, c float64) []*mat.Dense {
		moved := slices.Clone(z)
		for i, d := range k {
			moved[first+i] = new(mat.Dense)
			moved[first+i].Scale(-c*h, d)
			moved[first+i].Add(moved[first+i], z[first+i])
		}
		return moved
	}
	for range steps {
		k1 := p.slopes(z, first)
		k2 := p.slopes(at(k1, .5), first)
		k3 := p.slopes(at(k2, .5), first)
		k4 := p.slopes(at(k3, 1), first)
		for i := range k1 {
			z[first+i].Apply(func(r, c int, v float64) float64 {
				return v - h/6*(k1[i].At(r, c)+2*k2[i].At(r, c)+2*k3[i].At(r, c)+k4[i].At(r, c))
			}, z[first+i])
		}
	}
}

func flat(ms []*mat.Dense) (v []float64) {
	for _, m := range ms {
		v = append(v, mat.DenseCopyOf(m).RawMatrix().Data...)
	}
	return v
}

func copies(ms []*mat.Dense) (c []*mat.Dense) {
	for _, m := range ms {
		c = append(c, mat.DenseCopyOf(m))
	}
	return c
}

// A setting is one of the ways in which JPC's functions can be called.
type setting struct {
	scaling        arch.Scaling
	act            layers.Act
	skips, ce, reg bool
	free           bool // no input: unsupervised
	coordinates    arch.Coordinates
	damping        float64 // of activities; .01 with reg
}

func (s setting) String() string {
	name := s.scaling.String()
	for _, part := range []struct {
		on   bool
		name string
	}{{s.skips, "skips"}, {s.ce, "ce"}, {s.reg, "regularised"}, {s.free, "unsupervised"}} {
		if part.on {
			name += " " + part.name
		}
	}
	return name
}

// settings are all of them, in the coordinates of activities.
func settings() (all []setting) {
	for _, scaling := range []arch.Scaling{arch.SP{}, arch.MuPC{}, arch.NTP{}} {
		for i := range 16 {
			all = append(all, setting{scaling: scaling, act: layers.ReLU, skips: i&1 > 0, ce: i&2 > 0, reg: i&4 > 0, free: i&8 > 0})
		}
	}
	return all
}

// A bench is a model in a setting beside its formulas, with random data clamped.
type bench struct {
	m     *arch.Model[float64]
	p     *formulas
	x, y  *mat.Dense
	first int // free activity
	rng   *rand.Rand
}

func newBench(t *testing.T, s setting) *bench {
	t.Helper()
	n, err := arch.Chain{Scaling: s.scaling, Act: s.act, Widths: widths, Skips: s.skips}.Network()
	ok(t, err)
	b := &bench{rng: rand.New(rand.NewPCG(1, 1)), first: 1}
	w, err := arch.NewWeights[float64](n, b.rng)
	ok(t, err)
	b.p = formulasOf(n, w)
	b.p.act, b.p.skips, b.p.ce = s.act, s.skips, s.ce
	f := energy.Sum{energy.PC{}}
	if s.ce {
		f[0] = energy.PC{Output: energy.Categorical{}}
	}
	if s.reg {
		b.p.decay, b.p.wd, b.p.spectra = .01, .01, .01
		f = append(f, energy.WeightDecay{Rate: .01}, energy.Spectral{Rate: .01}, energy.ActivityDecay{Rate: .01})
	}
	if s.damping > 0 {
		b.p.decay = s.damping
		f = append(f, energy.ActivityDecay{Rate: s.damping})
	}
	b.m, err = arch.Compile(n, w, arch.Plan{Batch: samples, Energy: f, FreeInput: s.free, Coordinates: s.coordinates})
	ok(t, err)
	b.x, b.y = b.normal(widths[0]), b.normal(widths[3])
	if s.ce {
		b.y.Zero()
		for i := range samples {
			b.y.Set(i, b.rng.IntN(widths[3]), 1)
		}
	}
	x := b.x.RawMatrix().Data
	if s.free {
		x, b.first = nil, 0
	}
	ok(t, b.m.Clamp(x, b.y.RawMatrix().Data))
	return b
}

// formulasOf is a network's weights as matrices, sharing their memory.
func formulasOf(n *arch.Network, w *graph.Vector[float64]) *formulas {
	p := new(formulas)
	for i, f := range w.Fields() {
		p.w = append(p.w, mat.NewDense(f.Shape[0], f.Shape[1], w.Part(w.Data(), i)))
		p.a = append(p.a, n.Weights()[i].Factors.Forward)
	}
	return p
}

func (b *bench) normal(n int) *mat.Dense {
	m := mat.NewDense(samples, n, nil)
	m.Apply(func(_, _ int, _ float64) float64 { return b.rng.NormFloat64() }, m)
	return m
}

// anywhere is z_0 ... z_{L-1} drawn at random, except for an input that is data, and y; the model's activities are the same.
func (b *bench) anywhere() []*mat.Dense {
	z := []*mat.Dense{b.x}
	if b.first == 0 {
		z[0] = b.normal(widths[0])
	}
	for _, n := range widths[1:3] {
		z = append(z, b.normal(n))
	}
	copy(b.m.State(), flat(z[b.first:]))
	return append(z, b.y)
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestJPC_Starts: behaviours 3 to 9. Feedforward activities are the formulas', in every scaling and with skips; random ones have
// their distribution; amortised ones are the other network's; errors begin at zero.
func TestJPC_Starts(t *testing.T) {
	for _, s := range settings() {
		if s.free || s.reg || s.ce {
			continue
		}
		b := newBench(t, s)
		ok(t, b.m.Forward())
		z := b.p.forward(b.x, b.y, nil)
		reference.Near(t, s.String()+": activities", b.m.State(), flat(z[1:3]), exactly)
		out, err := b.m.Predict(b.x.RawMatrix().Data)
		ok(t, err)
		reference.Near(t, s.String()+": output", out, flat([]*mat.Dense{b.p.predict(3, z[2])}), exactly)
	}

	for _, free := range []bool{false, true} {
		small := newBench(t, setting{scaling: arch.SP{}, act: layers.ReLU, free: free})
		var shapes []string
		for _, f := range small.m.StateVector().Fields() {
			shapes = append(shapes, fmt.Sprint(f.Shape))
		}
		want := []string{"[4 10]", "[4 20]", "[4 20]"}
		if !free {
			want = want[1:]
		}
		if !slices.Equal(shapes, want) {
			t.Errorf("free input %v: activities of shapes %v, want %v", free, shapes, want)
		}
		m, err := small.m.Resized(256)
		ok(t, err)
		ok(t, (&train.Gaussian[float64]{Std: .05, Seed: 1}).Begin(m, nil, nil))
		n := float64(len(m.State()))
		sum, squares := 0., 0.
		for _, v := range m.State() {
			sum += v / n
			squares += v * v / n
		}
		// four standard errors, of the mean and of the variance
		if math.Abs(sum) > 4*.05/math.Sqrt(n) || math.Abs(squares-.0025) > 4*.0025*math.Sqrt(2/n) {
			t.Errorf("free input %v: mean %g and mean square %g of %g draws, want 0 and .0025", free, sum, squares, n)
		}
	}

	h, g, a := newHybrid(t, layers.ReLU)
	seen := mat.NewDense(samples, widths[0], nil)
	seen.Apply(func(i, j int, _ float64) float64 { return math.Cos(float64(3*i + j)) }, seen)
	ok(t, h.Generator.Clamp(nil, seen.RawMatrix().Data))
	ok(t, (&rules.Amortised[float64]{Amortiser: h.Amortiser}).Begin(h.Generator, nil, seen.RawMatrix().Data))
	guess := a.forward(seen, nil, nil)[1:3]
	guess = append(guess, a.predict(3, guess[1]))
	slices.Reverse(guess) // the amortiser goes the other way
	reference.Near(t, "amortised activities", h.Generator.State(), flat(guess), exactly)
	if n := g.depth(); n != 3 || len(h.Generator.Free()) != 3 {
		t.Errorf("%v are free in a generator of %d layers, want the cause and two activities", h.Generator.Free(), n)
	}

	e := newBench(t, setting{scaling: arch.SP{}, act: layers.ReLU, coordinates: arch.Errors})
	e.anywhere()
	ok(t, e.m.Forward())
	if i := slices.IndexFunc(e.m.State(), func(v float64) bool { return v != 0 }); i >= 0 || len(e.m.State()) != samples*40 {
		t.Errorf("%d errors begin with one that is not zero at %d, want %d zeros", len(e.m.State()), i, samples*40)
	}
}

// newHybrid is a generator 5-20-20-10 with its input free, its amortiser, and both as formulas.
func newHybrid(t *testing.T, act layers.Act) (h *rules.Hybrid[float64], g, a *formulas) {
	t.Helper()
	c := arch.Chain{Act: act, Widths: []int{5, 20, 20, 10}}
	gen, err := c.Network()
	ok(t, err)
	amo, err := arch.Amortiser(c)
	ok(t, err)
	_, w, err := arch.NewWeightsTogether[float64](rand.New(rand.NewPCG(1, 1)), arch.Member{Name: "generator", Network: gen}, arch.Member{Name: "amortiser", Network: amo})
	ok(t, err)
	h = new(rules.Hybrid[float64])
	h.Generator, err = arch.Compile(gen, w[0], arch.Plan{Batch: samples, FreeInput: true})
	ok(t, err)
	h.Amortiser, err = arch.Compile(amo, w[1], arch.Plan{Batch: samples, Coordinates: arch.Feedforward})
	ok(t, err)
	g, a = formulasOf(gen, w[0]), formulasOf(amo, w[1])
	g.act, a.act = act, act
	return h, g, a
}

// TestJPC_Energies: behaviours 10 to 15 and 18 to 23. At any activities, energies by layer and in all are the formulas'; in every
// setting. At the feedforward pass the energy is the loss, also with errors of zero as variables.
func TestJPC_Energies(t *testing.T) {
	for _, s := range settings() {
		b := newBench(t, s)
		z := b.anywhere()
		f, err := b.m.Energy()
		ok(t, err)
		reference.Near(t, s.String()+": energy", []float64{f}, []float64{b.p.energy(z, b.first)}, exactly)
		terms := make([]float64, len(b.m.Terms()))
		b.m.TermEnergies(terms)
		_, want := b.p.errors(z)
		reference.Near(t, s.String()+": by layer", terms[:3], want, exactly)
		sum := 0.
		for _, e := range terms {
			sum += e
		}
		reference.Near(t, s.String()+": sum of the terms", []float64{sum}, []float64{f}, exactly)

		if s.reg || s.free {
			continue
		}
		for _, c := range []arch.Coordinates{arch.Activities, arch.Errors} {
			s.coordinates = c
			b := newBench(t, s)
			ok(t, b.m.Forward())
			f, err := b.m.Energy()
			ok(t, err)
			_, want := b.p.errors(b.p.forward(b.x, b.y, nil))
			reference.Near(t, s.String()+": loss", []float64{f}, want[2:], exactly)
		}
	}
	for _, test := range []struct {
		scaling arch.Scaling
		skips   bool
		want    []float64
	}{
		{arch.SP{}, false, []float64{1, 1, 1}},
		{arch.SP{}, true, []float64{1, 1, 1}},
		{arch.MuPC{}, false, []float64{math.Sqrt(1. / 10), math.Sqrt(1. / 20), 1. / 20}},
		{arch.MuPC{}, true, []float64{math.Sqrt(1. / 10), math.Sqrt(1. / 60), 1. / 20}},
		{arch.NTP{}, false, []float64{math.Sqrt(1. / 10), math.Sqrt(1. / 20), math.Sqrt(1. / 20)}},
		{arch.NTP{}, true, []float64{math.Sqrt(1. / 10), math.Sqrt(1. / 60), math.Sqrt(1. / 20)}},
		{arch.Scaled{Of: arch.NTP{}, Gamma: 2}, false, []float64{math.Sqrt(1. / 10), math.Sqrt(1. / 20), math.Sqrt(1. / 80)}},
		{arch.Scaled{Gamma: 2}, true, []float64{1, 1, .5}},
		{arch.MuPC{Gamma: 2}, true, []float64{math.Sqrt(1. / 10), math.Sqrt(1. / 60), 1. / 40}},
	} {
		reference.Near(t, "factors", newBench(t, setting{scaling: test.scaling, skips: test.skips}).p.a, test.want, 1e-15)
	}
}

// TestJPC_Gradients: behaviours 24 to 28 and 33 to 36. Gradients with respect to activities, errors and weights are the formulas', in
// every setting and at any activities.
func TestJPC_Gradients(t *testing.T) {
	for _, s := range settings() {
		b := newBench(t, s)
		z := b.anywhere()
		grad, dw := make([]float64, len(b.m.State())), make([]float64, len(b.m.Weights().Data()))
		f, err := b.m.StateGrad(grad, b.m.State())
		ok(t, err)
		reference.Near(t, s.String()+": energy", []float64{f}, []float64{b.p.energy(z, b.first)}, exactly)
		reference.Near(t, s.String()+": by activities", grad, flat(b.p.slopes(z, b.first)), exactly)
		_, err = b.m.ParamGrad(dw)
		ok(t, err)
		reference.Near(t, s.String()+": by weights", dw, flat(b.p.weightSlopes(z)), exactly)

		s.coordinates = arch.Errors
		b = newBench(t, s)
		z = b.anywhere() // of which the hidden ones are errors
		z = b.p.forward(z[0], b.y, z[1:3])
		f, err = b.m.StateGrad(grad, b.m.State())
		ok(t, err)
		reference.Near(t, s.String()+": energy of errors", []float64{f}, []float64{b.p.energy(z, b.first)}, exactly)
		reference.Near(t, s.String()+": by errors", grad, flat(b.p.errorSlopes(z, b.first)), 10*exactly)
		if s.reg {
			continue
		}
		// With errors held, weights move the output alone: backprop's gradient along the perturbed pass.
		_, err = b.m.ParamGrad(dw)
		ok(t, err)
		out, _ := b.p.errors(z)
		delta := out[2]
		var want []*mat.Dense
		for l := 3; l >= 1; l-- {
			y, _ := b.p.phi(l, z[l-1])
			d := new(mat.Dense)
			d.Mul(y.T(), delta)
			d.Scale(-b.p.a[l-1]/samples, d)
			want = append(want, d)
			delta = b.p.back(l, z[l-1], delta)
		}
		slices.Reverse(want)
		reference.Near(t, s.String()+": by weights at errors", dw, flat(want), 10*exactly)
	}
}

// TestJPC_Flows: behaviours 37 to 42, and 80. The activities at the end of the horizon, and at given times before it, are those
// of the formulas' flow; every accepted step is seen, with energies by layer that add up to one that falls. (With tanh: a ReLU's
// field jumps, and activities that slide along the jump have no flow to compare with.)
func TestJPC_Flows(t *testing.T) {
	const (
		horizon = 10. / samples // JPC's T=10
		tight   = 1e-7          // tolerances of 1e-8 a step, some tens of which add up; the formulas' steps are good to 1e-8
		loose   = 1e-2          // tolerances of 1e-3 a step
	)
	times := []float64{0, 2. / samples, 4. / samples, 6. / samples, 8. / samples} // record_every=2
	for _, s := range settings() {
		if s.skips || s.scaling != (arch.SP{}) {
			continue
		}
		s.act = layers.Tanh
		b := newBench(t, s)
		start := b.anywhere()
		for _, run := range []struct {
			method  *ode.Method
			control ode.PID
			tol     float64
		}{
			{ode.Heun, ode.PID{RTol: 1e-3, ATol: 1e-3}, loose},
			{ode.Tsit5, ode.PID{RTol: 1e-8, ATol: 1e-8}, tight},
		} {
			what := fmt.Sprintf("%v, %s", s, run.method.Name)
			copy(b.m.State(), flat(start[b.first:3]))
			var seen [][]float64
			solver := &infer.Flow[float64]{Method: run.method, Control: run.control, Horizon: horizon, At: times,
				Sample: func(_ float64, z []float64) { seen = append(seen, slices.Clone(z)) }}
			last, terms, steps := math.Inf(1), make([]float64, len(b.m.Terms())), 0
			r, err := infer.Run(solver, infer.Problem[float64]{Energy: b.m.StateGrad}, b.m.State(), nil, func(r infer.Reading) {
				b.m.TermEnergies(terms)
				sum := 0.
				for _, e := range terms {
					sum += e
				}
				if math.Abs(sum-r.Energy) > exactly*math.Abs(sum) || r.Energy > last {
					t.Errorf("%s, step %d: energy %g of terms %v after %g", what, r.Step, r.Energy, terms, last)
				}
				last = r.Energy
				steps++
			})
			ok(t, err)
			if r.Status != infer.TimeLimit || math.Abs(r.Time-horizon) > 1e-12 || steps != r.Step+1 || len(seen) != len(times) {
				t.Fatalf("%s: %v at time %g with %d readings and %d samples", what, r, r.Time, steps, len(seen))
			}
			z := copies(start)
			for i, at := range times {
				if i > 0 {
					b.p.flow(z, b.first, at-times[i-1])
				}
				reference.Near(t, fmt.Sprintf("%s, at %g", what, at), seen[i], flat(z[b.first:3]), run.tol)
			}
			b.p.flow(z, b.first, horizon-times[len(times)-1])
			reference.Near(t, what+", at the end", b.m.State(), flat(z[b.first:3]), run.tol)
		}
	}
}

// TestJPC_Updates: behaviours 43 to 46 and 49 to 52. One step on activities, errors or weights is theirs less the rate times the
// formulas' gradient, and the energy reported is that before the step.
func TestJPC_Updates(t *testing.T) {
	const rate = .01
	for _, s := range settings() {
		for _, c := range []arch.Coordinates{arch.Activities, arch.Errors} {
			s.coordinates = c
			b := newBench(t, s)
			z, what := b.anywhere(), fmt.Sprintf("%v, %v", s, c)
			before := slices.Clone(b.m.State())
			slope := func() []*mat.Dense { return b.p.slopes(z, b.first) }
			if c == arch.Errors {
				z = b.p.forward(z[0], b.y, z[1:3]) // what was drawn are errors
				slope = func() []*mat.Dense { return b.p.errorSlopes(z, b.first) }
			}
			want := b.p.energy(z, b.first)
			moved := flat(slope())
			for i := range moved {
				moved[i] = before[i] - rate*moved[i]
			}
			inference := &infer.Descent[float64]{Optimizer: &optim.SGD[float64]{Rate: rate}}
			r, err := infer.Run(inference, infer.Problem[float64]{Energy: b.m.StateGrad, FusedSteps: b.m.FusedSteps}, b.m.State(), infer.Steps(1), nil)
			ok(t, err)
			reference.Near(t, what+": energy", []float64{r.Energy}, []float64{want}, exactly)
			reference.Near(t, what+": state", b.m.State(), moved, exactly)

			if c == arch.Errors {
				continue
			}
			copy(b.m.State(), before)
			w := slices.Clone(b.m.Weights().Data())
			for i, d := range flat(b.p.weightSlopes(z)) {
				w[i] -= rate * d
			}
			dw := make([]float64, len(w))
			_, err = b.m.ParamGrad(dw)
			ok(t, err)
			learning := train.Update[float64]{Optimizer: &optim.SGD[float64]{Rate: rate}}
			learning.Step(b.m.Weights(), dw)
			reference.Near(t, what+": weights", b.m.Weights().Data(), w, exactly)
			f, err := b.m.Energy()
			ok(t, err)
			reference.Near(t, what+": energy with the new weights", []float64{f}, []float64{b.p.energy(z, b.first)}, exactly) // p shares them
		}
	}
}

// TestJPC_Bidirectional: behaviours 17, 30 to 32, 47 and 48. The energy is that of two chains, one of them from y to x, each with its
// weight; so are the gradients, and one step on activities, or on the weights of both directions, is along them.
func TestJPC_Bidirectional(t *testing.T) {
	const rate, forward, backward = .01, 1.5, .3
	both := arch.Bidirectional{Chain: arch.Chain{Act: layers.ReLU, Widths: widths}, Forward: forward, Backward: backward}
	n, err := both.Network()
	ok(t, err)
	rng := rand.New(rand.NewPCG(1, 1))
	w, err := arch.NewWeights[float64](n, rng)
	ok(t, err)
	m, err := arch.Compile(n, w, arch.Plan{Batch: samples, Energy: both.Energy()})
	ok(t, err)
	all := formulasOf(n, w)
	there := &formulas{w: all.w[:3], a: []float64{1, 1, 1}, act: layers.ReLU}
	back := &formulas{w: []*mat.Dense{all.w[5], all.w[4], all.w[3]}, a: []float64{1, 1, 1}, act: layers.ReLU}

	b := &bench{m: m, first: 1, rng: rng}
	b.x, b.y = b.normal(widths[0]), b.normal(widths[3])
	ok(t, m.Clamp(b.x.RawMatrix().Data, b.y.RawMatrix().Data))
	z := b.anywhere()
	mirrored := slices.Clone(z)
	slices.Reverse(mirrored)
	before, weights := slices.Clone(m.State()), slices.Clone(w.Data())

	inference := &infer.Descent[float64]{Optimizer: &optim.SGD[float64]{Rate: rate}}
	r, err := infer.Run(inference, infer.Problem[float64]{Energy: m.StateGrad}, m.State(), infer.Steps(1), nil)
	ok(t, err)
	reference.Near(t, "energy", []float64{r.Energy}, []float64{forward*there.energy(z, 1) + backward*back.energy(mirrored, 1)}, exactly)
	onward, homeward := flat(there.slopes(z, 1)), back.slopes(mirrored, 1)
	slices.Reverse(homeward)
	moved := flat(homeward)
	for i := range moved {
		moved[i] = before[i] - rate*(forward*onward[i]+backward*moved[i])
	}
	reference.Near(t, "activities", m.State(), moved, exactly)

	copy(m.State(), before)
	dw := make([]float64, len(weights))
	_, err = m.ParamGrad(dw)
	ok(t, err)
	slopes := there.weightSlopes(z)
	reverse := back.weightSlopes(mirrored)
	slices.Reverse(reverse)
	for i := range slopes {
		slopes[i].Scale(forward, slopes[i])
		reverse[i].Scale(backward, reverse[i])
	}
	for i, d := range flat(append(slopes, reverse...)) {
		weights[i] -= rate * d
	}
	learning := train.Update[float64]{Optimizer: &optim.SGD[float64]{Rate: rate}}
	learning.Step(w, dw)
	reference.Near(t, "weights", w.Data(), weights, exactly)
}

// TestJPC_Steps: behaviours 53 to 58. A whole step starts at the feedforward pass, whose loss it reports, or unsupervised at
// random, ends where the formulas' flow does, and takes the formulas' gradient there. Without the input that a network needs it
// does not begin.
func TestJPC_Steps(t *testing.T) {
	const horizon, tol = 5. / samples, 1e-7 // JPC's T=5; of tolerances of 1e-8 a step
	for _, s := range settings() {
		s.act = layers.Tanh
		b := newBench(t, s)
		x, y := b.x.RawMatrix().Data, b.y.RawMatrix().Data
		solver := &infer.Flow[float64]{Method: ode.Tsit5, Control: ode.PID{RTol: 1e-8, ATol: 1e-8}, Horizon: horizon}
		rule := &train.PC[float64]{Model: b.m, Solver: solver}
		dw := make([]float64, len(b.m.Weights().Data()))
		z := b.p.forward(b.x, b.y, nil)
		var f float64
		if s.free {
			if err := rule.Validate(); err == nil || !strings.Contains(err.Error(), `"x"`) {
				t.Errorf("%v: training on inputs that are free, and error %v: want one that names x", s, err)
			}
			alone := &rules.Unsupervised[float64]{Model: b.m, Solver: solver, Start: &train.Gaussian[float64]{Std: .05, Seed: 1}, Targets: 5}
			ok(t, alone.Validate())
			ok(t, (&train.Gaussian[float64]{Std: .05, Seed: 1}).Begin(b.m, nil, nil)) // the same draws
			at := 0
			for i, n := range widths[:3] {
				z[i] = mat.NewDense(samples, n, slices.Clone(b.m.State()[at:at+samples*n]))
				at += samples * n
			}
			r, err := alone.Gradient(dw, y, nil, samples)
			ok(t, err)
			f = r.Energy
			reference.Near(t, s.String()+": energy of the start", []float64{r.Loss}, []float64{b.p.energy(z, 0)}, exactly)
		} else {
			ok(t, rule.Validate())
			r, err := rule.Gradient(dw, x, y, samples)
			ok(t, err)
			f = r.Energy
			reference.Near(t, s.String()+": loss", []float64{r.Loss}, []float64{b.p.energy(z, 1)}, exactly)
		}
		b.p.flow(z, b.first, horizon)
		reference.Near(t, s.String()+": activities", b.m.State(), flat(z[b.first:3]), tol)
		reference.Near(t, s.String()+": energy", []float64{f}, []float64{b.p.energy(z, b.first)}, tol)
		reference.Near(t, s.String()+": gradient", dw, flat(b.p.weightSlopes(z)), 10*tol)
	}

	b := newBench(t, setting{scaling: arch.SP{}, act: layers.ReLU})
	defer func() {
		if why := fmt.Sprint(recover()); !strings.Contains(why, "x has 0 numbers: want 40") {
			t.Errorf("no input: %q, want a panic that says which lengths are wrong", why)
		}
	}()
	err := b.m.Clamp(nil, b.y.RawMatrix().Data)
	t.Errorf("no input: error %v and no panic", err)
}

// TestJPC_Inversion: behaviours 65 to 67. A generator that maps labels to observations one to one is inverted by inference of its
// free input, from a random start and from the guesses of an amortiser that knows nothing: each ends at the labels that the
// observations were made of.
func TestJPC_Inversion(t *testing.T) {
	h, g, _ := newHybrid(t, layers.LinearAct)
	labels := mat.NewDense(samples, 5, nil)
	for i := range samples {
		labels.Set(i, (2*i+1)%5, 1)
	}
	z := g.forward(labels, nil, nil)
	seen := g.predict(3, z[2])
	made, err := h.Generator.Predict(labels.RawMatrix().Data)
	ok(t, err)
	reference.Near(t, "observations", made, flat([]*mat.Dense{seen}), exactly)
	for _, start := range []train.Start[float64]{
		&rules.Amortised[float64]{Amortiser: h.Amortiser},
		&train.Gaussian[float64]{Std: .05, Seed: 1},
	} {
		ok(t, h.Generator.Clamp(nil, made))
		ok(t, start.Begin(h.Generator, nil, made))
		_, err := infer.Run(&infer.LBFGS[float64]{}, infer.Problem[float64]{Energy: h.Generator.StateGrad}, h.Generator.State(), infer.Any{infer.Stationary{Tol: 1e-9}, infer.Steps(2000)}, nil)
		ok(t, err)
		// the gradient over the least curvature, about 1e-4 here
		reference.Near(t, fmt.Sprintf("labels, from %T", start), h.Generator.StateVector().Field("x"), labels.RawMatrix().Data, 1e-4)
	}
}

// TestJPC_Networks: behaviours 68 to 72. Weights are as many and as large as the widths say, [in, out]; biases and skips are
// where they should be.
func TestJPC_Networks(t *testing.T) {
	for _, scaling := range []arch.Scaling{arch.SP{}, arch.MuPC{}, arch.NTP{}} {
		for _, act := range layers.Acts() {
			n, err := arch.Chain{Scaling: scaling, Act: act, Widths: widths, Bias: true, Skips: true}.Network()
			ok(t, err)
			w, err := arch.NewWeights[float64](n, rand.New(rand.NewPCG(1, 1)))
			ok(t, err)
			var shapes []string
			for _, f := range w.Fields() {
				shapes = append(shapes, fmt.Sprint(f.Name, f.Shape))
			}
			want := []string{"block1/W[10 20]", "block1/b[20]", "block2/W[20 20]", "block2/b[20]", "block3/W[20 5]", "block3/b[5]"}
			if !slices.Equal(shapes, want) {
				t.Errorf("weights %v, want %v", shapes, want)
			}
			for i, b := range n.Blocks {
				if skips := len(b.Skips); (skips == 1) != (i == 1) || skips > 1 {
					t.Errorf("block %s has %d skips, want one over the second of three only", b.Name, skips)
				}
				if got := b.Layer.(layers.Linear).Act; (got == act) != (i > 0 || act == layers.LinearAct) {
					t.Errorf("block %s has the activation %v of %v, and none belongs in front of the first", b.Name, got, act)
				}
			}
		}
	}
}

// linear is a network's theory.
func (b *bench) linear() theory.Linear {
	n := theory.Linear{Weights: b.p.w, Factors: b.p.a, ActivityDecay: b.p.decay}
	if b.p.skips {
		n.Skips = theory.HiddenSkips(b.p.depth())
	}
	return n
}

// TestJPC_Theory: behaviours 81 to 86 and 89. For linear networks in every scaling, with skips and without, and with an output
// divided by gamma and activities that decay (where JPC's Hessian is another one than its energy's), 4000 steps of inference
// end at the closed form's activities, energy and gradient, and the curvature found by differentiating the graph twice is the
// closed form's.
func TestJPC_Theory(t *testing.T) {
	var cases []setting
	for _, s := range settings() {
		if !s.ce && !s.reg && !s.free {
			s.act = layers.LinearAct
			cases = append(cases, s)
			s.scaling, s.damping = arch.Scaled{Of: s.scaling, Gamma: .5}, .7
			cases = append(cases, s)
		}
	}
	for _, s := range cases {
		b := newBench(t, s)
		e, err := b.linear().Equilibrium(b.x, b.y)
		ok(t, err)
		h, err := b.linear().ActivityHessian()
		ok(t, err)
		if r, c := h.Dims(); r != 40 || c != 40 {
			t.Fatalf("%v: a Hessian of %d by %d, want 40 by 40", s, r, c)
		}
		ok(t, b.m.Forward())
		curvature, err := theory.Eigenvalues(h)
		ok(t, err)
		inference := &infer.Descent[float64]{Optimizer: &optim.SGD[float64]{Rate: 1.8 / curvature[39]}}
		_, err = infer.Run(inference, infer.Problem[float64]{Energy: b.m.StateGrad, FusedSteps: b.m.FusedSteps}, b.m.State(), infer.Steps(4000), nil)
		ok(t, err)
		reference.Near(t, s.String()+": activities", b.m.State(), flat(e.Activities), 1e-9) // rounding times condition numbers up to 1e3
		dw := make([]float64, len(b.m.Weights().Data()))
		f, err := b.m.ParamGrad(dw)
		ok(t, err)
		reference.Near(t, s.String()+": energy", []float64{f}, []float64{e.Energy}, 1e-10)
		reference.Near(t, s.String()+": gradient", dw, flat(e.Gradient().Dense()), 1e-9)

		one, err := b.m.Resized(1)
		ok(t, err)
		ok(t, one.Clamp(b.x.RawMatrix().Data[:10], b.y.RawMatrix().Data[:5]))
		op, err := one.StateHessian()
		ok(t, err)
		ok(t, op.At(one.State()))
		dense, err := theory.Assemble(40, op.Mul)
		ok(t, err)
		reference.Near(t, s.String()+": Hessian", mat.DenseCopyOf(dense).RawMatrix().Data, mat.DenseCopyOf(h).RawMatrix().Data, exactly)
	}
}

// TestJPC_ScalarRescaling: behaviours 87 and 88. muPC with one hidden layer and one output, gamma .01 and output precision gamma^2 N L:
// the equilibrated energy is backprop's loss over s = (1 + L |w|^2/N)/(gamma^2 N L), and 200 steps of inference reach it.
func TestJPC_ScalarRescaling(t *testing.T) {
	const gamma, depth = .01, 2
	for _, test := range []struct{ inputs, width, batch int }{{16, 128, 2}, {16, 64, 3}} {
		n, err := arch.Chain{Scaling: arch.MuPC{Gamma: gamma}, Widths: []int{test.inputs, test.width, 1}}.Network()
		ok(t, err)
		rng := rand.New(rand.NewPCG(1, 1))
		w, err := arch.NewWeights[float64](n, rng)
		ok(t, err)
		precision := gamma * gamma * float64(test.width) * depth
		x, y := make([]float64, test.batch*test.inputs), make([]float64, test.batch)
		for _, v := range [][]float64{x, y} {
			for i := range v {
				v[i] = rng.NormFloat64()
			}
		}
		m, err := arch.Compile(n, w, arch.Plan{Batch: test.batch, Energy: energy.PC{Output: energy.Gaussian{Precision: precision}}})
		ok(t, err)
		bp, err := arch.Compile(n, w, arch.Plan{Batch: test.batch, Coordinates: arch.Feedforward})
		ok(t, err)
		ok(t, m.Clamp(x, y))
		ok(t, bp.Clamp(x, y))
		loss, err := bp.Energy()
		ok(t, err)
		p := formulasOf(n, w)
		s := (1 + depth*math.Pow(mat.Norm(p.w[1], 2), 2)/float64(test.width)) / precision
		l := theory.Linear{Weights: p.w, Factors: p.a, Precision: precision}
		e, err := l.Equilibrium(mat.NewDense(test.batch, test.inputs, x), mat.NewDense(test.batch, 1, y))
		ok(t, err)
		reference.Near(t, "s", []float64{e.Rescaling.At(0, 0)}, []float64{s}, exactly)
		reference.Near(t, "F*", []float64{e.Energy}, []float64{loss / s}, exactly)
		ok(t, m.Forward())
		inference := &infer.Descent[float64]{Optimizer: &optim.SGD[float64]{Rate: .5}}
		_, err = infer.Run(inference, infer.Problem[float64]{Energy: m.StateGrad, FusedSteps: m.FusedSteps}, m.State(), infer.Steps(200), nil)
		ok(t, err)
		f, err := m.Energy()
		ok(t, err)
		reference.Near(t, "F after inference", []float64{f}, []float64{e.Energy}, 1e-10) // curvatures of 1 and about 3 at rate .5: halved every step
	}
}

// TestJPC_OutputSkips: a skip over the last block is part of its prediction in the feedforward pass and in the energy alike: at the
// pass all errors but the output's are zero, and that is what Predict misses the target by. So is one over the first.
func TestJPC_OutputSkips(t *testing.T) {
	n, err := arch.MLP(nil, layers.Tanh, 4, 4, 4, 4)
	ok(t, err)
	n.Blocks[0].Skips = []arch.Skip{{Layer: layers.Identity{}}}
	n.Blocks[2].Skips = []arch.Skip{{Layer: layers.Identity{}}}
	w, err := arch.NewWeights[float64](n, rand.New(rand.NewPCG(1, 1)))
	ok(t, err)
	m, err := arch.Compile(n, w, arch.Plan{Batch: 1})
	ok(t, err)
	x, y := []float64{1, -2, 3, -4}, []float64{.5, .25, -1, 2}
	ok(t, m.Clamp(x, y))
	ok(t, m.Forward())
	_, err = m.Energy()
	ok(t, err)
	terms := make([]float64, 3)
	m.TermEnergies(terms)
	mu, err := m.Predict(x)
	ok(t, err)
	loss := 0.
	for i := range y {
		loss += (y[i] - mu[i]) * (y[i] - mu[i]) / 2
	}
	reference.Near(t, "terms", terms, []float64{0, 0, loss}, exactly)
	first, last := m.StateVector().Field("block1/z"), m.StateVector().Field("block2/z")
	c, d := w.Field("block1/b"), w.Field("block3/b")
	for k := range 4 { // by hand
		one, three := c[k]+x[k], d[k]+last[k]
		for j := range 4 {
			one += x[j] * w.Field("block1/W")[4*j+k]
			three += math.Tanh(last[j]) * w.Field("block3/W")[4*j+k]
		}
		reference.Near(t, "first activity and output", []float64{first[k], mu[k]}, []float64{one, three}, exactly)
	}
}
