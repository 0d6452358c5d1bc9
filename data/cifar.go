package data

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/pcgraph/pcgraph/data/internal/cifar"
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

func (c CIFAR10) labels() cifar.Labels { return cifar.Labels{Classes: []int{10}} }

func (c CIFAR10) archive() archive {
	return cifarArchive("10", 10, c.labels(), c.Dir, "data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin",
		"data_batch_5.bin", "test_batch.bin")
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

func (c CIFAR100) labels() cifar.Labels {
	l := cifar.Labels{Classes: []int{20, 100}, Kept: 1}
	if c.Coarse {
		l.Kept = 0
	}
	return l
}

func (c CIFAR100) archive() archive {
	return cifarArchive("100", c.labels().Classes[c.labels().Kept], c.labels(), c.Dir, "train.bin", "test.bin")
}

// cifarArchive is one of the two sets. Beside Dir and the environment variable it may be among Debian's data sets under its name there, or
// unpacked below the home folder.
func cifarArchive(which string, classes int, labels cifar.Labels, dir string, parts ...string) archive {
	folder := map[string]string{"10": "cifar-10-batches-bin", "100": "cifar-100-binary"}[which]
	usual := []Location{{Dir: "/usr/share/datasets/cifar-" + which, Via: "folder of the system's data sets"}}
	if home, err := os.UserHomeDir(); err == nil {
		usual = append(usual, Location{Dir: filepath.Join(home, "datasets", folder), Via: "folder datasets of the home folder"})
	}
	return archive{
		name:    "CIFAR-" + which,
		parts:   parts,
		classes: classes,
		norm:    Norm{Mean: 0.5, Std: 0.5},
		look:    labels.Look,
		dir:     dir,
		env:     "PCGRAPH_CIFAR" + which,
		sub:     folder,
		usual:   usual,
		advice: fmt.Sprintf("get https://www.cs.toronto.edu/~kriz/cifar-%s-binary.tar.gz, unpack it with `tar xf`, and name the folder %s in "+
			"PCGRAPH_CIFAR%s or Dir", which, folder, which),
	}
}

// loadCIFAR reads the training and the test part, which is the last file.
func (a archive) loadCIFAR(norm Norm, labels cifar.Labels) (train, test *Set, err error) {
	return a.load(norm, len(a.parts)-1, func(paths []string) (*Set, error) { return a.readCIFARs(paths, labels) })
}

// readCIFARs makes a set, still without name and norm, of the records of all files in turn.
func (a archive) readCIFARs(paths []string, labels cifar.Labels) (*Set, error) {
	var all cifar.Records
	s := &Set{in: cifar.Pixels, out: a.classes, shape: Shape{Channels: cifar.Channels, Height: cifar.Side, Width: cifar.Side}}
	for k, path := range paths {
		file, err := readFile(path, func(r io.Reader, size int64) (err error) {
			all, err = cifar.Read(all, r, size, labels, len(paths)-k)
			return err
		})
		if err != nil {
			return nil, err
		}
		s.Files = append(s.Files, file)
	}
	s.pixels, s.labels, s.n = all.Pixels, widen(all.Labels), len(all.Labels)
	return s, nil
}
