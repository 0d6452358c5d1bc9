package layers_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/layers"
)

// fill draws N(0, std^2) for every input of a program.
func fill(b *graph.Builder, p *graph.Program[float32], std func(n *graph.Node) float64) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, in := range b.Inputs() {
		for i, v := 0, p.Value(in.Node); i < len(v); i++ {
			v[i] = float32(std(in.Node) * rng.NormFloat64())
		}
	}
	p.Touch()
}

// BenchmarkLayer is a layer's map and its gradients with respect to input and weights, on 16 samples of 32 tokens.
func BenchmarkLayer(b *testing.B) {
	const batch, tokens, n = 16, 32, 64
	for name, l := range map[string]layers.Layer{
		"attention": layers.Attention{Width: n, Heads: 4, Causal: true},
		"padding":   layers.Attention{Width: n, Heads: 4, Padding: true},
		"layernorm": layers.LayerNorm{Width: n, Gain: true, Bias: true},
		"rmsnorm":   layers.RMSNorm{Width: n},
		"mlp":       layers.FeedForward{Width: n, Act: layers.GELU},
	} {
		b.Run(name, func(b *testing.B) {
			g := graph.NewBuilder[float32]()
			x, ct := g.Data("x", batch, tokens, n), g.Data("cotangent", batch, tokens, n)
			wrt := []*graph.Node{x}
			for _, w := range l.Params() {
				wrt = append(wrt, g.Param(w.Name, w.Shape...))
			}
			y := l.Forward(g, wrt[1:], x)
			outs, err := graph.Grad(g.Inner(y, ct), wrt...)
			if err != nil {
				b.Fatal(err)
			}
			var batched []*graph.Node
			for _, in := range g.Inputs() {
				if in.Kind != graph.Param {
					batched = append(batched, in.Node)
				}
			}
			p, err := graph.CompilePlan[float32](graph.Plan{Targets: [][]*graph.Node{append(outs, y)}, Batched: batched})
			if err != nil {
				b.Fatal(err)
			}
			fill(g, p, func(m *graph.Node) float64 {
				if len(m.Shape()) == 2 {
					return .1
				}
				return 1
			})
			b.ReportAllocs()
			for b.Loop() {
				if err := p.RunAll(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// transformer is the predictive coding energy of a transformer on one-hot characters, one site per block, with gradients.
type transformer struct {
	b              *graph.Builder
	states         []*graph.Node
	energy         *graph.Node
	dz, dw         []*graph.Node
	p              *graph.Program[float32]
	values, change [][]float32
}

func newTransformer(tb testing.TB, n, blocks, heads, tokens, batch int) *transformer {
	const vocab = 65
	d := n / heads
	t := &transformer{b: graph.NewBuilder[float32]()}
	ls := []layers.Layer{layers.Compose{layers.Linear{In: vocab, Out: n}, layers.Position{Tokens: tokens, Width: n}}}
	for range blocks {
		branch := func(l layers.Layer) layers.Layer {
			return layers.Residual{Inner: layers.Compose{layers.LayerNorm{Width: n}, l}, Factor: 1 / float64(blocks)}
		}
		ls = append(ls, layers.Compose{
			branch(layers.Attention{Width: n, Heads: heads, Causal: true, Scale: 1 / float64(d)}),
			branch(layers.FeedForward{Width: n, Act: layers.GELU}),
		})
	}
	ls = append(ls, layers.Linear{In: n, Out: vocab})
	var weights, terms []*graph.Node
	z := t.b.Data("x", batch, tokens, vocab)
	for i, l := range ls {
		t.b.Within(fmt.Sprintf("block%d", i), func() {
			var ps []*graph.Node
			for _, w := range l.Params() {
				ps = append(ps, t.b.Param(w.Name, w.Shape...))
			}
			weights = append(weights, ps...)
			mu := l.Forward(t.b, ps, z)
			if i == len(ls)-1 {
				terms = append(terms, t.b.CrossEntropy(t.b.Data("y", batch, tokens, vocab), mu, 1, batch))
				return
			}
			z = t.b.State("z", batch, tokens, n)
			t.states = append(t.states, z)
			terms = append(terms, t.b.HalfSquare(t.b.Sub(z, mu), 1, batch))
		})
	}
	ones := make([]float64, len(terms))
	for i := range ones {
		ones[i] = 1
	}
	t.energy = t.b.Combine(ones, terms...)
	if t.b.Err() != nil {
		tb.Fatal(t.b.Err())
	}
	var err error
	if t.dz, err = graph.Grad(t.b.Scale(t.energy, float64(batch)), t.states...); err != nil {
		tb.Fatal(err)
	}
	if t.dw, err = graph.Grad(t.energy, weights...); err != nil {
		tb.Fatal(err)
	}
	var batched []*graph.Node
	for _, in := range t.b.Inputs() {
		if in.Kind != graph.Param {
			batched = append(batched, in.Node)
		}
	}
	targets := [][]*graph.Node{append([]*graph.Node{t.energy}, t.dz...), append([]*graph.Node{t.energy}, t.dw...)}
	if t.p, err = graph.CompilePlan[float32](graph.Plan{Targets: targets, Batched: batched, Cache: true}); err != nil {
		tb.Fatal(err)
	}
	fill(t.b, t.p, func(m *graph.Node) float64 {
		if len(m.Shape()) == 2 {
			return .1
		}
		return 1
	})
	for k := range 2 {
		for _, z := range t.states {
			v := make([]float32, len(t.p.Value(z)))
			for i, a := range t.p.Value(z) {
				v[i] = a * (1 + float32(k)/16)
			}
			if k == 0 {
				t.values = append(t.values, v)
			} else {
				t.change = append(t.change, v)
			}
		}
	}
	return t
}

// BenchmarkTransformer is one evaluation of the energy with its gradient with respect to all activities, which change each time, or by
// all weights, which count as changed.
func BenchmarkTransformer(b *testing.B) {
	for _, s := range []struct{ n, blocks, heads, tokens, batch int }{{64, 4, 4, 32, 16}, {128, 6, 8, 32, 32}} {
		for target, name := range []string{"activities", "weights"} {
			b.Run(fmt.Sprintf("%s/width=%d/blocks=%d/batch=%d", name, s.n, s.blocks, s.batch), func(b *testing.B) {
				t := newTransformer(b, s.n, s.blocks, s.heads, s.tokens, s.batch)
				b.ReportAllocs()
				for b.Loop() {
					for i, z := range t.states {
						t.p.Load(z, t.values[i])
					}
					t.values, t.change = t.change, t.values
					if target == 1 {
						t.p.Touch()
					}
					if err := t.p.Run(target); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
