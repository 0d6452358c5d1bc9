package arch

import (
	"slices"
	"strings"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/graph/safetensors"
	"github.com/pcgraph/pcgraph/internal/buildinfo"
	"github.com/pcgraph/pcgraph/internal/kernel"
)

// What the metadata of a file of weights say.
const (
	kindKey     = "kind"    // weightsKind
	versionKey  = "version" // weightsVersion
	programKey  = "program" // that wrote it
	networkKey  = "network" // Network.lines
	weightsKind = "pcgraph weights"

	weightsVersion = "1"
)

// SaveWeights writes the weights w of a network to a safetensors file, each under its name (Weight.Name), with a description
// of the network, in place of what was there: wholly, or not at all on an error. Python reads it with
// safetensors.numpy.load_file. Weights that are not finite or not the network's are errors.
func SaveWeights[T graph.Float](path string, n *Network, w *graph.Vector[T]) error {
	wrap := func(err error) error { return errors.WithMessagef(err, "arch: save weights to %s", path) }
	if err := n.Validate(); err != nil {
		return wrap(err)
	}
	if err := n.owns(w); err != nil {
		return wrap(err)
	}
	if i := kernel.FirstNonFinite(w.Data()); i >= 0 {
		return wrap(errors.Errorf("weight %s is %v: save what was before the numbers went wrong", w.Where(i), w.Data()[i]))
	}
	f := &safetensors.File{Meta: map[string]string{
		kindKey: weightsKind, versionKey: weightsVersion, programKey: buildinfo.String(), networkKey: strings.Join(n.lines(), "\n")}}
	for i, field := range w.Fields() {
		f.Tensors = append(f.Tensors, safetensors.Tensor{Name: field.Name, Shape: field.Shape, Data: w.Part(w.Data(), i)})
	}
	return wrap(safetensors.WriteFile(path, f))
}

// owns reports a slab that is not one of the network's weights.
func (n *Network) owns(w interface{ Fields() []graph.Field }) error {
	want := n.Weights()
	if got := w.Fields(); len(got) != len(want) {
		return errors.Errorf("a slab of %d weights, the network has %d: give the one of arch.NewWeights for it", len(got), len(want))
	}
	for i, f := range w.Fields() {
		if f.Name != want[i].Name || !slices.Equal(f.Shape, want[i].Param.Shape) {
			return errors.Errorf("weight %d of the slab is %s %v, that of the network %s %v: give the slab of arch.NewWeights for it", i+1, f.Name, f.Shape, want[i].Name, want[i].Param.Shape)
		}
	}
	return nil
}

// LoadWeights reads weights for a network from a safetensors file, by SaveWeights or another program. Errors, beside those of
// safetensors.ReadFile and Network.Validate:
//
//   - a weight that the file lacks, has in another shape or has too many, a MismatchError; the first one is named.
//   - a file by SaveWeights for another network whose weights are alike, with other activations for example. (To use weights
//     in another network, load them for the one that they were saved for, and compile the other one over them.)
//   - float64 numbers of which float32 would lose something. (Load them as float64 and round them: graph.Convert[float32].)
//     The other way nothing is lost.
//   - a weight that is not finite.
func LoadWeights[T graph.Float](path string, n *Network) (*graph.Vector[T], error) {
	v, err := loadWeights[T](path, n)
	return v, errors.WithMessagef(err, "arch: load weights from %s", path)
}

func loadWeights[T graph.Float](path string, n *Network) (*graph.Vector[T], error) {
	if err := n.Validate(); err != nil {
		return nil, err
	}
	f, err := safetensors.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if kind, is := f.Meta[kindKey]; is && kind != weightsKind {
		return nil, errors.Errorf("the file's kind is %q, not %q: look for the file that SaveWeights wrote", kind, weightsKind)
	} else if version := f.Meta[versionKey]; is && version != weightsVersion {
		return nil, errors.Errorf("version %q of the format (by %s), and this program reads %s: take the program that wrote it or a newer one", version, f.Meta[programKey], weightsVersion)
	}
	ws := n.Weights()
	fields := make([]graph.Field, len(ws))
	for i, w := range ws {
		t := f.Tensor(w.Name)
		if t == nil {
			return nil, mismatch("the network has a weight %s %v that the file lacks: it is of another network", w.Name, w.Param.Shape)
		}
		if foreign := layoutOf(t.Shape, w.Param.Shape); foreign != "" {
			return nil, mismatch("weight %s has shape %v in the file and %v in the network: the file's is %s", w.Name, t.Shape, w.Param.Shape, foreign)
		}
		if !slices.Equal(t.Shape, w.Param.Shape) {
			return nil, mismatch("weight %s has shape %v in the file and %v in the network: it is of another network", w.Name, t.Shape, w.Param.Shape)
		}
		fields[i] = graph.Field{Name: w.Name, Shape: w.Param.Shape}
	}
	for _, t := range f.Tensors {
		if !slices.ContainsFunc(ws, func(w Weight) bool { return w.Name == t.Name }) {
			return nil, mismatch("the file has a weight %s %v that the network lacks: it is of another network", t.Name, t.Shape)
		}
	}
	if err := n.described(f.Meta); err != nil {
		return nil, err
	}
	v := graph.NewVector[T](fields...)
	for i, field := range fields {
		if err := take(v.Part(v.Data(), i), f.Tensor(field.Name)); err != nil {
			return nil, err
		}
	}
	if i := kernel.FirstNonFinite(v.Data()); i >= 0 {
		return nil, errors.Errorf("weight %s is %v: the training that it comes from went wrong", v.Where(i), v.Data()[i])
	}
	return v, nil
}

// layoutOf says what a weight of another shape in a file looks like, and what to do: the same numbers in the layout of another
// library; "" if it does not.
func layoutOf(file, network []int) string {
	switch {
	case slices.Equal(file, network):
	case len(file) == 2 && len(network) == 2 && file[0] == network[1] && file[1] == network[0]:
		return "transposed, [out, in] as in PyTorch: here weights are [in, out], for x W; transpose it before it is saved (W.T)"
	case len(file) == 4 && len(network) == 4 && slices.Equal(network, []int{file[2], file[3], file[1], file[0]}):
		return "[out, in, height, width] as in PyTorch: here kernels are [height, width, in, out]; permute it before it is saved (W.permute(2, 3, 1, 0))"
	}
	return ""
}

// described reports that a file was written for a network that is not n, if it says for which.
func (n *Network) described(meta map[string]string) error {
	text, is := meta[networkKey]
	if !is {
		return nil
	}
	was, now := strings.Split(text, "\n"), n.lines()
	for i := range max(len(was), len(now)) {
		a, b := "nothing", "nothing"
		if i < len(was) {
			a = was[i]
		}
		if i < len(now) {
			b = now[i]
		}
		if a != b {
			return mismatch("the weights are alike, but were saved for another network, with\n  %s\nwhere this one has\n  %s\nload them for that one, over whose weights this one can be compiled too", a, b)
		}
	}
	return nil
}

// take copies the numbers of a tensor to dst, if they are ones of dst's type.
func take[T graph.Float](dst []T, t *safetensors.Tensor) error {
	switch d := t.Data.(type) {
	case []float32:
		for i, x := range d {
			dst[i] = T(x)
		}
	case []float64:
		for i, x := range d {
			if dst[i] = T(x); float64(dst[i]) != x && x == x {
				return errors.Errorf("weight %s is of float64, and float32 would make %v of %v: load it as float64, and round it by graph.Convert[float32] if that will do", t.Name, dst[i], x)
			}
		}
	default:
		return errors.Errorf("weight %s is of bytes: want float32 or float64", t.Name)
	}
	return nil
}
