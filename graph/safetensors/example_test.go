package safetensors_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/pcgraph/pcgraph/graph/safetensors"
)

func ExampleWriteFile() {
	folder, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "weights.safetensors")
	err = safetensors.WriteFile(path, &safetensors.File{
		Meta:    map[string]string{"made": "by hand"},
		Tensors: []safetensors.Tensor{{Name: "block1/W", Shape: []int{2, 1}, Data: []float32{.5, -.5}}},
	})
	if err != nil {
		log.Fatal(err)
	}
	f, err := safetensors.ReadFile(path)
	if err != nil {
		log.Fatal(err)
	}
	w := f.Tensor("block1/W")
	fmt.Println(f.Meta["made"], w.DType(), w.Shape, w.Data)
	// Output: by hand F32 [2 1] [0.5 -0.5]
}
