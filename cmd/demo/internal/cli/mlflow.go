package cli

import (
	"context"
	"time"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/report/mlflow"
)

// MLflowFlags say which server a run is sent to while it goes.
type MLflowFlags struct {
	MLflow           string `name:"mlflow" placeholder:"URL" help:"Send the run to an MLflow tracking server while it goes: options, curves, in the end files. A server that is away stops nothing: \"demo mlflow RUN URL\" sends what is missing." json:"-"`
	MLflowExperiment string `name:"mlflow-experiment" placeholder:"NAME" help:"Experiment there (default: the command's name)." json:"-"`
}

func (f MLflowFlags) mlflow() MLflowFlags { return f }

// Check reports a URL that is none.
func (f MLflowFlags) Check() error {
	if f.MLflow == "" {
		return nil
	}
	return errors.WithMessage(mlflow.NewClient(f.MLflow).Validate(), "-mlflow")
}

// The rest of a run is sent for so long at its end; lines are sent every so often.
const (
	mlflowEnd   = 20 * time.Second
	mlflowEvery = 2 * time.Second
)

// send sends a run while it goes. The returned function, called when the manifest says how the run ended, sends the rest.
func (c *Console) send(f MLflowFlags, r *RunDir) (end func()) {
	log := &mlflow.Log{Dir: r.Dir, Client: mlflow.NewClient(f.MLflow), Experiment: f.MLflowExperiment}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		log.Follow(ctx, mlflowEvery, func(text string) { c.Printf("%s\n", text) })
	}()
	return func() {
		cancel()
		<-done
		ctx, cancel := context.WithTimeout(context.Background(), mlflowEnd)
		defer cancel()
		if err := log.Sync(ctx); err != nil {
			c.Printf("Not everything is on the MLflow server: %v\nSend the rest with: demo mlflow %s %s\n", err, r.Dir, f.MLflow)
		} else {
			c.Printf("MLflow: everything is at %s\n", f.MLflow)
		}
	}
}
