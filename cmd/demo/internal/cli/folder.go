package cli

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/internal/atomicfile"
	"github.com/pcgraph/pcgraph/internal/jsonfloat"
	"github.com/pcgraph/pcgraph/internal/lockfile"
)

// FolderFlags say where a run's files go.
type FolderFlags struct {
	Out       string `placeholder:"DIR" help:"Folder for the run's files (default: runs/NAME-TIME). One that holds the files of another run is refused." json:"-"`
	Overwrite bool   `help:"Replace the run that is in the folder of -out, and files there that have the names of those written; others stay." json:"-"`
}

func (f FolderFlags) folder() FolderFlags { return f }

// Names of files in a run folder.
const (
	ManifestName = "manifest.json"
	MetricsName  = "metrics.jsonl"
	LockName     = "run.lock"
)

// WeightsSuffix ends the names of files of weights.
const WeightsSuffix = ".safetensors"

// A Folder is where the files of one run go. It belongs to one process at a time. Every file but metrics.jsonl, which grows
// line by line, is whole or not there.
type Folder struct {
	Dir   string
	made  bool // this run made it
	lock  *lockfile.Lock
	files []string // what this run has written, manifest.json aside
	older *Manifest
	was   []byte // the older manifest.json

	curves  *curves // nil: in metrics.jsonl alone
	metrics *os.File
	lines   bytes.Buffer // of metrics.jsonl, whole lines that are not yet in the file
	flushed time.Time
}

// outRemedy ends errors about the folder.
const outRemedy = "give another one with -out"

// OpenFolder makes the folder, runs/name-time if none is given, locks it and makes sure that files can be written there: better
// now than after the training. A folder with the files of an older run is an error, unless they are to be overwritten or this run
// goes on with the same training, kept in the folder checkpoint.
func OpenFolder(flags FolderFlags, name, checkpoint string, now time.Time) (*Folder, error) {
	dir, made, err := makeFolder(flags.Out, name, now)
	if err != nil {
		return nil, errors.Errorf("output folder: %v: %s", err, outRemedy)
	}
	f := &Folder{Dir: dir, made: made}
	if f.lock, err = lockfile.Acquire(f.Path(LockName)); err != nil {
		return nil, errors.Errorf("output folder %s: %s: %v", dir, outRemedy, err)
	}
	if err := f.inspect(flags.Overwrite, checkpoint); err != nil {
		f.lock.Release()
		return nil, err
	}
	return f, nil
}

// PlainFolder makes a folder for files that are of no run.
func PlainFolder(dir string) (*Folder, error) {
	return &Folder{Dir: dir}, errors.Wrap(os.MkdirAll(dir, 0o755), "output folder")
}

// makeFolder makes a folder; made is false if it was there.
func makeFolder(dir, name string, now time.Time) (path string, made bool, err error) {
	if dir != "" {
		_, err := os.Stat(dir)
		made := errors.Is(err, fs.ErrNotExist)
		return dir, made, os.MkdirAll(dir, 0o755)
	}
	const above = "runs"
	if err := os.MkdirAll(above, 0o755); err != nil {
		return "", false, err
	}
	base := filepath.Join(above, name+"-"+now.Format("20060102-150405"))
	dir = base
	err = os.Mkdir(dir, 0o755)
	for i := 2; errors.Is(err, fs.ErrExist); i++ { // another run of this second has it
		dir = base + "-" + strconv.Itoa(i)
		err = os.Mkdir(dir, 0o755)
	}
	return dir, true, err
}

// inspect looks at what is in the folder already.
func (f *Folder) inspect(overwrite bool, checkpoint string) (err error) {
	entries, err := os.ReadDir(f.Dir)
	if err != nil {
		return errors.Errorf("output folder: %v: %s", err, outRemedy)
	}
	if f.was, err = readManifest(f.Path(ManifestName)); err == nil {
		m := new(Manifest)
		if jsonfloat.Unmarshal(f.was, m) == nil && m.Command != "" {
			f.older = m
		}
	}
	var there, halves []string
	for _, e := range entries {
		switch name := e.Name(); {
		case name == LockName:
		case e.Type().IsRegular() && f.half(name):
			halves = append(halves, name)
		default:
			there = append(there, name)
		}
	}
	defer func() {
		for _, name := range halves {
			if err == nil {
				err = errors.Wrap(os.Remove(f.Path(name)), "output folder")
			}
		}
	}()
	switch {
	case len(there) == 0 || len(there) == 1 && f.older != nil && len(f.older.Files) == 0: // a run that left nothing
		return nil
	case f.older != nil && checkpoint != "" && f.older.Checkpoint == checkpoint: // the same training goes on
		return nil
	case overwrite:
		return nil
	case f.older != nil:
		state := f.older.State
		if state == Running { // and yet its lock is free
			state = "killed"
		}
		return errors.Errorf("output folder %s holds a run of %q, %s, of %s: %s, or replace that run with -overwrite",
			f.Dir, f.older.Command, state, f.older.Started.Format("2006-01-02 15:04"), outRemedy)
	}
	return errors.Errorf("output folder %s is not empty (%s): %s, or write into it with -overwrite", f.Dir, strings.Join(there[:min(3, len(there))], ", "), outRemedy)
}

// readManifest reads the text of a manifest, which may be anything that somebody put there.
func readManifest(path string) ([]byte, error) {
	const most = 1 << 26
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular() || info.Size() > most:
		return nil, errors.Errorf("%s is no regular file of at most %d bytes", path, most)
	}
	return os.ReadFile(path)
}

// half reports whether a file is what a killed run left of one that it was writing: in folders of runs, where the file of that name
// would be one of a run.
func (f *Folder) half(name string) bool {
	whole, is := strings.CutSuffix(name, atomicfile.Suffix)
	if !is {
		return false
	}
	return whole == ManifestName || f.older != nil && slices.Contains([]string{".png", ".svg", ".dot", ".html", WeightsSuffix}, filepath.Ext(whole))
}

// clear removes the files of the older run, those that its manifest lists, before this run writes its first one.
func (f *Folder) clear() error {
	if f.older == nil {
		return nil
	}
	defer func() { f.older = nil }()
	for _, name := range append(f.older.Files, MetricsName) { // which a killed run did not list
		if !plain(name) {
			continue
		}
		if err := os.Remove(f.Path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return errors.Errorf("output folder: %v: %s", err, outRemedy)
		}
	}
	return nil
}

// plain reports whether the name is that of a file in the folder itself: manifests are read from files, and may say anything.
func plain(name string) bool {
	return name != "" && name != "." && name != ".." && name == filepath.Base(name) && !strings.ContainsAny(name, `/\`) && filepath.IsLocal(name)
}

// Path is where a file of the folder is.
func (f *Folder) Path(name string) string { return filepath.Join(f.Dir, name) }

// add lists a file as one of the run.
func (f *Folder) add(name string) {
	if !slices.Contains(f.files, name) {
		f.files = append(f.files, name)
		slices.Sort(f.files)
	}
}

// Write makes a file of the run, whole or not at all.
func (f *Folder) Write(name string, content func(io.Writer) error) error {
	if err := First(f.clear(), atomicfile.Write(f.Path(name), content)); err != nil {
		return err
	}
	f.add(name)
	return nil
}

// Save makes a file of the run by a function that writes a path, whole or not at all.
func (f *Folder) Save(name string, save func(path string) error) error {
	if err := First(f.clear(), save(f.Path(name))); err != nil {
		return err
	}
	f.add(name)
	return nil
}

// Lines of metrics.jsonl wait in memory for this long, or until there are so many bytes.
const (
	flushAfter = 500 * time.Millisecond
	flushBytes = 1 << 16
)

// Line adds an object to metrics.jsonl. The file always holds whole lines.
func (f *Folder) Line(object any) error {
	text, err := jsonfloat.Marshal(object)
	if err != nil {
		return errors.Wrap(err, "write metrics.jsonl")
	}
	if f.curves != nil {
		if err := f.curves.line(text); err != nil {
			return err
		}
	}
	f.lines.Write(text)
	f.lines.WriteByte('\n')
	if f.metrics != nil && f.lines.Len() < flushBytes && time.Since(f.flushed) < flushAfter {
		return nil
	}
	return f.flush()
}

// flush writes the lines that wait.
func (f *Folder) flush() (err error) {
	if f.metrics == nil {
		if err := f.clear(); err != nil {
			return err
		}
		if err := os.Remove(f.Path(MetricsName)); err != nil && !errors.Is(err, fs.ErrNotExist) { // a link, or another run's
			return errors.Wrap(err, "output folder")
		}
		if f.metrics, err = os.OpenFile(f.Path(MetricsName), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644); err != nil {
			return errors.Wrap(err, "output folder")
		}
		f.add(MetricsName)
	}
	f.flushed = time.Now()
	_, err = f.metrics.Write(f.lines.Bytes())
	f.lines.Reset()
	return errors.Wrap(err, "write metrics.jsonl")
}

// CloseMetrics writes what waits and closes metrics.jsonl.
func (f *Folder) CloseMetrics() (err error) {
	if f.metrics != nil {
		err = f.flush()
		err = First(err, errors.Wrap(f.metrics.Close(), "write metrics.jsonl"))
		f.metrics = nil
	}
	if f.curves != nil {
		err = First(err, f.curves.close())
		f.curves = nil
	}
	return err
}

// SumOf is the SHA-256 of a file, in hex.
func SumOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	_, err = io.Copy(sum, f)
	return hex.EncodeToString(sum.Sum(nil)), err
}

// Encode writes v as indented JSON.
func Encode(v any) func(io.Writer) error {
	return func(w io.Writer) error {
		text, err := jsonfloat.MarshalIndent(v)
		if err != nil {
			return err
		}
		_, err = w.Write(append(text, '\n'))
		return err
	}
}
