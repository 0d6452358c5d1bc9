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

func TestIdentity_Conforms(t *testing.T) {
	layertest.Run(t, layers.Identity{}, 4)
	layertest.Run(t, layers.Identity{}, 2, 3, 3)
}

func TestActivate_Conforms(t *testing.T) {
	for _, act := range layers.Acts() {
		layertest.Run(t, layers.Activate{Act: act}, 2, 3)
	}
}

// TestLinear_Conforms covers every activation before and after the product, with and without bias.
func TestLinear_Conforms(t *testing.T) {
	for _, act := range layers.Acts() {
		for _, post := range layers.Acts() {
			for _, bias := range []bool{false, true} {
				l := layers.Linear{In: 4, Out: 3, Act: act, Post: post, Bias: bias}
				t.Run(fmt.Sprintf("%v %v bias=%v", act, post, bias), func(t *testing.T) { layertest.Run(t, l, 4) })
			}
		}
	}
}

func TestLinear_ConformsOnTokens(t *testing.T) {
	layertest.Run(t, layers.Linear{In: 4, Out: 3, Act: layers.Tanh, Bias: true}, 5, 4)
	layertest.Run(t, layers.Linear{In: 4, Out: 3, Bias: true}, 2, 3, 4)
}

// TestLinear_IsItsFormula holds post(act(x) W + c) against plain loops and formulas written out here.
func TestLinear_IsItsFormula(t *testing.T) {
	formula := map[layers.Act]func(float64) float64{
		layers.LinearAct: func(x float64) float64 { return x },
		layers.Tanh:      func(x float64) float64 { return (math.Exp(2*x) - 1) / (math.Exp(2*x) + 1) },
		layers.HardTanh:  func(x float64) float64 { return max(-1, min(1, x)) },
		layers.Sigmoid:   func(x float64) float64 { return 1 / (1 + math.Exp(-x)) },
		layers.ReLU:      func(x float64) float64 { return max(0, x) },
		layers.LeakyReLU: func(x float64) float64 { return max(x, 0) + .01*min(x, 0) },
		layers.GELU: func(x float64) float64 {
			return x / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+.044715*x*x*x)))
		},
		layers.SELU: func(x float64) float64 {
			const scale, alpha = 1.0507009873554805, 1.6732632423543772
			if x > 0 {
				return scale * x
			}
			return scale * alpha * (math.Exp(x) - 1)
		},
		layers.SiLU: func(x float64) float64 { return x / (1 + math.Exp(-x)) },
	}
	if len(formula) != len(layers.Acts()) {
		t.Fatalf("%d formulas for %d activations", len(formula), len(layers.Acts()))
	}
	x := []float64{-2.3, .4, 1.7, .9, -.6, -3.1}
	w := []float64{.3, -1.2, .8, .5, -.7, 1.1}
	c := []float64{.25, -.75}
	for _, act := range layers.Acts() {
		for _, post := range layers.Acts() {
			b := graph.NewBuilder[float64]()
			xn, wn, cn := b.Data("x", 2, 3), b.Param("W", 3, 2), b.Param("b", 2)
			out := layers.Linear{In: 3, Out: 2, Act: act, Post: post, Bias: true}.Forward(b, []*graph.Node{wn, cn}, xn)
			p, err := graph.Compile[float64](out)
			if b.Err() != nil || err != nil {
				t.Fatal(b.Err(), err)
			}
			copy(p.Value(xn), x)
			copy(p.Value(wn), w)
			copy(p.Value(cn), c)
			if err := p.RunAll(); err != nil {
				t.Fatal(err)
			}
			for i := range 2 {
				for k := range 2 {
					s := c[k]
					for j := range 3 {
						s += formula[act](x[i*3+j]) * w[j*2+k]
					}
					want, got := formula[post](s), p.Value(out)[i*2+k]
					if math.Abs(got-want) > 1e-14*max(1, math.Abs(want)) {
						t.Errorf("%v before, %v after: [%d,%d] = %.16g, want %.16g", act, post, i, k, got, want)
					}
				}
			}
		}
	}
}

func TestLinear_RefusesWrongShapes(t *testing.T) {
	tests := []struct {
		shape  []int
		reason string
	}{
		{[]int{2, 4}, "one feature too many"},
		{[]int{2, 1}, "too few features: nothing is broadcast"},
		{[]int{2, 3, 1}, "the features are the last dimension: the layer does not guess an order"},
	}
	for _, test := range tests {
		b := graph.NewBuilder[float64]()
		x, w := b.Data("x", test.shape...), b.Param("W", 3, 2)
		b.Within("block7", func() {
			if n := (layers.Linear{In: 3, Out: 2}).Forward(b, []*graph.Node{w}, x); n != nil {
				t.Errorf("%s: a node is returned", test.reason)
			}
		})
		if err := b.Err(); err == nil || !strings.Contains(err.Error(), "block7") || !strings.Contains(err.Error(), "3 inputs") {
			t.Errorf("%s: error %v, want block and width named", test.reason, err)
		}
	}
}

func TestParseAct_IsInverseOfString(t *testing.T) {
	for _, a := range layers.Acts() {
		if got, err := layers.ParseAct(a.String()); err != nil || got != a {
			t.Errorf("%q gives %v, error %v", a.String(), got, err)
		}
	}
	if _, err := layers.ParseAct("swish2"); err == nil || !strings.Contains(err.Error(), "leaky_relu") {
		t.Errorf("unknown name: error %v, want the known names listed", err)
	}
}
