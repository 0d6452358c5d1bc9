package onnx

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/internal/atomicfile"
)

// maxFile is the largest message of protobuf: 2 GB.
const maxFile = 1<<31 - 1

// A location is where the data of a tensor are, of a model with weights beside it.
type location struct {
	file         string
	kind         Type
	offset, size int64
}

func (l *location) pairs() [][2]string {
	return [][2]string{{"location", l.file}, {"offset", strconv.FormatInt(l.offset, 10)}, {"length", strconv.FormatInt(l.size, 10)}}
}

// locationOf reads a location. It must be within the model's own folder.
func locationOf(place map[string]string, kind Type, size int64) (*location, error) {
	l := &location{file: place["location"], kind: kind, size: size}
	if !filepath.IsLocal(filepath.FromSlash(l.file)) {
		return nil, errors.Errorf("its data are in the file %q: want one in the folder of the model", l.file)
	}
	for key, v := range map[string]*int64{"offset": &l.offset, "length": &size} {
		text, is := place[key]
		if !is {
			continue
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 {
			return nil, errors.Errorf("the %s of its data in %q is %q: want a number of bytes", key, l.file, text)
		}
		*v = n
	}
	if size != l.size {
		return nil, errors.Errorf("%d bytes of data in %q where its shape takes %d", size, l.file, l.size)
	}
	return l, nil
}

// WriteFile writes a model. With beside, tensors of a kilobyte and more go to a file of their own in the same folder, whose name has
// their SHA-256 (model.onnx.3fa2....data), so that a model never meets another model's weights; a model beyond 2 GB must be written so.
func WriteFile(path string, m *Model, beside bool) error {
	wrap := func(err error) error { return errors.WithMessagef(err, "onnx: write %s", path) }
	if !beside {
		size := int64(0)
		for i := range m.Graph.Tensors {
			t := &m.Graph.Tensors[i]
			size += int64(t.len()) * int64(t.Type().size())
		}
		if size > maxFile-1<<20 {
			return wrap(errors.Errorf("%d bytes of weights: a file of this format has 2 GB at most: write them beside it", size))
		}
		text, err := Marshal(m)
		if err != nil {
			return wrap(err)
		}
		return wrap(atomicfile.Write(path, whole(text)))
	}
	out := *m
	out.Graph.Tensors = append([]Tensor(nil), m.Graph.Tensors...)
	var apart []*Tensor
	at, sum := int64(0), sha256.New()
	for i := range out.Graph.Tensors {
		t := &out.Graph.Tensors[i]
		if err := t.check(); err != nil {
			return wrap(err)
		}
		if size := int64(t.len()) * int64(t.Type().size()); size >= 1<<10 {
			t.beside = &location{kind: t.Type(), offset: at, size: size}
			at += size
			sum.Write(t.raw())
			apart = append(apart, t)
		}
	}
	name := filepath.Base(path) + "." + hex.EncodeToString(sum.Sum(nil))[:12] + ".data"
	for _, t := range apart {
		t.beside.file = name
	}
	if len(apart) > 0 {
		err := atomicfile.Write(filepath.Join(filepath.Dir(path), name), func(w io.Writer) error {
			for _, t := range apart {
				if _, err := w.Write(t.raw()); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return wrap(err)
		}
	}
	text, err := Marshal(&out)
	if err != nil {
		return wrap(err)
	}
	return wrap(atomicfile.Write(path, whole(text)))
}

func whole(text []byte) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	}
}

// ReadFile reads a model, and the weights beside it. Errors name the node or tensor that they are about.
func ReadFile(path string) (*Model, error) {
	m, err := readFile(path)
	return m, errors.WithMessagef(err, "onnx: read %s", path)
}

func readFile(path string) (*Model, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("not a regular file")
	case info.Size() > maxFile:
		return nil, errors.Errorf("%d bytes, where the format has 2 GB at most", info.Size())
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	m, err := unmarshal(text)
	if err != nil {
		return nil, err
	}
	for i := range m.Graph.Tensors {
		t := &m.Graph.Tensors[i]
		if t.beside == nil {
			continue
		}
		if err := t.load(filepath.Dir(path)); err != nil {
			return nil, errors.WithMessagef(err, "tensor %q", t.Name)
		}
	}
	return m, nil
}

// load reads the data of a tensor from the file beside the model.
func (t *Tensor) load(folder string) error {
	l := t.beside
	f, err := os.Open(filepath.Join(folder, filepath.FromSlash(l.file)))
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || l.offset > info.Size() || l.size > info.Size()-l.offset {
		return errors.Errorf("its data are said to be the bytes %d to %d of %s, which has %d: the file is cut off, or of another model", l.offset, l.offset+l.size, l.file, info.Size())
	}
	raw := make([]byte, l.size)
	if _, err := io.ReadFull(io.NewSectionReader(f, l.offset, l.size), raw); err != nil {
		return err
	}
	t.Data, t.beside = decode(l.kind, raw), nil
	return nil
}
