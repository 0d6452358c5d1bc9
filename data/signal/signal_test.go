package signal

import (
	"bytes"
	"encoding/binary"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A wav is a WAV file to be made, right or wrong.
type wav struct {
	form           string // RIFF
	format         uint16
	channels, bits uint16
	rate           uint32
	block          uint16 // 0: the right one
	extensible     bool
	before         string // chunks before fmt
	body           []byte
	says           int64 // bytes of samples; 0: those of body; -1: none
}

func (f wav) bytes() []byte {
	if f.form == "" {
		f.form = "RIFF"
	}
	if f.rate == 0 {
		f.rate = 16000
	}
	if f.block == 0 {
		f.block = f.channels * ((f.bits + 7) / 8)
	}
	switch f.says {
	case 0:
		f.says = int64(len(f.body))
	case -1:
		f.says = 0
	}
	le := binary.LittleEndian
	b := append([]byte(f.form), 0, 0, 0, 0)
	b = append(b, "WAVE"+f.before+"fmt "...)
	header := le.AppendUint16(nil, f.format)
	if f.extensible {
		header = le.AppendUint16(nil, 0xfffe)
	}
	header = le.AppendUint16(header, f.channels)
	header = le.AppendUint32(header, f.rate)
	header = le.AppendUint32(header, f.rate*uint32(f.block))
	header = le.AppendUint16(header, f.block)
	header = le.AppendUint16(header, f.bits)
	if f.extensible {
		header = le.AppendUint16(header, 22)
		header = le.AppendUint16(header, f.bits)
		header = le.AppendUint32(header, 0)
		header = le.AppendUint16(header, f.format)
		header = append(header, "\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71"...)
	}
	b = le.AppendUint32(b, uint32(len(header)))
	b = append(append(b, header...), "data"...)
	b = append(le.AppendUint32(b, uint32(f.says)), f.body...)
	le.PutUint32(b[4:], uint32(len(b)-8))
	return b
}

// put writes a file and returns its path.
func put(t *testing.T, name string, text []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestRead_WAVValues: the numbers of every encoding, written by hand.
func TestRead_WAVValues(t *testing.T) {
	float := binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, math.Float32bits(.5)), math.Float32bits(-2))
	double := binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, math.Float64bits(.1)), math.Float64bits(-.25))
	for _, c := range []struct {
		name string
		wav
		want []float64
	}{
		{"16 bits", wav{format: 1, bits: 16, channels: 2, body: []byte{0, 0x40, 0, 0x80, 1, 0, 0xff, 0xff}}, []float64{.5, -1, 1. / 32768, -1. / 32768}},
		{"24 bits", wav{format: 1, bits: 24, channels: 1, body: []byte{0, 0, 0x40, 0, 0, 0x80, 0xff, 0xff, 0xff, 0}, says: 9}, []float64{.5, -1, -1. / (1 << 23)}},
		{"20 bits in 24", wav{format: 1, bits: 20, channels: 1, block: 3, extensible: true, body: []byte{0, 0, 0x40}}, []float64{.5}},
		{"32 bits", wav{format: 1, bits: 32, channels: 1, body: []byte{0, 0, 0, 0x40, 0, 0, 0, 0x80}}, []float64{.5, -1}},
		{"float", wav{format: 3, bits: 32, channels: 1, body: float}, []float64{.5, -2}},
		{"extensible float", wav{format: 3, bits: 32, channels: 2, extensible: true, body: float}, []float64{.5, -2}},
		{"double", wav{format: 3, bits: 64, channels: 1, body: double}, []float64{.1, -.25}},
		{"a chunk of odd length before", wav{format: 1, bits: 16, channels: 1, before: "LIST\x03\x00\x00\x00abc\x00", body: []byte{0, 0x40}}, []float64{.5}},
		{"a length that was left open", wav{format: 1, bits: 16, channels: 1, says: math.MaxUint32, body: []byte{0, 0x40}}, []float64{.5}},
		{"a sample and a half", wav{format: 1, bits: 16, channels: 1, body: []byte{0, 0x40, 7}}, []float64{.5}},
	} {
		s, err := Read(put(t, "x.wav", c.bytes()))
		if err != nil || !slices.Equal(s.Values, c.want) || s.Channels != int(c.channels) || s.Rate != 16000 || s.Samples*s.Channels != len(c.want) {
			t.Errorf("%s: %+v, %v, want %v", c.name, s, err, c.want)
		}
	}
}

// TestWrite_IsReadAgain: what is written is read again, exactly or to the rounding of the encoding, and the sizes in the header are right.
func TestWrite_IsReadAgain(t *testing.T) {
	values := []float64{0, .5, -1, .25, 1. / 3, -1. / 7, .9, -.1, .001, .2, -.2, .3}
	for e := PCM16; e <= Float64; e++ {
		s := &Signal{Kind: Sound, Rate: 8000, Encoding: e}
		var b bytes.Buffer
		if err := s.Write(&b, values, 3, nil); err != nil {
			t.Fatal(err)
		}
		if n := binary.LittleEndian.Uint32(b.Bytes()[4:]); int(n) != b.Len()-8 {
			t.Errorf("%v: the header says %d bytes, want %d", e, n, b.Len()-8)
		}
		got, err := Read(put(t, "x"+s.Ending(), b.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		half := [...]float64{.5 / (1 << 15), .5 / (1 << 23), .5 / (1 << 31), .5 / (1 << 24), 0}[e]
		for i, v := range got.Values {
			if math.Abs(v-values[i]) > half {
				t.Errorf("%v: number %d is %v, want %v within %v", e, i, v, values[i], half)
			}
		}
		if got.Encoding != e || got.Rate != 8000 || got.Channels != 3 || len(got.Guesses) > 0 {
			t.Errorf("%v: read as %+v", e, got)
		}
	}
	for _, s := range []*Signal{{Kind: Table}, {Kind: Array}} {
		var b bytes.Buffer
		if err := s.Write(&b, values, 2, []string{"a", "b, or not"}); err != nil {
			t.Fatal(err)
		}
		got, err := Read(put(t, "x"+s.Ending(), b.Bytes()))
		if err != nil || !slices.Equal(got.Values, values) || got.Kind != s.Kind || got.Channels != 2 {
			t.Errorf("%v: %+v, %v, want %v", s.Kind, got, err, values)
		}
		if s.Kind == Table && !slices.Equal(got.Names, []string{"a", "b  or not"}) {
			t.Errorf("names %q", got.Names)
		}
	}
}

// TestWrite_PicturesAreReadAgain: grey and coloured, of 8 and 16 bits, exactly; JPEG nearly.
func TestWrite_PicturesAreReadAgain(t *testing.T) {
	for _, s := range []*Signal{{Colours: 1, Depth: 8}, {Colours: 3, Depth: 8}, {Colours: 1, Depth: 16}, {Colours: 3, Depth: 16}, {Colours: 1, Depth: 8, JPEG: true}} {
		s.Kind, s.Width, s.Height = Picture, 8, 6
		levels, tol := float64(int(1)<<s.Depth-1), 1e-12
		if s.JPEG {
			tol = .03
		}
		var values []float64
		for i := range 8 * 6 * s.Colours {
			values = append(values, math.Round(levels*(.5+.4*math.Sin(.05*float64(i))))/levels)
		}
		var b bytes.Buffer
		if err := s.Write(&b, values, 1, nil); err != nil {
			t.Fatal(err)
		}
		got, err := Read(put(t, "x"+s.Ending(), b.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		if got.Depth != s.Depth || got.Colours != s.Colours || got.JPEG != s.JPEG || got.Samples != len(values) {
			t.Fatalf("%+v read as %+v", s, got)
		}
		for i, v := range got.Values {
			if math.Abs(v-values[i]) > tol {
				t.Fatalf("%d colours of %d bits: number %d is %v, want %v", s.Colours, s.Depth, i, v, values[i])
			}
		}
	}
}

// TestRead_SeveralFilesAreOneSignal: their channels follow each other.
func TestRead_SeveralFilesAreOneSignal(t *testing.T) {
	a := put(t, "left.wav", wav{format: 1, bits: 16, channels: 1, body: []byte{0, 0x40, 0, 0x20}}.bytes())
	b := put(t, "rest.wav", wav{format: 1, bits: 16, channels: 2, body: []byte{0, 0x10, 0, 8, 0, 4, 0, 2}}.bytes())
	s, err := Read(a, b)
	if err != nil || !slices.Equal(s.Values, []float64{.5, .125, .0625, .25, .03125, .015625}) || !slices.Equal(s.Names, []string{"left", "rest 1", "rest 2"}) || len(s.Files) != 2 {
		t.Fatalf("%+v, %v", s, err)
	}
	if got := s.Channel(2); !slices.Equal(got, []float64{.0625, .015625}) {
		t.Errorf("channel 2: %v", got)
	}
}

// TestRead_TimeIsNoChannel: a column that rises evenly is left out, and said.
func TestRead_TimeIsNoChannel(t *testing.T) {
	text := "time,a,b\n"
	for i := range 20 {
		text += strings.Join([]string{[]string{"0", "0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9", "1.0", "1.1", "1.2", "1.3", "1.4", "1.5", "1.6", "1.7", "1.8", "1.9"}[i], "0.5", "-" + string(rune('0'+i%7))}, ",") + "\n"
	}
	s, err := Read(put(t, "x.csv", []byte(text)))
	if err != nil || !slices.Equal(s.Names, []string{"a", "b"}) || s.Samples != 20 || s.Values[2] != .5 || s.Values[3] != -1 {
		t.Fatalf("%+v, %v", s, err)
	}
	if len(s.Guesses) == 0 || !strings.Contains(s.Guesses[len(s.Guesses)-1].Taken, "rises evenly") {
		t.Errorf("guesses %+v", s.Guesses)
	}
}

// TestRead_WrongFilesAreNamed: which file, what, and what to do.
func TestRead_WrongFilesAreNamed(t *testing.T) {
	good := wav{format: 1, bits: 16, channels: 2, body: make([]byte, 400)}
	with := func(change func(*wav)) []byte { f := good; change(&f); return f.bytes() }
	var picture bytes.Buffer
	small := &Signal{Kind: Picture, Width: 4, Height: 4, Colours: 1, Depth: 8}
	if err := small.Write(&picture, make([]float64, 16), 1, nil); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		text []byte
		want []string
	}{
		{"empty.wav", nil, []string{"empty file"}},
		{"eight.wav", with(func(f *wav) { f.bits = 8 }), []string{"8-bit", "record with 16 bits"}},
		{"cut.wav", good.bytes()[:300], []string{"cut off", "promises 400 bytes", "256 are there", "ignore-length"}},
		{"header.wav", good.bytes()[:30], []string{"ends within", "copy it again"}},
		{"nothing.wav", with(func(f *wav) { f.body, f.says = nil, -1 }), []string{"no samples"}},
		{"alaw.wav", with(func(f *wav) { f.format = 6 }), []string{"A-law", "sox"}},
		{"big.wav", with(func(f *wav) { f.form = "RIFX" }), []string{"big-endian", "sox"}},
		{"none.wav", with(func(f *wav) { f.channels, f.block = 0, 2 }), []string{"0 channels"}},
		{"block.wav", with(func(f *wav) { f.block = 3 }), []string{"3 bytes for a sample of 2 channels", "expected 4"}},
		{"riff.wav", append([]byte("RIFF\x10\x00\x00\x00AVI "), make([]byte, 40)...), []string{`"AVI "`}},
		{"nofmt.wav", []byte("RIFF\x10\x00\x00\x00WAVEdata\x04\x00\x00\x00abcd"), []string{"before the header"}},
		{"nodata.wav", good.bytes()[:36], []string{`no chunk "data"`}},
		{"nan.wav", wav{format: 3, bits: 32, channels: 1, body: []byte{0, 0, 0, 0, 0, 0, 0xc0, 0x7f}}.bytes(), []string{"sample 2 (at 6.25e-05 s)", "NaN"}},
		{"x.flac", []byte("fLaC0123456789"), []string{"FLAC", "sox"}},
		{"x.png", picture.Bytes()[:len(picture.Bytes())/2], []string{"picture", "copy it again"}},
		{"x.npy", []byte("\x93NUMPY\x01\x00"), []string{"numpy.save"}},
		{"x.csv", []byte("a,b\n1,2\n3,x\n"), []string{"line 3", "b"}},
		{"y.csv", []byte("a,b\n1,2\n3,nan\n"), []string{"b"}},
	} {
		path := put(t, c.name, c.text)
		_, err := Read(path)
		if err == nil {
			t.Errorf("%s is read", c.name)
			continue
		}
		for _, want := range append(c.want, path) {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q, want %q in it", c.name, err, want)
			}
		}
	}
	first := put(t, "first.wav", good.bytes())
	for name, c := range map[string]struct {
		text []byte
		want string
	}{
		"rate.wav":   {with(func(f *wav) { f.rate = 44100 }), "44100 samples per second"},
		"long.wav":   {with(func(f *wav) { f.body = make([]byte, 408) }), "102 samples"},
		"other.png":  {picture.Bytes(), "files of one kind"},
		"other.csv":  {[]byte("a,b\n1,2\n3,4\n"), "files of one kind"},
		"absent.wav": {nil, "empty file"},
	} {
		if _, err := Read(first, put(t, name, c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if _, err := Read(filepath.Join(t.TempDir(), "gone.wav")); err == nil || !strings.Contains(err.Error(), "gone.wav") {
		t.Errorf("a file that is not there: %v", err)
	}
}

// TestFit_DoesNotClip: peaks are at 0.9 of full scale and pictures use all of their range; tables stay.
func TestFit_DoesNotClip(t *testing.T) {
	v := []float64{.5, -4, 2}
	if factor, offset := (&Signal{Kind: Sound}).Fit(v); factor != .225 || offset != 0 || v[1] != -.9 {
		t.Errorf("sound: %v %v %v", v, factor, offset)
	}
	v = []float64{-1, 3, 1}
	if factor, offset := (&Signal{Kind: Picture}).Fit(v); factor != .25 || offset != .25 || !slices.Equal(v, []float64{0, 1, .5}) {
		t.Errorf("picture: %v %v %v", v, factor, offset)
	}
	v = []float64{-1, 3, 1}
	if (&Signal{Kind: Array}).Fit(v); v[1] != 3 {
		t.Errorf("array: %v", v)
	}
	v = []float64{0, 0}
	if (&Signal{Kind: Sound}).Fit(v); v[1] != 0 {
		t.Errorf("silence: %v", v)
	}
}

// TestFrames_WithoutEnd: frames come back as they were written, without allocation; a stream that ends within one is an error.
func TestFrames_WithoutEnd(t *testing.T) {
	var b bytes.Buffer
	w := NewFrameWriter(&b, PCM24, 2)
	for i := range 1000 {
		if err := w.Write([]float64{float64(i) / 1024, -float64(i) / 2048}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	b.WriteByte(7)
	f := NewFrames(bytes.NewReader(b.Bytes()), PCM24, 2)
	x, n := make([]float64, 2), 0
	if allocs := testing.AllocsPerRun(99, func() {
		if err := f.Next(x); err != nil || x[0] != float64(n)/1024 || x[1] != -float64(n)/2048 {
			t.Fatalf("frame %d: %v, %v", n, x, err)
		}
		n++
	}); allocs > 0 {
		t.Errorf("%v allocations per frame", allocs)
	}
	var err error
	for err == nil {
		err = f.Next(x)
	}
	if err == io.EOF || !strings.Contains(err.Error(), "within a sample of 6") {
		t.Errorf("an odd byte at the end: %v", err)
	}
	var e Encoding
	if err := e.UnmarshalText([]byte("u8")); err == nil || !strings.Contains(err.Error(), "s16le, s24le") {
		t.Errorf("an unknown format: %v", err)
	}
}

// FuzzRead: no file makes a panic or more numbers than it has bytes.
func FuzzRead(f *testing.F) {
	f.Add(wav{format: 1, bits: 16, channels: 2, body: make([]byte, 8)}.bytes())
	f.Add(wav{format: 3, bits: 32, channels: 1, extensible: true, body: make([]byte, 8)}.bytes())
	f.Fuzz(func(t *testing.T, text []byte) {
		s := new(Signal)
		if err := s.readWAV(bytes.NewReader(text), int64(len(text))); err == nil && len(s.Values) > len(text) {
			t.Errorf("%d numbers of %d bytes", len(s.Values), len(text))
		}
	})
}
