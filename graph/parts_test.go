package graph

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

// chains is n groups that have nothing in common: h_k = tanh(x_k (tanh(x_k)' tanh(x_k))), more of it in the later ones, and j_k = h_k' h_k.
func chains(b *Builder, n, batch, width int) (rows, squares []*Node) {
	for k := range n {
		x := b.State(fmt.Sprint("x", k), batch, width)
		t := b.Act(Tanh, x)
		a := b.MatMul(t, t, true, false)
		h := b.Act(Tanh, b.MatMul(x, a, false, false))
		for range k {
			h = b.Act(Tanh, h)
		}
		rows, squares = append(rows, h), append(squares, b.Act(Tanh, b.MatMul(h, h, true, false)))
	}
	return rows, squares
}

// TestProgram_PartsOverwriteNothing: a product over the whole batch that is computed right behind the rows it needs must not lie where
// other rows, which may come later, still read. Oracle: Gorgonia's values passed from operation to operation.
func TestProgram_PartsOverwriteNothing(t *testing.T) {
	const n, batch, width = 8, 70, 6
	b := NewBuilder[float64]()
	rows, squares := chains(b, n, batch, width)
	ok(t, b.Err())
	slices.Reverse(squares)
	outs := slices.Concat(rows, squares)
	p := must(CompilePlan[float64](Plan{Targets: [][]*Node{outs}, Batched: batchedOf(b)}))(t)
	divided := 0
	for _, d := range p.divided[0] {
		if d != nil {
			divided++
		}
	}
	if divided == 0 {
		t.Fatal("no stage is divided into parts: the test tests nothing")
	}
	r := rng(5)
	values := make([][]float64, len(b.Inputs()))
	for i, in := range b.Inputs() {
		values[i] = make([]float64, in.Node.Shape().TotalSize())
		for k := range values[i] {
			values[i][k] = r.NormFloat64() / 6
		}
	}
	load(p, b, values)
	for range 3 {
		ok(t, p.Run(0))
		near(t, "interpreted", copyOf(read(p, outs)), interpret(t, b, values, outs...), 1e-9)
	}
}

// TestCode_Partition: parts are groups with a product behind them that are small beside the whole, everything is done once, and the
// rest is left to the stages.
func TestCode_Partition(t *testing.T) {
	b := NewBuilder[float64]()
	_, squares := chains(b, 9, 70, 6)
	p := must(CompilePlan[float64](Plan{Targets: [][]*Node{squares}, Batched: batchedOf(b)}))(t)
	for _, workers := range []int{1, 2, 3, 64} {
		tg := &p.targets[0]
		for i := range tg.stages {
			d := p.partition(tg, i, workers)
			if d == nil {
				continue
			}
			rows, joint := slices.Clone(d.rest), make(map[int]bool)
			last := math.Inf(1)
			for _, q := range d.parts {
				if q.work > last || q.work > partOfWork*(tg.stages[i].work+tg.stages[i+1].work)/float64(workers) {
					t.Errorf("%d workers: a part of work %g behind one of %g", workers, q.work, last)
				}
				last = q.work
				rows = append(rows, q.rows...)
				for _, k := range q.joint {
					joint[k] = true
				}
			}
			for _, k := range d.tasks {
				if joint[k.instr] {
					t.Errorf("%d workers: instruction %d is in a part and left over", workers, k.instr)
				}
				joint[k.instr] = true
			}
			if rows = slices.Sorted(slices.Values(rows)); !slices.Equal(rows, tg.stages[i].instrs) || len(joint) != len(tg.stages[i+1].instrs) {
				t.Errorf("%d workers: parts and rest have rows %v and %d products, the stages %v and %d", workers, rows, len(joint), tg.stages[i].instrs, len(tg.stages[i+1].instrs))
			}
		}
	}
	if d := p.partition(&p.targets[0], 0, 64); d != nil {
		t.Errorf("64 workers on 9 groups: %d parts", len(d.parts))
	}
}
