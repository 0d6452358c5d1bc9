package mupc

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/experiments/claim"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/theory"
	"github.com/pcgraph/pcgraph/train"
)

// Optimizer moves the weights by backprop's gradient.
type Optimizer string

// The optimisers, with a rate of 1e-3.
const (
	Adam Optimizer = "Adam"
	SGD  Optimizer = "SGD"
)

// A pass is a network whose feedforward pass is watched over a few steps of training.
type pass struct {
	family
	Act       Act       `json:"act"`
	Optimizer Optimizer `json:"optimizer"`
	Hidden    int       `json:"hidden"`
	Width     int       `json:"width"`
	Steps     int       `json:"steps"` // of training
	Seed      uint64    `json:"seed"`
}

// Cost is the number of weights.
func (p pass) Cost() float64 { return float64(p.Hidden*p.Width*p.Width) + 1e5 }

// Cores: the largest take a gigabyte each.
func (p pass) Cores() int {
	if p.Hidden*p.Width*p.Width > 1<<26 {
		return 2
	}
	return 1
}

// Gains are the rms of activities over that of the inputs.
type gains struct {
	Start  claim.Nullable     `json:"start"`  // of the last hidden layer, before training
	End    claim.Nullable     `json:"end"`    // and after it
	Layers []int              `json:"layers"` // that were looked at, from 1
	Gains  [][]claim.Nullable `json:"gains"`  // by step of training, by layer
}

var forward = claim.Grid("mupc/forward", 1, func(s claim.Scale) []pass {
	hidden, widths, acts, count := []int{16, 64, 256, 512}, []int{128, 512, 1024}, []Act{Linear, Tanh, ReLU}, 3
	if s == claim.Quick {
		hidden, widths, acts, count = []int{8, 64}, []int{64, 256}, []Act{Linear, ReLU}, 1
	}
	var grid []pass
	for _, f := range families {
		for _, act := range acts {
			for _, opt := range []Optimizer{Adam, SGD} {
				if s == claim.Quick && opt == SGD && act != Linear {
					continue
				}
				draws := count
				if opt == SGD {
					draws = 1
				}
				for _, seed := range claim.Seeds(draws) {
					for _, h := range hidden {
						grid = append(grid, pass{f, act, opt, h, widths[0], 3, seed})
					}
					for _, n := range widths[1:] {
						grid = append(grid, pass{f, act, opt, hidden[0], n, 3, seed})
					}
				}
			}
		}
	}
	return grid
}, measureForward)

func measureForward(ctx context.Context, p pass, at *claim.Cell) (gains, error) {
	training, _, err := load(MNIST)
	if err != nil {
		return gains{}, err
	}
	net, w, err := p.network(training.In(), training.Out())
	if err != nil {
		return gains{}, err
	}
	const batch = 64
	bp, err := arch.Compile(net, w, arch.Plan{Batch: batch, Coordinates: arch.Feedforward})
	if err != nil {
		return gains{}, err
	}
	pc, err := arch.Compile(net, w, arch.Plan{Batch: batch}) // whose activities can be seen
	if err != nil {
		return gains{}, err
	}
	var opt optim.Optimizer[float32] = &optim.SGD[float32]{Rate: 1e-3, Spans: train.SGDSpans(net, w)}
	if p.Optimizer == Adam {
		opt = &optim.Adam[float32]{Rate: 1e-3, Spans: train.AdamSpans(net, w)}
	}
	g := gains{}
	for _, l := range []int{1, p.Hidden / 4, p.Hidden / 2, 3 * p.Hidden / 4, p.Hidden} {
		if l > 0 && !slices.Contains(g.Layers, l) {
			g.Layers = append(g.Layers, l)
		}
	}
	// The activities are looked at before each step: one step more than the pass is trained for shows those after the last.
	t := train.Trainer[float32]{Rule: &train.Backprop[float32]{Model: bp}, Optimizer: opt, Train: training, Batch: batch, DropLast: true,
		MaxSteps: p.Steps + 1, Seed: p.Seed, Divergence: train.RecordAndStop}
	t.OnGradient = func(s train.Step[float32]) error {
		if !finite(optim.Norm(s.Weights)) { // what follows is not finite either
			return nil
		}
		if err := pc.Clamp(s.X, s.Y); err != nil {
			return err
		}
		if err := pc.Forward(); err != nil {
			return err
		}
		var row []claim.Nullable
		for _, l := range g.Layers {
			row = append(row, claim.Nullable(rms(pc.StateVector().Field(fmt.Sprintf("block%d/z", l)))/rms(s.X)))
		}
		g.Gains = append(g.Gains, row)
		at.Progress(s.Step-1, p.Steps)
		return nil
	}
	for _, err := range t.Steps(ctx) {
		if err != nil {
			return gains{}, err
		}
	}
	last := len(g.Layers) - 1
	g.Start, g.End = g.Gains[0][last], claim.Nullable(math.NaN())
	if len(g.Gains) == p.Steps+1 {
		g.End = g.Gains[p.Steps][last]
	}
	return g, nil
}

// network is a network of the family with its weights.
func (p pass) network(in, out int) (*arch.Network, *graph.Vector[float32], error) {
	act, err := layers.ParseAct(string(p.Act))
	if err != nil {
		return nil, nil, err
	}
	widths := make([]int, p.Hidden+2)
	for i := range widths {
		widths[i] = p.Width
	}
	widths[0], widths[p.Hidden+1] = in, out
	var scaling arch.Scaling = arch.SP{}
	if p.Scaling == MuPC {
		scaling = arch.MuPC{}
	}
	net, err := arch.Chain{Scaling: scaling, Act: act, Widths: widths, Skips: p.Skips}.Network()
	if err != nil {
		return nil, nil, err
	}
	w, err := arch.NewWeights[float32](net, generator(p.Seed))
	if err != nil || p.Scaling != Orthogonal {
		return net, w, err
	}
	spec := theory.Spec{Scaling: theory.Orthogonal, Inputs: in, Width: p.Width, Outputs: out, Depth: p.Hidden + 1}
	drawn, err := spec.Sample(generator(p.Seed))
	if err != nil {
		return nil, nil, err
	}
	gain := 1.
	if p.Act == Tanh {
		gain = 1.05 // as in the released code
	}
	for i, m := range drawn.Weights {
		field := w.Field(w.Fields()[i].Name)
		for j, v := range m.RawMatrix().Data {
			field[j] = float32(gain * v)
		}
	}
	w.Touch()
	return net, w, nil
}

func rms(z []float32) float64 {
	sum := 0.
	for _, v := range z {
		sum += float64(v) * float64(v)
	}
	return math.Sqrt(sum / float64(len(z)))
}

// gained are means of a family with an activation under Adam, over depth at the least width and over width at the least
// depth.
func gained(t claim.Table, f family, act Act, value func(gains) float64) (depth, width map[int]claim.Estimate) {
	rows := claim.Where[pass, gains](t, func(p pass) bool { return p.family == f && p.Act == act && p.Optimizer == Adam })
	h, n := math.MaxInt, math.MaxInt
	for _, r := range rows {
		h, n = min(h, r.Params.Hidden), min(n, r.Params.Width)
	}
	var narrowest, shallowest []claim.Row[pass, gains]
	for _, r := range rows {
		if r.Params.Width == n {
			narrowest = append(narrowest, r)
		}
		if r.Params.Hidden == h {
			shallowest = append(shallowest, r)
		}
	}
	return claim.By(narrowest, func(p pass) int { return p.Hidden }, value), claim.By(shallowest, func(p pass) int { return p.Width }, value)
}

func (g gains) start() float64 { return float64(g.Start) }
func (g gains) end() float64   { return float64(g.End) }

// leastFloat32 is the logarithm to base 10 of the least number above zero in float32.
const leastFloat32 = -44.9

func forwardClaims() []claim.Claim {
	return []claim.Claim{{
		ID:        "mupc/forward-stays",
		Source:    paper + ", figure A.29; from the released code and notes on the paper",
		Statement: "With depth-muP activities of the feedforward pass stay of order one in width and depth, at initialisation and after steps of Adam and SGD.",
		Paper:     "curves flat in width 128 to 1024 and depth 16 to 512; the closed form of linear networks is ours: rms^2 = (1+1/L)^(L-2)",
		Grid:      forward,
		Bounds: []claim.Bound{
			{Text: "every gain is between .3 and 4", Origin: claim.Before, Commit: "0dd3103", Note: "of order one; the closed form's is at most 1.65"},
			{Text: "in linear networks the mean over draws of rms^2 is within five standard deviations of the closed form, and within 5 % from N = 512 on", Origin: claim.Derived, Note: "one draw has a standard deviation of about sqrt(4/N)"},
		},
		Check: gainsStay,
		Plot:  forwardFigure,
	}, {
		ID:        "mupc/forward-sp",
		Source:    paper + ", figure A.29; from the released code and notes on the paper",
		Statement: "With the standard parametrisation the feedforward pass vanishes with depth without skips and explodes with them.",
		Paper:     "orders of magnitude by depth 512",
		Grid:      forward,
		Bounds: []claim.Bound{
			{Text: "in linear networks the logarithm of the mean gain is within three standard deviations of the closed form at the deepest that float32 holds, and 0 beyond", Origin: claim.Derived,
				Note: "a layer multiplies the mean square by 1/3, a skip adds 1; a product of H Gaussian matrices of width N has a log rms of standard deviation sqrt(2H/N)/2 or less; before, commit b0754f7, it was 15 % of the logarithm"},
		},
		Check: gainsVanishOrExplode,
	}}
}

// gainsStay is the check of mupc/forward-stays.
func gainsStay(t claim.Table) (string, error) {
	rows := claim.Rows[pass, gains](t)
	var off claim.Off
	low, high, worst := math.Inf(1), 0., 0.
	closed := map[[2]int][]float64{}
	for _, r := range rows {
		p := r.Params
		if p.family != (family{MuPC, true}) {
			continue
		}
		for _, v := range []float64{r.Result.start(), r.Result.end()} {
			low, high = min(low, v), max(high, v)
			if !(v > .3 && v < 4) {
				off.Add("%s, %s, H=%d, N=%d, seed %d: gain %.3g", p.Act, p.Optimizer, p.Hidden, p.Width, p.Seed, v)
			}
		}
		if l := float64(p.Hidden + 1); p.Act == Linear {
			at := [2]int{p.Hidden, p.Width}
			closed[at] = append(closed[at], math.Pow(r.Result.start(), 2)/math.Pow(1+1/l, l-2))
		}
	}
	for at, v := range closed {
		// one draw has a standard deviation of about sqrt(4/N); the mean over seeds is asked of
		d := math.Abs(claim.Mean(v...).Mean - 1)
		if worst = max(worst, d); d > 5*math.Sqrt(4/float64(at[1])/float64(len(v))) || at[1] >= 512 && d > .05 {
			off.Add("linear, H=%d, N=%d: rms^2 is %.1f %% off the closed form", at[0], at[1], 100*d)
		}
	}
	return fmt.Sprintf("all gains within %.2f .. %.2f; linear: rms^2 at most %.1f %% off the closed form", low, high, 100*worst), off.Err()
}

// gainsVanishOrExplode is the check of mupc/forward-sp.
func gainsVanishOrExplode(t claim.Table) (string, error) {
	rows := claim.Rows[pass, gains](t)
	narrowest := math.MaxInt
	for _, r := range rows {
		narrowest = min(narrowest, r.Params.Width)
	}
	var off claim.Off
	var words []string
	for _, skips := range []bool{false, true} {
		d, _ := gained(t, family{SP, skips}, Linear, gains.start)
		if len(d) == 0 {
			continue // not measured yet
		}
		// a layer multiplies the mean square by 1/3, a skip adds 1
		closed := func(h int) float64 {
			if skips {
				return -math.Log10(3)/2 + float64(h-1)/2*math.Log10(4./3)
			}
			return -float64(h) / 2 * math.Log10(3)
		}
		hs := claim.Keys(d)
		zeros := len(hs) // from here on float32 holds no such number
		for zeros > 0 && closed(hs[zeros-1]) < leastFloat32 {
			zeros--
			if h := hs[zeros]; d[h].Mean != 0 {
				off.Add("%s: H=%d: gain %g: want 10^%.1f, which is 0 in float32", family{SP, skips}, h, d[h].Mean, closed(h))
			}
		}
		if zeros == 0 {
			continue
		}
		h := hs[zeros-1]
		got, want := math.Log10(d[h].Mean), closed(h)
		if far := 3 * math.Sqrt(2*float64(h)/float64(narrowest)) / 2 / math.Ln10; !(math.Abs(got-want) <= far) {
			off.Add("%s: H=%d: gain 10^%.1f: want 10^%.1f, %.1f more or less", family{SP, skips}, h, got, want, far)
		}
		words = append(words, fmt.Sprintf("%s: gain 10^%.1f at H = %d, closed form 10^%.1f", family{SP, skips}, got, h, want))
		if zeros < len(hs) {
			words = append(words, fmt.Sprintf("0 in float32 from H = %d on", hs[zeros]))
		}
	}
	return "linear, " + strings.Join(words, "; "), off.Err()
}

func forwardFigure(t claim.Table) []claim.Figure {
	rows := claim.Rows[pass, gains](t)
	if len(rows) == 0 {
		return nil
	}
	var acts []Act
	least := rows[0].Params
	for _, r := range rows {
		if !slices.Contains(acts, r.Params.Act) {
			acts = append(acts, r.Params.Act)
		}
		least.Hidden, least.Width = min(least.Hidden, r.Params.Hidden), min(least.Width, r.Params.Width)
	}
	f := claim.Figure{Name: "mupc-forward", Caption: "Rms of the last hidden layer over that of the inputs (MNIST), after three steps of Adam on backprop's gradient. " +
		"Points that are not there are not finite in float32. Bands: standard error over seeds."}
	for _, act := range acts {
		y := claim.Axis{Label: "rms of activities / rms of inputs", Log: true, Min: 1e-8, Max: 1e8}
		deep := claim.Panel{Title: fmt.Sprintf("%s, N = %d", act, least.Width), X: claim.Axis{Label: "hidden layers H", Log: true}, Y: y}
		wide := claim.Panel{Title: fmt.Sprintf("%s, H = %d", act, least.Hidden), X: claim.Axis{Label: "width N", Log: true}, Y: y}
		for i, fam := range families {
			d, w := gained(t, fam, act, gains.end)
			deep.Lines, wide.Lines = append(deep.Lines, claim.Curve(fam.String(), i+1, d)), append(wide.Lines, claim.Curve(fam.String(), i+1, w))
		}
		f.Panels = append(f.Panels, deep, wide)
	}
	return []claim.Figure{f}
}
