package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// rows is a kernel over the rows of matrices, each of which is passed over
// several times: what is one call for a matrix would be several for a row. Its
// arguments are rowArgs, which are vectorArgs (of the first row) and more.
type rows struct {
	elements
	last, tailed reg.GPVirtual // elements of whole vectors, and of the last one
}

// Offsets of the fields of rowArgs behind vectorArgs.
func (a *asm) rowFields() (count, grow, full, step int) {
	count = (vectorCoef + 9*a.size() + 7) / 8 * 8
	return count, count + 8, count + 16, count + 24
}

// rowwise writes a kernel whose body does one row. With zeros, rows have lengths
// of their own, and those of slot 0 are filled up with zeros.
func (a *asm) rowwise(name string, used int, zeros bool, row func(*rows)) {
	count, grow, full, step := a.rowFields()
	r := &rows{elements: elements{asm: a, p: a.function(name)}}
	for i := range used {
		r.ptr[i] = a.word(r.p, 8*i)
	}
	n, left := a.word(r.p, vectorN), a.word(r.p, count)
	r.index, r.last, r.tailed = a.GP64(), a.GP64(), a.GP64()
	next, filled := a.label("row"), a.label("filled")
	elementsLeft := a.GP64()
	lengths := func() {
		a.MOVQ(n, r.last)
		a.ANDQ(operand.I32(-a.lanes()), r.last)
		a.MOVQ(n, r.tailed)
		a.ANDQ(operand.U8(a.lanes()-1), r.tailed)
		a.MOVQ(r.tailed, elementsLeft)
		a.setTail(elementsLeft)
	}
	if !zeros { // all rows are of one length
		lengths()
	}
	a.Label(next)
	if zeros {
		lengths()
	}
	row(r)
	if zeros {
		zero := a.vec()
		a.zero(zero)
		a.MOVQ(n, r.index)
		whole, some := a.label("zeros"), a.label("zero")
		a.MOVQ(mem{Base: r.p, Disp: full}, elementsLeft)
		a.SUBQ(n, elementsLeft)
		a.Label(whole)
		a.CMPQ(elementsLeft, operand.I32(a.lanes()))
		a.JLT(operand.LabelRef(some))
		a.store(zero, r.at(0))
		a.ADDQ(operand.U8(a.lanes()), r.index)
		a.SUBQ(operand.U8(a.lanes()), elementsLeft)
		a.JMP(operand.LabelRef(whole))
		a.Label(some)
		a.TESTQ(elementsLeft, elementsLeft)
		a.JZ(operand.LabelRef(filled))
		a.setTail(elementsLeft)
		a.storeTail(zero, r.at(0))
		a.Label(filled)
	}
	for i := range used {
		a.ADDQ(mem{Base: r.p, Disp: step + 8*i}, r.ptr[i])
	}
	if zeros {
		a.ADDQ(mem{Base: r.p, Disp: grow}, n)
	}
	a.DECQ(left)
	a.JNZ(operand.LabelRef(next))
	a.end()
}

// pass does body for every vector of the row.
func (r *rows) pass(body func()) {
	loop, tail, done := r.label("pass"), r.label("last"), r.label("passed")
	r.XORQ(r.index, r.index)
	r.TESTQ(r.last, r.last)
	r.JZ(operand.LabelRef(tail))
	r.Label(loop)
	body()
	r.ADDQ(operand.U8(r.lanes()), r.index)
	r.CMPQ(r.index, r.last)
	r.JLT(operand.LabelRef(loop))
	r.Label(tail)
	r.TESTQ(r.tailed, r.tailed)
	r.JZ(operand.LabelRef(done))
	r.rest = true
	body()
	r.rest = false
	r.Label(done)
}

// sumVec is a sum in float64, of nothing yet.
func (r *rows) sumVec() reg.VecVirtual {
	v := r.vec()
	r.VXORPD(v, v, v)
	return v
}

// multiply: acc += x y in float64.
func (r *rows) multiply(x, y reg.VecVirtual, acc op) {
	ys := r.halves(y)
	for i, h := range r.halves(x) {
		r.VFMADD231PD(h, ys[i], acc)
	}
}

// given is float64 number i among the sums, which here are arguments.
func (r *rows) given(i int) mem { return mem{Base: r.p, Disp: vectorSums + 8*i} }

// everywhere broadcasts a float64 scalar, rounded to the element type.
func (r *rows) everywhere(x reg.VecVirtual) reg.VecVirtual {
	v := r.vec()
	if r.double {
		r.VBROADCASTSD(x, v)
		return v
	}
	s := r.XMM()
	r.VCVTSD2SS(x, x, s)
	r.VBROADCASTSS(s, v)
	return v
}

// matrices writes the kernels over rows; the functions of package kernel say
// what they compute.
func (a *asm) matrices() {
	a.rowwise("softmaxRows", 2, true, func(r *rows) {
		top, mass := r.coefs(1)[0], r.sumVec()
		r.pass(func() {
			x := r.get(1)
			if r.rest { // the masked lanes hold 0
				r.sel(r.tail, x, r.coefs(1)[0], x)
			}
			r.max(x, top, top)
		})
		r.fold(top, func(x, top op) { r.max(x, top, top) })
		first := r.vec()
		if r.double {
			r.VBROADCASTSD(top.AsX(), first)
		} else {
			r.VBROADCASTSS(top.AsX(), first)
		}
		r.pass(func() {
			d := r.get(1)
			r.sub(d, first, d)
			t := r.exp(d)
			r.put(0, t)
			if r.rest {
				r.only(r.tail, t)
			}
			r.accumulate(t, mass)
		})
		one := r.XMM()
		r.VMOVSD(r.given(0), one)
		r.VDIVSD(r.total(mass), one, one)
		scale := r.everywhere(one)
		r.pass(func() {
			t := r.get(0)
			r.mul(t, scale, t)
			r.put(0, t)
		})
	})
	a.rowwise("softmaxBackRows", 3, true, func(r *rows) {
		dot := r.sumVec()
		r.pass(func() { r.multiply(r.get(1), r.get(2), dot) })
		mean := r.everywhere(r.total(dot))
		r.pass(func() {
			p, g := r.get(1), r.get(2)
			r.sub(g, mean, g)
			r.mul(g, p, g)
			r.put(0, g)
		})
	})
	a.rowwise("standardiseRows", 2, false, func(r *rows) {
		_, scale := r.deviation(nil)
		by := r.everywhere(scale)
		r.pass(func() {
			d := r.get(0)
			r.mul(d, by, d)
			r.put(0, d)
		})
	})
	a.rowwise("standardiseGradRows", 3, false, func(r *rows) {
		sum, dot := r.sumVec(), r.sumVec()
		inverse, scale := r.deviation(func(d reg.VecVirtual) {
			g := r.get(2)
			r.accumulate(g, sum)
			r.multiply(d, g, dot)
		})
		// dst = (r g - (r^3 dot / n) d) - r mean(g)
		mean, along := r.XMM(), r.XMM()
		r.VMULSD(r.given(gradCentre), scale, mean)
		r.VMULSD(r.total(sum), mean, mean)
		r.VMULSD(scale, scale, along)
		r.VMULSD(scale, along, along)
		r.VMULSD(inverse, along, along)
		r.VMULSD(r.total(dot), along, along)
		by, less, shift := r.everywhere(scale), r.everywhere(along), r.everywhere(mean)
		r.pass(func() {
			d, g := r.get(0), r.get(2)
			r.mul(g, by, g)
			r.fnma(less, d, g)
			r.sub(g, shift, g)
			r.put(0, g)
		})
	})
}

// windows writes what pooling does with one pixel of each window of a row, a row
// being the channels of a pixel. Slot 1 is the pixels.
func (a *asm) windows() {
	var c []reg.VecVirtual
	// hit: x is the largest, top, or NaN, when top is NaN too: z = yes, else no.
	hit := func(r *rows, x, top, yes, no, z op) {
		r.sel(r.cmp(equals, x, top), yes, no, z)
		r.sel(r.cmp(unordered, x, x), yes, z, z)
	}
	a.rowwise("addRows", 2, false, func(r *rows) { // dst += c0 x
		c = r.coefs(1)
		r.pass(func() {
			d, x := r.get(0), r.get(1)
			r.mul(x, c[0], x)
			r.add(d, x, d)
			r.put(0, d)
		})
	})
	a.rowwise("axpbyRows", 3, false, func(r *rows) { // dst = c0 x + c1 y
		c = r.coefs(2)
		r.pass(func() {
			x, y := r.get(1), r.get(2)
			r.mul(x, c[0], x)
			r.mul(y, c[1], y)
			r.add(x, y, x)
			r.put(0, x)
		})
	})
	a.rowwise("maxRows", 2, false, func(r *rows) { // dst = max(dst, x), NaN if either is
		r.pass(func() {
			d, x := r.get(0), r.get(1)
			old := r.vec()
			r.move(d, old)
			r.max(d, x, d)
			r.sel(r.cmp(unordered, old, old), old, d, d)
			r.put(0, d)
		})
	})
	a.rowwise("routeRows", 4, false, func(r *rows) { // dst += rest where x is top, and rest = 0 there
		r.pass(func() {
			d, x, top, rest := r.get(0), r.get(1), r.get(2), r.get(3)
			zero, won := r.vec(), r.vec()
			r.zero(zero)
			hit(r, x, top, rest, zero, won)
			r.add(d, won, d)
			r.put(0, d)
			hit(r, x, top, zero, rest, won)
			r.put(3, won)
		})
	})
	a.rowwise("pickRows", 4, false, func(r *rows) { // dst = v where x is top
		r.pass(func() {
			d, x, top, v := r.get(0), r.get(1), r.get(2), r.get(3)
			hit(r, x, top, v, d, d)
			r.put(0, d)
		})
	})
}

// The numbers that standardisation is given: 1/n, eps, 1, and 1/n if there is a
// centre, else 0.
const (
	gradInverse = iota
	gradEps
	gradOne
	gradCentre
)

// deviation writes x - m to slot 0 and returns 1/n and r, for which see package
// kernel; each, if not nil, sees every vector of it.
func (r *rows) deviation(each func(d reg.VecVirtual)) (inverse, scale reg.VecVirtual) {
	sum, squares := r.sumVec(), r.sumVec()
	r.pass(func() { r.accumulate(r.get(1), sum) })
	mean := r.XMM()
	r.VMULSD(r.given(gradCentre), r.total(sum), mean)
	m := r.everywhere(mean)
	r.pass(func() {
		d := r.get(1)
		r.sub(d, m, d)
		r.put(0, d)
		if r.rest {
			r.only(r.tail, d)
		}
		r.multiply(d, d, squares)
		if each != nil {
			each(d)
		}
	})
	inverse, scale = r.XMM(), r.XMM()
	r.VMOVSD(r.given(gradInverse), inverse)
	total := r.total(squares)
	r.VMULSD(inverse, total, total)
	r.VADDSD(r.given(gradEps), total, total)
	r.VSQRTSD(total, total, total)
	r.VMOVSD(r.given(gradOne), scale)
	r.VDIVSD(total, scale, scale)
	return inverse, scale
}
