package data

import "github.com/pkg/errors"

// BarsAndStripes is pictures of Side x Side black and white pixels: class 0, bars, has columns that are white throughout or
// black throughout, class 1, stripes, such rows. Each of the 2^Side - 2 patterns of a class is equally likely; all black and
// all white, which are both, do not occur. White is 1, black 0. [Side, Side, 1] -> 2 classes in turn.
//
// There are few pictures when Side is small: then the test part has samples of the training part.
type BarsAndStripes struct {
	Side        int     // pixels, 2..4096; 0 means 4
	Train, Test int     // samples; 0 means 1000 and 200
	Flips       float64 // probability that a pixel is inverted, at most 0.5; 0 means clean pictures
	Seed        uint64
}

// Load makes both parts. Errors: options that are negative, not finite or absurdly large.
func (b BarsAndStripes) Load() (train, test *Set, err error) {
	if err := b.validate(); err != nil {
		return nil, nil, errors.Wrap(err, "data: BarsAndStripes")
	}
	return b.part("BarsAndStripes train", or(b.Train, toyTrain), trainStream),
		b.part("BarsAndStripes test", or(b.Test, toyTest), testStream), nil
}

func (b BarsAndStripes) validate() error {
	if err := within("Side", b.Side, 2, 1<<12); err != nil {
		return err
	}
	if !(b.Flips >= 0 && b.Flips <= 0.5) {
		return errors.Errorf("Flips is %v: give a probability in [0, 0.5]", b.Flips)
	}
	side := or(b.Side, 4)
	if err := within("Train", b.Train, 0, maxToyValues/(side*side)); err != nil {
		return err
	}
	return within("Test", b.Test, 0, maxToyValues/(side*side))
}

func (b BarsAndStripes) part(name string, n int, from stream) *Set {
	const white = 255
	side := or(b.Side, 4)
	norm := Norm{Mean: 0, Std: 1}
	s := &Set{Name: name, n: n, in: side * side, out: 2, shape: Shape{Channels: 1, Height: side, Width: side},
		norms: []Norm{norm}, levels: [][256]float64{norm.table()}, pixels: make([]uint8, n*side*side), labels: make([]uint16, n)}
	r := from.generator(b.Seed)
	line := make([]uint8, side)
	for i := range n {
		for whites := 0; whites == 0 || whites == side; { // until it is not uniform
			whites = 0
			for k := range line {
				bit := int(r.Uint64() >> 63)
				line[k], whites = uint8(bit*white), whites+bit
			}
		}
		s.labels[i] = uint16(i % 2)
		picture := row(s.pixels, s.in, i)
		for j := range picture {
			at := j % side // the column
			if s.labels[i] == 1 {
				at = j / side
			}
			picture[j] = line[at]
			if b.Flips > 0 && r.Float64() < b.Flips {
				picture[j] = white - picture[j]
			}
		}
	}
	return s
}
