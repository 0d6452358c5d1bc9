package graph

import (
	"fmt"
	"testing"
)

// Batches of 32 images of 32x32 with 3x3 kernels in float32, everything computed at every run.
func BenchmarkConv(b *testing.B) {
	for _, channels := range []int{16, 32} {
		bd := NewBuilder[float32]()
		x, w := bd.Data("x", 32, 32, 32, channels), bd.Param("w", 3, 3, channels, channels)
		y := bd.Conv2D(x, w, nil, Conv{Pad: [2]int{1, 1}})
		g := bd.Data("g", y.Shape()...)
		grads := must(Grad(bd.Inner(y, g), x, w))(b)
		pool := bd.AvgPool2D(x, Pool{Size: [2]int{2, 2}})
		largest := bd.MaxPool2D(x, Pool{Size: [2]int{2, 2}})
		half := bd.Data("half", pool.Shape()...)
		dPool, dLargest := must(Grad(bd.Inner(pool, half), x))(b)[0], must(Grad(bd.Inner(largest, half), x))(b)[0]
		for _, path := range []struct {
			name string
			out  *Node
		}{{"forward", y}, {"input", grads[0]}, {"weights", grads[1]}, {"mean", pool}, {"meanGrad", dPool}, {"max", largest}, {"maxGrad", dLargest}} {
			p := must(CompilePlan[float32](Plan{Targets: [][]*Node{{path.out}}, Batched: batchedOf(bd)}))(b)
			load(p, bd, randomInputs(rng(1), bd))
			ok(b, p.Run(0))
			b.Run(fmt.Sprintf("%d/%s", channels, path.name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					ok(b, p.Run(0))
				}
			})
		}
	}
}

// cnn is the network of the benchmark beside which JAX is measured: three stages of a convolution, a residual
// convolution of a tanh and an average pool, then a linear map to 10 classes; every activity is free.
func cnn(channels, size, in, batch int) net {
	bd := NewBuilder[float32]()
	n := net{b: bd}
	x := bd.Data("x", batch, size, size, in)
	same := Conv{Pad: [2]int{1, 1}}
	site := func(name string, mu *Node) {
		x = bd.State(name, mu.Shape()...)
		n.states, n.preds = append(n.states, x), append(n.preds, mu)
		n.terms = append(n.terms, bd.HalfSquare(bd.Sub(x, mu), 1, batch))
	}
	param := func(name string, shape ...int) *Node {
		w := bd.Param(name, shape...)
		n.params = append(n.params, w)
		return w
	}
	for stage := range 3 {
		bd.Within(fmt.Sprint("stage", stage), func() {
			site("conv", bd.Conv2D(x, param("W", 3, 3, x.Shape()[3], channels), nil, same))
			site("residual", bd.Add(x, bd.Conv2D(bd.Act(Tanh, x), param("V", 3, 3, channels, channels), nil, same)))
			site("pool", bd.AvgPool2D(x, Pool{Size: [2]int{2, 2}}))
		})
	}
	features := channels * (size / 8) * (size / 8)
	logits := bd.Linear(bd.Reshape(x, features), param("out", features, 10), nil, 1)
	n.preds = append(n.preds, logits)
	n.terms = append(n.terms, bd.CrossEntropy(bd.Data("y", batch, 10), logits, 1, batch))
	ones := make([]float64, len(n.terms))
	for i := range ones {
		ones[i] = 1
	}
	n.energy = bd.Combine(ones, n.terms...)
	return n
}

// The first convolution sees the clamped input: with the cache it is done once per batch, as in training.
func BenchmarkCNN(b *testing.B) {
	for _, s := range [][4]int{{16, 32, 3, 32}, {32, 32, 3, 32}, {8, 28, 1, 64}} {
		n := cnn(s[0], s[1], s[2], s[3])
		ok(b, n.b.Err())
		dz, dw := must(Grad(n.b.Scale(n.energy, float64(s[3])), n.states...))(b), must(Grad(n.energy, n.params...))(b)
		for _, path := range []struct {
			name string
			outs []*Node
		}{{"activities", dz}, {"weights", dw}} {
			p := must(CompilePlan[float32](Plan{Targets: [][]*Node{append([]*Node{n.energy}, path.outs...)}, Batched: batchedOf(n.b)}))(b)
			load(p, n.b, randomInputs(rng(1), n.b))
			ok(b, p.Run(0))
			b.Run(fmt.Sprintf("channels%d_image%d_batch%d/%s", s[0], s[1], s[3], path.name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					ok(b, p.Run(0))
				}
				b.ReportMetric(float64(p.Bytes())/(1<<20), "MB")
			})
		}
	}
}
