// Command demo trains predictive coding networks beside their backprop twins and shows how the gradients of the first
// become those of the second.
//
//	demo                    the main job: MNIST, PC and BP, a report
//	demo toy spirals        a small task, with a picture of what was learned
//	demo train -data x.npz  any network on data of your own, arrays or a table (.csv)
//	demo eval runs/NAME-TIME  what was saved, on the test set or on new data; demo predict: sample by sample
//	demo compare -act tanh  gradients of any network
//	demo separate mix.wav   the sources in a recording of several channels
//	demo benchmark          learning rules beside each other and backprop
//	demo bench              speed and memory on this machine
//	demo verify             the papers' claims, measured quickly
//	demo data               which data sets are here
//
// It parses flags, draws and writes files; everything that computes is in the library.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/pcgraph/pcgraph/cmd/demo/internal/bench"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/benchmark"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/claims"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/inspect"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/separate"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/study"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/tools"
)

// commands are the subcommands, one field each.
type commands struct {
	MNIST         study.MNISTCmd         `cmd:"" name:"mnist" default:"withargs" help:"The main job and the default: one epoch of MNIST by PC and by BP, then how their gradients agree."`
	Toy           study.ToyCmd           `cmd:"" help:"A toy task (xor, moons, spirals, linear, sine), with a picture of what was learned."`
	Train         study.TrainCmd         `cmd:"" help:"Train any network on any data set by PC and BP, with the main job's report."`
	Eval          study.EvalCmd          `cmd:"" help:"Evaluate saved networks, the weights in a run's folder, on the test set."`
	Predict       study.PredictCmd       `cmd:"" help:"What a saved network says of new samples, as a table."`
	Export        study.ExportCmd        `cmd:"" help:"A saved network as an ONNX model, for other frameworks and runtimes."`
	Import        study.ImportCmd        `cmd:"" help:"The network of an ONNX model, as demo train takes it."`
	Compare       study.CompareCmd       `cmd:"" help:"Compare PC's and BP's weight gradients of any network along inference; nothing is trained."`
	Coord         inspect.CoordCmd       `cmd:"" name:"coordcheck" help:"Whether the sizes of activities and of their changes in training depend on width or depth, scaling by scaling."`
	Infer         inspect.InferCmd       `cmd:"" help:"Which solver for inference: energy and gradient error against evaluations and time, for every solver on one network."`
	Graph         inspect.GraphCmd       `cmd:"" help:"The expression graph of a network as a picture (SVG and DOT): its energy, or the gradients by activities or weights."`
	Classify      study.ClassifyCmd      `cmd:"" help:"Classification of MNIST by predictive coding, to the budgets of four of JPC's notebooks."`
	Generate      study.GenerateCmd      `cmd:"" help:"Pictures from labels, and labels by inverting the generator."`
	Latent        study.LatentCmd        `cmd:"" help:"Pictures without labels: a network whose input is free; reconstructions, samples and what its causes mean."`
	Complete      study.CompleteCmd      `cmd:"" help:"Associative memory: half a picture is clamped, inference completes it."`
	Stream        study.StreamCmd        `cmd:"" help:"Temporal prediction: turning digits, frame by frame, inference beginning at what was expected."`
	Linear        study.LinearCmd        `cmd:"" help:"A deep linear network on MNIST: energy along training against its closed form."`
	Landscape     inspect.LandscapeCmd   `cmd:"" help:"The energies of the smallest chains as pictures: by weights, by activities, by depth; before and after inference."`
	Curvature     inspect.CurvatureCmd   `cmd:"" help:"What kind of point the weights are, for PC and for BP: Hessians with respect to the weights, lowest and highest eigenvalues, verdict, both landscapes along the direction of escape."`
	Hybrid        study.HybridCmd        `cmd:"" help:"A generator with an amortiser that guesses where its inference will end: three ways to a label."`
	Bidirectional study.BidirectionalCmd `cmd:"" help:"One network in both directions: classifies pictures and generates them."`
	Claims        claims.ListCmd         `cmd:"" help:"The papers' claims that are checked here, with their verdicts."`
	Run           claims.RunCmd          `cmd:"" help:"Measure claims: verdicts, tables and figures."`
	Merge         claims.MergeCmd        `cmd:"" help:"Put the cells that several machines measured into one folder."`
	Verify        claims.VerifyCmd       `cmd:"" help:"Measure all claims at quick scale; fails if one does not come out as recorded."`
	Bench         bench.Cmd              `cmd:"" help:"Measure speed and memory: evaluations, training steps, growth, start, peak memory, and Gorgonia's own machine."`
	Benchmark     benchmark.Cmd          `cmd:"" help:"Every learning rule beside every other and backprop: accuracy over seeds, price, state of inference, angle to backprop's gradient."`
	Separate      separate.Cmd           `cmd:"" help:"Separate mixtures (sounds, pictures, tables, a stream) into their sources, without knowing either; -try shows it."`
	Data          study.DataCmd          `cmd:"" help:"Which data sets are found where, with sizes and checksums, how to get what is missing, and how to give your own."`
	Serve         tools.ServeCmd         `cmd:"" help:"Show runs in a browser while they go: curves laid over each other, a table to choose from."`
	MLflow        tools.MLflowCmd        `cmd:"" name:"mlflow" help:"Send a run, or what is missing of it, to an MLflow tracking server."`
	Diff          tools.DiffCmd          `cmd:"" help:"What differs between two runs: options, program, data, results."`
	Doctor        tools.DoctorCmd        `cmd:"" help:"Look at this machine: kernels, cores, memory, writing, data sets, and what to do about them."`
	Completion    tools.CompletionCmd    `cmd:"" help:"A script with which bash, zsh or fish completes commands and flags."`

	Config  cli.ConfigFlag  `placeholder:"RUN" help:"Do what a run did: the arguments in its manifest.json, or that of its folder, with those given here instead."`
	Version cli.VersionFlag `help:"Print version, revision, Go and kernels, then exit."`
}

func main() {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // as nohup has it: the run is to outlive its terminal
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	go func() { // the first signal ends the run in order, a second one at once
		<-ctx.Done()
		stop()
	}()
	ignoreBrokenPipe()
	info, err := os.Stdout.Stat()
	c := &cli.Console{Context: ctx, In: os.Stdin, Out: os.Stdout, Terminal: err == nil && info.Mode()&os.ModeCharDevice != 0}
	os.Exit(cli.Main(c, new(commands), teaching, os.Args[1:], os.Stderr))
}
