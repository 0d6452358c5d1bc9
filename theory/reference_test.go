package theory

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// reference is one case exported from the JPC library; see testdata/README.md.
type reference struct {
	Kind, Name string
	Net        struct {
		Sizes           []int
		Act             string
		Bias            bool
		Scaling         string
		Skip            bool
		Gamma           *float64
		OutputPrecision *float64 `json:"output_precision"`
		Loss            string
	}
	Batch  int
	Energy float64
	Arrays map[string]struct {
		Shape []int
		Data  []float64
	}
}

// otherKinds are cases that the tests of other packages read.
var otherKinds = []string{"energy", "unsupervised", "regularised", "flow", "bidirectional", "errors",
	"hybrid", "training", "layer", "activation", "pem", "saddles"}

// references returns the linear theory cases of testdata/reference and of the
// folder PCGRAPH_REFERENCE. Unknown kinds and fields are errors.
func references(t *testing.T) []*reference {
	files, err := filepath.Glob("../testdata/reference/theory_*.json")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 6 {
		t.Fatalf("%d files in ../testdata/reference, want at least 6", len(files))
	}
	if dir := os.Getenv("PCGRAPH_REFERENCE"); dir != "" {
		more, err := filepath.Glob(filepath.Join(dir, "*.json"))
		if err != nil || len(more) == 0 {
			t.Fatalf("PCGRAPH_REFERENCE=%s: %d files, error %v", dir, len(more), err)
		}
		files = append(files, more...)
	}
	var cases []*reference
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var kind struct{ Kind string }
		if err := json.Unmarshal(text, &kind); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if slices.Contains(otherKinds, kind.Kind) {
			continue
		}
		if kind.Kind != "linear_theory" {
			t.Fatalf("%s: unknown kind %q", file, kind.Kind)
		}
		c := new(reference)
		dec := json.NewDecoder(bytes.NewReader(text))
		dec.DisallowUnknownFields()
		if err := dec.Decode(c); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		cases = append(cases, c)
	}
	return cases
}

// network builds the network of a case; its weights are stored [out, in].
func (c *reference) network(t *testing.T) Linear {
	scaling, ok := map[string]Scaling{"sp": SP, "ntp": NTP, "mupc": MuPC}[c.Net.Scaling]
	if !ok || c.Net.Act != "linear" || c.Net.Bias || c.Net.Loss != "mse" {
		t.Fatalf("no linear theory for %+v", c.Net)
	}
	sizes := c.Net.Sizes
	last := len(sizes) - 1
	s := Spec{Scaling: scaling, Inputs: sizes[0], Width: sizes[1], Outputs: sizes[last], Depth: last, Skips: c.Net.Skip}
	if c.Net.Gamma != nil {
		s.Gamma = *c.Net.Gamma
	}
	if c.Net.OutputPrecision != nil {
		s.Precision = *c.Net.OutputPrecision
	}
	factors, err := s.Factors()
	if err != nil {
		t.Fatal(err)
	}
	n := Linear{Factors: factors, Skips: s.skips(), Precision: s.Precision}
	for l := range last {
		n.Weights = append(n.Weights, mat.DenseCopyOf(c.matrix(t, fmt.Sprintf("W%d", l+1)).T()))
	}
	return n
}

func (c *reference) matrix(t *testing.T, name string) *mat.Dense {
	a, ok := c.Arrays[name]
	if !ok || len(a.Shape) != 2 {
		t.Fatalf("array %s: present %v, shape %v", name, ok, a.Shape)
	}
	return mat.NewDense(a.Shape[0], a.Shape[1], a.Data)
}

// Oracle: the JPC library in float64. Its energies and gradients are of the
// batch mean, like ours; its Hessian is per sample, like ours. Tolerance: 1e-10
// of the largest entry; the library inverts dense matrices.
func TestLinear_EqualsJPC(t *testing.T) {
	for _, c := range references(t) {
		t.Run(c.Name, func(t *testing.T) {
			n := c.network(t)
			x, y := c.matrix(t, "x"), c.matrix(t, "y")
			eq, err := n.Equilibrium(x, y)
			if err != nil {
				t.Fatal(err)
			}
			h, err := n.ActivityHessian()
			if err != nil {
				t.Fatal(err)
			}
			eig, err := Eigenvalues(h)
			if err != nil {
				t.Fatal(err)
			}
			if rows, _ := x.Dims(); rows != c.Batch {
				t.Errorf("batch %d, want %d", rows, c.Batch)
			}
			if d := math.Abs(eq.Energy - c.Energy); d > 1e-10*c.Energy {
				t.Errorf("energy %.15g, want %.15g", eq.Energy, c.Energy)
			}
			got := map[string]mat.Matrix{"rescaling": eq.Rescaling, "activity_hessian": h}
			for l, g := range eq.Gradient().Dense() {
				got[fmt.Sprintf("dW%d", l+1)] = g.T()
			}
			for l, z := range eq.Activities {
				got[fmt.Sprintf("z%d", l+1)] = z
			}
			for name := range c.Arrays {
				switch {
				case name == "x" || name == "y" || strings.HasPrefix(name, "W"):
				case name == "hessian_eigenvalues":
					want := slices.Sorted(slices.Values(c.Arrays[name].Data))
					near(t, name, mat.NewDense(1, len(eig), eig), mat.NewDense(1, len(want), want), 1e-10)
				case got[name] == nil:
					t.Errorf("unknown array %s", name)
				default:
					near(t, name, got[name], c.matrix(t, name), 1e-10)
					delete(got, name)
				}
			}
			for name := range got {
				t.Errorf("no reference for %s", name)
			}
		})
	}
}

// near compares matrices entry by entry, relative to the largest entry wanted.
func near(t *testing.T, what string, got, want mat.Matrix, rel float64) {
	t.Helper()
	gr, gc := got.Dims()
	wr, wc := want.Dims()
	if gr != wr || gc != wc {
		t.Errorf("%s: [%d,%d], want [%d,%d]", what, gr, gc, wr, wc)
		return
	}
	scale := math.Max(mat.Max(want), -mat.Min(want))
	for i := range gr {
		for j := range gc {
			if d := math.Abs(got.At(i, j) - want.At(i, j)); !(d <= rel*scale) {
				t.Errorf("%s[%d,%d] = %.15g, want %.15g", what, i, j, got.At(i, j), want.At(i, j))
				return
			}
		}
	}
}
