package arch_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"
	"gorgonia.org/gorgonia"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/theory"
)

// hessianAt compiles the operator at the model's present activities.
func hessianAt[T graph.Float](t *testing.T, m *arch.Model[T]) *arch.StateHessian[T] {
	t.Helper()
	h := must(m.StateHessian())(t)
	ok(t, h.At(m.State()))
	return h
}

// bends checks products against central differences of StateGrad along the same directions, which the first derivative, a
// program of its own, is good to 1e-10 for, and that u H v = v H u.
func bends(t *testing.T, m *arch.Model[float64]) {
	t.Helper()
	z := slices.Clone(m.State())
	if len(z) == 0 {
		t.Fatal("nothing is free")
	}
	h := hessianAt(t, m)
	var vs, products [2][]float64
	for k := range vs {
		vs[k], products[k] = normal[float64](rng(uint64(20+k)), len(z)), make([]float64, len(z))
		ok(t, h.Mul(products[k], vs[k]))
		up, down, at := make([]float64, len(z)), make([]float64, len(z)), make([]float64, len(z))
		for side, dst := range map[float64][]float64{fdStep: up, -fdStep: down} {
			for i := range z {
				at[i] = z[i] + side*vs[k][i]
			}
			must(m.StateGrad(dst, at))(t)
		}
		for i := range up {
			up[i] = (up[i] - down[i]) / (2 * fdStep)
		}
		near(t, "H v", products[k], up, fdTol)
	}
	a, b, scale := 0., 0., 0.
	for i := range z {
		a += vs[0][i] * products[1][i]
		b += vs[1][i] * products[0][i]
		scale += math.Abs(vs[0][i] * products[1][i])
	}
	if math.Abs(a-b) > 1e-12*scale {
		t.Errorf("u H v = %.15g, v H u = %.15g: not symmetric", a, b)
	}
}

// TestStateHessian_OfGraphs: finite differences over every kind of graph, hold, likelihood and coordinates.
func TestStateHessian_OfGraphs(t *testing.T) {
	forSketches(t, func(t *testing.T, s sketch, c arch.Coordinates) {
		m := compileSketch(t, s, weightsOf[float64](t, s.n, 3), c, 3)
		if c == arch.Feedforward {
			if _, err := m.StateHessian(); err == nil || !strings.Contains(err.Error(), "nothing is free") {
				t.Errorf("error %v: want that nothing is free", err)
			}
			return
		}
		copy(m.State(), normal[float64](rng(4), len(m.State())))
		bends(t, m)
	})
}

// TestStateHessian_OfPlans: finite differences for every combination of coordinates and free ends.
func TestStateHessian_OfPlans(t *testing.T) {
	for name, n := range map[string]*arch.Network{
		"tangled": tangled(layers.Tanh), "one block": mlp(t, arch.MuP{}, layers.Tanh, 5, 3), "linear": mlp(t, arch.SP{}, layers.LinearAct, 5, 4, 3),
	} {
		for _, p := range plans()[1:] {
			for _, f := range []energy.Functional{nil, everything} {
				p.Batch, p.Energy = 3, f
				t.Run(fmt.Sprintf("%s %s everything=%v", name, planName(p), f != nil), func(t *testing.T) {
					m := compile(t, n, weightsOf[float64](t, n, 3), p)
					if len(m.State()) == 0 {
						return
					}
					copy(m.State(), normal[float64](rng(4), len(m.State())))
					bends(t, m)
				})
			}
		}
	}
}

// TestStateHessian_OfArchitectures: finite differences for every architecture, activation and energy.
func TestStateHessian_OfArchitectures(t *testing.T) {
	network := func(n *arch.Network, err error) *arch.Network { return must(n, err)(t) }
	image := [3]int{8, 8, 2}
	nets := map[string]*arch.Network{
		"cnn":         network(arch.CNN{Act: layers.Tanh, Image: image, Channels: []int{3, 4}, Classes: 3, Bias: true}.Network()),
		"cnn maxima":  network(arch.CNN{Act: layers.GELU, Image: image, Channels: []int{3}, Classes: 3, MaxPool: true}.Network()),
		"resnet":      network(arch.ResNet{Scaling: arch.MuPC{}, Act: layers.Tanh, Image: image, Width: 3, Classes: 3}.Network()),
		"transformer": network(arch.Transformer{Scaling: arch.MuPC{}, Vocab: 5, Tokens: 4, Width: 6, Heads: 2, Blocks: 2, Norm: true}.Network()),
		"halves":      network(arch.Transformer{Vocab: 5, Tokens: 4, Width: 4, Heads: 2, Halves: true, Full: true, Act: layers.SiLU}.Network()),
		"cube":        {Input: []int{3}, Blocks: []arch.Block{{Name: "a", Layer: layers.Linear{In: 3, Out: 4}}, {Name: "b", Layer: cubed{}}, {Name: "c", Layer: layers.Linear{In: 4, Out: 2}}}},
	}
	for _, act := range layers.Acts() {
		nets["mlp "+act.String()] = mlp(t, arch.NTP{}, act, 4, 5, 5, 3)
		nets["residual "+act.String()] = resMLP(t, arch.MuPC{}, act, 4, 5, 5, 5, 3)
	}
	for name, n := range nets {
		for _, f := range []energy.Functional{nil, everything} {
			t.Run(fmt.Sprintf("%s/everything=%v", name, f != nil), func(t *testing.T) {
				m := must(arch.Compile(n, weightsOf[float64](t, n, 3), arch.Plan{Batch: 2, Energy: f}))(t)
				in, out := m.Sizes()
				x, y := samples[float64](in, out, 2)
				if strings.HasPrefix(name, "transformer") || name == "halves" {
					for i := range x {
						x[i] = float64(i * 3 % 5) // tokens
					}
				}
				ok(t, m.Clamp(x, y))
				ok(t, m.Forward())
				for i, v := range normal[float64](rng(5), len(m.State())) {
					m.State()[i] += .3 * v
				}
				bends(t, m)
			})
		}
	}
}

// linear builds a random linear network, in theory and as a model with data.
func linear(t *testing.T, s theory.Spec, decay float64, batch int) (theory.Linear, *arch.Model[float64]) {
	t.Helper()
	r := rng(31)
	closed := must(s.Sample(r))(t)
	closed.ActivityDecay = decay
	sizes := []int{s.Inputs}
	for range s.Depth - 1 {
		sizes = append(sizes, s.Width)
	}
	scaling := map[theory.Scaling]arch.Scaling{theory.SP: arch.SP{}, theory.NTP: arch.NTP{}, theory.MuPC: arch.MuPC{Gamma: s.Gamma}}[s.Scaling]
	n := must(arch.Chain{Scaling: scaling, Act: layers.LinearAct, Widths: append(sizes, s.Outputs), Skips: s.Skips}.Network())(t)
	w := must(arch.NewWeights[float64](n, r))(t)
	for i, m := range closed.Weights {
		copy(w.Part(w.Data(), i), m.RawMatrix().Data)
	}
	w.Touch()
	f := energy.Sum{energy.PC{Output: energy.Gaussian{Precision: s.Precision}}, energy.ActivityDecay{Rate: decay}}
	return closed, compile(t, n, w, arch.Plan{Batch: batch, Energy: f})
}

// TestStateHessian_OfLinearNetworksIsTheClosedForm: in full, at any activities, and at all samples. Tolerance: rounding.
func TestStateHessian_OfLinearNetworksIsTheClosedForm(t *testing.T) {
	for _, s := range []theory.Spec{
		{Scaling: theory.SP, Inputs: 4, Width: 6, Outputs: 3, Depth: 4, Precision: 1},
		{Scaling: theory.MuPC, Inputs: 4, Width: 6, Outputs: 3, Depth: 5, Skips: true, Gamma: .5, Precision: 3},
		{Scaling: theory.NTP, Inputs: 4, Width: 6, Outputs: 8, Depth: 2, Precision: .2},
	} {
		for _, decay := range []float64{0, .7} {
			closed, m := linear(t, s, decay, 2)
			copy(m.State(), normal[float64](rng(6), len(m.State())))
			h, want := hessianAt(t, m), must(closed.ActivityHessian())(t)
			rows, each := want.SymmetricDim(), m.StateVector()
			v, got := make([]float64, h.Dim()), make([]float64, h.Dim())
			for col := range rows { // of sample 1
				clear(v)
				at := func(x []float64, sample, row int) *float64 {
					return &each.Part(x, row/s.Width)[sample*s.Width+row%s.Width]
				}
				*at(v, 1, col) = 1
				ok(t, h.Mul(got, v))
				for row := range rows {
					if d := math.Abs(*at(got, 1, row) - want.At(row, col)); d > 1e-14*mat.Norm(want, 1) || *at(got, 0, row) != 0 {
						t.Fatalf("%+v decay %g: H[%d,%d] = %.15g and %g at another sample, want %.15g and 0", s, decay, row, col, *at(got, 1, row), *at(got, 0, row), want.At(row, col))
					}
				}
			}
		}
	}
}

// TestStateHessian_OfNonlinearChainsIsTheFormula: with J_l = a_l W_l^T diag(phi'(z)) + skip and e the errors,
//
//	H_ll = I + lambda_{l+1} J^T J - diag(phi''(z_l) (a W e_{l+1})),  H_{l,l+1} = -J^T
//
// written in plain loops, and the extreme eigenvalues of that matrix by Lanczos with the products, the lowest also by
// conjugate gradients.
func TestStateHessian_OfNonlinearChainsIsTheFormula(t *testing.T) {
	const inputs, width, outputs, depth = 5, 7, 3, 5
	const precision = 2.
	for _, f := range []struct {
		act      layers.Act
		one, two func(z float64) float64 // derivatives
		value    func(z float64) float64
	}{
		{layers.Tanh, func(z float64) float64 { c := math.Cosh(z); return 1 / (c * c) },
			func(z float64) float64 { c := math.Cosh(z); return -2 * math.Tanh(z) / (c * c) }, math.Tanh},
		{layers.ReLU, func(z float64) float64 { return float64(max(0, int(math.Copysign(1, z)))) },
			func(float64) float64 { return 0 }, func(z float64) float64 { return max(0, z) }},
	} {
		for _, skips := range []bool{false, true} {
			s := arch.MuPC{Gamma: .3}
			n := must(arch.Chain{Scaling: s, Act: f.act, Widths: []int{inputs, width, width, width, width, outputs}, Skips: skips}.Network())(t)
			w := must(arch.NewWeights[float64](n, rng(8)))(t)
			m := compile(t, n, w, arch.Plan{Batch: 1, Energy: energy.PC{Output: energy.Gaussian{Precision: precision}}})
			copy(m.State(), normal[float64](rng(9), len(m.State())))
			_, y := samples[float64](inputs, outputs, 1)
			z := func(l int) []float64 { return m.StateVector().Part(m.State(), l) } // z_{l+1}
			var blocks theory.BlockTridiagonal
			for l := range depth - 1 {
				weight, out, after, lambda := w.Part(w.Data(), l+1), width, y, precision
				scale := 1 / (.3 * width)
				residual := l+1 < depth-1
				if residual {
					after, lambda = z(l+1), 1
					if scale = 1 / math.Sqrt(width); skips {
						scale /= math.Sqrt(depth)
					}
				} else {
					out = outputs
				}
				jac := mat.NewDense(width, out, nil) // J^T
				e := slices.Clone(after)
				for i, zi := range z(l) {
					for k := range out {
						jac.Set(i, k, scale*weight[i*out+k]*f.one(zi))
						e[k] -= scale * weight[i*out+k] * f.value(zi)
					}
					if residual && skips {
						jac.Set(i, i, jac.At(i, i)+1)
						e[i] -= zi
					}
				}
				d := mat.NewSymDense(width, nil)
				d.SymOuterK(lambda, jac)
				for i, zi := range z(l) {
					pull := 0.
					for k := range out {
						pull += scale * weight[i*out+k] * lambda * e[k]
					}
					d.SetSym(i, i, d.At(i, i)+1-f.two(zi)*pull)
				}
				blocks.Diagonal = append(blocks.Diagonal, d)
				if residual {
					jac.Scale(-1, jac)
					blocks.Upper = append(blocks.Upper, jac)
				}
			}
			h := hessianAt(t, m)
			want, got := make([]float64, h.Dim()), make([]float64, h.Dim())
			v := normal[float64](rng(10), h.Dim())
			ok(t, blocks.Mul(want, v))
			ok(t, h.Mul(got, v))
			near(t, fmt.Sprintf("%v skips=%v: H v", f.act, skips), got, want, 1e-13)

			whole := must(theory.Assemble(h.Dim(), h.Mul))(t)
			eig := must(theory.Eigenvalues(blocks.Dense()))(t)
			near(t, "spectrum", must(theory.Eigenvalues(whole))(t), eig, 1e-13)
			low, high, err := theory.Lanczos{}.Extremes(h.Dim(), h.Mul)
			ok(t, err)
			near(t, "ends of the spectrum", []float64{low.Value, high.Value}, []float64{eig[0], eig[len(eig)-1]}, 1e-12)
			if eig[0] > 0 {
				lowest := must(theory.Lanczos{}.Smallest(h.Dim(), h.Mul, theory.CG{}.Inverse(h.Mul)))(t)
				near(t, "lowest eigenvalue", []float64{lowest.Value}, eig[:1], 1e-12)
			}
		}
	}
}

// TestStateHessian_FollowsTheModel: after new weights, data, masks and activities, At makes the operator that a new model has.
// A product depends on its own sample only. Single precision is double to rounding, and a product allocates nothing.
func TestStateHessian_FollowsTheModel(t *testing.T) {
	n := mlp(t, arch.SP{}, layers.Tanh, 4, 5, 3)
	plan := arch.Plan{Batch: 4, Hold: map[string]arch.Hold{"block2": arch.Masked}, Energy: energy.PC{Output: energy.Categorical{}}}
	build := func(seed uint64) *arch.Model[float64] {
		m := compile(t, n, weightsOf[float64](t, n, seed), plan)
		x, y := normal[float64](rng(seed), 16), slices.Repeat([]float64{.2, .3, .5}, 4)
		ok(t, m.Clamp(x, y))
		ok(t, m.Mask("block2", []float64{1, float64(seed % 2), 0}))
		copy(m.State(), normal[float64](rng(seed+1), len(m.State())))
		return m
	}
	one, two := build(1), build(2)
	h := hessianAt(t, one)
	v := normal[float64](rng(3), h.Dim())
	product := func(h *arch.StateHessian[float64]) []float64 {
		dst := make([]float64, h.Dim())
		ok(t, h.Mul(dst, v))
		return dst
	}
	if h.Bytes() <= 0 {
		t.Error("no memory")
	}
	first := product(h)
	copy(one.Weights().Data(), two.Weights().Data())
	ok(t, one.Clamp(normal[float64](rng(2), 16), slices.Repeat([]float64{.2, .3, .5}, 4)))
	ok(t, one.Mask("block2", []float64{1, 0, 0}))
	sameBits(t, "before At", product(h), first)
	ok(t, h.At(two.State()))
	sameBits(t, "after At", product(h), product(hessianAt(t, two)))

	single := must(arch.Compile(n, weightsOf[float32](t, n, 2), plan))(t)
	ok(t, single.Clamp(normal[float32](rng(2), 16), slices.Repeat([]float32{.2, .3, .5}, 4)))
	ok(t, single.Mask("block2", []float32{1, 0, 0}))
	hs := must(single.StateHessian())(t)
	ok(t, hs.At(normal[float32](rng(3), hs.Dim())))
	ok(t, h.At(normal[float64](rng(3), h.Dim())))
	got := make([]float32, hs.Dim())
	vs := normal[float32](rng(3), hs.Dim())
	ok(t, hs.Mul(got, vs))
	near(t, "float32", got, product(h), 1e-6)
	if allocs := testing.AllocsPerRun(5, func() { ok(t, hs.Mul(got, vs)) }); allocs != 0 {
		t.Errorf("%g allocations per product", allocs)
	}
}

// TestStateHessian_Errors: activities that are not finite, and an operation of Gorgonia's without a sound second derivative.
func TestStateHessian_Errors(t *testing.T) {
	n := mlp(t, arch.SP{}, layers.Tanh, 4, 5, 3)
	m := compile(t, n, weightsOf[float64](t, n, 1), arch.Plan{Batch: 2})
	h := must(m.StateHessian())(t)
	z := slices.Clone(m.State())
	z[3] = math.NaN()
	if err := h.At(z); err == nil || !strings.Contains(err.Error(), "block1/z") || !strings.Contains(err.Error(), "not finite") {
		t.Errorf("error %v: want one that names block1/z", err)
	}
	one := mlp(t, arch.SP{}, layers.Tanh, 4, 3)
	flat := compile(t, one, weightsOf[float64](t, one, 1), arch.Plan{Batch: 2, FreeOutput: true, Energy: energy.PC{Output: energy.Categorical{}}})
	if _, err := flat.StateHessian(); err == nil || !strings.Contains(err.Error(), "linear in") {
		t.Errorf("error %v: want that the energy is linear in the labels", err)
	}
	soft := &arch.Network{Input: []int{3}, Blocks: []arch.Block{
		{Name: "a", Layer: layers.Linear{In: 3, Out: 4}},
		{Name: "gate", Layer: softened{}},
		{Name: "c", Layer: layers.Linear{In: 4, Out: 2}},
	}}
	ms := compile(t, soft, weightsOf[float64](t, soft, 1), arch.Plan{Batch: 2})
	must(ms.StateGrad(make([]float64, len(ms.State())), ms.State()))(t)
	_, err := ms.StateHessian()
	if err == nil || !strings.Contains(err.Error(), "SoftmaxDiff") || !strings.Contains(err.Error(), "CrossEntropy") {
		t.Errorf("error %v: want one that names the operation and what to use", err)
	}
}

// softened is a layer of Gorgonia's softmax, whose second derivative is wrong.
type softened struct{}

func (softened) Params() []layers.Param { return nil }

func (softened) Forward(b *graph.Builder, _ []*graph.Node, x *graph.Node) *graph.Node {
	return b.Do("soften", func() (*graph.Node, error) { return gorgonia.SoftMax(x) })
}

// How ill conditioned is inference? The ends of the spectrum by products with the Hessian, the lowest with an inverse by
// conjugate gradients; for networks that are not convex there, use theory.Lanczos.Extremes.
func ExampleModel_StateHessian() {
	net, err := arch.ResMLP(arch.MuPC{}, layers.Tanh, 10, 32, 32, 32, 32, 5)
	if err != nil {
		fmt.Println(err)
		return
	}
	w, err := arch.NewWeights[float64](net, rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err := arch.Compile(net, w, arch.Plan{Batch: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	x, y := make([]float64, 10), make([]float64, 5)
	x[0], y[0] = 1, 1
	if err := errors.Join(m.Clamp(x, y), m.Forward()); err != nil {
		fmt.Println(err)
		return
	}
	h, err := m.StateHessian()
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := h.At(m.State()); err != nil {
		fmt.Println(err)
		return
	}
	kappa, err := theory.Lanczos{}.Condition(h.Dim(), h.Mul, theory.CG{}.Inverse(h.Mul))
	fmt.Printf("%d activities, condition number %.1f, error %v\n", h.Dim(), kappa, err)
	// Output: 128 activities, condition number 103.9, error <nil>
}

func BenchmarkStateHessian(b *testing.B) {
	n, err := arch.ResMLP(arch.MuPC{}, layers.Tanh, 64, 128, 128, 128, 128, 128, 128, 128, 10)
	if err != nil {
		b.Fatal(err)
	}
	w, err := arch.NewWeights[float64](n, rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		b.Fatal(err)
	}
	m, err := arch.Compile(n, w, arch.Plan{Batch: 32})
	if err != nil {
		b.Fatal(err)
	}
	x, y := samples[float64](64, 10, 32)
	if err := m.Clamp(x, y); err != nil {
		b.Fatal(err)
	}
	h, err := m.StateHessian()
	if err != nil {
		b.Fatal(err)
	}
	z, dst := normal[float64](rng(1), len(m.State())), make([]float64, len(m.State()))
	if err := h.At(z); err != nil {
		b.Fatal(err)
	}
	k := 0.
	b.Run("gradient", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			z[0] = k // all that follows a new point
			k++
			for i := range z {
				z[i] += 1e-6
			}
			if _, err := m.StateGrad(dst, z); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("product", func(b *testing.B) {
		b.ReportAllocs()
		v := slices.Clone(z)
		for b.Loop() {
			for i := range v {
				v[i] += 1e-6
			}
			if err := h.Mul(dst, v); err != nil {
				b.Fatal(err)
			}
		}
	})
}
