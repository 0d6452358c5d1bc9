package main

import (
	"strconv"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// asm writes one instruction set and one element type: the same kernel text
// serves all four by the methods below, which pick the instruction.
type asm struct {
	*build.Context
	wide   bool // AVX-512F, else AVX2 and FMA
	double bool // float64, else float32

	labels int
	tail   op // mask of the last vector: an opmask register, or a vector
	data   map[string]mem
}

type (
	op  = operand.Op
	mem = operand.Mem
	ins = func(*bc, ...op)
)

// target names the set as the Go side does, such as "F32AVX512".
func (a *asm) target() string { return a.kind() + a.set() }

func (a *asm) kind() string {
	if a.double {
		return "F64"
	}
	return "F32"
}

func (a *asm) set() string {
	if a.wide {
		return "AVX512"
	}
	return "AVX2"
}

// size is the bytes of an element, width those of a vector.
func (a *asm) size() int {
	if a.double {
		return 8
	}
	return 4
}

func (a *asm) width() int {
	if a.wide {
		return 64
	}
	return 32
}

func (a *asm) lanes() int { return a.width() / a.size() }

// function starts func name(p *byte), and returns p.
func (a *asm) function(name string) reg.GPVirtual {
	a.Function(name + a.target())
	a.Attributes(attr.NOSPLIT)
	a.SignatureExpr("func(p *byte)")
	a.Pragma("noescape")
	p := a.GP64()
	a.Load(a.Param("p"), p)
	return p
}

// end finishes a function.
func (a *asm) end() {
	a.VZEROUPPER()
	a.RET()
}

func (a *asm) label(name string) string {
	a.labels++
	return name + strconv.Itoa(a.labels)
}

func (a *asm) vec() reg.VecVirtual {
	if a.wide {
		return a.ZMM()
	}
	return a.YMM()
}

func (a *asm) vecs(n int) []reg.VecVirtual {
	v := make([]reg.VecVirtual, n)
	for i := range v {
		v[i] = a.vec()
	}
	return v
}

// word loads the 8-byte field at off of the argument struct.
func (a *asm) word(p reg.Register, off int) reg.GPVirtual {
	r := a.GP64()
	a.MOVQ(mem{Base: p, Disp: off}, r)
	return r
}

// form is the four encodings of an operation: both element types, without and
// with a constant operand broadcast from memory. AVX2 has no broadcast form;
// its constants are whole vectors in memory.
type form struct{ single, double, singleConst, doubleConst ins }

type bc = build.Context

var (
	formAdd  = form{(*bc).VADDPS, (*bc).VADDPD, (*bc).VADDPS_BCST, (*bc).VADDPD_BCST}
	formSub  = form{(*bc).VSUBPS, (*bc).VSUBPD, (*bc).VSUBPS_BCST, (*bc).VSUBPD_BCST}
	formMul  = form{(*bc).VMULPS, (*bc).VMULPD, (*bc).VMULPS_BCST, (*bc).VMULPD_BCST}
	formDiv  = form{(*bc).VDIVPS, (*bc).VDIVPD, (*bc).VDIVPS_BCST, (*bc).VDIVPD_BCST}
	formMin  = form{(*bc).VMINPS, (*bc).VMINPD, (*bc).VMINPS_BCST, (*bc).VMINPD_BCST}
	formMax  = form{(*bc).VMAXPS, (*bc).VMAXPD, (*bc).VMAXPS_BCST, (*bc).VMAXPD_BCST}
	formAnd  = form{(*bc).VANDPS, (*bc).VANDPD, (*bc).VANDPS_BCST, (*bc).VANDPD_BCST}
	formOr   = form{(*bc).VORPS, (*bc).VORPD, (*bc).VORPS_BCST, (*bc).VORPD_BCST}
	formXor  = form{(*bc).VXORPS, (*bc).VXORPD, (*bc).VXORPS_BCST, (*bc).VXORPD_BCST}
	formFMA  = form{(*bc).VFMADD231PS, (*bc).VFMADD231PD, (*bc).VFMADD231PS_BCST, (*bc).VFMADD231PD_BCST}
	formFNMA = form{(*bc).VFNMADD231PS, (*bc).VFNMADD231PD, (*bc).VFNMADD231PS_BCST, (*bc).VFNMADD231PD_BCST}
	formPoly = form{(*bc).VFMADD213PS, (*bc).VFMADD213PD, (*bc).VFMADD213PS_BCST, (*bc).VFMADD213PD_BCST}
	formMove = form{single: (*bc).VMOVAPS, double: (*bc).VMOVAPD}
	formLoad = form{single: (*bc).VMOVUPS, double: (*bc).VMOVUPD}
	formSqrt = form{single: (*bc).VSQRTPS, double: (*bc).VSQRTPD}
	formCast = form{single: (*bc).VBROADCASTSS, double: (*bc).VBROADCASTSD}
)

// constant is a number in memory as an operand: the first of an instruction.
type constant struct{ op }

func (a *asm) do(f form, ops ...op) {
	c, isConst := ops[0].(constant)
	if isConst {
		ops[0] = c.op
	}
	switch {
	case isConst && a.wide && a.double:
		f.doubleConst(a.Context, ops...)
	case isConst && a.wide:
		f.singleConst(a.Context, ops...)
	case a.double:
		f.double(a.Context, ops...)
	default:
		f.single(a.Context, ops...)
	}
}

// The destination of these is z, the last; y may be a constant.
func (a *asm) add(x, y, z op) { a.do(formAdd, y, x, z) }
func (a *asm) sub(x, y, z op) { a.do(formSub, y, x, z) }
func (a *asm) mul(x, y, z op) { a.do(formMul, y, x, z) }
func (a *asm) div(x, y, z op) { a.do(formDiv, y, x, z) }
func (a *asm) and(x, y, z op) { a.do(formAnd, y, x, z) }
func (a *asm) or(x, y, z op)  { a.do(formOr, y, x, z) }
func (a *asm) xor(x, y, z op) { a.do(formXor, y, x, z) }

// min and max return y where either operand is NaN, so a value that must keep
// its NaN goes second.
func (a *asm) min(x, y, z op) { a.do(formMin, y, x, z) }
func (a *asm) max(x, y, z op) { a.do(formMax, y, x, z) }

// fma: z += x y.  fnma: z -= x y.  horner, whose destination is first: z = z x + y.
func (a *asm) fma(x, y, z op)    { a.do(formFMA, y, x, z) }
func (a *asm) fnma(x, y, z op)   { a.do(formFNMA, y, x, z) }
func (a *asm) horner(z, x, y op) { a.do(formPoly, y, x, z) }

func (a *asm) sqrt(x, z op)             { a.do(formSqrt, x, z) }
func (a *asm) move(x, z op)             { a.do(formMove, x, z) }
func (a *asm) load(from mem, z op)      { a.do(formLoad, from, z) }
func (a *asm) store(x op, to mem)       { a.do(formLoad, x, to) }
func (a *asm) broadcast(from mem, z op) { a.do(formCast, from, z) }

// loadTail and storeTail touch the lanes of a.tail only; the others load as 0.
func (a *asm) loadTail(from mem, v op) {
	switch {
	case a.wide && a.double:
		a.VMOVUPD_Z(from, a.tail, v)
	case a.wide:
		a.VMOVUPS_Z(from, a.tail, v)
	case a.double:
		a.VMASKMOVPD(from, a.tail, v)
	default:
		a.VMASKMOVPS(from, a.tail, v)
	}
}

func (a *asm) storeTail(v op, to mem) {
	switch {
	case a.wide && a.double:
		a.VMOVUPD(v, a.tail, to)
	case a.wide:
		a.VMOVUPS(v, a.tail, to)
	case a.double:
		a.VMASKMOVPD(v, a.tail, to)
	default:
		a.VMASKMOVPS(v, a.tail, to)
	}
}

func (a *asm) zero(v op) { a.xor(v, v, v) }

// setTail makes a.tail from a count of 1 .. lanes, which it overwrites.
func (a *asm) setTail(count reg.GPVirtual) {
	if a.wide {
		bits := a.GP64()
		a.MOVQ(operand.I32(-1), bits)
		a.BZHIQ(count, bits, bits)
		k := a.K()
		a.KMOVW(bits.As32(), k)
		a.tail = k
		return
	}
	table := a.maskTable()
	base := a.GP64()
	a.LEAQ(table, base)
	a.NEGQ(count)
	v := a.YMM()
	a.VMOVUPS(mem{Base: base, Index: count, Scale: uint8(a.size()), Disp: 32}, v)
	a.tail = v
}

// maskTable is 32 bytes of ones followed by 32 of zeros: loaded at an offset of
// 32 - count*size it masks the first count elements.
func (a *asm) maskTable() mem {
	name := "tailMask"
	if m, ok := a.data[name]; ok {
		return m
	}
	m := a.StaticGlobal(name)
	a.DataAttributes(attr.RODATA | attr.NOPTR)
	for i := range 8 {
		v := operand.U64(0)
		if i < 4 {
			v = ^v
		}
		a.AddDatum(8*i, v)
	}
	a.data[name] = m
	return m
}
