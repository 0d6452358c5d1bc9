package arch

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/graph/safetensors"
	"github.com/pcgraph/pcgraph/internal/kernel"
)

// LoadStateDict reads the weights of a PyTorch module for a network, from its state dictionary as safetensors.torch.save_file
// writes it. Tensors are taken in the order of names, or in the natural order of all names, numbers in them counting as numbers and
// "weight" before "bias", if names is empty; each must be the network's next weight in PyTorch's layout: [out, in] for [in, out], and
// [out, in/groups, height, width] for [height, width, in/groups, out]. It returns what was taken for what, which says whether the order
// was right where shapes are equal.
//
// A block's activation is in front of its weights: nn.Sequential(Linear(a, b), ReLU(), Linear(b, c)) is MLP(nil, layers.ReLU, a, b, c).
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
	f, err := safetensors.ReadFile(path)
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
		case len(field.Shape) == 1 && slices.Equal(t.Shape, field.Shape):
			perm = nil
		case len(field.Shape) == 2 && slices.Equal(t.Shape, []int{field.Shape[1], field.Shape[0]}):
		case len(field.Shape) == 4 && len(t.Shape) == 4 && slices.Equal(field.Shape, []int{t.Shape[2], t.Shape[3], t.Shape[1], t.Shape[0]}):
			perm = []int{2, 3, 1, 0}
		default:
			return nil, nil, differ(fmt.Sprintf("%s %v is not %s %v in PyTorch's layout", t.Name, t.Shape, field.Name, field.Shape))
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
