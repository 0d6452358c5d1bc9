package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/internal/jsonfloat"
	"github.com/pcgraph/pcgraph/internal/lockfile"
)

// savedOptions are the options of a run, to be read from its manifest.
type savedOptions interface{ Validate() error }

// A SavedRun is a run in its folder, as its manifest describes it.
type SavedRun struct {
	Dir      string
	Encoding *data.Encoding
	Data     []data.File
	Weights  []weightsFile
}

// savedRemedy ends errors about saved runs.
const savedRemedy = "give the folder of a run of mnist or train, runs/NAME-TIME, or a file of weights in it; in Go, arch.LoadWeights reads weights alone"

// OpenSaved reads the manifest of a run, given by its folder or by a file of weights in it, which is then the only one.
func OpenSaved(from string, options savedOptions) (*SavedRun, error) {
	info, err := os.Stat(from)
	if err != nil {
		return nil, errors.Errorf("%v: %s", err, savedRemedy)
	}
	s, only := &SavedRun{Dir: from}, ""
	if !info.IsDir() {
		s.Dir, only = filepath.Split(from)
	}
	path := filepath.Join(s.Dir, ManifestName)
	text, err := readManifest(path)
	if err != nil {
		return nil, errors.Errorf("%s: the manifest says which network the weights are of: %v", savedRemedy, err)
	}
	m, err := ParseSaved(text, options)
	if err != nil {
		return nil, errors.Errorf("%s: %s: %v", savedRemedy, path, err)
	}
	s.Encoding, s.Data, s.Weights = m.Encoding, m.Data, m.Weights
	if len(s.Weights) == 0 {
		return nil, errors.Errorf("%s has no weights yet: %s", s.Dir, s.Why(m.State))
	}
	if only != "" {
		k := slices.IndexFunc(s.Weights, func(w weightsFile) bool { return w.File == only })
		if k < 0 {
			return nil, errors.Errorf("%s is not among the weights of this run, which are %s: %s", only, strings.Join(s.names(), ", "), savedRemedy)
		}
		s.Weights = s.Weights[k : k+1]
	}
	return s, nil
}

// ParseSaved reads a manifest, and the options of its run, whatever is in it: it is a file that anybody may have written.
func ParseSaved(text []byte, options savedOptions) (*Manifest, error) {
	var head struct{ Command string }
	if err := json.Unmarshal(text, &head); err != nil {
		return nil, errors.Wrap(err, "it is damaged")
	}
	if !trained(head.Command) { // whose options are others
		return nil, errors.Errorf("it is of a run of %q", head.Command)
	}
	m := &Manifest{Options: options}
	if err := jsonfloat.Unmarshal(text, m); err != nil {
		return nil, errors.Wrap(err, "it is damaged")
	}
	if m.Options != any(options) { // null
		return nil, errors.New("it is damaged: the options of the run are missing")
	}
	if err := options.Validate(); err != nil {
		return nil, errors.Wrap(err, "its options")
	}
	if m.Encoding != nil {
		if err := m.Encoding.Validate(); err != nil {
			return nil, errors.Wrap(err, "the encoding of its data is damaged")
		}
	}
	seen := make(map[string]bool)
	for _, w := range m.Weights {
		if !plain(w.File) || seen[w.File] {
			return nil, errors.Errorf("it is damaged: it names the weights %q, which is no file of the folder, or twice", w.File)
		}
		seen[w.File] = true
	}
	return m, nil
}

// trained reports whether a command of that name saves weights.
func trained(command string) bool { return command == "mnist" || strings.HasPrefix(command, "train-") }

// Why says why there are no weights.
func (s *SavedRun) Why(state State) string {
	if state != Running {
		return fmt.Sprintf("the run ended before it saved any (%s)", state)
	}
	l, err := lockfile.Acquire(filepath.Join(s.Dir, LockName))
	l.Release()
	var used *lockfile.InUseError
	if errors.As(err, &used) {
		return "the run is going on (" + used.Owner + "): wait for its end"
	}
	return "the run was killed before it saved any: run it again, with -checkpoint to go on after such an end"
}

// names are the files of weights.
func (s *SavedRun) names() []string {
	var names []string
	for _, w := range s.Weights {
		names = append(names, w.File)
	}
	return names
}

// OfRule are the weights of a rule, by its name in the table of eval; the first ones if it is empty.
func (s *SavedRun) OfRule(rule string) (weightsFile, error) {
	var rules []string
	for _, w := range s.Weights {
		if rule == "" || w.Rule == rule {
			return w, nil
		}
		rules = append(rules, w.Rule)
	}
	return weightsFile{}, Known("rule of this run", rule, rules...)
}

// Load reads weights, which must be those that the run wrote.
func (s *SavedRun) Load(w weightsFile, net *arch.Network) (*graph.Vector[float32], error) {
	path := filepath.Join(s.Dir, w.File)
	sum, err := SumOf(path)
	if err != nil {
		return nil, errors.Errorf("weights of the run: %v", err)
	}
	if sum != w.SHA256 {
		return nil, errors.Errorf("%s is not the file that the run wrote: its SHA-256 is %.16s... and the manifest has %.16s...: train again, or load it in Go, arch.LoadWeights", path, sum, w.SHA256)
	}
	return arch.LoadWeights[float32](path, net)
}

// SameFile reports whether a path holds the very bytes of the training data; a test file is not that, but the first file of the run is.
func (s *SavedRun) SameFile(path string) (bool, error) {
	info, err := os.Stat(path)
	if err != nil {
		return false, err // says operation and path
	}
	if info.IsDir() { // of arrays: their files say
		for _, f := range s.Data {
			sum, err := SumOf(filepath.Join(path, filepath.Base(f.Path)))
			if err != nil || sum != f.SHA256 {
				return false, nil
			}
		}
		return len(s.Data) > 0, nil
	}
	sum, err := SumOf(path)
	if err != nil {
		return false, err
	}
	return len(s.Data) > 0 && s.Data[0].SHA256 == sum, nil
}
