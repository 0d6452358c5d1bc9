package signal

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/internal/words"
)

// Formats of sounds in a WAV file.
const (
	formatPCM        = 1
	formatFloat      = 3
	formatExtensible = 0xfffe // the true format stands further on
)

// wavFormats are formats that are known and not read.
var wavFormats = map[uint16]string{2: "ADPCM", 6: "A-law", 7: "mu-law", 0x11: "IMA ADPCM", 0x31: "GSM 6.10", 0x50: "MPEG", 0x55: "MP3", 0xff: "AAC"}

// wavAdvice is the remedy of formats that are not read.
const wavAdvice = "write it as 16-bit PCM, as \"sox in.wav -b 16 -e signed-integer out.wav\" or \"ffmpeg -i in.wav -c:a pcm_s16le out.wav\" does"

// readWAV reads a file of RIFF chunks: fmt says how the samples are written, data has them.
func (s *Signal) readWAV(r io.Reader, size int64) error {
	s.Kind = Sound
	var head [12]byte
	if n, err := io.ReadFull(r, head[:]); err != nil {
		return errors.Errorf("offset %d: the file ends within the header of a WAV file: copy it again", n)
	}
	switch string(head[:4]) {
	case "RIFX":
		return errors.New("a big-endian WAV file (RIFX), which is not read here: " + wavAdvice)
	case "RF64", "BW64":
		return errors.Errorf("a WAV file of more than 4 GB (%s), which is not read here: give a part of it, or stream it as raw frames", head[:4])
	}
	if string(head[8:]) != "WAVE" {
		return errors.Errorf("offset 8: a RIFF file of %q, not of WAVE: give a sound", head[8:])
	}
	seen := false
	for at := int64(12); ; {
		var chunk [8]byte
		if n, err := io.ReadFull(r, chunk[:]); err != nil {
			what := "no chunk \"data\""
			if !seen {
				what = "no chunk \"fmt \""
			}
			return errors.Errorf("offset %d: %s in the file: it is damaged or cut off: copy it again", at+int64(n), what)
		}
		at += 8
		long := int64(binary.LittleEndian.Uint32(chunk[4:]))
		switch id := string(chunk[:4]); {
		case id == "data" && !seen:
			return errors.Errorf("offset %d: samples before the header that describes them: the file is damaged: copy it again", at-8)
		case id == "data":
			return s.readSamples(r, long, size-at, at)
		case id == "fmt ":
			if long < 16 || long > 1<<12 {
				return errors.Errorf("offset %d: a header of %d bytes, expected 16 to 40: the file is damaged: copy it again", at-8, long)
			}
			text := make([]byte, long)
			if n, err := io.ReadFull(r, text); err != nil {
				return errors.Errorf("offset %d: the file ends within its header: copy it again", at+int64(n))
			}
			if err := s.format(text); err != nil {
				return err
			}
			seen = true
			at += long
		default:
			if long > size-at {
				return errors.Errorf("offset %d: the chunk %q has %d bytes, and %d follow: the file is damaged or cut off: copy it again", at-8, id, long, size-at)
			}
			if _, err := io.CopyN(io.Discard, r, long); err != nil {
				return errors.Wrapf(err, "offset %d", at)
			}
			at += long
		}
		if long%2 == 1 { // chunks begin at even offsets
			if _, err := io.CopyN(io.Discard, r, 1); err != nil {
				return errors.Errorf("offset %d: the file ends before its samples: copy it again", at)
			}
			at++
		}
	}
}

// format takes what the chunk fmt says.
func (s *Signal) format(b []byte) error {
	le := binary.LittleEndian
	format, channels, rate, block, bits := le.Uint16(b), int(le.Uint16(b[2:])), le.Uint32(b[4:]), int(le.Uint16(b[12:])), int(le.Uint16(b[14:]))
	if format == formatExtensible {
		if len(b) < 40 {
			return errors.Errorf("the header is of the extensible format and has %d bytes, expected 40: the file is damaged: copy it again", len(b))
		}
		format = le.Uint16(b[24:])
	}
	switch {
	case format == formatPCM && bits == 8:
		return errors.New("8-bit samples, whose rounding is -48 dB, too coarse to separate: record with 16 bits or more (converted, \"sox in.wav -b 16 out.wav\", it stays as coarse)")
	case format == formatPCM && bits > 8 && bits <= 16:
		s.Encoding = PCM16
	case format == formatPCM && bits > 16 && bits <= 24:
		s.Encoding = PCM24
	case format == formatPCM && bits > 24 && bits <= 32:
		s.Encoding = PCM32
	case format == formatFloat && bits == 32:
		s.Encoding = Float32
	case format == formatFloat && bits == 64:
		s.Encoding = Float64
	case format == formatPCM || format == formatFloat:
		return errors.Errorf("samples of %d bits (format %d), which are not read here: %s", bits, format, wavAdvice)
	default:
		name := wavFormats[format]
		if name == "" {
			name = fmt.Sprintf("number %d", format)
		}
		return errors.Errorf("samples in the format %s, which are not read here: %s", name, wavAdvice)
	}
	switch {
	case channels < 1 || channels > 1<<10:
		return errors.Errorf("the header says %d channels, expected 1 to %d: the file is damaged: copy it again", channels, 1<<10)
	case rate < 1 || rate > 1<<24:
		return errors.Errorf("the header says %d samples per second, expected 1 to %d: the file is damaged: copy it again", rate, 1<<24)
	case block != channels*s.Encoding.Bytes():
		return errors.Errorf("the header says %d bytes for a sample of %s of %d bits, expected %d: the file is damaged: copy it again", block, words.Counted(channels, "channel"), bits, channels*s.Encoding.Bytes())
	}
	s.Channels, s.Rate = channels, int(rate)
	return nil
}

// readSamples reads a chunk data that says to have so many bytes, of which at most there can be there.
func (s *Signal) readSamples(r io.Reader, says, there, at int64) error {
	block := int64(s.Channels * s.Encoding.Bytes())
	switch {
	case (says == 0 || says >= math.MaxUint32-1<<10) && there > 0: // written to a pipe, by a program that could not go back
		s.guess("length", fmt.Sprintf("the header leaves the length open: all %d bytes that follow were taken", there), false)
		says = there
	case says > there:
		return errors.Errorf("offset %d: the file is cut off: its header promises %d bytes of samples (%.3g s), and %d are there (%.3g s): copy it again, or cut the header to it by \"sox --ignore-length in.wav out.wav\"",
			at, says, float64(says/block)/float64(s.Rate), there, float64(there/block)/float64(s.Rate))
	case says == 0:
		return errors.Errorf("offset %d: no samples: give a sound that is not empty", at)
	}
	if odd := says % block; odd != 0 {
		s.guess("length", fmt.Sprintf("the last %s are no whole sample of %s and were left out", words.Counted(int(odd), "byte"), words.Counted(s.Channels, "channel")), true)
		says -= odd
	}
	n := says / int64(s.Encoding.Bytes())
	switch {
	case n == 0:
		return errors.Errorf("offset %d: less than one sample: give a sound that is not empty", at)
	case n > maxValues:
		return errors.Errorf("%d numbers, expected at most %d: give a part of the sound, or stream it as raw frames", n, maxValues)
	}
	s.Samples, s.Values = int(says/block), make([]float64, n)
	size := s.Encoding.Bytes()
	buffer := make([]byte, 1<<12*size)
	for dst := s.Values; len(dst) > 0; {
		part := buffer[:min(len(buffer), len(dst)*size)]
		if _, err := io.ReadFull(r, part); err != nil {
			return errors.Wrapf(err, "offset %d: within the samples", at+int64(len(s.Values)-len(dst))*int64(size))
		}
		for k := range len(part) / size {
			dst[k] = s.Encoding.decode(part[k*size:])
		}
		dst = dst[len(part)/size:]
	}
	return nil
}

// writeWAV writes samples [n, channels] at s's rate and encoding.
func (s *Signal) writeWAV(w io.Writer, values []float64, channels int) error {
	size := s.Encoding.Bytes()
	bytes, format, fact := int64(len(values))*int64(size), formatPCM, 0
	if bytes > math.MaxUint32-100 {
		return errors.Errorf("%d bytes of samples are more than a WAV file holds: write a part of them", bytes)
	}
	if s.Encoding >= Float32 {
		format, fact = formatFloat, 12+2 // the chunk fact, and an extension of fmt without anything in it
	}
	pad := bytes % 2
	le := binary.LittleEndian
	head := append([]byte("RIFF"), le.AppendUint32(nil, uint32(36+int64(fact)+bytes+pad))...)
	head = append(head, "WAVEfmt "...)
	head = le.AppendUint32(head, uint32(16+fact/6))
	head = le.AppendUint16(head, uint16(format))
	head = le.AppendUint16(head, uint16(channels))
	head = le.AppendUint32(head, uint32(s.Rate))
	head = le.AppendUint32(head, uint32(s.Rate*channels*size))
	head = le.AppendUint16(head, uint16(channels*size))
	head = le.AppendUint16(head, uint16(8*size))
	if fact > 0 {
		head = append(append(head, 0, 0), "fact\x04\x00\x00\x00"...)
		head = le.AppendUint32(head, uint32(len(values)/channels))
	}
	head = le.AppendUint32(append(head, "data"...), uint32(bytes))
	if _, err := w.Write(head); err != nil {
		return err
	}
	frames := NewFrameWriter(w, s.Encoding, channels)
	for i := 0; i+channels <= len(values); i += channels {
		if err := frames.Write(values[i : i+channels]); err != nil {
			return err
		}
	}
	if err := frames.Flush(); err != nil {
		return err
	}
	_, err := w.Write(make([]byte, pad))
	return err
}
