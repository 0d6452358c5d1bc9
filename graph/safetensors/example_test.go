package safetensors_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/pcgraph/pcgraph/graph/safetensors"
)

// In Python, safetensors.numpy.load_file reads the file.
func ExampleWriteFile() {
	folder, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "weights.safetensors")
	err = safetensors.WriteFile(path, &safetensors.File{
		Meta:    map[string]string{"made by": "an example"},
		Tensors: []safetensors.Tensor{{Name: "W", Shape: []int{2, 3}, Data: []float32{1, 2, 3, 4, 5, 6}}},
	})
	if err != nil {
		log.Fatal(err)
	}
	f, err := safetensors.ReadFile(path)
	if err != nil {
		log.Fatal(err)
	}
	w := f.Tensor("W")
	fmt.Println(f.Meta["made by"], w.DType(), w.Shape, w.Data)
	// Output: an example F32 [2 3] [1 2 3 4 5 6]
}
