// Package data gives supervised data sets as batches of numbers: MNIST and Fashion-MNIST from IDX files, and small tasks made
// from a seed (XOR, Moons, Spirals, Linear, Sine).
//
//	train, test, err := data.MNIST{}.Load()
//	batches := data.Batches{N: train.Len(), Size: 64, Seed: 1}
//	for step, indices := range batches.Epoch(0, 0) {
//		data.Fill(train, x[:len(indices)*train.In()], y[:len(indices)*train.Out()], indices)
//	}
//
// It is not for downloading (it reads what is on disk and says where it looked), not for augmentation, and not a queue: a
// batch is filled by whoever asks, into the caller's memory. A new data set is one new file with one Source in it.
package data

// Float is the element type of a filled batch.
type Float interface{ ~float32 | ~float64 }

// A Source is a data set that can be had: a description without memory. MNIST, FashionMNIST and the toy tasks are sources.
type Source interface {
	// Load reads or makes the training and the test part.
	Load() (train, test *Set, err error)
}

var (
	_ Source = MNIST{}
	_ Source = FashionMNIST{}
	_ Source = XOR{}
	_ Source = Moons{}
	_ Source = Spirals{}
	_ Source = Linear{}
	_ Source = Sine{}
)

// A Set is a supervised data set of Len samples: inputs [Len, In] and targets [Len, Out], the targets being one-hot classes or
// regression values. Images stay bytes in memory and become normalised numbers in Fill only, so MNIST trains from 47 MB and not
// 188 (float32) or 376 (float64). A Set does not change once made: any number of goroutines may read it.
type Set struct {
	Name  string // for reports: "MNIST train"
	Files []File // what was read to make it: images, labels; nil for a toy task

	n, in, out int

	// Inputs are either bytes or numbers.
	pixels []uint8        // [n, in], channels first
	shape  Shape          // of one row of pixels
	norms  []Norm         // one per channel
	levels [][256]float64 // per channel: norms[c].Apply of every byte, each computed once
	values []float64      // [n, in]

	// Targets are either classes or numbers.
	labels  []uint8   // [n], each < out
	targets []float64 // [n, out]
}

// A Shape says how a row of In pixels is a picture: row-major, channels first. The zero value means "not a picture".
type Shape struct{ Channels, Height, Width int }

// Len returns the number of samples.
func (s *Set) Len() int { return s.n }

// In returns the width of one input.
func (s *Set) In() int { return s.in }

// Out returns the width of one target: the number of classes, or of regression outputs.
func (s *Set) Out() int { return s.out }

// Classes returns the number of classes, 0 for regression.
func (s *Set) Classes() int {
	if s.labels == nil {
		return 0
	}
	return s.out
}

// Label returns the class of sample i, in 0..Classes-1. It panics when i is not a sample, and for regression.
func (s *Set) Label(i int) int {
	if s.labels == nil {
		panic("data: Label: a regression set has no labels")
	}
	return int(s.labels[i])
}

// Shape returns the picture that an input is; zero for sets that are not of pictures.
func (s *Set) Shape() Shape { return s.shape }

// Pixels returns the bytes of picture i as they were in the file, [channels, height, width]. They are the set's own memory and
// must not be changed. It panics for sets that are not of pictures.
func (s *Set) Pixels(i int) []uint8 {
	if s.pixels == nil {
		panic("data: Pixels: not a set of pictures")
	}
	return row(s.pixels, s.in, i)
}

// Norm returns how the pixels of a channel are normalised; its Pixel method leads back, for drawing what a network generates.
// It panics for sets that are not of pictures.
func (s *Set) Norm(channel int) Norm { return s.norms[channel] }

// Slice returns samples from..to-1 as a set over the same memory. It panics unless 0 <= from <= to <= Len.
func (s *Set) Slice(from, to int) *Set {
	if from < 0 || to < from || to > s.n {
		panic("data: Slice: bounds out of range")
	}
	part := *s
	part.n = to - from
	part.pixels = rows(s.pixels, s.in, from, to)
	part.values = rows(s.values, s.in, from, to)
	part.labels = rows(s.labels, 1, from, to)
	part.targets = rows(s.targets, s.out, from, to)
	return &part
}

// Fill writes samples idx into x [len(idx), In], normalised, and y [len(idx), Out], one-hot for classes. A nil x or y is left
// out. It allocates nothing; numbers are computed in float64 and rounded once. It panics when a length does not fit or an
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
	if s.pixels == nil {
		convert(x, row(s.values, s.in, i))
		return
	}
	area := s.shape.Height * s.shape.Width
	pixels := row(s.pixels, s.in, i)
	for c := range s.levels {
		level := &s.levels[c]
		dst := row(x, area, c)
		for j, v := range row(pixels, area, c) {
			dst[j] = T(level[v])
		}
	}
}

func fillTarget[T Float](s *Set, y []T, i int) {
	if s.labels == nil {
		convert(y, row(s.targets, s.out, i))
		return
	}
	clear(y)
	y[s.labels[i]] = 1
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
