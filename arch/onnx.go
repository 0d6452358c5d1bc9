package arch

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"maps"
	"math"
	"strings"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/graph/onnx"
	"github.com/pcgraph/pcgraph/internal/buildinfo"
	"github.com/pcgraph/pcgraph/internal/kernel"
)

// ONNX says how a model is exported. The zero value puts everything into one file.
type ONNX struct {
	// Beside puts weights into a file beside the model, as models beyond 2 GB must have them.
	Beside bool
	// Meta is more metadata. The keys "network", "weights_sha256" and "program" are the program's.
	Meta map[string]string
}

// ExportONNX writes the feedforward pass of a network with weights w, what Model.Predict computes, as an ONNX model for batches of
// any size: in float32, with the names of the network's inputs and outputs. What Predict leaves at zero is left out (Dropout) or is an input
// of its own ("block2/padding"). Images stay channels-last at inputs and outputs. The metadata have a description of
// the network, the program that wrote it, and the SHA-256 of the weights (in the order of the slab, as little-endian float32).
//
// It is for every layer of package layers and for layers of one's own that are made of the Builder's operations. Errors name the
// block of what cannot be exported: operations of Gorgonia's own on activities, operations over the batch as a whole, and networks
// whose blocks predict each other in a loop. The file is written whole or not at all.
func ExportONNX[T graph.Float](path string, n *Network, w *graph.Vector[T], o ONNX) error {
	m, err := NewONNX(n, w, o.Meta)
	if err == nil {
		err = onnx.WriteFile(path, m, o.Beside)
	}
	return errors.WithMessagef(err, "arch: export to %s", path)
}

// onnxRows is a batch size for the graph that is translated; any would do.
const onnxRows = 2

// NewONNX is the model that ExportONNX writes.
func NewONNX[T graph.Float](n *Network, w *graph.Vector[T], meta map[string]string) (*onnx.Model, error) {
	if err := n.Validate(); err != nil {
		return nil, err
	}
	if err := n.owns(w); err != nil {
		return nil, err
	}
	if i := kernel.FirstNonFinite(w.Data()); i >= 0 {
		return nil, errors.Errorf("weight %s is %v: export what was before the numbers went wrong", w.Where(i), w.Data()[i])
	}
	u, err := unroll(n, w, Plan{Batch: onnxRows, Coordinates: Feedforward, FreeOutput: true})
	if err != nil {
		return nil, err
	}
	var inputs, outputs []graph.Named
	var zero []*graph.Node
	for _, at := range u.sites {
		if at.input {
			inputs = append(inputs, graph.Named{Name: at.name, Node: at.data})
		}
		if at.output && at.prediction != nil {
			outputs = append(outputs, graph.Named{Name: at.name, Node: at.prediction})
		}
	}
	if len(outputs) == 0 {
		return nil, errors.New("the network has no output: every block predicts an input")
	}
	for _, in := range u.layerInputs {
		if in.Draw != nil {
			zero = append(zero, in.Node)
		} else {
			inputs = append(inputs, graph.Named{Name: in.Name, Node: in.Node})
		}
	}
	g, err := graph.ONNX[T](inputs, outputs, zero)
	if err != nil {
		return nil, err
	}
	m := &onnx.Model{IR: onnx.IRVersion, Opset: onnx.Opset, Producer: "pcgraph", Version: buildinfo.Version, Graph: *g, Meta: map[string]string{}}
	maps.Copy(m.Meta, meta)
	m.Meta[networkKey], m.Meta[programKey], m.Meta["weights_sha256"] = strings.Join(n.lines(), "\n"), buildinfo.String(), sumOf(w.Data())
	return m, nil
}

// sumOf is the SHA-256 of weights as float32.
func sumOf[T graph.Float](w []T) string {
	sum := sha256.New()
	var word [4]byte
	for _, v := range w {
		binary.LittleEndian.PutUint32(word[:], math.Float32bits(float32(v)))
		sum.Write(word[:])
	}
	return hex.EncodeToString(sum.Sum(nil))
}
