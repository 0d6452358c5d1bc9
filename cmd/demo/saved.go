package main

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

// A savedRun is a run in its folder, as its manifest describes it.
type savedRun struct {
	dir      string
	options  trainCmd
	encoding *data.Encoding
	data     []data.File
	weights  []weightsFile
}

// savedRemedy ends errors about saved runs.
const savedRemedy = "give the folder of a run of mnist or train, runs/NAME-TIME, or a file of weights in it; in Go, arch.LoadWeights reads weights alone"

// openSaved reads the manifest of a run, given by its folder or by a file of weights in it, which is then the only one.
func openSaved(from string) (*savedRun, error) {
	info, err := os.Stat(from)
	if err != nil {
		return nil, errors.Errorf("%v: %s", err, savedRemedy)
	}
	s, only := &savedRun{dir: from}, ""
	if !info.IsDir() {
		s.dir, only = filepath.Split(from)
	}
	path := filepath.Join(s.dir, manifestName)
	text, err := readManifest(path)
	if err != nil {
		return nil, errors.Errorf("%s: the manifest says which network the weights are of: %v", savedRemedy, err)
	}
	m, err := parseSaved(text, &s.options)
	if err != nil {
		return nil, errors.Errorf("%s: %s: %v", savedRemedy, path, err)
	}
	s.encoding, s.data, s.weights = m.Encoding, m.Data, m.Weights
	if len(s.weights) == 0 {
		return nil, errors.Errorf("%s has no weights yet: %s", s.dir, s.why(m.State))
	}
	if only != "" {
		k := slices.IndexFunc(s.weights, func(w weightsFile) bool { return w.File == only })
		if k < 0 {
			return nil, errors.Errorf("%s is not among the weights of this run, which are %s: %s", only, strings.Join(s.names(), ", "), savedRemedy)
		}
		s.weights = s.weights[k : k+1]
	}
	return s, nil
}

// parseSaved reads a manifest, and the options of its run, whatever is in it: it is a file that anybody may have written.
func parseSaved(text []byte, options *trainCmd) (*manifest, error) {
	var head struct{ Command string }
	if err := json.Unmarshal(text, &head); err != nil {
		return nil, errors.Wrap(err, "it is damaged")
	}
	if !trained(head.Command) { // whose options are others
		return nil, errors.Errorf("it is of a run of %q", head.Command)
	}
	m := &manifest{Options: options}
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

// why says why there are no weights.
func (s *savedRun) why(state state) string {
	if state != running {
		return fmt.Sprintf("the run ended before it saved any (%s)", state)
	}
	l, err := lockfile.Acquire(filepath.Join(s.dir, lockName))
	l.Release()
	var used *lockfile.InUseError
	if errors.As(err, &used) {
		return "the run is going on (" + used.Owner + "): wait for its end"
	}
	return "the run was killed before it saved any: run it again, with -checkpoint to go on after such an end"
}

// names are the files of weights.
func (s *savedRun) names() []string {
	var names []string
	for _, w := range s.weights {
		names = append(names, w.File)
	}
	return names
}

// load reads weights, which must be those that the run wrote.
func (s *savedRun) load(w weightsFile, net *arch.Network) (*graph.Vector[float32], error) {
	path := filepath.Join(s.dir, w.File)
	sum, err := sumOf(path)
	if err != nil {
		return nil, errors.Errorf("weights of the run: %v", err)
	}
	if sum != w.SHA256 {
		return nil, errors.Errorf("%s is not the file that the run wrote: its SHA-256 is %.16s... and the manifest has %.16s...: train again, or load it in Go, arch.LoadWeights", path, sum, w.SHA256)
	}
	return arch.LoadWeights[float32](path, net)
}

// savedFlags name a run and data for its networks.
type savedFlags struct {
	From string `arg:"" name:"run" help:"Folder of a run of mnist or train, for all weights that its manifest lists, or one of its files of weights. The network and the data are those of its manifest.json."`
	Data string `placeholder:"DATA" help:"Where the run's data are now, or new data: a file of your own is encoded as the training data were (same scaling, classes and columns), and all of its samples are used."`
	Dir  string `placeholder:"DIR" help:"Folder of the data set's files (default: searched, see \"demo data\")."`
	dialectFlags
}

// dialectFlags say how a new file is written where that differs from the training's.
type dialectFlags struct {
	Keys    []string    `placeholder:"NAME" help:"New arrays: names of inputs and targets, then of those of a test part."`
	Header  headerFlag  `default:"auto" help:"New table: whether line 1 holds the names of the columns: yes, no or auto."`
	Sep     sepFlag     `name:"separator" placeholder:"CHAR" help:"New table: what stands between fields: comma, semicolon, tab, space or any one character."`
	Decimal decimalFlag `placeholder:"SIGN" help:"New table: decimal sign, point or comma."`
}

// into overrides what the run was given.
func (f dialectFlags) into(own *ownFlags) {
	if len(f.Keys) > 0 {
		own.Keys = f.Keys
	}
	if f.Header.Header != data.HeaderAuto {
		own.Header = f.Header
	}
	if f.Sep.rune != 0 {
		own.Sep = f.Sep
	}
	if f.Decimal.rune != 0 {
		own.Decimal = f.Decimal
	}
}

// samples are the test part of the data that the run was made from, or all of a new file.
func (f savedFlags) samples(c *console, s *savedRun, targets bool) (set *data.Set, err error) {
	of := &s.options
	if f.Data != "" {
		of.Data = f.Data
	}
	of.Dir = f.Dir
	if err := of.Validate(); err != nil {
		return nil, errors.WithMessage(err, filepath.Join(s.dir, manifestName))
	}
	c.doing("reading the data")
	defer c.doing("")
	if of.Dir != "" && !datasets("mnist", "fashion", "cifar10", "cifar100")(of.choice()) {
		return nil, errors.Errorf("-dir has no use with -data %s: it is for mnist, fashion, cifar10 and cifar100: leave it out", of.Data)
	}
	if s.encoding == nil {
		if kindOf(of.Data) != namedData {
			return nil, errors.Errorf("the run has no encoding of data in files, as it was trained on %s: -data can be the name of a data set of the same sizes", s.options.Data)
		}
		_, test, err := of.load(c, of.Seed, of.Widths)
		return test, err
	}
	if kindOf(of.Data) == namedData {
		return nil, errors.Errorf("the run was trained on a file of your own: -data %s has no columns or arrays of that kind: give a file", of.Data)
	}
	same, err := s.sameFile(of.Data)
	if err != nil {
		return nil, err
	}
	if !same {
		of.TestFile = "" // which is of the training data
	}
	f.dialectFlags.into(&of.ownFlags)
	source := of.ownFlags.source(of.Data, of.Seed)
	if same && targets {
		_, test, err := source.Load()
		if err != nil {
			return nil, inFlags(err)
		}
		c.printf("%s is the file of the training: its test part is used\n", of.Data)
		return test, nil
	}
	encoded, is := source.(interface {
		LoadEncoded(e *data.Encoding, targets bool) (*data.Set, error)
	})
	if !is {
		return nil, errors.Errorf("-data %s: no file of your own", of.Data)
	}
	set, err = encoded.LoadEncoded(s.encoding, targets)
	if err != nil {
		return nil, inFlags(err)
	}
	if same {
		c.printf("%s is the file of the training: all of its samples are used, training and test part\n", of.Data)
	} else {
		c.printf("%s is new data: all of its samples are used, encoded as the training data were\n", of.Data)
	}
	sayGuesses(c, set)
	return set, nil
}

// sameFile reports whether a path holds the very bytes of the training data; a test file is not that, but the first file of the run is.
func (s *savedRun) sameFile(path string) (bool, error) {
	info, err := os.Stat(path)
	if err != nil {
		return false, err // says operation and path
	}
	if info.IsDir() { // of arrays: their files say
		for _, f := range s.data {
			sum, err := sumOf(filepath.Join(path, filepath.Base(f.Path)))
			if err != nil || sum != f.SHA256 {
				return false, nil
			}
		}
		return len(s.data) > 0, nil
	}
	sum, err := sumOf(path)
	if err != nil {
		return false, err
	}
	return len(s.data) > 0 && s.data[0].SHA256 == sum, nil
}
