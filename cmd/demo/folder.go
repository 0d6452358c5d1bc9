package main

import (
	"bufio"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/data"
)

// A folder is where a run's files go. Every file is written under a temporary name and renamed when it is whole.
type folder struct {
	dir     string
	metrics *os.File // of metrics.jsonl, under its temporary name; nil before the first line
	buffer  *bufio.Writer
}

// newFolder makes the folder, runs/name-time if dir is empty, and makes sure that files can be written there: better now
// than after the training.
func newFolder(dir, name string, now time.Time) (*folder, error) {
	const remedy = "give another one with -out"
	above := dir
	if dir == "" {
		above = "runs"
	}
	if err := os.MkdirAll(above, 0o755); err != nil {
		return nil, errors.Errorf("output folder: %v: %s", err, remedy)
	}
	if dir == "" {
		base := filepath.Join(above, name+"-"+now.Format("20060102-150405"))
		dir = base
		err := os.Mkdir(dir, 0o755)
		for i := 2; errors.Is(err, fs.ErrExist); i++ { // another run of this second has it
			dir = base + "-" + strconv.Itoa(i)
			err = os.Mkdir(dir, 0o755)
		}
		if err != nil {
			return nil, errors.Errorf("output folder: %v: %s", err, remedy)
		}
	}
	probe, err := os.CreateTemp(dir, ".probe-*")
	if err != nil {
		return nil, errors.Errorf("output folder: not writable: %v: %s", err, remedy)
	}
	probe.Close()
	if err := os.Remove(probe.Name()); err != nil {
		return nil, errors.Errorf("output folder: %v: %s", err, remedy)
	}
	return &folder{dir: dir}, nil
}

// path is where a file of the folder is.
func (f *folder) path(name string) string { return filepath.Join(f.dir, name) }

// write makes a file, whole or not at all.
func (f *folder) write(name string, content func(io.Writer) error) error {
	tmp, err := os.CreateTemp(f.dir, "."+name+"-*")
	if err != nil {
		return errors.Wrap(err, "output folder")
	}
	buffer := bufio.NewWriter(tmp)
	err = content(buffer)
	if err == nil {
		err = buffer.Flush()
	}
	return f.commit(tmp, name, err)
}

// commit closes and renames a temporary file, or removes it after an error.
func (f *folder) commit(tmp *os.File, name string, err error) error {
	if err == nil {
		err = tmp.Chmod(0o644)
	}
	if e := tmp.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(tmp.Name(), f.path(name))
	}
	if err != nil {
		os.Remove(tmp.Name())
	}
	return errors.Wrapf(err, "write %s", name)
}

// line adds an object to metrics.jsonl.
func (f *folder) line(object any) error {
	if f.metrics == nil {
		tmp, err := os.CreateTemp(f.dir, ".metrics.jsonl-*")
		if err != nil {
			return errors.Wrap(err, "output folder")
		}
		f.metrics, f.buffer = tmp, bufio.NewWriter(tmp)
	}
	text, err := json.Marshal(object)
	if err != nil {
		return errors.Wrap(err, "write metrics.jsonl")
	}
	_, err = f.buffer.Write(append(text, '\n'))
	return errors.Wrap(err, "write metrics.jsonl")
}

// close gives metrics.jsonl its name. It may be called again.
func (f *folder) close() error {
	if f.metrics == nil {
		return nil
	}
	tmp := f.metrics
	f.metrics = nil
	return f.commit(tmp, "metrics.jsonl", f.buffer.Flush())
}

// A manifest says how a run can be had again and what it took.
type manifest struct {
	Command     string             `json:"command"`
	Options     any                `json:"options"`
	Seed        uint64             `json:"seed"`
	Started     time.Time          `json:"started"`
	Interrupted bool               `json:"interrupted"`
	Error       string             `json:"error,omitempty"`
	Version     version            `json:"version"`
	Data        []data.File        `json:"data"` // empty for what is made from the seed
	Results     map[string]any     `json:"results"`
	Seconds     map[string]float64 `json:"seconds"`
}

// writeManifest writes manifest.json.
func (f *folder) writeManifest(m *manifest) error {
	return f.write("manifest.json", func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(m)
	})
}
