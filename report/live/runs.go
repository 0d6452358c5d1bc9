package live

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/pkg/errors"
)

// Names of files in a run folder.
const (
	manifestName = "manifest.json"
	metricsName  = "metrics.jsonl"
)

// Limits of what is read and sent.
const (
	mostRuns     = 500     // the newest are shown
	mostManifest = 1 << 22 // bytes
	mostLine     = 1 << 20
	mostSteps    = 2000 // training steps of one rule that are sent at a time; of more, every second, third and so on
	mostLooks    = 200  // looks at layers, likewise
)

// A Run is one row of the table of runs.
type Run struct {
	Name    string          `json:"name"` // of the folder
	Command string          `json:"command"`
	State   string          `json:"state"`
	Again   string          `json:"again"`
	Seed    uint64          `json:"seed"`
	Started time.Time       `json:"started"`
	Error   string          `json:"error,omitempty"`
	Results json.RawMessage `json:"results,omitempty"`
	Options json.RawMessage `json:"options,omitempty"`
	Files   []string        `json:"files"`
	Changed time.Time       `json:"changed"` // the last time that its files were written to
	Size    int64           `json:"size"`    // of metrics.jsonl
	Own     bool            `json:"own"`     // of this process: Controls are for it
}

// runs lists the runs below the root, newest first. Folders without a manifest that can be read are none.
func (s *Server) runs() ([]Run, error) {
	root, err := os.OpenRoot(s.Root)
	if err != nil {
		return nil, errors.Wrap(err, "live")
	}
	defer root.Close()
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return nil, errors.Wrap(err, "live")
	}
	list := []Run{}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		if r, err := s.run(root, e.Name()); err == nil {
			list = append(list, r)
		}
	}
	slices.SortFunc(list, func(a, b Run) int { return b.Started.Compare(a.Started) })
	return list[:min(len(list), mostRuns)], nil
}

// run reads the manifest of one run.
func (s *Server) run(root *os.Root, name string) (r Run, err error) {
	f, err := root.Open(name + "/" + manifestName)
	if err != nil {
		return r, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return r, err
	}
	text, err := io.ReadAll(io.LimitReader(f, mostManifest))
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(text, &r); err != nil || r.Command == "" {
		return r, errors.Errorf("live: %s/%s is not a run's manifest", name, manifestName)
	}
	r.Name, r.Changed, r.Own = name, info.ModTime(), s.Controls != nil && name == s.Own
	r.Files = slices.DeleteFunc(r.Files, func(file string) bool { return !picture(file) })
	if m, err := root.Stat(name + "/" + metricsName); err == nil {
		r.Size = m.Size()
		if m.ModTime().After(r.Changed) {
			r.Changed = m.ModTime()
		}
	}
	return r, nil
}

// picture reports whether a file of a run may be shown: a picture in the folder itself.
func picture(name string) bool {
	return strings.HasSuffix(name, ".png") && !strings.ContainsAny(name, `/\`) && name[0] != '.'
}

// Lines are lines of a metrics.jsonl.
type Lines struct {
	Next  int64             `json:"next"`  // where the next ones begin, in bytes
	Reset bool              `json:"reset"` // the file is another one than before: forget what came from it
	Every int               `json:"every"` // of training steps, one in so many
	Lines []json.RawMessage `json:"lines"`
}

// lines reads the whole lines of a run's metrics from a position on. Of very many training steps it leaves some out; other lines are
// all there. A last line that is not complete yet comes the next time.
func (s *Server) lines(name string, from int64) (l Lines, err error) {
	root, err := os.OpenRoot(s.Root)
	if err != nil {
		return l, err
	}
	defer root.Close()
	f, err := root.Open(name + "/" + metricsName)
	if errors.Is(err, fs.ErrNotExist) {
		if _, e := root.Stat(name + "/" + manifestName); e == nil { // it has not begun to write
			return Lines{Every: 1, Lines: []json.RawMessage{}, Reset: from > 0}, nil
		}
	}
	if err != nil {
		return l, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return l, err
	}
	if from < 0 || from > info.Size() {
		from, l.Reset = 0, true
	}
	if _, err := f.Seek(from, io.SeekStart); err != nil {
		return l, err
	}
	counts := make(map[string]int)
	type kept struct {
		text json.RawMessage
		rule string // of a step
		at   int
	}
	var all []kept
	l.Next = from
	in := bufio.NewReaderSize(io.LimitReader(f, info.Size()-from), 1<<16)
	for {
		text, err := in.ReadBytes('\n')
		if err != nil {
			break // the rest is no whole line
		}
		l.Next += int64(len(text))
		text = bytes.TrimSpace(text)
		if len(text) == 0 || len(text) > mostLine {
			continue
		}
		k := kept{text: text}
		if rule, is := stepRule(text); is {
			k.rule, k.at = rule, counts[rule]
			counts[rule]++
		}
		all = append(all, k)
	}
	every := make(map[string]int)
	for rule, n := range counts {
		most := mostSteps
		if strings.HasPrefix(rule, "layers") {
			most = mostLooks
		}
		every[rule] = max(1, (n+most-1)/most)
		l.Every = max(l.Every, every[rule])
	}
	l.Lines = []json.RawMessage{}
	for _, k := range all {
		if (k.rule == "" || k.at%every[k.rule] == 0 || k.at == counts[k.rule]-1) && json.Valid(k.text) {
			l.Lines = append(l.Lines, k.text)
		}
	}
	return l, nil
}

// stepRule is kind and rule of a line of which some may be left out, a training step or a look at layers, as runs write it, without parsing what is in it: there may be very many.
func stepRule(line []byte) (rule string, is bool) {
	for _, kind := range []string{"step", "layers"} {
		rest, is := bytes.CutPrefix(line, []byte(`{"kind":"`+kind+`","rule":"`))
		if name, _, whole := bytes.Cut(rest, []byte(`","`)); is && whole && len(name) > 0 {
			return kind + " " + string(name), true
		}
	}
	return "", false
}
