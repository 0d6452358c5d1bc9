package arch_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/graph/onnx"
	"github.com/pcgraph/pcgraph/layers"
)

// A network leaves as a file that any ONNX runtime evaluates, for batches of any size.
func ExampleExportONNX() {
	net, err := arch.MLP(arch.MuPC{}, layers.Tanh, 784, 128, 10)
	if err != nil {
		panic(err)
	}
	weights, err := arch.NewWeights[float32](net, rand.New(rand.NewPCG(1, 0)))
	if err != nil {
		panic(err)
	}
	folder, err := os.MkdirTemp("", "")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "model.onnx")
	err = arch.ExportONNX(path, net, weights, arch.ONNX{})
	if err != nil {
		panic(err)
	}
	model, err := onnx.ReadFile(path)
	if err != nil {
		panic(err)
	}
	fmt.Println(model.Graph.Inputs, model.Graph.Outputs)
	for _, n := range model.Graph.Nodes {
		fmt.Println(n.Op, n.In)
	}
	// Output:
	// [{x float [{N 0} { 784}]}] [{block2 float [{N 0} { 10}]}]
	// Gemm [x block1/W block1/b]
	// Tanh [block1/Gemm]
	// Gemm [block2/Tanh block2/W block2/b]
}

// A network that PyTorch exported: an activation is in front of the weights behind it, a sum is a block with a skip.
func ExampleImportONNX() {
	path := filepath.Join("testdata", "onnx", "residual.onnx")
	imported, err := arch.ImportONNX[float32](path)
	if err != nil {
		panic(err)
	}
	fmt.Println(arch.Describe(imported.Network.Blocks[1]))
	fmt.Println(imported.Notes[0])
	// Output:
	// arch.Block{Name: "block2", Layer: layers.Linear{In: 8, Out: 8, Act: tanh, Bias: true}, Skips: [arch.Skip{Layer: layers.Identity{}}]}
	// Softmax at the output "y" is left out: outputs are logits here, trained by cross-entropy (energy.Categorical).
}
