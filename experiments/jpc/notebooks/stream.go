package notebooks

import (
	"context"
	"math"
	"math/rand/v2"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/train"
	"github.com/pcgraph/pcgraph/train/rules"
)

// Stream is temporal prediction of turning digits: a state predicts itself one frame ahead, and the frame it stands for. Every frame
// is seen once, and nothing is unrolled in time (rules.Stream).
type Stream struct {
	Units  int     // of the state
	Frames int     // of a stream, 4 or more
	Turn   float64 // degrees from frame to frame
}

// Budget is that of the task, which has no notebook. Updates counts frames, of Batch streams at once.
func (Stream) Budget() Budget {
	return Budget{Updates: 320, EvalEvery: 64, Rate: 1e-3, Inference: Inference{Solver: SGD, Steps: 12, Rate: .1}}
}

// Streamed is what Stream came to. Frames of test streams are of the first one [frames][pixels].
type Streamed struct {
	Learned
	Seen, Expected [][]float32 // frames that were observed, and what was expected of each one frame before
	Coming, Blind  [][]float32 // the frames after them, and what is expected of them without looking
	Streams        int         // of the test set, that the numbers below are means over
	// Mean squared error per pixel of the next frame: of what is expected, of the frame before, and of the mean training picture.
	NextError, SameError, MeanError float64
	Starts                          []StartCost
}

// A StartCost is what inference costs from one start: the means over frames from the second on.
type StartCost struct {
	Name   string
	Energy float64 // at the start
	Evals  float64 // of the energy gradient, until its root mean square is StartTol
}

// StartTol is the residual at which inference on a frame counts as done.
const StartTol = .02

const (
	startRate  = .04
	startSteps = 400 // at most
)

// blindFrames is how many frames are expected without looking.
const blindFrames = 6

// turning are digits that turn, one per stream.
type turning struct {
	set    *data.Set
	turn   float64 // radians per frame
	rng    *rand.Rand
	still  []float32
	phases []float64
}

func (c Stream) turning(set *data.Set, seed, stream uint64) *turning {
	return &turning{set: set, turn: c.Turn / 180 * math.Pi, rng: rand.New(rand.NewPCG(seed, stream))}
}

// begin draws digits and the angles at which they begin.
func (s *turning) begin(streams int) {
	idx := make([]int, streams)
	s.phases = make([]float64, streams)
	for i := range idx {
		idx[i], s.phases[i] = s.rng.IntN(s.set.Len()), 2*math.Pi*s.rng.Float64()
	}
	s.still = make([]float32, streams*s.set.In())
	data.Fill(s.set, s.still, nil, idx)
}

// frame writes frame k of all streams.
func (s *turning) frame(dst []float32, k int) {
	in, blank := s.set.In(), float32(s.set.Norm(0).Apply(0))
	for i, phase := range s.phases {
		data.Turn(dst[i*in:(i+1)*in], s.still[i*in:(i+1)*in], s.set.Shape(), phase+float64(k)*s.turn, blank)
	}
}

// Run learns to expect the next frame, then looks at test streams.
func (c Stream) Run(ctx context.Context, s *Setup) (r Streamed, err error) {
	if err := s.begin("stream", c.Budget()); err != nil {
		return r, err
	}
	net := &arch.Network{Input: []int{c.Units}, Blocks: []arch.Block{
		{Name: "state", Layer: layers.Linear{In: c.Units, Out: c.Units, Act: layers.Tanh, Bias: true}},
		{Name: "frame", Layer: layers.Linear{In: c.Units, Out: s.Train.In(), Act: layers.Tanh, Bias: true}},
	}}
	w, err := arch.NewWeights[float32](net, rand.New(rand.NewPCG(s.Seed, weightStream)))
	if err != nil {
		return r, err
	}
	if err := c.learn(ctx, s, net, w, &r); err != nil || ctx.Err() != nil {
		return r, err
	}
	r.Streams = min(64, s.Test.Len())
	stream, err := s.stream(net, w, r.Streams)
	if err != nil {
		return r, err
	}
	digits := c.turning(s.Test, s.Seed, 4)
	digits.begin(r.Streams)
	if err := c.expect(stream, digits, meanPicture(s.Train), &r); err != nil {
		return r, err
	}
	return r, c.starts(stream, digits, &r)
}

// stream is a stream over the weights.
func (s *Setup) stream(net *arch.Network, w *graph.Vector[float32], streams int) (*rules.Stream[float32], error) {
	m, err := arch.Compile(net, w, arch.Plan{Batch: streams})
	if err != nil {
		return nil, err
	}
	solver, stop := s.Inference.New()
	t := &rules.Stream[float32]{Model: m, Site: "state", Solver: solver, Stop: stop}
	return t, t.Validate()
}

// learn watches streams of the training set.
func (c Stream) learn(ctx context.Context, s *Setup, net *arch.Network, w *graph.Vector[float32], r *Streamed) error {
	stream, err := s.stream(net, w, s.Batch)
	if err != nil {
		return err
	}
	digits := c.turning(s.Train, s.Seed, 3)
	frame := make([]float32, s.Batch*s.Train.In())
	trainer := &train.Trainer[float32]{Rule: stream, Optimizer: &optim.Adam[float32]{Rate: s.Rate}, MaxSteps: s.Updates}
	trainer.Feed = func(step int) (x, y []float32) {
		k := (step - 1) % c.Frames
		if k == 0 {
			digits.begin(s.Batch)
			stream.Reset()
		}
		digits.frame(frame, k)
		return nil, frame
	}
	for step, err := range trainer.Steps(ctx) {
		if r.History = trainer.History(); err != nil {
			if ctx.Err() != nil {
				break
			}
			return err
		}
		if s.OnStep != nil {
			step.Epoch = (step.Step - 1) / c.Frames
			if err := s.OnStep(nil, step); err != nil {
				return err
			}
		}
	}
	return s.end(r.Learned)
}

// expect compares what is expected with the frames of test streams.
func (c Stream) expect(s *rules.Stream[float32], digits *turning, mean []float32, r *Streamed) error {
	in := len(mean)
	frame, before := make([]float32, len(digits.still)), make([]float32, len(digits.still))
	blind := max(2, c.Frames-blindFrames)
	for k := range c.Frames {
		digits.frame(frame, k)
		expected, err := s.Expect(1)
		if err != nil {
			return err
		}
		if k > 1 { // nothing can expect the first frame, and the second not the direction
			r.NextError += meanSquare(expected[0], frame)
			r.SameError += meanSquare(before, frame)
			r.MeanError += meanSquare(frame, mean)
		}
		first := append([]float32(nil), frame[:in]...)
		if k < blind {
			r.Seen, r.Expected = append(r.Seen, first), append(r.Expected, expected[0][:in])
		} else {
			r.Coming = append(r.Coming, first)
		}
		if _, err := s.Observe(frame); err != nil {
			return err
		}
		if k == blind-1 {
			ahead, err := s.Expect(c.Frames - blind)
			if err != nil {
				return err
			}
			for _, y := range ahead {
				r.Blind = append(r.Blind, y[:in])
			}
		}
		copy(before, frame)
	}
	for _, sum := range []*float64{&r.NextError, &r.SameError, &r.MeanError} {
		*sum /= float64(c.Frames - 2)
	}
	return nil
}

// starts measures how long inference takes from several starts.
func (c Stream) starts(s *rules.Stream[float32], digits *turning, r *Streamed) error {
	s.Solver = &infer.Descent[float32]{Optimizer: &optim.SGD[float32]{Rate: startRate}}
	s.Stop = infer.Any{infer.Stationary{Tol: StartTol}, infer.Steps(startSteps)}
	frame := make([]float32, len(digits.still))
	for _, from := range []struct {
		name  string
		start train.Start[float32]
	}{{"prediction from the state before", train.Feedforward[float32]{}}, {"the state before", &train.Previous[float32]{}}, {"zero", &train.Gaussian[float32]{}}} {
		s.Reset()
		s.Start = from.start
		cost := StartCost{Name: from.name}
		for k := range c.Frames {
			digits.frame(frame, k)
			report, err := s.Observe(frame)
			if err != nil {
				return err
			}
			if k > 0 {
				cost.Energy, cost.Evals = cost.Energy+report.Loss, cost.Evals+float64(report.Inference.Evals)
			}
		}
		cost.Energy, cost.Evals = cost.Energy/float64(c.Frames-1), cost.Evals/float64(c.Frames-1)
		r.Starts = append(r.Starts, cost)
	}
	return nil
}
