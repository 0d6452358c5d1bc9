package graph

import (
	"testing"

	"gorgonia.org/gorgonia"
)

var smoothActs = []Activation{Linear, Tanh, Sigmoid, GELU, SELU, SiLU}

// specs are networks of four layers that between them use every operation an energy of linear layers needs.
func specs() []netSpec {
	var ss []netSpec
	for i, f := range smoothActs {
		ss = append(ss, netSpec{batch: 5, widths: []int{3, 4, 4, 4, 3}, act: f, bias: i%2 == 0, skip: i%3 != 0, logits: i%2 == 1})
	}
	return ss
}

func (n net) free() []*Node { return append(append([]*Node(nil), n.states...), n.params...) }

func TestGrad_OfAnEnergyIsItsDifferenceQuotient(t *testing.T) {
	for _, s := range specs() {
		n := build[float64](s)
		gs := must(Grad(n.energy, n.free()...))(t)
		checkSlopes(t, n.b, append([]*Node{n.energy}, gs...), n.free())
	}
}

func TestGrad_TwiceIsAHessianVectorProduct(t *testing.T) {
	for _, s := range specs() {
		t.Run(s.act.String(), func(t *testing.T) {
			n := build[float64](s)
			gs := must(Grad(n.energy, n.free()...))(t)
			gv := innerWithProbes(n.b, gs)
			checkSlopes(t, n.b, append([]*Node{gv}, must(Grad(gv, n.free()...))(t)...), n.free())
		})
	}
}

// TestProgram_EqualsTheTapeMachine: energy, gradients with respect to activities and weights, and a Hessian-vector product.
func TestProgram_EqualsTheTapeMachine(t *testing.T) {
	for _, s := range specs() {
		t.Run(s.act.String(), func(t *testing.T) {
			networkAgrees[float64](t, s, 1e-12)
			networkAgrees[float32](t, s, 1e-4)
		})
	}
}

func networkAgrees[T Float](t *testing.T, s netSpec, tol float64) {
	make := func() (*Builder, []*Node) {
		n := build[T](s)
		gs := must(Grad(n.energy, n.free()...))(t)
		gv := innerWithProbes(n.b, gs)
		hs := must(Grad(gv, n.free()...))(t)
		return n.b, append(append([]*Node{n.energy}, gs...), hs...)
	}
	b, outs := make()
	vs := randomInputs(rng(4), b)
	ours := evaluate[T](t, b, vs, outs...)
	byRows := sharded[T](t, b, vs, outs...)
	b, outs = make()
	near(t, "TapeMachine", tape[T](t, b, vs, outs...), ours, tol)
	near(t, "batched program", byRows, ours, tol)
}

// The same energy written twice: with fused operations, and with Gorgonia's own through Builder.Do.
func TestOps_FusedEqualsPlainGorgonia(t *testing.T) {
	fused := build[float64](netSpec{batch: 5, widths: []int{3, 4, 4, 2}, act: Tanh, bias: true})
	outs := append([]*Node{fused.energy}, must(Grad(fused.energy, fused.free()...))(t)...)
	vs := randomInputs(rng(5), fused.b)
	want := evaluate[float64](t, fused.b, vs, outs...)

	plain := plainNet(t, 5, []int{3, 4, 4, 2})
	outs = append([]*Node{plain.energy}, must(Grad(plain.energy, plain.free()...))(t)...)
	near(t, "plain operations", evaluate[float64](t, plain.b, vs, outs...), want, 1e-13)
	near(t, "plain operations, batched", sharded[float64](t, plain.b, vs, outs...), want, 1e-13)
}

// plainNet is build with tanh, biases and a factor of 1/2, in Gorgonia's own operations.
func plainNet(t *testing.T, batch int, widths []int) net {
	b := NewBuilder[float64]()
	n := net{b: b}
	x := b.Data("x", batch, widths[0])
	half := func() *Node { return gorgonia.NewConstant(.5) }
	for l := 1; l < len(widths); l++ {
		b.Within("block"+string(rune('0'+l)), func() {
			w, c := b.Param("W", widths[l-1], widths[l]), b.Param("b", widths[l])
			n.params = append(n.params, w, c)
			in := x
			if l > 1 {
				in = b.Do("tanh", func() (*Node, error) { return gorgonia.Tanh(x) })
			}
			mu := b.Do("affine", func() (*Node, error) {
				xw, err := gorgonia.Mul(in, w)
				if err != nil {
					return nil, err
				}
				row, err := gorgonia.Reshape(c, []int{1, widths[l]})
				if err != nil {
					return nil, err
				}
				sum, err := gorgonia.BroadcastAdd(xw, row, nil, []byte{0})
				if err != nil {
					return nil, err
				}
				return gorgonia.Mul(half(), sum)
			})
			if l < len(widths)-1 {
				x = b.State("z", batch, widths[l])
				n.states = append(n.states, x)
			} else {
				x = b.Data("y", batch, widths[l])
			}
			n.terms = append(n.terms, b.Do("error", func() (*Node, error) {
				e, err := gorgonia.Sub(x, mu)
				if err != nil {
					return nil, err
				}
				sq, err := gorgonia.Square(e)
				if err != nil {
					return nil, err
				}
				s, err := gorgonia.Sum(sq)
				if err != nil {
					return nil, err
				}
				return gorgonia.Mul(gorgonia.NewConstant(.5/float64(batch)), s)
			}))
		})
	}
	ok(t, b.Err())
	ones := []float64{1, 1, 1}[:len(n.terms)]
	n.energy = b.Combine(ones, n.terms...)
	return n
}

// Fused operations in the middle of Gorgonia's own, and the other way round.
func TestGrad_MixesFusedAndPlainOperations(t *testing.T) {
	b := NewBuilder[float64]()
	x, w := b.Data("x", 4, 3), b.Param("W", 3, 2)
	h := b.Do("exp", func() (*Node, error) { return gorgonia.Exp(b.Linear(x, w, nil, .1)) })
	f := b.HalfSquare(b.Act(Tanh, h), 1, 4)
	ok(t, b.Err())
	checkSlopes(t, b, append([]*Node{f}, must(Grad(f, x, w))(t)...), []*Node{x, w})
}
