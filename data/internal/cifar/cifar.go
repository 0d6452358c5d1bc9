// Package cifar reads the binary version of CIFAR-10 and CIFAR-100.
package cifar

import (
	"io"
	"slices"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/internal/file"
)

const (
	Side     = 32
	Channels = 3
	area     = Side * Side
	Pixels   = area * Channels
	maxBytes = 1 << 28 // bytes of a file; the largest has 154 MB
)

// Labels says what stands before the pixels of a record: one byte for each element of Classes, below it. The set takes
// its labels from byte Kept.
type Labels struct {
	Classes []int
	Kept    int
}

// Look holds the size of a file that is not packed, and the labels of its first record, against the format.
func (l Labels) Look(_ int, r io.Reader, size int64) error {
	r, limit, err := file.Unpack(r, size)
	if err != nil {
		return err
	}
	if record := int64(len(l.Classes) + Pixels); limit == size && size%record != 0 {
		return errors.Errorf("file of %d bytes, expected a multiple of %d, the size of a record: %s", size, record, file.Advice)
	}
	start := make([]byte, len(l.Classes))
	if n, err := io.ReadFull(r, start); err != nil {
		return errors.Wrapf(err, "offset %d: file ends or is damaged here, in the first record: %s", n, file.Advice)
	}
	for k, classes := range l.Classes {
		if int(start[k]) >= classes {
			return errors.Errorf("offset %d: label %d, expected 0..%d: give a file of this set, undamaged", k, start[k], classes-1)
		}
	}
	return nil
}

// Records are pictures [n, 32, 32, 3] and labels [n].
type Records struct{ Pixels, Labels []uint8 }

// Read appends the records of r, which holds size bytes, gzip or plain, to dst. A record is the labels, then a plane of
// 32 x 32 bytes each for red, green and blue, row by row; the format has no header, so any number of records is a file. Of so
// many files this is the first: memory is reserved for all, as if they were equal. Offsets in errors count bytes of the
// uncompressed file.
func Read(dst Records, r io.Reader, size int64, labels Labels, files int) (Records, error) {
	r, limit, err := file.Unpack(r, size)
	if err != nil {
		return dst, err
	}
	record := make([]byte, len(labels.Classes)+Pixels)
	if plain := limit == size; plain { // what gzip can unpack to is more
		if size%int64(len(record)) != 0 || size > maxBytes {
			return dst, errors.Errorf("file of %d bytes, expected a multiple of %d, the size of a record, of at most %d bytes: %s",
				size, len(record), maxBytes, "replace it by an undamaged copy, of the binary version of the right set")
		}
		n := int(size) / len(record) * files
		dst.Pixels, dst.Labels = slices.Grow(dst.Pixels, n*Pixels), slices.Grow(dst.Labels, n)
	}
	for offset := int64(0); ; offset += int64(len(record)) {
		switch n, err := io.ReadFull(r, record); {
		case err == io.EOF && offset > 0:
			return dst, nil
		case err != nil:
			return dst, errors.Wrapf(err, "offset %d: file ends or is damaged here, expected a record of %d bytes from offset %d: %s",
				offset+int64(n), len(record), offset, file.Advice)
		case offset+int64(len(record)) > maxBytes:
			return dst, errors.Errorf("offset %d: more than %d bytes: %s", offset, maxBytes, file.Advice)
		}
		for k, classes := range labels.Classes {
			if int(record[k]) >= classes {
				return dst, errors.Errorf("offset %d: label %d of sample %d of the file, expected 0..%d: %s", offset+int64(k),
					record[k], offset/int64(len(record)), classes-1, "give a file of this set, undamaged")
			}
		}
		dst.Labels = append(dst.Labels, record[labels.Kept])
		planes := record[len(labels.Classes):]
		for j := range area {
			dst.Pixels = append(dst.Pixels, planes[j], planes[area+j], planes[2*area+j])
		}
	}
}
