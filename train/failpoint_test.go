package train_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/pcgraph/pcgraph/internal/atomicfile/atomicfiletest"
	"github.com/pcgraph/pcgraph/train"
)

// Wherever the writing of a checkpoint fails or the process dies, the training goes on from the one before, or from the new one if it is
// in place, to the weights of a training that nothing happened to. Oracle: that training, bit by bit, and the old file.
func TestCheckpoint_SurvivesEveryFailPoint(t *testing.T) {
	learn := func(file string, steps int) ([]float32, error) {
		run := kept(t, baseRules[float32](t, 5, 6, 4, 3)["pc"], everyOptimizer[float32]()["adam"], train.Checkpoint{File: file})
		run.MaxSteps = steps
		_, err := run.Run(context.Background())
		return run.Rule.Subject().Weights.Data(), err
	}
	whole, err := learn("", 11)
	if err != nil {
		t.Fatal(err)
	}
	var old []byte
	name := func(dir string) string { return filepath.Join(dir, "run.checkpoint") }
	atomicfiletest.Case{
		Setup: func(dir string) (err error) {
			if _, err = learn(name(dir), 4); err == nil {
				old, err = os.ReadFile(name(dir))
			}
			return err
		},
		Write: func(dir string) error { _, err := learn(name(dir), 8); return err },
		Check: func(dir string, renamed bool) error {
			now, err := os.ReadFile(name(dir))
			if err != nil {
				return err
			}
			if bytes.Equal(now, old) == renamed {
				return errors.New("the file is not the one that should be there")
			}
			copied := filepath.Join(t.TempDir(), "copy")
			if err := os.WriteFile(copied, now, 0o644); err != nil {
				return err
			}
			got, err := learn(copied, 11)
			if err == nil && !slices.Equal(got, whole) {
				err = errors.New("the resumed training has other weights")
			}
			return err
		},
	}.Run(t)
}
