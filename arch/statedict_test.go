package arch_test

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/graph/safetensors"
	"github.com/pcgraph/pcgraph/layers"
)

var pyTorchState = filepath.Join("testdata", "onnx", "mlp.state.safetensors")

// pyTorchMLP is nn.Sequential(Linear(6, 8), ReLU(), Linear(8, 7), Tanh(), Linear(7, 3)).
func pyTorchMLP() *arch.Network {
	return &arch.Network{Input: []int{6}, Blocks: []arch.Block{
		{Name: "block1", Layer: layers.Linear{In: 6, Out: 8, Bias: true}},
		{Name: "block2", Layer: layers.Linear{In: 8, Out: 7, Act: layers.ReLU, Bias: true}},
		{Name: "block3", Layer: layers.Linear{In: 7, Out: 3, Act: layers.Tanh, Bias: true}}}}
}

// TestLoadStateDict_PredictsWhatPyTorchDoes within a few rounding errors of float32.
func TestLoadStateDict_PredictsWhatPyTorchDoes(t *testing.T) {
	net := pyTorchMLP()
	w, _, err := arch.LoadStateDict[float32](pyTorchState, net)
	if err != nil {
		t.Fatal(err)
	}
	f, err := safetensors.ReadFile(filepath.Join("testdata", "onnx", "mlp.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := arch.Compile(net, w, arch.Plan{Batch: f.Tensor("x").Shape[0], Coordinates: arch.Feedforward})
	if err != nil {
		t.Fatal(err)
	}
	got, err := m.Predict(f.Tensor("x").Data.([]float32))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range f.Tensor("y").Data.([]float32) {
		if !(math.Abs(float64(got[i]-want)) <= 1e-6) {
			t.Errorf("output %d is %v, PyTorch gives %v", i, got[i], want)
		}
	}
}

func TestLoadStateDict_ListsBothSides(t *testing.T) {
	wide := pyTorchMLP()
	wide.Blocks[2].Layer = layers.Linear{In: 7, Out: 4, Act: layers.Tanh, Bias: true}
	var other *arch.MismatchError
	for _, c := range []struct {
		net   *arch.Network
		names []string
		says  []string
	}{
		{wide, nil, []string{"4.weight [3 7] is not block3/W [7 4]", "the network has block1/W [6 8]", "0.weight [8 6]"}},
		{must(arch.MLP(nil, layers.ReLU, 6, 8, 3))(t), nil, []string{"6 tensors", "4 weights", "block2/b [3]"}},
		{pyTorchMLP(), []string{"0.weight", "0.bias", "2.weight", "2.bias", "4.weight", "4.weight"}, []string{"4.weight", "twice"}},
		{pyTorchMLP(), []string{"0.bias", "0.weight", "2.weight", "2.bias", "4.weight", "4.bias"}, []string{"0.bias [8] is not block1/W [6 8]"}},
	} {
		_, _, err := arch.LoadStateDict[float32](pyTorchState, c.net, c.names...)
		if !errors.As(err, &other) {
			t.Errorf("error %v, want a MismatchError", err)
			continue
		}
		for _, s := range c.says {
			if !strings.Contains(err.Error(), s) {
				t.Errorf("error %v, want %q in it", err, s)
			}
		}
	}
}

// Weights of PyTorch, in the order of their names; the activation is in front of the weights behind it.
func ExampleLoadStateDict() {
	net := pyTorchMLP()
	_, taken, err := arch.LoadStateDict[float32](pyTorchState, net)
	fmt.Println(strings.Join(taken, ", "), err)
	// Output: 0.weight -> block1/W, 0.bias -> block1/b, 2.weight -> block2/W, 2.bias -> block2/b, 4.weight -> block3/W, 4.bias -> block3/b <nil>
}
