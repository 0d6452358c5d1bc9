package arch_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/graph"
)

// numbers is the network z = 2x, y = 3z of single numbers; 0 is the linear layers.Act.
func numbers() (*arch.Network, *graph.Vector[float64]) {
	net, err := arch.MLP(arch.SP{}, 0, 1, 1, 1)
	if err != nil {
		panic(err)
	}
	weights, err := arch.NewWeights[float64](net, rand.New(rand.NewPCG(1, 0)))
	if err != nil {
		panic(err)
	}
	for _, f := range weights.Fields() {
		clear(weights.Field(f.Name))
	}
	weights.Field("block1/W")[0], weights.Field("block2/W")[0] = 2, 3
	return net, weights
}

// The energy and its gradients of the network z = 2x, y = 3z, clamped to x = 1 and y = 1, at its feedforward pass z = 2:
//
//	F = 1/2 (z - 2x)^2 + 1/2 (y - 3z)^2      dF/dz = (z - 2x) - 3 (y - 3z)
func ExampleModel_StateGrad() {
	net, weights := numbers()
	model, err := arch.Compile(net, weights, arch.Plan{Batch: 1})
	if err != nil {
		panic(err)
	}
	if err := model.Clamp([]float64{1}, []float64{1}); err != nil {
		panic(err)
	}
	if err := model.Forward(); err != nil {
		panic(err)
	}
	grad := make([]float64, len(model.State()))
	f, err := model.StateGrad(grad, model.State())
	if err != nil {
		panic(err)
	}
	fmt.Println("z", model.State(), "F", f, "dF/dz", grad)

	model.State()[0] = .5 // where the gradient is zero
	f, err = model.StateGrad(grad, model.State())
	if err != nil {
		panic(err)
	}
	fmt.Println("z", model.State(), "F", f, "dF/dz", grad)
	// Output:
	// z [2] F 12.5 dF/dz [15]
	// z [0.5] F 1.25 dF/dz [0]
}

// One network, compiled for predictive coding and for backprop over the same weights: the plans differ in one field.
func ExampleCompile() {
	net, weights := numbers()
	for _, c := range []arch.Coordinates{arch.Activities, arch.Errors, arch.Feedforward} {
		model, err := arch.Compile(net, weights, arch.Plan{Batch: 1, Coordinates: c})
		if err != nil {
			panic(err)
		}
		fmt.Println(c, "free", model.Free(), "terms", model.Terms())
	}
	// Output:
	// activities free [block1] terms [block1 block2]
	// errors free [block1] terms [block1 block2]
	// feedforward free [] terms [block2]
}

// Weights go to a safetensors file with a description of their network; loading into another network says what differs.
func ExampleSaveWeights() {
	folder, err := os.MkdirTemp("", "")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(folder)
	net, weights := numbers()
	path := filepath.Join(folder, "numbers.safetensors")
	if err := arch.SaveWeights(path, net, weights); err != nil {
		panic(err)
	}
	loaded, err := arch.LoadWeights[float64](path, net)
	if err != nil {
		panic(err)
	}
	fmt.Println(loaded.Field("block2/W"))
	other, err := arch.MLP(arch.SP{}, 0, 1, 2, 1)
	if err != nil {
		panic(err)
	}
	_, err = arch.LoadWeights[float64](path, other)
	fmt.Println(err != nil)
	// Output:
	// [3]
	// true
}
