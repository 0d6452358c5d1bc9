// Package safetensors reads and writes named arrays in the safetensors format, which Python's package of that name
// (safetensors.numpy, safetensors.torch) reads and writes too:
//
//	8 bytes                length of the header, little-endian
//	header                 JSON: {"__metadata__": {...}, name: {"dtype": "F32", "shape": [2,3], "data_offsets": [0,24]}, ...}
//	data                   the arrays, row-major and little-endian, without gaps
//
// Files are written whole or not at all, with the SHA-256 of their data in the metadata, which is checked on reading where
// it is there. What a header promises is held against the size of the file before anything is allocated for it.
//
// It is our own because the Go libraries of the format that we found (docs/DIVERGENCE.md) take two arrays of one name for
// one, or want the header's order to be that of the data, and none writes atomically or checks a sum.
//
// The package is not for: what the arrays mean (arch, train), other dtypes than float32, float64 and bytes.
package safetensors

import (
	"slices"

	"github.com/pkg/errors"
)

// A File is what a file holds.
type File struct {
	Meta    map[string]string // free text by name; SumKey belongs to the package
	Tensors []Tensor          // with different names
}

// A Tensor is a named array.
type Tensor struct {
	Name  string
	Shape []int // no negative number; empty for a single number
	Data  any   // row-major []float32, []float64 or []byte, as many as Shape says
}

// SumKey is the name in the metadata of the SHA-256 of the data, in hexadecimal. WriteFile sets it.
const SumKey = "sha256"

// metaKey is the name in the header of what is no tensor.
const metaKey = "__metadata__"

// maxHeader is the longest header that Python reads.
const maxHeader = 100_000_000

// Tensor is the tensor of a name; nil if there is none.
func (f *File) Tensor(name string) *Tensor {
	i := slices.IndexFunc(f.Tensors, func(t Tensor) bool { return t.Name == name })
	if i < 0 {
		return nil
	}
	return &f.Tensors[i]
}

// dtype is the name of the type of data's elements and their size, and how many there are.
func dtype(data any) (name string, size, n int) {
	switch d := data.(type) {
	case []float32:
		return "F32", 4, len(d)
	case []float64:
		return "F64", 8, len(d)
	case []byte:
		return "U8", 1, len(d)
	}
	return "", 0, 0
}

// DType is how the format calls the type of the elements: F32, F64 or U8.
func (t *Tensor) DType() string {
	name, _, _ := dtype(t.Data)
	return name
}

// validate reports what cannot be written.
func (f *File) validate() error {
	if f == nil {
		return errors.New("there is nothing to write: the File is nil")
	}
	seen := make(map[string]bool)
	for _, t := range f.Tensors {
		name, _, n := dtype(t.Data)
		want := 1
		for _, d := range t.Shape {
			if d < 0 {
				return errors.Errorf("tensor %q has shape %v: want no negative number", t.Name, t.Shape)
			}
			want *= d
		}
		switch {
		case t.Name == metaKey:
			return errors.Errorf("a tensor is named %q, which the format keeps for itself: rename it", metaKey)
		case seen[t.Name]:
			return errors.Errorf("two tensors are named %q: rename one", t.Name)
		case name == "":
			return errors.Errorf("tensor %q is a %T: want []float32, []float64 or []byte", t.Name, t.Data)
		case n != want:
			return errors.Errorf("tensor %q of shape %v has %d numbers: want %d", t.Name, t.Shape, n, want)
		}
		seen[t.Name] = true
	}
	return nil
}
