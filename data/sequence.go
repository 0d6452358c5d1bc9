package data

import "github.com/pkg/errors"

// A Coding says how the tokens of an input become numbers. Targets are one-hot always.
type Coding int

const (
	OneHot  Coding = iota // [steps, classes]: a row of zeros with a one at the token
	Indices               // [steps]: the number of the token, for layers that look it up
)

func (c Coding) validate() error {
	if c != OneHot && c != Indices {
		return errors.Errorf("Coding is %d: give OneHot or Indices", int(c))
	}
	return nil
}

// tokens are inputs and targets that are sequences over one alphabet. Sample i begins at i * stride, so the windows of a text
// share its characters.
type tokens struct {
	input, target []uint16 // each < classes
	steps, stride int
	classes       int
	scored        int // first step whose target counts for accuracy
	coding        Coding
	vocabulary    Vocabulary // of text; nil for others
}

// maxAlphabet bounds the classes of a token: they are kept in 16 bits.
const maxAlphabet = 1 << 16

// set makes the set of n samples of t.
func (t tokens) set(name string, n int) *Set {
	s := &Set{Name: name, n: n, in: t.steps * t.classes, out: t.steps * t.classes, steps: t.steps, tokens: &t}
	if t.coding == Indices {
		s.in, s.steps = t.steps, 0
	}
	return s
}

// row returns the steps of sample i in ids, which is input or target.
func (t *tokens) row(ids []uint16, i int) []uint16 {
	return ids[i*t.stride : i*t.stride+t.steps : i*t.stride+t.steps]
}

func fillTokens[T Float](t *tokens, x []T, i int) {
	ids := t.row(t.input, i)
	if t.coding == OneHot {
		oneHot(x, ids, t.classes)
		return
	}
	for k, id := range ids {
		x[k] = T(id)
	}
}

// oneHot writes rows [len(ids), classes].
func oneHot[T Float](dst []T, ids []uint16, classes int) {
	clear(dst)
	for k, id := range ids {
		dst[k*classes+int(id)] = 1
	}
}
