package mlflow

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/internal/atomicfile"
	"github.com/pcgraph/pcgraph/internal/jsonfloat"
)

// Names of files in a run folder.
const (
	manifestName = "manifest.json"
	metricsName  = "metrics.jsonl"
	StateName    = "mlflow.json" // what has been sent
)

// Limits of MLflow.
const (
	mostMetrics = 1000 // of a request
	mostParams  = 100
	mostValue   = 500 // characters of a parameter
)

// A Log sends one run folder to one server. It is used by one goroutine at a time.
type Log struct {
	Dir        string
	Client     *Client
	Experiment string // "" means the run's command
}

// sent is mlflow.json.
type sent struct {
	URL        string             `json:"url"`
	Experiment string             `json:"experiment"` // its ID
	Name       string             `json:"name"`
	Runs       map[string]created `json:"runs"` // by rule
	Offset     int64              `json:"offset"`
	Ended      bool               `json:"ended"` // the run had ended, and everything has been sent
}

// manifest is what is read of a run's.
type manifest struct {
	Command string         `json:"command"`
	State   string         `json:"state"`
	Again   string         `json:"again"`
	Started time.Time      `json:"started"`
	Options map[string]any `json:"options"`
	Version map[string]any `json:"version"`
	Files   []string       `json:"files"`
}

// Sync sends what has not been sent. It may be called again after any error, and when the run has gone on. The state of another
// server, or of another name of the experiment, in the folder is an error.
func (l *Log) Sync(ctx context.Context) error {
	if err := l.Client.Validate(); err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(l.Dir, manifestName))
	if err != nil {
		return errors.Wrap(err, "mlflow: a run folder")
	}
	var m manifest
	if err := json.Unmarshal(text, &m); err != nil || m.Command == "" {
		return errors.Errorf("mlflow: %s is not the manifest of a run", filepath.Join(l.Dir, manifestName))
	}
	s, err := l.state(cmp.Or(l.Experiment, m.Command))
	if err != nil || s.Ended {
		return err
	}
	if s.Experiment == "" {
		if s.Experiment, err = l.Client.experiment(ctx, s.Name); err != nil {
			return err
		}
	}
	if err := l.lines(ctx, s, m); err != nil {
		return err
	}
	if m.State == "running" {
		return l.save(s)
	}
	return l.end(ctx, s, m)
}

// state reads what has been sent.
func (l *Log) state(name string) (*sent, error) {
	s := &sent{URL: l.Client.URL, Name: name, Runs: make(map[string]created)}
	text, err := os.ReadFile(filepath.Join(l.Dir, StateName))
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, errors.Wrap(err, "mlflow")
	}
	old := new(sent)
	if err := json.Unmarshal(text, old); err != nil {
		return nil, errors.Errorf("mlflow: %s is damaged (%v): remove it, and the run is sent anew", filepath.Join(l.Dir, StateName), err)
	}
	if old.URL != s.URL || old.Name != s.Name {
		return nil, errors.Errorf("mlflow: %s says that the run was sent to %s as %q: remove it to send it to %s as %q", filepath.Join(l.Dir, StateName), old.URL, old.Name, s.URL, s.Name)
	}
	if old.Runs == nil {
		old.Runs = s.Runs
	}
	return old, nil
}

func (l *Log) save(s *sent) error {
	return atomicfile.Write(filepath.Join(l.Dir, StateName), func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(s)
	})
}

// lines sends whole lines of metrics.jsonl from where the last ones ended.
func (l *Log) lines(ctx context.Context, s *sent, m manifest) error {
	f, err := os.Open(filepath.Join(l.Dir, metricsName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return errors.Wrap(err, "mlflow")
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || info.Size() < s.Offset {
		return errors.Errorf("mlflow: %s is shorter than what was sent of it: another run is in the folder: remove %s", filepath.Join(l.Dir, metricsName), StateName)
	}
	if _, err := f.Seek(s.Offset, io.SeekStart); err != nil {
		return errors.Wrap(err, "mlflow")
	}
	text, err := io.ReadAll(f)
	if err != nil {
		return errors.Wrap(err, "mlflow")
	}
	waiting := make(map[string][]metric)
	at := s.Offset
	flush := func(rule string) error {
		if err := l.batch(ctx, s.Runs[rule], waiting[rule]); err != nil {
			return err
		}
		waiting[rule] = nil
		return nil
	}
	for line := range bytes.Lines(text) {
		if line[len(line)-1] != '\n' {
			break
		}
		at += int64(len(line))
		var object map[string]any
		if json.Unmarshal(line, &object) != nil {
			continue
		}
		rule, _ := object["rule"].(string)
		step, is := object["step"].(float64)
		if rule == "" || !is {
			continue
		}
		if _, there := s.Runs[rule]; !there {
			if err := l.create(ctx, s, m, rule); err != nil {
				return err
			}
		}
		kind, _ := object["kind"].(string)
		seconds, _ := object["seconds"].(float64)
		for _, k := range slices.Sorted(keys(object)) {
			waiting[rule] = append(waiting[rule], metrics(kind+"/"+k, object[k], int64(step), m.Started.Add(time.Duration(seconds*1e9)).UnixMilli())...)
		}
		if len(waiting[rule]) < mostMetrics {
			continue
		}
		for r := range waiting { // all, so that everything up to this line has been sent
			if err := flush(r); err != nil {
				return err
			}
		}
		s.Offset = at
		if err := l.save(s); err != nil {
			return err
		}
	}
	for r := range waiting {
		if err := flush(r); err != nil {
			return err
		}
	}
	s.Offset = at
	return nil
}

func keys(m map[string]any) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if k != "kind" && k != "rule" && k != "step" && !yield(k) {
				return
			}
		}
	}
}

// metrics are the numbers of a value by their paths. Lists and words have none, but for NaN and infinities.
func metrics(path string, v any, step, at int64) (list []metric) {
	switch v := v.(type) {
	case float64:
		list = append(list, metric{path, v, at, step})
	case string:
		var f float64
		if jsonfloat.Unmarshal([]byte(fmt.Sprintf("%q", v)), &f) == nil {
			list = append(list, metric{path, v, at, step})
		}
	case map[string]any:
		for _, k := range slices.Sorted(keys(v)) {
			list = append(list, metrics(path+"/"+k, v[k], step, at)...)
		}
	}
	return list
}

// batch sends metrics, so many at a time as the server takes.
func (l *Log) batch(ctx context.Context, r created, list []metric) error {
	for part := range slices.Chunk(list, mostMetrics) {
		if err := l.Client.call(ctx, http.MethodPost, api+"/runs/log-batch", map[string]any{"run_id": r.ID, "metrics": part}, nil); err != nil {
			return err
		}
	}
	return nil
}

// create makes the run of a rule, with the options as parameters, and notes it.
func (l *Log) create(ctx context.Context, s *sent, m manifest, rule string) error {
	name := filepath.Base(l.Dir)
	tags := []pair{{"pcgraph.run", name}, {"pcgraph.rule", rule}, {"mlflow.source.name", m.Again}, {"mlflow.source.type", "LOCAL"}}
	if revision, is := m.Version["revision"].(string); is && revision != "" {
		tags = append(tags, pair{"mlflow.source.git.commit", revision})
	}
	r, err := l.Client.create(ctx, s.Experiment, name+" "+rule, m.Started, tags)
	if err != nil {
		return err
	}
	s.Runs[rule] = r
	if err := l.save(s); err != nil {
		return err
	}
	for part := range slices.Chunk(params("", m.Options), mostParams) {
		if err := l.Client.call(ctx, http.MethodPost, api+"/runs/log-batch", map[string]any{"run_id": r.ID, "params": part}, nil); err != nil {
			return err
		}
	}
	return nil
}

// params are options by their paths. What is too long for a parameter ends in "...": the manifest, an artifact, has all of it.
func params(path string, options map[string]any) (list []pair) {
	for _, k := range slices.Sorted(keys(options)) {
		name := strings.TrimPrefix(path+"/"+k, "/")
		switch v := options[k].(type) {
		case map[string]any:
			list = append(list, params(name, v)...)
		case nil:
		default:
			text, is := v.(string)
			if !is {
				encoded, _ := json.Marshal(v) // it has been decoded
				text = string(encoded)
			}
			if r := []rune(text); len(r) > mostValue {
				text = string(r[:mostValue-3]) + "..."
			}
			list = append(list, pair{name, text})
		}
	}
	return list
}

// end sends the files and says how the run ended.
func (l *Log) end(ctx context.Context, s *sent, m manifest) error {
	main := "" // whose run gets what belongs to no rule
	for _, rule := range slices.Sorted(func(yield func(string) bool) {
		for r := range s.Runs {
			if !yield(r) {
				return
			}
		}
	}) {
		if main == "" || main == "BP" {
			main = rule
		}
	}
	if main == "" {
		s.Ended = true
		return l.save(s)
	}
	for _, name := range append(slices.Clone(m.Files), manifestName) {
		rule := main
		for r := range s.Runs {
			if first, _, _ := strings.Cut(name, "."); strings.EqualFold(first, strings.ReplaceAll(r, " ", "-")) {
				rule = r
			}
		}
		if err := l.file(ctx, s.Runs[rule], name); err != nil {
			return err
		}
	}
	status := map[string]string{"done": "FINISHED", "interrupted": "KILLED"}[m.State]
	for _, r := range s.Runs {
		err := l.Client.call(ctx, http.MethodPost, api+"/runs/update", map[string]any{"run_id": r.ID, "status": cmp.Or(status, "FAILED"), "end_time": time.Now().UnixMilli()}, nil)
		if err != nil {
			return err
		}
	}
	s.Ended = true
	return l.save(s)
}

// file sends a file of the run folder itself.
func (l *Log) file(ctx context.Context, r created, name string) error {
	if name == StateName || !filepath.IsLocal(name) || strings.ContainsAny(name, `/\`) {
		return nil
	}
	f, err := os.Open(filepath.Join(l.Dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return errors.Wrap(err, "mlflow")
	}
	defer f.Close()
	return l.Client.upload(ctx, r, name, f)
}

// Follow calls Sync every so often until the context ends. A server that is away does no harm; say is called when it goes away and when it
// is back. After that, call Sync once more for the rest.
func (l *Log) Follow(ctx context.Context, every time.Duration, say func(string)) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	away := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := l.Sync(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !away:
			say(err.Error() + ": the run goes on, and what is missing is sent later")
			away = true
		case err == nil && away:
			say("mlflow: " + l.Client.URL + " is back, nothing is missing")
			away = false
		}
	}
}
