package cli

import (
	"fmt"
	"math"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/train"
)

// Most of what a flag may ask for: more would exhaust the memory before an error could be given.
const (
	maxWidth   = 1 << 16
	maxWeights = 1 << 28
	maxCount   = 1 << 20
)

// OutFlags are the flags of every command that writes a run folder.
type OutFlags struct {
	FolderFlags
	Seed uint64 `default:"1" help:"Seed of weights, order and toy data: the same seed gives the same numbers." json:"seed"`
}

func (f OutFlags) seed() uint64 { return f.Seed }

// InferFlags describe inference: descent on the activities, or on the prediction errors.
type InferFlags struct {
	GivenSteps *int     `name:"steps" placeholder:"N" help:"Inference steps per batch, of rules that infer (default: of pc and a smooth activation as many as it takes until 5 % of the gradient are left, 64 at most; otherwise 16 on activities, 8 on errors)." json:"-"`
	GivenRate  *float64 `name:"rate" placeholder:"R" help:"Rate of an inference step, per sample: descent is stable below 2 / largest curvature (default: of pc and a smooth activation accelerated descent at a rate that is measured; otherwise 0.1 on activities, 0.4 on errors)." json:"-"`

	Steps int     `kong:"-" json:"steps"` // after settle
	Rate  float64 `kong:"-" json:"rate"`
	Auto  bool    `kong:"-" json:"auto,omitempty"` // by infer.Auto, to AutoRest or AutoSteps; Steps and Rate are those of the comparison then
}

// What inference that was left to the program comes to: the part of the starting gradient that is left, and the steps at most.
const (
	AutoRest  = .05
	AutoSteps = 64
)

// String says how inference is made, in the coordinates given in words.
func (f InferFlags) String() string {
	return fmt.Sprintf("%d inference steps of rate %g", f.Steps, f.Rate)
}

func (f InferFlags) Check() error {
	if f.GivenSteps != nil {
		f.Steps = *f.GivenSteps
	}
	if f.GivenRate != nil {
		f.Rate = *f.GivenRate
	}
	var errs []error
	if f.GivenSteps != nil || f.Steps != 0 {
		errs = append(errs, Count("steps", f.Steps, 1))
	}
	if f.GivenRate != nil || f.Rate != 0 {
		errs = append(errs, Positive("rate", f.Rate))
	}
	return First(errs...)
}

// Settle takes what was not given from what suits the coordinates. Prediction errors are near equilibrium in fewer and longer steps:
// their curvature stays near that of the start while activities grow stiffer as weights grow.
func (f *InferFlags) Settle(onErrors bool) {
	f.Steps, f.Rate = 16, .1
	if onErrors {
		f.Steps, f.Rate = 8, .4
	}
	if f.GivenSteps != nil {
		f.Steps = *f.GivenSteps
	}
	if f.GivenRate != nil {
		f.Rate = *f.GivenRate
	}
}

// LearnFlags describe training.
type LearnFlags struct {
	InferFlags `embed:""`
	Rule       RuleFlag `default:"pc" help:"What is compared with backprop: ${rules}." json:"rule"`
	Batch      int      `default:"64" help:"Samples per batch." json:"batch"`
	Epochs     int      `default:"1" help:"Passes over the training set." json:"epochs"`
	Limit      int      `default:"0" help:"Weight updates at most; 0: all of the epochs." json:"limit"`
	LR         float64  `name:"lr" default:"0.001" help:"Learning rate of Adam on the weights." json:"lr"`
	Decay      float64  `default:"0" help:"Weight decay of AdamW, beside the gradient; biases, gains and precisions are not decayed." json:"decay"`
	Normalise  bool     `help:"Scale every matrix and kernel after each update to the standard deviation 1/(sqrt m + sqrt n), for m outputs and n inputs (Meta-PCN; with -rule fixed), of the rule and of backprop alike." json:"normalise,omitempty"`
	EvalEvery  int      `default:"100" help:"Evaluate on the test set every so many updates; 0: at the end only." json:"eval_every"`

	Solver     SolverFlag   `default:"default" help:"Solver of inference: ${train_solvers}." json:"solver,omitempty"`
	Momentum   float64      `default:"0" help:"Momentum of descent in inference, in [0, 1); above 0 it chooses -solver descent." json:"momentum,omitempty"`
	Schedule   ScheduleFlag `default:"constant" help:"Learning rate over the training: ${schedules}." json:"schedule,omitempty"`
	Clip       float64      `default:"0" help:"Largest norm of a gradient: longer ones are shortened; 0: none are." json:"clip,omitempty"`
	EMA        float64      `name:"ema" default:"0" help:"Decay of an exponential moving average of the weights, such as 0.999, which is evaluated and saved beside them; 0: none." json:"ema,omitempty"`
	Smoothing  float64      `default:"0" help:"Label smoothing: the part of every one-hot target that is spread over all classes." json:"smoothing,omitempty"`
	Patience   int          `default:"0" help:"Stop after so many evaluations in a row that are no better than the best one, and keep the weights of that; 0: never. Without -validation it is the test set that picks, so that its score is too good." json:"patience,omitempty"`
	Validation float64      `default:"0" help:"Part of the training set, its last samples, that is held out for -patience to look at." json:"validation,omitempty"`
	Seeds      int          `default:"1" help:"Trainings of each rule, from seeds -seed, -seed + 1 and so on of weights and order: the data stay. The report has a line for each, mean and standard error." json:"seeds,omitempty"`

	OnDivergence divergenceFlag `default:"stop" help:"What becomes of a batch whose numbers go wrong: stop the training, or skip the batch." json:"on_divergence"`
}

// Settle takes what was not given from what suits the rule, the coordinates and the activation: where its slope jumps, activities rest on
// kinks, at which the gradient never gets small, and a few plain steps do as well.
func (f *LearnFlags) Settle(onErrors, kinked bool) {
	f.InferFlags.Settle(onErrors)
	if f.Momentum > 0 && f.Solver.Name() == defaultSolver {
		f.Solver.name = descentSolver
	}
	switch f.Solver.Name() {
	case defaultSolver:
		f.Auto = f.Rule.row().auto && !kinked && f.GivenSteps == nil && f.GivenRate == nil
	case autoSolver:
		f.Auto = f.Rule.TakesSolver()
	}
}

func (f LearnFlags) Check() error {
	return First(f.InferFlags.Check(), Count("batch", f.Batch, 1), Count("epochs", f.Epochs, 1), Count("limit", f.Limit, 0),
		Positive("lr", f.LR), NotNegative("decay", f.Decay), Count("eval-every", f.EvalEvery, 0), fraction("momentum", f.Momentum), NotNegative("clip", f.Clip),
		fraction("ema", f.EMA), fraction("smoothing", f.Smoothing), Count("patience", f.Patience, 0), fraction("validation", f.Validation), Count("seeds", f.Seeds, 0), f.checkStop())
}

// checkStop reports a patience that has nothing to look at.
func (f LearnFlags) checkStop() error {
	if f.Patience > 0 && f.EvalEvery == 0 {
		return errors.New("-patience counts evaluations: set -eval-every to the updates from one to the next")
	}
	return nil
}

// fraction checks a number in [0, 1).
func fraction(flag string, v float64) error {
	if v >= 0 && v < 1 {
		return nil
	}
	return errors.Errorf("-%s is %v: want a number from 0 to below 1", flag, v)
}

// Optimizer is that of the weights in words.
func (f LearnFlags) Optimizer() string {
	text := fmt.Sprintf("Adam at rate %g", f.LR)
	if f.Decay > 0 {
		text = fmt.Sprintf("AdamW at rate %g with weight decay %g", f.LR, f.Decay)
	}
	if s := f.Schedule.Name(); s != "" {
		text += " with schedule " + s
	}
	if f.Clip > 0 {
		text += fmt.Sprintf(", gradients clipped at %g", f.Clip)
	}
	if f.Smoothing > 0 {
		text += fmt.Sprintf(", labels smoothed by %g", f.Smoothing)
	}
	if f.Normalise {
		text += ", weights normalised after each update"
	}
	return text
}

// NetFlags describe a network and its energy.
type NetFlags struct {
	Arch      string      `default:"mlp" help:"Architecture: mlp; cnn (stages of convolution and pool), resnet (three stages, every element a site), both for pictures; transformer, for sequences; or FILE.onnx, the network of an ONNX model, from whose weights the training starts." json:"arch"`
	Width     int         `default:"0" help:"Channels of cnn (of its first stage) and resnet, width of transformer; 0: 8, 8 and 32." json:"width"`
	Depth     int         `default:"0" help:"Stages of cnn, residual blocks per stage of resnet, blocks of transformer; 0: 2, 1 and 2." json:"depth"`
	Heads     int         `default:"4" help:"Attention heads of transformer." json:"heads"`
	Norm      bool        `help:"Layer normalisation in transformer." json:"norm"`
	Widths    []int       `placeholder:"N,..." help:"Widths of mlp from input to output (default: two hidden layers that suit the data)." json:"widths"`
	Act       ActFlag     `default:"gelu" help:"Activation: linear, tanh, hard_tanh, sigmoid, relu, leaky_relu, gelu, selu, silu." json:"act"`
	Scaling   ScalingFlag `default:"sp" help:"Scaling of the weights: ${scalings}; with mupc-adam the rate of Adam falls with width and depth." json:"scaling"`
	Gamma     float64     `default:"1" help:"Divides the output: small for lazy, large for rich learning." json:"gamma"`
	Skips     bool        `help:"Identity skips over the hidden layers of mlp." json:"skips"`
	NoBias    bool        `help:"Layers of mlp and cnn without biases." json:"no_bias"`
	Loss      LossFlag    `default:"mse" help:"Likelihood of the output: mse or ce." json:"loss"`
	Errors    bool        `help:"Let inference move prediction errors instead of activities: the same energy, and in deep networks a shorter way." json:"errors"`
	Precision float64     `default:"1" help:"Precision of the output: small lets PC approach BP. BP trains at 1 whatever it is, and the epsilon of PC's Adam is multiplied by it, so that neither learns less for it." json:"precision"`

	Imported *arch.Imported[float64] `kong:"-" json:"-"` // of -arch FILE.onnx, after Network
}

// onnxSuffix ends the names of ONNX models.
const onnxSuffix = ".onnx"

// OfModel reports whether the network is that of a file.
func (f NetFlags) OfModel() bool { return strings.HasSuffix(f.Arch, onnxSuffix) }

// ModelName is the file of an imported network in the folder of a run that trains it.
const ModelName = "network" + onnxSuffix

// Start is what the network's weights start from: drawn from the seed, or those of the file that it comes from.
func Start[T graph.Float](f NetFlags, net *arch.Network, seed uint64) (*graph.Vector[T], error) {
	if f.Imported == nil {
		return NewWeights[T](net, seed)
	}
	return graph.Convert[T](f.Imported.Weights), nil
}

// model reads the network of a file for samples of some shapes.
func (f *NetFlags) model(set string, in, out []int) (*arch.Network, error) {
	var err error
	if f.Imported, err = arch.ImportONNX[float64](f.Arch); err != nil {
		return nil, err
	}
	net := f.Imported.Network
	if in == nil {
		return net, nil
	}
	m, err := arch.Compile(net, f.Imported.Weights, arch.Plan{Batch: 1, Coordinates: arch.Feedforward})
	if err != nil {
		return nil, err
	}
	size := func(shape []int) int { return graph.Field{Shape: shape}.Size() }
	if x, y := m.Sizes(); x != size(in) || y != size(out) {
		return nil, errors.Errorf("-arch %s has %d inputs and %d outputs, and samples of %s have %v -> %v: choose other data, or another network", f.Arch, x, y, set, in, out)
	}
	return net, nil
}

func (f NetFlags) Check() error {
	weights := 0
	for i, w := range f.Widths {
		if w <= 0 || w > maxWidth {
			return errors.Errorf("-widths: width %d is %d: want 1..%d", i+1, w, maxWidth)
		}
		if i > 0 {
			weights += w * f.Widths[i-1]
		}
	}
	if weights > maxWeights {
		return errors.Errorf("-widths: %d weights: want %d at most", weights, maxWeights)
	}
	if len(f.Widths) == 1 {
		return errors.New("-widths: one width: want the input's and the output's at least")
	}
	if f.Width < 0 || f.Width > 1<<12 || f.Depth < 0 || f.Depth > 1<<9 {
		return errors.Errorf("-width %d, -depth %d: want 0..%d and 0..%d", f.Width, f.Depth, 1<<12, 1<<9)
	}
	var heads error
	if f.Kind() == "transformer" { // else the field may be zero: commands whose network is fixed have no such flag
		heads = Count("heads", f.Heads, 1)
	}
	var known error
	if !f.OfModel() {
		known = Known("architecture", f.Kind(), "mlp", "cnn", "resnet", "transformer", "FILE.onnx")
	}
	return First(known, heads, within("gamma", f.Gamma, 1e-12, 1e12), within("precision", f.Precision, 1e-12, 1e12))
}

// Network is the network for a data set, hidden being the hidden widths where the flags do not say.
func (f *NetFlags) Network(train *data.Set, hidden ...int) (*arch.Network, error) {
	if f.Loss.CE && train.Classes() == 0 {
		return nil, errors.Errorf("-loss ce is for classes, and %s is a regression: use mse", train.Name)
	}
	if f.Kind() != "mlp" {
		return f.Build(train.Name, train.InShape(), train.OutShape())
	}
	if len(f.Widths) == 0 {
		f.Widths = append(append([]int{train.In()}, hidden...), train.Out())
	}
	if in, out := f.Widths[0], f.Widths[len(f.Widths)-1]; in != train.In() || out != train.Out() {
		return nil, errors.Errorf("-widths begin with %d and end with %d, %s has %d inputs and %d outputs", in, out, train.Name, train.In(), train.Out())
	}
	if f.Loss.CE && len(train.OutShape()) > 1 {
		return nil, errors.Errorf("-loss ce of a chain is one softmax over all outputs, and every step of %s has a class of its own: use mse, or -arch transformer", train.Name)
	}
	return f.Build(train.Name, nil, nil)
}

// Kind is the architecture.
func (f NetFlags) Kind() string {
	if f.Arch == "" {
		return "mlp"
	}
	return f.Arch
}

// Build describes the network for samples of some shapes; an mlp has its sizes in Widths.
func (f *NetFlags) Build(set string, in, out []int) (*arch.Network, error) {
	s := f.Scaling.with(f.Gamma)
	or := func(v, otherwise int) int {
		if v == 0 {
			return otherwise
		}
		return v
	}
	if f.OfModel() {
		return f.model(set, in, out)
	}
	switch f.Kind() {
	case "cnn", "resnet":
		if len(in) != 3 || len(out) != 1 {
			return nil, errors.Errorf("-arch %s is for pictures with one label, and %s has samples %v -> %v: choose mnist, fashion, cifar10 or bars, or give -shape with your own", f.Arch, set, in, out)
		}
		f.Width = or(f.Width, 8)
		if f.Arch == "resnet" {
			f.Depth = or(f.Depth, 1)
			return arch.ResNet{Scaling: s, Act: f.Act.Act, Image: [3]int(in), Width: f.Width, Residuals: f.Depth, Classes: out[0]}.Network()
		}
		f.Depth = or(f.Depth, 2)
		channels := make([]int, f.Depth)
		for i := range channels {
			channels[i] = f.Width << min(i, 3)
		}
		return arch.CNN{Scaling: s, Act: f.Act.Act, Image: [3]int(in), Channels: channels, Classes: out[0], Bias: !f.NoBias}.Network()
	case "transformer":
		if len(in) != 2 || len(out) != 2 || in[1] != out[1] {
			return nil, errors.Errorf("-arch transformer predicts a token of every token, and %s has samples %v -> %v: choose text or copy", set, in, out)
		}
		f.Width, f.Depth = or(f.Width, 32), or(f.Depth, 2)
		return arch.Transformer{Scaling: s, Vocab: in[1], Tokens: in[0], Width: f.Width, Heads: f.Heads, Blocks: f.Depth, Norm: f.Norm}.Network()
	}
	return arch.Chain{Scaling: s, Act: f.Act.Act, Widths: f.Widths, Bias: !f.NoBias, Skips: f.Skips}.Network()
}

// Title describes the network in words.
func (f NetFlags) Title() string {
	if f.OfModel() {
		return "network of " + filepath.Base(f.Arch)
	}
	switch f.Kind() {
	case "cnn":
		return fmt.Sprintf("%s cnn of %d stages from %d channels", f.Act, f.Depth, f.Width)
	case "resnet":
		return fmt.Sprintf("%s resnet of %d channels with %d residual blocks per stage", f.Act, f.Width, f.Depth)
	case "transformer":
		return fmt.Sprintf("transformer of width %d with %d blocks of %d heads", f.Width, f.Depth, f.Heads)
	}
	return fmt.Sprintf("%s network of %s", f.Act, Widths(f.Widths))
}

// Coordinates are what inference moves.
func (f NetFlags) Coordinates() arch.Coordinates {
	if f.Errors {
		return arch.Errors
	}
	return arch.Activities
}

// Energy is the energy at an output precision.
func (f NetFlags) Energy(precision float64) energy.Functional {
	if f.Loss.CE {
		return energy.PC{Output: energy.Categorical{Precision: precision}}
	}
	return energy.PC{Output: energy.Gaussian{Precision: precision}}
}

// An ActFlag is an activation by name.
type ActFlag struct{ layers.Act }

// UnmarshalText is called by kong.
func (f *ActFlag) UnmarshalText(name []byte) (err error) {
	f.Act, err = layers.ParseAct(string(name))
	return err
}

// MarshalText writes the name.
func (f ActFlag) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// A LossFlag is a likelihood of the output by name.
type LossFlag struct{ CE bool }

// UnmarshalText is called by kong.
func (f *LossFlag) UnmarshalText(name []byte) error {
	f.CE = string(name) == "ce"
	return Known("loss", string(name), "mse", "ce")
}

// MarshalText writes the name.
func (f LossFlag) MarshalText() ([]byte, error) {
	if f.CE {
		return []byte("ce"), nil
	}
	return []byte("mse"), nil
}

// Known checks a name.
func Known(what, name string, names ...string) error {
	for _, n := range names {
		if n == name {
			return nil
		}
	}
	return errors.Errorf("unknown %s %q: want one of %s", what, name, strings.Join(names, ", "))
}

// Positive checks a number that must be above zero.
func Positive(flag string, v float64) error {
	if v > 0 && !math.IsInf(v, 1) {
		return nil
	}
	return errors.Errorf("-%s is %v: want a number above 0", flag, v)
}

// NotNegative checks a number that must be zero or above.
func NotNegative(flag string, v float64) error {
	if v >= 0 && !math.IsInf(v, 1) {
		return nil
	}
	return errors.Errorf("-%s is %v: want a number, at least 0", flag, v)
}

// within checks a number whose square or inverse must not leave the range of float32.
func within(flag string, v, least, most float64) error {
	if v >= least && v <= most {
		return nil
	}
	return errors.Errorf("-%s is %v: want a number from %g to %g", flag, v, least, most)
}

// Count checks a whole number.
func Count(flag string, v, least int) error {
	if v >= least && v <= maxCount {
		return nil
	}
	return errors.Errorf("-%s is %d: want %d..%d", flag, v, least, maxCount)
}

// First is the first error.
func First(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// A divergenceFlag says what becomes of batches that diverge, by name.
type divergenceFlag struct{ train.Divergence }

// UnmarshalText is called by kong.
func (f *divergenceFlag) UnmarshalText(name []byte) error {
	if string(name) == "skip" {
		f.Divergence = train.SkipBatch
	}
	return Known("way to take a divergence", string(name), "stop", "skip")
}

// MarshalText writes the name.
func (f divergenceFlag) MarshalText() ([]byte, error) {
	if f.Divergence == train.SkipBatch {
		return []byte("skip"), nil
	}
	return []byte("stop"), nil
}

// Widths writes widths as 784-300-10.
func Widths(widths []int) string {
	s := make([]string, len(widths))
	for i, w := range widths {
		s[i] = strconv.Itoa(w)
	}
	return strings.Join(s, "-")
}

// Kinked reports whether the slope of the network's activation jumps. A transformer has gelu, whatever -act says.
func (f NetFlags) Kinked() bool {
	if f.OfModel() { // whose activations may be any
		return true
	}
	a := f.Act.Act
	return f.Kind() != "transformer" && (a == layers.ReLU || a == layers.LeakyReLU || a == layers.HardTanh || a == layers.SELU)
}

// Updates is how many updates of the weights the epochs are.
func (f LearnFlags) Updates(set *data.Set) int {
	return f.Epochs * data.Batches{N: set.Len(), Size: f.Batch}.Steps()
}
