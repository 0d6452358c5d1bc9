// Package lockfile keeps two processes, or two parts of one, from writing the same files.
//
// A lock is an advisory lock of the operating system on a file that exists while the lock is held. The system releases it
// when its owner ends, however it ends: the file that a killed process leaves locks nothing, and the next owner takes it
// over. Where a file system has no locks (some network mounts) Acquire succeeds and protects nothing.
package lockfile

import (
	stderrors "errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/pkg/errors"
)

// A Lock is held until Release. A nil Lock holds nothing.
type Lock struct{ file *flock.Flock }

// InUseError is the error of Acquire when somebody else holds the lock.
type InUseError struct {
	Path  string // of the lock file
	Owner string // who has it, in words; empty if it did not say
}

func (e *InUseError) Error() string {
	if e.Owner == "" {
		return fmt.Sprintf("in use by another run, which holds %s", e.Path)
	}
	return fmt.Sprintf("in use by %s, which holds %s", e.Owner, e.Path)
}

// Acquire takes the lock whose file is path, without waiting. It returns an *InUseError if the lock is held, also by this
// process, and another error if the file cannot be made.
func Acquire(path string) (*Lock, error) {
	for {
		// A link or a pipe in the place of the file is somebody's trap: nothing is written through it.
		if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
			return nil, errors.Errorf("lock: %s is no regular file (%v): remove it", path, info.Mode().Type())
		}
		l := &Lock{file: flock.New(path, flock.SetPermissions(0o644), flock.SetFlag(os.O_CREATE|os.O_RDWR|noFollow))}
		got, err := l.file.TryLock()
		switch {
		case errors.Is(err, stderrors.ErrUnsupported):
			os.Remove(path)
			return nil, nil
		case err != nil:
			return nil, errors.Wrap(err, "lock")
		case !got:
			return nil, &InUseError{Path: path, Owner: owner(path)}
		}
		// A previous owner may have removed the file between our opening and locking it: then others lock another file.
		held, err := l.file.Stat()
		named, e := os.Lstat(path)
		if err != nil || e != nil || !os.SameFile(held, named) {
			l.file.Unlock()
			continue
		}
		host, _ := os.Hostname()
		text := fmt.Sprintf("process %d on %s since %s\n", os.Getpid(), host, time.Now().Format("2006-01-02 15:04:05"))
		os.WriteFile(path, []byte(text), 0o644) // for the other one's error: a lock without it is a lock
		return l, nil
	}
}

// owner reads who holds a lock.
func owner(path string) string {
	text, err := os.ReadFile(path)
	if err != nil || len(text) > 200 {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// Release gives the lock back and removes its file. It may be called again.
func (l *Lock) Release() error {
	if l == nil || !l.file.Locked() {
		return nil
	}
	os.Remove(l.file.Path()) // while it is held: later the name may be that of the next owner's lock
	err := l.file.Unlock()
	if runtime.GOOS == "windows" { // an open file has no other time to be removed, and the next owner's is open
		os.Remove(l.file.Path())
	}
	return errors.Wrap(err, "lock")
}
