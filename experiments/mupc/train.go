package mupc

import (
	"context"
	"encoding/json"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/experiments/claim"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/train"
)

// A Setup is a network and how it is trained: a cell of the claims that train. It is plain data; the papers' units.
type Setup struct {
	Data    Data    `json:"data"`
	Method  Method  `json:"method"`
	Scaling Scaling `json:"scaling"`
	Act     Act     `json:"act"`
	Hidden  int     `json:"hidden"` // H; the network has L = H+1 weights
	Width   int     `json:"width"`  // N
	Steps   int     `json:"steps"`  // T of inference; 0 for BP
	Rate    float64 `json:"rate"`   // of inference, on the gradient of the batch mean; 0 for BP
	LR      float64 `json:"lr"`     // of Adam on the weights

	Batch      int    `json:"batch"`
	Iterations int    `json:"iterations"`
	EvalEvery  int    `json:"eval_every"` // 0: at the end only
	Test       int    `json:"test"`       // samples of the test set; 0: all
	Seed       uint64 `json:"seed"`
}

// Cost is the multiply-adds of the training's matrix products. An inference from the feedforward pass reaches one layer
// more in each step until the front stands still, in error coordinates all of them.
func (s Setup) Cost() float64 {
	h, t := float64(s.Hidden), float64(s.Steps)
	passes := 3 * h
	switch s.Method {
	case PC:
		f := s.front()
		passes += 2 * (t*f - min(t, f)*(min(t, f)+1)/2)
	case ErrorPC:
		passes += 2 * t * h
	}
	evals := 1.
	if s.EvalEvery > 0 {
		evals = float64(s.Iterations / s.EvalEvery)
	}
	tested := float64(s.Test)
	if s.Test == 0 {
		tested = 1e4
	}
	n := float64(s.Width)
	return n*n*(float64(s.Iterations*s.Batch)*passes+evals*tested*h) + 1e8
}

// front is about how many hidden layers inference moves at all: what T steps of rate r bring k layers down is about
// (T r)^k / k!, and below float32's resolution of an activity nothing moves.
func (s Setup) front() float64 {
	x, part := float64(s.Steps)*claim.PerSample(s.Rate, s.Batch), 1.
	for k := 1; k < s.Hidden; k++ {
		if part *= x / float64(k); part < 1e-6 && float64(k) > x {
			return float64(k)
		}
	}
	return float64(s.Hidden)
}

// Data names a data set.
type Data string

// The data sets.
const (
	MNIST   Data = "MNIST"
	Fashion Data = "Fashion-MNIST"
)

// Method is how weight gradients come about.
type Method string

// The methods. All start from the feedforward pass.
const (
	PC      Method = "PC"  // steps of gradient descent on the activities
	ErrorPC Method = "ePC" // on the same energy in error coordinates, where few steps come close to the equilibrium
	BP      Method = "BP"  // backpropagation
)

// Scaling is a parametrisation.
type Scaling string

// The parametrisations of residual networks.
const (
	SP   Scaling = "SP"
	MuPC Scaling = "muPC" // depth-muP, when BP trains it
)

// Act is an activation.
type Act string

// The activations.
const (
	Linear Act = "linear"
	Tanh   Act = "tanh"
	ReLU   Act = "relu"
)

// A Run is what training came to.
type Run struct {
	Accuracy float64   `json:"accuracy"` // on the test set at the end; that of chance if it diverged
	Loss     float64   `json:"loss"`     // of the feedforward pass on the training batches, mean over the last tenth of the iterations; 0 if it diverged
	Diverged int       `json:"diverged"` // iteration whose numbers were not finite; 0: none
	Reach    int       `json:"reach"`    // layers whose weights moved by more than 1 %
	Relaxed  float64   `json:"relaxed"`  // rms of the energy's gradient at the last step of inference over that at its start, mean over the last tenth; 0 for BP
	Seconds  float64   `json:"seconds"`  // of training, evaluations not counted
	Evals    []Eval    `json:"evals"`
	Moved    []float64 `json:"moved"` // |W_l - W_l(0)| / |W_l(0)| at the end, by layer
}

// An Eval is an evaluation on the test set.
type Eval struct {
	Step     int     `json:"step"`
	Accuracy float64 `json:"accuracy"`
	Loss     float64 `json:"loss"` // 1/2 |y - prediction|^2
}

// At is the accuracy at a step: that of chance from where the run diverged on.
func (r Run) At(step int) float64 {
	for _, e := range r.Evals {
		if e.Step == step {
			return e.Accuracy
		}
	}
	return chance
}

const chance = .1 // ten classes

// network describes the residual network of a setup.
func (s Setup) network(in, out int) (*arch.Network, error) {
	act, err := layers.ParseAct(string(s.Act))
	if err != nil {
		return nil, err
	}
	widths := make([]int, s.Hidden+2)
	for i := range widths {
		widths[i] = s.Width
	}
	widths[0], widths[s.Hidden+1] = in, out
	var scaling arch.Scaling = arch.MuPC{}
	if s.Scaling == SP {
		scaling = arch.SP{}
	}
	return arch.ResMLP(scaling, act, widths...)
}

// rule compiles what a setup trains with.
func (s Setup) rule(net *arch.Network, w *graph.Vector[float32]) (train.Rule[float32], error) {
	plan := arch.Plan{Batch: s.Batch}
	switch s.Method {
	case BP:
		plan.Coordinates = arch.Feedforward
	case ErrorPC:
		plan.Coordinates = arch.Errors
	}
	m, err := arch.Compile(net, w, plan)
	if err != nil {
		return nil, err
	}
	if s.Method == BP {
		return &train.Backprop[float32]{Model: m}, nil
	}
	solver := &infer.Descent[float32]{Optimizer: &optim.SGD[float32]{Rate: claim.PerSample(s.Rate, s.Batch)}}
	return &train.PC[float32]{Model: m, Solver: solver, Stop: infer.Steps(s.Steps)}, nil
}

// train trains. If folder is not empty, the training is saved in a file there now and then and when ctx ends: called again it
// goes on from the file, and comes to the same bits.
func (s Setup) train(ctx context.Context, folder string, progress func(done, total int)) (Run, error) {
	t, err := s.trainer()
	if err != nil {
		return Run{}, err
	}
	start, late := slices.Clone(t.Rule.Subject().Weights.Data()), &sums{}
	if folder != "" {
		t.Checkpoint = train.Checkpoint{File: filepath.Join(folder, "training.safetensors"), Interval: checkpointInterval, Own: late}
	}
	for step, err := range t.Steps(ctx) {
		if err != nil {
			return Run{}, err
		}
		if 10*step.Step > 9*s.Iterations {
			late.Loss += step.Loss
			if s.Method != BP && step.Inference.Initial > 0 {
				late.Relaxed += step.Inference.Residual / step.Inference.Initial
			}
		}
		progress(step.Step, s.Iterations)
	}
	return s.result(t, start, late), nil
}

// checkpointInterval is how much of the work a kill may lose.
const checkpointInterval = 2 * time.Minute

// trainer draws the weights of a setup and compiles its training.
func (s Setup) trainer() (*train.Trainer[float32], error) {
	training, test, err := load(s.Data)
	if err != nil {
		return nil, err
	}
	if s.Test > 0 {
		test = test.Slice(0, s.Test)
	}
	net, err := s.network(training.In(), training.Out())
	if err != nil {
		return nil, err
	}
	w, err := arch.NewWeights[float32](net, rand.New(rand.NewPCG(s.Seed, 0)))
	if err != nil {
		return nil, err
	}
	rule, err := s.rule(net, w)
	if err != nil {
		return nil, err
	}
	return &train.Trainer[float32]{
		Rule: rule, Optimizer: &optim.Adam[float32]{Rate: s.LR, Spans: train.AdamSpans(net, w)},
		Train: training, Test: test, Batch: s.Batch, MaxSteps: s.Iterations, Seed: s.Seed, EvalEvery: s.EvalEvery,
		DropLast:   true, // as the paper's loaders do
		Divergence: train.RecordAndStop,
	}, nil
}

// sums are what a training adds up over the last tenth of its iterations.
type sums struct{ Loss, Relaxed float64 }

// MarshalBinary implements encoding.BinaryMarshaler.
func (s *sums) MarshalBinary() ([]byte, error) { return json.Marshal(*s) }

// UnmarshalBinary implements encoding.BinaryUnmarshaler.
func (s *sums) UnmarshalBinary(text []byte) error { return json.Unmarshal(text, s) }

// result is the outcome of a training that began with the weights start.
func (s Setup) result(t *train.Trainer[float32], start []float32, late *sums) Run {
	h := t.History()
	r := Run{Accuracy: chance, Seconds: h.Elapsed.Seconds()}
	for _, e := range h.Evals {
		r.Evals = append(r.Evals, Eval{Step: e.Step, Accuracy: e.Accuracy, Loss: e.Loss})
	}
	if h.Diverged != nil {
		r.Diverged = h.Diverged.Step
	} else {
		tenth := float64(s.Iterations - 9*s.Iterations/10)
		r.Accuracy, r.Loss, r.Relaxed = h.Last().Accuracy, late.Loss/tenth, late.Relaxed/tenth
	}
	w := t.Rule.Subject().Weights
	for i := range w.Fields() {
		lo, hi := w.Span(i)
		var far, size float64
		for j, v := range start[lo:hi] {
			d := float64(w.Data()[lo+j] - v)
			far += d * d
			size += float64(v) * float64(v)
		}
		moved := math.Sqrt(far / size)
		if !finite(moved) {
			moved = 0
		}
		if r.Moved = append(r.Moved, moved); moved > .01 {
			r.Reach++
		}
	}
	return r
}

func finite(v float64) bool { return v-v == 0 }

// sets holds what has been loaded: many cells use the same data.
var sets struct {
	sync.Mutex
	loaded map[Data][2]*data.Set
}

// load loads a data set once.
func load(d Data) (training, test *data.Set, err error) {
	sets.Lock()
	defer sets.Unlock()
	if s, ok := sets.loaded[d]; ok {
		return s[0], s[1], nil
	}
	var source data.Source = data.MNIST{}
	if d == Fashion {
		source = data.FashionMNIST{}
	}
	if training, test, err = source.Load(); err != nil {
		return nil, nil, errors.WithMessagef(err, "data missing: %s", d)
	}
	if sets.loaded == nil {
		sets.loaded = map[Data][2]*data.Set{}
	}
	sets.loaded[d] = [2]*data.Set{training, test}
	return training, test, nil
}
