package signal

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/data/internal/table"
	"github.com/pcgraph/pcgraph/internal/file"
	"github.com/pcgraph/pcgraph/internal/npy"
	"github.com/pcgraph/pcgraph/internal/words"
)

// readArray reads an array of NumPy.
func (s *Signal) readArray(r io.Reader, size int64) error {
	a, err := npy.Read(r, size)
	if err != nil {
		return err
	}
	s.Kind, s.Samples, s.Channels, s.Values = Array, a.Dims[0], 1, a.Numbers()
	switch {
	case len(a.Dims) == 2:
		s.Channels = a.Dims[1]
	case len(a.Dims) != 1:
		return errors.Errorf("an array of shape %v: want [samples, channels], or [samples] for one channel", a.Dims)
	}
	if s.Samples < s.Channels {
		s.guess("axes", fmt.Sprintf("shape %v was read as [channels, samples], since there are more columns than rows", a.Dims), false)
		s.Samples, s.Channels = s.Channels, s.Samples
		t := make([]float64, len(s.Values))
		for i := range s.Samples {
			for c := range s.Channels {
				t[i*s.Channels+c] = s.Values[c*s.Samples+i]
			}
		}
		s.Values = t
	}
	return nil
}

// readTable reads a table, a line for each sample and a column for each channel. A column that rises evenly is taken for a time and left out.
func (s *Signal) readTable(f io.ReaderAt, size int64, path string) (file.Info, error) {
	sum := file.Sum(nil)
	t, err := table.Read(f, size, table.Options{NoTargets: true, Say: func(about, taken, _ string, likely bool) {
		if about != "columns" { // which counts the lines: see below
			s.guess(about, taken, likely)
		}
	}}, sum)
	if err != nil {
		return file.Info{}, errors.Wrap(err, words.Path(path))
	}
	values := t.Values
	if t.Values == nil {
		for _, b := range t.Bytes {
			values = append(values, float64(b))
		}
	}
	width := t.Inputs()
	var keep []int
	for c := range width {
		if width > 1 && evenly(values, c, width) {
			s.guess("time", t.InputName(c)+", which rises evenly, was taken for the time or a count of lines, and left out", false)
			continue
		}
		keep = append(keep, c)
	}
	s.Kind, s.Samples, s.Channels = Table, t.N, len(keep)
	if len(keep) == 0 {
		return file.Info{}, errors.Errorf("%s: every column rises evenly: give columns of samples", words.Path(path))
	}
	for _, c := range keep {
		name := t.InputName(c)
		if _, in, is := strings.Cut(name, " ("); is {
			name = strings.TrimSuffix(in, ")")
		}
		s.Names = append(s.Names, name)
	}
	for i := range t.N {
		for _, c := range keep {
			s.Values = append(s.Values, values[i*width+c])
		}
	}
	return file.Info{Path: path, Size: size, SHA256: sum.Hex()}, nil
}

// evenly reports whether column c of values [n, width] rises from line to line by the same, but for rounding.
func evenly(values []float64, c, width int) bool {
	n := len(values) / width
	if n < 10 {
		return false
	}
	first, last := values[c], values[(n-1)*width+c]
	step := (last - first) / float64(n-1)
	for i := range n {
		if !(step > 0) || math.Abs(values[i*width+c]-first-float64(i)*step) > .5*step {
			return false
		}
	}
	return true
}

// place is sample i in words.
func (s *Signal) place(i int) string {
	switch s.Kind {
	case Sound:
		return fmt.Sprintf("sample %d (at %.4g s)", i+1, float64(i)/float64(s.Rate))
	case Picture:
		i /= s.Colours
		return fmt.Sprintf("the pixel in row %d, column %d", i/s.Width+1, i%s.Width+1)
	}
	return fmt.Sprintf("sample %d", i+1)
}

// Ending ends the names of files of the signal's kind.
func (s *Signal) Ending() string {
	switch {
	case s.Kind == Sound:
		return ".wav"
	case s.Kind == Picture && s.JPEG:
		return ".jpg"
	case s.Kind == Picture:
		return ".png"
	case s.Kind == Table:
		return ".csv"
	}
	return ".npy"
}

// Write writes values [samples, channels] as a file of the signal's kind: of its rate and encoding, or size and colours. A picture has one
// channel. names head the columns of a table; nil for none. What does not fit the encoding is clipped: Fit before.
func (s *Signal) Write(w io.Writer, values []float64, channels int, names []string) error {
	if channels < 1 || len(values)%channels != 0 {
		return errors.Errorf("signal: write: %d numbers are no samples of %d channels", len(values), channels)
	}
	switch s.Kind {
	case Sound:
		return s.writeWAV(w, values, channels)
	case Picture:
		if channels != 1 || len(values) != s.Width*s.Height*s.Colours {
			return errors.Errorf("signal: write: %d numbers in %d channels are no picture of %dx%d pixels: want one channel", len(values), channels, s.Width, s.Height)
		}
		return s.writePicture(w, values)
	case Table:
		return writeTable(w, values, channels, names)
	}
	return npy.Write(w, []int{len(values) / channels, channels}, values)
}

// Fit scales a channel in place, such that it is written without clipping, and returns what it did: y = factor x + offset. A sound
// gets 0.9 of full scale at its peak, a picture has 0 at its darkest and 1 at its brightest point. Tables and arrays stay as they are.
func (s *Signal) Fit(channel []float64) (factor, offset float64) {
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, v := range channel {
		lo, hi = min(lo, v), max(hi, v)
	}
	factor = 1
	switch {
	case s.Kind == Sound && max(hi, -lo) > 0:
		factor = .9 / max(hi, -lo)
	case s.Kind == Picture && hi > lo:
		factor = 1 / (hi - lo)
		offset = -lo * factor
	}
	for i, v := range channel {
		channel[i] = factor*v + offset
	}
	return factor, offset
}

// writeTable writes a CSV file.
func writeTable(w io.Writer, values []float64, channels int, names []string) error {
	out := bufio.NewWriter(w)
	if names != nil {
		clean := strings.NewReplacer(",", " ", "\"", "'", "\n", " ", "\r", " ", "\x00", " ")
		head := make([]string, len(names))
		for i, name := range names {
			head[i] = clean.Replace(name)
		}
		out.WriteString(strings.Join(head, ",") + "\n")
	}
	var number []byte
	for i, v := range values {
		number = strconv.AppendFloat(number[:0], v, 'g', -1, 64)
		end := byte(',')
		if (i+1)%channels == 0 {
			end = '\n'
		}
		out.Write(append(number, end))
	}
	return out.Flush()
}

// WriteTable writes a matrix [rows, len(names)] as CSV with names as its first line.
func WriteTable(w io.Writer, values []float64, names []string) error {
	return writeTable(w, values, len(names), names)
}
