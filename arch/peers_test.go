package arch_test

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/graph/safetensors"
	"github.com/pcgraph/pcgraph/layers"
)

// peersFile is a file of testdata/peers, which has a script that says how they were made.
func peersFile(name string) string { return filepath.Join("testdata", "peers", name) }

// TestLoadStateDict_PredictsWhatThePeersDo: networks of Equinox and of pcx in files that these libraries wrote.
func TestLoadStateDict_PredictsWhatThePeersDo(t *testing.T) {
	mlp := must(arch.MLP(nil, layers.ReLU, 6, 8, 8, 3))(t)
	cnn := &arch.Network{Input: []int{6, 5, 2}, Blocks: []arch.Block{
		{Name: "block1", Layer: layers.Conv2D{In: 2, Out: 4, Kernel: layers.Both(3), Pad: layers.Both(1), Bias: true}},
		{Name: "block2", Layer: layers.Conv2D{In: 4, Out: 3, Kernel: layers.Both(3), Act: layers.ReLU, Bias: true}}}}
	for _, c := range []struct {
		file, expected, of string
		net                *arch.Network
		first              string
	}{
		{"mlp.eqx", "expected", "mlp.", mlp, "1 -> block1/W, 2 -> block1/b"},
		{"headed.eqx", "expected", "mlp.", mlp, "1 -> block1/W"},
		{"pcx.npz", "pcx", "", mlp, ".layers[0].nn.weight -> block1/W, .layers[0].nn.bias -> block1/b"},
		{"cnn.eqx", "expected", "cnn.", cnn, "1 -> block1/W"},
	} {
		w, taken, err := arch.LoadStateDict[float32](peersFile(c.file), c.net)
		if err != nil {
			t.Errorf("%s: %v", c.file, err)
			continue
		}
		if got := strings.Join(taken, ", "); !strings.HasPrefix(got, c.first) {
			t.Errorf("%s: %s", c.file, got)
		}
		expected := must(safetensors.ReadFile(peersFile(c.expected + ".safetensors")))(t)
		x, y := expected.Tensor(c.of+"x"), expected.Tensor(c.of+"y")
		m := must(arch.Compile(c.net, w, arch.Plan{Batch: x.Shape[0], Coordinates: arch.Feedforward}))(t)
		got := must(m.Predict(x.Data.([]float32)))(t)
		for i, want := range y.Data.([]float32) {
			if !(math.Abs(float64(got[i]-want)) <= 1e-6) {
				t.Fatalf("%s: output %d is %v, the library gives %v", c.file, i, got[i], want)
			}
		}
	}
}

// TestLoadStateDict_RefusesDamage, and files that are none of its formats.
func TestLoadStateDict_RefusesDamage(t *testing.T) {
	mlp := must(arch.MLP(nil, layers.ReLU, 6, 8, 8, 3))(t)
	whole := must(os.ReadFile(peersFile("mlp.eqx")))(t)
	dir := t.TempDir()
	for name, c := range map[string]struct {
		text string
		says string
	}{
		"cut.eqx":     {string(whole[:len(whole)-7]), "array 6"},
		"header.eqx":  {string(whole[:100]), "array 1"},
		"text.eqx":    {"weights\n", "tree_serialise_leaves"},
		"empty.eqx":   {"", "0 tensors"},
		"behind.eqx":  {string(whole) + "x", "array 7"},
		"no.npz":      {"PK", "no.npz"},
		"renamed.npz": {string(whole), "renamed.npz"},
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(c.text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, _, err := arch.LoadStateDict[float32](path, mlp); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.says)
		}
	}
}

// FuzzLoadStateDict: any file is weights or an error.
func FuzzLoadStateDict(f *testing.F) {
	for _, name := range []string{"mlp.eqx", "headed.eqx"} {
		text, err := os.ReadFile(peersFile(name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	mlp, err := arch.MLP(nil, layers.ReLU, 6, 8, 8, 3)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		path := filepath.Join(t.TempDir(), "x.eqx")
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
		arch.LoadStateDict[float32](path, mlp)
	})
}
