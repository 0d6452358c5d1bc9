package study

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/internal/jsonfloat"
	"github.com/pcgraph/pcgraph/train"
)

// keepFlags say where a training is kept, to be gone on with.
type keepFlags struct {
	Checkpoint      string `placeholder:"DIR" help:"Folder in which the training is kept, made if missing: the same command again goes on where it was, after Ctrl-C or worse, and comes to the same numbers." json:"-"`
	CheckpointEvery int    `default:"200" help:"Keep it every so many updates, beside the start, the end and Ctrl-C; 0: at those only." json:"-"`
	cli.LiveFlags
	cli.MLflowFlags
	Curves []string `placeholder:"KIND,..." help:"Write the curves for other programs too, as they come: tensorboard (event files, a run for each rule, in the folder tensorboard), csv (tables with columns step and timestamp)." json:"-"`
}

// Kept is the folder of the checkpoints, for the run.
func (f keepFlags) Kept() string { return f.Checkpoint }

func (f keepFlags) validate() error {
	return cli.First(cli.Count("checkpoint-every", f.CheckpointEvery, 0), cli.CheckCurves(f.Curves), f.MLflowFlags.Check())
}

// checkpoint is where a learner's training is kept, with its ledger; nowhere, but with a ledger, without the flag.
func (f keepFlags) checkpoint(p *learner, to *cli.Folder, now <-chan struct{}) (train.Checkpoint, *ledger, error) {
	r := &ledger{learner: p, folder: to, keeps: f.Checkpoint != ""}
	if !r.keeps {
		return train.Checkpoint{}, r, nil
	}
	if err := os.MkdirAll(f.Checkpoint, 0o755); err != nil {
		return train.Checkpoint{}, nil, errors.Errorf("-checkpoint: %v: give another folder", err)
	}
	file := filepath.Join(f.Checkpoint, p.file()+".checkpoint"+cli.WeightsSuffix)
	return train.Checkpoint{File: file, Every: f.CheckpointEvery, Now: now, Own: r}, r, nil
}

// A ledger is a learner's part of metrics.jsonl. It is kept with the training, so that the run's folder has all of it after an
// interruption too.
type ledger struct {
	learner *learner
	folder  *cli.Folder
	keeps   bool
	lines   bytes.Buffer
}

// add adds a line.
func (r *ledger) add(line any) error {
	if !r.keeps {
		return r.folder.Line(line)
	}
	text, err := jsonfloat.Marshal(line)
	if err != nil {
		return errors.Wrap(err, "write metrics.jsonl")
	}
	r.lines.Write(append(text, '\n'))
	return r.folder.Line(json.RawMessage(text))
}

// MarshalBinary is the lines so far.
func (r *ledger) MarshalBinary() ([]byte, error) { return r.lines.Bytes(), nil }

// UnmarshalBinary adds the lines of a training that goes on to those of the run, and its steps to the learner's curve.
func (r *ledger) UnmarshalBinary(text []byte) error {
	r.lines.Reset()
	r.lines.Write(text)
	for line := range bytes.Lines(text) {
		var l StepLine
		if err := jsonfloat.Unmarshal(line, &l); err != nil {
			return errors.Wrap(err, "metrics")
		}
		if l.Kind == "step" {
			r.learner.trace = append(r.learner.trace, point{step: l.Step, loss: l.Loss, energy: l.Energy})
		}
		if err := r.folder.Line(json.RawMessage(line)); err != nil {
			return err
		}
	}
	return nil
}
