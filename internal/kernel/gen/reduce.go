package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Sums are formed in float64. For float32 the loop runs over as many elements
// as a vector has float64 lanes, and widens each.

// sums is the state of a reduction over one unrolled loop.
type sums struct {
	*asm        // float64 arithmetic
	single bool // the slots hold float32
	p      reg.GPVirtual
	ptr    [slots]reg.GPVirtual
	index  reg.GPVirtual
	disp   int // elements beyond the index
	rest   bool
}

const sumUnroll = 4

func (s *sums) at(slot int) mem {
	size := 8
	if s.single {
		size = 4
	}
	return mem{Base: s.ptr[slot], Index: s.index, Scale: uint8(size), Disp: s.disp * size}
}

// half is a register of as many float32 as a vector has float64.
func (s *sums) half() reg.VecVirtual {
	if s.wide {
		return s.YMM()
	}
	return s.XMM()
}

// get loads elements in their own type, put stores them.
func (s *sums) get(slot int) reg.VecVirtual {
	if !s.single {
		v := s.vec()
		if s.rest {
			s.loadTail(s.at(slot), v)
		} else {
			s.load(s.at(slot), v)
		}
		return v
	}
	v := s.half()
	switch {
	case !s.rest:
		s.VMOVUPS(s.at(slot), v)
	case s.wide:
		s.VMOVUPS_Z(s.at(slot), s.tail, v)
	default:
		s.VMASKMOVPS(s.at(slot), s.tail, v)
	}
	return v
}

func (s *sums) put(slot int, v op) {
	switch {
	case !s.single && s.rest:
		s.storeTail(v, s.at(slot))
	case !s.single:
		s.store(v, s.at(slot))
	case !s.rest:
		s.VMOVUPS(v, s.at(slot))
	case s.wide:
		s.VMOVUPS(v, s.tail, s.at(slot))
	default:
		s.VMASKMOVPS(v, s.tail, s.at(slot))
	}
}

// widened returns v in float64.
func (s *sums) widened(v op) op {
	if !s.single {
		return v
	}
	z := s.vec()
	s.VCVTPS2PD(v, z)
	return z
}

// reduction writes a kernel that adds to one sum over the slots in use:
// body adds one vector of elements to acc.
func (a *asm) reduction(name string, used int, body func(s *sums, acc op)) {
	s := &sums{asm: a, single: !a.double}
	s.p = a.function(name)
	a.double = true
	defer func() { a.double = !s.single }()
	for i := range used {
		s.ptr[i] = a.word(s.p, 8*i)
	}
	rest, last := a.word(s.p, vectorN), a.GP64()
	s.index = a.GP64()
	acc := a.vecs(sumUnroll)
	for _, v := range acc {
		a.zero(v)
	}
	lanes := a.lanes()
	unrolled, blocks, loop, singles, tail, done := a.label("unrolled"), a.label("blocks"), a.label("loop"), a.label("singles"), a.label("tail"), a.label("done")
	a.XORQ(s.index, s.index)
	a.MOVQ(rest, last)
	a.ANDQ(operand.I32(-lanes*sumUnroll), last)
	a.JMP(operand.LabelRef(blocks))
	a.Label(unrolled)
	for i, v := range acc {
		s.disp = i * lanes
		body(s, v)
	}
	s.disp = 0
	a.ADDQ(operand.U8(lanes*sumUnroll), s.index)
	a.Label(blocks)
	a.CMPQ(s.index, last)
	a.JLT(operand.LabelRef(unrolled))
	a.MOVQ(rest, last)
	a.ANDQ(operand.I32(-lanes), last)
	a.JMP(operand.LabelRef(singles))
	a.Label(loop)
	body(s, acc[0])
	a.ADDQ(operand.U8(lanes), s.index)
	a.Label(singles)
	a.CMPQ(s.index, last)
	a.JLT(operand.LabelRef(loop))
	a.Label(tail)
	a.ANDQ(operand.U8(lanes-1), rest)
	a.JZ(operand.LabelRef(done))
	s.setTail(rest)
	s.rest = true
	body(s, acc[1])
	a.Label(done)
	a.add(acc[0], acc[1], acc[0])
	a.add(acc[2], acc[3], acc[2])
	a.add(acc[0], acc[2], acc[0])
	a.storeSum(acc[0], s.p, 0)
	a.end()
}

// setTail masks the float32 lanes that are read, or the float64 lanes.
func (s *sums) setTail(count reg.GPVirtual) {
	s.double = !s.single
	s.asm.setTail(count)
	s.double = true
	if s.single && !s.wide {
		s.tail = s.tail.(reg.VecVirtual).AsX()
	}
}

// storeSum adds the float64 lanes of v and stores the total.
func (a *asm) storeSum(v reg.VecVirtual, p reg.GPVirtual, which int) {
	a.VMOVSD(a.total(v), mem{Base: p, Disp: vectorSums + 8*which})
}

// total adds the float64 lanes of v, halving.
func (a *asm) total(v reg.VecVirtual) reg.VecVirtual {
	y := v.AsY()
	if a.wide {
		high := a.YMM()
		a.VEXTRACTF64X4(operand.U8(1), v, high)
		low := a.YMM()
		a.VADDPD(high, y, low)
		y = low
	}
	high := a.XMM()
	a.VEXTRACTF128(operand.U8(1), y, high)
	x := a.XMM()
	a.VADDPD(high, y.(reg.VecVirtual).AsX(), x)
	a.VHADDPD(x, x, x)
	return x
}

// reductions writes the sums of package kernel.
func (a *asm) reductions() {
	a.reduction("dot", 2, func(s *sums, acc op) {
		x, y := s.widened(s.get(0)), s.widened(s.get(1))
		s.fma(x, y, acc)
	})
	a.reduction("sum", 1, func(s *sums, acc op) {
		s.add(acc, s.widened(s.get(0)), acc)
	})
	a.reduction("subSquares", 3, func(s *sums, acc op) {
		x, y := s.get(1), s.get(2)
		if s.single {
			s.VSUBPS(y, x, x)
		} else {
			s.sub(x, y, x)
		}
		s.put(0, x)
		d := s.widened(x)
		s.fma(d, d, acc)
	})
	a.maxAbs()
	a.maximum()
}

// maxAbs writes the largest |x| as the largest of its bits: as integers they
// are in the same order, and NaN is above all.
func (a *asm) maxAbs() {
	var top, mask reg.VecVirtual
	a.elementwise("maxAbs", 1, func(e *elements) {
		top, mask = e.vec(), e.vec()
		e.zero(top)
		e.broadcast(e.allButSign().op.(mem), mask)
	}, func(e *elements) {
		x := e.get(0)
		e.and(x, mask, x)
		e.maxBits(x, top)
	}, func(e *elements) {
		e.fold(top, e.maxBits)
		e.storeFirst(top, e.p)
	})
}

// maxBits: top = max(x, top) as signed integers.
func (a *asm) maxBits(x, top op) {
	switch {
	case !a.double:
		a.VPMAXSD(x, top, top)
	case a.wide:
		a.VPMAXSQ(x, top, top)
	default:
		greater := a.vec()
		a.VPCMPGTQ(top, x, greater)
		a.sel(greater, x, top, top)
	}
}

// maximum writes the largest element: coefficient 0, which is -Inf, for none.
// NaN may be lost.
func (a *asm) maximum() {
	var top reg.VecVirtual
	a.elementwise("maximum", 1, func(e *elements) {
		top = e.coefs(1)[0]
	}, func(e *elements) {
		x := e.get(0)
		if e.rest { // the masked lanes hold 0
			least := e.coefs(1)[0]
			e.sel(e.tail, x, least, x)
		}
		e.max(x, top, top)
	}, func(e *elements) {
		e.fold(top, func(x, top op) { e.max(x, top, top) })
		e.storeFirst(top, e.p)
	})
}

// fold combines the lanes of v into its first, by f on ever smaller halves;
// the other lanes hold anything.
func (a *asm) fold(v reg.VecVirtual, f func(x, v op)) {
	t := a.vec()
	swap := func(imm int) {
		if a.wide {
			a.VSHUFF64X2(operand.U8(imm), v, v, t)
		} else {
			a.VPERM2F128(operand.U8(1), v, v, t)
		}
		f(t, v)
	}
	swap(0b01_00_11_10)
	if a.wide {
		swap(0b10_11_00_01)
	}
	if a.double {
		a.VPERMILPD(operand.U8(0b01010101), v, t)
		f(t, v)
		return
	}
	for _, imm := range []int{0b01_00_11_10, 0b10_11_00_01} {
		a.VPERMILPS(operand.U8(imm), v, t)
		f(t, v)
	}
}

// storeFirst stores the first lane as sum 0, in the element type.
func (a *asm) storeFirst(v reg.VecVirtual, p reg.GPVirtual) {
	to := mem{Base: p, Disp: vectorSums}
	if a.double {
		a.VMOVSD(v.AsX(), to)
	} else {
		a.VMOVSS(v.AsX(), to)
	}
}

// softmaxes writes the two passes over a row, with d = x - c0, c0 its maximum:
//
//	nll      sums: exp(d), y, y d     slots: 0 x, 1 y
//	softmax  sums: exp(d), y          slots: 0 exp(d), 1 x, 2 y
func (a *asm) softmaxes() {
	var top reg.VecVirtual
	var wideTop op
	var acc []reg.VecVirtual
	setup := func(e *elements) {
		top = e.coefs(1)[0]
		wideTop = e.halves(top)[0]
		acc = e.vecs(3)
		for _, v := range acc {
			e.asm.zero(v)
		}
	}
	end := func(n int) func(*elements) {
		return func(e *elements) {
			for i := range n {
				e.storeSum(acc[i], e.p, i)
			}
		}
	}
	a.elementwise("nll", 2, setup, func(e *elements) {
		x, y, d := e.get(0), e.get(1), e.vec()
		e.sub(x, top, d)
		t := e.exp(d)
		if e.rest {
			e.only(e.tail, t)
		}
		e.accumulate(t, acc[0])
		e.accumulate(y, acc[1])
		xs := e.halves(x)
		for i, h := range e.halves(y) { // d again, without its rounding to float32
			e.VSUBPD(wideTop, xs[i], xs[i])
			e.VFMADD231PD(h, xs[i], acc[2])
		}
	}, end(3))
	a.elementwise("softmax", 3, setup, func(e *elements) {
		d, y := e.get(1), e.get(2)
		e.sub(d, top, d)
		t := e.exp(d)
		e.put(0, t)
		if e.rest {
			e.only(e.tail, t)
		}
		e.accumulate(t, acc[0])
		e.accumulate(y, acc[1])
	}, end(2))
}

// halves returns v as float64: itself, or its two halves widened.
func (a *asm) halves(v reg.VecVirtual) []op {
	if a.double {
		return []op{v}
	}
	low, high := a.vec(), a.vec()
	if a.wide {
		upper := a.YMM()
		a.VEXTRACTF64X4(operand.U8(1), v, upper)
		a.VCVTPS2PD(v.AsY(), low)
		a.VCVTPS2PD(upper, high)
	} else {
		upper := a.XMM()
		a.VEXTRACTF128(operand.U8(1), v, upper)
		a.VCVTPS2PD(v.AsX(), low)
		a.VCVTPS2PD(upper, high)
	}
	return []op{low, high}
}

// accumulate: acc += v in float64.
func (a *asm) accumulate(v reg.VecVirtual, acc op) {
	for _, h := range a.halves(v) {
		a.VADDPD(h, acc, acc)
	}
}
