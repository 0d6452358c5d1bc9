package claim

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/internal/atomicfile"
	"github.com/pcgraph/pcgraph/internal/lockfile"
)

// An entry is the place of one cell's result in the cache of a Runner.
type entry struct {
	dir  string // "" caches nothing
	name string // a hash of what determines the result
	task *task
}

// A cached is the content of an entry's file.
type cached struct {
	Experiment string          `json:"experiment"`
	Version    int             `json:"version"`
	Params     json.RawMessage `json:"params"`
	Seconds    float64         `json:"seconds"`
	Result     json.RawMessage `json:"result"`
	Sum        string          `json:"sum"` // SHA-256 of the result
}

func newEntry(root string, t *task) (*entry, error) {
	if root == "" {
		return &entry{task: t}, nil
	}
	e := &entry{dir: filepath.Join(root, filepath.FromSlash(t.experiment.name)), task: t}
	e.name = entryName(t.experiment.name, t.experiment.version, t.params)
	return e, errors.Wrap(os.MkdirAll(e.dir, 0o755), "cached results")
}

// entryName is the name of a cell's file without its ending.
func entryName(experiment string, version int, params []byte) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%d\n%s", experiment, version, params))
	return hex.EncodeToString(sum[:16])
}

func (e *entry) path() string { return filepath.Join(e.dir, e.name+".json") }

func sumOf(result []byte) string {
	sum := sha256.Sum256(result)
	return hex.EncodeToString(sum[:])
}

// load returns the cached result, nil if there is none, and an error that says what is wrong with the file.
func (e *entry) load() (*Result, error) {
	if e.dir == "" {
		return nil, nil
	}
	text, err := os.ReadFile(e.path())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, errors.Wrap(err, "cached result: measured again")
	}
	var c cached
	if err := strict(text, &c); err != nil {
		return nil, errors.Errorf("cached result %s: %v: measured again", e.path(), err)
	}
	r := &Result{Params: c.Params, Result: c.Result, Seconds: c.Seconds}
	t := e.task
	if c.Experiment != t.experiment.name || c.Version != t.experiment.version || !bytes.Equal(c.Params, t.params) || c.Sum != sumOf(c.Result) {
		return nil, errors.Errorf("cached result %s: it is not what its name and checksum say: measured again", e.path())
	}
	if err := t.experiment.reads(Table{Experiment: c.Experiment, Results: []Result{*r}}); err != nil {
		return nil, errors.WithMessagef(err, "cached result %s: measured again", e.path())
	}
	return r, nil
}

// store writes a result and removes the cell's folder. If another process is writing the same result, that is left to it.
func (e *entry) store(r *Result) error {
	if e.dir == "" {
		return nil
	}
	lock, err := lockfile.Acquire(e.path() + ".lock")
	var used *lockfile.InUseError
	if errors.As(err, &used) {
		return nil
	}
	if err != nil {
		return err
	}
	defer lock.Release()
	err = atomicfile.Write(e.path(), func(w io.Writer) error {
		return json.NewEncoder(w).Encode(cached{Experiment: e.task.experiment.name, Version: e.task.experiment.version,
			Params: r.Params, Seconds: r.Seconds, Result: r.Result, Sum: sumOf(r.Result)})
	})
	if err != nil {
		return err
	}
	return errors.Wrap(os.RemoveAll(e.work()), "folder of a cell")
}

// work is the folder of the cell while it is measured.
func (e *entry) work() string { return filepath.Join(e.dir, e.name+".work") }

// folder makes the folder of the cell.
func (e *entry) folder() (string, error) {
	if e.dir == "" {
		return "", nil
	}
	return e.work(), errors.Wrap(os.MkdirAll(e.work(), 0o755), "folder of a cell")
}

// Merge copies the results of cells from cache folders of other machines to the folder into, which is made if need be, and returns how
// many it copied and how many were there already. Errors, before anything is copied: files that are not what their names and checksums
// say, and two results of one cell that differ other than in the time they took.
func Merge(into string, from ...string) (copied, there int, err error) {
	files := map[string]string{} // file by its path in a cache folder
	sums := map[string]string{}
	list := func(root string) error {
		return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || filepath.Ext(path) != ".json" || strings.HasSuffix(filepath.Dir(path), ".work") {
				return err
			}
			name, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			c, err := readCached(path)
			if err != nil {
				return err
			}
			switch sum, known := sums[name]; {
			case !known:
				files[name], sums[name] = path, c.Sum
			case sum != c.Sum:
				return errors.Errorf("two results of one cell of %s that differ: %s and %s: remove the one that is wrong", c.Experiment, files[name], path)
			}
			return nil
		})
	}
	if err := os.MkdirAll(into, 0o755); err != nil {
		return 0, 0, errors.Wrap(err, "merge")
	}
	for i, root := range append([]string{into}, from...) {
		if err := list(root); err != nil {
			return 0, 0, errors.WithMessage(err, "merge")
		}
		if i == 0 {
			there = len(files)
		}
	}
	for name, path := range files {
		target := filepath.Join(into, name)
		if path == target {
			continue
		}
		text, err := os.ReadFile(path)
		if err == nil {
			err = os.MkdirAll(filepath.Dir(target), 0o755)
		}
		if err == nil {
			err = atomicfile.Write(target, func(w io.Writer) error { _, err := w.Write(text); return err })
		}
		if err != nil {
			return copied, there, errors.Wrap(err, "merge")
		}
		copied++
	}
	return copied, there, nil
}

// readCached reads a result of any experiment.
func readCached(path string) (c cached, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return c, errors.WithStack(err)
	}
	if err := strict(text, &c); err != nil {
		return c, errors.Errorf("%s is no result of a cell: %v", path, err)
	}
	if c.Sum != sumOf(c.Result) || filepath.Base(path) != entryName(c.Experiment, c.Version, c.Params)+".json" {
		return c, errors.Errorf("%s is not what its name and checksum say: remove it", path)
	}
	return c, nil
}
