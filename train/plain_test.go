package train_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/layers"
)

// plain is a chain of linear layers with backprop in plain loops: written without a look at the packages under test, it
// is the independent implementation that they are held against. A layer computes a_l act(z) W_l + a_l c_l, plus z where
// it has a skip; the first has no activation.
type plain struct {
	act     layers.Act
	skips   bool
	sizes   []int
	w, c    [][]float64 // [in, out] and [out]; c nil without biases
	factors []float64
	softmax bool // cross-entropy instead of half the squared error
}

// f is an activation and its derivative.
func f(act layers.Act, x float64) (y, dy float64) {
	switch act {
	case layers.LinearAct:
		return x, 1
	case layers.Tanh:
		y = math.Tanh(x)
		return y, 1 - y*y
	case layers.HardTanh:
		if x < -1 || x > 1 {
			return math.Copysign(1, x), 0
		}
		return x, 1
	case layers.Sigmoid:
		y = 1 / (1 + math.Exp(-x))
		return y, y * (1 - y)
	case layers.ReLU:
		if x > 0 {
			return x, 1
		}
		return 0, 0
	case layers.LeakyReLU:
		if x >= 0 {
			return x, 1
		}
		return .01 * x, .01
	case layers.GELU:
		c := math.Sqrt(2 / math.Pi)
		t := math.Tanh(c * (x + .044715*x*x*x))
		return x / 2 * (1 + t), (1+t)/2 + x/2*(1-t*t)*c*(1+3*.044715*x*x)
	case layers.SELU:
		const scale, alpha = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717
		if x > 0 {
			return scale * x, scale
		}
		return scale * alpha * (math.Exp(x) - 1), scale * alpha * math.Exp(x)
	case layers.SiLU:
		s := 1 / (1 + math.Exp(-x))
		return x * s, s + x*s*(1-s)
	}
	panic("unknown activation")
}

func (p *plain) depth() int { return len(p.sizes) - 1 }

func (p *plain) skip(l int) bool { return p.skips && l > 0 && l < p.depth()-1 }

func (p *plain) actOf(l int) layers.Act {
	if l == 0 {
		return layers.LinearAct
	}
	return p.act
}

// predict is layer l (from 0) of one sample.
func (p *plain) predict(l int, z []float64) []float64 {
	mu := make([]float64, p.sizes[l+1])
	for k := range mu {
		s := 0.0
		if p.c != nil {
			s = p.c[l][k]
		}
		for j, v := range z {
			y, _ := f(p.actOf(l), v)
			s += y * p.w[l][j*len(mu)+k]
		}
		mu[k] = p.factors[l] * s
		if p.skip(l) {
			mu[k] += z[k]
		}
	}
	return mu
}

// forward are the activities z_0 = x, z_1 ... of one sample with errs added to the hidden predictions, and the output.
func (p *plain) forward(x []float64, errs [][]float64) [][]float64 {
	z := [][]float64{x}
	for l := range p.depth() {
		mu := p.predict(l, z[l])
		if errs != nil && l < p.depth()-1 {
			for k, e := range errs[l] {
				mu[k] += e
			}
		}
		z = append(z, mu)
	}
	return z
}

// outputError is dLoss/dmu of one sample's output, and its loss.
func (p *plain) outputError(y, mu []float64) (d []float64, loss float64) {
	d = make([]float64, len(mu))
	if !p.softmax {
		for k := range mu {
			d[k] = mu[k] - y[k]
			loss += d[k] * d[k] / 2
		}
		return d, loss
	}
	sum, total := 0.0, 0.0
	for k := range mu {
		sum += math.Exp(mu[k])
		total += y[k]
	}
	for k := range mu {
		d[k] = total*math.Exp(mu[k])/sum - y[k]
		loss -= y[k] * math.Log(math.Exp(mu[k])/sum)
	}
	return d, loss
}

// backprop is the mean loss and its gradient, per layer: [in, out] and then [out].
func (p *plain) backprop(x, y []float64, batch int) (loss float64, grads [][]float64) {
	in, out := p.sizes[0], p.sizes[p.depth()]
	grads = make([][]float64, 2*p.depth())
	for l := range p.depth() {
		grads[2*l] = make([]float64, p.sizes[l]*p.sizes[l+1])
		grads[2*l+1] = make([]float64, p.sizes[l+1])
	}
	for i := range batch {
		z := p.forward(x[i*in:(i+1)*in], nil)
		delta, e := p.outputError(y[i*out:(i+1)*out], z[p.depth()])
		loss += e / float64(batch)
		for l := p.depth() - 1; l >= 0; l-- {
			before := make([]float64, p.sizes[l])
			for j, v := range z[l] {
				h, slope := f(p.actOf(l), v)
				for k, d := range delta {
					grads[2*l][j*len(delta)+k] += p.factors[l] * h * d / float64(batch)
					before[j] += slope * p.factors[l] * p.w[l][j*len(delta)+k] * d
				}
				if p.skip(l) {
					before[j] += delta[j]
				}
			}
			for k, d := range delta {
				grads[2*l+1][k] += p.factors[l] * d / float64(batch)
			}
			delta = before
		}
	}
	return loss, grads
}

// underRace is set by the race detector's build. Tests of numbers, where nothing is concurrent that others do not run as
// well, then skip what would take minutes.
var underRace bool

// A task is a network in the packages under test and in plain loops, with data.
type task struct {
	net   *arch.Network
	w     *graph.Vector[float64]
	plain *plain
	x, y  []float64
	batch int
}

// widths of the networks under test; small, so that equilibria are cheap.
var widths = []int{5, 8, 8, 8, 3}

// newTask draws a network and data. Targets are one-hot.
func newTask(t *testing.T, c arch.Chain, softmax bool, seed uint64) *task {
	t.Helper()
	if c.Widths == nil {
		c.Widths = widths
	}
	n, err := c.Network()
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(seed, 3))
	w, err := arch.NewWeights[float64](n, r)
	if err != nil {
		t.Fatal(err)
	}
	k := &task{net: n, w: w, batch: 4, plain: &plain{act: c.Act, skips: c.Skips, sizes: c.Widths, softmax: softmax}}
	for i, p := range n.Weights() {
		part := w.Part(w.Data(), i)
		if p.Param.Bias {
			for j := range part {
				part[j] = .3 * r.NormFloat64()
			}
			k.plain.c = append(k.plain.c, part)
			continue
		}
		k.plain.w = append(k.plain.w, part)
		k.plain.factors = append(k.plain.factors, p.Factors.Forward)
	}
	w.Touch()
	in, out := c.Widths[0], c.Widths[len(c.Widths)-1]
	for range k.batch {
		for range in {
			k.x = append(k.x, r.NormFloat64())
		}
		y := make([]float64, out)
		y[r.IntN(out)] = 1
		k.y = append(k.y, y...)
	}
	return k
}

// likelihood of the output with a precision.
func (k *task) likelihood(precision float64) energy.PC {
	if k.plain.softmax {
		return energy.PC{Output: energy.Categorical{Precision: precision}}
	}
	return energy.PC{Output: energy.Gaussian{Precision: precision}}
}

// model compiles the network and clamps the data.
func (k *task) model(t *testing.T, c arch.Coordinates, precision float64) *arch.Model[float64] {
	t.Helper()
	m, err := arch.Compile(k.net, k.w, arch.Plan{Batch: k.batch, Coordinates: c, Energy: k.likelihood(precision)})
	if err != nil {
		t.Fatal(err)
	}
	ok(t, m.Clamp(k.x, k.y))
	ok(t, m.Forward())
	return m
}

// paramGrad is dF/dW of a model at its present activities.
func paramGrad(t *testing.T, m *arch.Model[float64]) []float64 {
	t.Helper()
	dw := make([]float64, len(m.Weights().Data()))
	if _, err := m.ParamGrad(dw); err != nil {
		t.Fatal(err)
	}
	return dw
}

// plainGrad is the plain loops' gradient in the order of the slab.
func (k *task) plainGrad() (loss float64, dw []float64) {
	loss, grads := k.plain.backprop(k.x, k.y, k.batch)
	for _, p := range k.net.Weights() {
		l := int(p.Name[len("block")] - '1')
		g := grads[2*l]
		if strings.HasSuffix(p.Name, "/b") {
			g = grads[2*l+1]
		}
		dw = append(dw, g...)
	}
	return loss, dw
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// relative is |a - b| / |b|.
func relative(a, b []float64) float64 {
	dd, bb := 0.0, 0.0
	for i := range b {
		dd += (a[i] - b[i]) * (a[i] - b[i])
		bb += b[i] * b[i]
	}
	return math.Sqrt(dd / bb)
}

// worstField is the largest relative difference over the weights, each by itself.
func (k *task) worstField(a, b []float64) float64 {
	worst := 0.0
	for i := range k.w.Fields() {
		if d := relative(k.w.Part(a, i), k.w.Part(b, i)); !(d <= worst) {
			worst = d
		}
	}
	return worst
}

// everyTask runs a test for every activation, both likelihoods, with and without skips.
func everyTask(t *testing.T, acts []layers.Act, run func(t *testing.T, c arch.Chain, softmax bool)) {
	for _, act := range acts {
		for _, softmax := range []bool{false, true} {
			for _, skips := range []bool{false, true} {
				name := act.String() + " squared"
				if softmax {
					name = act.String() + " softmax"
				}
				if skips {
					name += " skips"
				}
				c := arch.Chain{Act: act, Bias: true, Skips: skips}
				t.Run(name, func(t *testing.T) { run(t, c, softmax) })
			}
		}
	}
}
