package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Offsets of the fields of turnArgs.
const (
	turnSrc = 8 * iota
	turnDst
	turnStep
	turnCount
	turnRows // one offset per row of a tile
)

// turn writes the transposing copy of a strip of square tiles, one 32-byte
// vector wide: tile after tile along the rows of the source, downwards in the
// destination. The rows are given by offsets, so that a strip with fewer rows
// than a tile repeats its last one. Shuffles of 32 bytes are the fastest here
// in AVX-512 too.
func (a *asm) turn() {
	p := a.function("turn")
	n := 32 / a.size()
	src, dst, step, count := a.word(p, turnSrc), a.word(p, turnDst), a.word(p, turnStep), a.word(p, turnCount)
	offset := make([]reg.GPVirtual, n)
	for i := 1; i < n; i++ {
		offset[i] = a.word(p, turnRows+8*i)
	}
	row := func(i, disp int) mem {
		if i == 0 {
			return mem{Base: src, Disp: disp}
		}
		return mem{Base: src, Index: offset[i], Scale: 1, Disp: disp}
	}
	loop := a.label("loop")
	a.Label(loop)
	// Halves of rows i and i+n/2 share a register, which leaves no exchange of
	// halves to do.
	for half := range 2 {
		r := make([]op, n/2)
		for i := range r {
			low, both := a.XMM(), a.YMM()
			a.VMOVUPS(row(i, 16*half), low)
			a.VINSERTF128(operand.U8(1), row(i+n/2, 16*half), low.AsY(), both)
			r[i] = both
		}
		if !a.double {
			r = []op{a.unpack(a.VUNPCKLPS, r[0], r[1]), a.unpack(a.VUNPCKLPS, r[2], r[3]),
				a.unpack(a.VUNPCKHPS, r[0], r[1]), a.unpack(a.VUNPCKHPS, r[2], r[3])}
		}
		for i := 0; i < len(r); i += 2 {
			a.VMOVUPS(a.unpack(a.VUNPCKLPD, r[i], r[i+1]), mem{Base: dst})
			a.VMOVUPS(a.unpack(a.VUNPCKHPD, r[i], r[i+1]), mem{Base: dst, Index: step, Scale: 1})
			a.LEAQ(mem{Base: dst, Index: step, Scale: 2}, dst)
		}
	}
	a.ADDQ(operand.U8(32), src)
	a.DECQ(count)
	a.JNZ(operand.LabelRef(loop))
	a.end()
}

// panelCopy writes the copy of rows as wide as a tile into a panel.
func (a *asm) panelCopy() {
	p := a.function("copy")
	src, dst, step, count := a.word(p, turnSrc), a.word(p, turnDst), a.word(p, turnStep), a.word(p, turnCount)
	v := a.vecs(tileVecs)
	loop := a.label("loop")
	a.Label(loop)
	for i := range v {
		a.load(mem{Base: src, Disp: i * a.width()}, v[i])
	}
	for i := range v {
		a.store(v[i], mem{Base: dst, Disp: i * a.width()})
	}
	a.ADDQ(step, src)
	a.ADDQ(operand.U32(uint32(len(v)*a.width())), dst)
	a.DECQ(count)
	a.JNZ(operand.LabelRef(loop))
	a.end()
}

func (a *asm) unpack(f func(...op), x, y op) op {
	z := a.YMM()
	f(y, x, z)
	return z
}
