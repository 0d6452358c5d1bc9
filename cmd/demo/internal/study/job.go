package study

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/report"
	"github.com/pcgraph/pcgraph/train"
)

// MNISTCmd is the main job.
type MNISTCmd struct {
	cli.OutFlags
	cli.LearnFlags
	keepFlags
	compareFlags
	Activities bool         `help:"Let inference move activities: without it, it moves prediction errors, which come nearer to equilibrium at the same price." json:"-"`
	Loss       cli.LossFlag `default:"mse" help:"Likelihood of the output: mse or ce." json:"loss"`
	Dir        string       `placeholder:"DIR" help:"Folder of MNIST's IDX files (default: searched, see \"demo data\")." json:"-"`
}

// Validate is called by kong.
func (cmd MNISTCmd) Validate() error {
	return cli.First(cmd.LearnFlags.Check(), cmd.keepFlags.validate())
}

// Run trains, or falls back on a toy task where MNIST is not to be found.
func (cmd MNISTCmd) Run(c *cli.Console) error {
	all := TrainCmd{OutFlags: cmd.OutFlags, LearnFlags: cmd.LearnFlags, keepFlags: cmd.keepFlags, compareFlags: cmd.compareFlags, DataFlags: cli.DataFlags{Data: "mnist", Dir: cmd.Dir}}
	if err := all.Act.UnmarshalText([]byte("relu")); err != nil {
		return err
	}
	if err := all.Scaling.UnmarshalText([]byte("sp")); err != nil {
		return err
	}
	all.Widths, all.Gamma, all.Precision, all.Loss = []int{784, 300, 300, 10}, 1, 1, cmd.Loss
	all.Errors = !cmd.Activities && cmd.Rule.TakesErrors()
	err := all.job(c, "mnist")
	if errors.Is(err, data.ErrNotFound) && cmd.Dir == "" {
		c.Printf("%v\n\nUntil then: two moons, made from the seed, by the settings of \"demo toy moons\"; of the flags -seed and -out apply.\n\n", err)
		return ToyCmd{OutFlags: cmd.OutFlags, Task: "moons", Batch: 32, Steps: 16, LR: .005}.Run(c)
	}
	return err
}

// TrainCmd is the main job with any network and data.
type TrainCmd struct {
	cli.OutFlags
	cli.LearnFlags
	keepFlags
	compareFlags
	cli.NetFlags
	cli.DataFlags
}

// Validate is called by kong.
func (cmd TrainCmd) Validate() error {
	return cli.First(cmd.LearnFlags.Check(), cmd.keepFlags.validate(), cmd.NetFlags.Check(), cmd.DataFlags.Check())
}

// Run trains.
func (cmd TrainCmd) Run(c *cli.Console) error { return cmd.job(c, "train-"+cmd.Name()) }

// compareFlags say whether gradients are compared after training.
type compareFlags struct {
	NoCompare bool `help:"Leave out the comparison of gradients after training." json:"no_compare,omitempty"`
}

// job loads the data and runs.
func (cmd TrainCmd) job(c *cli.Console, name string) error {
	cmd.Settle(cmd.Errors, cmd.Kinked())
	if cmd.SolvesErrors() && !cmd.Errors {
		return errors.Errorf("-solver %s solves for prediction errors: add -errors, or take -solver lbfgs", cmd.Solver.Name())
	}
	return c.Run(name, cmd, func(r *cli.RunDir) error {
		r.Folder.Curves(cmd.Curves)
		training, test, err := cmd.Load(c, cmd.Seed, cmd.Widths)
		if err != nil {
			return err
		}
		if n := cmd.Updates(training); cli.KindOf(cmd.Data) != cli.NamedData && cmd.Limit == 0 && n < fewUpdates {
			c.Printf("Only %s: -epochs %d makes %d.\n", report.Plural(n, "weight update"), (fewUpdates*cmd.Epochs+n-1)/n, fewUpdates)
		}
		if cmd.Smoothing > 0 && training.Classes() == 0 {
			return errors.Errorf("-smoothing is for classes, and %s is a regression: leave it out", training.Name)
		}
		net, err := cmd.Network(training, cmd.Hidden(training)...)
		if err != nil {
			return err
		}
		chosen := ""
		if cmd.Auto && cmd.Rule.TakesErrors() && !cmd.Errors && !slices.Contains(c.Given, "errors") && !slices.Contains(c.Given, "activities") {
			if chosen, err = cmd.coordinates(c, net, training); err != nil {
				return err
			}
		}
		options := cmd // with what the data decide
		if cmd.OfModel() {
			for _, note := range cmd.Imported.Notes {
				c.Printf("%s\n", note)
			}
			if err := r.Save(cli.ModelName, func(path string) error {
				return arch.ExportONNX(path, net, cmd.Imported.Weights, arch.ONNX{})
			}); err != nil {
				return err
			}
			options.Arch = cli.ModelName
		}
		r.Manifest.Options = options
		if err := r.Used(training, test); err != nil {
			return err
		}
		j := &job{chosen: chosen, setup: setup{net: net, flags: cmd.NetFlags, learn: cmd.LearnFlags, seed: cmd.Seed, train: training, test: test, RunDir: r, keep: cmd.keepFlags}, agree: !cmd.NoCompare}
		if cli.KindOf(cmd.Data) != cli.NamedData {
			j.read = cmd.Read(training, test)
		}
		j.Page.Title = fmt.Sprintf("Predictive coding and backprop on %s", strings.TrimSuffix(training.Name, " train"))
		return j.do(c)
	})
}

// lookSamples is how many training samples the coordinates of inference are chosen on.
const lookSamples = 16

// coordinates chooses between activities and prediction errors where neither was asked for, and says why.
func (cmd *TrainCmd) coordinates(c *cli.Console, net *arch.Network, set *data.Set) (why string, err error) {
	w, err := cli.Start[float32](cmd.NetFlags, net, cmd.Seed)
	if err != nil {
		return "", err
	}
	n := min(cmd.Batch, set.Len(), lookSamples)
	x, y := make([]float32, n*set.In()), make([]float32, n*set.Out())
	for _, idx := range data.InOrder(n, n) {
		data.Fill(set, x, y, idx)
	}
	choice, err := train.ChooseCoordinates(net, w, arch.Plan{Batch: n, Energy: cmd.Energy(cmd.Precision)}, x, y)
	if err != nil {
		return "", err
	}
	cmd.Errors = choice.Chosen == arch.Errors
	cmd.Settle(cmd.Errors, cmd.Kinked())
	c.Printf("Inference moves %s (-errors or -errors=false says it yourself)\n", choice.Why)
	return choice.Why, nil
}

// fewUpdates is how many updates of the weights are hardly enough.
const fewUpdates = 200

// leastPrecision is where the prediction errors of hidden layers, some precision times their activities, come near the rounding of
// float32.
const leastPrecision = 1e-6

// A job is the training of both learners, then the comparison of their gradients.
type job struct {
	setup
	chosen   string                       // why inference moves what it moves, if the program chose
	agree    bool                         // compares gradients after training
	read     string                       // what was made of a user's own data
	learners []*learner                   // of the first seed
	all      []*learner                   // of every seed
	pictures func(j *job) []report.Figure // of the task itself; nil for the predicted digits
}

// do trains, compares and reports.
func (j *job) do(c *cli.Console) error {
	v := cli.ReadVersion()
	c.Printf("%s: %s, seed %d\n", j.Page.Title, j.flags.Title(), j.seed)
	c.Printf("%d training and %d test samples; kernels %s on %d cores; files go to %s\n\n", j.train.Len(), j.test.Len(), v.Kernels, v.Cores, j.Dir)
	if p := j.flags.Precision; p < leastPrecision && j.learn.Rule.Infers() && !j.flags.Errors {
		c.Printf("Note: at a precision of %g prediction errors of hidden layers are lost in the rounding of float32 activities: -errors keeps them.\n", p)
	}
	if err := j.holdOut(c); err != nil {
		return err
	}
	for k := range max(1, j.learn.Seeds) {
		if err := j.fitBoth(c, uint64(k)); err != nil {
			return err
		}
	}
	for _, p := range j.all {
		if err := j.KeepWeights(p.file()+cli.WeightsSuffix, p.name, func(path string) error { return arch.SaveWeights(path, j.net, p.rule.Subject().Weights) }); err != nil {
			return err
		}
		if p.trainer.AveragedWeights() == nil {
			continue
		}
		if err := p.trainer.UseAverage(func() error {
			return j.KeepWeights(p.file()+"-ema"+cli.WeightsSuffix, p.name+" averaged", func(path string) error { return arch.SaveWeights(path, j.net, p.rule.Subject().Weights) })
		}); err != nil {
			return err
		}
	}
	if len(j.learners) > 0 {
		j.describe()
		j.seedsTable()
		if err := j.rest(c); err != nil {
			return err
		}
	}
	if err := j.write(c); err != nil {
		return err
	}
	if j.agree && len(j.learners) > 0 {
		if err := j.compare(c); err != nil {
			return err
		}
	}
	return nil
}

// holdOut takes the validation set from the end of the training set.
func (j *job) holdOut(c *cli.Console) error {
	n := int(j.learn.Validation * float64(j.train.Len()))
	if j.learn.Validation == 0 {
		return nil
	}
	if n == 0 {
		return errors.Errorf("-validation %g of %d training samples is none", j.learn.Validation, j.train.Len())
	}
	j.train, j.validation = j.train.Slice(0, j.train.Len()-n), j.train.Slice(j.train.Len()-n, j.train.Len())
	if class, missing := lacksClass(j.validation, j.train); missing {
		return errors.Errorf("-validation %g: the last %d training samples have none of class %d, or all of them: the samples are in the order of their classes. Shuffle the file's rows", j.learn.Validation, n, class)
	}
	c.Printf("The last %d training samples are held out for -patience\n", n)
	return nil
}

// lacksClass finds a class of which one part has no sample though, by its share of the other, it should have ten or more.
func lacksClass(held, rest *data.Set) (class int, lacks bool) {
	inHeld, inRest := classCounts(held), classCounts(rest)
	part := float64(held.Len()) / float64(rest.Len())
	for i := range inHeld {
		if inHeld[i] == 0 && float64(inRest[i])*part >= 10 || inRest[i] == 0 && float64(inHeld[i])/part >= 10 {
			return i, true
		}
	}
	return 0, false
}

// classCounts is how many samples each class has; nil if they have not one label each.
func classCounts(s *data.Set) []int {
	if from, to := s.Scored(); to-from != 1 {
		return nil
	}
	counts := make([]int, s.Classes())
	for i := range s.Len() {
		counts[s.TokenLabel(i, 0)]++
	}
	return counts
}

// fitBoth trains by backprop and by the rule, from the k-th seed. After an interruption it does nothing.
func (j *job) fitBoth(c *cli.Console, k uint64) error {
	var learners []*learner
	for _, name := range []string{"BP", j.learn.Rule.Short()} {
		p, err := j.newLearner(name, k)
		if err != nil {
			return err
		}
		if v, ok := p.rule.(interface{ Validate() error }); ok { // before the other one trains for long
			if err := v.Validate(); err != nil {
				return errors.WithMessagef(err, "-rule %s does not go with the other flags (feedback and pc take any network)", j.learn.Rule)
			}
		}
		learners = append(learners, p)
	}
	var fitted []*learner // PC first
	for _, p := range learners {
		if c.Context.Err() != nil {
			break
		}
		start := time.Now()
		err := j.fit(c, p)
		j.Manifest.Seconds[p.name] = time.Since(start).Seconds()
		if err != nil {
			return errors.WithMessage(cli.InFlags(err), p.name)
		}
		fitted = append([]*learner{p}, fitted...)
	}
	if j.all = append(j.all, fitted...); k == 0 {
		j.learners = fitted
	}
	return nil
}

// moved names what inference moves.
func moved(errors bool) string {
	if errors {
		return "prediction errors"
	}
	return "activities"
}

// describe makes the head, the table and the figures of the training.
func (j *job) describe() {
	classes := j.test.Classes() > 0
	r := &j.Page
	loss := "squared error"
	if j.flags.Loss.CE {
		loss = "cross-entropy"
	}
	rule := fmt.Sprintf("%s (%s, batches of %d)", j.learn.Rule.Title(), j.learn.Rule.Short(), j.learn.Batch)
	if j.learn.Rule.Infers() {
		rule = fmt.Sprintf("%s (%s, %s on %s per batch of %d)", j.learn.Rule.Title(), j.learn.Rule.Short(), j.learn.Inference(), moved(j.flags.Errors), j.learn.Batch)
	}
	r.Lead = fmt.Sprintf("A %s learned %s (%s) twice, from the same start and in the same order: by %s and by backprop (BP), both with %s.",
		j.flags.Title(), strings.TrimSuffix(j.train.Name, " train"), loss, rule, j.learn.Optimizer())
	if j.chosen != "" {
		r.Lead += " Inference moves " + j.chosen + "."
	}
	if j.read != "" {
		r.Lead += " " + j.read + "."
	}
	t := report.Table{Title: "Training", Head: []string{"rule", "updates", "test loss", "test accuracy", "seconds", "updates/s", "step / BP", "evaluations"},
		Legend: "Updates: of the weights. Seconds: of training, without the evaluations on the test set. Step / BP: time per update, as a multiple of BP's. Evaluations: of the energy and its gradient dF/dz during inference, in all; BP needs none."}
	text := j.flags.Loss.CE && len(j.test.OutShape()) > 1
	if text {
		t.Head = append(t.Head, "perplexity")
		t.Legend += " Perplexity: exp of the test loss, of as many equally likely tokens the model is as unsure."
	}
	bp := j.learners[len(j.learners)-1]
	for _, p := range j.learners {
		h, last := p.history, p.last()
		updates := strconv.Itoa(h.Steps)
		switch {
		case h.Interrupted:
			updates += " (interrupted)"
		case h.Stopped:
			updates += fmt.Sprintf(" (best at %d)", h.Best)
		}
		accuracy, lossText := "-", "-"
		if len(h.Evals) > 0 {
			lossText = report.Number(j.loss(last.Score))
			tile := report.Tile{Value: lossText, Label: p.name + ", test loss", Class: strings.ToLower(p.name)}
			if classes {
				accuracy = fmt.Sprintf("%.2f %%", 100*last.Accuracy)
				tile.Value, tile.Label = accuracy, p.name+", test accuracy"
			}
			r.Tiles = append(r.Tiles, tile)
			j.Manifest.Results[p.name] = j.result(p)
		}
		j.Manifest.Seconds[p.name+" per update"] = p.perUpdate()
		row := []string{p.name, updates, lossText, accuracy, fmt.Sprintf("%.2f", h.Elapsed.Seconds()),
			fmt.Sprintf("%.0f", float64(h.Steps)/h.Elapsed.Seconds()), fmt.Sprintf("%.3g", p.perUpdate()/bp.perUpdate()), strconv.Itoa(h.Evaluations)}
		if text {
			row = append(row, fmt.Sprintf("%.4g", math.Exp(last.CrossEntropy)))
		}
		t.Rows = append(t.Rows, row)
		if a := h.Last().Averaged; a != nil {
			row := []string{p.name + " averaged", "", report.Number(j.loss(*a)), "-", "", "", "", ""}
			if classes {
				row[3] = fmt.Sprintf("%.2f %%", 100*a.Accuracy)
			}
			if text {
				row = append(row, fmt.Sprintf("%.4g", math.Exp(a.CrossEntropy)))
			}
			t.Rows = append(t.Rows, row)
		}
	}
	if j.learn.Patience > 0 {
		t.Legend += " With -patience the weights and scores are those of the evaluation that was best on " + j.picks() + "; an average of the weights is that at the end."
	}
	for _, p := range j.learners {
		r.Tiles = append(r.Tiles, report.Tile{Value: p.seconds().String(), Label: p.name + ", training", Class: strings.ToLower(p.name)})
	}
	if !j.flags.Loss.CE {
		t.Legend = "Test loss: 1/2 |y - output|^2 per sample. " + t.Legend
	} else {
		t.Legend = "Test loss: cross-entropy per label in nats. " + t.Legend
	}
	r.Tables = append(r.Tables, t)
	if len(j.learners[len(j.learners)-1].trace) == 0 {
		return // interrupted before the first update
	}
	caption := "Both rules see the same batches from the same initial weights. Where the curves lie on each other, the weight gradients of PC do what those of backprop do."
	r.Figures = append(r.Figures, report.Figure{File: "curves.png", Title: "How both learn",
		Caption: caption,
		Draw:    curves(j.learners, classes)})
	if f, ok := j.filters(); ok {
		r.Figures = append(r.Figures, f)
	}
	if j.pictures != nil {
		r.Figures = append(r.Figures, j.pictures(j)...)
	}
}

// Choice is what the use of some flags depends on.
func (cmd MNISTCmd) Choice() cli.Choice {
	return cli.Choice{Arch: "mlp", Data: "mnist", Rule: cmd.Rule.String(), Solver: cmd.Solver.Name()}
}

// Choice is what the use of some flags depends on.
func (cmd TrainCmd) Choice() cli.Choice {
	return cli.Choice{Arch: cmd.Kind(), Data: cmd.Data, Rule: cmd.Rule.String(), Solver: cmd.Solver.Name()}
}
