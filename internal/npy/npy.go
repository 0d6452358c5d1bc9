// Package npy reads arrays as NumPy writes them (NumPy Enhancement Proposal 1), and holds what they promise against what there is before
// memory is reserved.
//
// Why not github.com/sbinet/npyio: v0.6.0 gives numbers for a file that is cut off, without an error, panics on a damaged header,
// and knows neither float16 nor version 3.
package npy

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/internal/file"
)

// The NPY format (NumPy Enhancement Proposal 1): the magic, a version, the length of the header, the header, which is a
// dictionary as Python writes it, and the elements, in the order of C or of Fortran.
const (
	magic     = "\x93NUMPY"
	prefixLen = len(magic) + 2                  // magic and version
	maxHeader = 1 << 16                         // bytes; NumPy itself trusts 10000
	maxAxes   = 32                              // as NumPy had until 2.0
	maxValues = 1 << 28                         // numbers of an array: 2 GB of float64
	advice    = "save it again with numpy.save" // of damage
)

// An Array is one array, row-major whatever the order in the file.
type Array struct {
	Dims   []int
	Bytes  []uint8   // of dtype uint8; or
	Values []float64 // of any other
	Whole  bool      // the dtype is of whole numbers or bool
	Eps    float64   // of the dtype, from 1 to the next number; 0 of whole numbers
}

// Numbers returns the elements, whatever they are kept as.
func (a Array) Numbers() []float64 {
	if a.Bytes == nil {
		return a.Values
	}
	v := make([]float64, len(a.Bytes))
	for i, b := range a.Bytes {
		v[i] = float64(b)
	}
	return v
}

// An header is what the header of an array says.
type header struct {
	dtype   string // as written: "<f8"
	fortran bool
	dims    []int
}

// Read reads one array from r, which holds at most limit bytes and nothing behind the array. What the header promises is held
// against that before anything is allocated. Errors say the offset.
func Read(r io.Reader, limit int64) (Array, error) {
	a, end, err := next(r, limit)
	if err != nil {
		return Array{}, err
	}
	// Reading up to the end also makes zip verify its checksum.
	switch n, err := io.ReadFull(r, make([]byte, 1)); {
	case n > 0:
		return Array{}, errors.Errorf("offset %d: trailing bytes, expected the array to end here: %s", end, advice)
	case err != io.EOF:
		return Array{}, errors.Wrapf(err, "offset %d: after the last element: %s", end, advice)
	}
	return a, nil
}

// ReadAll reads arrays that follow each other, as repeated calls of numpy.save write them to one file.
func ReadAll(r *bufio.Reader, limit int64) (list []Array, err error) {
	for at := int64(0); ; {
		if _, err := r.Peek(1); err == io.EOF {
			return list, nil
		}
		a, end, err := next(r, limit-at)
		if err != nil {
			return nil, errors.WithMessagef(err, "array %d, from byte %d on", len(list)+1, at)
		}
		list, at = append(list, a), at+end
	}
}

// next reads one array and returns where it ends.
func next(r io.Reader, limit int64) (a Array, end int64, err error) {
	h, start, err := readHeader(r)
	if err != nil {
		return Array{}, 0, err
	}
	decode, size, err := decoder(h.dtype)
	if err != nil {
		return Array{}, 0, errors.Wrapf(err, "offset %d", prefixLen)
	}
	count := int64(1)
	for k, d := range h.dims {
		if d == 0 {
			return Array{}, 0, errors.Errorf("offset %d: shape %v holds nothing: save an array that is not empty", prefixLen, h.dims)
		}
		if count > file.MaxBody/int64(d) {
			return Array{}, 0, errors.Errorf("offset %d: shape %v is of more than %d elements at axis %d: save a part of it, or read "+
				"an undamaged file", prefixLen, h.dims, file.MaxBody, k)
		}
		count *= int64(d)
	}
	if size > 1 && count > maxValues {
		return Array{}, 0, errors.Errorf("offset %d: shape %v is of %d numbers, expected at most %d: save a part of it, or uint8",
			prefixLen, h.dims, count, maxValues)
	}
	if room := limit - int64(start); count*int64(size) > room {
		return Array{}, 0, errors.Errorf("offset %d: shape %v of dtype %s wants %d bytes, and %d can follow at most: %s", prefixLen,
			h.dims, h.dtype, count*int64(size), max(room, 0), advice)
	}
	a = Array{Dims: h.dims, Whole: strings.ContainsAny(h.dtype[1:2], "biu")}
	if !a.Whole {
		a.Eps = map[int]float64{2: 0x1p-10, 4: 0x1p-23, 8: 0x1p-52}[size]
	}
	read := 0
	if h.dtype[1:] == "u1" {
		a.Bytes = make([]uint8, count)
		read, err = io.ReadFull(r, a.Bytes)
	} else {
		a.Values = make([]float64, count)
		read, err = readValues(r, a.Values, size, decode)
	}
	if err != nil {
		return Array{}, 0, errors.Wrapf(err, "offset %d: array ends or is damaged here, expected %d bytes: %s", start+read,
			int64(start)+count*int64(size), advice)
	}
	if h.fortran {
		a.Bytes, a.Values = rowMajor(a.Bytes, a.Dims), rowMajor(a.Values, a.Dims)
	}
	return a, int64(start) + count*int64(size), nil
}

// readValues fills dst with elements of a size and returns the bytes read.
func readValues(r io.Reader, dst []float64, size int, decode func([]byte) float64) (read int, err error) {
	buffer := make([]byte, size*min(len(dst), 1<<13))
	for len(dst) > 0 {
		part := buffer[:size*min(len(dst), 1<<13)]
		n, err := io.ReadFull(r, part)
		if read += n; err != nil {
			return read, err
		}
		for ; len(part) > 0; part, dst = part[size:], dst[1:] {
			dst[0] = decode(part)
		}
	}
	return read, nil
}

// readHeader reads up to the first element and returns its offset.
func readHeader(r io.Reader) (h header, start int, err error) {
	prefix := make([]byte, prefixLen+4)
	short := func(n int, err error) (header, int, error) {
		return h, 0, errors.Wrapf(err, "offset %d: file ends or is damaged here, in the header: %s", n, advice)
	}
	if n, err := io.ReadFull(r, prefix[:prefixLen]); err != nil {
		if !bytes.HasPrefix([]byte(magic), prefix[:min(n, len(magic))]) {
			return h, 0, errors.Errorf("offset 0: no array of NumPy: %s", advice)
		}
		return short(n, err)
	}
	if string(prefix[:len(magic)]) != magic {
		return h, 0, errors.Errorf("offset 0: begins with %q, expected %q: give a file that numpy.save wrote", prefix[:len(magic)], magic)
	}
	width := 4
	switch version := prefix[len(magic)]; version {
	case 1:
		width = 2
	case 2, 3:
	default:
		return h, 0, errors.Errorf("offset %d: version %d of the format, expected 1, 2 or 3: %s", len(magic), version, advice)
	}
	if n, err := io.ReadFull(r, prefix[prefixLen:prefixLen+width]); err != nil {
		return short(prefixLen+n, err)
	}
	length := binary.LittleEndian.Uint32(prefix[prefixLen:])
	if length > maxHeader {
		return h, 0, errors.Errorf("offset %d: header of %d bytes, expected at most %d: %s", prefixLen, length, maxHeader, advice)
	}
	text := make([]byte, length)
	start = prefixLen + width
	if n, err := io.ReadFull(r, text); err != nil {
		return short(start+n, err)
	}
	p := parser{text: string(text)}
	if h, err = p.header(); err != nil {
		return h, 0, errors.Wrapf(err, "offset %d: header %.100q", start+p.at, text)
	}
	return h, start + int(length), nil
}

// An parser reads the dictionary of a header: {'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }, its keys in any
// order.
type parser struct {
	text string
	at   int
}

func (p *parser) header() (h header, err error) {
	if !p.take("{") {
		return h, errors.Errorf("expected {: %s", advice)
	}
	seen := map[string]bool{}
	for !p.take("}") {
		key, err := p.str()
		if err != nil {
			return h, err
		}
		if seen[key] || !p.take(":") {
			return h, errors.Errorf("expected each of descr, fortran_order and shape once, with a value: %s", advice)
		}
		seen[key] = true
		switch key {
		case "descr":
			if p.peek("[") {
				return h, errors.New("the dtype has fields: save each field as an array of its own")
			}
			h.dtype, err = p.str()
		case "fortran_order":
			h.fortran = p.take("True")
			if !h.fortran && !p.take("False") {
				err = errors.Errorf("fortran_order is neither True nor False: %s", advice)
			}
		case "shape":
			h.dims, err = p.tuple()
		default:
			err = errors.Errorf("unknown key %q: %s", key, advice)
		}
		if err != nil {
			return h, err
		}
		if !p.take(",") && !p.peek("}") {
			return h, errors.Errorf("expected , or }: %s", advice)
		}
	}
	if rest := strings.TrimSpace(p.text[p.at:]); rest != "" {
		return h, errors.Errorf("%q after the dictionary: %s", rest, advice)
	}
	if len(seen) != 3 {
		return h, errors.Errorf("expected descr, fortran_order and shape: %s", advice)
	}
	return h, nil
}

// peek skips blanks and reports whether s is next.
func (p *parser) peek(s string) bool {
	for p.at < len(p.text) && strings.IndexByte(" \t\n", p.text[p.at]) >= 0 {
		p.at++
	}
	return strings.HasPrefix(p.text[p.at:], s)
}

// take goes past s, if it is next.
func (p *parser) take(s string) bool {
	if !p.peek(s) {
		return false
	}
	p.at += len(s)
	return true
}

func (p *parser) str() (string, error) {
	for _, quote := range []string{"'", `"`} {
		if !p.take(quote) {
			continue
		}
		s, _, closed := strings.Cut(p.text[p.at:], quote)
		if !closed || strings.Contains(s, `\`) {
			break
		}
		p.at += len(s) + 1
		return s, nil
	}
	return "", errors.Errorf("expected a string: %s", advice)
}

func (p *parser) tuple() ([]int, error) {
	if !p.take("(") {
		return nil, errors.Errorf("expected a tuple: %s", advice)
	}
	dims := []int{}
	for !p.take(")") {
		p.peek("")
		end := p.at
		for end < len(p.text) && p.text[end] >= '0' && p.text[end] <= '9' {
			end++
		}
		d, err := strconv.ParseInt(p.text[p.at:end], 10, 64)
		if err != nil || d > file.MaxBody || len(dims) == maxAxes {
			return nil, errors.Errorf("expected at most %d axes of 0..%d: %s", maxAxes, file.MaxBody, advice)
		}
		dims, p.at = append(dims, int(d)), end
		p.take("L") // as Python 2 wrote some
		if !p.take(",") && !p.peek(")") {
			return nil, errors.Errorf("expected , or ): %s", advice)
		}
	}
	return dims, nil
}

// decoder returns how an element of a dtype is read, and its size in bytes.
func decoder(dtype string) (decode func([]byte) float64, size int, err error) {
	refused := func(why string) (func([]byte) float64, int, error) {
		return nil, 0, errors.Errorf("dtype %q %s: save x.astype(\"float32\"), or labels as \"int64\"", dtype, why)
	}
	if len(dtype) < 2 {
		return refused("is unknown")
	}
	switch dtype[1] {
	case 'O':
		return refused("is of pickled objects, which are not read")
	case 'U', 'S':
		return refused("is of text; numpy.unique(y, return_inverse=True)[1] makes labels of it")
	case 'c':
		return refused("is of complex numbers")
	}
	var order binary.ByteOrder
	switch dtype[0] {
	case '<':
		order = binary.LittleEndian
	case '>':
		order = binary.BigEndian
	case '|': // single bytes
		if dtype[2:] != "1" {
			return refused("has no byte order")
		}
	default:
		return refused("has no byte order")
	}
	switch dtype[1:] {
	case "b1", "u1":
		return func(b []byte) float64 { return float64(b[0]) }, 1, nil
	case "i1":
		return func(b []byte) float64 { return float64(int8(b[0])) }, 1, nil
	case "u2":
		return func(b []byte) float64 { return float64(order.Uint16(b)) }, 2, nil
	case "i2":
		return func(b []byte) float64 { return float64(int16(order.Uint16(b))) }, 2, nil
	case "u4":
		return func(b []byte) float64 { return float64(order.Uint32(b)) }, 4, nil
	case "i4":
		return func(b []byte) float64 { return float64(int32(order.Uint32(b))) }, 4, nil
	case "u8":
		return func(b []byte) float64 { return float64(order.Uint64(b)) }, 8, nil
	case "i8":
		return func(b []byte) float64 { return float64(int64(order.Uint64(b))) }, 8, nil
	case "f2":
		return func(b []byte) float64 { return half(order.Uint16(b)) }, 2, nil
	case "f4":
		return func(b []byte) float64 { return float64(math.Float32frombits(order.Uint32(b))) }, 4, nil
	case "f8":
		return func(b []byte) float64 { return math.Float64frombits(order.Uint64(b)) }, 8, nil
	}
	return refused("is not read; bool, int8..int64, uint8..uint64, float16, float32 and float64 are")
}

// half is the number that the bits of a float16 are (IEEE 754 binary16).
func half(bits uint16) float64 {
	sign, exponent, fraction := 1-2*float64(bits>>15), int(bits>>10&0x1f), float64(bits&0x3ff)
	switch exponent {
	case 0:
		return sign * math.Ldexp(fraction, -24)
	case 0x1f:
		if fraction != 0 {
			return math.NaN()
		}
		return math.Inf(int(sign))
	}
	return sign * math.Ldexp(1024+fraction, exponent-25)
}

// rowMajor returns the elements of a column-major array in row-major order; nil stays nil.
func rowMajor[E any](a []E, dims []int) []E {
	if a == nil || len(dims) < 2 {
		return a
	}
	strides, step := make([]int, len(dims)), 1
	for k, d := range dims {
		strides[k], step = step, step*d
	}
	c, index, from := make([]E, len(a)), make([]int, len(dims)), 0
	for i := range c {
		c[i] = a[from]
		for k := len(dims) - 1; k >= 0; k-- { // the next index, the last axis first
			index[k]++
			from += strides[k]
			if index[k] < dims[k] {
				break
			}
			from -= strides[k] * dims[k]
			index[k] = 0
		}
	}
	return c
}
