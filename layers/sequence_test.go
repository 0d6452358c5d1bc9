package layers_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/layers/layertest"
)

func TestSequenceLayers_Conform(t *testing.T) {
	block := layers.Compose{
		layers.Residual{Inner: layers.Compose{layers.LayerNorm{Width: 4, Eps: .1}, layers.Attention{Width: 4, Heads: 2, Causal: true, Scale: .25}}},
		layers.Residual{Inner: layers.Compose{layers.LayerNorm{Width: 4, Eps: .1}, layers.FeedForward{Width: 4, Hidden: 6, Act: layers.GELU}}, Factor: .5},
	}
	for name, l := range map[string]layers.Layer{
		"layer norm":             layers.LayerNorm{Width: 4},
		"layer norm, gain, bias": layers.LayerNorm{Width: 4, Eps: .1, Gain: true, Bias: true},
		"rms norm":               layers.RMSNorm{Width: 4},
		"rms norm, gain":         layers.RMSNorm{Width: 4, Eps: .1, Gain: true},
		"position":               layers.Position{Tokens: 3, Width: 4},
		"attention, causal":      layers.Attention{Width: 4, Heads: 2, Causal: true},
		"attention, full":        layers.Attention{Width: 4, Heads: 1, Bias: true, Scale: .25},
		"attention, padding":     layers.Attention{Width: 4, Heads: 4, Padding: true},
		"feed-forward":           layers.FeedForward{Width: 4, Hidden: 5, Act: layers.Tanh, Bias: true},
		"feed-forward, default":  layers.FeedForward{Width: 4, Act: layers.GELU},
		"dropout":                layers.Dropout{Rate: .5},
		"gated feed-forward":     layers.GatedFeedForward{Width: 4, Hidden: 5, Act: layers.SiLU},
		"gated, defaults":        layers.GatedFeedForward{Width: 4},
		"columns":                layers.Columns{From: 1, To: 3},
		"residual":               layers.Residual{Inner: layers.FeedForward{Width: 4, Hidden: 3, Act: layers.SiLU}, Factor: .3},
		"nothing composed":       layers.Compose{},
		"transformer block":      block,
	} {
		t.Run(name, func(t *testing.T) { layertest.Run(t, l, 3, 4) })
	}
	t.Run("layer norm of rows", func(t *testing.T) { layertest.Run(t, layers.LayerNorm{Width: 4, Gain: true}, 4) })
	t.Run("embedding", func(t *testing.T) { layertest.RunIDs(t, layers.Embedding{Vocab: 5, Width: 3}, 5, 4) })
	t.Run("embedding with position", func(t *testing.T) {
		layertest.RunIDs(t, layers.Compose{layers.Embedding{Vocab: 5, Width: 3}, layers.Position{Tokens: 4, Width: 3}}, 5, 4)
	})
}

// run computes a layer's map of x with the weights p.
func run(t *testing.T, l layers.Layer, shape []int, x []float64, p [][]float64, masks ...[]float64) []float64 {
	t.Helper()
	b := graph.NewBuilder[float64]()
	in := b.Data("x", shape...)
	var ws []*graph.Node
	for _, w := range l.Params() {
		ws = append(ws, b.Param(w.Name, w.Shape...))
	}
	out := l.Forward(b, ws, in)
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	prog, err := graph.Compile[float64](out)
	if err != nil {
		t.Fatal(err)
	}
	copy(prog.Value(in), x)
	for i, w := range ws {
		copy(prog.Value(w), p[i])
	}
	for i, m := range masks {
		copy(prog.Value(b.Inputs()[1+len(ws)+i].Node), m)
	}
	if err := prog.RunAll(); err != nil {
		t.Fatal(err)
	}
	return prog.Value(out)
}

func normals(seed uint64, n int) []float64 {
	rng, x := rand.New(rand.NewPCG(seed, 5)), make([]float64, n)
	for i := range x {
		x[i] = rng.NormFloat64()
	}
	return x
}

func close(t *testing.T, what string, got, want []float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d numbers, want %d", what, len(got), len(want))
	}
	for i, w := range want {
		if !(math.Abs(got[i]-w) <= 1e-13*max(1, math.Abs(w))) {
			t.Fatalf("%s: [%d] = %.16g, want %.16g", what, i, got[i], w)
		}
	}
}

// product is x w + c of rows.
func product(x, w, c []float64, in, out int) []float64 {
	var y []float64
	for i := 0; i < len(x); i += in {
		for j := range out {
			s := 0.0
			if c != nil {
				s = c[j]
			}
			for k := range in {
				s += x[i+k] * w[k*out+j]
			}
			y = append(y, s)
		}
	}
	return y
}

// TestAttention_IsItsFormula holds the layer against loops over samples, heads and tokens.
func TestAttention_IsItsFormula(t *testing.T) {
	const batch, tokens, n, heads, d = 2, 3, 4, 2, 2
	x := normals(1, batch*tokens*n)
	hidden := []float64{0, 1, 0, 1, 1, 1}
	for _, l := range []layers.Attention{
		{Width: n, Heads: heads},
		{Width: n, Heads: heads, Causal: true, Scale: 1. / d, Bias: true},
		{Width: n, Heads: heads, Causal: true, Bias: true, Padding: true},
	} {
		wqkv, wo, bqkv, bo := normals(2, n*3*n), normals(3, n*n), normals(4, 3*n), normals(5, n)
		p, masks := [][]float64{wqkv, wo}, [][]float64{}
		var cq, co []float64
		if l.Bias {
			p, cq, co = append(p, bqkv, bo), bqkv, bo
		}
		if l.Padding {
			masks = append(masks, hidden)
		}
		scale := l.Scale
		if scale == 0 {
			scale = 1 / math.Sqrt(d)
		}
		qkv, z := product(x, wqkv, cq, n, 3*n), make([]float64, batch*tokens*n)
		for s := range batch {
			for h := range heads {
				at := func(third, i, k int) float64 { return qkv[(s*tokens+i)*3*n+third*n+h*d+k] }
				for i := range tokens {
					p, mass := make([]float64, tokens), 0.0
					for j := range tokens {
						if l.Causal && j > i || l.Padding && hidden[s*tokens+j] > 0 {
							continue
						}
						p[j] = math.Exp(scale * (at(0, i, 0)*at(1, j, 0) + at(0, i, 1)*at(1, j, 1)))
						mass += p[j]
					}
					for j := range p {
						for k := range d {
							if mass > 0 {
								z[(s*tokens+i)*n+h*d+k] += p[j] / mass * at(2, j, k)
							}
						}
					}
				}
			}
		}
		close(t, "attention", run(t, l, []int{batch, tokens, n}, x, p, masks...), product(z, wo, co, n, n))
	}
}

// TestSequenceLayers_AreTheirFormulas holds the simple layers against plain loops.
func TestSequenceLayers_AreTheirFormulas(t *testing.T) {
	const tokens, n = 3, 4
	x, shape := normals(6, 2*tokens*n), []int{2, tokens, n}
	g, c, pos := normals(7, n), normals(8, n), normals(9, tokens*n)
	want := make([]float64, len(x))
	norm := func(centre bool, eps float64) {
		for i := 0; i < len(x); i += n {
			m, v := 0.0, 0.0
			for _, a := range x[i : i+n] {
				m += a / n
			}
			if !centre {
				m = 0
			}
			for _, a := range x[i : i+n] {
				v += (a - m) * (a - m) / n
			}
			for j, a := range x[i : i+n] {
				want[i+j] = (a - m) / math.Sqrt(v+eps) * g[j]
				if centre {
					want[i+j] += c[j]
				}
			}
		}
	}
	norm(true, 1e-5)
	close(t, "layer norm", run(t, layers.LayerNorm{Width: n, Gain: true, Bias: true}, shape, x, [][]float64{g, c}), want)
	norm(false, 1e-5)
	close(t, "rms norm", run(t, layers.RMSNorm{Width: n, Gain: true}, shape, x, [][]float64{g}), want)
	for i, a := range x {
		want[i] = a + pos[i%(tokens*n)]
	}
	close(t, "position", run(t, layers.Position{Tokens: tokens, Width: n}, shape, x, [][]float64{pos}), want)
	w1, w2 := normals(10, n*5), normals(11, 5*n)
	hidden := product(x, w1, nil, n, 5)
	for i, a := range hidden {
		hidden[i] = math.Tanh(a)
	}
	for i, a := range product(hidden, w2, nil, 5, n) {
		want[i] = x[i] + .5*a
	}
	ff := layers.Residual{Inner: layers.Compose{layers.FeedForward{Width: n, Hidden: 5, Act: layers.Tanh}}, Factor: .5}
	close(t, "residual feed-forward", run(t, ff, shape, x, [][]float64{w1, w2}), want)
	gate, up, down := normals(13, n*5), normals(14, n*5), normals(15, 5*n)
	hidden = product(x, gate, nil, n, 5)
	for i, a := range product(x, up, nil, n, 5) {
		hidden[i] *= a / (1 + math.Exp(-hidden[i]))
	}
	close(t, "gated feed-forward", run(t, layers.GatedFeedForward{Width: n, Hidden: 5, Act: layers.SiLU}, shape, x, [][]float64{gate, up, down}), product(hidden, down, nil, 5, n))
	close(t, "columns", run(t, layers.Columns{From: 1, To: 2}, []int{2, 3}, []float64{1, 2, 3, 4, 5, 6}, nil), []float64{2, 5})
	ids, table := []float64{2, 0, 2, 1}, normals(12, 3*2)
	close(t, "embedding", run(t, layers.Embedding{Vocab: 3, Width: 2}, []int{2, 2}, ids, [][]float64{table}),
		[]float64{table[4], table[5], table[0], table[1], table[4], table[5], table[2], table[3]})
}

// TestDropout_MasksAverageToNothing: the mask has mean 0 and takes out the stated part; a zero mask is the identity.
func TestDropout_MasksAverageToNothing(t *testing.T) {
	const n, rate = 40000, .3
	mask := make([]float64, n)
	b, r := graph.NewBuilder[float64](), rand.New(rand.NewPCG(1, 1))
	layers.Dropout{Rate: rate}.Forward(b, nil, b.Data("x", 2, 3))
	for i := range mask {
		mask[i] = b.Inputs()[1].Draw(r)
	}
	out, sum := 0, 0.0
	for _, m := range mask {
		sum += m
		if m == -1 {
			out++
		}
	}
	sd := math.Sqrt(rate * (1 - rate) / n)
	if math.Abs(float64(out)/n-rate) > 5*sd || math.Abs(sum/n) > 5*sd/(1-rate) {
		t.Errorf("%d of %d are out, the mean is %v", out, n, sum/n)
	}
	x := normals(1, 6)
	close(t, "without a mask", run(t, layers.Dropout{Rate: rate}, []int{2, 3}, x, nil), x)
	y := run(t, layers.Dropout{Rate: rate}, []int{2, 3}, x, nil, []float64{-1, rate / (1 - rate), -1, 0, 0, 0})
	close(t, "with a mask", y, []float64{0, x[1] / (1 - rate), 0, x[3], x[4], x[5]})
}

func TestSequenceLayers_RefuseWrongInput(t *testing.T) {
	for _, test := range []struct {
		reason string
		layer  layers.Layer
		shape  []int
		says   []string
	}{
		{"heads that do not divide", layers.Attention{Width: 4, Heads: 3}, []int{2, 3, 4}, []string{"width 4", "3 heads"}},
		{"no heads", layers.Attention{Width: 4}, []int{2, 3, 4}, []string{"0 heads"}},
		{"no tokens", layers.Attention{Width: 4, Heads: 2}, []int{2, 4}, []string{"[2 4]", "[batch, tokens, features]"}},
		{"another width", layers.Attention{Width: 4, Heads: 2}, []int{2, 3, 5}, []string{"width 4", "[2 3 5]"}},
		{"another width", layers.LayerNorm{Width: 4}, []int{2, 3}, []string{"width 4", "[2 3]"}},
		{"gate of another width", layers.GatedFeedForward{Width: 4}, []int{2, 3}, []string{"gated", "width 4", "[2 3]"}},
		{"columns beyond", layers.Columns{From: 1, To: 4}, []int{2, 3}, []string{"columns 1 to 3", "[2 3]"}},
		{"eps below zero", layers.LayerNorm{Width: 4, Eps: -1}, []int{2, 4}, []string{"eps -1"}},
		{"another width", layers.RMSNorm{Width: 4}, []int{2, 3}, []string{"width 4", "[2 3]"}},
		{"longer sequences", layers.Position{Tokens: 4, Width: 2}, []int{2, 5, 2}, []string{"4 tokens", "given 5"}},
		{"one-hot", layers.Embedding{Vocab: 5, Width: 2}, []int{2, 3, 5}, []string{"ids", "Linear"}},
		{"rate 1", layers.Dropout{Rate: 1}, []int{2, 3}, []string{"rate of 1"}},
		{"inner layer of another shape", layers.Residual{Inner: layers.Linear{In: 3, Out: 2}}, []int{2, 3}, []string{"[2 2]", "[2 3]"}},
		{"no inner layer", layers.Residual{}, []int{2, 3}, []string{"Inner"}},
		{"a missing part", layers.Compose{layers.Identity{}, nil}, []int{2, 3}, []string{"part 2"}},
		{"a part's part", layers.Compose{layers.Identity{}, layers.Compose{layers.Linear{In: 4, Out: 2}}}, []int{2, 3}, []string{"2/1", "4 inputs"}},
	} {
		b := graph.NewBuilder[float64]()
		x := b.Data("x", test.shape...)
		b.Within("block7", func() {
			var ps []*graph.Node
			for _, w := range test.layer.Params() {
				ps = append(ps, b.Param(w.Name, w.Shape...))
			}
			if n := test.layer.Forward(b, ps, x); n != nil {
				t.Errorf("%s: a node is returned", test.reason)
			}
		})
		for _, part := range append(test.says, "block7") {
			if err := b.Err(); err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%s: error %v, want %q in it", test.reason, err, part)
			}
		}
	}
}
