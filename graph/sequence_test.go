package graph

import (
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Attention and norms of any shape are what plain loops give, in both element types, batched or not.
func TestSequence_IsPlainLoopsForRandomShapes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		batch, tokens := rapid.IntRange(1, 40).Draw(t, "batch"), rapid.IntRange(1, 12).Draw(t, "tokens")
		heads, d := rapid.IntRange(1, 4).Draw(t, "heads"), rapid.IntRange(1, 9).Draw(t, "features of a head")
		o := multiHead{heads: heads, scale: rapid.Float64Range(-1, 1).Draw(t, "scale"), causal: rapid.Bool().Draw(t, "causal"), masked: rapid.Bool().Draw(t, "masked")}
		centre, seed := rapid.Bool().Draw(t, "centre"), rapid.Uint64().Draw(t, "seed")
		n := heads * d
		sequenceIsPlain[float64](t, o, centre, batch, tokens, n, seed, 1e-12)
		sequenceIsPlain[float32](t, o, centre, batch, tokens, n, seed, 1e-4) // some hundred roundings of 6e-8, small variances
	})
}

func sequenceIsPlain[T Float](t *rapid.T, o multiHead, centre bool, batch, tokens, n int, seed uint64, tol float64) {
	b := NewBuilder[T]()
	x, z := b.Data("x", batch, tokens, 3*n), b.Data("z", batch, tokens, n)
	var padding *Node
	if o.masked {
		padding = b.Data(idsName, batch, tokens)
	}
	norm := b.RMSNorm(z, .1)
	if centre {
		norm = b.LayerNorm(z, .1)
	}
	y := b.Attention(x, padding, o.heads, o.scale, o.causal)
	vs := randomInputs(rng(seed), b)
	for i := range vs { // what float32 represents, so that both types see the same
		vs[i] = widen(convert[float32](vs[i]))
	}
	var mask []float64
	if o.masked {
		mask = vs[2]
	}
	want := [][]float64{
		values(plainAttention(tokens, n, o.heads, o.scale, o.causal, mask)(duals(vs[0], nil))),
		values(plainNorm(n, centre, .1)(duals(vs[1], nil))),
	}
	near(t, "batched", sharded[T](t, b, vs, y, norm), want, tol)
	near(t, "unbatched", evaluate[T](t, b, vs, y, norm), want, tol)
}

// Sequences longer than a block of causal attention, which leaves out what no token of a block sees: the value, its
// derivatives and second derivatives are those of plain loops. Sums of 37 terms in float64; the second derivatives are
// held against differences, which are good to 1e-6.
func TestAttention_InBlocksIsPlainLoops(t *testing.T) {
	const batch, n = 1, 2
	for _, o := range []multiHead{{2, .7, true, false}, {1, .5, true, true}, {2, .3, false, false}} {
		tokens := causalBlock + 2
		if !o.causal { // one block of all tokens
			tokens = 7
		}
		b := NewBuilder[float64]()
		x, g, v := b.Data("x", batch, tokens, 3*n), b.Data("g", batch, tokens, n), b.Data("v", batch, tokens, 3*n)
		kids, more := []*Node{x}, []*Node(nil)
		if o.masked {
			more = []*Node{b.Data(idsName, batch, tokens)}
		}
		of := func(s spec, extra ...*Node) *Node { return b.add(s, append(append(kids[:1:1], extra...), more...)...) }
		outs := []*Node{of(attention{o}), of(attentionGrad{o}, g), of(attentionSlope{o}, v), of(attentionHess{o}, g, v)}
		ok(t, b.Err())
		vs := randomInputs(rng(3), b)
		var mask []float64
		if o.masked {
			mask = vs[3]
		}
		f := plainAttention(tokens, n, o.heads, o.scale, o.causal, mask)
		want := [][]float64{values(f(duals(vs[0], nil))), pulled(f, vs[0], vs[1]), changes(f(duals(vs[0], vs[2])))}
		near(t, o.params(), sharded[float64](t, b, vs, outs[:3]...), want, 1e-12)
		near(t, o.params()+", second derivative", sharded[float64](t, b, vs, outs[3]), [][]float64{bent(f, vs[0], vs[1], vs[2])}, 1e-6)
	}
}

// sequenceNet is the energy of a small transformer with everything on the way: ids, positions, norms with gain, padding.
func sequenceNet[T Float](batch, tokens, n, heads int) net {
	b := NewBuilder[T]()
	s := net{b: b}
	param := func(name string, shape ...int) *Node {
		w := b.Param(name, shape...)
		s.params = append(s.params, w)
		return w
	}
	ids, padding := b.Data(idsName, batch, tokens), b.Data(idsName+" padding", batch, tokens)
	site := func(name string, mu *Node) *Node {
		z := b.State(name, batch, tokens, n)
		s.states, s.preds = append(s.states, z), append(s.preds, mu)
		s.terms = append(s.terms, b.HalfSquare(b.Sub(z, mu), 1, batch))
		return z
	}
	z := site("z1", b.AddRow(b.Lookup(ids, param("table", 3, n)), param("position", tokens, n)))
	qkv := b.Linear(b.MulRow(b.LayerNorm(z, .1), param("gain", n)), param("Wqkv", n, 3*n), nil, .5)
	z = site("z2", b.Combine([]float64{1, .5}, z, b.Linear(b.Attention(qkv, padding, heads, .5, true), param("Wo", n, n), nil, 1)))
	z = site("z3", b.Add(z, b.Linear(b.Act(GELU, b.Linear(b.RMSNorm(z, .1), param("W1", n, 2*n), param("c1", 2*n), .5)), param("W2", 2*n, n), param("c2", n), 1)))
	s.terms = append(s.terms, b.CrossEntropy(b.Data("y", batch, tokens, 5), b.Linear(z, param("head", n, 5), nil, 1), .7, batch))
	ones := make([]float64, len(s.terms))
	for i := range ones {
		ones[i] = 1
	}
	s.energy = b.Combine(ones, s.terms...)
	return s
}

func TestSequence_EnergyOfATransformerHasTheGradientsOfDifferenceQuotients(t *testing.T) {
	n := sequenceNet[float64](2, 3, 4, 2)
	checkSlopes(t, n.b, append([]*Node{n.energy}, must(Grad(n.energy, n.free()...))(t)...), n.free())
}

// The gradient of a sample of tokens has the same bits in any batch, and in a program without a batch.
func TestSequence_ShardsChangeNoBit(t *testing.T) {
	all := make(map[int][][]float64)
	for _, batch := range []int{40, 1, 2, 7, 33} {
		n := sequenceNet[float64](batch, 5, 8, 2)
		outs := append(must(Grad(n.b.Scale(n.energy, float64(batch)), n.states...))(t), n.preds...)
		rows := len(outs)
		outs = append(outs, must(Grad(n.energy, n.params...))(t)...)
		vs := randomInputs(rng(13), n.b)
		for i, in := range n.b.Inputs() { // the first rows of a batch of 40
			vs[i] = random(rng(uint64(i)), len(vs[i]))
			if strings.HasPrefix(in.Name, idsName) {
				for j := range vs[i] {
					vs[i][j] = math.Mod(math.Abs(math.Round(vs[i][j])), 3)
				}
			}
		}
		got := sharded[float64](t, n.b, vs, outs...)
		near(t, "unbatched", evaluate[float64](t, n.b, vs, outs...), got, 1e-12)
		all[batch] = copyOf(got[:rows])
		for k, g := range all[batch] {
			same(t, fmt.Sprintf("rows of a batch of %d", batch), [][]float64{all[40][k][:len(g)]}, [][]float64{g})
		}
	}
}

func TestSequence_CoresChangeNoBit(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	var want [][]float64
	for _, cores := range []int{1, 2, 3} {
		runtime.GOMAXPROCS(cores)
		n := sequenceNet[float32](24, 16, 32, 4)
		outs := append([]*Node{n.energy}, must(Grad(n.energy, n.free()...))(t)...)
		got := copyOf(sharded[float32](t, n.b, randomInputs(rng(14), n.b), outs...))
		if want == nil {
			want = got
		}
		same(t, fmt.Sprintf("%d cores", cores), got, want)
	}
}

func TestSequence_RunsAllocateNothing(t *testing.T) {
	n := sequenceNet[float32](24, 16, 32, 4)
	dz, dw := must(Grad(n.energy, n.states...))(t), must(Grad(n.energy, n.params...))(t)
	p := must(CompilePlan[float32](Plan{Targets: [][]*Node{append([]*Node{n.energy}, dz...), append([]*Node{n.energy}, dw...)}, Batched: batchedOf(n.b), Cache: true}))(t)
	load(p, n.b, randomInputs(rng(17), n.b))
	z := make([]float32, n.states[0].Shape().TotalSize())
	step := func() {
		for i := range z {
			z[i] += .25
		}
		p.Load(n.states[0], z)
		ok(t, p.Run(0))
		p.Touch()
		ok(t, p.Run(1))
	}
	step()
	if a := testing.AllocsPerRun(20, step); a != 0 {
		t.Errorf("%v allocations per run, want none", a)
	}
}

// Logits of 1000 are a choice of the largest: no overflow, in the value or in the gradient.
func TestAttention_OfLargeLogitsChooses(t *testing.T) {
	b := NewBuilder[float32]()
	x := b.Data("x", 1, 3, 3)
	y := b.Attention(x, nil, 1, 1000, false)
	g := must(Grad(b.HalfSquare(y, 1, 1), x))(t)[0]
	// queries 1, -1, 1; keys 1, 0, -1; values 5, 6, 7
	got := evaluate[float32](t, b, [][]float64{{1, 1, 5, -1, 0, 6, 1, -1, 7}}, y, g)
	near(t, "choice", got, [][]float64{{5, 7, 5}, {0, 0, 10, 0, 0, 0, 0, 0, 7}}, 1e-6)
}

// A token that sees none gives zeros, has no gradient and disturbs no other.
func TestAttention_ThatSeesNothingIsZero(t *testing.T) {
	for _, causal := range []bool{false, true} {
		b := NewBuilder[float64]()
		x, padding := b.Data("x", 2, 2, 3), b.Data("padding", 2, 2)
		y := b.Attention(x, padding, 1, 1, causal)
		g := must(Grad(b.HalfSquare(y, 1, 1), x))(t)[0]
		vs := [][]float64{{1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6}, {1, 1, 1, 0}}
		got := sharded[float64](t, b, vs, y, g)
		want := [][]float64{{0, 0, 6, 6}, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 12}}
		if causal { // the first token of sample 2 sees itself alone, which is hidden
			want = [][]float64{{0, 0, 0, 6}, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 6}}
		}
		near(t, fmt.Sprintf("causal=%t", causal), got, want, 1e-15)
	}
}

// Ids that are no rows of the table stop a run with an error that says which and where, and the next run works again.
func TestLookup_RefusesIDsThatAreNoRows(t *testing.T) {
	for _, bad := range []float64{-1, 3, 1.5, math.NaN(), math.Inf(1), 1e300} {
		b := NewBuilder[float64]()
		var ids, table, y, z *Node
		b.Within("embed", func() {
			ids, table = b.Data("ids", 40, 2), b.Param("table", 3, 4)
			y = b.Lookup(ids, table)
			z = b.State("z", 40, 2, 4)
		})
		cost := b.HalfSquare(b.Sub(z, y), 1, 40)
		g := must(Grad(cost, table, z))(t)
		for _, outs := range [][]*Node{{y}, {cost}, g} {
			p := must(CompilePlan[float64](Plan{Targets: [][]*Node{outs}, Batched: []*Node{ids, z}, Cache: true}))(t)
			v := make([]float64, 80)
			v[77] = bad
			p.Load(ids, v)
			refused(t, p.Run(0), "embed/lookup", fmt.Sprint(bad), "from 0 to 2")
			v[77] = 2
			p.Load(ids, v)
			ok(t, p.Run(0))
		}
		p := must(CompilePlan[float64](Plan{Targets: [][]*Node{{y}, {cost}}, Batched: []*Node{ids, z}}))(t)
		links := must(p.Chain([]Link[float64]{{From: y, To: z}}))(t)
		v := make([]float64, 80)
		v[3] = bad
		p.Load(ids, v)
		refused(t, p.RunChain(links), "embed/lookup", fmt.Sprint(bad))
		v[3] = 1
		p.Load(ids, v)
		ok(t, p.RunChain(links))
	}
	b := NewBuilder[float64]()
	ids := b.Data("ids", 2, 2)
	_, err := Grad(b.HalfSquare(b.Lookup(ids, b.Param("table", 3, 4)), 1, 1), ids)
	refused(t, err, "ids", "no gradient", "clamp")
}
