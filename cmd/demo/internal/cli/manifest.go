package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/internal/atomicfile"
	"github.com/pcgraph/pcgraph/internal/jsonfloat"
	"github.com/pcgraph/pcgraph/report"
	"github.com/pcgraph/pcgraph/report/mlflow"
	"github.com/pcgraph/pcgraph/train"
)

// A State is how far a run has come.
type State string

const (
	Running     State = "running" // or killed: a running one holds the folder's lock
	Done        State = "done"
	Interrupted State = "interrupted"
	Failed      State = "failed"
	Diverged    State = "diverged" // numbers went wrong: the error or the results say which
)

// A Manifest says how a run can be had again, what it read, what it wrote and what it came to. It is in the folder from the start
// of the run on. Numbers that are not finite are the strings "NaN", "Infinity" and "-Infinity".
type Manifest struct {
	Command     string             `json:"command"`
	State       State              `json:"state"`
	Again       string             `json:"again"` // the command line that gives the run again
	Args        []string           `json:"args"`  // of the same line, one by one: -config reads them
	Options     any                `json:"options"`
	Seed        uint64             `json:"seed"`
	Started     time.Time          `json:"started"`
	Interrupted bool               `json:"interrupted"`
	Error       string             `json:"error,omitempty"`
	Version     Version            `json:"version"`
	Data        []data.File        `json:"data"` // empty for what is made from the seed
	Guesses     []data.Guess       `json:"guesses,omitempty"`
	Encoding    *data.Encoding     `json:"encoding,omitempty"` // what new data need to be fed to the networks; nil for data sets by name
	Checkpoint  string             `json:"checkpoint,omitempty"`
	Files       []string           `json:"files"`   // of the run, this one aside
	Weights     []weightsFile      `json:"weights"` // those that can be evaluated
	Results     map[string]any     `json:"results"`
	Seconds     map[string]float64 `json:"seconds"`
}

// A weightsFile is a network that a run has saved.
type weightsFile struct {
	File   string `json:"file"`
	Rule   string `json:"rule"`
	SHA256 string `json:"sha256"`
}

// A RunDir is a run: its folder, its manifest and its page.
type RunDir struct {
	*Folder
	Manifest *Manifest
	Page     report.Page
	console  *Console
	reported bool
}

// A RunOptions is the options of a command that writes a run folder: they hold folderFlags, and perhaps a seed and a checkpoint.
type RunOptions interface{ folder() FolderFlags }

// Run leads a run from its folder to its report. The folder is made and locked; manifest.json is there from the start, with the
// options, and says in the end how the run ended (done, interrupted, failed or diverged). If work leaves a page with a title, it is
// printed and written. A run that fails before it has written anything leaves no folder.
func (c *Console) Run(name string, options RunOptions, work func(r *RunDir) error) (err error) {
	start := time.Now()
	seed, checkpoint := uint64(0), ""
	if s, is := options.(interface{ seed() uint64 }); is {
		seed = s.seed()
	}
	if k, is := options.(interface{ Kept() string }); is {
		checkpoint = k.Kept()
	}
	if checkpoint != "" {
		if full, err := filepath.Abs(checkpoint); err == nil {
			checkpoint = full
		}
	}
	f, err := OpenFolder(options.folder(), name, checkpoint, start)
	if err != nil {
		return err
	}
	m := &Manifest{Command: name, State: Running, Again: c.Again(seed), Args: c.arguments(seed), Options: options, Seed: seed, Started: start, Version: ReadVersion(),
		Checkpoint: checkpoint, Data: []data.File{}, Files: []string{}, Weights: []weightsFile{}, Results: make(map[string]any), Seconds: make(map[string]float64)}
	r := &RunDir{Folder: f, Manifest: m, console: c}
	c.Doing("working")
	var sendRest func() // to an MLflow server; nil: to none
	defer func() {
		c.Doing("")
		m.end(err, time.Since(start))
		if m.State == Failed && len(f.files) == 0 {
			err = First(err, r.undo())
			return
		}
		if sendRest != nil {
			r.add(mlflow.StateName) // so that a run that replaces this one begins anew
		}
		err = First(err, f.CloseMetrics(), r.save())
		if sendRest != nil {
			sendRest()
		}
		err = First(err, f.lock.Release())
		if bad := m.NotFinite(); err == nil && len(bad) > 0 {
			err = NotFiniteError(bad)
		}
	}()
	if err := r.save(); err != nil {
		return errors.Errorf("output folder: not writable: %v: %s", err, outRemedy)
	}
	if l, is := options.(interface{ mlflow() MLflowFlags }); is && l.mlflow().MLflow != "" {
		sendRest = c.send(l.mlflow(), r)
	}
	if l, is := options.(interface{ live() LiveFlags }); is && l.live().Live {
		end, err := c.serve(l.live(), r, options)
		if err != nil {
			return err
		}
		defer end()
	}
	if err := work(r); err != nil || r.Page.Title == "" || r.reported {
		return err
	}
	return r.Report()
}

// Report prints the page and writes it with its figures. It returns errInterrupted if the run was interrupted before.
func (r *RunDir) Report() error {
	start := time.Now()
	c, p := r.console, &r.Page
	r.reported = true
	c.Doing("drawing the report")
	p.Interrupted = c.Context.Err() != nil // later there is nothing left to interrupt
	p.Again, p.Footer = r.Manifest.Again, r.Manifest.Version.line()
	if r.metrics != nil {
		p.Footer += " Every number of every step is in metrics.jsonl."
	}
	p.Footer += " How to repeat the run is in manifest.json."
	if err := p.Save(r.Write); err != nil {
		return err
	}
	c.Printf("\n")
	p.Print(c.Out)
	r.Manifest.Seconds["report"] = time.Since(start).Seconds()
	c.Printf("Report: %s (%.1f s in all)\n", r.Path("report.html"), time.Since(r.Manifest.Started).Seconds())
	if p.Interrupted {
		return ErrInterrupted
	}
	return nil
}

// A divergedError is how a run ends whose numbers went wrong elsewhere than in training, which has train.DivergenceError.
type divergedError struct{ error }

// DivergenceErrorf is the error of a run whose numbers went wrong; it has an exit code of its own.
func DivergenceErrorf(format string, args ...any) error {
	return divergedError{errors.Errorf(format, args...)}
}

// NotFiniteError says which results are not finite.
func NotFiniteError(results []string) error {
	const most = 4
	list := strings.Join(results[:min(most, len(results))], ", ")
	if n := len(results) - most; n > 0 {
		list += fmt.Sprintf(" and %d more", n)
	}
	return DivergenceErrorf("numbers went wrong: lower -lr or -rate; everything is written, but some results are not finite: %s", list)
}

// IsDivergence reports whether a run ended because numbers went wrong.
func IsDivergence(err error) bool {
	var training *train.DivergenceError
	var other divergedError
	return errors.As(err, &training) || errors.As(err, &other)
}

// end notes how the run ended.
func (m *Manifest) end(err error, took time.Duration) {
	m.Seconds["all"] = took.Seconds()
	switch {
	case errors.Is(err, ErrInterrupted):
		m.State, m.Interrupted = Interrupted, true
	case IsDivergence(err):
		m.State, m.Error = Diverged, err.Error()
	case err != nil:
		m.State, m.Error = Failed, err.Error()
	case len(m.NotFinite()) > 0:
		m.State = Diverged
	default:
		m.State = Done
	}
}

// NotFinite lists the results that are not finite.
func (m *Manifest) NotFinite() []string {
	text, err := jsonfloat.Marshal(m.Results)
	if err != nil {
		return []string{"results: " + err.Error()}
	}
	var tree any
	if err := json.Unmarshal(text, &tree); err != nil {
		return []string{"results: " + err.Error()}
	}
	var bad []string
	var visit func(path string, v any)
	visit = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for k, e := range v {
				visit(path+"."+k, e)
			}
		case []any:
			for i, e := range v {
				visit(fmt.Sprintf("%s[%d]", path, i), e)
			}
		case string:
			var f float64
			if jsonfloat.Unmarshal([]byte(`"`+v+`"`), &f) == nil && (math.IsNaN(f) || math.IsInf(f, 0)) {
				bad = append(bad, strings.TrimPrefix(path, ".")+" is "+v)
			}
		}
	}
	visit("", tree)
	slices.Sort(bad)
	return bad
}

// save writes manifest.json as things are.
func (r *RunDir) save() error {
	r.Manifest.Files = slices.Clone(r.files)
	if r.Manifest.Files == nil {
		r.Manifest.Files = []string{}
	}
	return atomicfile.Write(r.Path(ManifestName), Encode(r.Manifest))
}

// Used notes the data of the run.
func (r *RunDir) Used(sets ...*data.Set) error {
	m := r.Manifest
	m.Seconds["data"] = time.Since(m.Started).Seconds()
	for _, s := range sets {
		for _, f := range s.Files {
			if !slices.Contains(m.Data, f) {
				m.Data = append(m.Data, f)
			}
		}
	}
	if len(sets) > 0 {
		m.Guesses, m.Encoding = sets[0].Guesses(), sets[0].Encoding()
	}
	return r.save()
}

// KeepWeights notes a file of weights that a rule has learned; save writes it to the path.
func (r *RunDir) KeepWeights(name, rule string, save func(path string) error) error {
	if err := r.Save(name, save); err != nil {
		return err
	}
	sum, err := SumOf(r.Path(name))
	if err != nil {
		return errors.Wrap(err, "output folder")
	}
	r.Manifest.Weights = append(r.Manifest.Weights, weightsFile{File: name, Rule: rule, SHA256: sum})
	return r.save()
}

// undo leaves the folder as it was: there was nothing to keep.
func (r *RunDir) undo() error {
	var err error
	if r.was != nil {
		err = atomicfile.Write(r.Path(ManifestName), func(w io.Writer) error {
			_, err := w.Write(r.was)
			return err
		})
	} else {
		err = os.Remove(r.Path(ManifestName))
	}
	err = First(r.lock.Release(), err)
	if r.made {
		os.Remove(r.Dir) // if nothing else has come into it
	}
	return errors.Wrap(err, "output folder")
}
