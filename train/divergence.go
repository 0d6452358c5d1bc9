package train

import (
	"fmt"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/infer"
)

// A Divergence says what becomes of a batch on which inference diverges, or whose energy or gradient is not finite. The
// weights are not moved by it. Weights that are not finite themselves always end the run: no other batch would heal them.
type Divergence int

const (
	StopTraining  Divergence = iota // the run ends with a DivergenceError that names step and place
	SkipBatch                       // the batch is left out and counted; a run of which nothing is left is an error
	RecordAndStop                   // the run ends without an error, and History.Diverged has the DivergenceError
)

// A DivergenceError says that a computation gave NaN or infinity: a rate is too high, or the data are too large. Errors of
// Trainer.Run, Trainer.Steps, Evaluate, Continue, Query.Ask and rules.Stream have one in their chain if that is the cause:
//
//	var diverged *train.DivergenceError
//	if errors.As(err, &diverged) { ... diverged.Step, diverged.Where }
//
// Data that are not finite from the start are another error.
type DivergenceError struct {
	Step  int    // the training step on which it was found, counted from 1; 0 outside of a training
	Epoch int    // of that step, from 0
	Where string // what is not finite, and where: "weight block1/W[0 3] is NaN"

	// Weights says that the weights themselves are not finite, so that nothing can be done with them any more. Otherwise they
	// are those before the step.
	Weights bool
}

const remedy = "look at the data, or lower the rates"

// Error says what is not finite, where, and what to do. The step is in the message of the error that wraps it.
func (d *DivergenceError) Error() string { return d.Where + ": " + remedy }

// InferenceDiverged is the error of an inference that ended as infer.Diverged.
func InferenceDiverged(r infer.Result) *DivergenceError {
	return &DivergenceError{Where: fmt.Sprintf("inference diverged at its step %d: %s", r.Step, r.Detail)}
}

// atStep puts the step of a training into the DivergenceError of err, if there is one.
func atStep(err error, step, epoch int) error {
	var d *DivergenceError
	if errors.As(err, &d) {
		d.Step, d.Epoch = step, epoch
	}
	return err
}
