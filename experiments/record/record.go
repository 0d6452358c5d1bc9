// Package record holds what the claims' experiments gave when they were last measured in full: files of this folder,
// written by "demo run ID -full -record experiments/record", read by "demo claims".
package record

import (
	"embed"
	"io/fs"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/experiments/claim"
)

//go:generate go run ../../cmd/demo claims -write ../../docs
//go:generate go run ../../cmd/demo benchmark -write ../../docs

//go:embed */*.json
var files embed.FS

// Path is where the table of an experiment is in the folder.
func Path(e claim.Experiment, s claim.Scale) string { return e.Name() + "." + s.String() + ".json" }

// Table returns the record of an experiment, at Full scale if there is one, otherwise at Quick. The error is
// fs.ErrNotExist if there is none.
func Table(e claim.Experiment) (claim.Table, error) {
	f, err := files.Open(Path(e, claim.Full))
	if errors.Is(err, fs.ErrNotExist) {
		f, err = files.Open(Path(e, claim.Quick))
	}
	if err != nil {
		return claim.Table{}, errors.Wrapf(err, "record of %s", e.Name())
	}
	defer f.Close()
	t, err := claim.ReadTable(f)
	if err != nil {
		return claim.Table{}, errors.Wrapf(err, "record of %s", e.Name())
	}
	return t, errors.Wrap(t.Fits(e), "record")
}
