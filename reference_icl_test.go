package pcgraph_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/icl"
	"github.com/pcgraph/pcgraph/internal/reference"
	"github.com/pcgraph/pcgraph/layers"
)

// iclOptions are those of cases of kind icl.
type iclOptions struct {
	Case                  string
	Blocks, Hidden, Heads int
	Eps                   float64
	Causal, Skip          bool
	Norm, MLP             string
	ChunkStart            int `json:"chunk_start"`
}

type iclCase = paperCase[iclOptions]

// TestReference_ICL compares implicit updates of transformer blocks made of this library's layers with an independent program's.
func TestReference_ICL(t *testing.T) {
	checkPapers(t, "icl", func(o iclOptions) string { return o.Case }, map[string]func(*testing.T, *iclCase){
		"blocks": checkICLBlocks, "regression": checkICLRegression, "implicit_gd": checkImplicitGD,
	})
}

// iclTol is absolute for identities and norms, relative to the largest number of an array for the rest.
const iclTol = 1e-10

// iclNetwork is the case's network for sequences of tokens, with its weights. A readout gives the last feature of the last token.
func iclNetwork(t *testing.T, c *iclCase, tokens, width int, prefix func(block int) string, readout bool) (*arch.Network, *graph.Vector[float64]) {
	t.Helper()
	o := c.Options
	branch := func(inner ...layers.Layer) layers.Layer {
		switch o.Norm {
		case "layer":
			inner = append([]layers.Layer{layers.LayerNorm{Width: width, Eps: o.Eps, Gain: true, Bias: true}}, inner...)
		case "rms":
			inner = append([]layers.Layer{layers.RMSNorm{Width: width, Eps: o.Eps, Gain: true}}, inner...)
		case "none":
		default:
			t.Fatalf("unknown norm %q", o.Norm)
		}
		if o.Skip {
			return layers.Residual{Inner: layers.Compose(inner)}
		}
		return layers.Compose(inner)
	}
	var feed layers.Layer
	switch o.MLP {
	case "dense":
		feed = layers.Compose{layers.Linear{In: width, Out: o.Hidden, Bias: true}, layers.Linear{In: o.Hidden, Out: o.Hidden, Act: layers.GELU, Bias: true},
			layers.Linear{In: o.Hidden, Out: width, Act: layers.GELU, Bias: true}}
	case "gated":
		feed = layers.GatedFeedForward{Width: width, Hidden: o.Hidden, Act: layers.SiLU}
	default:
		t.Fatalf("unknown mlp %q", o.MLP)
	}
	n := &arch.Network{Input: []int{tokens, width}}
	for k := range max(1, o.Blocks) {
		n.Blocks = append(n.Blocks, arch.Block{Name: fmt.Sprintf("block%d", k+1),
			Layer: layers.Compose{branch(layers.Attention{Width: width, Heads: o.Heads, Causal: o.Causal}), branch(feed)}})
	}
	if readout {
		n.Blocks = append(n.Blocks, arch.Block{Name: "readout", Layer: layers.Compose{layers.Flatten{}, layers.Columns{From: tokens*width - 1, To: tokens * width}}})
	}
	var fields []graph.Field
	for _, w := range n.Weights() {
		fields = append(fields, graph.Field{Name: w.Name, Shape: w.Param.Shape})
	}
	w := graph.NewVector[float64](fields...)
	for i, f := range fields {
		block, name, _ := strings.Cut(f.Name, "/")
		var k int
		fmt.Sscanf(block, "block%d", &k)
		copy(w.Part(w.Data(), i), iclWeight(t, c, prefix(k), name, width, func(name string) []float64 { return c.transposed(t, name) }, func(name string) []float64 { return c.array(t, name) }))
	}
	return n, w
}

// iclWeight is a weight of a block by its name in the library: "1/1/Wqkv", "2/2/b".
func iclWeight(t *testing.T, c *iclCase, prefix, name string, width int, matrix, vector func(string) []float64) []float64 {
	t.Helper()
	parts := strings.Split(name, "/")
	last := parts[len(parts)-1]
	half := parts[0]
	switch last {
	case "Wqkv":
		all := make([]float64, width*3*width)
		for j, of := range []string{"Wq", "Wk", "Wv"} {
			m := matrix(prefix + of)
			for r := range width {
				copy(all[r*3*width+j*width:], m[r*width:(r+1)*width])
			}
		}
		return all
	case "Wo", "Wg", "Wu", "Wd":
		return matrix(prefix + last)
	case "g":
		return vector(prefix + "ln" + half + "_g")
	case "c":
		return vector(prefix + "ln" + half + "_b")
	case "W":
		return matrix(prefix + "W" + parts[len(parts)-2])
	case "b":
		return vector(prefix + "b" + parts[len(parts)-2])
	}
	t.Fatalf("unknown weight %q", name)
	return nil
}

func checkICLBlocks(t *testing.T, c *iclCase) {
	o := c.Options
	shape := c.Arrays["tokens"].Shape
	tokens, width := shape[0], shape[1]
	n, w := iclNetwork(t, c, tokens, width, func(k int) string { return fmt.Sprintf("block%d_", k) }, false)
	r, err := icl.New(n, w, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Forward(c.array(t, "tokens")); err != nil {
		t.Fatal(err)
	}
	absolute := func(what string, got, want []float64) {
		t.Helper()
		if len(got) != len(want) {
			t.Errorf("%s: %d numbers, want %d", what, len(got), len(want))
			return
		}
		for i, v := range want {
			if d := got[i] - v; !(d <= 1e-12 && d >= -1e-12) {
				t.Errorf("%s[%d] = %.17g, want %.17g", what, i, got[i], v)
				return
			}
		}
	}
	var updates []*icl.Update[float64]
	for k, name := range r.Blocks() {
		is := func(what string) string { return name + "_" + what }
		u, err := r.Update(k)
		if err != nil {
			t.Fatal(err)
		}
		updates = append(updates, u)
		us, vs, ux, vx := r.Streams(k)
		for what, got := range map[string][]float64{"out": r.Output(k), "u": us, "v": vs, "ux": ux, "vx": vx} {
			reference.Near(t, is(what), got, c.array(t, is(what)), iclTol)
		}
		names := []string{"dW1"}
		if o.MLP == "gated" {
			names = []string{"dWg", "dWu"}
		}
		norms, cosines := []float64{}, []float64{}
		first := u.Of(0) // a gated part's are those of Wg
		for m, what := range names {
			var all []float64
			for p := range tokens {
				all = append(all, u.Dense(0, p, m)...)
			}
			reference.Near(t, is(what), all, c.transposed(t, is(what)), iclTol)
		}
		var last []float64
		for p := range tokens {
			last = append(last, u.DenseLast(0, p)...)
			norms = append(norms, first.Norm(0, p))
			for q := range tokens {
				cosines = append(cosines, first.Cosine(0, p, q))
			}
		}
		switch {
		case o.MLP == "gated":
			reference.Near(t, is("dWd"), last, c.transposed(t, is("dWd")), iclTol)
		case o.Skip:
			reference.Near(t, is("db"), u.Bias, c.array(t, is("db")), iclTol)
		default:
			if u.Bias != nil {
				t.Error("the bias changes without a residual connection")
			}
			reference.Near(t, is("db"), make([]float64, tokens*width), c.array(t, is("db")), iclTol)
		}
		absolute(is("cosines"), cosines, c.array(t, is("cosines")))
		absolute(is("frobenius"), norms, c.array(t, is("frobenius")))
		absolute(is("spectral"), norms, c.array(t, is("spectral")))
		spectrum, err := first.SumSpectrum(0)
		if err != nil {
			t.Fatal(err)
		}
		absolute(is("sum_frobenius"), []float64{mat.Norm(mat.NewVecDense(len(spectrum), spectrum), 2)}, c.array(t, is("sum_frobenius")))
		if rank := icl.Rank(spectrum, 1e-12); float64(rank) != c.value(t, is("sum_rank"))[0] {
			t.Errorf("%s: the sum has rank %d (%v)", name, rank, spectrum)
		}
		updated, err := r.Apply(k, u, r.Query(k))
		if err != nil {
			t.Fatal(err)
		}
		absolute(is("updated"), updated, c.array(t, is("updated")))
		absolute(is("identity"), updated, r.Output(k))
	}
	chain, err := r.Chain(updates)
	if err != nil {
		t.Fatal(err)
	}
	absolute("composition", chain, c.array(t, "composition"))
	absolute("stack", chain, r.Output(len(updates) - 1)[(tokens-1)*width:])
}

func checkICLRegression(t *testing.T, c *iclCase) {
	shape := c.Arrays["tokens"].Shape
	tasks, tokens, width := shape[0], shape[1], shape[2]
	n, w := iclNetwork(t, c, tokens, width, func(k int) string { return fmt.Sprintf("block%d_", k) }, true)
	m, err := arch.Compile(n, w, arch.Plan{Batch: tasks, Coordinates: arch.Feedforward})
	if err != nil {
		t.Fatal(err)
	}
	x, y := c.array(t, "tokens"), c.array(t, "targets")
	predictions, err := m.Predict(x)
	if err != nil {
		t.Fatal(err)
	}
	reference.Near(t, "predictions", predictions, c.array(t, "predictions"), iclTol)
	if err := m.Clamp(x, y); err != nil {
		t.Fatal(err)
	}
	dw := make([]float64, len(w.Data()))
	loss, err := m.ParamGrad(dw)
	if err != nil {
		t.Fatal(err)
	}
	reference.Near(t, "loss", []float64{loss}, c.value(t, "loss"), iclTol)
	for i, f := range w.Fields() {
		block, name, _ := strings.Cut(f.Name, "/")
		want := iclWeight(t, c, block+"_grad_", name, width, func(name string) []float64 { return c.transposed(t, name) }, func(name string) []float64 { return c.array(t, name) })
		reference.Near(t, "gradient of "+f.Name, w.Part(dw, i), want, iclTol)
	}

	r, err := icl.New(n, w, tasks)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Forward(x); err != nil {
		t.Fatal(err)
	}
	last := len(r.Blocks()) - 1
	u, err := r.Update(last)
	if err != nil {
		t.Fatal(err)
	}
	updated, err := r.Apply(last, u, r.Query(last))
	if err != nil {
		t.Fatal(err)
	}
	theory, sum := []float64{}, 0.0
	for s := range tasks {
		p := updated[(s+1)*tokens*width-1]
		theory = append(theory, p)
		sum += (y[s] - p) * (y[s] - p) / 2 / float64(tasks)
	}
	reference.Near(t, "theory_predictions", theory, c.array(t, "theory_predictions"), iclTol)
	reference.Near(t, "theory_loss", []float64{sum}, c.value(t, "theory_loss"), iclTol)
}

func checkImplicitGD(t *testing.T, c *iclCase) {
	context, query := c.array(t, "context"), c.array(t, "query")
	tokens, width := c.Arrays["context"].Shape[0]+1, len(query)
	n, w := iclNetwork(t, c, tokens, width, func(int) string { return "" }, false)
	r, err := icl.New(n, w, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Forward(append(slices.Clone(context), query...)); err != nil {
		t.Fatal(err)
	}
	got, err := r.Consume(0, 0)
	if err != nil {
		t.Fatal(err)
	}
	reference.Near(t, "h", []float64{got.Rate}, c.value(t, "h"), iclTol)
	reference.Near(t, "attention", got.Inputs, c.array(t, "attention"), iclTol)
	var steps, weights []float64
	w1 := w.Field("block1/2/1/1/W")
	for k := range got.Tokens + 1 {
		if k < got.Tokens {
			steps = append(steps, got.Step(k)...)
		}
		for i, d := range got.Weight(k) {
			weights = append(weights, w1[i]+d)
		}
	}
	reference.Near(t, "D", steps, c.transposed(t, "D"), iclTol)
	reference.Near(t, "weights", weights, c.transposed(t, "weights"), iclTol)
	u, err := r.Update(0)
	if err != nil {
		t.Fatal(err)
	}
	reference.Near(t, "dW", u.Dense(0, tokens-1, 0), c.transposed(t, "dW"), iclTol)
	reference.Near(t, "sum of the steps", got.Weight(got.Tokens), u.Dense(0, tokens-1, 0), 1e-12)
	left, right, err := r.Chunk(0, 0, c.Options.ChunkStart, tokens-1)
	if err != nil {
		t.Fatal(err)
	}
	reference.Near(t, "chunk_dW", icl.RankOne(left, right), c.transposed(t, "chunk_dW"), iclTol)
	reference.Near(t, "output", r.Output(0)[(tokens-1)*width:], c.array(t, "output"), iclTol)
}
