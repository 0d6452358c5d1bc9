// Package data gives supervised data sets as batches of numbers: pictures from files (MNIST, FashionMNIST, CIFAR10, CIFAR100),
// text from any file (Corpus), a user's own numbers (Arrays in memory, NumPy and CSV files), and tasks made from a seed: small
// ones (XOR, Moons, Spirals, Linear, Sine), signals (MNIST1D), pictures (BarsAndStripes) and sequences (Copy, InContext).
//
//	train, test, err := data.MNIST{}.Load()
//	batches := data.Batches{N: train.Len(), Size: 64, Seed: 1}
//	for step, indices := range batches.Epoch(0, 0) {
//		data.Fill(train, x[:len(indices)*train.In()], y[:len(indices)*train.Out()], indices)
//	}
//
// It is not for downloading (it reads what is on disk and says where it looked) and not a queue: a batch is filled by whoever
// asks, into the caller's memory. A new data set is one new file with one Source in it.
package data

import "github.com/pcgraph/pcgraph/internal/kernel"

// Float is the element type of a filled batch.
type Float = kernel.Float

// A Source is a data set that can be had: a description without memory. Everything here that can be loaded is one.
type Source interface {
	// Load reads or makes the training and the test part.
	Load() (train, test *Set, err error)
}

var (
	_ Source = MNIST{}
	_ Source = FashionMNIST{}
	_ Source = CIFAR10{}
	_ Source = CIFAR100{}
	_ Source = Corpus{}
	_ Source = Arrays[float32]{}
	_ Source = NumPy{}
	_ Source = CSV{}
	_ Source = Copy{}
	_ Source = InContext{}
	_ Source = BarsAndStripes{}
	_ Source = MNIST1D{}
	_ Source = Augmented{}
	_ Source = XOR{}
	_ Source = Moons{}
	_ Source = Spirals{}
	_ Source = Linear{}
	_ Source = Sine{}
)

// A Set is a supervised data set of Len samples: inputs [Len, In] and targets [Len, Out], the targets being one-hot classes,
// one-hot classes of each token of a sequence, or regression values; InShape and OutShape say how a sample is laid out.
// Images stay bytes in memory and become normalised numbers in Fill only, so MNIST trains from 47 MB and not 188 (float32) or
// 376 (float64); the windows of a text share its characters. A Set does not change once made: any number of goroutines may
// read it.
type Set struct {
	Name  string // for reports: "MNIST train"
	Files []File // what was read to make it: images, labels; nil for a task made from a seed

	n, in, out int
	first      int // index of sample 0 in the set that this is a Slice of

	// Inputs are bytes, numbers or tokens.
	pixels []uint8        // [n, height, width, channels], or [n, in] of numbers that all are whole ones in 0..255
	shape  Shape          // of one row of pixels, or of values that are a picture
	norms  []Norm         // one per channel
	levels [][256]float64 // per channel, or per input: the number that every byte stands for, each computed once
	values []float64      // [n, in]
	scales []Scale        // what values were standardised by: one per input or, of pictures, per channel; nil if they were not
	steps  int            // rows of an input that is a sequence, [steps, in/steps]; 0 for others

	// Targets are classes, numbers or tokens.
	labels  []uint16  // [n], each < out
	classes []string  // names of the classes; nil where they are numbers
	targets []float64 // [n, out]
	units   []Scale   // what targets were standardised by, one per output; nil if they were not

	tokens *tokens // inputs and targets; nil for others

	guesses  []Guess
	encoding *Encoding // nil for data sets by name and from a seed

	augment Augment // of pictures, in Fill
	epoch   int     // that augment draws for
}

// A Shape says how a row of In pixels is a picture: row-major, channels last, [Height, Width, Channels]. The zero value means
// "not a picture".
type Shape struct{ Channels, Height, Width int }

// Len returns the number of samples.
func (s *Set) Len() int { return s.n }

// In returns the width of one input.
func (s *Set) In() int { return s.in }

// Out returns the width of one target: the number of classes, or of regression outputs.
func (s *Set) Out() int { return s.out }

// InShape returns the shape of one input, whose product is In: [Height, Width, Channels] of a picture, [steps, features] of a
// sequence, [In] of what has no further structure.
func (s *Set) InShape() []int {
	switch {
	case s.shape != Shape{}:
		return []int{s.shape.Height, s.shape.Width, s.shape.Channels}
	case s.steps > 0:
		return []int{s.steps, s.in / s.steps}
	}
	return []int{s.in}
}

// OutShape returns the shape of one target, whose product is Out: [steps, Classes] where every step of a sequence has a class
// of its own, so that a softmax belongs to the last axis; [Out] otherwise.
func (s *Set) OutShape() []int {
	if s.tokens != nil {
		return []int{s.tokens.steps, s.tokens.classes}
	}
	return []int{s.out}
}

// Classes returns the number of classes, of a sample or of each token, and 0 for regression.
func (s *Set) Classes() int {
	switch {
	case s.tokens != nil:
		return s.tokens.classes
	case s.labels != nil:
		return s.out
	}
	return 0
}

// Label returns the class of sample i, in 0..Classes-1. It panics when i is not a sample, for regression, and for sequences,
// which have a TokenLabel for each step.
func (s *Set) Label(i int) int {
	if s.labels == nil {
		panic("data: Label: the samples of this set have no single label")
	}
	return int(s.labels[i])
}

// ClassNames returns what the classes are called, in order; nil where they have no names but numbers. It is the set's own
// memory and must not be changed.
func (s *Set) ClassNames() []string { return s.classes }

// Scored returns which labels of a sample count for accuracy, TokenLabel(i, from..to-1): the only one of a classification,
// the steps of a sequence that ask for something, none (0, 0) of a regression.
func (s *Set) Scored() (from, to int) {
	switch {
	case s.tokens != nil:
		return s.tokens.scored, s.tokens.steps
	case s.labels != nil:
		return 0, 1
	}
	return 0, 0
}

// TokenLabel returns the class of step t of the target of sample i; where a sample has one label, that is step 0. It panics
// when i is not a sample or t not a step, and for regression.
func (s *Set) TokenLabel(i, t int) int {
	if s.tokens == nil {
		if t != 0 {
			panic("data: TokenLabel: step is not in the target")
		}
		return s.Label(i)
	}
	if i < 0 || i >= s.n {
		panic("data: TokenLabel: index is not a sample")
	}
	return int(s.tokens.row(s.tokens.target, s.first+i)[t])
}

// Vocabulary returns what the classes of a text's characters mean; nil for sets that are not of text. It is
// the set's own memory and must not be changed.
func (s *Set) Vocabulary() Vocabulary {
	if s.tokens == nil {
		return nil
	}
	return s.tokens.vocabulary
}

// Shape returns the picture that an input is; zero for sets that are not of pictures.
func (s *Set) Shape() Shape { return s.shape }

// Pixels returns the bytes of picture i as in the file, laid out [height, width, channels]; an Augment does not show here. They are
// the set's own memory and must not be changed. Of pictures that are numbers, not bytes, it makes them: Norm(c).Pixel of each. It
// panics for sets that are not of pictures.
func (s *Set) Pixels(i int) []uint8 {
	switch {
	case s.shape == Shape{}:
		panic("data: Pixels: not a set of pictures")
	case s.pixels != nil:
		return row(s.pixels, s.in, i)
	}
	pixels := make([]uint8, s.in)
	for j, v := range row(s.values, s.in, i) {
		pixels[j] = s.norms[j%len(s.norms)].Pixel(v)
	}
	return pixels
}

// Norm returns how the pixels of a channel are normalised; its Pixel method leads back, for drawing what a network generates.
// Where pictures are numbers, not bytes, byte 0 stands for the smallest number of the training set and 255 for the largest. It
// panics for sets that are not of pictures.
func (s *Set) Norm(channel int) Norm { return s.norms[channel] }

// Scales returns what the inputs were standardised by, one Scale for each input or, where they are pictures, for each channel:
// what a trained network wants to be fed is Apply of new inputs. It is nil for inputs that are as they were, and for bytes, which
// have a Norm. It is the set's own memory and must not be changed.
func (s *Set) Scales() []Scale { return s.scales }

// TargetScales returns what the targets of a regression were standardised by, one Scale for each output: Invert of what a network
// predicts is in the units of the data. It is nil for targets that are as they were. It is the set's own memory and must not be
// changed.
func (s *Set) TargetScales() []Scale { return s.units }

// Slice returns samples from..to-1 as a set over the same memory. It panics unless 0 <= from <= to <= Len.
func (s *Set) Slice(from, to int) *Set {
	if from < 0 || to < from || to > s.n {
		panic("data: Slice: bounds out of range")
	}
	part := *s
	part.n = to - from
	part.first += from
	part.pixels = rows(s.pixels, s.in, from, to)
	part.values = rows(s.values, s.in, from, to)
	part.labels = rows(s.labels, 1, from, to)
	part.targets = rows(s.targets, s.out, from, to)
	return &part
}

// Fill writes samples idx into x [len(idx), In], pictures normalised, and y [len(idx), Out], one-hot for classes. A nil x or
// y is left out. It allocates nothing; numbers are computed in float64 and rounded once. It panics when a length does not fit or an
// index is not a sample.
func Fill[T Float](s *Set, x, y []T, idx []int) {
	if x != nil && len(x) != len(idx)*s.in {
		panic("data: Fill: len(x) is not len(idx) * In")
	}
	if y != nil && len(y) != len(idx)*s.out {
		panic("data: Fill: len(y) is not len(idx) * Out")
	}
	for k, i := range idx {
		if i < 0 || i >= s.n {
			panic("data: Fill: index is not a sample")
		}
		if x != nil {
			fillInput(s, row(x, s.in, k), i)
		}
		if y != nil {
			fillTarget(s, row(y, s.out, k), i)
		}
	}
}

func fillInput[T Float](s *Set, x []T, i int) {
	switch {
	case s.tokens != nil:
		fillTokens(s.tokens, x, s.first+i)
	case s.pixels == nil:
		convert(x, row(s.values, s.in, i))
	case s.augment.changes():
		fillAugmented(s, x, i)
	case len(s.levels) == 1: // as below, faster
		level := &s.levels[0]
		for j, v := range row(s.pixels, s.in, i) {
			x[j] = T(level[v])
		}
	default:
		pixels := row(s.pixels, s.in, i)
		for c := range s.levels {
			level := &s.levels[c]
			for j := c; j < len(x); j += len(s.levels) {
				x[j] = T(level[pixels[j]])
			}
		}
	}
}

func fillTarget[T Float](s *Set, y []T, i int) {
	switch {
	case s.tokens != nil:
		oneHot(y, s.tokens.row(s.tokens.target, s.first+i), s.tokens.classes)
	case s.labels == nil:
		convert(y, row(s.targets, s.out, i))
	default:
		clear(y)
		y[s.labels[i]] = 1
	}
}

func convert[T Float](dst []T, src []float64) {
	for j, v := range src {
		dst[j] = T(v)
	}
}

// row returns row i of a [n, width]; its capacity ends with it.
func row[E any](a []E, width, i int) []E { return a[i*width : (i+1)*width : (i+1)*width] }

// rows returns rows from..to-1 of a [n, width]; nil stays nil, which is what tells the kinds of sets apart.
func rows[E any](a []E, width, from, to int) []E {
	if a == nil {
		return nil
	}
	return a[from*width : to*width : to*width]
}
