package graph

import (
	"runtime"
	"testing"
)

// smallCNN is a network of every path: same convolution, stride, transpose, groups and bias, both poolings, reshape.
func smallCNN[T Float](batch int) (b *Builder, energy *Node, free []*Node) {
	b = NewBuilder[T]()
	x := b.Data("x", batch, 16, 16, 4)
	w, c := b.Param("w", 3, 3, 4, 8), b.Param("c", 8)
	v, u, d := b.Param("v", 3, 3, 4, 8), b.Param("u", 2, 2, 3, 8), b.Param("d", 3)
	h := b.Act(Tanh, b.Conv2D(x, w, c, Conv{Pad: [2]int{1, 1}}))
	h = b.Conv2D(b.MaxPool2D(h, Pool{Size: [2]int{2, 2}}), v, nil, Conv{Stride: [2]int{2, 2}, Pad: [2]int{1, 1}, Groups: 2})
	h = b.ConvTranspose2D(h, u, d, Conv{Stride: [2]int{2, 2}}, [2]int{})
	h = b.Reshape(b.AvgPool2D(h, Pool{Size: [2]int{2, 2}}), 48)
	return b, b.HalfSquare(h, 1, batch), []*Node{x, w, c, v, u, d}
}

// Sums over the batch are cut by the shapes alone, never by the number of cores.
func TestConv_CoresChangeNoBit(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	var want [][]float64
	for _, cores := range []int{1, 2, 3} {
		runtime.GOMAXPROCS(cores)
		b, energy, free := smallCNN[float32](37)
		outs := append([]*Node{energy}, must(Grad(energy, free...))(t)...)
		got := sharded[float32](t, b, randomInputs(rng(21), b), outs...)
		if want == nil {
			want = got
		}
		same(t, "cores", got, want)
	}
}

func TestConv_AllocatesNothing(t *testing.T) {
	b, energy, free := smallCNN[float32](37)
	outs := append([]*Node{energy}, must(Grad(energy, free...))(t)...)
	p := must(CompilePlan[float32](Plan{Targets: [][]*Node{outs}, Batched: batchedOf(b)}))(t)
	load(p, b, randomInputs(rng(22), b))
	ok(t, p.Run(0))
	if n := testing.AllocsPerRun(5, func() { ok(t, p.Run(0)) }); n != 0 {
		t.Errorf("%v allocations per run", n)
	}
}

// A sample's gradient has the same bits in any batch and shard.
func TestConv_ShardsChangeNoBit(t *testing.T) {
	var whole []float64
	for _, batch := range []int{37, 1, 5} {
		b, energy, free := smallCNN[float64](batch)
		g := must(Grad(b.Scale(energy, float64(batch)), free[0]))(t)[0]
		vs := randomInputs(rng(23), b)
		for i := range vs { // the first samples of a batch of 37
			vs[i] = random(rng(uint64(i)), len(vs[i]))
		}
		got := sharded[float64](t, b, vs, g)[0]
		if whole == nil {
			whole = append(whole, got...)
		}
		same(t, "first samples", [][]float64{whole[:len(got)]}, [][]float64{got})
	}
}
