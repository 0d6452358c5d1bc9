package trustregion

import (
	"context"
	"fmt"
	"math"
	"strings"

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

// A race is a deep network that learns by plain gradient descent with one method.
type race struct {
	MNIST   bool    `json:"mnist"` // otherwise a chain of scalars learning y = -x
	Act     string  `json:"act"`
	Depth   int     `json:"depth"` // L
	Width   int     `json:"width"`
	Init    float64 `json:"init"` // deviation of a chain's weights; 0: uniform in (-1, 1) times 1/sqrt(fan-in)
	Method  Method  `json:"method"`
	Rate    float64 `json:"rate"`
	Batches int     `json:"batches"`
	Seed    uint64  `json:"seed"`
}

// Cost is about how many seconds it takes.
func (r race) Cost() float64 {
	c := 2e-5 * float64(r.Batches)
	if r.MNIST {
		c *= 10
	}
	if r.Method == PC {
		c *= 20
	}
	return c
}

// A course is how a race went.
type course struct {
	Arrived int              `json:"arrived"` // the batch before which the loss (of MNIST in the mean of the last 10) is below the goal; -1: never
	At      []int            `json:"at"`      // batches
	Losses  []claim.Nullable `json:"losses"`  // means of up to 10 batches before
}

// goal is the loss that counts as learned: a tenth of where the chain starts, and for MNIST a mean square of .05 per output, the blog's.
func (r race) goal() float64 {
	if r.MNIST {
		return .25
	}
	return .05
}

// network is the race's network.
func (r race) network() (*arch.Network, error) {
	act, err := layers.ParseAct(r.Act)
	if err != nil {
		return nil, err
	}
	widths := make([]int, r.Depth+1)
	for i := range widths {
		widths[i] = r.Width
	}
	if r.MNIST {
		widths[0], widths[r.Depth] = 784, 10
	}
	return arch.Chain{Scaling: arch.SP{}, Act: act, Widths: widths}.Network()
}

func (r race) run(ctx context.Context, at *claim.Cell) (course, error) {
	n, err := r.network()
	if err != nil {
		return course{}, err
	}
	if r.MNIST {
		return compete[float32](ctx, r, n, at)
	}
	return compete[float64](ctx, r, n, at)
}

// compete trains. PC infers by Gauss-Newton steps, which end near the equilibrium whatever the depth.
func compete[T graph.Float](ctx context.Context, r race, n *arch.Network, at *claim.Cell) (course, error) {
	random := generator(r.Seed)
	w, err := arch.NewWeights[T](n, random)
	if err != nil {
		return course{}, err
	}
	if r.Init > 0 {
		for i := range w.Data() {
			v := r.Init * random.NormFloat64()
			if r.Act == "relu" && i < len(w.Data())-1 { // others are dead, for both methods
				v = math.Abs(v)
			}
			w.Data()[i] = T(v)
		}
	}
	const samples = 64
	plan := arch.Plan{Batch: samples, Coordinates: arch.Feedforward}
	if r.Method == PC {
		plan.Coordinates = arch.Errors
	}
	m, err := arch.Compile(n, w, plan)
	if err != nil {
		return course{}, err
	}
	var rule train.Rule[T] = &train.Backprop[T]{Model: m}
	if r.Method == PC {
		rule = &train.PC[T]{Model: m, Solver: &infer.Newton[T]{MaxSteps: newtonSteps(r.Act)}, Stop: infer.Stationary{Rel: 1e-3}}
	}
	t := train.Trainer[T]{Rule: rule, Optimizer: &optim.SGD[T]{Rate: r.Rate}, MaxSteps: r.Batches, Seed: r.Seed}
	if r.MNIST {
		if t.Train, _, err = (data.MNIST{}).Load(); err != nil {
			return course{}, err
		}
		t.Batch, t.DropLast = samples, true
	} else {
		x, y := make([]T, samples), make([]T, samples)
		t.Feed = func(int) ([]T, []T) {
			for i := range x {
				x[i] = T(1 + .1*random.NormFloat64())
				y[i] = -x[i]
			}
			return x, y
		}
	}
	c := course{Arrived: -1}
	var last []float64
	window := 1
	if r.MNIST {
		window = 10
	}
	every := max(1, r.Batches/60)
	for step, err := range t.Steps(ctx) {
		var diverged *train.DivergenceError
		if errors.As(err, &diverged) {
			c.At, c.Losses = append(c.At, step.Step), append(c.Losses, claim.Nullable(math.Inf(1)))
			return c, nil
		}
		if err != nil {
			return course{}, err
		}
		if last = append(last, step.Loss); len(last) > window {
			last = last[1:]
		}
		mean := claim.Mean(last...).Mean
		if c.Arrived < 0 && len(last) == window && mean < r.goal() {
			c.Arrived = step.Step - 1
		}
		if step.Step == 1 || step.Step%every == 0 {
			c.At, c.Losses = append(c.At, step.Step), append(c.Losses, claim.Nullable(math.Round(mean*1e6)/1e6))
		}
		if c.Arrived >= 0 && !r.MNIST {
			c.At, c.Losses = append(c.At, step.Step), append(c.Losses, claim.Nullable(mean))
			break
		}
		at.Progress(step.Step, r.Batches)
	}
	return c, nil
}

// newtonSteps bounds the inference: a linear network needs one.
func newtonSteps(act string) int {
	if act == "linear" {
		return 1
	}
	return 5
}

// kind is the activation, and the initialisation if it is not that of the grid's sentence.
func (r race) kind() string {
	if !r.MNIST && r.Init == 0 {
		return r.Act + usual
	}
	return r.Act
}

// usual marks chains that start at weights uniform in (-1, 1).
const usual = ", usual weights"

// A method at its best rate.
type best struct {
	rate    float64
	median  float64 // of the batches to the goal; of a draw that does not arrive as many as there were, and one more
	arrived int     // draws
	draws   int
	last    float64 // loss at the end, mean over draws; infinite after a divergence
	limit   int     // batches of each
	each    map[uint64]int
	courses []course
}

// winners are the best rates by activation and method.
func winners(t claim.Table) (acts []string, of map[string]map[Method]best) {
	of = map[string]map[Method]best{}
	type key struct {
		act    string
		method Method
		rate   float64
	}
	lists := map[key]*best{}
	var keys []key
	for _, r := range claim.Rows[race, course](t) {
		k := key{r.Params.kind(), r.Params.Method, r.Params.Rate}
		b := lists[k]
		if b == nil {
			b = &best{rate: k.rate, limit: r.Params.Batches, each: map[uint64]int{}}
			lists[k] = b
			keys = append(keys, k)
		}
		n := r.Result.Arrived
		if b.draws++; n < 0 {
			n = r.Params.Batches + 1
		} else {
			b.arrived++
		}
		b.each[r.Params.Seed] = n
		b.courses = append(b.courses, r.Result)
		if l := r.Result.Losses; len(l) > 0 {
			b.last += (float64(l[len(l)-1]) - b.last) / float64(b.draws)
		}
	}
	for _, k := range keys {
		b := lists[k]
		var all []float64
		for _, seed := range claim.Keys(b.each) {
			all = append(all, float64(b.each[seed]))
		}
		b.median = median(all)
		if of[k.act] == nil {
			of[k.act] = map[Method]best{}
			acts = append(acts, k.act)
		}
		old, known := of[k.act][k.method]
		if !known || b.arrived > old.arrived || b.arrived == old.arrived && (b.median < old.median || b.median == old.median && b.last < old.last) {
			of[k.act][k.method] = *b
		}
	}
	return acts, of
}

// told says how the two methods came out for an activation.
func told(act string, bp, pc best) string {
	return fmt.Sprintf("%s: BP %g (rate %g, %d of %d draws arrive), PC %g (rate %g, %d of %d)", act, bp.median, bp.rate, bp.arrived, bp.draws, pc.median, pc.rate, pc.arrived, pc.draws)
}

var chainGrid = claim.Grid("trustregion/chains", 1, func(s claim.Scale) []race {
	count, batches, rates, inits := 8, 1500, []float64{.1, .4}, []float64{.3, 0}
	if s == claim.Quick {
		count, batches, rates, inits = 2, 250, []float64{.4}, inits[:1]
	}
	var grid []race
	for _, init := range inits {
		for _, act := range []string{"linear", "tanh", "relu"} {
			if init == 0 && act == "relu" {
				continue // 31 of 32 draws are dead
			}
			for _, m := range methods[:2] {
				for _, rate := range rates {
					for _, seed := range claim.Seeds(count) {
						grid = append(grid, race{Act: act, Depth: 5, Width: 1, Init: init, Method: m, Rate: rate, Batches: batches, Seed: seed})
					}
				}
			}
		}
	}
	return grid
}, func(ctx context.Context, r race, at *claim.Cell) (course, error) { return r.run(ctx, at) })

const chainSource = paper + ", figure 3 (second-hand: depth, initialisation and rates are our choice)"

var chains = claim.Claim{
	ID:        "trustregion/chains",
	Source:    chainSource,
	Statement: "Deep chains of single linear or tanh units learn y = -x in fewer batches by PC than by BP, each at its best rate.",
	Paper:     "PC faster for linear and tanh",
	Grid:      chainGrid,
	Bounds: []claim.Bound{
		{Text: "from weights N(0, .3²) PC's median number of batches to a loss of .05 is below BP's, each at its best rate, PC arrives in as many draws or more, and is sooner in most", Origin: claim.Paper, Note: "figure 3"},
	},
	Check:   chainsRace,
	Verdict: claim.WithCare,
	Care:    chainsCare,
	Plot:    chainsFigure,
}

var chainsReLU = claim.Claim{
	ID:        "trustregion/chains-relu",
	Source:    chainSource,
	Statement: "In chains of ReLU units, which break the symmetry of signs and so have fewer saddles, PC has no advantage over BP.",
	Paper:     "no advantage for ReLU. The author's later figure, of 10-layer networks on MNIST, shows a large one: see trustregion/deep",
	Grid:      chainGrid,
	Bounds: []claim.Bound{
		{Text: "of the draws in which either arrives PC is sooner by more than a third in half at most", Origin: claim.Paper, Note: "figure 3: no advantage"},
	},
	Check:    reluRace,
	Verdict:  claim.Fails,
	Care:     reluCare,
	Shuffled: "the sentence is refuted by what its own cells gave, and results in the wrong cells refute it as well",
}

// sooner counts the draws in which PC arrives more than a third sooner, of those in which one arrives.
func sooner(bp, pc best) (won, of int) {
	for seed, b := range bp.each {
		p, known := pc.each[seed]
		if !known || b > bp.limit && p > pc.limit {
			continue
		}
		if of++; 3*p < 2*b {
			won++
		}
	}
	return won, of
}

// chainsRace is the check of trustregion/chains.
func chainsRace(t claim.Table) (string, error) {
	var off claim.Off
	var ours []string
	_, of := winners(t)
	for _, act := range []string{"linear", "tanh"} {
		bp, pc := of[act][SGD], of[act][PC]
		if bp.draws == 0 || pc.draws == 0 {
			continue
		}
		said := told(act, bp, pc)
		ours = append(ours, said)
		n := 0
		for seed, b := range bp.each {
			if p, known := pc.each[seed]; known && p < b {
				n++
			}
		}
		if !(pc.median < bp.median) || pc.arrived < bp.arrived || 2*n <= bp.draws {
			off.Add("%s; PC is sooner in %d", said, n)
		}
	}
	return "median batches: " + strings.Join(ours, "; "), off.Err()
}

// chainsCare is the care of trustregion/chains.
func chainsCare(t claim.Table) string {
	_, of := winners(t)
	var words []string
	for _, act := range []string{"linear", "tanh"} {
		if bp, pc := of[act+usual][SGD], of[act+usual][PC]; bp.draws > 0 && pc.draws > 0 {
			words = append(words, told(act, bp, pc))
		}
	}
	return "From small weights, near the saddle at the origin. From weights uniform in (-1, 1), the usual ones for units of one input, it is the other way round or even: " + strings.Join(words, "; ") + "."
}

// reluRace is the check of trustregion/chains-relu.
func reluRace(t claim.Table) (string, error) {
	var off claim.Off
	_, of := winners(t)
	bp, pc := of["relu"][SGD], of["relu"][PC]
	if bp.draws == 0 || pc.draws == 0 {
		return "", off.Err()
	}
	won, all := sooner(bp, pc)
	if 2*won > all {
		off.Add("PC is sooner by more than a third in %d of %d draws", won, all)
	}
	return fmt.Sprintf("%s; PC is sooner by more than a third in %d of the %d draws in which either arrives", told("median batches, ReLU", bp, pc), won, all), off.Err()
}

// reluCare is the care of trustregion/chains-relu.
func reluCare(t claim.Table) string {
	ours, _ := reluRace(t)
	return "Chains all of whose units but the last have a positive weight, N(0, .3²) in size: others pass nothing on and neither method moves them. On those that live PC leaves the origin sooner as it does with linear units, " +
		"whose equations they obey as long as they live: " + ours + ". What the paper calls no advantage may be the dead draws; its initialisation is not known."
}

// raceFigure draws the losses at the best rates.
func raceFigure(t claim.Table, name, caption string, x claim.Axis) []claim.Figure {
	f := claim.Figure{Name: name, Columns: 3, Caption: caption}
	acts, of := winners(t)
	for _, act := range acts {
		p := claim.Panel{Title: act, X: x, Y: claim.Axis{Label: "loss 1/2 |y - yhat|², mean", Log: true}}
		for k, m := range methods[:2] {
			b, known := of[act][m]
			if !known {
				continue
			}
			for i, c := range b.courses {
				l := claim.Line{Series: k + 1}
				if i == 0 {
					l.Name = fmt.Sprintf("%s, rate %g", []string{"BP", "PC"}[k], b.rate)
				}
				for j, at := range c.At {
					if v := float64(c.Losses[j]); !math.IsInf(v, 0) {
						l.X, l.Y = append(l.X, float64(at)), append(l.Y, max(v, 1e-6))
					}
				}
				if len(l.X) > 0 {
					p.Lines = append(p.Lines, l)
				}
			}
		}
		if len(p.Lines) > 0 {
			f.Panels = append(f.Panels, p)
		}
	}
	if len(f.Panels) == 0 {
		return nil
	}
	return []claim.Figure{f}
}

// chainsFigure is the figure of trustregion/chains and of trustregion/chains-relu.
func chainsFigure(t claim.Table) []claim.Figure {
	return raceFigure(t, "trustregion-chains", "Chains of single units without biases, activation before the weight, weights N(0, .3²) or, where it says so, uniform in (-1, 1), of ReLU all but the last positive; learning y = -x, x ~ N(1, .1²), by gradient descent; a line a draw, each method at the rate with the "+
		"smallest median, until the loss is .05. PC near equilibrium (Gauss-Newton inference).", claim.Axis{Label: "batch of 64", Log: true})
}

var deepGrid = claim.Grid("trustregion/deep", 1, func(s claim.Scale) []race {
	acts, width, depth, batches, rates := []string{"linear", "tanh", "relu"}, 64, 10, 1000, []float64{.1, .3, 1}
	if s == claim.Quick {
		acts, batches, rates = acts[:1], 120, []float64{.3}
	}
	var grid []race
	for _, act := range acts {
		for _, m := range methods[:2] {
			for _, rate := range rates {
				grid = append(grid, race{MNIST: true, Act: act, Depth: depth, Width: width, Method: m, Rate: rate, Batches: batches, Seed: 1})
			}
		}
	}
	return grid
}, func(ctx context.Context, r race, at *claim.Cell) (course, error) { return r.run(ctx, at) })

var deepNets = claim.Claim{
	ID:        "trustregion/deep",
	Source:    paper + " and the author's blog: figure of 10-layer networks on MNIST (read off); widths, rates and inference are our choice",
	Statement: "Networks of 10 layers learn MNIST in fewer batches by PC than by BP, by plain gradient descent at the best rate of each, with linear, tanh and, other than in the paper's chains, ReLU units.",
	Paper: "batches to a mean square of .05: linear PC 350, BP 1500; tanh 60 and 200; ReLU: PC .015 at batch 6560, BP still .09 to .078 when it was stopped at 1900. The paper's " +
		"chains show no advantage for ReLU",
	Grid: deepGrid,
	Bounds: []claim.Bound{
		{Text: "for every activation PC's loss is below .25 (a mean square of .05 per output) at an earlier batch than BP's, each at its best rate; where neither gets there PC's loss is the lower at the end, by a tenth or more", Origin: claim.Paper, Note: "the blog's figure; a tenth is ours"},
	},
	Shuffled: "one race per cell and the best of three rates: a shuffle puts PC ahead of BP with all three activations in an eighth of the cases by chance",
	Check:    deepRace,
	Verdict:  claim.WithCare,
	Care:     deepCare,
	Plot:     deepFigure,
}

// deepRace is the check of trustregion/deep.
func deepRace(t claim.Table) (string, error) {
	var off claim.Off
	var ours []string
	acts, of := winners(t)
	for _, act := range acts {
		bp, pc := of[act][SGD], of[act][PC]
		if bp.draws == 0 || pc.draws == 0 {
			continue
		}
		said := fmt.Sprintf("%s, loss at the end %.3g and %.3g", told(act, bp, pc), bp.last, pc.last)
		ours = append(ours, said)
		switch { // at quick scale it is too short to arrive
		case pc.arrived == 0 && bp.arrived == 0:
			if t.Scale == claim.Full && !(pc.last < .9*bp.last) || !(pc.last < bp.last) {
				off.Add("%s", said)
			}
		case pc.arrived == 0 || !(pc.median < bp.median):
			off.Add("%s", said)
		}
	}
	return "batches to a loss of .25: " + strings.Join(ours, "; "), off.Err()
}

// deepCare is the care of trustregion/deep.
func deepCare(t claim.Table) string {
	acts, of := winners(t)
	var words []string
	for _, act := range acts {
		if bp, pc := of[act][SGD], of[act][PC]; bp.draws > 0 && pc.draws > 0 && bp.last < pc.last {
			words = append(words, fmt.Sprintf("%s BP %.3g, PC %.3g", act, bp.last, pc.last))
		}
	}
	s := "Of the way out of the first plateau: where the loss passes .25. One seed, three rates, networks of 64 units."
	if len(words) > 0 {
		s += " At the end of the training, at the rates that get there first, BP's loss is the lower with " + strings.Join(words, "; ") + ": PC's energy is flatter near a minimum."
	}
	return s + " ReLU networks show PC's advantage as the blog has it, and not as the paper's chains do; trustregion/chains-relu has chains."
}

// deepFigure is the figure of trustregion/deep.
func deepFigure(t claim.Table) []claim.Figure {
	return raceFigure(t, "trustregion-deep", "Networks 784-64-...-64-10 of 10 weights without biases on MNIST, uniform fan-in initialisation, batches of 64, plain gradient descent, each method at its best rate of .1, .3, 1; one seed. "+
		"The blog's mean square of .05 per output is a loss of .25 here.", claim.Axis{Label: "batch of 64"})
}
