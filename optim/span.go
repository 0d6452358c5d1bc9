package optim

// A Span gives the weights w[Lo:Hi] a learning rate of their own: Factor times
// the optimiser's. Weights in no span have the factor 1; a factor 0 freezes.
//
// The spans of an optimiser are disjoint and in ascending order.
type Span struct {
	Lo, Hi int
	Factor float64
}

// walk visits the spans of w[:n] and the gaps between them, in order:
//
//	for s := (walk{rest: spans, n: n}); s.next(); {
//		// s.Lo, s.Hi, s.Factor
//	}
type walk struct {
	Span
	rest []Span
	n    int
}

func (w *walk) next() bool {
	lo := w.Hi
	if len(w.rest) == 0 {
		w.Span = Span{lo, w.n, 1}
		return lo < w.n
	}
	s := w.rest[0]
	if s.Lo < lo || s.Hi < s.Lo || s.Hi > w.n {
		panic(badSpans)
	}
	if s.Lo > lo {
		w.Span = Span{lo, s.Lo, 1}
		return true
	}
	w.Span, w.rest = s, w.rest[1:]
	return true
}
