package data

import (
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/pcgraph/pcgraph/data/internal/file"
	"github.com/pkg/errors"
)

// CIFAR10 is the set of 50000 + 10000 colour photographs, 32 x 32 pixels in 10 classes (Krizhevsky 2009, "Learning multiple
// layers of features from tiny images"). A sample is laid out [32, 32, 3], red, green and blue of a pixel side by side; the
// files have one plane after the other.
//
// The files data_batch_1.bin to data_batch_5.bin and test_batch.bin of the binary version, packed by gzip or not, are searched
// in Dir and its folder cifar-10-batches-bin; else in the folder that the environment variable PCGRAPH_CIFAR10 names, likewise;
// else in /usr/share/datasets/cifar-10 and in datasets/cifar-10-batches-bin of the home folder.
type CIFAR10 struct {
	Dir  string // folder of the files; empty means the search above
	Norm Norm   // of every channel; zero means (v/255 - 0.5) / 0.5, which is [-1, 1]
}

// Load reads both parts. Errors: a *NotFoundError (errors.Is ErrNotFound); a damaged file, with its path and the offset.
func (c CIFAR10) Load() (train, test *Set, err error) {
	return c.archive().loadCIFAR(c.Norm, c.labels())
}

func (c CIFAR10) labels() cifarLabels { return cifarLabels{classes: []int{10}} }

func (c CIFAR10) archive() archive {
	return archive{
		name: "CIFAR-10",
		parts: []string{"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin",
			"test_batch.bin"},
		classes: 10,
		norm:    Norm{Mean: 0.5, Std: 0.5},
		look:    c.labels().look,
		dir:     c.Dir,
		env:     "PCGRAPH_CIFAR10",
		sub:     "cifar-10-batches-bin",
		usual:   cifarPlaces("cifar-10", "cifar-10-batches-bin"),
		advice: "get https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz, unpack it with `tar xf`, and name the folder " +
			"cifar-10-batches-bin in PCGRAPH_CIFAR10 or Dir",
	}
}

// CIFAR100 is the set of 50000 + 10000 colour photographs, 32 x 32 pixels in 100 classes, which form 20 superclasses
// (Krizhevsky 2009, as CIFAR10), laid out [32, 32, 3].
//
// The files train.bin and test.bin of the binary version are searched like those of CIFAR10, with the folder cifar-100-binary,
// the environment variable PCGRAPH_CIFAR100 and /usr/share/datasets/cifar-100.
type CIFAR100 struct {
	Dir    string // folder of the files; empty means the search above
	Norm   Norm   // of every channel; zero means (v/255 - 0.5) / 0.5, which is [-1, 1]
	Coarse bool   // the 20 superclasses for the 100 classes
}

// Load reads both parts. Errors: as CIFAR10.Load.
func (c CIFAR100) Load() (train, test *Set, err error) {
	return c.archive().loadCIFAR(c.Norm, c.labels())
}

func (c CIFAR100) labels() cifarLabels {
	l := cifarLabels{classes: []int{20, 100}, kept: 1}
	if c.Coarse {
		l.kept = 0
	}
	return l
}

func (c CIFAR100) archive() archive {
	return archive{
		name:    "CIFAR-100",
		parts:   []string{"train.bin", "test.bin"},
		classes: c.labels().classes[c.labels().kept],
		norm:    Norm{Mean: 0.5, Std: 0.5},
		look:    c.labels().look,
		dir:     c.Dir,
		env:     "PCGRAPH_CIFAR100",
		sub:     "cifar-100-binary",
		usual:   cifarPlaces("cifar-100", "cifar-100-binary"),
		advice: "get https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz, unpack it with `tar xf`, and name the folder " +
			"cifar-100-binary in PCGRAPH_CIFAR100 or Dir",
	}
}

// cifarPlaces are the usual folders: beside Debian's data sets under its name there, or unpacked below the home folder.
func cifarPlaces(system, unpacked string) []Place {
	places := []Place{{Dir: filepath.Join("/usr/share/datasets", system), Via: "folder of the system's data sets"}}
	if home, err := os.UserHomeDir(); err == nil {
		places = append(places, Place{Dir: filepath.Join(home, "datasets", unpacked), Via: "folder datasets of the home folder"})
	}
	return places
}

const (
	cifarSide     = 32
	cifarChannels = 3
	cifarArea     = cifarSide * cifarSide
	cifarPixels   = cifarArea * cifarChannels
	maxCIFAR      = 1 << 28 // bytes of a file; the largest has 154 MB
)

// cifarLabels says what stands before the pixels of a record: one byte for each element of classes, below it. The set takes
// its labels from byte kept.
type cifarLabels struct {
	classes []int
	kept    int
}

// look holds the size of a file that is not packed, and the labels of its first record, against the format.
func (l cifarLabels) look(_ int, r io.Reader, size int64) error {
	r, limit, err := file.Unpack(r, size)
	if err != nil {
		return err
	}
	if record := int64(len(l.classes) + cifarPixels); limit == size && size%record != 0 {
		return errors.Errorf("file of %d bytes, expected a multiple of %d, the size of a record: %s", size, record, file.Advice)
	}
	start := make([]byte, len(l.classes))
	if n, err := io.ReadFull(r, start); err != nil {
		return errors.Wrapf(err, "offset %d: file ends or is damaged here, in the first record: %s", n, file.Advice)
	}
	for k, classes := range l.classes {
		if int(start[k]) >= classes {
			return errors.Errorf("offset %d: label %d, expected 0..%d: give a file of this set, undamaged", k, start[k], classes-1)
		}
	}
	return nil
}

// cifarRecords are pictures [n, 32, 32, 3] and labels [n].
type cifarRecords struct{ pixels, labels []uint8 }

// loadCIFAR reads the training and the test part, which is the last file.
func (a archive) loadCIFAR(norm Norm, labels cifarLabels) (train, test *Set, err error) {
	norm, err = norm.or(a.norm)
	if err != nil {
		return nil, nil, errors.Wrapf(err, "data: %s", a.name)
	}
	_, paths, err := a.find()
	if err != nil {
		return nil, nil, err
	}
	last := len(paths) - 1
	train, err = a.readCIFARs(paths[:last], norm, labels)
	if err != nil {
		return nil, nil, errors.Wrapf(err, "data: %s", a.name)
	}
	test, err = a.readCIFARs(paths[last:], norm, labels)
	if err != nil {
		return nil, nil, errors.Wrapf(err, "data: %s", a.name)
	}
	train.Name, test.Name = a.name+" train", a.name+" test"
	return train, test, nil
}

// readCIFARs makes a set, still without name, of the records of all files in turn.
func (a archive) readCIFARs(paths []string, norm Norm, labels cifarLabels) (*Set, error) {
	var all cifarRecords
	s := &Set{in: cifarPixels, out: a.classes, shape: Shape{Channels: cifarChannels, Height: cifarSide, Width: cifarSide}}
	for k, path := range paths {
		file, err := readFile(path, func(r io.Reader, size int64) (err error) {
			all, err = readCIFAR(all, r, size, labels, len(paths)-k)
			return err
		})
		if err != nil {
			return nil, err
		}
		s.Files = append(s.Files, file)
	}
	s.pixels, s.labels, s.n = all.pixels, widen(all.labels), len(all.labels)
	for range cifarChannels {
		s.norms, s.levels = append(s.norms, norm), append(s.levels, norm.table())
	}
	return s, nil
}

// readCIFAR appends the records of r, which holds size bytes, gzip or plain, to dst. A record is the labels, then a plane of
// 32 x 32 bytes each for red, green and blue, row by row; the format has no header, so any number of records is a file. Of so
// many files this is the first: memory is reserved for all, as if they were equal. Offsets in errors count bytes of the
// uncompressed file.
func readCIFAR(dst cifarRecords, r io.Reader, size int64, labels cifarLabels, files int) (cifarRecords, error) {
	r, limit, err := file.Unpack(r, size)
	if err != nil {
		return dst, err
	}
	record := make([]byte, len(labels.classes)+cifarPixels)
	if plain := limit == size; plain { // what gzip can unpack to is more
		if size%int64(len(record)) != 0 || size > maxCIFAR {
			return dst, errors.Errorf("file of %d bytes, expected a multiple of %d, the size of a record, of at most %d bytes: %s",
				size, len(record), maxCIFAR, "replace it by an undamaged copy, of the binary version of the right set")
		}
		n := int(size) / len(record) * files
		dst.pixels, dst.labels = slices.Grow(dst.pixels, n*cifarPixels), slices.Grow(dst.labels, n)
	}
	for offset := int64(0); ; offset += int64(len(record)) {
		switch n, err := io.ReadFull(r, record); {
		case err == io.EOF && offset > 0:
			return dst, nil
		case err != nil:
			return dst, errors.Wrapf(err, "offset %d: file ends or is damaged here, expected a record of %d bytes from offset %d: %s",
				offset+int64(n), len(record), offset, file.Advice)
		case offset+int64(len(record)) > maxCIFAR:
			return dst, errors.Errorf("offset %d: more than %d bytes: %s", offset, maxCIFAR, file.Advice)
		}
		for k, classes := range labels.classes {
			if int(record[k]) >= classes {
				return dst, errors.Errorf("offset %d: label %d of sample %d of the file, expected 0..%d: %s", offset+int64(k),
					record[k], offset/int64(len(record)), classes-1, "give a file of this set, undamaged")
			}
		}
		dst.labels = append(dst.labels, record[labels.kept])
		planes := record[len(labels.classes):]
		for j := range cifarArea {
			dst.pixels = append(dst.pixels, planes[j], planes[cifarArea+j], planes[2*cifarArea+j])
		}
	}
}
