package study

import (
	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/report"
)

// ToyCmd trains a small network on a task made from the seed.
type ToyCmd struct {
	cli.OutFlags
	Steps  int     `default:"16" help:"Inference steps per batch." json:"steps"`
	Rate   float64 `default:"0" help:"Rate of an inference step, per sample; 0: what the task needs." json:"rate"`
	Task   string  `arg:"" enum:"xor,moons,spirals,linear,sine" help:"xor, moons, spirals, linear or sine." json:"task"`
	Batch  int     `default:"32" help:"Samples per batch." json:"batch"`
	Epochs int     `default:"0" help:"Passes over the training set; 0: as many as the task needs." json:"epochs"`
	Limit  int     `default:"0" help:"Weight updates at most; 0: all of the epochs." json:"limit"`
	LR     float64 `name:"lr" default:"0.005" help:"Learning rate of Adam on the weights." json:"lr"`
}

// Validate is called by kong.
func (cmd ToyCmd) Validate() error {
	return cli.First(cli.Count("steps", cmd.Steps, 1), cli.NotNegative("rate", cmd.Rate), cli.Count("batch", cmd.Batch, 1), cli.Count("epochs", cmd.Epochs, 0), cli.Count("limit", cmd.Limit, 0), cli.Positive("lr", cmd.LR))
}

// A toy says what suits a task.
type toy struct {
	epochs int
	rate   float64
	act    string
	hidden []int
}

func toyFor(task string) toy {
	switch task {
	case "xor":
		return toy{epochs: 20, rate: .2, act: "tanh", hidden: []int{16}}
	case "spirals":
		return toy{epochs: 80, rate: .05, act: "relu", hidden: []int{64, 64}}
	case "linear":
		return toy{epochs: 20, rate: .2, act: "linear", hidden: []int{16}}
	case "sine":
		return toy{epochs: 60, rate: .2, act: "tanh", hidden: []int{32, 32}}
	}
	return toy{epochs: 30, rate: .2, act: "tanh", hidden: []int{32, 32}}
}

// Run trains both learners and draws what they learned.
func (cmd ToyCmd) Run(c *cli.Console) error {
	suits := toyFor(cmd.Task)
	if cmd.Epochs == 0 {
		cmd.Epochs = suits.epochs
	}
	if cmd.Rate == 0 {
		cmd.Rate = suits.rate
	}
	return c.Run("toy", cmd, func(r *cli.RunDir) error {
		training, test, err := cli.ToySource(cmd.Task, cmd.Seed).Load()
		if err != nil {
			return err
		}
		flags := cli.NetFlags{Gamma: 1, Precision: 1}
		if err := flags.Act.UnmarshalText([]byte(suits.act)); err != nil {
			return err
		}
		net, err := flags.Network(training, suits.hidden...)
		if err != nil {
			return err
		}
		learn := cli.LearnFlags{InferFlags: cli.InferFlags{Steps: cmd.Steps, Rate: cmd.Rate}, Batch: cmd.Batch, Epochs: cmd.Epochs, Limit: cmd.Limit, LR: cmd.LR, EvalEvery: 50}
		j := &job{setup: setup{net: net, flags: flags, learn: learn, seed: cmd.Seed, train: training, test: test, RunDir: r}}
		j.Page.Title = "A small network learns " + cmd.Task
		j.pictures = func(j *job) []report.Figure { return []report.Figure{taskFigure(j, cmd.Task)} }
		return j.do(c)
	})
}

// taskFigure is the picture of what was learned.
func taskFigure(j *job, task string) report.Figure {
	switch task {
	case "linear":
		return report.Figure{File: "fit.png", Title: "Predicted against true",
			Caption: "Every point is one output of a test sample: on the diagonal it is predicted exactly. What remains is the noise that was added to the targets (standard deviation 0.1).",
			Draw:    scatter(j.learners, j.test)}
	case "sine":
		return report.Figure{File: "fit.png", Title: "The fit",
			Caption: "The network sees the noisy points only and finds the curve behind them. Where both lines lie on each other, PC has learned what BP has.",
			Draw:    fit(j.learners, j.train)}
	}
	return report.Figure{File: "boundary.png", Title: "Decision boundaries",
		Caption: "Colours are the class that the network chooses, the paler the less sure; points are test samples, and those with a black ring are mistaken. Left and right started from the same weights and saw the same batches.",
		Draw:    boundary(j.learners, j.test)}
}
