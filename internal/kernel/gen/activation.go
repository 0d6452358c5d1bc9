package main

import "github.com/mmcloughlin/avo/reg"

// activation is f with its derivatives, each from x, which it may overwrite.
type activation struct {
	name               string
	value, slope, bend func(*asm, reg.VecVirtual) op
}

// activations are in the order of the constants of package kernel, from Tanh.
var activations = []activation{
	{"Tanh", tanhValue, tanhSlope, tanhBend},
	{"HardTanh", hardTanhValue, hardTanhSlope, noBend},
	{"Sigmoid", sigmoidValue, sigmoidSlope, sigmoidBend},
	{"ReLU", reluValue, reluSlope, noBend},
	{"LeakyReLU", leakyValue, leakySlope, noBend},
	{"GELU", geluValue, geluSlope, geluBend},
	{"SELU", seluValue, seluSlope, seluBend},
	{"SiLU", siluValue, siluSlope, siluBend},
}

// The constants of package kernel.
const (
	leaky     = 0.01
	seluAlpha = 1.6732632423543772848170429916717
	seluScale = 1.0507009873554804934193349852946
	geluScale = 0.79788456080286535587989211986876
	geluCubic = 0.044715
	geluClamp = 24
)

// forms are what is done with an activation, slot 1 being x: the value, g f',
// base + c g f', g v f” (in the order that package kernel counts them).
func (a *asm) forms(f activation) {
	a.simple("value"+f.name, 2, 0, func(e *elements, _ []reg.VecVirtual) {
		e.put(0, f.value(e.asm, e.get(1)))
	})
	a.simple("grad"+f.name, 3, 0, func(e *elements, _ []reg.VecVirtual) {
		d, g := f.slope(e.asm, e.get(1)), e.get(2)
		e.mul(d, g, g)
		e.put(0, g)
	})
	a.simple("gradSum"+f.name, 4, 1, func(e *elements, c []reg.VecVirtual) {
		d, g, base := f.slope(e.asm, e.get(1)), e.get(2), e.get(3)
		e.mul(g, c[0], g)
		e.fma(g, d, base)
		e.put(0, base)
	})
	a.simple("grad2"+f.name, 4, 0, func(e *elements, _ []reg.VecVirtual) {
		d, g, v := f.bend(e.asm, e.get(1)), e.get(2), e.get(3)
		e.mul(g, v, g)
		e.mul(g, d, g)
		e.put(0, g)
	})
}

// noBend is 0, but keeps NaN.
func noBend(a *asm, x reg.VecVirtual) op { return a.nanOrZero(x) }

// magnitude returns |x|, and negated -|x|.
func (a *asm) magnitude(x op) reg.VecVirtual {
	z := a.vec()
	a.and(x, a.allButSign(), z)
	return z
}

func (a *asm) negated(x op) reg.VecVirtual {
	z := a.vec()
	a.or(x, a.signBit(), z)
	return z
}

// tanh is m/(m+2) with m = exp(2x) - 1.
func tanhValue(a *asm, x reg.VecVirtual) op {
	limit := 9.25 // beyond, the result rounds to 1
	if a.double {
		limit = 20
	}
	a.max(a.number(-limit), x, x)
	a.min(a.number(limit), x, x)
	a.add(x, x, x)
	m := a.expm1(x)
	d := a.vec()
	a.add(m, a.num(2), d)
	a.div(m, d, m)
	return m
}

func tanhSlope(a *asm, x reg.VecVirtual) op {
	t, s := tanhValue(a, x), a.number(1)
	a.fnma(t, t, s)
	return s
}

func tanhBend(a *asm, x reg.VecVirtual) op {
	t, s := tanhValue(a, x), a.number(1)
	a.fnma(t, t, s)
	a.mul(s, t, s)
	a.mul(s, a.num(-2), s)
	return s
}

func hardTanhValue(a *asm, x reg.VecVirtual) op {
	a.max(a.number(-1), x, x)
	a.min(a.number(1), x, x)
	return x
}

func hardTanhSlope(a *asm, x reg.VecVirtual) op {
	outside := a.cmp(greaterThan, a.magnitude(x), a.number(1))
	return a.pickSlope(outside, 0, 1, x)
}

// pickSlope returns one of two constants, plus x where x is NaN.
func (a *asm) pickSlope(holds op, yes, no float64, x op) op {
	z := a.vec()
	a.sel(holds, a.number(yes), a.number(no), z)
	a.add(z, a.nanOrZero(x), z)
	return z
}

func reluValue(a *asm, x reg.VecVirtual) op {
	a.max(a.number(0), x, x)
	return x
}

func reluSlope(a *asm, x reg.VecVirtual) op {
	return a.pickSlope(a.cmp(greaterThan, x, a.number(0)), 1, 0, x)
}

func leakyValue(a *asm, x reg.VecVirtual) op {
	y := a.vec()
	a.mul(x, a.num(leaky), y)
	a.max(y, x, x)
	return x
}

func leakySlope(a *asm, x reg.VecVirtual) op {
	return a.pickSlope(a.cmp(lessThan, x, a.number(0)), leaky, 1, x)
}

// logistic is the sigmoid s at x by parts: e = exp(-|x|) and r = 1/(1+e), so
// that s is r for x >= 0 and e r below, and s(1-s) is e r^2, without
// cancellation in either tail.
type logistic struct {
	*asm
	e, r  reg.VecVirtual
	below op // x < 0
}

func (a *asm) logistic(x op) logistic {
	l := logistic{asm: a, below: a.cmp(lessThan, x, a.number(0))}
	l.e = a.exp(a.negated(x))
	d := a.vec()
	a.add(l.e, a.num(1), d)
	l.r = a.number(1)
	a.div(l.r, d, l.r)
	return l
}

// value is s.
func (l logistic) value() reg.VecVirtual {
	s := l.vec()
	l.sel(l.below, l.e, l.number(1), s)
	l.mul(s, l.r, s)
	return s
}

// slope is s(1-s).
func (l logistic) slope() reg.VecVirtual {
	q := l.vec()
	l.mul(l.e, l.r, q)
	l.mul(q, l.r, q)
	return q
}

// lean is 1-2s: (e-1) r with the sign turned for x < 0.
func (l logistic) lean() reg.VecVirtual {
	z, turned := l.vec(), l.vec()
	l.sub(l.e, l.num(1), z)
	l.mul(z, l.r, z)
	l.xor(z, l.signBit(), turned)
	l.sel(l.below, turned, z, z)
	return z
}

func sigmoidValue(a *asm, x reg.VecVirtual) op { return a.logistic(x).value() }
func sigmoidSlope(a *asm, x reg.VecVirtual) op { return a.logistic(x).slope() }

func sigmoidBend(a *asm, x reg.VecVirtual) op {
	l := a.logistic(x)
	q := l.slope()
	a.mul(q, l.lean(), q)
	return q
}

func siluValue(a *asm, x reg.VecVirtual) op {
	s := a.logistic(x).value()
	a.mul(x, s, s)
	return s
}

// s + x s(1-s)
func siluSlope(a *asm, x reg.VecVirtual) op {
	l := a.logistic(x)
	s := l.value()
	a.fma(x, l.slope(), s)
	return s
}

// s(1-s) (2 + x(1-2s))
func siluBend(a *asm, x reg.VecVirtual) op {
	l := a.logistic(x)
	z := l.lean()
	a.horner(z, x, a.num(2))
	a.mul(z, l.slope(), z)
	return z
}

// geluParts returns x within the clamp, its square, and the sigmoid of
// w = 2 geluScale (x + geluCubic x^3).
func (a *asm) geluParts(x op) (at, square reg.VecVirtual, l logistic) {
	at, square = a.vec(), a.vec()
	a.max(a.number(-geluClamp), x, at)
	a.min(a.number(geluClamp), at, at)
	a.mul(at, at, square)
	w := a.number(2 * geluScale * geluCubic)
	a.horner(w, square, a.num(2*geluScale))
	a.mul(w, at, w)
	return at, square, a.logistic(w)
}

func geluValue(a *asm, x reg.VecVirtual) op {
	_, _, l := a.geluParts(x)
	s := l.value()
	a.mul(x, s, s)
	return s
}

// geluRise is dw/dx.
func (a *asm) geluRise(square op) reg.VecVirtual {
	d := a.number(6 * geluScale * geluCubic)
	a.horner(d, square, a.num(2*geluScale))
	return d
}

// s + x s(1-s) w'
func geluSlope(a *asm, x reg.VecVirtual) op {
	at, square, l := a.geluParts(x)
	d := a.geluRise(square)
	a.mul(d, at, d)
	s := l.value()
	a.fma(d, l.slope(), s)
	return s
}

// s(1-s) (2 w' + x (w” + (1-2s) w'^2)), where x w” = 12 geluScale geluCubic x^2
func geluBend(a *asm, x reg.VecVirtual) op {
	at, square, l := a.geluParts(x)
	d := a.geluRise(square)
	z := l.lean()
	a.mul(z, d, z)
	a.mul(z, at, z)
	a.add(z, a.num(2), z)
	a.mul(z, d, z)
	a.fma(square, a.number(12*geluScale*geluCubic), z)
	a.mul(z, l.slope(), z)
	return z
}

func seluValue(a *asm, x reg.VecVirtual) op {
	y, up := a.vec(), a.vec()
	a.mul(x, a.num(seluScale), up)
	above := a.cmp(greaterThan, x, a.number(0))
	a.min(a.number(0), x, y)
	a.max(a.number(-40), y, y) // where the result has long been -1
	m := a.expm1(y)
	a.mul(m, a.num(seluScale*seluAlpha), m)
	a.sel(above, up, m, m)
	return m
}

func (a *asm) seluDerivative(x op, above float64) op {
	y := a.vec()
	positive := a.cmp(greaterThan, x, a.number(0))
	a.min(a.number(0), x, y)
	e := a.exp(y)
	a.mul(e, a.num(seluScale*seluAlpha), e)
	a.sel(positive, a.number(above), e, e)
	return e
}

func seluSlope(a *asm, x reg.VecVirtual) op { return a.seluDerivative(x, seluScale) }
func seluBend(a *asm, x reg.VecVirtual) op  { return a.seluDerivative(x, 0) }
