package arch

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/pcgraph/pcgraph/internal/kernel"
	"github.com/pcgraph/pcgraph/layers"
)

// deep is a compiled ReLU network of one width on random data, at two points that differ everywhere: a model computes
// only what depends on a change.
type deep struct {
	model *Model[float32]
	x, y  []float32
	z     [2][]float32
}

// deepNets runs f on networks of depth, width and batch.
func deepNets(b *testing.B, f func(b *testing.B, d deep)) {
	for _, s := range [][3]int{{8, 128, 64}, {32, 128, 64}, {8, 512, 64}, {128, 128, 64}} {
		b.Run(fmt.Sprintf("%dx%dx%d", s[0], s[1], s[2]), func(b *testing.B) {
			b.ReportAllocs()
			f(b, newDeep(b, s[0], s[1], s[2]))
		})
	}
}

func newDeep(b *testing.B, depth, width, batch int) (d deep) {
	rng := rand.New(rand.NewPCG(1, 2))
	normals := func(n int, deviation float64) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(deviation * rng.NormFloat64())
		}
		return x
	}
	widths := make([]int, depth+1)
	for i := range widths {
		widths[i] = width
	}
	net, err := MLP(SP{}, layers.ReLU, widths...)
	if err != nil {
		b.Fatal(err)
	}
	w, err := NewWeights[float32](net, rng)
	if err != nil {
		b.Fatal(err)
	}
	copy(w.Data(), normals(len(w.Data()), math.Sqrt(2/float64(width)))) // neither shrinks nor blows up with depth
	if d.model, err = Compile(net, w, Plan{Batch: batch}); err != nil {
		b.Fatal(err)
	}
	d.x, d.y = normals(batch*width, 1), normals(batch*width, 1)
	if err := d.model.Clamp(d.x, d.y); err != nil {
		b.Fatal(err)
	}
	if err := d.model.Forward(); err != nil {
		b.Fatal(err)
	}
	for i := range d.z {
		d.z[i] = normals(len(d.model.State()), .1)
		kernel.Add(d.z[i], d.z[i], d.model.State())
	}
	return d
}

// BenchmarkStateGrad is one evaluation of the energy with its gradient with respect to the activities, all of which have moved.
func BenchmarkStateGrad(b *testing.B) {
	deepNets(b, func(b *testing.B, d deep) {
		grad := make([]float32, len(d.model.State()))
		for i := 0; b.Loop(); i++ {
			if _, err := d.model.StateGrad(grad, d.z[i%2]); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkDescend is an inference of 20 steps, with weights that have just changed.
func BenchmarkDescend(b *testing.B) {
	deepNets(b, func(b *testing.B, d deep) {
		grad, z := make([]float32, len(d.model.State())), make([]float32, len(d.model.State()))
		for b.Loop() {
			copy(z, d.z[0])
			d.model.Weights().Touch()
			if _, _, err := d.model.FusedSteps(grad, z, .05, 20); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkParamGrad is the gradient with respect to the weights at activities that have moved. Moving them is in it.
func BenchmarkParamGrad(b *testing.B) {
	deepNets(b, func(b *testing.B, d deep) {
		grad := make([]float32, len(d.model.Weights().Data()))
		for i := 0; b.Loop(); i++ {
			copy(d.model.State(), d.z[i%2])
			if _, err := d.model.ParamGrad(grad); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkForward is clamping and the feedforward pass, as a training step begins.
func BenchmarkForward(b *testing.B) {
	deepNets(b, func(b *testing.B, d deep) {
		for b.Loop() {
			if err := d.model.Clamp(d.x, d.y); err != nil {
				b.Fatal(err)
			}
			if err := d.model.Forward(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkPredict is the feedforward pass of a test set's chunk.
func BenchmarkPredict(b *testing.B) {
	deepNets(b, func(b *testing.B, d deep) {
		if _, err := d.model.Predict(d.x); err != nil { // compiles
			b.Fatal(err)
		}
		for b.Loop() {
			if _, err := d.model.Predict(d.x); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkCompile is graph, gradients, programs and memory.
func BenchmarkCompile(b *testing.B) {
	deepNets(b, func(b *testing.B, d deep) {
		for b.Loop() {
			if _, err := Compile(d.model.Network(), d.model.Weights(), d.model.Plan()); err != nil {
				b.Fatal(err)
			}
		}
	})
}
