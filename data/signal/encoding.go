package signal

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"math"
	"strings"

	"github.com/pkg/errors"
)

// An Encoding is how the numbers of a sound are written. All are little-endian. It is a flag's value (encoding.TextUnmarshaler).
type Encoding int

// The encodings: signed integers, of which full scale is 1, and IEEE numbers.
const (
	PCM16   Encoding = iota // s16le
	PCM24                   // s24le
	PCM32                   // s32le
	Float32                 // f32le
	Float64                 // f64le
)

// encodingNames are the names that sox and ffmpeg use.
var encodingNames = []string{"s16le", "s24le", "s32le", "f32le", "f64le"}

// String is the name that ffmpeg uses: s16le, s24le, s32le, f32le or f64le.
func (e Encoding) String() string { return encodingNames[e] }

// MarshalText is String.
func (e Encoding) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// UnmarshalText reads a name.
func (e *Encoding) UnmarshalText(text []byte) error {
	for i, name := range encodingNames {
		if string(text) == name {
			*e = Encoding(i)
			return nil
		}
	}
	return errors.Errorf("unknown format %q: want one of %s", text, strings.Join(encodingNames, ", "))
}

// Bytes is the size of a number.
func (e Encoding) Bytes() int { return [...]int{2, 3, 4, 4, 8}[e] }

// decode reads one number.
func (e Encoding) decode(b []byte) float64 {
	switch e {
	case PCM16:
		return float64(int16(binary.LittleEndian.Uint16(b))) / (1 << 15)
	case PCM24:
		return float64(int32(uint32(b[0])<<8|uint32(b[1])<<16|uint32(b[2])<<24)>>8) / (1 << 23)
	case PCM32:
		return float64(int32(binary.LittleEndian.Uint32(b))) / (1 << 31)
	case Float32:
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(b)))
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(b))
}

// encode writes one number; integers are rounded, and clipped to full scale.
func (e Encoding) encode(b []byte, v float64) {
	whole := func(bits int) int64 {
		full := math.Ldexp(1, bits-1)
		return int64(math.RoundToEven(min(max(v*full, -full), full-1)))
	}
	switch e {
	case PCM16:
		binary.LittleEndian.PutUint16(b, uint16(whole(16)))
	case PCM24:
		k := uint32(whole(24))
		b[0], b[1], b[2] = byte(k), byte(k>>8), byte(k>>16)
	case PCM32:
		binary.LittleEndian.PutUint32(b, uint32(whole(32)))
	case Float32:
		binary.LittleEndian.PutUint32(b, math.Float32bits(float32(v)))
	default:
		binary.LittleEndian.PutUint64(b, math.Float64bits(v))
	}
}

// Frames reads a stream without a header and without end: the numbers of all channels of a sample, then those of the next.
type Frames struct {
	encoding Encoding
	from     *bufio.Reader
	frame    []byte
	read     int64
}

// NewFrames reads from r. A stream that begins as a file with a header does is an error of the first Next.
func NewFrames(r io.Reader, e Encoding, channels int) *Frames {
	return &Frames{encoding: e, from: bufio.NewReaderSize(r, 1<<16), frame: make([]byte, channels*e.Bytes())}
}

// Next reads one sample of all channels to dst. It returns io.EOF at the end, and an error for a stream that ends within a sample, which
// means that the format or the number of channels is another. It allocates nothing.
func (f *Frames) Next(dst []float64) error {
	if f.read == 0 {
		if err := f.header(); err != nil {
			return err
		}
	}
	n, err := io.ReadFull(f.from, f.frame)
	switch {
	case err == io.EOF:
		return io.EOF
	case err == io.ErrUnexpectedEOF:
		return errors.Errorf("the stream ends after %d bytes within a sample of %d: is it of another format or number of channels, or cut off?", f.read+int64(n), len(f.frame))
	case err != nil:
		return errors.Wrapf(err, "the stream, after %d bytes", f.read)
	}
	f.read += int64(n)
	size := f.encoding.Bytes()
	for i := range dst {
		dst[i] = f.encoding.decode(f.frame[i*size:])
	}
	return nil
}

// header reports a file where frames are expected. Only beginnings that samples hardly have are looked for.
func (f *Frames) header() error {
	head, _ := f.from.Peek(12) // what is wrong is found by who reads
	begins := func(magic string) bool { return bytes.HasPrefix(head, []byte(magic)) }
	for _, file := range []struct {
		is   bool
		what string
	}{
		{begins("RIFF") && bytes.HasSuffix(head, []byte("WAVE")), "WAV"}, {begins("fLaC"), "FLAC"}, {begins("OggS"), "Ogg"}, {begins("ID3\x03") || begins("ID3\x04"), "MP3"},
		{begins("\x89PNG"), "PNG"}, {begins("\x93NUMPY"), "NPY"},
	} {
		if file.is {
			return errors.Errorf("the stream is a %s file, and raw frames without a header are expected: give the file by its name, or its frames, as \"sox in.wav -t raw -\" or \"ffmpeg -i in.wav -f s16le -\" writes them", file.what)
		}
	}
	return nil
}

// A FrameWriter writes such a stream.
type FrameWriter struct {
	encoding Encoding
	to       *bufio.Writer
	frame    []byte
}

// NewFrameWriter writes to w; Flush writes what waits.
func NewFrameWriter(w io.Writer, e Encoding, channels int) *FrameWriter {
	return &FrameWriter{encoding: e, to: bufio.NewWriterSize(w, 1<<16), frame: make([]byte, channels*e.Bytes())}
}

// Write writes one sample of all channels. Integers are clipped to full scale. It allocates nothing.
func (f *FrameWriter) Write(sample []float64) error {
	size := f.encoding.Bytes()
	for i, v := range sample {
		f.encoding.encode(f.frame[i*size:], v)
	}
	_, err := f.to.Write(f.frame)
	return errors.Wrap(err, "write the stream")
}

// Flush writes what waits.
func (f *FrameWriter) Flush() error { return errors.Wrap(f.to.Flush(), "write the stream") }
