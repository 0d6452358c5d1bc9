package claim

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pkg/errors"
)

// A keep is where the result of one cell is kept: a file that is there whole or not at all.
type keep struct {
	dir  string // "" keeps nothing
	name string // the hash of what determines the result
	task *task
}

// kept is the form of a kept result.
type kept struct {
	Experiment string          `json:"experiment"`
	Version    int             `json:"version"`
	Params     json.RawMessage `json:"params"`
	Seconds    float64         `json:"seconds"`
	Result     json.RawMessage `json:"result"`
	Sum        string          `json:"sum"` // of the result, by SHA-256
}

func newKeep(root string, t *task) (*keep, error) {
	if root == "" {
		return &keep{task: t}, nil
	}
	k := &keep{dir: filepath.Join(root, filepath.FromSlash(t.experiment.name)), task: t}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%d\n%s", t.experiment.name, t.experiment.version, t.params))
	k.name = hex.EncodeToString(sum[:16])
	return k, errors.Wrap(os.MkdirAll(k.dir, 0o755), "kept results")
}

func (k *keep) path() string { return filepath.Join(k.dir, k.name+".json") }

func sumOf(result []byte) string {
	sum := sha256.Sum256(result)
	return hex.EncodeToString(sum[:])
}

// load returns the kept result, nil if there is none, and an error that says what is wrong with the file there is.
func (k *keep) load() (*Result, error) {
	if k.dir == "" {
		return nil, nil
	}
	text, err := os.ReadFile(k.path())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, errors.Wrap(err, "kept result: measured again")
	}
	var f kept
	if err := strict(text, &f); err != nil {
		return nil, errors.Errorf("kept result %s: %v: measured again", k.path(), err)
	}
	t := k.task
	if f.Experiment != t.experiment.name || f.Version != t.experiment.version || !bytes.Equal(f.Params, t.params) || f.Sum != sumOf(f.Result) {
		return nil, errors.Errorf("kept result %s: it is not what its name and checksum say: measured again", k.path())
	}
	return &Result{Params: f.Params, Result: f.Result, Seconds: f.Seconds}, nil
}

// store keeps a result and removes the cell's folder.
func (k *keep) store(r *Result) error {
	if k.dir == "" {
		return nil
	}
	text, err := json.Marshal(kept{Experiment: k.task.experiment.name, Version: k.task.experiment.version,
		Params: r.Params, Seconds: r.Seconds, Result: r.Result, Sum: sumOf(r.Result)})
	if err != nil {
		return errors.Wrap(err, "kept result")
	}
	if err := replace(k.path(), append(text, '\n')); err != nil {
		return err
	}
	return errors.Wrap(os.RemoveAll(k.work()), "folder of a cell")
}

// work is the folder of the cell while it is measured.
func (k *keep) work() string { return filepath.Join(k.dir, k.name+".work") }

// folder makes the folder of the cell.
func (k *keep) folder() (string, error) {
	if k.dir == "" {
		return "", nil
	}
	return k.work(), errors.Wrap(os.MkdirAll(k.work(), 0o755), "folder of a cell")
}

// replace writes a file under a temporary name and renames it when it is on the disk.
func replace(path string, text []byte) error {
	dir := filepath.Dir(path)
	tmp, err := os.CreateTemp(dir, temporary+"*")
	if err != nil {
		return errors.Wrap(err, "kept result")
	}
	_, err = tmp.Write(text)
	if err == nil {
		err = tmp.Chmod(0o644)
	}
	if err == nil {
		err = tmp.Sync()
	}
	if e := tmp.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		os.Remove(tmp.Name())
	}
	return errors.Wrap(err, "kept result")
}

// temporary begins the names of files that are being written.
const temporary = ".tmp-"

// sweep removes what killed processes left half-written. Writing takes milliseconds: what is an hour old is nobody's.
func sweep(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return // it is only tidiness
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && strings.HasPrefix(e.Name(), temporary) && time.Since(info.ModTime()) > time.Hour {
			os.Remove(filepath.Join(dir, e.Name()))
		}
	}
}
