package graph

import (
	"fmt"
	"math"

	"github.com/pkg/errors"
	"gorgonia.org/tensor"

	"github.com/pcgraph/pcgraph/internal/kernel"
)

// Attention is multi-head attention of tokens to each other. Of qkv [batch, t, 3 n], queries, keys and values side by side,
// head h has the features [h d, (h+1) d) of each, d = n/heads, and gives those of the result [batch, t, n]:
//
//	softmax(scale q k^T) v
//
// Causal lets a token see itself and those before it. Padding [batch, t], nil for none, says which tokens are seen by none:
// those where it is positive. A token that sees none gives zeros. Logits of any finite size are safe.
func (b *Builder) Attention(qkv, padding *Node, heads int, scale float64, causal bool) *Node {
	o := attention{multiHead{heads: heads, scale: scale, causal: causal, masked: padding != nil}}
	if padding == nil {
		return b.add(o, qkv)
	}
	return b.add(o, qkv, padding)
}

// multiHead is how tokens attend to each other (Vaswani et al. 2017). The operand holds queries, keys and values side by
// side, [batch, t, 3 n], each of them divided into heads of d = n/heads features; of one head,
//
//	out = P v,  P = softmax(scale q k^T)
//
// by rows. Causal lets a token see itself and those before it. With masked, a mask [batch, t] says which tokens are seen by
// none: those where it is positive. A token that sees none gives zeros.
type multiHead struct {
	heads  int
	scale  float64
	causal bool
	masked bool
}

func (o multiHead) params() string {
	return fmt.Sprintf("(heads=%d scale=%v causal=%t masked=%t)", o.heads, o.scale, o.causal, o.masked)
}

// rule checks the operands, those after the first being of the widths given in thirds of the first.
func (o multiHead) rule(in []tensor.Shape, thirds ...int) error {
	x := in[0]
	if x.Dims() != 3 || x[2]%3 != 0 {
		return errors.Errorf("attention on shape %v: want queries, keys and values side by side, [batch, tokens, 3 width]", x)
	}
	n := x[2] / 3
	if o.heads < 1 || n%o.heads != 0 {
		return errors.Errorf("attention of %d heads on a width of %d: the heads must divide the width", o.heads, n)
	}
	if math.IsNaN(o.scale) || math.IsInf(o.scale, 0) {
		return errors.Errorf("attention with scale %v: want a finite number", o.scale)
	}
	for i, k := range thirds {
		if want := (tensor.Shape{x[0], x[1], k * n}); !in[i+1].Eq(want) {
			return errors.Errorf("gradient of attention on %v: operand %d has shape %v, want %v", x, i+1, in[i+1], want)
		}
	}
	if !o.masked {
		return nil
	}
	if m := in[len(in)-1]; !m.Eq(x[:2]) {
		return errors.Errorf("attention on %v with a mask of shape %v: want one number per token, %v", x, m, x[:2])
	}
	return nil
}

// result is the shape with so many thirds of the operand's features.
func (o multiHead) result(in []tensor.Shape, thirds int) tensor.Shape {
	return tensor.Shape{in[0][0], in[0][1], in[0][2] / 3 * thirds}
}

// flops of a number of products with all tokens' matrices.
func (o multiHead) flops(in []tensor.Shape, products int) float64 {
	b, t, n := in[0][0], in[0][1], in[0][2]/3
	return float64(b) * float64(t) * float64(t) * float64(2*products*n+20*o.heads)
}

// matrices is the room of a number of matrices [t, t].
func (o multiHead) matrices(in []tensor.Shape, n int) int { return n * in[0][1] * in[0][1] }

// with lists the operands of another operation on the same tokens, the mask last.
func (o multiHead) with(in []*Node, more ...*Node) []*Node {
	kids := append([]*Node{in[0]}, more...)
	if o.masked {
		kids = append(kids, in[len(in)-1])
	}
	return kids
}

// gradients is gradients of the rules, with an error where that of the mask is wanted.
func (o multiHead) gradients(want []bool, rules ...func() (*Node, error)) ([]*Node, error) {
	if o.masked {
		rules = append(rules, func() (*Node, error) {
			return nil, errors.New("graph: attention has no gradient with respect to its mask: clamp it")
		})
	}
	return gradients(want, rules...)
}

// attention is the value; attentionGrad is J^T g of the tokens and g, with J its Jacobian; attentionSlope is J v; and
// attentionHess, of the tokens, g and v, is the gradient of g^T J v with respect to the tokens.
type (
	attention      struct{ multiHead }
	attentionGrad  struct{ multiHead }
	attentionSlope struct{ multiHead }
	attentionHess  struct{ multiHead }
)

func (o attention) String() string      { return "attention" + o.params() }
func (o attentionGrad) String() string  { return "attentionGrad" + o.params() }
func (o attentionSlope) String() string { return "attentionSlope" + o.params() }
func (o attentionHess) String() string  { return "attentionHess" + o.params() }

func (o attention) shape(in []tensor.Shape) (tensor.Shape, error) {
	if err := o.rule(in); err != nil {
		return nil, err
	}
	return o.result(in, 1), nil
}

func (o attentionGrad) shape(in []tensor.Shape) (tensor.Shape, error) {
	if err := o.rule(in, 1); err != nil {
		return nil, err
	}
	return o.result(in, 3), nil
}

func (o attentionSlope) shape(in []tensor.Shape) (tensor.Shape, error) {
	if err := o.rule(in, 3); err != nil {
		return nil, err
	}
	return o.result(in, 1), nil
}

func (o attentionHess) shape(in []tensor.Shape) (tensor.Shape, error) {
	if err := o.rule(in, 1, 3); err != nil {
		return nil, err
	}
	return o.result(in, 3), nil
}

func (o attention) split(batched []bool) split      { return elementwise(batched) }
func (o attentionGrad) split(batched []bool) split  { return elementwise(batched) }
func (o attentionSlope) split(batched []bool) split { return elementwise(batched) }
func (o attentionHess) split(batched []bool) split  { return elementwise(batched) }

func (o attention) room(in []tensor.Shape) int      { return o.matrices(in, 1) }
func (o attentionGrad) room(in []tensor.Shape) int  { return o.matrices(in, 2) }
func (o attentionSlope) room(in []tensor.Shape) int { return o.matrices(in, 2) }
func (o attentionHess) room(in []tensor.Shape) int  { return o.matrices(in, 4) }

func (o attention) work(in []tensor.Shape) float64      { return o.flops(in, 2) }
func (o attentionGrad) work(in []tensor.Shape) float64  { return o.flops(in, 5) }
func (o attentionSlope) work(in []tensor.Shape) float64 { return o.flops(in, 5) }
func (o attentionHess) work(in []tensor.Shape) float64  { return o.flops(in, 10) }

func (o attention) diff(in []*Node, _, g *Node, want []bool) ([]*Node, error) {
	return o.gradients(want,
		func() (*Node, error) {
			base, c := unscale(g)
			return scaledOp(c, attentionGrad(o), o.with(in, base)...)
		})
}

func (o attentionGrad) diff(in []*Node, _, g *Node, want []bool) ([]*Node, error) {
	return o.gradients(want,
		func() (*Node, error) { return apply("", attentionHess(o), o.with(in, in[1], g)...) },
		func() (*Node, error) { return apply("", attentionSlope(o), o.with(in, g)...) })
}

func (o attentionSlope) diff(in []*Node, _, g *Node, want []bool) ([]*Node, error) {
	return o.gradients(want,
		func() (*Node, error) { return apply("", attentionHess(o), o.with(in, g, in[1])...) },
		func() (*Node, error) { return apply("", attentionGrad(o), o.with(in, g)...) })
}

func (o attentionHess) diff([]*Node, *Node, *Node, []bool) ([]*Node, error) {
	return nil, errors.New("graph: third derivatives of attention are not provided")
}

func (o attention) f32(c *call[float32])      { runAttention(o, c) }
func (o attention) f64(c *call[float64])      { runAttention(o, c) }
func (o attentionGrad) f32(c *call[float32])  { runAttentionGrad(o, c) }
func (o attentionGrad) f64(c *call[float64])  { runAttentionGrad(o, c) }
func (o attentionSlope) f32(c *call[float32]) { runAttentionSlope(o, c) }
func (o attentionSlope) f64(c *call[float64]) { runAttentionSlope(o, c) }
func (o attentionHess) f32(c *call[float32])  { runAttentionHess(o, c) }
func (o attentionHess) f64(c *call[float64])  { runAttentionHess(o, c) }

// A seq is the tokens of one sample with what one head sees of them: matrices [t, d] within rows of 3 n.
type seq[T Float] struct {
	multiHead
	t, n, d int
	mask    []T // [t], or nil
}

// eachHead calls f for the heads of all samples with the places where the head's queries start in an operand of 3 n
// features and where its part starts in one of n features.
func eachHead[T Float](o multiHead, c *call[T], f func(s seq[T], at3, at1 int)) {
	s := seq[T]{multiHead: o, t: c.shapes[0][1], n: c.shapes[0][2] / 3}
	s.d = s.n / o.heads
	var mask []T
	if o.masked {
		mask = piece(c, len(c.src)-1)
	}
	for i := range c.rows() {
		if o.masked {
			s.mask = mask[i*s.t : (i+1)*s.t]
		}
		for h := range o.heads {
			f(s, i*s.t*3*s.n+h*s.d, i*s.t*s.n+h*s.d)
		}
	}
}

// causalBlock is the tokens that a product of causal attention takes at a time: what none of them sees is left out.
// Within a block, numbers that come too late are zero, or computed and not read.
const causalBlock = 32

// block is the size of the blocks that products are done in.
func (s seq[T]) block() int {
	if s.causal {
		return causalBlock
	}
	return s.t
}

// dots computes dst = c a b^T + beta dst, [t, t], of matrices [t, d] whose rows are lda and ldb apart: what a token sees
// of it.
func (s seq[T]) dots(dst []T, c float64, a []T, lda int, b []T, ldb int, beta T) {
	for lo := 0; lo < s.t; lo += s.block() { // of b; tokens from lo on see them
		n := min(s.block(), s.t-lo)
		kernel.Gemm(false, true, s.t-lo, n, s.d, T(c), a[lo*lda:], lda, b[lo*ldb:], ldb, beta, dst[lo*s.t+lo:], s.t)
	}
}

// scores computes dst = scale q k^T + beta dst of the queries and keys of two operands.
func (s seq[T]) scores(dst, q, k []T, beta T) { s.dots(dst, s.scale, q, 3*s.n, k, 3*s.n, beta) }

// attend computes P of one head of x into p.
func (s seq[T]) attend(p, x []T) {
	s.scores(p, x, x[s.n:], 0)
	if s.mask == nil {
		first, grow := s.sees()
		kernel.SoftmaxRows(p, p, s.t, first, grow)
		return
	}
	for i := range s.t {
		seen, rest := s.row(p, i)
		clear(rest)
		maskedSoftmax(seen, s.mask)
	}
}

// sees says how many tokens the first one sees, and how many more each following one.
func (s seq[T]) sees() (first, grow int) {
	if s.causal {
		return 1, 1
	}
	return s.t, 0
}

// row is row i of a matrix [t, t], divided into the tokens that token i may see and those that come too late for it.
func (s seq[T]) row(a []T, i int) (seen, rest []T) {
	first, grow := s.sees()
	r := a[i*s.t : (i+1)*s.t]
	return r[:first+i*grow], r[first+i*grow:]
}

// maskedSoftmax is the softmax of x without the places where mask is positive, which get zero.
func maskedSoftmax[T Float](x, mask []T) {
	first := -1
	for j := range x {
		if !(mask[j] > 0) {
			first = j
			break
		}
	}
	if first < 0 {
		clear(x)
		return
	}
	for j := range x { // a hidden number counts as one that is seen, until it is cleared
		if mask[j] > 0 {
			x[j] = x[first]
		}
	}
	kernel.Softmax(x, x)
	for j := range x {
		if mask[j] > 0 {
			x[j] = 0
		}
	}
	kernel.Scale(x, x, T(1/kernel.Sum(x)))
}

// back turns the gradient a of P into the gradient of the scores: by rows, p (a - p . a).
func (s seq[T]) back(dst, p, a []T) {
	first, grow := s.sees()
	kernel.SoftmaxBackRows(dst, p, a, s.t, first, grow)
}

// full computes dst = c a x + beta dst, or with the transpose of a, of a matrix [t, t] that is zero where tokens come too
// late, and matrices [t, d] whose rows are ldx and ldd apart.
func (s seq[T]) full(transA bool, dst []T, ldd int, c float64, a, x []T, ldx int, beta T) {
	for lo := 0; lo < s.t; lo += s.block() { // of dst
		hi := min(lo+s.block(), s.t)
		switch {
		case !s.causal:
			kernel.Gemm(transA, false, s.t, s.d, s.t, T(c), a, s.t, x, ldx, beta, dst, ldd)
		case transA: // tokens from lo on see them
			kernel.Gemm(true, false, hi-lo, s.d, s.t-lo, T(c), a[lo*s.t+lo:], s.t, x[lo*ldx:], ldx, beta, dst[lo*ldd:], ldd)
		default: // they see those before hi
			kernel.Gemm(false, false, hi-lo, s.d, hi, T(c), a[lo*s.t:], s.t, x, ldx, beta, dst[lo*ldd:], ldd)
		}
	}
}

func runAttention[T Float](o attention, c *call[T]) {
	x := piece(c, 0)
	eachHead(o.multiHead, c, func(s seq[T], at3, at1 int) {
		x, p := x[at3:], c.room[:s.t*s.t]
		s.attend(p, x)
		s.full(false, c.dst[at1:], s.n, 1, p, x[2*s.n:], 3*s.n, 0)
	})
}

// runAttentionGrad: with A = g v^T the gradient of P and D that of the scores,
//
//	dv = P^T g,  dq = scale D k,  dk = scale D^T q
func runAttentionGrad[T Float](o attentionGrad, c *call[T]) {
	if c.srcZero[1] {
		c.markZero()
		return
	}
	x, g := piece(c, 0), piece(c, 1)
	eachHead(o.multiHead, c, func(s seq[T], at3, at1 int) {
		x, g, dst, w, tt := x[at3:], g[at1:], c.dst[at3:], 3*s.n, s.t*s.t
		p, a := c.room[:tt], c.room[tt:2*tt]
		s.attend(p, x)
		s.full(true, dst[2*s.n:], w, 1, p, g, s.n, 0)
		s.dots(a, 1, g, s.n, x[2*s.n:], w, 0)
		s.back(a, p, a)
		s.full(false, dst, w, s.scale, a, x[s.n:], w, 0)
		s.full(true, dst[s.n:], w, s.scale, a, x, w, 0)
	})
}

// slope computes the scores' change by v, S' = scale (q' k^T + q k'^T).
func (s seq[T]) slope(dst, x, v []T) {
	s.scores(dst, v, x[s.n:], 0)
	s.scores(dst, x, v[s.n:], 1)
}

// runAttentionSlope: out' = P' v + P v', with P' = P (S' - P . S') by rows.
func runAttentionSlope[T Float](o attentionSlope, c *call[T]) {
	x, v := piece(c, 0), piece(c, 1)
	eachHead(o.multiHead, c, func(s seq[T], at3, at1 int) {
		x, v, dst, w, tt := x[at3:], v[at3:], c.dst[at1:], 3*s.n, s.t*s.t
		p, ds := c.room[:tt], c.room[tt:2*tt]
		s.attend(p, x)
		s.slope(ds, x, v)
		s.back(ds, p, ds)
		s.full(false, dst, s.n, 1, ds, x[2*s.n:], w, 0)
		s.full(false, dst, s.n, 1, p, v[2*s.n:], w, 1)
	})
}

// runAttentionHess differentiates f = <A, P'> + <A', P> with A = g v^T, A' = g v'^T and P' as above. By v through A it
// is P'^T g. By S', D = P (A - P . A). By P it is
//
//	M = A (S' - P . S') - (P . A) S' + A'
//
// which goes back through the softmax to the scores like any gradient of P.
func runAttentionHess[T Float](o attentionHess, c *call[T]) {
	x, g, v := piece(c, 0), piece(c, 1), piece(c, 2)
	eachHead(o.multiHead, c, func(s seq[T], at3, at1 int) {
		x, g, v, dst, w, tt := x[at3:], g[at1:], v[at3:], c.dst[at3:], 3*s.n, s.t*s.t
		p, ds, a, m := c.room[:tt], c.room[tt:2*tt], c.room[2*tt:3*tt], c.room[3*tt:4*tt]
		s.attend(p, x)
		s.slope(ds, x, v)
		s.dots(a, 1, g, s.n, x[2*s.n:], w, 0)

		s.back(m, p, ds)
		s.full(true, dst[2*s.n:], w, 1, m, g, s.n, 0)
		s.back(m, p, a)
		s.full(false, dst, w, s.scale, m, v[s.n:], w, 0)
		s.full(true, dst[s.n:], w, s.scale, m, v, w, 0)

		s.dots(m, 1, g, s.n, v[2*s.n:], w, 0)
		for i := range s.t {
			pi, _ := s.row(p, i)
			ai, _ := s.row(a, i)
			si, _ := s.row(ds, i)
			mi, _ := s.row(m, i)
			r, q := T(kernel.Dot(pi, si)), T(kernel.Dot(pi, ai))
			for j := range mi {
				mi[j] += T(ai[j]*(si[j]-r)) - T(q*si[j])
			}
		}
		s.back(m, p, m)
		s.full(false, dst, w, s.scale, m, x[s.n:], w, 1)
		s.full(true, dst[s.n:], w, s.scale, m, x, w, 1)
	})
}
