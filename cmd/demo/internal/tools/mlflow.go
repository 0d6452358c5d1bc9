package tools

import (
	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/report/mlflow"
)

// MLflowCmd sends a run to an MLflow server.
type MLflowCmd struct {
	Folder     string `arg:"" name:"RUN" help:"A run's folder."`
	URL        string `arg:"" name:"URL" help:"The tracking server: http://HOST:PORT."`
	Experiment string `placeholder:"NAME" help:"Experiment there (default: the command's name, as with -mlflow)."`
}

// Run sends what has not been sent.
func (cmd MLflowCmd) Run(c *cli.Console) error {
	c.Doing("sending")
	log := &mlflow.Log{Dir: cmd.Folder, Client: mlflow.NewClient(cmd.URL), Experiment: cmd.Experiment}
	if err := log.Sync(c.Context); err != nil {
		return err
	}
	c.Printf("Everything of %s is at %s\n", cmd.Folder, cmd.URL)
	return nil
}
