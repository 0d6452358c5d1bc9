package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/train"
)

// evalCmd evaluates saved networks.
type evalCmd struct {
	From string `arg:"" name:"run" help:"Folder of a run of mnist or train, for all weights in it, or one of its files of weights. The network and the data are those of its manifest.json."`
	Data string `placeholder:"DATA" help:"Where the run's data are now, or other data of the same sizes, which are standardised by their own training part (default: as the manifest says)."`
	Dir  string `placeholder:"DIR" help:"Folder of the data set's files (default: searched, see \"demo data\")."`
}

// Run prints a line for each network.
func (cmd evalCmd) Run(c *console) error {
	folder, paths := cmd.From, []string{cmd.From}
	if info, err := os.Stat(cmd.From); err != nil {
		return errors.Errorf("%v: give the folder of a run, runs/NAME-TIME, or a file of weights in it", err)
	} else if !info.IsDir() {
		folder = filepath.Dir(cmd.From)
	} else if paths, err = filepath.Glob(filepath.Join(escaped(folder), "*"+weightsSuffix)); err != nil || len(paths) == 0 {
		return errors.Errorf("%s has no weights, *%s: give the folder of a run of mnist or train", folder, weightsSuffix)
	}
	of, err := readRun(folder)
	if err != nil {
		return err
	}
	if cmd.Data != "" {
		of.Data = cmd.Data
	}
	of.Dir = cmd.Dir
	if err := of.Validate(); err != nil {
		return err
	}
	_, test, err := of.load(c, of.Seed, of.Widths)
	if err != nil {
		return err
	}
	net, err := of.network(test, of.Widths...)
	if err != nil {
		return err
	}
	t := table{Title: fmt.Sprintf("%s, %s: %d samples", of.title(), test.Name, test.Len()), Head: []string{"weights", "squared error", "cross-entropy", "accuracy"}}
	for _, path := range paths {
		w, err := arch.LoadWeights[float32](path, net)
		if err != nil {
			return err
		}
		m, err := arch.Compile(net, w, arch.Plan{Batch: min(of.Batch, test.Len()), Energy: of.energy(of.Precision), Coordinates: arch.Feedforward})
		if err != nil {
			return err
		}
		s, err := train.Evaluate(m.Predict, test)
		if err != nil {
			return errors.WithMessage(err, path)
		}
		row := []string{filepath.Base(path), fmt.Sprintf("%.4f", s.Loss), "-", "-"}
		if test.Classes() > 0 {
			row[3] = fmt.Sprintf("%.2f %%", 100*s.Accuracy)
			if row[2] = fmt.Sprintf("%.4f", s.CrossEntropy); !of.Loss.ce {
				t.Note = "The outputs were trained by squared error: they are no logits, and their cross-entropy says little.\n"
			}
		}
		t.Rows = append(t.Rows, row)
	}
	t.print(c.out)
	c.printf("%s", t.Note)
	return nil
}

// escaped is a path without meaning for Glob.
func escaped(path string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
}

// readRun reads what a run was asked to do from its manifest.
func readRun(folder string) (*trainCmd, error) {
	const remedy = "give the folder of a run of mnist or train, or load the weights in Go, arch.LoadWeights"
	path := filepath.Join(folder, "manifest.json")
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, errors.Errorf("%v: it says which network the weights are of: %s", err, remedy)
	}
	var m struct {
		Command string          `json:"command"`
		Options json.RawMessage `json:"options"`
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, errors.Errorf("%s: %v: %s", path, err, remedy)
	}
	if m.Command != "mnist" && !strings.HasPrefix(m.Command, "train-") {
		return nil, errors.Errorf("%s is of a run of %q: %s", path, m.Command, remedy)
	}
	var of trainCmd
	if err := json.Unmarshal(m.Options, &of); err != nil {
		return nil, errors.Errorf("%s: %v: %s", path, err, remedy)
	}
	return &of, nil
}
