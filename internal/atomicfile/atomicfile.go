// Package atomicfile writes files that are whole or not there: at any time a path holds either all of the old content or
// all of the new.
//
// The new content is written to path + Suffix, synced to the disk, and renamed. The temporary name is fixed, so a process
// that was killed leaves one file at most, which the next write replaces. Two processes must not write one path at the same
// time: see package lockfile.
package atomicfile

import (
	"bufio"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/pkg/errors"
)

// Suffix ends the name of a file that is being written.
const Suffix = ".new"

// Write makes content the file path. After an error the old file is as it was, and no temporary file is left.
func Write(path string, content func(io.Writer) error) error {
	if err := os.Remove(path + Suffix); err != nil && !errors.Is(err, fs.ErrNotExist) { // what a killed process left, or a link
		return errors.Wrapf(err, "write %s", path)
	}
	f, err := os.OpenFile(path+Suffix, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return errors.Wrapf(err, "write %s", path)
	}
	w := bufio.NewWriterSize(f, 1<<16)
	err = content(w)
	if err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(path+Suffix, path)
	}
	if err != nil {
		os.Remove(path + Suffix)
		return errors.Wrapf(err, "write %s", path)
	}
	syncFolder(filepath.Dir(path))
	return nil
}

// syncFolder makes the new name outlive a power cut, on systems whose folders can be synced.
func syncFolder(dir string) {
	if d, err := os.Open(dir); err == nil {
		d.Sync()
		d.Close()
	}
}
