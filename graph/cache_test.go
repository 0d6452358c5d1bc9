package graph

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// A randomDAG is a graph of fused operations over batched and shared inputs, for properties of programs.
type randomDAG struct {
	b       *Builder
	rows    []*Node // [batch, 3]
	squares []*Node // [3, 3]
	vectors []*Node // [3]
	scalars []*Node
}

// newDAG draws n operations; every operation of a batch, by rows and over the whole batch, is among them.
func newDAG(r *rand.Rand, batch, n int) *randomDAG {
	d := &randomDAG{b: NewBuilder[float64]()}
	for i := range 1 + r.IntN(3) {
		d.rows = append(d.rows, d.b.State(fmt.Sprint("z", i), batch, 3))
	}
	d.squares = append(d.squares, d.b.Param("W", 3, 3), d.b.Param("V", 3, 3))
	d.vectors = append(d.vectors, d.b.Param("c", 3))
	d.scalars = append(d.scalars, d.b.HalfSquare(d.vectors[0], 1, 1))
	for range n {
		d.grow(r)
	}
	return d
}

func one[E any](r *rand.Rand, pool ...E) E { return pool[r.IntN(len(pool))] }

func (d *randomDAG) grow(r *rand.Rand) {
	b := d.b
	x, y := one(r, d.rows...), one(r, d.rows...)
	if r.IntN(4) == 0 {
		x = b.Sub(x, y) // exactly zero where they are equal
	}
	coef := func() float64 { return one(r, 1, -1, .5, -.25) }
	f := one(r, Tanh, ReLU, HardTanh, Sigmoid)
	smooth := one(r, Tanh, Sigmoid, SiLU) // no jump of the derivative, on whose sides rounding might fall
	row := func(n *Node) { d.rows = append(d.rows, n) }
	switch r.IntN(17) {
	case 0:
		row(b.Act(f, x))
	case 1:
		row(b.Combine([]float64{coef(), coef()}, x, y))
	case 2:
		row(b.Combine([]float64{coef(), coef(), coef()}, x, y, one(r, d.rows...)))
	case 3:
		row(b.Linear(x, one(r, d.squares...), nil, coef()))
	case 4:
		row(b.Linear(x, one(r, d.squares...), one(r, d.vectors...), coef()))
	case 5:
		row(b.MatMul(x, one(r, d.squares...), false, true))
	case 6:
		row(b.Add(y, b.add(activateGrad{smooth}, x, one(r, d.rows...)))) // fused into one pass
	case 7:
		row(b.Mul(b.Act(HardTanh, x), y))
	case 8:
		row(b.add(scaleBy{}, one(r, d.scalars...), b.Act(Tanh, x)))
	case 9:
		row(b.add(softmaxError{}, x, b.Act(Tanh, y)))
	case 10:
		d.squares = append(d.squares, b.Act(Tanh, b.MatMul(b.Act(Tanh, x), y, true, false)))
	case 11:
		d.squares = append(d.squares, b.Act(Tanh, b.MatMul(one(r, d.squares...), one(r, d.squares...), false, true)))
	case 12:
		d.vectors = append(d.vectors, b.Act(Tanh, b.add(colSums{alpha: coef()}, x)))
	case 13:
		d.scalars = append(d.scalars, b.Act(Tanh, b.HalfSquare(x, coef(), x.Shape()[0])))
	case 14:
		d.scalars = append(d.scalars, b.Act(Tanh, b.Inner(x, y)))
	case 15:
		d.scalars = append(d.scalars, b.CrossEntropy(b.Act(Sigmoid, x), b.Act(Tanh, y), coef(), 3*x.Shape()[0]))
	case 16:
		d.scalars = append(d.scalars, b.HalfSquare(b.Sub(x, y), coef(), x.Shape()[0]))
	}
}

// targets draws groups of outputs.
func (d *randomDAG) targets(r *rand.Rand) [][]*Node {
	all := append(append(append(append([]*Node(nil), d.rows...), d.squares...), d.vectors...), d.scalars...)
	var ts [][]*Node
	for range 1 + r.IntN(3) {
		var outs []*Node
		for range 1 + r.IntN(4) {
			outs = append(outs, one(r, all...))
		}
		ts = append(ts, outs)
	}
	return ts
}

// change draws new numbers for an input: for all of it, for one row, or the same again. They are coarse, so that
// errors and products are often exactly zero.
func change(r *rand.Rand, v []float64, rows int) []float64 {
	v = append([]float64(nil), v...)
	lo, hi := 0, len(v)
	if rows > 0 && r.IntN(2) == 0 {
		w := len(v) / rows
		lo = w * r.IntN(rows)
		hi = lo + w
	}
	kind, c := r.IntN(4), one(r, 0, 0, 1, -1, .5)
	for i := lo; i < hi; i++ {
		switch kind {
		case 0:
			v[i] = 0
		case 1:
			v[i] = c
		case 2:
			v[i] = one(r, 0, 1, -1, .5)
		}
	}
	return v
}

// TestProgram_CacheChangesNoBit: whatever inputs change, and whichever targets run in whatever order, a program that
// keeps what is still valid gives what a program that computes everything gives, bit by bit, and what Gorgonia values
// passed from operation to operation give, to rounding.
func TestProgram_CacheChangesNoBit(t *testing.T) {
	for range 3 { // of 100 graphs each
		rapid.Check(t, cacheChangesNoBit)
	}
}

func cacheChangesNoBit(t *rapid.T) {
	operations, runs := rapid.IntRange(0, 40).Draw(t, "operations"), rapid.IntRange(1, 8).Draw(t, "runs")
	r := rng(rapid.Uint64().Draw(t, "seed"))
	batch := one(r, 1, 33, 70)
	d := newDAG(r, batch, operations)
	ok(t, d.b.Err())
	targets := d.targets(r)
	pl := Plan{Targets: targets, Batched: batchedOf(d.b)}
	fresh := must(CompilePlan[float64](pl))(t)
	pl.Cache = true
	cached := must(CompilePlan[float64](pl))(t)

	values := make([][]float64, len(d.b.Inputs()))
	for i, in := range d.b.Inputs() {
		values[i] = change(r, make([]float64, in.Node.Shape().TotalSize()), 0)
	}
	// The two programs share the inputs' memory, so the one that caches must always be the first to see a change.
	load(cached, d.b, values)
	cached.Touch()
	for range runs {
		for i, in := range d.b.Inputs() {
			if r.IntN(2) == 0 {
				continue
			}
			if in.Kind == Param {
				values[i] = change(r, values[i], 0)
				if _, used := cached.index[in.Node]; used {
					copy(cached.Value(in.Node), values[i])
					cached.Touch()
				}
				continue
			}
			values[i] = change(r, values[i], batch)
			cached.Load(in.Node, values[i])
		}
		which := r.IntN(len(targets))
		ok(t, cached.Run(which))
		got := copyOf(read(cached, targets[which]))
		load(fresh, d.b, values)
		ok(t, fresh.Run(which))
		same(t, "cached", got, read(fresh, targets[which]))
		near(t, "interpreted", got, interpret(t, d.b, values, targets[which]...), 1e-9) // of sums of 210 numbers
	}
}

// The errors of a feedforward pass are exactly zero; skipping what they are multiplied by changes nothing.
func TestProgram_SkippingZerosChangesNothing(t *testing.T) {
	n := build[float64](netSpec{batch: 40, widths: []int{5, 6, 6, 6, 2}, act: Tanh, bias: true, skip: true})
	dz := must(Grad(n.energy, n.states...))(t)
	dw := must(Grad(n.energy, n.params...))(t)
	outs := append(append([]*Node{n.energy}, dz...), dw...)
	p := must(CompilePlan[float64](Plan{Targets: append(chainTargets(n), outs), Batched: batchedOf(n.b), Cache: true}))(t)
	links := chainOf[float64](n, 0)
	chain := must(p.Chain(links))(t)
	vs := randomInputs(rng(18), n.b)
	load(p, n.b, vs)
	ok(t, p.RunChain(chain))
	z := make(map[*Node][]float64)
	for i, s := range n.states {
		z[s] = links[i].Copy
	}
	for step := range 5 { // from step to step one more layer has an error
		ok(t, p.Run(len(links)))
		got := copyOf(read(p, outs))
		for i, in := range n.b.Inputs() {
			if s, free := z[in.Node]; free {
				copy(vs[i], s)
			}
		}
		near(t, fmt.Sprint("step ", step), got, interpret(t, n.b, vs, outs...), 1e-12)
		if zero := total1(got[1]) == 0; zero != (step < 2) { // the first of three hidden layers hears of the error last
			t.Fatalf("step %d: the gradient with respect to the first activity is zero: %t", step, zero)
		}
		for i, s := range n.states {
			for j := range z[s] {
				z[s][j] -= got[1+i][j]
			}
			p.Load(s, z[s])
		}
	}
}
