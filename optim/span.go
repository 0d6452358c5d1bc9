package optim

// A Span gives the weights w[Lo:Hi] a learning rate of their own: Factor times
// the optimiser's. Weights in no span have the factor 1; a factor 0 freezes.
//
// The spans of an optimiser are disjoint and in ascending order.
type Span struct {
	Lo, Hi int
	Factor float64
}

// walk visits the spans of w[lo:hi] and the gaps between them, in order, n being
// the length of w:
//
//	for s := over(spans, lo, hi, n); s.next(); {
//		// s.Lo, s.Hi, s.Factor
//	}
type walk struct {
	Span
	rest  []Span
	hi, n int
	end   int // of the last span looked at
}

func over(spans []Span, lo, hi, n int) walk {
	return walk{Span: Span{Hi: lo}, rest: spans, hi: hi, n: n}
}

func (w *walk) next() bool {
	lo := w.Hi
	if lo >= w.hi && lo < w.n {
		return false // what follows is another piece's
	}
	for len(w.rest) > 0 {
		s := w.rest[0]
		if s.Lo < w.end || s.Hi < s.Lo || s.Hi > w.n {
			panic(badSpans)
		}
		if s.Lo > lo {
			w.Span = Span{lo, min(s.Lo, w.hi), 1}
			return true
		}
		w.end, w.rest = s.Hi, w.rest[1:]
		if s.Hi > lo {
			w.Span = Span{lo, min(s.Hi, w.hi), s.Factor}
			return true
		}
	}
	w.Span = Span{lo, w.hi, 1}
	return lo < w.hi
}
