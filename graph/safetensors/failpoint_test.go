package safetensors

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/pcgraph/pcgraph/internal/atomicfile/atomicfiletest"
)

// Wherever the writing of weights fails or the process dies, the file is the old one or, once it is in place, the new one, and reads
// without damage. Oracle: the numbers.
func TestWriteFile_SurvivesEveryFailPoint(t *testing.T) {
	write := func(dir string, v float32) error {
		f := &File{Tensors: []Tensor{{Name: "w", Shape: []int{30000}, Data: slices.Repeat([]float32{v}, 30000)}}}
		return WriteFile(filepath.Join(dir, "weights.safetensors"), f)
	}
	atomicfiletest.Case{
		Setup: func(dir string) error { return write(dir, 1) },
		Write: func(dir string) error { return write(dir, 2) },
		Check: func(dir string, renamed bool) error {
			want := float32(1)
			if renamed {
				want = 2
			}
			f, err := ReadFile(filepath.Join(dir, "weights.safetensors"))
			if err != nil {
				return err
			}
			w, is := f.Tensor("w").Data.([]float32)
			if !is || len(w) != 30000 {
				return errors.New("the tensor is another one")
			}
			if k := slices.IndexFunc(w, func(v float32) bool { return v != want }); k >= 0 {
				return fmt.Errorf("weight %d is %v, want %v", k, w[k], want)
			}
			return nil
		},
	}.Run(t)
}
