package inspect

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/pkg/errors"
	"gonum.org/v1/gonum/floats"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/study"
	"github.com/pcgraph/pcgraph/curvature"
	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/theory"
	"github.com/pcgraph/pcgraph/train"
)

// CurvatureCmd looks at what PC and BP descend in.
type CurvatureCmd struct {
	From string `arg:"" optional:"" name:"run" help:"Folder of a run of mnist or train, or one of its files of weights: the network and the data are those of the run. Without it the flags say which network." json:"run,omitempty"`
	cli.OutFlags
	cli.NetFlags
	cli.DataFlags
	Batch    int     `default:"32" help:"Samples that the landscapes are of." json:"batch"`
	At       string  `default:"start" enum:"start,origin" help:"The point: start, the weights at initialisation times -scale; origin, all weights zero." json:"at"`
	Scale    float64 `default:"1" help:"Factor of the weights at initialisation: .01 begins near the saddle at the origin." json:"scale"`
	Updates  int     `default:"0" help:"Look along so many updates of the weights by PC at its equilibrium (gradient descent on the batch); 0: at the first point alone." json:"updates"`
	Looks    int     `default:"5" help:"How often along them." json:"looks"`
	LR       float64 `name:"lr" default:"0.1" help:"Rate of these updates." json:"lr"`
	Tol      float64 `default:"1e-8" help:"Largest rms of dF/dz that counts as equilibrium." json:"tol"`
	Products int     `default:"80" help:"Products with a Hessian at most for the ends of its spectrum: more find them to more digits." json:"products"`
	Anyway   bool    `help:"Answer where inference does not come to -tol too, as at the kinks of relu; the answers are marked." json:"anyway"`
}

// Validate is called by kong.
func (cmd CurvatureCmd) Validate() error {
	if cmd.Scale < 0 || math.IsNaN(cmd.Scale) || cmd.Scale > 1e6 {
		return errors.Errorf("-scale is %v: want a number from 0 to 1e6", cmd.Scale)
	}
	if cmd.At == "origin" && cmd.Scale != 1 {
		return errors.Errorf("-scale has no use with -at origin, where all weights are zero: leave one of them out")
	}
	if cmd.From == "" && cmd.Dir != "" && !cli.Datasets("mnist", "fashion", "cifar10", "cifar100")(cmd.Choice()) {
		return errors.Errorf("-dir has no use with -data %s: it is for mnist, fashion, cifar10 and cifar100: leave it out", cmd.Data)
	}
	return cli.First(cmd.NetFlags.Check(), cmd.DataFlags.Check(), cli.Count("batch", cmd.Batch, 1), cli.Count("updates", cmd.Updates, 0), cli.Count("looks", cmd.Looks, 2),
		cli.Positive("lr", cmd.LR), cli.Positive("tol", cmd.Tol), cli.Count("products", cmd.Products, 10))
}

// Choice is what the use of some flags depends on.
func (cmd CurvatureCmd) Choice() cli.Choice { return cli.Choice{Arch: cmd.Kind(), Data: cmd.Data} }

// Run looks.
func (cmd CurvatureCmd) Run(c *cli.Console) error {
	name := "curvature-" + cmd.Name()
	if cmd.From != "" {
		name = "curvature"
		for _, flag := range c.Given {
			if !slices.Contains([]string{"out", "overwrite", "seed", "dir", "batch", "tol", "products", "anyway", "updates", "looks", "lr"}, flag) {
				return errors.Errorf("-%s has no use with a saved run, whose network, data and weights are given: leave it out, or leave %s out", flag, cmd.From)
			}
		}
	}
	return c.Run(name, cmd, func(r *cli.RunDir) error { return cmd.look(c, r) })
}

// A subject is a network with weights to be looked at.
type subject struct {
	title, set string
	flags      cli.NetFlags
	net        *arch.Network
	names      []string
	weights    []*graph.Vector[float64]
	x, y       []float64
	batch      int
}

// subject is what the flags or the run say.
func (cmd *CurvatureCmd) subject(c *cli.Console, out *cli.RunDir) (*subject, error) {
	s := &subject{}
	var set *data.Set
	if cmd.From != "" {
		saved, err := study.OpenNetwork(c, cmd.From, cmd.Dir)
		if err != nil {
			return nil, err
		}
		s.flags, s.net, set = saved.Flags, saved.Net, saved.Set
		s.names = saved.Names
		for _, single := range saved.Weights {
			w := graph.NewVector[float64](single.Fields()...)
			for i, v := range single.Data() {
				w.Data()[i] = float64(v)
			}
			s.weights = append(s.weights, w)
		}
	} else {
		training, _, err := cmd.Load(c, cmd.Seed, cmd.Widths)
		if err != nil {
			return nil, err
		}
		if s.net, err = cmd.Network(training, cmd.Hidden(training)...); err != nil {
			return nil, err
		}
		w, err := cli.Start[float64](cmd.NetFlags, s.net, cmd.Seed)
		if err != nil {
			return nil, err
		}
		factor := cmd.Scale
		s.names = []string{"initialisation"}
		if cmd.At == "origin" {
			factor, s.names = 0, []string{"the origin"}
		} else if factor != 1 {
			s.names[0] = fmt.Sprintf("initialisation times %g", factor)
		}
		floats.Scale(factor, w.Data())
		s.flags, set, s.weights = cmd.NetFlags, training, []*graph.Vector[float64]{w}
		if err := out.Used(training); err != nil {
			return nil, err
		}
	}
	out.Manifest.Options = *cmd
	s.batch = min(cmd.Batch, set.Len())
	s.x, s.y = make([]float64, s.batch*set.In()), make([]float64, s.batch*set.Out())
	idx := make([]int, s.batch)
	for i := range idx {
		idx[i] = i
	}
	data.Fill(set, s.x, s.y, idx)
	s.title, s.set = s.flags.Title(), set.Name
	return s, nil
}

// A scape is one of the two landscapes at a point.
type scape struct {
	rule    string // PC or BP
	model   *arch.Model[float64]
	at      *curvature.Curvature
	point   curvature.Point
	steps   float64 // of conjugate gradients in a product, mean
	density theory.Density
}

// A sight is both landscapes at a point of weight space.
type sight struct {
	name   string
	update int // -1: of a saved network
	scapes [2]scape
	weight []float64 // copies
}

// look looks at every point.
func (cmd CurvatureCmd) look(c *cli.Console, out *cli.RunDir) error {
	s, err := cmd.subject(c, out)
	if err != nil {
		return err
	}
	c.Printf("%s, %s, batch %d, float64, seed %d: %s\n", s.title, s.set, s.batch, cmd.Seed, strings.Join(s.names, ", "))
	var sights []sight
	for i, w := range s.weights {
		list, err := cmd.along(c, s, s.names[i], w)
		sights = append(sights, list...)
		if err != nil && c.Context.Err() == nil {
			return errors.WithMessage(err, s.names[i])
		}
	}
	if len(sights) == 0 {
		return nil
	}
	return cmd.report(c, out, s, sights)
}

// along looks at the weights w, and along a training from there.
func (cmd CurvatureCmd) along(c *cli.Console, s *subject, name string, w *graph.Vector[float64]) (sights []sight, err error) {
	models, err := s.compile(w)
	if err != nil {
		return nil, err
	}
	show := func(update int) error {
		at := name
		if cmd.Updates > 0 {
			at = fmt.Sprintf("%s, update %d", name, update)
		}
		v, err := cmd.sight(c, at, update, models)
		if err != nil {
			return err
		}
		for _, l := range v.scapes {
			c.Printf("%-24s %s  %v\n", at, l.rule, l.point)
		}
		sights = append(sights, v)
		return nil
	}
	if err := show(0); err != nil || cmd.Updates == 0 {
		return sights, err
	}
	rule := &train.PC[float64]{Model: models[0], Solver: &infer.LBFGS[float64]{MaxSteps: 200}, Stop: infer.Stationary{Tol: cmd.Tol}}
	trainer := train.Trainer[float64]{Rule: rule, Optimizer: &optim.SGD[float64]{Rate: cmd.LR}, MaxSteps: cmd.Updates, Feed: func(int) (x, y []float64) { return s.x, s.y }}
	next := 1
	for step, err := range trainer.Steps(c.Context) {
		if err != nil {
			return sights, err
		}
		if step.Step >= (cmd.Updates*next+cmd.Looks-2)/(cmd.Looks-1) {
			next++
			if err := show(step.Step); err != nil {
				return sights, err
			}
		}
	}
	return sights, nil
}

// compile compiles PC's and BP's model over the same weights and clamps the batch.
func (s *subject) compile(w *graph.Vector[float64]) (models [2]*arch.Model[float64], err error) {
	for i, coordinates := range []arch.Coordinates{s.flags.Coordinates(), arch.Feedforward} {
		energy := s.flags.Energy(s.flags.Precision)
		if coordinates == arch.Feedforward {
			energy = s.flags.Energy(1)
		}
		if models[i], err = arch.Compile(s.net, w, arch.Plan{Batch: s.batch, Energy: energy, Coordinates: coordinates}); err != nil {
			return models, err
		}
		if err := models[i].Clamp(s.x, s.y); err != nil {
			return models, err
		}
	}
	return models, nil
}

func (cmd CurvatureCmd) options() curvature.Options {
	return curvature.Options{Tol: cmd.Tol, Anyway: cmd.Anyway}
}

// sight measures both landscapes at the present weights.
func (cmd CurvatureCmd) sight(c *cli.Console, name string, update int, models [2]*arch.Model[float64]) (v sight, err error) {
	v.name, v.update, v.weight = name, update, slices.Clone(models[0].Weights().Data())
	models[0].Weights().Touch()
	for i, m := range models {
		l := scape{rule: []string{"PC", "BP"}[i], model: m}
		if err := m.Forward(); err != nil {
			return v, err
		}
		c.Doing("inference at " + name)
		_, err := curvature.Equilibrate(c.Context, m, cmd.options())
		if err != nil && (!cmd.Anyway || c.Context.Err() != nil) {
			return v, hint(err)
		}
		c.Doing(fmt.Sprintf("eigenvalues of %s at %s", l.rule, name))
		if l.at, err = curvature.At(c.Context, m, cmd.options()); err != nil {
			return v, hint(err)
		}
		if l.point, err = l.at.Judge(theory.Lanczos{Tol: 1e-6, Steps: cmd.Products, Seed: cmd.Seed}, 0); err != nil {
			return v, hint(err)
		}
		if l.density, err = (theory.Lanczos{Steps: min(40, cmd.Products), Seed: cmd.Seed}).Density(l.at.Dim(), l.at.Mul, 2); err != nil {
			return v, hint(err)
		}
		l.steps = float64(l.at.SolveSteps) / float64(l.at.Products)
		v.scapes[i] = l
	}
	c.Doing("")
	return v, nil
}

// hint says in the command's words what to do.
func hint(err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	if strings.Contains(err.Error(), "equilibrium") {
		return errors.WithMessage(err, "the point is not at PC's equilibrium: try -errors, a larger -tol, or -anyway for marked answers")
	}
	return err
}
