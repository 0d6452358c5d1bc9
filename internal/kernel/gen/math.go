package main

import (
	"fmt"
	"math"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// bits is a constant of the element type given by its bits.
func (a *asm) bits(name string, b uint64) constant {
	if !a.double {
		b = b<<32 | b&math.MaxUint32
	}
	name += a.kind()
	m, ok := a.data[name]
	if !ok {
		m = a.StaticGlobal(name)
		a.DataAttributes(attr.RODATA | attr.NOPTR)
		n := 4
		if a.wide {
			n = 1
		}
		for i := range n {
			a.AddDatum(8*i, operand.U64(b))
		}
		a.data[name] = m
	}
	return constant{m}
}

// num is a constant of the element type.
func (a *asm) num(x float64) constant {
	b := math.Float64bits(x)
	if !a.double {
		b = uint64(math.Float32bits(float32(x)))
	}
	return a.bits(fmt.Sprintf("num%x", b), b)
}

// number loads a constant.
func (a *asm) number(x float64) reg.VecVirtual {
	v := a.vec()
	a.broadcast(a.num(x).op.(mem), v)
	return v
}

func (a *asm) signBit() constant {
	if a.double {
		return a.bits("signBit", 1<<63)
	}
	return a.bits("signBit", 1<<31)
}

func (a *asm) allButSign() constant {
	if a.double {
		return a.bits("allButSign", 1<<63-1)
	}
	return a.bits("allButSign", 1<<31-1)
}

// Predicates of cmp.
const (
	equals      = 0
	lessThan    = 1
	unordered   = 3
	greaterThan = 14
)

// cmp compares x with y; the result is for sel and selZero.
func (a *asm) cmp(predicate int, x, y op) op {
	imm := operand.U8(predicate)
	if a.wide {
		k := a.K()
		if a.double {
			a.VCMPPD(imm, y, x, k)
		} else {
			a.VCMPPS(imm, y, x, k)
		}
		return k
	}
	m := a.vec()
	if a.double {
		a.VCMPPD(imm, y, x, m)
	} else {
		a.VCMPPS(imm, y, x, m)
	}
	return m
}

// sel: z = x where the comparison holds, else y.
func (a *asm) sel(holds, x, y, z op) {
	switch {
	case a.wide && a.double:
		a.VBLENDMPD(x, y, holds, z)
	case a.wide:
		a.VBLENDMPS(x, y, holds, z)
	case a.double:
		a.VBLENDVPD(holds, x, y, z)
	default:
		a.VBLENDVPS(holds, x, y, z)
	}
}

// only: x = x where the comparison holds, else 0.
func (a *asm) only(holds, x op) {
	switch {
	case a.wide && a.double:
		a.VMOVAPD_Z(x, holds, x)
	case a.wide:
		a.VMOVAPS_Z(x, holds, x)
	default:
		a.and(x, holds, x)
	}
}

// nanOrZero returns x where it is NaN, else 0.
func (a *asm) nanOrZero(x op) op {
	n := a.vec()
	a.move(x, n)
	a.only(a.cmp(unordered, x, x), n)
	return n
}

// round: z = x rounded to the nearest integer, ties to even.
func (a *asm) round(x, z op) {
	switch {
	case a.wide && a.double:
		a.VRNDSCALEPD(operand.U8(8), x, z)
	case a.wide:
		a.VRNDSCALEPS(operand.U8(8), x, z)
	case a.double:
		a.VROUNDPD(operand.U8(8), x, z)
	default:
		a.VROUNDPS(operand.U8(8), x, z)
	}
}

// expm1Poly are the coefficients q, highest first, of
//
//	exp(r) - 1 = r + r^2 q(r),  |r| <= log(2)/2
//
// by Chebyshev interpolation in 60 digits (mpmath.chebyfit): relative error
// 2.3e-8 in float32 and 4.9e-19 in float64.
func (a *asm) expm1Poly() []float64 {
	if a.double {
		return []float64{
			2.0914686968086876e-09, 2.5105217004720745e-08, 2.75572736431103e-07, 2.7557255400206422e-06,
			2.4801587325547743e-05, 0.00019841269874820627, 0.0013888888888883748, 0.008333333333326136,
			0.04166666666666667, 0.1666666666666667, 0.5,
		}
	}
	return []float64{0.0013926183587713494, 0.008363179052722578, 0.041666554617204574, 0.16666576989698775, 0.5}
}

// power is an integer n to scale by: with AVX-512 n itself, with AVX2 n plus
// 1.5 times the first power of two whose last place is 1, so that the low bits
// of it are n.
type power struct{ n, shifted op }

func (a *asm) magic() float64 {
	if a.double {
		return 3 << 51
	}
	return 3 << 22
}

// reduce returns n and p with exp(x) = 2^n (1 + p) and |p| < 0.42, p precise to
// an ulp even where it is small. It overwrites x, which may be NaN.
func (a *asm) reduce(x op) (power, reg.VecVirtual) {
	n := a.vec()
	w := power{n: n}
	if a.wide {
		a.mul(x, a.num(math.Log2E), n)
		a.round(n, n)
	} else {
		t := a.number(a.magic())
		a.fma(x, a.num(math.Log2E), t)
		a.sub(t, a.num(a.magic()), n)
		w.shifted = t
	}
	high, low := 0.693359375, -2.12194440054690583e-4
	if a.double {
		high, low = 6.93147180369123816490e-01, 1.90821492927058770002e-10
	}
	a.fnma(n, a.num(high), x)
	a.fnma(n, a.num(low), x)
	square := a.vec()
	a.mul(x, x, square)
	p := a.polynomial(a.expm1Poly(), x, square)
	a.horner(p, square, x)
	return w, p
}

// polynomial evaluates c, highest first, at x by Estrin's scheme: pairs, pairs
// of pairs, and so on, which waits less than Horner's for each result.
func (a *asm) polynomial(c []float64, x, square op) reg.VecVirtual {
	var terms []reg.VecVirtual // lowest first
	for i := len(c) - 1; i >= 0; i -= 2 {
		if i == 0 {
			terms = append(terms, a.number(c[0]))
			break
		}
		z := a.number(c[i-1])
		a.horner(z, x, a.num(c[i]))
		terms = append(terms, z)
	}
	for len(terms) > 1 {
		var next []reg.VecVirtual
		for i := 0; i < len(terms); i += 2 {
			if i+1 < len(terms) {
				a.fma(terms[i+1], square, terms[i])
			}
			next = append(next, terms[i])
		}
		if terms = next; len(terms) > 1 {
			higher := a.vec()
			a.mul(square, square, higher)
			square = higher
		}
	}
	return terms[0]
}

// exponent returns 2^n from the shifted n, in AVX2.
func (a *asm) exponent(shifted op) reg.VecVirtual {
	z := a.vec()
	if a.double {
		a.VPSLLQ(operand.U8(52), shifted, z)
		a.VPADDQ(a.num(1).op, z, z)
	} else {
		a.VPSLLD(operand.U8(23), shifted, z)
		a.VPADDD(a.num(1).op, z, z)
	}
	return z
}

// scaled: p = p 2^n, where 2^n may be out of range if the result is not.
func (a *asm) scaled(p op, w power) {
	switch {
	case a.wide && a.double:
		a.VSCALEFPD(w.n, p, p)
	case a.wide:
		a.VSCALEFPS(w.n, p, p)
	default: // by 2^h and by 2^(n-h), with h = n/2 rounded
		magic, h, rest := a.number(a.magic()), a.vec(), a.vec()
		half := a.number(a.magic())
		a.fma(w.n, a.num(0.5), half)
		a.sub(half, magic, h)
		a.sub(w.n, h, rest)
		a.add(rest, magic, rest)
		a.mul(p, a.exponent(half), p)
		a.mul(p, a.exponent(rest), p)
	}
}

// exp returns exp(x) for x <= 0, gradual underflow included. It overwrites x.
func (a *asm) exp(x op) reg.VecVirtual {
	low := -104.0 // from here on the result is 0
	if a.double {
		low = -746
	}
	a.max(a.number(low), x, x)
	w, p := a.reduce(x)
	a.add(p, a.num(1), p)
	a.scaled(p, w)
	return p
}

// expm1 returns exp(x) - 1 for |x| <= 44. It overwrites x.
func (a *asm) expm1(x op) reg.VecVirtual {
	w, p := a.reduce(x)
	var s reg.VecVirtual
	if a.wide {
		s = a.number(1)
		a.scaled(s, w)
	} else {
		s = a.exponent(w.shifted)
	}
	// 2^n (1 + p) - 1 = (2^n - 1) + 2^n p
	z := a.vec()
	a.sub(s, a.num(1), z)
	a.fma(s, p, z)
	return z
}
