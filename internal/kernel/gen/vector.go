package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Offsets of the fields of vectorArgs. Its pointers are the slots 0 (the
// destination) to 4, its results sums of float64.
const (
	slots      = 5
	vectorN    = 8 * slots
	vectorSums = vectorN + 8
	vectorCoef = vectorSums + 8*4
)

// elements is one vector of every operand of an elementwise kernel.
type elements struct {
	*asm
	p     reg.GPVirtual
	ptr   [slots]reg.GPVirtual
	index reg.GPVirtual
	rest  bool // the last vector, masked
}

// get loads the elements of a slot.
func (e *elements) get(slot int) reg.VecVirtual {
	v := e.vec()
	if e.rest {
		e.loadTail(e.at(slot), v)
	} else {
		e.load(e.at(slot), v)
	}
	return v
}

// put stores v to a slot.
func (e *elements) put(slot int, v op) {
	if e.rest {
		e.storeTail(v, e.at(slot))
	} else {
		e.store(v, e.at(slot))
	}
}

func (e *elements) at(slot int) mem {
	return mem{Base: e.ptr[slot], Index: e.index, Scale: uint8(e.size())}
}

// elementwise writes a kernel that walks the slots in use, vector by vector:
// setup runs once, body per vector, and end, if not nil, after all.
func (a *asm) elementwise(name string, used int, setup, body, end func(*elements)) {
	e := &elements{asm: a, p: a.function(name)}
	for i := range used {
		e.ptr[i] = a.word(e.p, 8*i)
	}
	rest := a.word(e.p, vectorN)
	last := a.GP64()
	e.index = a.GP64()
	if setup != nil {
		setup(e)
	}
	loop, tail, done := a.label("loop"), a.label("tail"), a.label("done")
	lanes := a.lanes()
	a.XORQ(e.index, e.index)
	a.MOVQ(rest, last)
	a.ANDQ(operand.I32(-lanes), last)
	a.JZ(operand.LabelRef(tail))
	a.Label(loop)
	body(e)
	a.ADDQ(operand.U8(lanes), e.index)
	a.CMPQ(e.index, last)
	a.JLT(operand.LabelRef(loop))
	a.Label(tail)
	a.ANDQ(operand.U8(lanes-1), rest)
	a.JZ(operand.LabelRef(done))
	a.setTail(rest)
	e.rest = true
	body(e)
	a.Label(done)
	if end != nil {
		end(e)
	}
	a.end()
}

// coefs loads the first n coefficients.
func (e *elements) coefs(n int) []reg.VecVirtual {
	v := e.vecs(n)
	for i := range v {
		e.broadcast(mem{Base: e.p, Disp: vectorCoef + i*e.size()}, v[i])
	}
	return v
}

// simple writes a kernel whose coefficients c are loaded once.
func (a *asm) simple(name string, used, coefs int, body func(e *elements, c []reg.VecVirtual)) {
	var c []reg.VecVirtual
	a.elementwise(name, used, func(e *elements) { c = e.coefs(coefs) }, func(e *elements) { body(e, c) }, nil)
}

// arithmetic writes the elementwise kernels without transcendental functions;
// the functions of package kernel say what they compute.
func (a *asm) arithmetic() {
	a.simple("fill", 1, 1, func(e *elements, c []reg.VecVirtual) { e.put(0, c[0]) })
	a.simple("scale", 2, 1, func(e *elements, c []reg.VecVirtual) {
		x := e.get(1)
		e.mul(x, c[0], x)
		e.put(0, x)
	})
	for _, k := range []struct {
		name string
		f    func(x, y, z op)
	}{{"add", a.add}, {"sub", a.sub}, {"mul", a.mul}} {
		a.simple(k.name, 3, 0, func(e *elements, _ []reg.VecVirtual) {
			x, y := e.get(1), e.get(2)
			k.f(x, y, x)
			e.put(0, x)
		})
	}
	a.simple("axpby", 3, 2, func(e *elements, c []reg.VecVirtual) {
		x, y := e.get(1), e.get(2)
		e.mul(x, c[0], x) // both products are rounded, so that x - (x as computed before) is zero
		e.mul(y, c[1], y)
		e.add(x, y, x)
		e.put(0, x)
	})
	a.simple("shift", 2, 2, func(e *elements, c []reg.VecVirtual) { // (x - c0) - c1
		x := e.get(1)
		e.sub(x, c[0], x)
		e.sub(x, c[1], x)
		e.put(0, x)
	})
}

// optimisers writes the steps; slot 0 is w. In all, d = g + decay w.
func (a *asm) optimisers() {
	a.simple("sgd", 2, 2, func(e *elements, c []reg.VecVirtual) {
		rate, decay := c[0], c[1]
		w, d := e.get(0), e.get(1)
		e.fma(decay, w, d)
		e.fnma(rate, d, w)
		e.put(0, w)
	})
	for _, nesterov := range []bool{false, true} {
		name := "momentum"
		if nesterov {
			name = "nesterov"
		}
		a.simple(name, 3, 3, func(e *elements, c []reg.VecVirtual) {
			rate, mu, decay := c[0], c[1], c[2]
			w, u, d := e.get(0), e.get(1), e.get(2)
			e.fma(decay, w, d)
			e.horner(u, mu, d)
			e.put(1, u)
			if nesterov {
				e.horner(u, mu, d)
			}
			e.fnma(rate, u, w)
			e.put(0, w)
		})
	}
	a.simple("adam", 4, 9, func(e *elements, c []reg.VecVirtual) {
		rate, beta1, beta2, eps, decay := c[0], c[1], c[2], c[3], c[4]
		correct1, correct2, rest1, rest2 := c[5], c[6], c[7], c[8]
		m, v, g := e.get(1), e.get(2), e.get(3)
		e.mul(m, beta1, m)
		e.fma(g, rest1, m)
		e.put(1, m)
		e.mul(v, beta2, v)
		t := e.vec()
		e.mul(g, g, t)
		e.fma(t, rest2, v)
		e.put(2, v)
		e.mul(v, correct2, v)
		e.sqrt(v, v)
		e.add(v, eps, v)
		e.mul(m, correct1, m)
		e.div(m, v, m)
		w := e.get(0)
		e.fma(w, decay, m)
		e.fnma(rate, m, w)
		e.put(0, w)
	})
}
