package icl

import (
	"context"
	"fmt"
	"math"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/experiments/claim"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/icl"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/train"
)

// A decoder is the setting of Dherin et al.: an embedding of the tokens [x, y], one causal block without residual connections,
// normalisation or positions, and a linear readout of the last token.
type decoder struct {
	Pairs  int    `json:"pairs"`
	Dim    int    `json:"dim"`
	Width  int    `json:"width"`
	Heads  int    `json:"heads"`
	Hidden int    `json:"hidden"`
	Tasks  int    `json:"tasks"`
	Steps  int    `json:"steps"` // of training
	Seed   uint64 `json:"seed"`
}

// Cost is about how many seconds it takes.
func (d decoder) Cost() float64 {
	return 1e-8 * float64(d.Steps*d.Tasks*d.Pairs) * float64(d.Width*(d.Hidden+4*d.Width)/16+d.Pairs*d.Heads)
}

func (d decoder) network() *arch.Network {
	return &arch.Network{Input: []int{d.Pairs + 1, d.Dim + 1}, Blocks: []arch.Block{
		{Name: "embedding", Layer: layers.Linear{In: d.Dim + 1, Out: d.Width}},
		{Name: "block1", Layer: layers.Compose{layers.Attention{Width: d.Width, Heads: d.Heads, Causal: true}, layers.FeedForward{Width: d.Width, Hidden: d.Hidden, Act: layers.GELU, Bias: true}}},
		{Name: "readout", Layer: layers.Compose{layers.Linear{In: d.Width, Out: 1}, layers.Flatten{}, layers.Columns{From: d.Pairs, To: d.Pairs + 1}}},
	}}
}

// A lesson is what the trained decoder shows.
type lesson struct {
	Loss     float64   `json:"loss"`     // with the context
	Updated  float64   `json:"updated"`  // of the updated block on the query alone
	Gap      float64   `json:"gap"`      // largest difference of predictions, float64
	Single   float64   `json:"single"`   // the same in float32
	Alone    float64   `json:"alone"`    // loss of the query alone, without an update
	Telescop float64   `json:"telescop"` // |sum of the steps - update of the whole context| / |update|, largest
	Chunk    float64   `json:"chunk"`    // the same of the update by the second half of the context, put on the block with the first: outputs
	Steps    []float64 `json:"steps"`    // mean |W_{k+1} - W_k| over tasks, by k
	Tuned    []float64 `json:"tuned"`    // loss of the query alone after so many explicit steps of SGD on the first matrix, on the pairs of its own task
}

// tuning is how many explicit steps are made, and their rate.
const (
	tuning     = 30
	tuningRate = .5
)

var lessons = claim.Grid("icl/dherin", 1, func(s claim.Scale) []decoder {
	base, count := decoder{Pairs: 100, Dim: 2, Width: 32, Heads: 8, Hidden: 128, Tasks: 64, Steps: 120}, 3
	if s == claim.Quick {
		base, count = decoder{Pairs: 20, Dim: 2, Width: 8, Heads: 2, Hidden: 16, Tasks: 32, Steps: 300}, 1
	}
	var grid []decoder
	for _, seed := range claim.Seeds(count) {
		base.Seed = seed
		grid = append(grid, base)
	}
	return grid
}, func(ctx context.Context, d decoder, at *claim.Cell) (lesson, error) { return d.run(ctx, at) })

func (d decoder) run(ctx context.Context, at *claim.Cell) (lesson, error) {
	n := d.network()
	w, err := arch.NewWeights[float64](n, generator(d.Seed))
	if err != nil {
		return lesson{}, err
	}
	m, err := arch.Compile(n, w, arch.Plan{Batch: d.Tasks, Coordinates: arch.Feedforward})
	if err != nil {
		return lesson{}, err
	}
	set, test, err := data.InContext{Pairs: d.Pairs, Dim: d.Dim, Train: d.Steps * d.Tasks, Test: d.Tasks, Seed: d.Seed}.Load()
	if err != nil {
		return lesson{}, err
	}
	t := train.Trainer[float64]{Rule: &train.Backprop[float64]{Model: m}, Optimizer: &optim.Adam[float64]{Rate: 5e-3}, Train: set, Batch: d.Tasks, Epochs: 1, MaxSteps: d.Steps, Seed: d.Seed}
	for step, err := range t.Steps(ctx) {
		if err != nil {
			return lesson{}, err
		}
		at.Progress(step.Step, d.Steps+1)
	}
	var l lesson
	x, y := batchAt[float64](test, 0, d.Tasks)
	with, updated, err := predictions(n, w, x, d)
	if err != nil {
		return l, err
	}
	l.Loss, l.Updated, l.Gap = short(half(y, with)), short(half(y, updated)), farthest(with, updated)
	single, _ := batchAt[float32](test, 0, d.Tasks)
	a, b, err := predictions(n, graph.Convert[float32](w), single, d)
	if err != nil {
		return l, err
	}
	l.Single = farthest(a, b)
	if err := d.consume(n, w, x, &l); err != nil {
		return l, err
	}
	return l, d.tune(ctx, n, w, x, y, &l)
}

// predictions returns those with the context and those of the updated block on the query alone.
func predictions[T graph.Float](n *arch.Network, w *graph.Vector[T], x []T, d decoder) (with, updated []float64, err error) {
	r, err := icl.New(n, w, d.Tasks)
	if err != nil {
		return nil, nil, err
	}
	if err := r.Forward(x); err != nil {
		return nil, nil, err
	}
	u, err := r.Update(0)
	if err != nil {
		return nil, nil, err
	}
	out, err := r.Apply(0, u, r.Query(0))
	if err != nil {
		return nil, nil, err
	}
	readout := w.Field("readout/1/W")
	at := func(all []T, s int) float64 {
		p := 0.
		for j, v := range all[(s+1)*len(all)/d.Tasks-d.Width : (s+1)*len(all)/d.Tasks] {
			p += float64(v) * float64(readout[j])
		}
		return p
	}
	for s := range d.Tasks {
		with, updated = append(with, at(r.Output(0), s)), append(updated, at(out, s))
	}
	return with, updated, nil
}

// consume takes the context token by token, and in halves.
func (d decoder) consume(n *arch.Network, w *graph.Vector[float64], x []float64, l *lesson) error {
	r, err := icl.New(n, w, d.Tasks)
	if err != nil {
		return err
	}
	if err := r.Forward(x); err != nil {
		return err
	}
	u, err := r.Update(0)
	if err != nil {
		return err
	}
	const tasks = 8
	l.Steps = make([]float64, d.Pairs)
	for s := range min(tasks, d.Tasks) {
		c, err := r.Consume(0, s)
		if err != nil {
			return err
		}
		whole, sum := u.Dense(s, d.Pairs, 0), c.Weight(c.Tokens)
		l.Telescop = max(l.Telescop, farthest(whole, sum)/largest(whole))
		for k := range l.Steps {
			l.Steps[k] += c.StepNorm(k) / tasks
		}
		left, right, err := r.Chunk(0, s, d.Pairs/2, d.Pairs)
		if err != nil {
			return err
		}
		// the first half's product with W, and the change, are the whole context's
		half, product := c.Inputs[(d.Pairs/2)*c.Width:(d.Pairs/2+1)*c.Width], c.Products[(d.Pairs/2)*c.Hidden:(d.Pairs/2+1)*c.Hidden]
		dense := icl.RankOne(left, right)
		for j := range c.Hidden {
			v := product[j]
			for i, h := range half {
				v += h * dense[i*c.Hidden+j]
			}
			l.Chunk = max(l.Chunk, math.Abs(v-c.Products[c.Tokens*c.Hidden+j])/largest(c.Products))
		}
	}
	for k := range l.Steps {
		l.Steps[k] = short(l.Steps[k])
	}
	return nil
}

func largest(v []float64) float64 {
	top := 0.
	for _, x := range v {
		top = max(top, math.Abs(x))
	}
	return top
}

// tune learns the pairs of one task explicitly: gradient descent on the first matrix of the block, tokens [x_n, 0] alone to y_n, from
// the trained weights; the loss of the query alone is the mean over tasks.
func (d decoder) tune(ctx context.Context, n *arch.Network, w *graph.Vector[float64], x, y []float64, l *lesson) error {
	one := decoder{Pairs: 0, Dim: d.Dim, Width: d.Width, Heads: d.Heads, Hidden: d.Hidden}
	const tasks = 16
	each, token := len(x)/d.Tasks, d.Dim+1
	l.Tuned = make([]float64, tuning+1)
	for s := range min(tasks, d.Tasks) {
		own := graph.NewVector[float64](w.Fields()...)
		copy(own.Data(), w.Data())
		m, err := arch.Compile(one.network(), own, arch.Plan{Batch: d.Pairs, Coordinates: arch.Feedforward})
		if err != nil {
			return err
		}
		xs, ys := make([]float64, d.Pairs*token), make([]float64, d.Pairs)
		for p := range d.Pairs {
			copy(xs[p*token:], x[s*each+p*token:s*each+p*token+d.Dim])
			ys[p] = x[s*each+p*token+d.Dim]
		}
		query := x[(s+1)*each-token : (s+1)*each]
		see := func(k int) error {
			got, err := m.Predict(query)
			if err == nil {
				l.Tuned[k] += (y[s] - got[0]) * (y[s] - got[0]) / 2 / tasks
			}
			return err
		}
		if err := see(0); err != nil {
			return err
		}
		t := train.Trainer[float64]{Rule: &train.Backprop[float64]{Model: m}, Optimizer: &only{own, "block1/2/W1", tuningRate}, MaxSteps: tuning,
			Feed: func(int) ([]float64, []float64) { return xs, ys }}
		for step, err := range t.Steps(ctx) {
			if err == nil {
				err = see(step.Step)
			}
			if err != nil {
				return err
			}
		}
	}
	for k := range l.Tuned {
		l.Tuned[k] = short(l.Tuned[k])
	}
	l.Alone = l.Tuned[0]
	return nil
}

// only is gradient descent on one weight.
type only struct {
	weights *graph.Vector[float64]
	name    string
	rate    float64
}

// Reset does nothing.
func (o *only) Reset() {}

// Step moves the weight.
func (o *only) Step(w, grad []float64) {
	for i, f := range o.weights.Fields() {
		if f.Name == o.name {
			g := o.weights.Part(grad, i)
			for j := range g {
				o.weights.Part(w, i)[j] -= o.rate * g[j]
			}
		}
	}
}

// dherinSource begins the source of the claims on this setting.
const dherinSource = "Dherin et al., Learning without training (arXiv 2507.16003), settings by a replication's notes: d = 2, N = 100, one block, width 32, 8 heads, hidden 128, causal, no skips, no norm, no positions; "

var dherin = claim.Claim{
	ID:     "icl/dherin-equality",
	Source: dherinSource + "theorem 2.2 and its figure; number of steps and rate of training are our choice",
	Statement: "In the trained decoder the loss with the context is the loss of the query alone with the rank-one update; without the update it is far higher, and explicit gradient descent on the same pairs, " +
		"on the same matrix, goes the same way.",
	Paper: "losses equal, about .13; predictions apart by 1e-6 in float32; fine-tuning beside it",
	Grid:  lessons,
	Bounds: []claim.Bound{
		{Text: "predictions apart by at most 1e-11 in float64 and 1e-4 in float32", Origin: claim.Paper, Note: "1e-6 in float32 for losses of about .13; ours are the largest of 64 tasks, whose predictions reach several units"},
		{Text: "the loss with the context is at most .3, and less than a third of that of the query alone", Origin: claim.Paper, Note: "about .13; the query alone cannot know the task, a prediction of zero has 1"},
		{Text: "explicit descent on the pairs lowers the loss of the query alone by a fifth or more", Origin: claim.Paper, Note: "fine-tuning beside the implicit update"},
	},
	Shuffled: everywhere,
	Check:    dherinEquality,
	Plot:     dherinFigure,
}

// dherinEquality is the check of icl/dherin-equality.
func dherinEquality(t claim.Table) (string, error) {
	var off claim.Off
	var losses, alone, tuned []float64
	gap, single := 0., 0.
	for _, r := range claim.Rows[decoder, lesson](t) {
		l := r.Result
		losses, alone = append(losses, l.Loss), append(alone, l.Alone)
		gap, single = max(gap, l.Gap), max(single, l.Single)
		if !(l.Gap <= 1e-11 && l.Single <= 1e-4) || l.Loss != l.Updated {
			off.Add("seed %d: predictions apart by %.2g, %.2g in float32", r.Params.Seed, l.Gap, l.Single)
		}
		if t.Scale == claim.Full && !(l.Loss <= .3 && 3*l.Loss < l.Alone) || !(l.Loss < l.Alone) {
			off.Add("seed %d: loss %.3g with the context, %.3g alone", r.Params.Seed, l.Loss, l.Alone)
		}
		if len(l.Tuned) > tuning {
			tuned = append(tuned, l.Tuned[tuning])
			if !(l.Tuned[tuning] < .8*l.Alone) && t.Scale == claim.Full {
				off.Add("seed %d: fine-tuned from %.3g to %.3g", r.Params.Seed, l.Alone, l.Tuned[tuning])
			}
		}
	}
	return fmt.Sprintf("losses with the context or the update %s, alone %s, alone after %d explicit steps %s; predictions apart by at most %.1g, %.1g in float32",
		listed("%.3g", losses), listed("%.3g", alone), tuning, listed("%.3g", tuned), gap, single), off.Err()
}

var implicitDescent = claim.Claim{
	ID:        "icl/implicit-gd",
	Source:    dherinSource + "proposition 3.1",
	Statement: "Token by token the update is gradient descent, W_{k+1} = W_k - h D_k: the steps add up to the update of the whole context, a part of the context makes an update of its own, and the steps vanish as the context grows.",
	Paper:     "|dW_{i+1} - dW_i| falls to 0 as the context grows. An independent program: the sum of the steps is off by 1.4e-16",
	Grid:      lessons,
	Bounds: []claim.Bound{
		{Text: "the steps add up to 1e-12 of the update's largest entry; the block with the first half of the context and the second half's update is the block with all of it, to 1e-12", Origin: claim.Independent, Note: "a numpy program: 1.4e-16"},
		{Text: "the mean step over the last tenth of the context is below a third of that over the first tenth", Origin: claim.Paper, Note: "proposition 3.1 and its figure; attention averages, so that a token moves it by 1/k"},
	},
	Shuffled: everywhere,
	Check:    stepsVanish,
	Plot:     stepsFigure,
}

// stepsVanish is the check of icl/implicit-gd.
func stepsVanish(t claim.Table) (string, error) {
	var off claim.Off
	sum, chunk := 0., 0.
	var ratios []float64
	for _, r := range claim.Rows[decoder, lesson](t) {
		l := r.Result
		sum, chunk = max(sum, l.Telescop), max(chunk, l.Chunk)
		if !(l.Telescop <= 1e-12 && l.Chunk <= 1e-12) {
			off.Add("seed %d: steps off by %.2g, halves by %.2g", r.Params.Seed, l.Telescop, l.Chunk)
		}
		tenth := max(1, len(l.Steps)/10)
		if len(l.Steps) < 2*tenth {
			continue
		}
		ratio := claim.Mean(l.Steps[len(l.Steps)-tenth:]...).Mean / claim.Mean(l.Steps[:tenth]...).Mean
		if ratios = append(ratios, ratio); !(ratio < 1./3) {
			off.Add("seed %d: the last steps are %.3g of the first", r.Params.Seed, ratio)
		}
	}
	return fmt.Sprintf("the steps add up to %.1g, halves to %.1g; last tenth of the steps over the first, by seed: %s", sum, chunk, listed("%.3g", ratios)), off.Err()
}

// stepsFigure is the figure of icl/implicit-gd.
func stepsFigure(t claim.Table) []claim.Figure {
	p := claim.Panel{Title: "Steps of the implicit descent", X: claim.Axis{Label: "tokens of the context seen", Log: true}, Y: claim.Axis{Label: "|W_{k+1} - W_k|, mean over 8 tasks", Log: true}}
	for _, r := range claim.Rows[decoder, lesson](t) {
		l := claim.Line{Name: fmt.Sprintf("seed %d", r.Params.Seed)}
		for k, v := range r.Result.Steps {
			l.X, l.Y = append(l.X, float64(k+1)), append(l.Y, v)
		}
		if len(l.X) > 0 {
			p.Lines = append(p.Lines, l)
		}
	}
	if len(p.Lines) == 0 {
		return nil
	}
	first := p.Lines[0]
	law := claim.Line{Name: "1/k", Reference: true}
	for _, k := range first.X {
		law.X, law.Y = append(law.X, k), append(law.Y, first.Y[0]/k)
	}
	p.Lines = append(p.Lines, law)
	return []claim.Figure{{Name: "icl-implicit-gd", Panels: []claim.Panel{p}, Caption: "A trained decoder in the setting of Dherin et al. (one causal block without residual connection or norm) takes its context token by token."}}
}

// dherinFigure is the figure of icl/dherin-equality.
func dherinFigure(t claim.Table) []claim.Figure {
	p := claim.Panel{Title: "Explicit and implicit learning of the pairs", X: claim.Axis{Label: "explicit steps of gradient descent on the first matrix"}, Y: claim.Axis{Label: "loss of the query, mean over tasks", Log: true}}
	for i, r := range claim.Rows[decoder, lesson](t) {
		l := claim.Line{Name: fmt.Sprintf("query alone, fine-tuned on the pairs, seed %d", r.Params.Seed), Series: i + 1, Points: true}
		for k, v := range r.Result.Tuned {
			l.X, l.Y = append(l.X, float64(k)), append(l.Y, v)
		}
		if len(l.X) == 0 {
			continue
		}
		p.Lines = append(p.Lines, l, claim.Line{Name: fmt.Sprintf("with the context = with the implicit update, seed %d", r.Params.Seed), Series: i + 1, Dash: 1, X: []float64{0, tuning}, Y: []float64{r.Result.Loss, r.Result.Loss}})
	}
	if len(p.Lines) == 0 {
		return nil
	}
	return []claim.Figure{{Name: "icl-dherin", Panels: []claim.Panel{p}, Caption: fmt.Sprintf("A trained decoder in the setting of Dherin et al. The query alone, after explicit gradient descent on the block's first matrix at the rate %g on the pairs of its own task, each alone; "+
		"dashed: the loss with the context, which is that of the query alone with the implicit update.", tuningRate)}}
}
