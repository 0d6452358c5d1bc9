package safetensors

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"hash"
	"io"
	"math"
	"math/bits"
	"os"
	"slices"
	"strconv"

	"github.com/pkg/errors"
)

// ReadFile reads a whole file. Errors, which wrap those of package os: a header or a length that the file is too short for;
// JSON that is not the format's; two tensors of one name; offsets that overlap, leave a gap or do not fit dtype and shape; a
// dtype other than F32, F64 and U8; data of another SHA-256 than the metadata have.
func ReadFile(path string) (*File, error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, errors.Wrap(err, "safetensors")
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return nil, errors.Wrap(err, "safetensors")
	}
	if !info.Mode().IsRegular() {
		return nil, errors.Errorf("safetensors: read %s: not a regular file", path)
	}
	f, err := Read(bufio.NewReaderSize(in, 1<<20), info.Size())
	return f, errors.WithMessagef(err, "safetensors: read %s", path)
}

// Read reads a file of size bytes from r. Its errors are those of ReadFile.
func Read(r io.Reader, size int64) (*File, error) {
	var word [8]byte
	if size < int64(len(word)) {
		return nil, errors.Errorf("%d bytes are too few for the length of a header: not a safetensors file, or cut off", size)
	}
	if _, err := io.ReadFull(r, word[:]); err != nil {
		return nil, errors.Wrap(err, "length of the header")
	}
	length, rest := binary.LittleEndian.Uint64(word[:]), uint64(size)-uint64(len(word))
	if length > maxHeader || length > rest {
		return nil, errors.Errorf("a header of %d bytes in a file of %d, where %d at most are allowed: not a safetensors file, or cut off", length, size, maxHeader)
	}
	text := make([]byte, length)
	if _, err := io.ReadFull(r, text); err != nil {
		return nil, errors.Wrap(err, "header")
	}
	f, entries, err := parse(text)
	if err != nil {
		return nil, errors.WithMessage(err, "header")
	}
	if err := tile(f, entries, rest-length); err != nil {
		return nil, err
	}
	return f, f.fill(r, entries)
}

// tile sorts tensors and entries by their place in the data, and reports any that do not cover it exactly once.
func tile(f *File, entries []entry, size uint64) error {
	order := make([]int, len(entries))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return slices.Compare(entries[a].Offsets[:], entries[b].Offsets[:])
	})
	tensors, sorted := make([]Tensor, len(order)), make([]entry, len(order))
	end, before := uint64(0), "the header"
	for k, i := range order {
		t, e := f.Tensors[i], entries[i]
		want, fits := bytesOf(e)
		switch lo, hi := e.Offsets[0], e.Offsets[1]; {
		case !fits:
			return errors.Errorf("tensor %q: shape %v overflows", t.Name, e.Shape)
		case hi < lo || hi-lo != want:
			return errors.Errorf("tensor %q: data_offsets [%d,%d] where %s of shape %v takes %d bytes", t.Name, lo, hi, e.DType, e.Shape, want)
		case lo < end:
			return errors.Errorf("tensor %q begins at byte %d of the data, within %q, which ends at %d", t.Name, lo, before, end)
		case lo > end:
			return errors.Errorf("tensor %q begins at byte %d of the data: the bytes from %d, where %s ends, belong to none", t.Name, lo, end, before)
		case hi > size:
			return errors.Errorf("tensor %q ends at byte %d of the data, of which there are %d: the file is cut off", t.Name, hi, size)
		}
		end, before = e.Offsets[1], t.Name
		tensors[k], sorted[k] = t, e
	}
	if end != size {
		return errors.Errorf("the tensors end at byte %d of the data, of which there are %d", end, size)
	}
	f.Tensors = tensors
	copy(entries, sorted)
	return nil
}

// sizes are those of an element by dtype.
func sizeOf(dtype string) uint64 {
	switch dtype {
	case "U8":
		return 1
	case "F32":
		return 4
	case "F64":
		return 8
	}
	return 0
}

// bytesOf is how many bytes a tensor takes; false if that overflows.
func bytesOf(e entry) (uint64, bool) {
	n := sizeOf(e.DType)
	if slices.Contains(e.Shape, 0) {
		return 0, true
	}
	for _, d := range e.Shape {
		var over uint64
		if over, n = bits.Mul64(n, uint64(d)); over != 0 || n > math.MaxInt64 {
			return 0, false
		}
	}
	return n, true
}

// fill reads the data, which the entries cover in order, and checks their sum if there is one.
func (f *File) fill(r io.Reader, entries []entry) error {
	sum := sha256.New()
	for i, e := range entries {
		var err error
		if f.Tensors[i].Data, err = readData(r, sum, e); err != nil {
			return errors.Wrapf(err, "tensor %q", f.Tensors[i].Name)
		}
	}
	if want, is := f.Meta[SumKey]; is {
		if got := hex.EncodeToString(sum.Sum(nil)); got != want {
			return errors.Errorf("the data are damaged: their SHA-256 is %s, the metadata have %s", got, want)
		}
	}
	return nil
}

// readData reads one tensor.
func readData(r io.Reader, sum hash.Hash, e entry) (any, error) {
	size := e.Offsets[1] - e.Offsets[0]
	if e.DType == "U8" {
		d := make([]byte, size)
		_, err := io.ReadFull(r, d)
		sum.Write(d)
		return d, err
	}
	var narrow []float32
	var wide []float64
	if e.DType == "F32" {
		narrow = make([]float32, 0, size/4)
	} else {
		wide = make([]float64, 0, size/8)
	}
	var piece [4096]byte
	for size > 0 {
		p := piece[:min(size, uint64(len(piece)))]
		if _, err := io.ReadFull(r, p); err != nil {
			return nil, err
		}
		sum.Write(p)
		size -= uint64(len(p))
		if e.DType == "F32" {
			for ; len(p) > 0; p = p[4:] {
				narrow = append(narrow, math.Float32frombits(binary.LittleEndian.Uint32(p)))
			}
			continue
		}
		for ; len(p) > 0; p = p[8:] {
			wide = append(wide, math.Float64frombits(binary.LittleEndian.Uint64(p)))
		}
	}
	if e.DType == "F32" {
		return narrow, nil
	}
	return wide, nil
}

// parse reads the header. (By tokens: encoding/json would take the last of two equal names.)
func parse(text []byte) (*File, []entry, error) {
	if len(text) == 0 || text[0] != '{' {
		return nil, nil, errors.New("it does not begin with {: not a safetensors file")
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	f := &File{Meta: make(map[string]string)}
	var entries []entry
	err := object(d, func(name string) error {
		if name == metaKey {
			t, err := d.Token()
			if err != nil {
				return errors.WithStack(err)
			}
			if t == nil { // null: none, as for Python
				return nil
			}
			return members(d, t, func(key string) error {
				value, err := d.Token()
				s, is := value.(string)
				if err == nil && !is {
					return errors.Errorf("metadata %q is no string", key)
				}
				f.Meta[key] = s
				return err
			})
		}
		e, err := parseEntry(d)
		if err != nil {
			return errors.WithMessagef(err, "tensor %q", name)
		}
		f.Tensors, entries = append(f.Tensors, Tensor{Name: name, Shape: e.Shape}), append(entries, e)
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	if rest := bytes.TrimRight(text[d.InputOffset():], " \t\r\n"); len(rest) > 0 {
		return nil, nil, errors.Errorf("%d bytes behind its end", len(rest))
	}
	return f, entries, nil
}

// object reads { "key": value, ... } and calls value after each key; two equal keys are an error.
func object(d *json.Decoder, value func(key string) error) error {
	t, err := d.Token()
	if err != nil {
		return errors.WithStack(err)
	}
	return members(d, t, value)
}

// members is object after its first token.
func members(d *json.Decoder, first json.Token, value func(key string) error) error {
	if first != json.Delim('{') {
		return errors.Errorf("%v where an object should begin", first)
	}
	seen := make(map[string]bool)
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return errors.WithStack(err)
		}
		key, is := t.(string)
		if !is {
			return errors.Errorf("%v where a name should be", t)
		}
		if seen[key] {
			return errors.Errorf("two values are named %q", key)
		}
		seen[key] = true
		if err := value(key); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return errors.WithStack(err)
}

// parseEntry reads what the header says of one tensor.
func parseEntry(d *json.Decoder) (entry, error) {
	var e entry
	var offsets []int
	have := make(map[string]bool)
	err := object(d, func(key string) error {
		have[key] = true
		var err error
		switch key {
		case "dtype":
			var t json.Token
			if t, err = d.Token(); err != nil {
				return errors.WithStack(err)
			}
			e.DType, _ = t.(string)
			if sizeOf(e.DType) == 0 {
				return errors.Errorf("dtype %v: want F32, F64 or U8: convert it where it was written", t)
			}
		case "shape":
			e.Shape, err = whole(d)
		case "data_offsets":
			offsets, err = whole(d)
		default:
			return errors.Errorf("unknown %q", key)
		}
		return errors.WithMessage(err, key)
	})
	if err != nil {
		return e, err
	}
	if !have["dtype"] || !have["shape"] || len(offsets) != 2 {
		return e, errors.New("want dtype, shape and two data_offsets")
	}
	e.Offsets = [2]uint64{uint64(offsets[0]), uint64(offsets[1])}
	return e, nil
}

// whole reads [n, n, ...], of no negative numbers.
func whole(d *json.Decoder) ([]int, error) {
	if t, err := d.Token(); err != nil {
		return nil, errors.WithStack(err)
	} else if t != json.Delim('[') {
		return nil, errors.Errorf("%v where a list should begin", t)
	}
	ns := []int{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, errors.WithStack(err)
		}
		number, is := t.(json.Number)
		n, err := strconv.ParseUint(string(number), 10, strconv.IntSize-1)
		if !is || err != nil {
			return nil, errors.Errorf("%v: want a whole number of 0 or more", t)
		}
		ns = append(ns, int(n))
	}
	_, err := d.Token()
	return ns, errors.WithStack(err)
}
