package npy

import (
	"archive/zip"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/internal/file"
	"github.com/pcgraph/pcgraph/internal/words"
)

// A Store is named arrays that can be read, of an archive .npz or a folder of .npy.
type Store struct {
	Path  string // of the archive or folder
	Names []string
	First string // the name of the file that was given, if it was one array
	Array func(name string) (Array, file.Info, error)
	Close func()
}

// Open finds the arrays of an archive, a folder or the folder of a file.
func Open(path string) (*Store, error) {
	if path == "" {
		return nil, errors.New("NumPy: File is empty: give an archive .npz, or a folder of .npy")
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, errors.Errorf("%s: %s: give the path of an archive .npz, or of a folder of .npy", words.Path(path), file.Cause(err))
	case info.IsDir():
		return openFolder(path, "")
	case strings.EqualFold(filepath.Ext(path), ".npy"):
		return openFolder(filepath.Dir(path), strings.TrimSuffix(filepath.Base(path), filepath.Ext(path)))
	}
	return openArchive(path)
}

// openFolder finds the arrays of a folder.
func openFolder(dir, first string) (*Store, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	s := &Store{Path: dir, First: first, Close: func() {}}
	for _, e := range entries {
		if name := e.Name(); !e.IsDir() && filepath.Ext(name) == ".npy" {
			s.Names = append(s.Names, strings.TrimSuffix(name, ".npy"))
		}
	}
	s.Array = func(name string) (a Array, of file.Info, err error) {
		of, err = file.Read(filepath.Join(dir, name+".npy"), func(r io.Reader, size int64) (err error) {
			a, err = Read(r, size)
			return err
		})
		return a, of, err
	}
	return s, nil
}

// openArchive finds the arrays of an archive and takes its checksum.
func openArchive(path string) (*Store, error) {
	f, size, err := file.Open(path)
	if err != nil {
		return nil, err
	}
	sum := file.Sum(io.NewSectionReader(f, 0, size))
	if _, err := io.Copy(io.Discard, sum); err != nil {
		f.Close()
		return nil, errors.Wrap(err, words.Path(path))
	}
	of := file.Info{Path: path, Size: size, SHA256: sum.Hex()}
	s, err := In(f, size)
	if err != nil {
		f.Close()
		return nil, errors.Wrap(err, words.Path(path))
	}
	s.Path = path
	read := s.Array
	s.Array = func(name string) (Array, file.Info, error) {
		a, _, err := read(name)
		return a, of, errors.Wrap(err, words.Path(path)+": "+words.Printable(words.Clip(name)))
	}
	s.Close = func() { f.Close() }
	return s, nil
}

// In finds the arrays of an archive of size bytes.
func In(r io.ReaderAt, size int64) (*Store, error) {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, errors.Wrap(err, "no archive of NumPy: save it again with numpy.savez")
	}
	s := &Store{Close: func() {}}
	members := make(map[string]*zip.File, len(z.File))
	for _, member := range z.File {
		if name, is := strings.CutSuffix(member.Name, ".npy"); is {
			if members[name] != nil {
				return nil, errors.Errorf("two arrays are called %q: save it again with numpy.savez", name)
			}
			members[name] = member
			s.Names = append(s.Names, name)
		}
	}
	slices.Sort(s.Names)
	s.Array = func(name string) (Array, file.Info, error) {
		member := members[name]
		body, err := member.Open()
		if err != nil {
			return Array{}, file.Info{}, errors.Wrap(err, "save it again with numpy.savez or numpy.savez_compressed")
		}
		defer body.Close()
		limit := min(member.UncompressedSize64, uint64(min(size, file.MaxBody))*file.MaxDeflate) // the first is what the archive says
		a, err := Read(body, int64(limit))
		return a, file.Info{}, err
	}
	return s, nil
}
