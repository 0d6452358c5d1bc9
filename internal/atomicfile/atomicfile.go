// Package atomicfile writes files that are whole or not there: at any time a path holds either all of the old content or
// all of the new, whatever fails and whenever the process dies.
//
// The new content is written to path + Suffix, synced to the disk, and renamed; then the folder is synced. The temporary name is
// fixed, so a process that was killed leaves one file at most, which the next write replaces. Two processes must not write one
// path at the same time: see package lockfile.
//
// The steps of a write are fail points: a test makes each of them fail, or ends the process there, by [FailAt]; package
// atomicfiletest does so for all of them in turn.
package atomicfile

import (
	"bufio"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/pkg/errors"
)

// Suffix ends the name of a file that is being written.
const Suffix = ".new"

// A Step is a step of Write, in order.
type Step int

const (
	Remove Step = iota // what a killed process left
	Open
	Content // in the middle of each piece of 64 KB that is written
	Sync
	Close
	Rename
	Folder     // is synced: the new content is in place
	Steps  int = iota
)

var failing atomic.Pointer[func(Step, string) error]

// FailAt is for tests: from now on every Write calls at before each of its steps, with the path, and fails with the error that it
// returns. A nil function ends that.
func FailAt(at func(step Step, path string) error) {
	if at == nil {
		failing.Store(nil)
		return
	}
	failing.Store(&at)
}

// fail is the error of a fail point; nil unless a test has set one.
func fail(step Step, path string) error {
	if at := failing.Load(); at != nil {
		return (*at)(step, path)
	}
	return nil
}

// Write makes content the file path. After an error the old file is as it was, and no temporary file is left.
func Write(path string, content func(io.Writer) error) error {
	return errors.Wrapf(write(path, content), "write %s", path)
}

func write(path string, content func(io.Writer) error) error {
	// What a killed process left, or a link, which nothing is written through.
	err := run(Remove, path, func() error { return os.Remove(path + Suffix) })
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var f *os.File
	if err := run(Open, path, func() (err error) {
		f, err = os.OpenFile(path+Suffix, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		return err
	}); err != nil {
		return err
	}
	w := bufio.NewWriterSize(pieces{f, path}, 1<<16)
	err = content(w)
	for _, step := range []func() error{
		w.Flush,
		func() error { return run(Sync, path, f.Sync) },
	} {
		if err == nil {
			err = step()
		}
	}
	if e := f.Close(); err == nil {
		err = run(Close, path, func() error { return e })
	}
	if err == nil {
		err = run(Rename, path, func() error { return os.Rename(path+Suffix, path) })
	}
	if err != nil {
		os.Remove(path + Suffix)
		return err
	}
	// That the name outlives a power cut: on systems whose folders can be synced, as far as they can.
	run(Folder, path, func() error {
		d, err := os.Open(filepath.Dir(path))
		if err == nil {
			d.Sync()
			err = d.Close()
		}
		return err
	})
	return nil
}

// run does a step, unless a test makes it fail.
func run(step Step, path string, do func() error) error {
	if err := fail(step, path); err != nil {
		return err
	}
	return do()
}

// pieces is a file in whose pieces of content a test can fail.
type pieces struct {
	f    *os.File
	path string
}

func (p pieces) Write(b []byte) (int, error) {
	half := 0
	if failing.Load() != nil {
		half = len(b) / 2
		if _, err := p.f.Write(b[:half]); err != nil {
			return 0, err
		}
		if err := fail(Content, p.path); err != nil {
			return half, err
		}
	}
	n, err := p.f.Write(b[half:])
	return half + n, err
}
