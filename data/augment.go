package data

import "github.com/pkg/errors"

// An Augment changes pictures as a batch is filled: a random shift, which is a random crop of the picture with Pad black
// pixels around it, then a flip from left to right in half of the cases. Black is the byte 0, before normalisation. Neither
// takes memory.
//
// What happens to a sample depends on Seed, the epoch (Set.AtEpoch) and the sample's index only, not on batches or order.
// The zero value changes nothing.
type Augment struct {
	Pad  int // pixels, at most the smaller side; the usual 4 for CIFAR
	Flip bool
	Seed uint64
}

func (a Augment) changes() bool { return a.Pad > 0 || a.Flip }

// A view is what an Augment draws for a sample: pixel (row, column) comes from (row + down, column + right), columns being
// counted from the other side when flipped.
type view struct {
	down, right int // -Pad..Pad
	flipped     bool
}

func (a Augment) view(epoch, sample int) view {
	u := mix(mix(mix(a.Seed)+uint64(epoch)) + uint64(sample))
	side := uint64(2*a.Pad + 1)
	return view{
		down:    int(u>>32*side>>32) - a.Pad,
		right:   int(u>>1&(1<<31-1)*side>>31) - a.Pad,
		flipped: a.Flip && u&1 == 1,
	}
}

// mix is the output function of SplitMix64 after one step (Steele, Lea, Flood 2014, "Fast splittable pseudorandom number
// generators"): a bijection whose every output bit depends on every input bit.
func mix(u uint64) uint64 {
	u += 0x9e3779b97f4a7c15
	u = (u ^ u>>30) * 0xbf58476d1ce4e5b9
	u = (u ^ u>>27) * 0x94d049bb133111eb
	return u ^ u>>31
}

// Augmented is a source of pictures whose training part is augmented; the test part is as it was.
//
//	data.Augmented{Source: data.CIFAR10{}, By: data.Augment{Pad: 4, Flip: true, Seed: 1}}
type Augmented struct {
	Source Source
	By     Augment
}

// Load loads the source. Errors: those of the source; a set that is not of pictures; a Pad out of range.
func (a Augmented) Load() (train, test *Set, err error) {
	if a.Source == nil {
		return nil, nil, errors.New("data: Augmented: Source is missing: give the data set to augment")
	}
	train, test, err = a.Source.Load()
	if err != nil {
		return nil, nil, err
	}
	if train, err = train.Augmented(a.By); err != nil {
		return nil, nil, err
	}
	return train, test, nil
}

// Augmented returns the same samples, which Fill changes as a says for epoch 0; AtEpoch chooses another. Errors: a set that is
// not of pictures; a Pad out of range.
func (s *Set) Augmented(a Augment) (*Set, error) {
	if s.pixels == nil || s.shape == (Shape{}) {
		return nil, errors.Errorf("data: augment %q: these samples are not pictures of bytes: load it without Augment", s.Name)
	}
	if most := min(s.shape.Height, s.shape.Width); a.Pad < 0 || a.Pad > most {
		return nil, errors.Errorf("data: augment %q: Pad is %d: give 0..%d, pictures are %d x %d", s.Name, a.Pad, most,
			s.shape.Height, s.shape.Width)
	}
	changed := *s
	changed.augment = a
	return &changed, nil
}

// AtEpoch returns the set as Fill is to give it in an epoch: what an Augment draws differs from one to the next. A set without
// returns itself. It allocates once, not per batch. It panics when the epoch is negative.
func (s *Set) AtEpoch(epoch int) *Set {
	if epoch < 0 {
		panic("data: AtEpoch: negative epoch")
	}
	if !s.augment.changes() || s.epoch == epoch {
		return s
	}
	at := *s
	at.epoch = epoch
	return &at
}

// fillAugmented writes picture i as s.augment shows it.
func fillAugmented[T Float](s *Set, x []T, i int) {
	v := s.augment.view(s.epoch, s.first+i)
	pixels := row(s.pixels, s.in, i)
	channels, width := len(s.levels), s.shape.Width
	first, step := v.right, 1 // column that the left one shows, and the way from there
	if v.flipped {
		first, step = width-1+v.right, -1
	}
	for c := range channels {
		level := &s.levels[c]
		black := T(level[0])
		for h := range s.shape.Height {
			dst := row(x, width*channels, h)
			var src []uint8 // nil above and below the picture
			if from := h + v.down; from >= 0 && from < s.shape.Height {
				src = row(pixels, width*channels, from)
			}
			for j, at := c, first*channels+c; j < len(dst); j, at = j+channels, at+step*channels {
				if uint(at) < uint(len(src)) {
					dst[j] = T(level[src[at]])
				} else {
					dst[j] = black
				}
			}
		}
	}
}
