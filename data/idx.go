package data

import (
	"encoding/binary"
	"io"

	"github.com/pcgraph/pcgraph/data/internal/file"
	"github.com/pcgraph/pcgraph/data/internal/words"
	"github.com/pkg/errors"
)

// The IDX format (Y. LeCun, "The MNIST database of handwritten digits"): big-endian 32-bit magic and dimensions, then the
// bytes. The magic's third byte 8 means "unsigned byte", its fourth is the number of dimensions.
const (
	magicImages = 0x803 // [count, rows, columns]
	magicLabels = 0x801 // [count]
)

const (
	maxSide     = 1 << 12 // rows or columns of a picture
	maxDims     = 3
	wrongFile   = "give the file of that kind"
	labelOffset = 8 // of the first label
)

// images are the pictures of one IDX file, [count, rows, columns].
type images struct {
	count, rows, columns int
	pixels               []uint8
}

// readImages reads pictures from r, which holds size bytes, gzip or plain.
func readImages(r io.Reader, size int64) (images, error) {
	dims, body, err := readIDX(r, size, magicImages)
	if err != nil {
		return images{}, err
	}
	return images{count: dims[0], rows: dims[1], columns: dims[2], pixels: body}, nil
}

// readLabels reads labels from r, which holds size bytes, gzip or plain. Every label is below classes.
func readLabels(r io.Reader, size int64, classes int) ([]uint8, error) {
	_, labels, err := readIDX(r, size, magicLabels)
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

// readIDX reads one IDX file of unsigned bytes with the given magic, streaming into one exact allocation. What the header
// promises is held against size, the bytes in r, before anything is allocated, so a lying header costs nothing.
// Offsets in errors count bytes of the uncompressed file.
func readIDX(r io.Reader, size int64, magic uint32) (dims [maxDims]int, body []byte, err error) {
	r, limit, err := file.Unpack(r, size)
	if err != nil {
		return dims, nil, err
	}
	header := make([]byte, 4+4*(magic&0xff))
	read := 0
	for _, end := range []int{4, len(header)} { // the magic first: another kind of file may end before the dimensions
		n, err := io.ReadFull(r, header[read:end])
		if read += n; err != nil {
			return dims, nil, errors.Wrapf(err, "offset %d: file ends or is damaged here, expected a header of %d bytes: %s",
				read, len(header), file.Advice)
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

// lookAtIDX holds the magic number of a file, gzip or plain, against one.
func lookAtIDX(r io.Reader, size int64, magic uint32) error {
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
		bound := int64(maxSide)
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
	if magic == magicImages {
		return "IDX images"
	}
	return "IDX labels"
}

// A File is a file as it was found or read.
type File struct {
	Path   string
	Size   int64  // bytes on disk
	SHA256 string // of the bytes on disk, in hex
}

// readFile lets read consume the file and returns what file it was; read must go on to the end.
func readFile(path string, read func(r io.Reader, size int64) error) (File, error) {
	f, size, err := file.Open(path)
	if err != nil {
		return File{}, err // says operation and path
	}
	defer f.Close()
	return readOpen(f, size, path, read)
}

// readOpen is readFile of what is open.
func readOpen(r io.Reader, size int64, path string, read func(r io.Reader, size int64) error) (File, error) {
	sum := file.Sum(r)
	if err := read(sum, size); err != nil {
		return File{}, errors.Wrap(err, words.Path(path))
	}
	return File{Path: path, Size: size, SHA256: sum.Hex()}, nil
}
