package icl

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/train"
)

// normals draws n numbers.
func normals(seed uint64, n int) []float64 {
	r := rand.New(rand.NewPCG(seed, 1))
	x := make([]float64, n)
	for i := range x {
		x[i] = r.NormFloat64()
	}
	return x
}

// apart is the largest difference.
func apart[T graph.Float](t *testing.T, a, b []T) float64 {
	t.Helper()
	if len(a) != len(b) {
		t.Fatalf("%d numbers and %d", len(a), len(b))
	}
	d := 0.0
	for i := range a {
		d = max(d, math.Abs(float64(a[i])-float64(b[i])))
	}
	return d
}

// networks are transformers of the library's layers: every way in which a block can be put together.
func networks(t *testing.T) map[string]*arch.Network {
	t.Helper()
	const width, tokens = 4, 5
	attention := layers.Attention{Width: width, Heads: 2, Causal: true}
	plain := layers.FeedForward{Width: width, Hidden: 6, Act: layers.GELU}
	biased := plain
	biased.Bias = true
	deep := layers.Compose{layers.Linear{In: width, Out: 5, Act: layers.Tanh, Post: layers.SiLU, Bias: true}, layers.Linear{In: 5, Out: 3, Act: layers.GELU}, layers.Linear{In: 3, Out: width, Act: layers.ReLU, Bias: true}}
	norm := layers.LayerNorm{Width: width, Gain: true, Bias: true}
	list := map[string]*arch.Network{}
	of := func(name string, s arch.Scaling, blocks ...layers.Layer) {
		n := &arch.Network{Input: []int{tokens, width}, Scaling: s}
		for i, l := range blocks {
			n.Blocks = append(n.Blocks, arch.Block{Name: string(rune('a' + i)), Layer: l})
		}
		list[name] = n
	}
	res := func(factor float64, l ...layers.Layer) layers.Layer {
		return layers.Residual{Inner: layers.Compose(l), Factor: factor}
	}
	of("plain", nil, layers.Compose{attention, plain}, layers.Compose{attention, biased})
	of("residual with factors", arch.MuPC{}, layers.Compose{res(.5, norm, attention), res(.25, norm, biased)}, layers.Compose{res(.5, attention), res(.3, deep)})
	of("no bias anywhere", nil, layers.Compose{res(0, layers.RMSNorm{Width: width}, attention), res(0, layers.RMSNorm{Width: width}, plain)})
	of("gated", nil, layers.Compose{res(0, attention), res(0, norm, layers.GatedFeedForward{Width: width, Hidden: 5, Act: layers.SiLU})})
	of("residual attention only", nil, layers.Compose{res(0, attention), plain})
	of("residual feed-forward only", nil, layers.Compose{norm, attention, res(0, norm, biased)})
	of("halves", nil, res(0, norm, attention), res(0, norm, deep), res(0, attention), res(0, plain))
	of("one matrix", nil, layers.Compose{attention, layers.Linear{In: width, Out: width, Act: layers.Tanh, Post: layers.SiLU, Bias: true}})
	of("one matrix, residual", nil, layers.Compose{attention, res(2, layers.Linear{In: width, Out: width, Bias: true})})
	of("padding and dropout", nil, layers.Compose{res(0, layers.Attention{Width: width, Heads: 1, Padding: true, Bias: true}), res(0, layers.Dropout{Rate: .5}, plain)})
	list["skip of the block"] = &arch.Network{Input: []int{tokens, width}, Blocks: []arch.Block{
		{Name: "a", Layer: layers.Compose{norm, attention}, Skips: []arch.Skip{{Layer: layers.Identity{}}}},
		{Name: "b", Layer: layers.Compose{norm, biased}, Skips: []arch.Skip{{Layer: layers.Identity{}}}},
	}}
	for name, c := range map[string]arch.Transformer{
		"language model":         {Scaling: arch.MuPC{}, Vocab: width, Tokens: tokens, Width: 6, Heads: 2, Blocks: 2, Norm: true},
		"language model, halves": {Vocab: width, Tokens: tokens, Width: 6, Heads: 3, Blocks: 3, Halves: true, Full: true},
	} {
		n, err := c.Network()
		if err != nil {
			t.Fatal(err)
		}
		list[name] = n
	}
	return list
}

// TestUpdate_GivesTheBlocksOutput: of every way to put a block together, the updated block gives on the query alone what the block
// gives at every position of the context; updates of the last position chained give the whole stack at the query.
func TestUpdate_GivesTheBlocksOutput(t *testing.T) {
	const batch = 3
	for name, n := range networks(t) {
		t.Run(name, func(t *testing.T) {
			w, err := arch.NewWeights[float64](n, rand.New(rand.NewPCG(3, 4)))
			if err != nil {
				t.Fatal(err)
			}
			for i := range w.Data() { // gains and biases too
				w.Data()[i] += .1 * math.Sin(float64(i))
			}
			r, err := New(n, w, batch)
			if err != nil {
				t.Fatal(err)
			}
			x := normals(7, batch*n.Input[0]*n.Input[1])
			if err := r.Forward(x); err != nil {
				t.Fatal(err)
			}
			var all []*Update[float64]
			for k, block := range r.Blocks() {
				u, err := r.Update(k)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, u)
				got, err := r.Apply(k, u, r.Query(k))
				if err != nil {
					t.Fatal(err)
				}
				if d := apart(t, got, r.Output(k)); d > 1e-12 {
					t.Errorf("block %s: off by %g", block, d)
				}
				last := u.Left[(u.Positions-1)*u.Hidden : u.Positions*u.Hidden]
				if square(last) == 0 {
					t.Errorf("block %s: nothing changes at the query: no test", block)
				}
			}
			chain, err := r.Chain(all)
			if err != nil {
				t.Fatal(err)
			}
			out, end := r.Output(len(all)-1), len(chain)/batch
			for s := range batch {
				if d := apart(t, chain[s*end:(s+1)*end], out[(s+1)*len(out)/batch-end:(s+1)*len(out)/batch]); d > 1e-12 {
					t.Errorf("sample %d: the chain is off by %g", s, d)
				}
			}
		})
	}
}

// TestReader_BlocksAreTheNetworks: what the reader computes of the blocks is what the compiled network computes.
func TestReader_BlocksAreTheNetworks(t *testing.T) {
	const batch = 2
	for name, n := range networks(t) {
		w, err := arch.NewWeights[float64](n, rand.New(rand.NewPCG(3, 4)))
		if err != nil {
			t.Fatal(err)
		}
		m, err := arch.Compile(n, w, arch.Plan{Batch: batch, FreeOutput: true})
		if err != nil {
			t.Fatal(err)
		}
		x := normals(7, batch*n.Input[0]*n.Input[1])
		if err := m.Clamp(x, nil); err != nil {
			t.Fatal(err)
		}
		if err := m.Forward(); err != nil {
			t.Fatal(err)
		}
		z, err := m.Activities()
		if err != nil {
			t.Fatal(err)
		}
		r, err := New(n, w, batch)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Forward(x); err != nil {
			t.Fatal(err)
		}
		for k, block := range r.Blocks() {
			if d := apart(t, r.Output(k), z.Field(block)); d > 1e-13 {
				t.Errorf("%s: block %s: off by %g", name, block, d)
			}
		}
	}
}

// TestApply_IsTheChangeOfTheWeights: for any token, not the query alone, Apply gives what the network gives with the dense changes
// added to its weights.
func TestApply_IsTheChangeOfTheWeights(t *testing.T) {
	const width, tokens, position = 4, 5, 2
	norm := layers.LayerNorm{Width: width}
	for _, test := range []struct {
		name   string
		feed   layers.Layer
		firsts []string
		last   string // the bias or matrix that the residual's change goes to
	}{
		{"bias", layers.FeedForward{Width: width, Hidden: 6, Act: layers.GELU, Bias: true}, []string{"W1"}, "b2"},
		{"no bias", layers.FeedForward{Width: width, Hidden: 6, Act: layers.Tanh}, []string{"W1"}, "W2"},
		{"gated", layers.GatedFeedForward{Width: width, Hidden: 6, Act: layers.SiLU}, []string{"Wg", "Wu"}, "Wd"},
	} {
		n := func(tokens int) *arch.Network {
			return &arch.Network{Input: []int{tokens, width}, Blocks: []arch.Block{{Name: "a", Layer: layers.Compose{
				layers.Residual{Inner: layers.Attention{Width: width, Heads: 2}}, layers.Residual{Inner: layers.Compose{norm, test.feed}, Factor: .5}}}}}
		}
		w, err := arch.NewWeights[float64](n(tokens), rand.New(rand.NewPCG(3, 4)))
		if err != nil {
			t.Fatal(err)
		}
		r, err := New(n(tokens), w, 1)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Forward(normals(7, tokens*width)); err != nil {
			t.Fatal(err)
		}
		u, err := r.Update(0)
		if err != nil {
			t.Fatal(err)
		}
		query := normals(9, width)
		got, err := r.Apply(0, u, query)
		if err != nil {
			t.Fatal(err)
		}
		for m, name := range test.firsts {
			field := w.Field("a/2/2/" + name)
			for i, d := range u.Dense(0, position, m) {
				field[i] += d
			}
		}
		change := u.DenseLast(0, position)
		if change == nil {
			change = u.Bias[position*width : (position+1)*width]
		}
		for i, d := range change {
			w.Field("a/2/2/" + test.last)[i] += d
		}
		alone, err := New(n(1), w, 1)
		if err != nil {
			t.Fatal(err)
		}
		if err := alone.Forward(query); err != nil {
			t.Fatal(err)
		}
		if d := apart(t, got[position*width:(position+1)*width], alone.Output(0)); d > 1e-12 {
			t.Errorf("%s: off by %g", test.name, d)
		}
	}
}

// TestReader_AtInference: at activities that inference moved away from the feedforward pass the update gives the predictions of
// predictive coding; they differ from the pass.
func TestReader_AtInference(t *testing.T) {
	const batch = 2
	n := networks(t)["halves"]
	w, err := arch.NewWeights[float64](n, rand.New(rand.NewPCG(3, 4)))
	if err != nil {
		t.Fatal(err)
	}
	m, err := arch.Compile(n, w, arch.Plan{Batch: batch, Energy: energy.PC{}})
	if err != nil {
		t.Fatal(err)
	}
	x := normals(7, batch*n.Input[0]*n.Input[1])
	if err := m.Clamp(x, normals(8, len(x))); err != nil {
		t.Fatal(err)
	}
	if err := m.Forward(); err != nil {
		t.Fatal(err)
	}
	if _, err := infer.Run(&infer.Descent[float64]{Optimizer: &optim.SGD[float64]{Rate: .1}}, train.ProblemOf(m), m.State(), infer.Steps(30), nil); err != nil {
		t.Fatal(err)
	}
	z, err := m.Activities()
	if err != nil {
		t.Fatal(err)
	}
	r, err := New(n, w, batch)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Forward(x); err != nil {
		t.Fatal(err)
	}
	pass := append([]float64(nil), r.Output(1)...)
	if err := r.At(x, z); err != nil {
		t.Fatal(err)
	}
	for k := range r.Blocks() {
		u, err := r.Update(k)
		if err != nil {
			t.Fatal(err)
		}
		got, err := r.Apply(k, u, r.Query(k))
		if err != nil {
			t.Fatal(err)
		}
		if d := apart(t, got, r.Output(k)); d > 1e-12 {
			t.Errorf("block %d: off by %g", k, d)
		}
	}
	if apart(t, pass, r.Output(1)) < 1e-3 {
		t.Error("the second block predicts what it does in the feedforward pass")
	}
}

// TestConsumed_ConvergesToTheUpdate: the steps of implicit gradient descent add up to the update of the whole context, and the chunk
// that is the whole context is that update.
func TestConsumed_ConvergesToTheUpdate(t *testing.T) {
	for _, name := range []string{"plain", "residual with factors", "gated", "padding and dropout"} {
		n := networks(t)[name]
		w, err := arch.NewWeights[float64](n, rand.New(rand.NewPCG(3, 4)))
		if err != nil {
			t.Fatal(err)
		}
		r, err := New(n, w, 2)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Forward(normals(7, 2*n.Input[0]*n.Input[1])); err != nil {
			t.Fatal(err)
		}
		u, err := r.Update(0)
		if err != nil {
			t.Fatal(err)
		}
		c, err := r.Consume(0, 1)
		if err != nil {
			t.Fatal(err)
		}
		left, right, err := r.Chunk(0, 1, 0, u.Positions-1)
		if err != nil {
			t.Fatal(err)
		}
		want := RankOne(u.left(1, u.Positions-1), u.right(1))
		for what, got := range map[string][]float64{"steps": c.Weight(c.Tokens), "chunk": RankOne(left, right)} {
			if d := apart(t, got, want); d > 1e-12 {
				t.Errorf("%s: %s: off by %g", name, what, d)
			}
		}
		if c.StepNorm(0) == 0 {
			t.Errorf("%s: the first token changes nothing", name)
		}
	}
}

// TestNew_SaysWhatIsMissing: errors name the block and the way out.
func TestNew_SaysWhatIsMissing(t *testing.T) {
	attention := layers.Attention{Width: 2, Heads: 1}
	feed := layers.FeedForward{Width: 2}
	for _, test := range []struct {
		reason string
		blocks []layers.Layer
		says   []string
	}{
		{"attention without feed-forward part", []layers.Layer{attention, attention, feed}, []string{`"block1"`, "feed-forward part", "layers.FeedForward"}},
		{"attention at the end", []layers.Layer{layers.Compose{attention, feed}, layers.Residual{Inner: attention}}, []string{`"block2"`, "layers.FeedForward"}},
		{"a norm and nothing", []layers.Layer{layers.Compose{attention, layers.LayerNorm{Width: 2}}}, []string{`"block1"`, "layers.FeedForward"}},
		{"no attention", []layers.Layer{feed, feed}, []string{"no block", "layers.Attention"}},
		{"something before it", []layers.Layer{layers.Compose{layers.Residual{Inner: feed}, layers.Residual{Inner: attention}, feed}}, []string{`"block1"`, "does not begin with its attention", "of its own"}},
		{"one branch for both", []layers.Layer{layers.Residual{Inner: layers.Compose{attention, feed}}}, []string{`"block1"`, "branch of its own"}},
		{"nested branches", []layers.Layer{layers.Compose{layers.Residual{Inner: layers.Residual{Inner: attention}}, feed}}, []string{`"block1"`, "within another"}},
		{"activation at the end", []layers.Layer{layers.Compose{attention, layers.Residual{Inner: layers.Linear{In: 2, Out: 2, Post: layers.Tanh}}}}, []string{`"block1"`, "Post"}},
	} {
		n := &arch.Network{Input: []int{3, 2}}
		for _, l := range test.blocks {
			n.Blocks = append(n.Blocks, arch.Block{Name: "block" + string(rune('1'+len(n.Blocks))), Layer: l})
		}
		w, err := arch.NewWeights[float64](n, rand.New(rand.NewPCG(1, 1)))
		if err != nil {
			t.Fatal(err)
		}
		_, err = New(n, w, 1)
		if err == nil {
			t.Errorf("%s: no error", test.reason)
			continue
		}
		for _, s := range test.says {
			if !strings.Contains(err.Error(), s) {
				t.Errorf("%s: %q does not say %q", test.reason, err, s)
			}
		}
	}
}

// TestUpdate_RefusesAZeroToken: a query that is zero gives a feed-forward part without biases before it nothing to change.
func TestUpdate_RefusesAZeroToken(t *testing.T) {
	n := networks(t)["plain"]
	w, err := arch.NewWeights[float64](n, rand.New(rand.NewPCG(3, 4)))
	if err != nil {
		t.Fatal(err)
	}
	r, err := New(n, w, 2)
	if err != nil {
		t.Fatal(err)
	}
	x := normals(7, 2*n.Input[0]*n.Input[1])
	clear(x[len(x)-n.Input[1]:])
	if err := r.Forward(x); err != nil {
		t.Fatal(err)
	}
	_, err = r.Update(0)
	if err == nil || !strings.Contains(err.Error(), `block "a", sample 1`) || !strings.Contains(err.Error(), "LayerNorm") {
		t.Errorf("a zero query: %v", err)
	}
	if _, err := r.Consume(0, 1); err == nil || !strings.Contains(err.Error(), `block "a", sample 1`) {
		t.Errorf("a zero query, consumed: %v", err)
	}
	if _, _, err := r.Chunk(0, 0, 3, 3); err == nil || !strings.Contains(err.Error(), "3") {
		t.Errorf("an empty part: %v", err)
	}
}
