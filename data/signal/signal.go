// Package signal reads and writes what several sensors recorded of the same thing at the same time: sounds (WAV), pictures (PNG, JPEG),
// tables (CSV) and arrays of NumPy. A Signal is a matrix [samples, channels], row-major, with what is needed to write a file of the same
// kind again. Frames reads a stream without end, one sample of all channels at a time.
//
// What a file is, its first bytes say, not its name. What a header promises is held against the size of the file before memory is
// reserved. Errors say which file, where in it, and what to do.
//
// The reader of WAV is our own. github.com/go-audio/wav v1.1.0, which is pure Go too, returns the bits of floating-point samples as integers,
// fewer samples and no error of a file that is cut off, and the padding byte of a data chunk of odd length as a sample.
package signal

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/internal/file"
	"github.com/pcgraph/pcgraph/internal/words"
)

// A Kind is what a signal is.
type Kind int

// The kinds.
const (
	Sound   Kind = iota // WAV: a sample is an instant
	Picture             // PNG, JPEG: a channel is a picture, a sample a pixel, or one of its three colours
	Table               // CSV: a sample is a line, a channel a column
	Array               // NPY: [samples, channels], or one axis for one channel
)

// String is the kind in words.
func (k Kind) String() string {
	return [...]string{"sound", "picture", "table", "array"}[k]
}

// maxValues is the most numbers that a signal has: 2 GB of float64.
const maxValues = 1 << 28

// A Signal is samples of several channels.
type Signal struct {
	Kind     Kind
	Samples  int
	Channels int
	Values   []float64 // [Samples, Channels]; sounds in [-1, 1], pictures in [0, 1]
	Names    []string  // of the channels

	Rate     int      // of sounds, samples per second
	Encoding Encoding // of sounds, as they were written

	Width, Height int  // of pictures, in pixels
	Colours       int  // of pictures: 1 (grey) or 3; the samples are the pixels row by row, the three colours of a pixel one after the other
	Depth         int  // of pictures: bits per colour, 8 or 16
	JPEG          bool // pictures are JPEG files, else PNG

	Files   []data.File
	Guesses []data.Guess
}

// Read reads files that are one signal: a file of several channels, or several of one kind, rate and size, whose channels follow each other.
func Read(paths ...string) (*Signal, error) {
	if len(paths) == 0 {
		return nil, errors.New("signal: no files: give one with several channels, or several")
	}
	parts := make([]*Signal, len(paths))
	for i, path := range paths {
		var err error
		if parts[i], err = read(path); err != nil {
			return nil, err
		}
		if err := parts[i].fits(parts[0], paths[i], paths[0]); err != nil {
			return nil, err
		}
	}
	return joined(parts), nil
}

// read reads one file.
func read(path string) (*Signal, error) {
	f, size, err := file.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if size == 0 {
		return nil, errors.Errorf("%s: an empty file: give one with samples", words.Path(path))
	}
	head := make([]byte, 12)
	n, err := f.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return nil, errors.Wrap(err, words.Path(path))
	}
	head = head[:n]
	s := new(Signal)
	var info file.Info
	if reader := readerOf(head); reader != nil {
		info, err = file.ReadFrom(f, size, path, func(r io.Reader, size int64) error {
			if err := reader(s, r, size); err != nil {
				return err
			}
			_, err := io.Copy(io.Discard, r) // the checksum is that of the whole file
			return err
		})
	} else {
		info, err = s.readTable(f, size, path)
	}
	if err != nil {
		return nil, err
	}
	s.Files = []data.File{data.File(info)}
	s.name(strings.TrimSuffix(filepath.Base(path), filepath.Ext(path)))
	for i, v := range s.Values {
		if v-v != 0 {
			return nil, errors.Errorf("%s: %s of %s is %v: correct it, or leave that part out", words.Path(path), s.place(i/s.Channels), s.Names[i%s.Channels], v)
		}
	}
	return s, nil
}

// readerOf is the reader of what begins so; nil if it may be a table.
func readerOf(head []byte) func(s *Signal, r io.Reader, size int64) error {
	has := func(magic string) bool { return strings.HasPrefix(string(head), magic) }
	switch {
	case has("RIFF"), has("RIFX"), has("RF64"), has("BW64"):
		return (*Signal).readWAV
	case has("\x89PNG"), has("\xff\xd8\xff"):
		return (*Signal).readPicture
	case has("\x93NUMPY"):
		return (*Signal).readArray
	}
	for magic, what := range map[string]string{"fLaC": "FLAC", "OggS": "Ogg", "ID3": "MP3", "\xff\xfb": "MP3", "FORM": "AIFF", ".snd": "AU", "caff": "CAF"} {
		if has(magic) {
			return func(*Signal, io.Reader, int64) error {
				return errors.Errorf("a sound in the format %s, which is not read here: make a WAV file of it, as \"sox in out.wav\" or \"ffmpeg -i in out.wav\" does", what)
			}
		}
	}
	for magic, what := range map[string]string{"GIF8": "GIF", "BM": "BMP", "II*\x00": "TIFF", "MM\x00*": "TIFF", "P5": "PGM", "P6": "PPM"} {
		if has(magic) {
			return func(*Signal, io.Reader, int64) error {
				return errors.Errorf("a picture in the format %s, which is not read here: make a PNG file of it", what)
			}
		}
	}
	if has("PK\x03\x04") {
		return func(*Signal, io.Reader, int64) error {
			return errors.New("an archive (.npz or .zip): give one array, as numpy.save writes it (.npy)")
		}
	}
	return nil
}

// name names the channels of a file that has no names in it.
func (s *Signal) name(base string) {
	if s.Names != nil {
		return
	}
	base = words.Printable(base)
	for c := range s.Channels {
		if s.Channels == 1 {
			s.Names = append(s.Names, base)
		} else {
			s.Names = append(s.Names, fmt.Sprintf("%s %d", base, c+1))
		}
	}
}

// fits reports what keeps two files from being one signal.
func (s *Signal) fits(first *Signal, path, firstPath string) error {
	a, b := words.Path(path), words.Path(firstPath)
	switch {
	case s.Kind != first.Kind:
		return errors.Errorf("%s is a %s and %s a %s: give files of one kind", a, s.Kind, b, first.Kind)
	case s.Kind == Sound && s.Rate != first.Rate:
		return errors.Errorf("%s has %d samples per second and %s %d: give files of one rate, as \"sox in.wav -r %d out.wav\" makes them", a, s.Rate, b, first.Rate, first.Rate)
	case s.Kind == Picture && (s.Width != first.Width || s.Height != first.Height):
		return errors.Errorf("%s has %dx%d pixels and %s %dx%d: give pictures of one size", a, s.Width, s.Height, b, first.Width, first.Height)
	case s.Kind == Picture && s.Colours != first.Colours:
		return errors.Errorf("one of %s and %s is grey and the other in colours: give pictures of one kind", b, a)
	case s.Samples != first.Samples:
		advice := "give files that begin and end at the same time"
		if s.Kind == Sound {
			advice += ", as \"sox in.wav out.wav trim 0 SECONDS\" makes them"
		}
		return errors.Errorf("%s has %d samples and %s %d: %s", a, s.Samples, b, first.Samples, advice)
	}
	return nil
}

// joined is one signal of several that fit.
func joined(parts []*Signal) *Signal {
	if len(parts) == 1 {
		return parts[0]
	}
	s := *parts[0]
	s.Channels, s.Values, s.Names, s.Files, s.Guesses = 0, nil, nil, nil, nil
	for _, p := range parts {
		s.Channels += p.Channels
		s.Names, s.Files, s.Guesses = append(s.Names, p.Names...), append(s.Files, p.Files...), append(s.Guesses, p.Guesses...)
	}
	s.Values = make([]float64, s.Samples*s.Channels)
	at := 0
	for _, p := range parts {
		for i := range s.Samples {
			copy(s.Values[i*s.Channels+at:], p.Values[i*p.Channels:(i+1)*p.Channels])
		}
		at += p.Channels
	}
	return &s
}

// Channel copies one channel [Samples].
func (s *Signal) Channel(c int) []float64 {
	v := make([]float64, s.Samples)
	for i := range v {
		v[i] = s.Values[i*s.Channels+c]
	}
	return v
}

// guess notes what was taken where the file leaves it open.
func (s *Signal) guess(about, taken string, likely bool) {
	s.Guesses = append(s.Guesses, data.Guess{About: about, Taken: taken, Likely: likely})
}
