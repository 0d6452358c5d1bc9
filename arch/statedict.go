package arch

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/graph/safetensors"
	"github.com/pcgraph/pcgraph/internal/kernel"
	"github.com/pcgraph/pcgraph/internal/npy"
)

// LoadStateDict reads the weights that another framework trained, for a network that is described here. The end of the path says which:
//
//	.safetensors  the state dictionary of a PyTorch module, safetensors.torch.save_file(net.state_dict(), path)
//	.npz          named arrays: what pcx.utils.save_params(model, path) writes, or numpy.savez(path, **arrays)
//	.eqx          the leaves of an Equinox module (JPC's networks), eqx.tree_serialise_leaves(path, net), perhaps behind one line of JSON. They
//	              have no names: they are called "1", "2", ... in the order of the file. Single numbers among them are left out.
//
// Tensors are taken in the order of names, or in the natural order of all names, numbers in them counting as numbers and
// "weight" before "bias", if names is empty; each must be the network's next weight in the layout of these three: [out, in] for [in, out],
// [out, in/groups, height, width] for [height, width, in/groups, out], and biases of [out] or [out, 1, 1]. It returns what was taken for what, which says whether the order
// was right where shapes are equal.
//
// A block's activation is in front of its weights: nn.Sequential(Linear(a, b), ReLU(), Linear(b, c)) is MLP(nil, layers.ReLU, a, b, c), and so is
// jpc.make_mlp, whose layers are an activation and a linear map each. Factors of a scaling are the network's, not the file's.
// Linear maps behind a flattened image need ImportONNX, which puts them into the order of channels that is used here. Errors are
// MismatchErrors that list both sides, numbers that are not finite, and those of LoadWeights about types.
func LoadStateDict[T graph.Float](path string, n *Network, names ...string) (w *graph.Vector[T], taken []string, err error) {
	w, taken, err = loadStateDict[T](path, n, names)
	return w, taken, errors.WithMessagef(err, "arch: load a state dictionary from %s", path)
}

func loadStateDict[T graph.Float](path string, n *Network, names []string) (*graph.Vector[T], []string, error) {
	w, err := NewWeights[T](n, rand.New(rand.NewPCG(0, 0)))
	if err != nil {
		return nil, nil, err
	}
	f, err := stateFile(path)
	if err != nil {
		return nil, nil, err
	}
	if len(names) == 0 {
		for _, t := range f.Tensors {
			names = append(names, t.Name)
		}
		slices.SortFunc(names, naturally)
	}
	differ := func(what string) error {
		var here, there []string
		for _, w := range n.Weights() {
			here = append(here, fmt.Sprintf("%s %v", w.Name, w.Param.Shape))
		}
		for _, name := range names {
			there = append(there, name)
			if t := f.Tensor(name); t != nil {
				there[len(there)-1] = fmt.Sprintf("%s %v", name, t.Shape)
			}
		}
		return mismatch("%s\n  the network has %s\n  the file, in this order, %s", what, strings.Join(here, ", "), strings.Join(there, ", "))
	}
	if len(names) != len(w.Fields()) || len(f.Tensors) != len(names) {
		return nil, nil, differ(fmt.Sprintf("%d tensors in the file, %d of them named, for %d weights", len(f.Tensors), len(names), len(w.Fields())))
	}
	var taken []string
	for i, field := range w.Fields() {
		t := f.Tensor(names[i])
		if t == nil || slices.Contains(names[:i], names[i]) {
			return nil, nil, differ(fmt.Sprintf("there is no tensor %q, or it is named twice", names[i]))
		}
		part := w.Part(w.Data(), i)
		perm := []int{1, 0}
		switch {
		case len(field.Shape) == 1 && len(t.Shape) > 0 && t.Shape[0] == field.Shape[0] && elements(t.Shape) == t.Shape[0]:
			perm = nil
		case len(field.Shape) == 2 && slices.Equal(t.Shape, []int{field.Shape[1], field.Shape[0]}):
		case len(field.Shape) == 4 && len(t.Shape) == 4 && slices.Equal(field.Shape, []int{t.Shape[2], t.Shape[3], t.Shape[1], t.Shape[0]}):
			perm = []int{2, 3, 1, 0}
		default:
			return nil, nil, differ(fmt.Sprintf("%s %v is not %s %v in the layout of PyTorch and Equinox", t.Name, t.Shape, field.Name, field.Shape))
		}
		values := make([]T, len(part))
		if err := take(values, t); err != nil {
			return nil, nil, err
		}
		if perm != nil {
			wide := make([]float64, len(values))
			for j, v := range values {
				wide[j] = float64(v)
			}
			for j, v := range (&constant{shape: t.Shape, v: wide}).transposed(perm).v {
				values[j] = T(v)
			}
		}
		copy(part, values)
		taken = append(taken, t.Name+" -> "+field.Name)
	}
	if i := kernel.FirstNonFinite(w.Data()); i >= 0 {
		return nil, nil, errors.Errorf("weight %s is %v: the training that it comes from went wrong", w.Where(i), w.Data()[i])
	}
	w.Touch()
	return w, taken, nil
}

func elements(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// stateFile reads the arrays of a file by the end of its name.
func stateFile(path string) (*safetensors.File, error) {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".npz":
		return npzFile(path)
	case ".eqx":
		return eqxFile(path)
	}
	return safetensors.ReadFile(path)
}

// npzFile reads an archive of NumPy.
func npzFile(path string) (*safetensors.File, error) {
	s, err := npy.Open(path)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	f := new(safetensors.File)
	for _, name := range s.Names {
		a, _, err := s.Array(name)
		if err != nil {
			return nil, err
		}
		if f.Tensors, err = addArray(f.Tensors, name, a); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// eqxFile reads what eqx.tree_serialise_leaves wrote: arrays one after the other, perhaps behind a line of JSON, as Equinox's
// documentation has it for hyperparameters.
func eqxFile(path string) (*safetensors.File, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, errors.Wrap(err, "open")
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, errors.Wrap(err, "open")
	}
	in, limit := bufio.NewReaderSize(file, 1<<16), info.Size()
	if first, err := in.Peek(1); err == nil && first[0] != 0x93 { // of an array
		line, err := in.ReadSlice('\n')
		if err != nil || !json.Valid(line) {
			return nil, errors.New("it begins neither with an array of NumPy nor with a line of JSON: give a file that eqx.tree_serialise_leaves wrote")
		}
		limit -= int64(len(line))
	}
	arrays, err := npy.ReadAll(in, limit)
	if err != nil {
		return nil, err
	}
	f := new(safetensors.File)
	for _, a := range arrays {
		if len(a.Dims) == 0 {
			continue
		}
		if f.Tensors, err = addArray(f.Tensors, strconv.Itoa(len(f.Tensors)+1), a); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// addArray adds an array of NumPy, which must be of floats, in the precision that it has in the file.
func addArray(list []safetensors.Tensor, name string, a npy.Array) ([]safetensors.Tensor, error) {
	t := safetensors.Tensor{Name: name, Shape: a.Dims, Data: a.Values}
	switch {
	case a.Whole:
		return nil, errors.Errorf("array %s %v is of whole numbers: weights are floats", name, a.Dims)
	case a.Eps > 0x1p-52: // float32 or shorter
		v := make([]float32, len(a.Values))
		for i, x := range a.Values {
			v[i] = float32(x)
		}
		t.Data = v
	}
	return append(list, t), nil
}

// naturally compares names: digits as numbers, and "weight" before "bias".
func naturally(a, b string) int {
	a, b = strings.ReplaceAll(a, "weight", "a-weight"), strings.ReplaceAll(b, "weight", "a-weight")
	for len(a) > 0 && len(b) > 0 {
		na, nb := digits(a), digits(b)
		if na > 0 && nb > 0 {
			x, y := strings.TrimLeft(a[:na], "0"), strings.TrimLeft(b[:nb], "0")
			if len(x) != len(y) {
				return len(x) - len(y)
			}
			if c := strings.Compare(x, y); c != 0 {
				return c
			}
			a, b = a[na:], b[nb:]
			continue
		}
		if a[0] != b[0] {
			return int(a[0]) - int(b[0])
		}
		a, b = a[1:], b[1:]
	}
	return len(a) - len(b)
}

// digits is how many digits s begins with.
func digits(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}
