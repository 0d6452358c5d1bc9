package arch_test

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"gorgonia.org/gorgonia"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/graph/onnx"
	"github.com/pcgraph/pcgraph/graph/onnx/onnxtest"
	"github.com/pcgraph/pcgraph/graph/safetensors"
	"github.com/pcgraph/pcgraph/layers"
)

var onnxDir = flag.String("onnx", "", "folder to which TestExportONNX_ComputesWhatPredictDoes writes its models, inputs and outputs, for bench/onnx/check.py")

// An onnxCase is a network to export.
type onnxCase struct {
	name string
	net  *arch.Network
	ids  int // inputs are ids below this number
}

// one is a network of one layer.
func one(l layers.Layer, input ...int) *arch.Network {
	return &arch.Network{Input: input, Blocks: []arch.Block{{Name: "block1", Layer: l}}}
}

func built(n *arch.Network, err error) *arch.Network {
	if err != nil {
		panic(err)
	}
	return n
}

// onnxCases have every layer and merge, every parameter of their geometry, and the networks that the package builds.
func onnxCases() []onnxCase {
	both := layers.Both
	cases := []onnxCase{
		{name: "linear", net: one(layers.Linear{In: 5, Out: 3, Bias: true}, 5)},
		{name: "linear without bias", net: one(layers.Linear{In: 5, Out: 3}, 5)},
		{name: "linear of tokens", net: one(layers.Linear{In: 5, Out: 3, Act: layers.Tanh, Bias: true}, 4, 5)},
		{name: "activation", net: one(layers.Activate{Act: layers.GELU}, 5)},
		{name: "identity", net: one(layers.Identity{}, 5)},
		{name: "conv", net: one(layers.Conv2D{In: 3, Out: 4, Kernel: both(3), Bias: true, Act: layers.Tanh, Post: layers.ReLU}, 6, 7, 3)},
		{name: "conv stride pad dilation groups", net: one(layers.Conv2D{In: 4, Out: 6, Kernel: [2]int{3, 2}, Stride: [2]int{2, 3}, Pad: [2]int{2, 1}, Dilation: [2]int{2, 1}, Groups: 2, Bias: true}, 9, 8, 4)},
		{name: "conv of each channel", net: one(layers.Conv2D{In: 4, Out: 4, Kernel: both(3), Pad: both(1), Groups: 4}, 5, 6, 4)},
		{name: "transposed conv", net: one(layers.ConvTranspose2D{In: 3, Out: 2, Kernel: both(3), Bias: true}, 4, 5, 3)},
		{name: "transposed conv stride pad dilation groups extra", net: one(layers.ConvTranspose2D{In: 4, Out: 6, Kernel: [2]int{3, 2}, Stride: [2]int{2, 3}, Pad: [2]int{1, 0}, Dilation: [2]int{1, 2}, Groups: 2, Extra: [2]int{1, 2}, Bias: true}, 4, 5, 4)},
		{name: "max pool", net: one(layers.MaxPool2D{Size: both(2)}, 5, 6, 3)},
		{name: "max pool stride pad", net: one(layers.MaxPool2D{Size: [2]int{3, 2}, Stride: [2]int{2, 1}, Pad: [2]int{1, 1}}, 7, 6, 3)},
		{name: "mean pool", net: one(layers.AvgPool2D{Size: both(2)}, 6, 6, 3)},
		{name: "mean pool stride pad", net: one(layers.AvgPool2D{Size: [2]int{3, 2}, Stride: [2]int{2, 1}, Pad: [2]int{1, 1}}, 7, 6, 3)},
		{name: "global mean pool", net: one(layers.GlobalAvgPool2D{}, 5, 6, 3)},
		{name: "layer norm", net: one(layers.LayerNorm{Width: 6, Gain: true, Bias: true}, 6)},
		{name: "layer norm of tokens", net: one(layers.LayerNorm{Width: 6, Eps: 1e-3}, 4, 6)},
		{name: "rms norm", net: one(layers.RMSNorm{Width: 6, Gain: true}, 4, 6)},
		{name: "attention", net: one(layers.Attention{Width: 6, Heads: 3, Bias: true}, 5, 6)},
		{name: "causal attention", net: one(layers.Attention{Width: 6, Heads: 2, Causal: true, Scale: .7}, 5, 6)},
		{name: "padded attention", net: one(layers.Attention{Width: 6, Heads: 2, Padding: true, Bias: true}, 5, 6)},
		{name: "padded causal attention", net: one(layers.Attention{Width: 6, Heads: 2, Padding: true, Causal: true}, 5, 6)},
		{name: "embedding", ids: 7, net: one(layers.Embedding{Vocab: 7, Width: 4}, 5)},
		{name: "position", net: one(layers.Position{Tokens: 5, Width: 4}, 5, 4)},
		{name: "feed-forward", net: one(layers.FeedForward{Width: 4, Act: layers.GELU, Bias: true}, 5, 4)},
		{name: "gated feed-forward", net: one(layers.GatedFeedForward{Width: 4, Act: layers.SiLU}, 5, 4)},
		{name: "dropout", net: one(layers.Compose{layers.Dropout{Rate: .5}, layers.Linear{In: 4, Out: 3}}, 4)},
		{name: "lateral", net: one(layers.Lateral{Width: 4, Act: layers.Tanh, Bias: true}, 4)},
		{name: "columns", net: one(layers.Columns{From: 1, To: 3}, 5, 4)},
		{name: "reshape", net: one(layers.Reshape{To: []int{3, 4}}, 2, 6)},
		{name: "flatten", net: one(layers.Flatten{}, 2, 3, 4)},
		{name: "compose", net: one(layers.Compose{layers.Linear{In: 4, Out: 3}, layers.Linear{In: 3, Out: 2, Act: layers.SELU}}, 4)},
		{name: "residual", net: one(layers.Residual{Inner: layers.Linear{In: 4, Out: 4, Act: layers.Tanh, Bias: true}, Factor: .3}, 4)},
		{name: "gated unit of one's own", net: one(gatedUnit{4, 3}, 4)},
		{name: "functions of one's own", net: one(functions{}, 4)},
		{name: "mlp", net: built(arch.MLP(nil, layers.ReLU, 6, 8, 8, 3))},
		{name: "mlp mupc", net: built(arch.ResMLP(arch.MuPC{}, layers.Tanh, 6, 8, 8, 8, 3))},
		{name: "mlp ntp with biases", net: built(arch.MLP(arch.NTP{}, layers.GELU, 6, 8, 8, 3))},
		{name: "cnn", net: built(arch.CNN{Act: layers.GELU, Image: [3]int{8, 8, 2}, Channels: []int{3, 4}, Classes: 3, Bias: true, MaxPool: true}.Network())},
		{name: "resnet", net: built(arch.ResNet{Scaling: arch.MuPC{}, Act: layers.ReLU, Image: [3]int{8, 8, 2}, Width: 3, Residuals: 2, Classes: 3}.Network())},
		{name: "transformer", net: built(arch.Transformer{Scaling: arch.CompleteP{}, Vocab: 7, Tokens: 5, Width: 8, Heads: 2, Blocks: 2, Norm: true}.Network())},
		{name: "graph", net: &arch.Network{
			Inputs: []arch.Input{{Name: "left", Shape: []int{4}}, {Name: "right", Shape: []int{4}}},
			Blocks: []arch.Block{
				{Name: "sum", From: []string{"left", "right"}, Merge: layers.Add{}, Layer: layers.Linear{In: 4, Out: 4, Act: layers.Tanh}},
				{Name: "both", From: []string{"sum", "left"}, Merge: layers.Concat{}, Layer: layers.Linear{In: 8, Out: 4, Bias: true}, Skips: []arch.Skip{{From: "right", Layer: layers.Linear{In: 4, Out: 4}}}},
				{Name: "heard", From: []string{"sum", "both", "left"}, Merge: layers.Attend{Width: 4}, Layer: layers.Identity{}, Output: true},
				{Name: "again", From: []string{"sum"}, Layer: layers.Linear{In: 4, Out: 4, Act: layers.Tanh}, Shares: "sum", Output: true},
				{Name: "down", From: []string{"sum"}, Layer: layers.Linear{In: 4, Out: 4}, Predicts: "left"},
			}}},
		{name: "dropout alone and a copy", net: &arch.Network{Input: []int{4}, Blocks: []arch.Block{
			{Name: "a", Layer: layers.Dropout{Rate: .5}, Output: true}, {Name: "b", From: []string{"a"}, Layer: layers.Linear{In: 4, Out: 2}, Output: true}}}},
	}
	for _, act := range layers.Acts() {
		cases = append(cases, onnxCase{name: "act " + act.String(), net: one(layers.Linear{In: 5, Out: 3, Act: act, Post: act}, 5)})
	}
	return cases
}

// TestFromONNX_ReadsWhatIsExported: a network that is exported and imported again predicts the same. The tolerance is that of factors
// which were rounded into weights.
func TestFromONNX_ReadsWhatIsExported(t *testing.T) {
	reads := []string{"linear", "linear without bias", "linear of tokens", "activation", "identity", "conv", "conv stride pad dilation groups", "conv of each channel",
		"transposed conv", "transposed conv stride pad dilation groups extra", "max pool", "max pool stride pad", "mean pool", "mean pool stride pad", "global mean pool",
		"layer norm", "layer norm of tokens", "embedding", "position", "feed-forward", "dropout", "lateral", "reshape", "flatten", "compose", "residual",
		"mlp", "mlp mupc", "mlp ntp with biases", "cnn", "resnet", "dropout alone and a copy"}
	for _, c := range onnxCases() {
		if !slices.Contains(reads, c.name) && !strings.HasPrefix(c.name, "act ") {
			continue
		}
		rng := rand.New(rand.NewPCG(3, 2))
		w, err := arch.NewWeights[float32](c.net, rng)
		if err != nil {
			t.Fatal(err)
		}
		for i := range w.Data() {
			w.Data()[i] += .1 * float32(rng.NormFloat64())
		}
		model, err := arch.NewONNX(c.net, w, nil)
		if err != nil {
			t.Fatal(err)
		}
		in, err := arch.FromONNX[float32](model)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		const batch = 3
		var outs [2][]float32
		var x []float32
		for k, m := range []func() (*arch.Model[float32], error){
			func() (*arch.Model[float32], error) {
				return arch.Compile(c.net, w, arch.Plan{Batch: batch, Coordinates: arch.Feedforward})
			},
			func() (*arch.Model[float32], error) {
				return arch.Compile(in.Network, in.Weights, arch.Plan{Batch: batch, Coordinates: arch.Feedforward})
			},
		} {
			model, err := m()
			if err != nil {
				t.Fatal(c.name, err)
			}
			if x == nil {
				n, _ := model.Sizes()
				x = make([]float32, batch*n)
				for i := range x {
					x[i] = float32(rng.NormFloat64())
					if c.ids > 0 {
						x[i] = float32(rng.IntN(c.ids))
					}
				}
			}
			if outs[k], err = model.Predict(x); err != nil {
				t.Fatal(c.name, err)
			}
		}
		if len(outs[0]) != len(outs[1]) {
			t.Errorf("%s: %d numbers, want %d", c.name, len(outs[1]), len(outs[0]))
			continue
		}
		for i, v := range outs[0] {
			if !(math.Abs(float64(v-outs[1][i])) <= 3e-6*max(1, math.Abs(float64(v)))) {
				t.Errorf("%s: output %d is %v, was %v\n%s", c.name, i, outs[1][i], v, in)
				break
			}
		}
	}
}

// gatedUnit is a user's layer.
type gatedUnit struct{ In, Out int }

func (l gatedUnit) Params() []layers.Param {
	p := layers.Param{Name: "W", Shape: []int{l.In, l.Out}, FanIn: l.In, FanOut: l.Out}
	q := p
	q.Name = "V"
	return []layers.Param{p, q}
}

func (l gatedUnit) Forward(b *graph.Builder, p []*graph.Node, x *graph.Node) *graph.Node {
	return b.Mul(b.Linear(x, p[0], nil, 1), b.Act(graph.Sigmoid, b.Linear(x, b.MulRow(b.Scale(p[1], .5), b.Constant(2, l.Out)), nil, 1)))
}

// functions is a user's layer of most elementary functions.
type functions struct{}

func (functions) Params() []layers.Param {
	return []layers.Param{{Name: "p", Shape: []int{4}, FanIn: 1, FanOut: 1}}
}

func (functions) Forward(b *graph.Builder, p []*graph.Node, x *graph.Node) *graph.Node {
	y := b.AddRow(b.Abs(x), b.Constant(1, 4))
	noise := b.Random("noise", func(*rand.Rand) float64 { return 1 }, 0+x.Shape()[0], 4)
	y = b.Combine([]float64{.5, -1, 2, 3}, b.Log(y), b.Sqrt(y), b.Exp(b.Scale(x, .1)), noise)
	return b.Join(b.Choose(x, y, b.MulRow(x, b.Exp(p[0]))), b.Only(x, y), b.Abs(noise), b.LogSoftmax(y))
}

// TestONNXCases_HaveEveryLayer: a layer that is added to package layers has a case here.
func TestONNXCases_HaveEveryLayer(t *testing.T) {
	have := make(map[string]bool)
	var visit func(v reflect.Value)
	visit = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Interface, reflect.Pointer:
			visit(v.Elem())
			return
		case reflect.Slice:
			for i := range v.Len() {
				visit(v.Index(i))
			}
		case reflect.Struct:
			for i := range v.NumField() {
				if v.Type().Field(i).IsExported() {
					visit(v.Field(i))
				}
			}
		}
		if v.IsValid() {
			have[v.Type().Name()] = true
		}
	}
	for _, c := range onnxCases() {
		visit(reflect.ValueOf(c.net))
	}
	files, err := filepath.Glob("../layers/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, path := range files {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			f, is := d.(*ast.FuncDecl)
			if !is || f.Recv == nil || strings.HasSuffix(path, "_test.go") || f.Name.Name != "Forward" && f.Name.Name != "Merge" {
				continue
			}
			name := f.Recv.List[0].Type.(*ast.Ident).Name
			if !have[name] {
				t.Errorf("%s: no case exports layers.%s", path, name)
			}
		}
	}
}

// TestExportONNX_ComputesWhatPredictDoes: the exported model, evaluated by plain loops in float64, gives what Model.Predict gives,
// for one sample and for seven. The tolerance is that of float32 in sums of some tens of terms. bench/onnx/check.py holds the
// same models against onnxruntime.
func TestExportONNX_ComputesWhatPredictDoes(t *testing.T) {
	for _, c := range onnxCases() {
		t.Run(c.name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(3, 1))
			w, err := arch.NewWeights[float32](c.net, rng)
			if err != nil {
				t.Fatal(err)
			}
			for i := range w.Data() { // biases and gains of scalings that start at 0 and 1, too
				w.Data()[i] += .1 * float32(rng.NormFloat64())
			}
			w.Touch()
			path := filepath.Join(t.TempDir(), "model.onnx")
			if *onnxDir != "" {
				path = filepath.Join(*onnxDir, strings.ReplaceAll(c.name, " ", "-")+".onnx")
			}
			if err := arch.ExportONNX(path, c.net, w, arch.ONNX{Beside: c.name == "cnn", Meta: map[string]string{"by": "a test"}}); err != nil {
				t.Fatal(err)
			}
			model, err := onnx.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if model.Meta["by"] != "a test" || !strings.Contains(model.Meta["network"], "Block{") || len(model.Meta["weights_sha256"]) != 64 {
				t.Errorf("metadata %v", model.Meta)
			}
			if err := onnxtest.Check(model); err != nil {
				t.Fatal(err)
			}
			for _, batch := range []int{1, 7} {
				onnxAgrees(t, c, w, model, path, batch, rng)
			}
		})
	}
}

// onnxAgrees compares one batch.
func onnxAgrees(t *testing.T, c onnxCase, w *graph.Vector[float32], model *onnx.Model, path string, batch int, rng *rand.Rand) {
	t.Helper()
	m, err := arch.Compile(c.net, w, arch.Plan{Batch: batch, Coordinates: arch.Feedforward})
	if err != nil {
		t.Fatal(err)
	}
	feeds := make(map[string][]float32)
	var x []float32
	extra := make(map[string][]float32)
	in, _ := m.Sizes()
	x = make([]float32, batch*in)
	at := 0
	for _, input := range model.Graph.Inputs {
		size := 1
		for _, d := range input.Shape[1:] {
			size *= int(d.Size)
		}
		if input.Shape[0].Name != "N" {
			t.Errorf("input %s has the batch %+v", input.Name, input.Shape[0])
		}
		v := make([]float32, batch*size)
		for i := range v {
			v[i] = float32(rng.NormFloat64())
			if c.ids > 0 {
				v[i] = float32(rng.IntN(c.ids))
			}
		}
		feeds[input.Name] = v
		if strings.Contains(input.Name, "/") { // of a layer
			extra[input.Name] = v
			for i := range v { // the first sample sees nothing, the second all
				v[i] = max(0, float32(rng.IntN(2)))
				if i < size {
					v[i] = 1
				} else if i < 2*size {
					v[i] = 0
				}
			}
			continue
		}
		for r := range batch {
			copy(x[r*in+at:], v[r*size:(r+1)*size])
		}
		at += size
	}
	want, err := m.PredictWith(x, extra)
	if err != nil {
		t.Fatal(err)
	}
	got, err := onnxtest.Run(model, feeds, batch)
	if err != nil {
		t.Fatal(err)
	}
	var row []float64
	for r := range batch {
		for i := range model.Graph.Outputs {
			n := len(got[i]) / batch
			row = append(row, got[i][r*n:(r+1)*n]...)
		}
	}
	if len(row) != len(want) {
		t.Fatalf("%d numbers, want %d", len(row), len(want))
	}
	for i, v := range row {
		if !(math.Abs(v-float64(want[i])) <= 1e-5*max(1, math.Abs(v))) {
			t.Fatalf("batch %d: output %d is %v, Predict gives %v", batch, i, v, want[i])
		}
	}
	if *onnxDir == "" {
		return
	}
	f := &safetensors.File{}
	for name, v := range feeds {
		f.Tensors = append(f.Tensors, safetensors.Tensor{Name: "in:" + name, Shape: []int{len(v)}, Data: v})
	}
	f.Tensors = append(f.Tensors, safetensors.Tensor{Name: "want", Shape: []int{batch, len(want) / batch}, Data: want})
	if err := safetensors.WriteFile(fmt.Sprintf("%s.%d.safetensors", strings.TrimSuffix(path, ".onnx"), batch), f); err != nil {
		t.Fatal(err)
	}
}

// refused is a user's layer that cannot be exported, by its number.
type refused int

func (refused) Params() []layers.Param { return nil }

func (l refused) Forward(b *graph.Builder, _ []*graph.Node, x *graph.Node) *graph.Node {
	switch l {
	case 0: // Gorgonia's own operation
		return b.Do("softplus", func() (*graph.Node, error) { return gorgonia.Softplus(x) })
	case 1: // over the batch as a whole
		return b.Linear(x, b.MatMul(x, x, true, false), nil, 1)
	}
	return b.Mul(x, b.Spread(b.Sum(x, 1), x.Shape()...)) // a sum over the batch
}

func TestExportONNX_NamesWhatCannotBe(t *testing.T) {
	nan := func(w *graph.Vector[float32]) { w.Data()[0] = float32(math.NaN()) }
	loop := &arch.Network{Input: []int{2}, Blocks: []arch.Block{
		{Name: "a", From: []string{"x", "b"}, Merge: layers.Add{}, Layer: layers.Linear{In: 2, Out: 2}, Shape: []int{2}},
		{Name: "b", From: []string{"a"}, Layer: layers.Linear{In: 2, Out: 2}, Shape: []int{2}, Start: &arch.Start{}}}}
	for _, c := range []struct {
		why  string
		net  *arch.Network
		make func(w *graph.Vector[float32])
		says []string
	}{
		{"Gorgonia's own operation", one(layers.Compose{layers.Linear{In: 2, Out: 2}, refused(0)}, 2), nil, []string{"softplus", "block1/1"}},
		{"a product over the batch", one(layers.Compose{layers.Linear{In: 2, Out: 2}, refused(1)}, 2), nil, []string{"block1/2", "batch as a whole"}},
		{"a sum over the batch", one(refused(2), 2), nil, []string{"block1", "batch as a whole"}},
		{"a weight that is not a number", one(layers.Linear{In: 2, Out: 2}, 2), nan, []string{"block1/W[0 0] is NaN"}},
		{"a loop", loop, nil, []string{"loop", "a", "b"}},
	} {
		w, err := arch.NewWeights[float32](c.net, rand.New(rand.NewPCG(1, 0)))
		if err != nil {
			t.Fatal(err)
		}
		if c.make != nil {
			c.make(w)
		}
		path := filepath.Join(t.TempDir(), "m.onnx")
		err = arch.ExportONNX(path, c.net, w, arch.ONNX{})
		for _, s := range c.says {
			if err == nil || !strings.Contains(err.Error(), s) {
				t.Errorf("%s: error %v, want %q in it", c.why, err, s)
			}
		}
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%s: a file is there", c.why)
		}
	}
	w, err := arch.NewWeights[float32](one(layers.Linear{In: 2, Out: 3}, 2), rand.New(rand.NewPCG(1, 0)))
	if err != nil {
		t.Fatal(err)
	}
	if err := arch.ExportONNX(filepath.Join(t.TempDir(), "m.onnx"), one(layers.Linear{In: 2, Out: 2}, 2), w, arch.ONNX{}); err == nil || !strings.Contains(err.Error(), "NewWeights") {
		t.Errorf("weights of another network: %v", err)
	}
}
