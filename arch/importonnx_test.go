package arch_test

import (
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/graph/onnx"
	"github.com/pcgraph/pcgraph/graph/onnx/onnxtest"
	"github.com/pcgraph/pcgraph/graph/safetensors"
)

// ofPyTorch are networks that PyTorch exported (testdata/onnx/make.py), with what they are here.
var ofPyTorch = []struct{ name, network, notes string }{
	{"mlp", `block1: Linear{In: 6, Out: 8, Bias: true}
block2: Linear{In: 8, Out: 7, Act: relu, Bias: true}
block3: Linear{In: 7, Out: 3, Act: tanh, Bias: true}`, ""},
	{"gelu", `block1: Linear{In: 6, Out: 8, Bias: true}
block2: Linear{In: 8, Out: 3, Act: gelu, Bias: true}`, ""},
	{"residual", `block1: Linear{In: 6, Out: 8, Bias: true}
block2: Linear{In: 8, Out: 8, Act: tanh, Bias: true} + Identity{} of itself
block3: Linear{In: 8, Out: 8, Act: tanh, Bias: true} + Identity{} of itself
block4: Linear{In: 8, Out: 8, Act: tanh, Bias: true} + Identity{} of itself`, "left out: outputs are logits"},
	{"conv", `block1: Conv2D{In: 2, Out: 4, Kernel: [3 3], Stride: [1 1], Pad: [1 1], Dilation: [1 1], Groups: 1, Bias: true}`, "[height, width, channels]"},
	{"pooled", `block1: Conv2D{In: 1, Out: 3, Kernel: [3 3], Stride: [1 1], Dilation: [1 1], Groups: 1, Bias: true}`, ""},
}

// TestImportONNX_PredictsWhatPyTorchDoes: the outputs are those of PyTorch (before a softmax, whose logarithm differs from them by a number per sample), the blocks
// end before activations, and exported again the model gives the same.
func TestImportONNX_PredictsWhatPyTorchDoes(t *testing.T) {
	for _, c := range ofPyTorch {
		in, err := arch.ImportONNX[float32](filepath.Join("testdata", "onnx", c.name+".onnx"))
		if err != nil {
			t.Error(err)
			continue
		}
		if got := blocksOf(in.Network); !strings.HasPrefix(got, c.network) {
			t.Errorf("%s is\n%s\nwant it to begin\n%s", c.name, got, c.network)
		}
		if !strings.Contains(strings.Join(in.Notes, " "), c.notes) {
			t.Errorf("%s: notes %q, want %q", c.name, in.Notes, c.notes)
		}
		f, err := safetensors.ReadFile(filepath.Join("testdata", "onnx", c.name+".safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		x, y := f.Tensor("x").Data.([]float32), f.Tensor("y").Data.([]float32)
		batch := f.Tensor("x").Shape[0]
		m, err := arch.Compile(in.Network, in.Weights, arch.Plan{Batch: batch, Coordinates: arch.Feedforward})
		if err != nil {
			t.Fatal(err)
		}
		got, err := m.Predict(x)
		if err != nil {
			t.Fatal(err)
		}
		again, err := arch.NewONNX(in.Network, in.Weights, nil)
		if err != nil {
			t.Fatal(err)
		}
		outs, err := onnxtest.Run(again, map[string][]float32{"x": x}, batch)
		if err != nil {
			t.Fatal(err)
		}
		n := len(y) / batch
		for i, want := range y {
			v := float64(got[i])
			if math.Abs(outs[0][i]-v) > 2e-6 {
				t.Errorf("%s: exported again, output %d is %v, was %v", c.name, i, outs[0][i], v)
			}
			if c.name == "residual" { // its softmax was left out
				sum := 0.
				for _, o := range got[i/n*n : i/n*n+n] {
					sum += math.Exp(float64(o))
				}
				v = math.Exp(v) / sum
			}
			if !(math.Abs(v-float64(want)) <= 1e-6*max(1, math.Abs(v))) {
				t.Errorf("%s: output %d is %v, PyTorch gives %v", c.name, i, v, want)
				break
			}
		}
	}
}

// blocksOf lists blocks without package names.
func blocksOf(n *arch.Network) string {
	var lines []string
	for _, b := range n.Blocks {
		line := b.Name + ": " + arch.Describe(b.Layer)
		for _, s := range b.Skips {
			from := s.From
			if from == "" {
				from = "itself"
			}
			line += " + " + arch.Describe(s.Layer) + " of " + from
		}
		lines = append(lines, strings.ReplaceAll(line, "layers.", ""))
	}
	return strings.Join(lines, "\n")
}

// TestFromONNX_NamesNodeAndReason of what cannot be read.
func TestFromONNX_NamesNodeAndReason(t *testing.T) {
	dim := func(n string, sizes ...int64) []onnx.Dim {
		d := []onnx.Dim{{Name: n}}
		for _, s := range sizes {
			d = append(d, onnx.Dim{Size: s})
		}
		return d
	}
	w := onnx.Tensor{Name: "w", Shape: []int{3, 2}, Data: []float32{1, 2, 3, 4, 5, 6}}
	base := func(nodes ...onnx.Node) *onnx.Model {
		return &onnx.Model{Graph: onnx.Graph{Nodes: nodes, Inputs: []onnx.Value{{Name: "x", Type: onnx.Float32, Shape: dim("N", 3)}},
			Outputs: []onnx.Value{{Name: "y", Type: onnx.Float32}}, Tensors: []onnx.Tensor{w}}}
	}
	gemm := onnx.Node{Name: "g", Op: "Gemm", In: []string{"x", "w"}, Out: []string{"y"}}
	changed := func(change func(m *onnx.Model)) *onnx.Model {
		m := base(gemm)
		change(m)
		return m
	}
	for _, c := range []struct {
		why   string
		model *onnx.Model
		says  []string
	}{
		{"a cycle", base(onnx.Node{Name: "a", Op: "Relu", In: []string{"b"}, Out: []string{"y"}}, onnx.Node{Name: "b", Op: "Relu", In: []string{"y"}, Out: []string{"b"}}), []string{"Relu a", "cycle"}},
		{"an unknown operation", base(onnx.Node{Name: "a", Op: "Einsum", In: []string{"x"}, Out: []string{"y"}}), []string{"Einsum a", "not known"}},
		{"another domain", base(onnx.Node{Name: "a", Op: "Relu", Domain: "com.own", In: []string{"x"}, Out: []string{"y"}}), []string{"com.own"}},
		{"the other GELU", base(onnx.Node{Name: "a", Op: "Gelu", In: []string{"x"}, Out: []string{"y"}}), []string{"tanh"}},
		{"a wrong width", changed(func(m *onnx.Model) { m.Graph.Inputs[0].Shape[1].Size = 4 }), []string{"Gemm g", "[4] by [3 2]"}},
		{"an open dimension", changed(func(m *onnx.Model) { m.Graph.Inputs[0].Shape[1] = onnx.Dim{Name: "width"} }), []string{`"x"`, "width"}},
		{"a huge input", changed(func(m *onnx.Model) { m.Graph.Inputs[0].Shape = dim("N", 1<<30, 1<<30) }), []string{`"x"`, "large"}},
		{"a wrong type", changed(func(m *onnx.Model) { m.Graph.Inputs[0].Type = 8 }), []string{`"x"`, "string"}},
		{"no input", changed(func(m *onnx.Model) { m.Graph.Inputs = nil }), []string{"no input"}},
		{"no output", changed(func(m *onnx.Model) { m.Graph.Outputs = nil }), []string{"no output"}},
		{"an output from nowhere", changed(func(m *onnx.Model) { m.Graph.Outputs[0].Name = "z" }), []string{`"z"`}},
		{"a weight that is not a number", changed(func(m *onnx.Model) {
			m.Graph.Tensors[0].Data = []float32{1, 2, float32(math.NaN()), 4, 5, 6}
		}), []string{"block1/W[1 0]"}},
		{"a value twice", base(gemm, gemm), []string{"node 2, Gemm g", "already"}},
		{"a weight that depends on the input", base(onnx.Node{Name: "g", Op: "MatMul", In: []string{"x", "x"}, Out: []string{"y"}}), []string{"MatMul g", "constant"}},
		{"a missing operand", base(onnx.Node{Name: "g", Op: "Gemm", In: []string{"x"}, Out: []string{"y"}}), []string{"operand 2 is missing"}},
		{"ceil_mode", onnxImages(onnx.Node{Name: "p", Op: "MaxPool", In: []string{"x"}, Out: []string{"y"}, Attrs: []onnx.Attr{onnx.Ints("kernel_shape", 2, 2), onnx.Ints("strides", 2, 2), onnx.Int("ceil_mode", 1)}}), []string{"MaxPool p", "ceil_mode"}},
		{"uneven padding", onnxImages(onnx.Node{Name: "p", Op: "MaxPool", In: []string{"x"}, Out: []string{"y"}, Attrs: []onnx.Attr{onnx.Ints("kernel_shape", 2, 2), onnx.Ints("pads", 0, 0, 1, 1)}}), []string{"both sides"}},
	} {
		_, err := arch.FromONNX[float32](c.model)
		for _, s := range c.says {
			if err == nil || !strings.Contains(err.Error(), s) {
				t.Errorf("%s: error %v, want %q in it", c.why, err, s)
			}
		}
	}
	if _, err := arch.ImportONNX[float32]("testdata/onnx/make.py"); err == nil || !strings.Contains(err.Error(), "make.py") {
		t.Errorf("a file of another kind: %v", err)
	}
}

// onnxImages is a model of one node on images of 5 x 5 with 2 channels.
func onnxImages(n onnx.Node) *onnx.Model {
	return &onnx.Model{Graph: onnx.Graph{Nodes: []onnx.Node{n}, Outputs: []onnx.Value{{Name: "y"}},
		Inputs: []onnx.Value{{Name: "x", Type: onnx.Float32, Shape: []onnx.Dim{{Name: "N"}, {Size: 2}, {Size: 5}, {Size: 5}}}}}}
}

// FuzzFromONNX: whatever the bytes, there is an error or a network that predicts.
func FuzzFromONNX(f *testing.F) {
	for _, c := range onnxCases() {
		w, err := arch.NewWeights[float32](c.net, rand.New(rand.NewPCG(1, 0)))
		if err != nil {
			f.Fatal(err)
		}
		m, err := arch.NewONNX(c.net, w, nil)
		if err != nil {
			f.Fatal(err)
		}
		text, err := onnx.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := onnx.Unmarshal(text)
		if err != nil {
			return
		}
		for _, in := range m.Graph.Inputs { // not for minutes on huge samples
			n := int64(1)
			for _, d := range in.Shape {
				if n *= max(d.Size, 1); n > 1<<12 {
					return
				}
			}
		}
		in, err := arch.FromONNX[float32](m)
		if err != nil {
			return
		}
		if _, err := arch.Compile(in.Network, in.Weights, arch.Plan{Batch: 1, Coordinates: arch.Feedforward}); err != nil {
			t.Fatal(err)
		}
	})
}
