package optim

import "fmt"

// A Span gives the weights w[Lo:Hi] numbers of their own: factors of those of the
// optimiser. Weights in no span have the factors 1.
//
// The spans of an optimiser are disjoint and in ascending order.
type Span struct {
	Lo, Hi  int
	Factor  float64 // of the learning rate; 0 freezes
	Eps     float64 // of Adam's and AdamW's Eps; 0 means 1
	Decay   float64 // of the optimiser's Decay, where it has one; 0 means 1
	NoDecay bool    // these weights are not decayed: biases, gains, precisions
}

// decay is the span's factor of the decay.
func (s Span) decay() float64 {
	if s.NoDecay {
		return 0
	}
	return orElse(s.Decay, 1)
}

// walk visits the spans of w[lo:hi] and the gaps between them, in order, n being
// the length of w:
//
//	for s := over(spans, lo, hi, n); s.next(); {
//		// s.Lo, s.Hi and the factors
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
			panic(fmt.Sprintf("optim: span [%d:%d] after [:%d] of %d weights: spans must be in ascending order, disjoint, and end within the weights", s.Lo, s.Hi, w.end, w.n))
		}
		if s.Lo > lo {
			w.Span = Span{Lo: lo, Hi: min(s.Lo, w.hi), Factor: 1}
			return true
		}
		w.end, w.rest = s.Hi, w.rest[1:]
		if s.Hi > lo {
			w.Span = s
			w.Lo, w.Hi = lo, min(s.Hi, w.hi)
			return true
		}
	}
	w.Span = Span{Lo: lo, Hi: w.hi, Factor: 1}
	return lo < w.hi
}
