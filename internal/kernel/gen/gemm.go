package main

import (
	"strconv"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Offsets of the fields of gemmArgs.
const (
	gemmA = 8 * iota
	gemmB
	gemmC
	gemmBias
	gemmRowA
	gemmStepA
	gemmStepB
	gemmRowC
	gemmK
	gemmVariant
	gemmLast
	gemmReadC
	gemmTiles
	gemmNextB
	gemmNextC
	gemmAhead
	gemmTaps
	gemmSkip
	gemmAlpha
)

// tile is the shape of the micro-kernel: rows by two vectors of columns.
func (a *asm) tileRows() int {
	if a.wide {
		return 8
	}
	return 6
}

const tileVecs = 2

// gemm writes the micro-kernel
//
//	C = alpha (A B + bias) + beta C
//
// on one tile of up to tileRows rows and tileVecs vectors. The depth comes in
// taps, pieces of one length, between which A makes a step of its own. Variants
// are numbered edge*tileRows + rows-1, with edge 0 for two whole vectors, 1 for
// two of which the last is masked, 2 for one masked. With edge 0 it goes on to the
// tiles to the right, gemmTiles in all, and moves the pointers in its arguments.
func (a *asm) gemm() {
	p := a.function("gemm")
	g := &gemmTile{
		asm: a, p: p,
		a0: a.word(p, gemmA), b: a.word(p, gemmB),
		rowA: a.word(p, gemmRowA), stepA: a.word(p, gemmStepA), stepB: a.word(p, gemmStepB),
		ahead: a.word(p, gemmAhead), count: a.GP64(), loops: a.GP64(), taps: a.GP64(), rowA3: a.GP64(), a4: a.GP64(),
		acc: make([][]reg.VecVirtual, a.tileRows()), bv: a.vecs(tileVecs), av: a.vec(),
	}
	for i := range g.acc {
		g.acc[i] = a.vecs(tileVecs)
	}
	a.LEAQ(mem{Base: g.rowA, Index: g.rowA, Scale: 2}, g.rowA3)
	a.LEAQ(mem{Base: g.a0, Index: g.rowA, Scale: 4}, g.a4)
	a.MOVQ(mem{Base: p, Disp: gemmLast}, g.count)
	a.setTail(g.count)
	variant := a.word(p, gemmVariant)
	a.choose(variant, 0, 3*a.tileRows(), "tile", func(v int) {
		edge, rows := v/a.tileRows(), v%a.tileRows()+1
		g.tile(rows, []int{2, 2, 1}[edge], edge > 0)
		a.end()
	})
}

// choose jumps to the body of the value v has, lo <= v < hi, by bisection.
func (a *asm) choose(v reg.GPVirtual, lo, hi int, name string, body func(int)) {
	if hi-lo == 1 {
		a.Comment(name + " " + strconv.Itoa(lo))
		body(lo)
		return
	}
	mid := (lo + hi) / 2
	upper := a.label(name)
	a.CMPQ(v, operand.I32(mid))
	a.JGE(operand.LabelRef(upper))
	a.choose(v, lo, mid, name, body)
	a.Label(upper)
	a.choose(v, mid, hi, name, body)
}

type gemmTile struct {
	*asm
	p                         reg.GPVirtual
	a0, a4, b                 reg.GPVirtual // A rows 0 and 4, and B, at the current k
	rowA, rowA3, stepA, stepB reg.GPVirtual
	ahead                     reg.GPVirtual // from B to what is to be fetched
	count, loops, taps        reg.GPVirtual
	acc                       [][]reg.VecVirtual
	bv                        []reg.VecVirtual
	av                        reg.VecVirtual
}

func (g *gemmTile) tile(rows, vecs int, masked bool) {
	first, again := g.label("first"), g.label("next")
	if !masked {
		g.JMP(operand.LabelRef(first))
		g.Label(again)
		g.MOVQ(mem{Base: g.p, Disp: gemmA}, g.a0)
		g.MOVQ(mem{Base: g.p, Disp: gemmB}, g.b)
		g.LEAQ(mem{Base: g.a0, Index: g.rowA, Scale: 4}, g.a4)
		g.Label(first)
	}
	g.start(rows, vecs, masked)
	const unroll = 4
	loop, rest, single, done := g.label("loop"), g.label("rest"), g.label("single"), g.label("done")
	tap, end := g.label("tap"), g.label("end")
	g.MOVQ(mem{Base: g.p, Disp: gemmTaps}, g.taps)
	g.Label(tap)
	g.MOVQ(mem{Base: g.p, Disp: gemmK}, g.count)
	g.MOVQ(g.count, g.loops)
	g.SHRQ(operand.U8(2), g.loops)
	g.JZ(operand.LabelRef(rest))
	g.Label(loop)
	for range unroll {
		g.step(rows, vecs, masked)
	}
	g.DECQ(g.loops)
	g.JNZ(operand.LabelRef(loop))
	g.Label(rest)
	g.ANDQ(operand.U8(unroll-1), g.count)
	g.JZ(operand.LabelRef(done))
	g.Label(single)
	g.step(rows, vecs, masked)
	g.DECQ(g.count)
	g.JNZ(operand.LabelRef(single))
	g.Label(done)
	g.DECQ(g.taps)
	g.JZ(operand.LabelRef(end))
	g.ADDQ(mem{Base: g.p, Disp: gemmSkip}, g.a0)
	if rows > 4 {
		g.ADDQ(mem{Base: g.p, Disp: gemmSkip}, g.a4)
	}
	g.JMP(operand.LabelRef(tap))
	g.Label(end)
	g.finish(rows, vecs, masked)
	if !masked {
		g.advance(again)
	}
}

// advance moves on to the next tile, if there is one. The pointers never leave
// what they point into, which the garbage collector would not like.
func (g *gemmTile) advance(again string) {
	last := g.label("last")
	g.DECQ(mem{Base: g.p, Disp: gemmTiles})
	g.JZ(operand.LabelRef(last))
	step := g.word(g.p, gemmNextB)
	g.ADDQ(step, mem{Base: g.p, Disp: gemmB})
	g.MOVQ(mem{Base: g.p, Disp: gemmNextC}, step)
	g.ADDQ(step, mem{Base: g.p, Disp: gemmC})
	noBias := g.label("unbiased")
	g.CMPQ(mem{Base: g.p, Disp: gemmBias}, operand.I8(0))
	g.JE(operand.LabelRef(noBias))
	g.ADDQ(step, mem{Base: g.p, Disp: gemmBias})
	g.Label(noBias)
	g.JMP(operand.LabelRef(again))
	g.Label(last)
}

// each visits the vectors of a row with the instructions to read and write them.
func (g *gemmTile) each(vecs int, masked bool, f func(v, disp int, load func(mem, op), store func(op, mem))) {
	for v := range vecs {
		if masked && v == vecs-1 {
			f(v, v*g.width(), g.loadTail, g.storeTail)
		} else {
			f(v, v*g.width(), g.load, g.store)
		}
	}
}

// start sets the sums to the bias, or to 0.
func (g *gemmTile) start(rows, vecs int, masked bool) {
	bias := g.word(g.p, gemmBias)
	none, ready := g.label("nobias"), g.label("start")
	g.TESTQ(bias, bias)
	g.JZ(operand.LabelRef(none))
	g.each(vecs, masked, func(v, disp int, load func(mem, op), _ func(op, mem)) {
		load(mem{Base: bias, Disp: disp}, g.acc[0][v])
		for i := 1; i < rows; i++ {
			g.move(g.acc[0][v], g.acc[i][v])
		}
	})
	g.JMP(operand.LabelRef(ready))
	g.Label(none)
	for i := range rows {
		for v := range vecs {
			g.zero(g.acc[i][v])
		}
	}
	g.Label(ready)
}

// step adds the outer product at one k.
func (g *gemmTile) step(rows, vecs int, masked bool) {
	g.each(vecs, masked, func(v, disp int, load func(mem, op), _ func(op, mem)) {
		load(mem{Base: g.b, Disp: disp}, g.bv[v])
	})
	g.PREFETCHT1(mem{Base: g.b, Index: g.ahead, Scale: 1})
	g.ADDQ(g.stepB, g.b)
	for i := range rows {
		g.broadcast(g.elementA(i), g.av)
		for v := range vecs {
			g.fma(g.av, g.bv[v], g.acc[i][v])
		}
	}
	g.ADDQ(g.stepA, g.a0)
	if rows > 4 {
		g.ADDQ(g.stepA, g.a4)
	}
}

func (g *gemmTile) elementA(i int) mem {
	base := g.a0
	if i >= 4 {
		base = g.a4
	}
	switch i % 4 {
	case 0:
		return mem{Base: base}
	case 1:
		return mem{Base: base, Index: g.rowA, Scale: 1}
	case 2:
		return mem{Base: base, Index: g.rowA, Scale: 2}
	}
	return mem{Base: base, Index: g.rowA3, Scale: 1}
}

// finish writes C = alpha sum, or C = alpha sum + beta C.
func (g *gemmTile) finish(rows, vecs int, masked bool) {
	c, rowC, read := g.word(g.p, gemmC), g.word(g.p, gemmRowC), g.word(g.p, gemmReadC)
	alpha, beta, old := g.av, g.bv[1], g.bv[0]
	g.broadcast(mem{Base: g.p, Disp: gemmAlpha}, alpha)
	g.broadcast(mem{Base: g.p, Disp: gemmAlpha + g.size()}, beta)
	write, done := g.label("write"), g.label("stored")
	g.TESTQ(read, read)
	g.JZ(operand.LabelRef(write))
	for i := range rows {
		g.each(vecs, masked, func(v, disp int, load func(mem, op), store func(op, mem)) {
			load(mem{Base: c, Disp: disp}, old)
			g.mul(old, beta, old)
			g.fma(alpha, g.acc[i][v], old)
			store(old, mem{Base: c, Disp: disp})
		})
		g.ADDQ(rowC, c)
	}
	g.JMP(operand.LabelRef(done))
	g.Label(write)
	for i := range rows {
		g.each(vecs, masked, func(v, disp int, _ func(mem, op), store func(op, mem)) {
			g.mul(alpha, g.acc[i][v], g.acc[i][v])
			store(g.acc[i][v], mem{Base: c, Disp: disp})
		})
		g.ADDQ(rowC, c)
	}
	g.Label(done)
}

// peak writes a loop of multiply-adds on registers alone; p points to the
// number of turns, each of peakSums operations.
func (a *asm) peak() {
	n := a.word(a.function("peak"), 0)
	x, y := a.vec(), a.vec()
	a.zero(x)
	a.zero(y)
	sums := a.vecs(peakSums)
	for _, s := range sums {
		a.zero(s)
	}
	loop := a.label("loop")
	a.Label(loop)
	for _, s := range sums {
		a.fma(x, y, s)
	}
	a.DECQ(n)
	a.JNZ(operand.LabelRef(loop))
	a.end()
}

const peakSums = 12
