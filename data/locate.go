package data

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/pcgraph/pcgraph/data/internal/file"
	"github.com/pcgraph/pcgraph/data/internal/words"
	"github.com/pkg/errors"
)

// ErrNotFound is what a NotFoundError is to errors.Is.
var ErrNotFound = errors.New("data set not found")

// A NotFoundError says that the files of a data set are in none of the places searched.
type NotFoundError struct {
	Name     string  // of the data set
	Searched []Place // in this order
	Advice   string  // how to get the files
}

// A Place is a folder that was searched.
type Place struct {
	Dir     string
	Via     string // why it was searched: "environment variable PCGRAPH_MNIST"
	Problem string // what was wrong there: "no train-images-idx3-ubyte[.gz]"
}

// Error lists every place and what is missing there, one a line, and how to get the files.
func (e *NotFoundError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "data: %s: not found, searched:\n", e.Name)
	for _, p := range e.Searched {
		fmt.Fprintf(&b, "  %s (%s): %s\n", words.Path(p.Dir), p.Via, p.Problem)
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

// A Location says where the files of a data set are.
type Location struct {
	Name  string // of the data set
	Dir   string
	Via   string // why this folder
	Files []File // MNIST and its like: training images, training labels, test images, test labels; CIFAR: training, then test
	Err   error  // a *NotFoundError, or why a file could not be read
}

// Locate finds the files of every data set that is read from files, takes their checksums, and holds how they begin against their
// format. It does not parse the rest.
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
	usual   []Place                                       // searched otherwise
	look    func(part int, r io.Reader, size int64) error // holds the beginning of a file against its format
	advice  string
}

// places returns the folders to search. A folder that somebody named is searched alone: falling back to another one would
// train on other data than was asked for.
func (a archive) places() []Place {
	if a.dir != "" {
		return a.named(a.dir, "field Dir")
	}
	if dir := os.Getenv(a.env); dir != "" {
		return a.named(dir, "environment variable "+a.env)
	}
	return a.usual
}

// named are the places for a folder that somebody named.
func (a archive) named(dir, via string) []Place {
	places := []Place{{Dir: dir, Via: via}}
	if a.sub != "" {
		places = append(places, Place{Dir: filepath.Join(dir, a.sub), Via: via})
	}
	return places
}

// find returns the first place that holds all files, and their paths in the order of parts.
func (a archive) find() (Place, []string, error) {
	places := a.places()
	notFound := &NotFoundError{Name: a.name, Advice: a.advice}
	for _, p := range places {
		paths, problem := filesIn(p.Dir, a.parts)
		if problem == "" {
			return p, paths, nil
		}
		p.Problem = problem
		notFound.Searched = append(notFound.Searched, p)
	}
	return Place{}, nil, notFound
}

// locate is find with checksums.
func (a archive) locate() Location {
	at := Location{Name: a.name}
	place, paths, err := a.find()
	if err != nil {
		at.Err = err
		return at
	}
	at.Dir, at.Via = place.Dir, place.Via
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
func filesIn(dir string, parts []string) (paths []string, problem string) {
	if _, err := os.Stat(dir); err != nil {
		return nil, file.Cause(err).Error()
	}
	var missing []string
	for _, part := range parts {
		path, err := fileIn(dir, part)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			missing = append(missing, part+"[.gz]")
		case err != nil:
			return nil, part + ": " + file.Cause(err).Error()
		}
		paths = append(paths, path)
	}
	if missing != nil {
		return nil, "no " + strings.Join(missing, ", ")
	}
	return paths, ""
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
