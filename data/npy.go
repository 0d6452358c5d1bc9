package data

import (
	"bytes"
	"encoding/binary"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/pkg/errors"
)

// Why not github.com/sbinet/npyio: v0.6.0 gives numbers for a file that is cut off, without an error, panics on a damaged header,
// and knows neither float16 nor version 3.

// The NPY format (NumPy Enhancement Proposal 1): the magic, a version, the length of the header, the header, which is a
// dictionary as Python writes it, and the elements, in the order of C or of Fortran.
const (
	npyMagic  = "\x93NUMPY"
	npyPrefix = len(npyMagic) + 2               // magic and version
	maxHeader = 1 << 16                         // bytes; NumPy itself trusts 10000
	maxAxes   = 32                              // as NumPy had until 2.0
	maxValues = 1 << 28                         // numbers of an array: 2 GB of float64
	npyAdvice = "save it again with numpy.save" // of damage
)

// An npyArray is one array, row-major whatever the order in the file.
type npyArray struct {
	dims   []int
	bytes  []uint8   // of dtype uint8; or
	values []float64 // of any other
	whole  bool      // the dtype is of whole numbers or bool
	eps    float64   // of the dtype, from 1 to the next number; 0 of whole numbers
}

// numbers returns the elements, whatever they are kept as.
func (a npyArray) numbers() []float64 {
	if a.bytes == nil {
		return a.values
	}
	v := make([]float64, len(a.bytes))
	for i, b := range a.bytes {
		v[i] = float64(b)
	}
	return v
}

// An npyHeader is what the header of an array says.
type npyHeader struct {
	dtype   string // as written: "<f8"
	fortran bool
	dims    []int
}

// readNPY reads one array from r, which holds at most limit bytes. What the header promises is held against that before anything
// is allocated. Errors say the offset.
func readNPY(r io.Reader, limit int64) (npyArray, error) {
	h, start, err := readNPYHeader(r)
	if err != nil {
		return npyArray{}, err
	}
	decode, size, err := npyDecoder(h.dtype)
	if err != nil {
		return npyArray{}, errors.Wrapf(err, "offset %d", npyPrefix)
	}
	count := int64(1)
	for k, d := range h.dims {
		if d == 0 {
			return npyArray{}, errors.Errorf("offset %d: shape %v holds nothing: save an array that is not empty", npyPrefix, h.dims)
		}
		if count > maxBody/int64(d) {
			return npyArray{}, errors.Errorf("offset %d: shape %v is of more than %d elements at axis %d: save a part of it, or read "+
				"an undamaged file", npyPrefix, h.dims, maxBody, k)
		}
		count *= int64(d)
	}
	if size > 1 && count > maxValues {
		return npyArray{}, errors.Errorf("offset %d: shape %v is of %d numbers, expected at most %d: save a part of it, or uint8",
			npyPrefix, h.dims, count, maxValues)
	}
	if room := limit - int64(start); count*int64(size) > room {
		return npyArray{}, errors.Errorf("offset %d: shape %v of dtype %s wants %d bytes, and %d can follow at most: %s", npyPrefix,
			h.dims, h.dtype, count*int64(size), max(room, 0), npyAdvice)
	}
	a := npyArray{dims: h.dims, whole: strings.ContainsAny(h.dtype[1:2], "biu")}
	if !a.whole {
		a.eps = map[int]float64{2: epsOf16, 4: epsOf32, 8: epsOf64}[size]
	}
	read := 0
	if h.dtype[1:] == "u1" {
		a.bytes = make([]uint8, count)
		read, err = io.ReadFull(r, a.bytes)
	} else {
		a.values = make([]float64, count)
		read, err = readValues(r, a.values, size, decode)
	}
	if err != nil {
		return npyArray{}, errors.Wrapf(err, "offset %d: array ends or is damaged here, expected %d bytes: %s", start+read,
			int64(start)+count*int64(size), npyAdvice)
	}
	// Reading up to the end also makes zip verify its checksum.
	switch n, err := io.ReadFull(r, make([]byte, 1)); {
	case n > 0:
		return npyArray{}, errors.Errorf("offset %d: trailing bytes, expected the array to end here: %s",
			int64(start)+count*int64(size), npyAdvice)
	case err != io.EOF:
		return npyArray{}, errors.Wrapf(err, "offset %d: after the last element: %s", int64(start)+count*int64(size), npyAdvice)
	}
	if h.fortran {
		a.bytes, a.values = rowMajor(a.bytes, a.dims), rowMajor(a.values, a.dims)
	}
	return a, nil
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

// readNPYHeader reads up to the first element and returns its offset.
func readNPYHeader(r io.Reader) (h npyHeader, start int, err error) {
	prefix := make([]byte, npyPrefix+4)
	short := func(n int, err error) (npyHeader, int, error) {
		return h, 0, errors.Wrapf(err, "offset %d: file ends or is damaged here, in the header: %s", n, npyAdvice)
	}
	if n, err := io.ReadFull(r, prefix[:npyPrefix]); err != nil {
		if !bytes.HasPrefix([]byte(npyMagic), prefix[:min(n, len(npyMagic))]) {
			return h, 0, errors.Errorf("offset 0: no array of NumPy: %s", npyAdvice)
		}
		return short(n, err)
	}
	if string(prefix[:len(npyMagic)]) != npyMagic {
		return h, 0, errors.Errorf("offset 0: begins with %q, expected %q: give a file that numpy.save wrote", prefix[:len(npyMagic)], npyMagic)
	}
	width := 4
	switch version := prefix[len(npyMagic)]; version {
	case 1:
		width = 2
	case 2, 3:
	default:
		return h, 0, errors.Errorf("offset %d: version %d of the format, expected 1, 2 or 3: %s", len(npyMagic), version, npyAdvice)
	}
	if n, err := io.ReadFull(r, prefix[npyPrefix:npyPrefix+width]); err != nil {
		return short(npyPrefix+n, err)
	}
	length := binary.LittleEndian.Uint32(prefix[npyPrefix:])
	if length > maxHeader {
		return h, 0, errors.Errorf("offset %d: header of %d bytes, expected at most %d: %s", npyPrefix, length, maxHeader, npyAdvice)
	}
	text := make([]byte, length)
	start = npyPrefix + width
	if n, err := io.ReadFull(r, text); err != nil {
		return short(start+n, err)
	}
	p := npyParser{text: string(text)}
	if h, err = p.header(); err != nil {
		return h, 0, errors.Wrapf(err, "offset %d: header %.100q", start+p.at, text)
	}
	return h, start + int(length), nil
}

// An npyParser reads the dictionary of a header: {'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }, its keys in any
// order.
type npyParser struct {
	text string
	at   int
}

func (p *npyParser) header() (h npyHeader, err error) {
	if !p.take("{") {
		return h, errors.Errorf("expected {: %s", npyAdvice)
	}
	seen := map[string]bool{}
	for !p.take("}") {
		key, err := p.str()
		if err != nil {
			return h, err
		}
		if seen[key] || !p.take(":") {
			return h, errors.Errorf("expected each of descr, fortran_order and shape once, with a value: %s", npyAdvice)
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
				err = errors.Errorf("fortran_order is neither True nor False: %s", npyAdvice)
			}
		case "shape":
			h.dims, err = p.tuple()
		default:
			err = errors.Errorf("unknown key %q: %s", key, npyAdvice)
		}
		if err != nil {
			return h, err
		}
		if !p.take(",") && !p.peek("}") {
			return h, errors.Errorf("expected , or }: %s", npyAdvice)
		}
	}
	if rest := strings.TrimSpace(p.text[p.at:]); rest != "" {
		return h, errors.Errorf("%q after the dictionary: %s", rest, npyAdvice)
	}
	if len(seen) != 3 {
		return h, errors.Errorf("expected descr, fortran_order and shape: %s", npyAdvice)
	}
	return h, nil
}

// peek skips blanks and tells whether s is next.
func (p *npyParser) peek(s string) bool {
	for p.at < len(p.text) && strings.IndexByte(" \t\n", p.text[p.at]) >= 0 {
		p.at++
	}
	return strings.HasPrefix(p.text[p.at:], s)
}

// take goes past s, if it is next.
func (p *npyParser) take(s string) bool {
	if !p.peek(s) {
		return false
	}
	p.at += len(s)
	return true
}

func (p *npyParser) str() (string, error) {
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
	return "", errors.Errorf("expected a string: %s", npyAdvice)
}

func (p *npyParser) tuple() ([]int, error) {
	if !p.take("(") {
		return nil, errors.Errorf("expected a tuple: %s", npyAdvice)
	}
	dims := []int{}
	for !p.take(")") {
		p.peek("")
		end := p.at
		for end < len(p.text) && p.text[end] >= '0' && p.text[end] <= '9' {
			end++
		}
		d, err := strconv.ParseInt(p.text[p.at:end], 10, 64)
		if err != nil || d > maxBody || len(dims) == maxAxes {
			return nil, errors.Errorf("expected at most %d axes of 0..%d: %s", maxAxes, maxBody, npyAdvice)
		}
		dims, p.at = append(dims, int(d)), end
		p.take("L") // as Python 2 wrote some
		if !p.take(",") && !p.peek(")") {
			return nil, errors.Errorf("expected , or ): %s", npyAdvice)
		}
	}
	return dims, nil
}

// npyDecoder returns how an element of a dtype is read, and its size in bytes.
func npyDecoder(dtype string) (decode func([]byte) float64, size int, err error) {
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
