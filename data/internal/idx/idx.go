// Package idx reads the IDX format of MNIST and its like (Y. LeCun, "The MNIST database of handwritten digits"): big-endian 32-bit magic and
// dimensions, then the bytes.
package idx

import (
	"encoding/binary"
	"io"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/internal/file"
)

// The magic's third byte 8 means "unsigned byte", its fourth is the number of dimensions.
const (
	MagicImages = 0x803 // [count, rows, columns]
	MagicLabels = 0x801 // [count]
)

const (
	MaxSide     = 1 << 12 // rows or columns of a picture
	maxDims     = 3
	wrongFile   = "give the file of that kind"
	labelOffset = 8 // of the first label
)

// Images are the pictures of one IDX file, [count, rows, columns].
type Images struct {
	Count, Rows, Columns int
	Pixels               []uint8
}

// ReadImages reads pictures from r, which holds size bytes, gzip or plain.
func ReadImages(r io.Reader, size int64) (Images, error) {
	dims, body, err := read(r, size, MagicImages)
	if err != nil {
		return Images{}, err
	}
	return Images{Count: dims[0], Rows: dims[1], Columns: dims[2], Pixels: body}, nil
}

// ReadLabels reads labels from r, which holds size bytes, gzip or plain. Every label is below classes.
func ReadLabels(r io.Reader, size int64, classes int) ([]uint8, error) {
	_, labels, err := read(r, size, MagicLabels)
	if err != nil {
		return nil, err
	}
	for i, label := range labels {
		if int(label) >= classes {
			return nil, errors.Errorf("offset %d: label %d of sample %d, expected 0..%d: %s",
				labelOffset+i, label, i, classes-1, file.Advice)
		}
	}
	return labels, nil
}

// read reads one IDX file of unsigned bytes with the given magic, streaming into one exact allocation. What the header
// promises is held against size, the bytes in r, before anything is allocated, so a lying header costs nothing.
// Offsets in errors count bytes of the uncompressed file.
func read(r io.Reader, size int64, magic uint32) (dims [maxDims]int, body []byte, err error) {
	r, limit, err := file.Unpack(r, size)
	if err != nil {
		return dims, nil, err
	}
	header := make([]byte, 4+4*(magic&0xff))
	have := 0
	for _, end := range []int{4, len(header)} { // the magic first: another kind of file may end before the dimensions
		n, err := io.ReadFull(r, header[have:end])
		if have += n; err != nil {
			return dims, nil, errors.Wrapf(err, "offset %d: file ends or is damaged here, expected a header of %d bytes: %s",
				have, len(header), file.Advice)
		}
		if found := binary.BigEndian.Uint32(header); found != magic {
			return dims, nil, wrongMagic(header[:4], magic)
		}
	}
	length, err := parseDims(dims[:], header[4:])
	if err != nil {
		return dims, nil, err
	}
	if length > limit-int64(len(header)) {
		return dims, nil, errors.Errorf("offset 4: header promises %d bytes %v, more than a file of %d bytes can hold: %s",
			length, dims[:len(header)/4-1], size, file.Advice)
	}

	body = make([]byte, length)
	if n, err := io.ReadFull(r, body); err != nil {
		return dims, nil, errors.Wrapf(err, "offset %d: file ends or is damaged here, expected %d bytes: %s",
			len(header)+n, int64(len(header))+length, file.Advice)
	}
	// Reading up to the end also makes gzip verify its checksum.
	switch n, err := io.ReadFull(r, header[:1]); {
	case n > 0:
		return dims, nil, errors.Errorf("offset %d: trailing bytes, expected the file to end here: %s",
			int64(len(header))+length, file.Advice)
	case err != io.EOF:
		return dims, nil, errors.Wrapf(err, "offset %d: after the last byte: %s", int64(len(header))+length, file.Advice)
	}
	return dims, body, nil
}

// wrongMagic is the error of a file that begins with other bytes than the magic number.
func wrongMagic(start []byte, magic uint32) error {
	remedy := wrongFile
	if start[0] == '<' {
		remedy = "it begins as a web page does, such as one that says that a download failed: fetch the file again"
	}
	return errors.Errorf("offset 0: magic number %#08x, expected %#08x (%s): %s", binary.BigEndian.Uint32(start), magic, kind(magic), remedy)
}

// Look holds the magic number of a file, gzip or plain, against one.
func Look(r io.Reader, size int64, magic uint32) error {
	r, _, err := file.Unpack(r, size)
	if err != nil {
		return err
	}
	var start [4]byte
	if n, err := io.ReadFull(r, start[:]); err != nil {
		return errors.Wrapf(err, "offset %d: file ends or is damaged here, in the magic number: %s", n, file.Advice)
	}
	if binary.BigEndian.Uint32(start[:]) != magic {
		return wrongMagic(start[:], magic)
	}
	return nil
}

// parseDims decodes the dimensions into dst and returns their product, which cannot overflow: it is refused above file.MaxBody.
func parseDims(dst []int, header []byte) (int64, error) {
	length := int64(1)
	for k := 0; 4*k < len(header); k++ {
		d := int64(binary.BigEndian.Uint32(header[4*k:]))
		bound := int64(MaxSide)
		if k == 0 {
			bound = file.MaxBody
		}
		if d < 1 || d > bound {
			return 0, errors.Errorf("offset %d: dimension %d is %d, expected 1..%d: %s", 4+4*k, k, d, bound, file.Advice)
		}
		if length > file.MaxBody/d {
			return 0, errors.Errorf("offset %d: dimensions make more than %d bytes: %s", 4+4*k, int64(file.MaxBody), file.Advice)
		}
		length *= d
		dst[k] = int(d)
	}
	return length, nil
}

func kind(magic uint32) string {
	if magic == MagicImages {
		return "IDX images"
	}
	return "IDX labels"
}
