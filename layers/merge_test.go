package layers_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/layers/layertest"
)

// split makes a layer of a merge: its inputs are side by side in one.
type split struct {
	of     layers.Merge
	widths []int
}

func (s split) Params() []layers.Param { return s.of.Params() }

func (s split) Forward(b *graph.Builder, p []*graph.Node, x *graph.Node) *graph.Node {
	var xs []*graph.Node
	lo := 0
	for _, w := range s.widths {
		xs = append(xs, b.Columns(x, lo, lo+w))
		lo += w
	}
	return s.of.Merge(b, p, xs)
}

func TestMerges_Conform(t *testing.T) {
	for _, test := range []struct {
		s     split
		input []int
	}{
		{split{layers.Add{}, []int{3, 3}}, []int{6}},
		{split{layers.Add{}, []int{2, 2, 2}}, []int{3, 6}},
		{split{layers.Concat{}, []int{1, 3, 2}}, []int{6}},
		{split{layers.Concat{}, []int{1, 3}}, []int{2, 4}},
		{split{layers.Attend{Width: 3}, []int{3, 3, 3}}, []int{9}},
		{split{layers.Attend{Width: 4}, []int{4}}, []int{4}},
	} {
		t.Run(fmt.Sprintf("%T of %v", test.s.of, test.s.widths), func(t *testing.T) { layertest.Run(t, test.s, test.input...) })
	}
}

func TestLateral_Conforms(t *testing.T) {
	for _, bias := range []bool{false, true} {
		layertest.Run(t, layers.Lateral{Width: 4, Act: layers.Tanh, Bias: bias}, 4)
	}
}

// value evaluates nodes of a builder at inputs by name.
func value(t *testing.T, b *graph.Builder, inputs map[string][]float64, n *graph.Node) []float64 {
	t.Helper()
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	p, err := graph.Compile[float64](n)
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range b.Inputs() {
		copy(p.Value(in.Node), inputs[in.Name])
	}
	if err := p.Run(0); err != nil {
		t.Fatal(err)
	}
	return p.Value(n)
}

// TestMerges_AreTheirFormulas: two samples of two inputs, against numbers worked out here.
func TestMerges_AreTheirFormulas(t *testing.T) {
	in := map[string][]float64{"x": {1, 2, 3, 4}, "y": {-1, .5, 0, 2}, "v": {.3, -.7}}
	attend := func(i int) (a, b float64) { // the weights of sample i
		x, y := in["x"][2*i:], in["y"][2*i:]
		ex := math.Exp((x[0]*.3 - x[1]*.7) / math.Sqrt2)
		ey := math.Exp((y[0]*.3 - y[1]*.7) / math.Sqrt2)
		return ex / (ex + ey), ey / (ex + ey)
	}
	a0, b0 := attend(0)
	a1, b1 := attend(1)
	for _, test := range []struct {
		m    layers.Merge
		want []float64
	}{
		{layers.Add{}, []float64{0, 2.5, 3, 6}},
		{layers.Concat{}, []float64{1, 2, -1, .5, 3, 4, 0, 2}},
		{layers.Attend{Width: 2}, []float64{a0 - b0, 2*a0 + .5*b0, 3 * a1, 4*a1 + 2*b1}},
	} {
		b := graph.NewBuilder[float64]()
		xs := []*graph.Node{b.Data("x", 2, 2), b.Data("y", 2, 2)}
		var p []*graph.Node
		for _, v := range test.m.Params() {
			p = append(p, b.Param(v.Name, v.Shape...))
		}
		got := value(t, b, in, test.m.Merge(b, p, xs))
		for i, w := range test.want {
			if math.Abs(got[i]-w) > 1e-14 {
				t.Errorf("%T: %v, want %v", test.m, got, test.want)
				break
			}
		}
	}
}

// TestLateral_LeavesAUnitItself: act(x) (W - diag W) + c in plain loops.
func TestLateral_LeavesAUnitItself(t *testing.T) {
	in := map[string][]float64{"x": {1, -2, .5}, "W": {9, 1, 2, 3, 9, 4, 5, 6, 9}, "c": {.1, .2, .3}}
	b := graph.NewBuilder[float64]()
	x, p := b.Data("x", 1, 3), []*graph.Node{b.Param("W", 3, 3), b.Param("c", 3)}
	got := value(t, b, in, layers.Lateral{Width: 3, Act: layers.Tanh, Bias: true}.Forward(b, p, x))
	for k := range 3 {
		want := in["c"][k]
		for j := range 3 {
			if j != k {
				want += math.Tanh(in["x"][j]) * in["W"][3*j+k]
			}
		}
		if math.Abs(got[k]-want) > 1e-14 {
			t.Errorf("unit %d: %v, want %v", k, got[k], want)
		}
	}
}

func TestMerges_RefuseWhatDoesNotFit(t *testing.T) {
	tests := []struct {
		reason string
		m      layers.Merge
		shapes [][]int
		want   []string
	}{
		{"a sum of two widths", layers.Add{}, [][]int{{2, 3}, {2, 4}}, []string{"[2 3]", "[2 4]", "Concat"}},
		{"a sum of nothing", layers.Add{}, nil, []string{"no inputs"}},
		{"a join of nothing", layers.Concat{}, nil, []string{"join of nothing"}},
		{"a join of images of other sizes", layers.Concat{}, [][]int{{2, 3, 1}, {2, 4, 1}}, []string{"join", "up to the last axis"}},
		{"attention over two widths", layers.Attend{Width: 3}, [][]int{{2, 3}, {2, 4}}, []string{"[2 3]", "[2 4]"}},
		{"attention of another width", layers.Attend{Width: 3}, [][]int{{2, 4}, {2, 4}}, []string{"width 3", "[2 4]", "Width"}},
	}
	for _, test := range tests {
		b := graph.NewBuilder[float64]()
		var xs []*graph.Node
		for i, s := range test.shapes {
			xs = append(xs, b.Data(fmt.Sprint("x", i), s...))
		}
		test.m.Merge(b, []*graph.Node{b.Param("v", 3, 1)}, xs)
		for _, part := range test.want {
			if b.Err() == nil || !strings.Contains(b.Err().Error(), part) {
				t.Errorf("%s: error %v, want %q in it", test.reason, b.Err(), part)
			}
		}
	}
	b := graph.NewBuilder[float64]()
	layers.Lateral{Width: 3}.Forward(b, nil, b.Data("x", 2, 4))
	if b.Err() == nil || !strings.Contains(b.Err().Error(), "width 3") {
		t.Errorf("a lateral layer of another width: error %v", b.Err())
	}
}
