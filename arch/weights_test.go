package arch_test

import (
	"errors"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/graph/safetensors"
	"github.com/pcgraph/pcgraph/layers"
)

// TestLoadWeights_GivesTheSavedBits for every kind of network, and in the wider type.
func TestLoadWeights_GivesTheSavedBits(t *testing.T) {
	nets := map[string]*arch.Network{
		"chain":       must(arch.Chain{Scaling: arch.MuPC{Gamma: 2}, Act: layers.ReLU, Widths: []int{5, 7, 7, 3}, Bias: true, Skips: true}.Network())(t),
		"cnn":         must(arch.CNN{Act: layers.Tanh, Image: [3]int{8, 8, 1}, Channels: []int{2, 3}, Classes: 2, Bias: true}.Network())(t),
		"transformer": must(arch.Transformer{Vocab: 5, Tokens: 4, Width: 8, Heads: 2, Blocks: 1, Norm: true}.Network())(t),
	}
	for name, net := range nets {
		path := filepath.Join(t.TempDir(), "w.safetensors")
		w := must(arch.NewWeights[float32](net, rng(1)))(t)
		if err := arch.SaveWeights(path, net, w); err != nil {
			t.Fatal(name, err)
		}
		got := must(arch.LoadWeights[float32](path, net))(t)
		if !slices.Equal(got.Data(), w.Data()) {
			t.Errorf("%s: other weights", name)
		}
		wide := must(arch.LoadWeights[float64](path, net))(t)
		if !slices.Equal(graph.Convert[float32](wide).Data(), w.Data()) {
			t.Errorf("%s: other weights in float64", name)
		}
		// Numbers of float32 in a file of float64 lose nothing.
		if err := arch.SaveWeights(path, net, wide); err != nil {
			t.Fatal(name, err)
		}
		if got := must(arch.LoadWeights[float32](path, net))(t); !slices.Equal(got.Data(), w.Data()) {
			t.Errorf("%s: other weights by way of float64", name)
		}
	}
}

// TestLoadWeights_Refuses what is of another network, by the name of the first difference.
func TestLoadWeights_Refuses(t *testing.T) {
	mlp := func(act layers.Act, widths ...int) *arch.Network {
		return must(arch.Chain{Scaling: arch.SP{}, Act: act, Widths: widths}.Network())(t)
	}
	net := mlp(layers.Tanh, 2, 3, 1)
	w := must(arch.NewWeights[float64](net, rng(2)))(t)
	path := filepath.Join(t.TempDir(), "w.safetensors")
	if err := arch.SaveWeights(path, net, w); err != nil {
		t.Fatal(err)
	}
	other := *net
	other.Scaling = arch.NTP{}
	plain := *net
	plain.Scaling = nil
	if _, err := arch.LoadWeights[float64](path, &plain); err != nil {
		t.Error("SP{} by its other name, nil:", err)
	}
	for _, c := range []struct {
		net  *arch.Network
		want string
	}{
		{mlp(layers.Tanh, 2, 4, 1), "block1/W has shape [2 3] in the file and [2 4] in the network"},
		{mlp(layers.Tanh, 2, 3, 3, 1), "block2/W has shape [3 1] in the file and [3 3] in the network"},
		{mlp(layers.Tanh, 2, 3), "a weight block2/W [3 1] that the network lacks"},
		{must(arch.Chain{Act: layers.Tanh, Widths: []int{2, 3, 1}, Bias: true}.Network())(t), "has a weight block1/b [3] that the file lacks"},
		{mlp(layers.ReLU, 2, 3, 1), "Act: relu"},
		{&other, "NTP"},
	} {
		wrong := new(arch.MismatchError)
		if _, err := arch.LoadWeights[float64](path, c.net); !errors.As(err, &wrong) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
	if _, err := arch.LoadWeights[float32](path, net); err == nil || !strings.Contains(err.Error(), "graph.Convert[float32]") {
		t.Error("float64 that float32 has not:", err)
	}
	if _, err := arch.LoadWeights[float32](path+"x", net); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Error("no file:", err)
	}

	edit := func(change func(f *safetensors.File), want string) {
		t.Helper()
		f := must(safetensors.ReadFile(path))(t)
		change(f)
		edited := path + "2"
		if err := safetensors.WriteFile(edited, f); err != nil {
			t.Fatal(err)
		}
		_, err := arch.LoadWeights[float64](edited, net)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	edit(func(f *safetensors.File) { f.Meta["kind"] = "something" }, `kind is "something"`)
	edit(func(f *safetensors.File) { f.Meta["version"] = "2" }, `version "2"`)
	edit(func(f *safetensors.File) { f.Tensor("block1/W").Data.([]float64)[4] = math.NaN() }, "block1/W[1 1] is NaN")
	edit(func(f *safetensors.File) { f.Tensor("block2/W").Data = make([]byte, 3) }, "block2/W is of bytes")
	edit(func(f *safetensors.File) { f.Tensor("block1/W").Shape = []int{3, 2} }, "transposed, [out, in] as in PyTorch")
	edit(func(f *safetensors.File) { f.Tensor("block1/W").Shape = []int{6} }, "of another network")
	edit(func(f *safetensors.File) { f.Meta = nil }, "") // as another program writes it

	w.Data()[7] = math.Inf(1)
	if err := arch.SaveWeights(path, net, w); err == nil || !strings.Contains(err.Error(), "block2/W[1 0] is +Inf") {
		t.Error("an infinite weight:", err)
	}
	if err := arch.SaveWeights(path, mlp(layers.Tanh, 2, 4, 1), w); err == nil || !strings.Contains(err.Error(), "weight 1 of the slab is block1/W [2 3]") {
		t.Error("another network's weights:", err)
	}
	if _, err := arch.LoadWeights[float64](path, net); err != nil {
		t.Error("what was saved before is gone:", err)
	}
}

// TestDescribe writes types, names and exported fields that are not zero; memory and functions are no part of it.
func TestDescribe(t *testing.T) {
	type part struct {
		N      int
		F      float64
		Act    layers.Act
		Hold   map[string]arch.Hold
		Any    any
		Loop   *part
		Do     func()
		memory int
	}
	p := &part{N: 2, F: .1, Act: layers.Tanh, Hold: map[string]arch.Hold{"b": 2, "a": 1}, Any: []any{nil, layers.Linear{In: 1, Bias: true}, "x", energy.Sum{energy.PC{}}, layers.ReLU, 3}, Do: func() {}, memory: 3}
	const want = `arch_test.part{N: 2, F: 0.1, Act: tanh, Hold: {"a": 1, "b": 2}, Any: [nil layers.Linear{In: 1, Bias: true} "x" energy.Sum([energy.PC{}]) kernel.Activation(relu) 3]}`
	if got := arch.Describe(p); got != want {
		t.Errorf("%s, want\n%s", got, want)
	}
	p.Loop = p
	if got := arch.Describe(p); len(got) > 1e8 {
		t.Errorf("%d characters of a loop", len(got))
	}
	if got := arch.Describe(nil); got != "nil" {
		t.Error(got)
	}
}

// TestSaveWeights_OfAPart: a network that is trained together with another has its own file, under its own names.
func TestSaveWeights_OfAPart(t *testing.T) {
	a, b := must(arch.MLP(nil, layers.Tanh, 2, 3, 1))(t), must(arch.MLP(nil, layers.Tanh, 1, 4, 2))(t)
	whole, parts, err := arch.NewWeightsTogether[float32](rng(3), arch.Member{Name: "a", Network: a}, arch.Member{Name: "b", Network: b})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "b.safetensors")
	if err := arch.SaveWeights(path, b, parts[1]); err != nil {
		t.Fatal(err)
	}
	if got := must(arch.LoadWeights[float32](path, b))(t); !slices.Equal(got.Data(), parts[1].Data()) || slices.Equal(got.Data(), whole.Data()) {
		t.Error("other weights")
	}
	if err := arch.SaveWeights(path, b, whole); err == nil {
		t.Error("both networks' weights for one's")
	}
}
