package main

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/report"
	"github.com/pcgraph/pcgraph/train"
	"github.com/pcgraph/pcgraph/train/rules"
)

// streamCmd is temporal prediction.
type streamCmd struct {
	taskFlags
	Units  int     `default:"256" help:"Units of the state that is carried from frame to frame." json:"units"`
	Frames int     `default:"16" help:"Frames of a stream." json:"frames"`
	Turn   float64 `default:"12" help:"Degrees that a digit turns from frame to frame." json:"turn"`
}

// Validate is called by kong.
func (cmd streamCmd) Validate() error {
	return cli.First(cmd.validate(), cli.Count("units", cmd.Units, 1), cli.Count("frames", cmd.Frames, 4), cli.Positive("turn", math.Abs(cmd.Turn)))
}

// streamBudget is no notebook's: -limit counts frames, of -batch streams at once.
var streamBudget = notebook{limit: 320, every: 64, lr: 1e-3, infer: cli.SolverFlags{Solver: "sgd", Steps: 12, Rate: .1}}

// A turning is digits that turn, as many streams as a batch.
type turning struct {
	set    *data.Set
	turn   float64 // radians per frame
	rng    *rand.Rand
	still  []float32
	phases []float64
}

// begin draws digits and the angles they begin at.
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

// Run learns to expect the next frame.
func (cmd streamCmd) Run(c *cli.Console) error {
	t, err := newStudy(c, "stream", cmd.taskFlags, streamBudget, &cmd)
	if err != nil {
		return err
	}
	t.Page.Title = "What comes next: temporal prediction of turning digits"
	t.Page.Lead = fmt.Sprintf("A state of %d units predicts itself one frame ahead and the frame it stands for. %d frames of %d streams at once, each seen once; inference on a frame (%v) begins at the prediction, then all weights learn. Nothing is unrolled in time.",
		cmd.Units, t.opts.Limit, t.opts.Batch, t.opts.SolverFlags)
	return t.run(func() error {
		net := &arch.Network{Input: []int{cmd.Units}, Blocks: []arch.Block{
			{Name: "state", Layer: layers.Linear{In: cmd.Units, Out: cmd.Units, Act: layers.Tanh, Bias: true}},
			{Name: "frame", Layer: layers.Linear{In: cmd.Units, Out: t.train.In(), Act: layers.Tanh, Bias: true}},
		}}
		w, err := cli.NewWeights[float32](net, t.seed)
		if err != nil {
			return err
		}
		if err := cmd.learn(t, net, w); err != nil || t.interrupted() {
			return err
		}
		return cmd.show(t, net, w)
	})
}

// stream is a stream over the weights.
func (cmd streamCmd) stream(t *study, net *arch.Network, w *graph.Vector[float32], streams int) (*rules.Stream[float32], error) {
	m, err := arch.Compile(net, w, arch.Plan{Batch: streams})
	if err != nil {
		return nil, err
	}
	solver, stop := t.opts.New()
	s := &rules.Stream[float32]{Model: m, Site: "state", Solver: solver, Stop: stop}
	return s, s.Validate()
}

// learn watches streams of the training set.
func (cmd streamCmd) learn(t *study, net *arch.Network, w *graph.Vector[float32]) error {
	s, err := cmd.stream(t, net, w, t.opts.Batch)
	if err != nil {
		return err
	}
	s.Optimizer = &optim.Adam[float32]{Rate: t.opts.LR}
	digits := &turning{set: t.train, turn: cmd.Turn / 180 * math.Pi, rng: rand.New(rand.NewPCG(t.seed, 3))}
	frame := make([]float32, t.opts.Batch*t.train.In())
	show := t.console.Progress("PC", "step")
	defer show.End()
	p := &pupil{name: "PC"}
	for done := 0; done < t.opts.Limit && !t.interrupted(); done++ {
		if done%cmd.Frames == 0 {
			digits.begin(t.opts.Batch)
			s.Reset()
		}
		digits.frame(frame, done%cmd.Frames)
		r, err := s.Observe(frame)
		if err != nil {
			return err
		}
		show.Step(done+1, t.opts.Limit, func() string { return losses(r.Loss, r.Energy) })
		if done%cmd.Frames > 0 { // nothing can expect the first frame
			p.trace = append(p.trace, point{step: done + 1, loss: r.Loss, energy: r.Energy})
		}
		line := stepLine{Kind: "step", Rule: "PC", Step: done + 1, Epoch: done / cmd.Frames, Loss: r.Loss, Energy: r.Energy,
			Status: r.Inference.Status.String(), Steps: r.Inference.Step, Residual: &r.Inference.Residual}
		if err := t.Folder.Line(line); err != nil {
			return err
		}
	}
	t.ungraded = true
	if len(p.trace) > 0 {
		t.Page.Figures = append(t.Page.Figures, report.Figure{File: "curves.png", Title: "Learning",
			Caption: "Left the energy at the start of inference: how wrong the prediction of the frame was. Right what is left of it where inference ends and the weights learn.",
			Draw:    t.curves(p)})
	}
	return nil
}

// ahead is how many frames are expected without looking, in the picture.
const ahead = 6

// show looks at streams of the test set.
func (cmd streamCmd) show(t *study, net *arch.Network, w *graph.Vector[float32]) error {
	streams := min(64, t.test.Len())
	s, err := cmd.stream(t, net, w, streams)
	if err != nil {
		return err
	}
	digits := &turning{set: t.test, turn: cmd.Turn / 180 * math.Pi, rng: rand.New(rand.NewPCG(t.seed, 4))}
	digits.begin(streams)
	in := t.test.In()
	frame, before := make([]float32, streams*in), make([]float32, streams*in)
	mean := meanPicture(t.train)
	rows := []strip{{name: "seen"}, {name: "expected before"}, {name: "what comes"}, {name: "expected blindly"}}
	var wrong, same, still float64
	blind := max(2, cmd.Frames-ahead)
	for k := range cmd.Frames {
		digits.frame(frame, k)
		expected, err := s.Expect(1)
		if err != nil {
			return err
		}
		if k > 1 {
			wrong, same = wrong+meanSquare(expected[0], frame), same+meanSquare(before, frame)
			for i, v := range frame {
				d := float64(v - mean[i%in])
				still += d * d / float64(len(frame))
			}
		}
		if k < blind {
			rows[0].pictures = append(rows[0].pictures, shown(t.test, frame[:in], nil))
			rows[1].pictures = append(rows[1].pictures, shown(t.test, expected[0][:in], nil))
		} else {
			rows[2].pictures = append(rows[2].pictures, shown(t.test, frame[:in], nil))
		}
		if _, err := s.Observe(frame); err != nil {
			return err
		}
		if k == blind-1 {
			pictures, err := s.Expect(cmd.Frames - blind)
			if err != nil {
				return err
			}
			for _, y := range pictures {
				rows[3].pictures = append(rows[3].pictures, shown(t.test, y[:in], nil))
			}
		}
		copy(before, frame)
	}
	n := float64(cmd.Frames - 2)
	wrong, same, still = wrong/n, same/n, still/n
	t.Page.Tiles = append(t.Page.Tiles, report.Tile{Value: report.Number(wrong), Label: "squared error per pixel of the next frame, expected", Class: "pc"},
		report.Tile{Value: report.Number(same), Label: "of the guess that it is like this one"})
	t.Manifest.Results["next frame"] = map[string]float64{"expected": wrong, "previous frame": same, "mean picture": still}
	t.Page.Tables = append(t.Page.Tables, report.Table{Title: "The next frame", Note: fmt.Sprintf("Of %d streams of test digits, frames 3 to %d, in units of normalised pixels.", streams, cmd.Frames),
		Head: []string{"guess", "squared error per pixel"}, Rows: [][]string{
			{"the network's", report.Number(wrong)}, {"like this frame", report.Number(same)}, {"mean digit, upright", report.Number(still)}}})
	t.Page.Figures = append(t.Page.Figures, report.Figure{File: "stream.png", Title: "A digit turns",
		Caption: fmt.Sprintf("Above, frames of a test digit and what was expected one frame before; the first cannot be expected, and at the second the direction is the only thing known. Below, the %d frames that follow, and what the network expects of them without looking any more.", cmd.Frames-blind),
		Draw:    strips(rows)})
	return cmd.starts(t, s, digits)
}

// startTol is the residual at which inference on a frame counts as done, startRate its rate and startSteps its limit.
const (
	startTol   = .02
	startRate  = .04
	startSteps = 400
)

// starts is how long inference takes from several starts.
func (cmd streamCmd) starts(t *study, s *rules.Stream[float32], digits *turning) error {
	tab := report.Table{Title: "Where inference begins", Head: []string{"start", "energy at the start", "energy gradients until at rest"},
		Note: fmt.Sprintf("Means over the frames from the second on, inference going on until the rms of the gradient is %g.", startTol)}
	s.Solver, s.Stop = cli.Descent[float32](startRate), infer.Any{infer.Stationary{Tol: startTol}, infer.Steps(startSteps)}
	frame := make([]float32, len(digits.still))
	for _, way := range []struct {
		name  string
		start train.Start[float32]
	}{{"prediction from the state before", train.Feedforward[float32]{}}, {"the state before", &train.Previous[float32]{}}, {"zero", &train.Gaussian[float32]{}}} {
		s.Reset()
		s.Start = way.start
		energy, evals := 0., 0
		for k := range cmd.Frames {
			digits.frame(frame, k)
			r, err := s.Observe(frame)
			if err != nil {
				return err
			}
			if k > 0 {
				energy, evals = energy+r.Loss, evals+r.Inference.Evals
			}
		}
		n := float64(cmd.Frames - 1)
		tab.Rows = append(tab.Rows, []string{way.name, report.Number(energy / n), fmt.Sprintf("%.1f", float64(evals)/n)})
	}
	t.Page.Tables = append(t.Page.Tables, tab)
	return nil
}
