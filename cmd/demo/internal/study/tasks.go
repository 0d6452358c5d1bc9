package study

import (
	"context"
	"fmt"
	"image"
	"math"
	"slices"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/experiments/jpc/notebooks"
	"github.com/pcgraph/pcgraph/report"
)

// ClassifyCmd is notebooks.Classify.
type ClassifyCmd struct {
	taskFlags
	Net string `arg:"" optional:"" default:"flow" help:"flow, scratch, errors or deep: the notebook whose network, inference and budget are taken." json:"net"`
}

// Validate is called by kong.
func (cmd ClassifyCmd) Validate() error {
	return cli.First(cli.Known("network", cmd.Net, notebooks.Classifiers...), cmd.taskFlags.Validate())
}

// Run trains and shows how inference spreads the error.
func (cmd ClassifyCmd) Run(c *cli.Console) error {
	k := notebooks.Classify{Net: cmd.Net}
	if solver := notebooks.Inference(cmd.solverFlags).Or(k.Budget().Inference).Solver; cmd.Net == "errors" && solver != notebooks.SGD {
		return errors.Errorf("-solver %s: the prediction errors of this network are inferred by sgd only", solver)
	}
	return cmd.do(c, cmd, notebook{name: "classify-" + cmd.Net, budget: k.Budget(), graded: "test accuracy",
		title: "Classification by predictive coding: " + k.String(), lead: "{budget}; inference on each batch: {inference}.",
		run: func(ctx context.Context, s *study) error {
			r, err := k.Run(ctx, &s.Setup)
			if err != nil || ctx.Err() != nil {
				return err
			}
			s.figure("energy.png", "Energy by layer along inference",
				"On the first test pictures. Inference begins at the feedforward pass, where all energy is at the output, and moves a part of it into the layers below; the weights learn from what has arrived there.",
				layerEnergies(r.Before, r.After))
			s.figure("digits.png", "What the network says of test pictures",
				"Under each picture is its label; framed are the mistakes, with what was predicted first.", digits(r.Rule, s.Test))
			return nil
		}})
}

// GenerateCmd is notebooks.Generate.
type GenerateCmd struct {
	taskFlags
	Std float64 `default:"0" help:"Start the inversion at draws of this standard deviation, .05 in the notebook; 0: at the mean label and its feedforward pass." json:"std"`
}

// Validate is called by kong.
func (cmd GenerateCmd) Validate() error {
	return cli.First(cmd.taskFlags.Validate(), cli.NotNegative("std", cmd.Std))
}

// Run trains a network from labels to pictures and inverts it.
func (cmd GenerateCmd) Run(c *cli.Console) error {
	g := notebooks.Generate{Std: cmd.Std}
	return cmd.do(c, cmd, notebook{name: "generate", budget: g.Budget(), graded: "accuracy of inferred labels",
		title: "A generator of pictures from labels, 10-300-300-784",
		lead:  "{budget}, label in, picture out; then the label of a test picture is found by inference with the label free. Inference both times: {inference}.",
		run: func(ctx context.Context, s *study) error {
			r, err := g.Run(ctx, &s.Setup)
			if err != nil || ctx.Err() != nil {
				return err
			}
			t := s.table("Labels by longer inversion", fmt.Sprintf("Of the trained generator, on the first %d test samples. The first row is the inference of training.", r.Few),
				[]string{"inference", "accuracy", "energy gradients per batch"})
			for _, l := range r.Longer {
				t.Rows = append(t.Rows, []string{l.Inference.String(), percent(l.Accuracy), fmt.Sprint(l.Evals)})
			}
			s.digits(r.Digits)
			s.figure("energy.png", "Energy by layer along inversion",
				"The picture is clamped, the label and everything between begin near zero. Where the lines are flat the label rests.", layerEnergies(r.Inversion))
			s.Manifest.Results["updates"] = r.History.Steps
			return nil
		}})
}

// LatentCmd is notebooks.Latent.
type LatentCmd struct {
	taskFlags
	Latents int     `default:"50" help:"Units of the free input." json:"latents"`
	Std     float64 `default:"0.05" help:"Standard deviation of the activities that inference begins with." json:"std"`
}

// Validate is called by kong.
func (cmd LatentCmd) Validate() error {
	return cli.First(cmd.taskFlags.Validate(), cli.Count("test", cmd.Test, 2), cli.Count("latents", cmd.Latents, 1), cli.Positive("std", cmd.Std))
}

// Run trains without labels and shows what the network makes of its causes.
func (cmd LatentCmd) Run(c *cli.Console) error {
	l := notebooks.Latent{Latents: cmd.Latents, Std: cmd.Std}
	return cmd.do(c, cmd, notebook{name: "latent", budget: l.Budget(),
		title: fmt.Sprintf("Pictures from latent causes, %d-300-300-784", cmd.Latents),
		lead: "{budget} pictures without labels; the network's input, the causes, is free, and inferred with all other activities ({inference}). " +
			fmt.Sprintf("The causes of the pictures below were inferred by %v.", notebooks.CauseReading),
		run: func(ctx context.Context, s *study) error {
			r, err := l.Run(ctx, &s.Setup)
			if err != nil || ctx.Err() != nil {
				return err
			}
			last := r.Along[len(r.Along)-1]
			if end, ok := last.End(); ok {
				t := s.table("Energy of test pictures where training ends inference", "", []string{"layer", "energy per sample", "JPC's notebook"})
				for i, name := range last.Terms {
					t.Rows = append(t.Rows, []string{name, report.Number(end.Terms[i]), []string{"about 1.6", "about 11", "about 60"}[i]})
				}
				s.tile(report.Number(end.Terms[2]), "energy of the picture after inference")
			}
			s.figure("energy.png", "Energy by layer along inference and training",
				"On test pictures, from causes drawn at random, at several times of training, the later the darker. All activities give way to the picture, which comes with the largest energy; a trained network explains more of it in the same time.",
				alongTraining(r.Along))
			s.figure("reconstructed.png", "Pictures and what their causes make of them",
				"Test pictures above; below, what the network makes of the inferred causes in one feedforward pass.",
				strips([]strip{{name: "test pictures", pictures: s.shown(r.Pictures, 12)}, {name: "reconstructed", pictures: s.shown(r.Reconstructed, 12)}}))
			s.Manifest.Results["reconstruction error per pixel"] = r.Error
			s.tile(report.Number(r.Error), "squared error per pixel of reconstructions (blank guess: 1)")
			rows := []strip{{name: "drawn at random"}, {}}
			for k, pictures := range r.Samples {
				rows[k].pictures = s.shown(pictures, notebooks.Columns)
			}
			for k, pictures := range r.Directions {
				rows = append(rows, strip{name: fmt.Sprintf("direction %d", k+1), pictures: s.shown(pictures, notebooks.Columns)})
			}
			s.figure("samples.png", "What the causes mean",
				fmt.Sprintf("The causes of %d test pictures, fitted by a normal distribution. Above, pictures of causes drawn from it; below, the way through its middle along its widest directions, from -2 to 2 standard deviations.", len(r.Pictures)/s.Test.In()),
				strips(rows))
			return nil
		}})
}

// CompleteCmd is notebooks.Complete.
type CompleteCmd struct {
	taskFlags
	Latents int    `default:"30" help:"Causes." json:"latents"`
	Hidden  []int  `default:"300" help:"Widths of hidden layers between causes and picture." json:"hidden"`
	Missing string `default:"bottom" help:"What is missing: bottom, top, left, right (half of the picture), or noise (half of the pixels)." json:"missing"`
}

// Validate is called by kong.
func (cmd CompleteCmd) Validate() error {
	for _, n := range cmd.Hidden {
		if err := cli.Count("hidden", n, 1); err != nil {
			return err
		}
	}
	return cli.First(cli.Known("missing", cmd.Missing, notebooks.Missing...), cmd.taskFlags.Validate(), cli.Count("latents", cmd.Latents, 1))
}

// Run trains on whole pictures and completes halves.
func (cmd CompleteCmd) Run(c *cli.Console) error {
	k := notebooks.Complete{Latents: cmd.Latents, Hidden: cmd.Hidden, Missing: cmd.Missing}
	return cmd.do(c, cmd, notebook{name: "complete", budget: k.Budget(),
		title: fmt.Sprintf("Half a picture is given (missing: %s), inference finds the rest", cmd.Missing),
		lead: fmt.Sprintf("A network of %d causes, %v hidden and 784 visible units, whose causes have a normal prior, learned whole pictures by {updates} weight updates (inference: {inference}). Of test pictures it is given half: those pixels are clamped, the others are free activities like all that is hidden, and %v complete them.",
			cmd.Latents, cmd.Hidden, notebooks.CauseReading),
		run: func(ctx context.Context, s *study) error {
			r, err := k.Run(ctx, &s.Setup)
			if err != nil || ctx.Err() != nil {
				return err
			}
			explained := 1 - r.Error/r.MeanError
			s.tile(percent(explained), "of the variance of missing pixels is explained")
			s.Manifest.Results["explained variance of missing pixels"] = explained
			s.table("Missing pixels", fmt.Sprintf("Of %d test pictures, in units of normalised pixels.", len(r.Pictures)/s.Test.In()), []string{"guess", "mean squared error"},
				[]string{"inference", report.Number(r.Error)}, []string{"mean of the training pictures", report.Number(r.MeanError)})
			given := func(pixels []float32) image.Image {
				return shown(s.Test, pixels, func(k int) bool { return r.Mask[k] == 0 })
			}
			const columns = 12
			s.figure("completed.png", "Completed pictures",
				"The network never saw these pictures, nor any with parts missing. Blue is what it was not given; what was given is kept to the last bit.",
				strips([]strip{{name: "test pictures", pictures: s.shown(r.Pictures, columns)}, {name: "given", pictures: each(r.Pictures, s.Test.In(), columns, given)},
					{name: "completed", pictures: s.shown(r.Completed, columns)}}))
			return nil
		}})
}

// StreamCmd is notebooks.Stream.
type StreamCmd struct {
	taskFlags
	Units  int     `default:"256" help:"Units of the state that is carried from frame to frame." json:"units"`
	Frames int     `default:"16" help:"Frames of a stream." json:"frames"`
	Turn   float64 `default:"12" help:"Degrees that a digit turns from frame to frame." json:"turn"`
}

// Validate is called by kong.
func (cmd StreamCmd) Validate() error {
	return cli.First(cmd.taskFlags.Validate(), cli.Count("units", cmd.Units, 1), cli.Count("frames", cmd.Frames, 4), cli.Positive("turn", math.Abs(cmd.Turn)))
}

// Run learns to expect the next frame.
func (cmd StreamCmd) Run(c *cli.Console) error {
	k := notebooks.Stream{Units: cmd.Units, Frames: cmd.Frames, Turn: cmd.Turn}
	return cmd.do(c, cmd, notebook{name: "stream", budget: k.Budget(),
		title: "What comes next: temporal prediction of turning digits",
		lead: fmt.Sprintf("A state of %d units predicts itself one frame ahead and the frame it stands for. {updates} frames of {batch} streams at once, each seen once; inference on a frame ({inference}) begins at the prediction, then all weights learn. Nothing is unrolled in time.",
			cmd.Units),
		run: func(ctx context.Context, s *study) error {
			r, err := k.Run(ctx, &s.Setup)
			s.learner.trace = slices.DeleteFunc(s.learner.trace, func(p point) bool { return (p.step-1)%cmd.Frames == 0 }) // nothing can expect the first frame
			if err != nil || ctx.Err() != nil {
				return err
			}
			s.tile(report.Number(r.NextError), "squared error per pixel of the next frame, expected")
			s.tile(report.Number(r.SameError), "of the guess that it is like this one")
			s.Manifest.Results["next frame"] = map[string]float64{"expected": r.NextError, "previous frame": r.SameError, "mean picture": r.MeanError}
			s.table("The next frame", fmt.Sprintf("Of %d streams of test digits, frames 3 to %d, in units of normalised pixels.", r.Streams, cmd.Frames),
				[]string{"guess", "squared error per pixel"}, []string{"the network's", report.Number(r.NextError)},
				[]string{"like this frame", report.Number(r.SameError)}, []string{"mean digit, upright", report.Number(r.MeanError)})
			frames := func(name string, frames [][]float32) strip {
				row := strip{name: name}
				for _, f := range frames {
					row.pictures = append(row.pictures, shown(s.Test, f, nil))
				}
				return row
			}
			s.figure("stream.png", "A digit turns",
				fmt.Sprintf("Above, frames of a test digit and what was expected one frame before; the first cannot be expected, and at the second the direction is the only thing known. Below, the %d frames that follow, and what the network expects of them without looking any more.", len(r.Blind)),
				strips([]strip{frames("seen", r.Seen), frames("expected before", r.Expected), frames("what comes", r.Coming), frames("expected blindly", r.Blind)}))
			t := s.table("Where inference begins", fmt.Sprintf("Means over the frames from the second on, inference going on until the rms of the gradient is %g.", notebooks.StartTol),
				[]string{"start", "energy at the start", "energy gradients until at rest"})
			for _, from := range r.Starts {
				t.Rows = append(t.Rows, []string{from.Name, report.Number(from.Energy), fmt.Sprintf("%.1f", from.Evals)})
			}
			return nil
		}})
}

// LinearCmd is notebooks.Linear.
type LinearCmd struct{ taskFlags }

// Run trains and holds every energy against its closed form.
func (cmd LinearCmd) Run(c *cli.Console) error {
	k := notebooks.Linear{}
	return cmd.do(c, cmd, notebook{name: "linear", budget: k.Budget(), graded: "test accuracy",
		title: "A deep linear network, whose energy at equilibrium is known beforehand",
		lead:  "784-300-300-300-300-10, linear, without biases: {budget}; inference: {inference}. Before every update the closed form says where the energy of that batch will come to: F* = 1/2B sum r S^-1 r (arXiv 2408.11979, theorem 1), with r the error of the feedforward pass.",
		run: func(ctx context.Context, s *study) error {
			r, err := k.Run(ctx, &s.Setup)
			if err != nil || len(r.Updates) == 0 {
				return err
			}
			last := r.Updates[len(r.Updates)-1]
			s.tile(fmt.Sprintf("%.2g", r.Worst()), "largest relative distance from F* over training")
			s.Manifest.Results["F/F*-1, largest"] = r.Worst()
			s.Manifest.Results["last update"] = map[string]float64{"loss": last.Loss, "energy": last.Energy, "theory": last.Theory}
			learning := s.Page.Figures
			s.Page.Figures = nil
			s.figure("theory.png", "Energy along training: measured and predicted",
				"The measured energy where inference ends lies on the closed form; the loss, from which inference starts, is what backprop would see of the same weights.",
				energyAndTheory(r.Updates))
			s.figure("approach.png", "How inference comes to the closed form",
				"On test pictures, in float32, followed eight times longer than in training. Where the lines are rough, adaptive steps hover at the level that their tolerance (here 1e-4) sets.",
				approach(r.Traces, r.Ends))
			s.Page.Figures = append(s.Page.Figures, learning...)
			return nil
		}})
}

// HybridCmd is notebooks.Hybrid.
type HybridCmd struct{ taskFlags }

// Run trains both networks and compares where the inference of labels may start.
func (cmd HybridCmd) Run(c *cli.Console) error {
	k := notebooks.Hybrid{}
	return cmd.do(c, cmd, notebook{name: "hybrid", budget: k.Budget(), graded: "accuracy of guessed labels",
		title: "A generator and an amortiser that guesses its activities",
		lead:  "10-300-300-784 makes pictures of labels; 784-300-300-10 guesses, in one pass, the activities that inference will come to, and learns from where it came to. {budget}; inference: {inference}.",
		run: func(ctx context.Context, s *study) error {
			r, err := k.Run(ctx, &s.Setup)
			if err != nil || len(r.Starts) == 0 {
				return err
			}
			t := s.table("Labels of test pictures", fmt.Sprintf("After %d updates; inference of labels: %v; the notebook's: Heun to time %.3g.", r.History.Steps, notebooks.LabelReading, notebooks.HybridTime()),
				[]string{"labels by", "accuracy", "JPC's notebook"}, []string{"the amortiser's guess", percent(r.History.Last().Accuracy), "82.1 %"})
			var traces []notebooks.Trace
			for _, l := range r.Starts {
				saved := "-"
				if l.Saved > 0 {
					saved = fmt.Sprintf("%.1f %%", l.Saved)
				}
				t.Rows = append(t.Rows, []string{l.Name, percent(l.Accuracy), saved})
				s.Manifest.Results[l.Name] = l.Accuracy
				traces = append(traces, l.Trace)
			}
			s.figure("energy.png", "The guess saves inference",
				"Energy of test pictures along the inference of their labels, from three starts. A guess that has been learned begins where the others come to later.", startEnergies(traces))
			s.digits(r.Digits)
			return nil
		}})
}

// BidirectionalCmd is notebooks.Bidirectional.
type BidirectionalCmd struct {
	taskFlags
	Back float64 `name:"back" default:"0.001" help:"Weight of the energy of the direction from labels to pictures; the notebook has 1 and 0.001." json:"back"`
}

// Validate is called by kong.
func (cmd BidirectionalCmd) Validate() error {
	return cli.First(cmd.taskFlags.Validate(), cli.Positive("back", cmd.Back))
}

// Run trains both directions in one energy.
func (cmd BidirectionalCmd) Run(c *cli.Console) error {
	k := notebooks.Bidirectional{Back: cmd.Back}
	return cmd.do(c, cmd, notebook{name: "bidirectional", budget: k.Budget(), graded: "test accuracy",
		title: "One network that classifies and generates, 784-256-10 both ways",
		lead:  fmt.Sprintf("The hidden layer is predicted from the picture and from the label, and predicts both; the energy of the direction from labels to pictures counts %g times. {budget}; inference: {inference}.", cmd.Back),
		run: func(ctx context.Context, s *study) error {
			r, err := k.Run(ctx, &s.Setup)
			if err != nil || ctx.Err() != nil {
				return err
			}
			s.table("Labels of test pictures", fmt.Sprintf("Of the first %d test samples.", r.Few), []string{"labels by", "accuracy"},
				[]string{"forward pass", percent(r.Forward)}, []string{"inference with the label free", percent(r.Free)})
			s.Manifest.Results["inferred labels"] = r.Free
			s.digits(r.Digits)
			return nil
		}})
}

// percent writes a fraction.
func percent(v float64) string { return fmt.Sprintf("%.2f %%", 100*v) }
