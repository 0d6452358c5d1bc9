package data

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/internal/file"
	"github.com/pcgraph/pcgraph/internal/words"
)

// ErrNotFound is what a NotFoundError is to errors.Is.
var ErrNotFound = errors.New("data set not found")

// A NotFoundError says that the files of a data set are in none of the folders searched.
type NotFoundError struct {
	Name     string     // of the data set
	Searched []Location // in this order; Err is what was wrong there: "no train-images-idx3-ubyte[.gz]"
	Advice   string     // how to get the files
}

// Error lists every folder and what is missing there, one a line, and how to get the files.
func (e *NotFoundError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "data: %s: not found, searched:\n", e.Name)
	for _, p := range e.Searched {
		fmt.Fprintf(&b, "  %s (%s): %s\n", words.Path(p.Dir), p.Via, p.Err)
	}
	if len(e.Searched) == 0 {
		b.WriteString("  nowhere: no usual folder is known here (are HOME, GOPATH and GOMODCACHE unset?)\n")
	}
	b.WriteString(e.Advice)
	return b.String()
}

// Unwrap returns ErrNotFound.
func (e *NotFoundError) Unwrap() error { return ErrNotFound }

// Dirs names the folders to search, as from flags. An empty one means the usual places.
type Dirs struct{ MNIST, FashionMNIST, CIFAR10, CIFAR100 string }

// A Location is a folder where the files of a data set are, or may be.
type Location struct {
	Name  string // of the data set
	Dir   string
	Via   string // why this folder: "environment variable PCGRAPH_MNIST"
	Files []File // MNIST and its like: training images, training labels, test images, test labels; CIFAR: training, then test
	Err   error  // what is wrong there; of Locate, a *NotFoundError or why a file could not be read
}

// Locate finds the files of every data set that is read from files, computes their checksums, and checks that each begins as its
// format requires. It does not parse the rest.
func Locate(dirs Dirs) []Location {
	return []Location{
		MNIST{Dir: dirs.MNIST}.archive().locate(),
		FashionMNIST{Dir: dirs.FashionMNIST}.archive().locate(),
		CIFAR10{Dir: dirs.CIFAR10}.archive().locate(),
		CIFAR100{Dir: dirs.CIFAR100}.archive().locate(),
	}
}

// parts are the files of MNIST and its like, in the order of Location.Files. Some copies have a dot for the dash before "idx".
var parts = [4]string{"train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"}

// An archive is a data set distributed as a folder of files.
type archive struct {
	name    string
	parts   []string // names of the files, in the order of Location.Files
	classes int
	norm    Norm
	dir     string                                        // explicit; searched alone
	env     string                                        // environment variable; when set, searched alone
	sub     string                                        // folder that unpacking makes, searched below dir and env too; may be empty
	usual   []Location                                    // searched otherwise
	look    func(part int, r io.Reader, size int64) error // holds the beginning of a file against its format
	advice  string
}

// folders returns the folders to search. A folder that somebody named is searched alone: falling back to another one would
// train on other data than was asked for.
func (a archive) folders() []Location {
	if a.dir != "" {
		return a.named(a.dir, "field Dir")
	}
	if dir := os.Getenv(a.env); dir != "" {
		return a.named(dir, "environment variable "+a.env)
	}
	return a.usual
}

// named are the folders to search for a folder that somebody named.
func (a archive) named(dir, via string) []Location {
	folders := []Location{{Dir: dir, Via: via}}
	if a.sub != "" {
		folders = append(folders, Location{Dir: filepath.Join(dir, a.sub), Via: via})
	}
	return folders
}

// find returns the first folder that holds all files, and their paths in the order of parts.
func (a archive) find() (Location, []string, error) {
	notFound := &NotFoundError{Name: a.name, Advice: a.advice}
	for _, p := range a.folders() {
		paths, err := filesIn(p.Dir, a.parts)
		if err == nil {
			return p, paths, nil
		}
		p.Err = err
		notFound.Searched = append(notFound.Searched, p)
	}
	return Location{}, nil, notFound
}

// load reads the training part, from the first files, and the test part, normalised by norm or, if that is zero, as usual.
func (a archive) load(norm Norm, training int, read func(paths []string) (*Set, error)) (train, test *Set, err error) {
	norm, err = norm.or(a.norm)
	if err != nil {
		return nil, nil, errors.Wrapf(err, "data: %s", a.name)
	}
	_, paths, err := a.find()
	if err != nil {
		return nil, nil, err
	}
	if train, err = read(paths[:training]); err == nil {
		test, err = read(paths[training:])
	}
	if err != nil {
		return nil, nil, errors.Wrapf(err, "data: %s", a.name)
	}
	if train.shape != test.shape {
		return nil, nil, errors.Errorf("data: %s: %s has pictures of %d x %d, %s of %d x %d: take both from one source",
			a.name, paths[0], train.shape.Height, train.shape.Width, paths[training], test.shape.Height, test.shape.Width)
	}
	for _, s := range []*Set{train, test} {
		for range s.shape.Channels {
			s.norms, s.levels = append(s.norms, norm), append(s.levels, norm.table())
		}
	}
	train.Name, test.Name = a.name+" train", a.name+" test"
	return train, test, nil
}

// locate is find with checksums.
func (a archive) locate() Location {
	at := Location{Name: a.name}
	folder, paths, err := a.find()
	if err != nil {
		at.Err = err
		return at
	}
	at.Dir, at.Via = folder.Dir, folder.Via
	for k, path := range paths {
		file, err := readFile(path, func(r io.Reader, size int64) error {
			if err := a.look(k, r, size); err != nil {
				return err
			}
			_, err := io.Copy(io.Discard, r)
			return err
		})
		if err != nil {
			at.Err = errors.Wrapf(err, "data: %s", a.name)
			return at
		}
		at.Files = append(at.Files, file)
	}
	return at
}

// filesIn returns the paths of all parts in dir, or what is wrong.
func filesIn(dir string, parts []string) ([]string, error) {
	if _, err := os.Stat(dir); err != nil {
		return nil, file.Cause(err)
	}
	var paths, missing []string
	for _, part := range parts {
		path, err := fileIn(dir, part)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			missing = append(missing, part+"[.gz]")
		case err != nil:
			return nil, errors.WithMessage(file.Cause(err), part)
		}
		paths = append(paths, path)
	}
	if missing != nil {
		return nil, errors.New("no " + strings.Join(missing, ", "))
	}
	return paths, nil
}

// fileIn returns the path of a part under any of its spellings; an unpacked file comes before a packed one.
func fileIn(dir, part string) (string, error) {
	dotted := strings.Replace(part, "-idx", ".idx", 1)
	for _, name := range []string{part, dotted, part + ".gz", dotted + ".gz"} {
		path := filepath.Join(dir, name)
		info, err := os.Stat(path)
		switch {
		case err == nil && info.Mode().IsRegular():
			return path, nil
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return "", err
		}
	}
	return "", fs.ErrNotExist
}
