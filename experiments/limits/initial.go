package limits

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/experiments/claim"
	"github.com/pcgraph/pcgraph/theory"
)

// A start is a linear network at initialisation with Gaussian inputs and random one-hot targets.
type start struct {
	Param   param `json:"param"`
	Skips   bool  `json:"skips"`
	Inputs  int   `json:"inputs"`
	Outputs int   `json:"outputs"`
	Batch   int   `json:"batch"`
	Depth   int   `json:"depth"` // L, the number of weight matrices
	Width   int   `json:"width"`
	Seed    int   `json:"seed"`
}

// Cost is about how many seconds it takes.
func (s start) Cost() float64 { return 1e-7 * (float64(s.Depth*s.Width*s.Width) + 1e5) }

// Cores: gonum multiplies large matrices on all cores, and two of the largest networks at once need a gigabyte.
func (s start) Cores() int {
	if s.Width >= 512 {
		return 2
	}
	return 1
}

// meets is how PC at its equilibrium and BP compare.
type meets struct {
	Ratio  float64 `json:"ratio"`  // loss / equilibrated energy
	Cosine float64 `json:"cosine"` // of the gradients by all weights
	Theory float64 `json:"theory"` // the closed form of the ratio, from E[S]
}

// initial measures both ends of inference of random networks.
var initial = claim.Grid("limits/initial", 1, starts, func(_ context.Context, s start, _ *claim.Cell) (meets, error) {
	r := generator(s.Seed)
	spec := theory.Spec{Scaling: s.Param.scaling(), Inputs: s.Inputs, Width: s.Width, Outputs: s.Outputs, Depth: s.Depth, Skips: s.Skips}
	expected, err := spec.ExpectedRescaling()
	if err != nil {
		return meets{}, err
	}
	n, err := spec.Sample(r)
	if err != nil {
		return meets{}, err
	}
	x, y := gaussian(r, s.Batch, s.Inputs), oneHot(r, s.Batch, s.Outputs)
	pc, err := n.Equilibrium(x, y)
	if err != nil {
		return meets{}, err
	}
	bp, err := n.Feedforward(x, y)
	if err != nil {
		return meets{}, err
	}
	cosine, err := pc.Gradient().Cosine(bp.Gradient())
	return meets{Ratio: bp.Loss / pc.Energy, Cosine: cosine, Theory: expected}, err
})

// starts is the grid: muPC with skips over depth and width, and the others at the widths that tell.
func starts(s claim.Scale) []start {
	depths, widths, contrast := []int{4, 8, 16, 32, 64}, []int{8, 16, 32, 64, 128, 256, 512, 1024}, []int{32, 128, 512}
	if s == claim.Quick {
		depths, widths, contrast = []int{4, 8, 16, 32}, []int{8, 32, 64, 128}, []int{32, 128}
	}
	var grid []start
	add := func(p param, skips bool, depths, widths []int) {
		for _, l := range depths {
			for _, n := range widths {
				count := 5
				if n >= 256 || s == claim.Quick {
					count = 3
				}
				for _, seed := range seeds(count) {
					grid = append(grid, start{Param: p, Skips: skips, Inputs: 784, Outputs: 10, Batch: 64, Depth: l, Width: n, Seed: seed})
				}
			}
		}
	}
	add(muPC, true, depths, widths)
	add(muPC, false, depths, append(slices.Clone(contrast), 1024)[:len(contrast)+int(s)]) // 1024 in full
	add(ntp, true, depths[:4], contrast)
	add(sp, false, depths[:4], contrast)
	add(sp, true, depths[:4], contrast)
	return grid
}

// A size is a point of the grid of one family.
type size struct{ depth, width int }

// sizes are the estimates of a number over a family.
func sizes(t claim.Table, p param, skips bool, value func(meets) float64) (map[size]claim.Estimate, error) {
	rows, err := claim.Rows[start, meets](t)
	if err != nil {
		return nil, err
	}
	rows = slices.DeleteFunc(rows, func(r claim.Row[start, meets]) bool { return r.Params.Param != p || r.Params.Skips != skips })
	return claim.By(rows, func(s start) size { return size{s.Depth, s.Width} }, value), nil
}

func ratio(m meets) float64  { return m.Ratio }
func cosine(m meets) float64 { return m.Cosine }
func closed(m meets) float64 { return m.Theory }

// axes are the depths and widths that are there, ascending.
func axes(m map[size]claim.Estimate) (depths, widths []int) {
	for at := range m {
		depths, widths = append(depths, at.depth), append(widths, at.width)
	}
	slices.Sort(depths)
	slices.Sort(widths)
	return slices.Compact(depths), slices.Compact(widths)
}

// The values of an independent program for this table, numpy in float64, with other draws: mean of 5 seeds up to a width of
// 128, of 3 at 256 and 512, one at 1024. By depth 4, 8, ... 64; widths 8, 16, ... 1024.
var (
	tableWidths = []int{8, 16, 32, 64, 128, 256, 512, 1024}
	tableRatio  = map[int][]float64{
		4:  {1.740, 1.317, 1.123, 1.062, 1.030, 1.015, 1.008, 1.004},
		8:  {2.893, 1.766, 1.374, 1.170, 1.080, 1.040, 1.020, 1.010},
		16: {5.19, 2.579, 1.806, 1.371, 1.182, 1.098, 1.046, 1.024},
		32: {5.83, 3.456, 2.520, 1.741, 1.412, 1.203, 1.100, 1.050},
		64: {10.4, 5.20, 3.861, 2.533, 1.803, 1.411, 1.209, 1.101},
	}
	tableCosine = map[int][]float64{
		4:  {.8597, .9443, .9831, .9949, .9987, .9997, .9999, 1.0000},
		8:  {.7362, .8403, .9201, .9702, .9919, .9980, .9995, .9999},
		16: {.5135, .6417, .7710, .9028, .9668, .9900, .9976, .9994},
		32: {.3246, .4099, .5485, .7435, .8855, .9645, .9901, .9973},
		64: {.1746, .1512, .3302, .5317, .7436, .8986, .9638, .9896},
	}
)

// offs collects what is off a table, so that an error tells all of it.
type offs []string

func (o *offs) add(format string, args ...any) { *o = append(*o, fmt.Sprintf(format, args...)) }

func (o offs) err() error {
	if len(o) == 0 {
		return nil
	}
	return errors.New(strings.Join(o, "; "))
}

// rising reports where a mean falls with width by more than two standard errors, sign being 1, or rises, sign being -1.
func (o *offs) rising(what string, m map[size]claim.Estimate, sign float64) {
	depths, widths := axes(m)
	for _, l := range depths {
		for i, n := range widths[1:] {
			a, b := m[size{l, widths[i]}], m[size{l, n}]
			if a.N == 0 || b.N == 0 {
				continue
			}
			slack := 2 * math.Hypot(nonNaN(a.Err), nonNaN(b.Err))
			if sign*(b.Mean-a.Mean) < -slack {
				o.add("%s at L=%d: %s at N=%d, %s at N=%d", what, l, a, widths[i], b, n)
			}
		}
	}
}

func nonNaN(v float64) float64 {
	if math.IsNaN(v) {
		return 0
	}
	return v
}

// steps are the values along width, in words.
func steps(m map[size]claim.Estimate, l int, widths []int) []string {
	var s []string
	for _, n := range widths {
		if e := m[size{l, n}]; e.N > 0 {
			s = append(s, fmt.Sprintf("%.3f at N=%d", e.Mean, n))
		}
	}
	return s
}

var energyBecomesLoss = claim.Claim{
	ID:     "limits/energy-becomes-loss",
	Source: paper + ", theorem on the energy [second-hand], figure 1; muPC (arXiv 2505.13124), figure 6",
	Statement: "In linear residual networks in muPC, loss over equilibrated energy falls to 1 as width outgrows depth, as the closed form " +
		"1 + L/N ((1+1/L)^(L-1) - 1) says.",
	Paper: "the ratio tends to 1 for N >> L. An independent numpy program, same setting: L=64: 3.86 at N=32, 1.80 at N=128, 1.10 at N=1024",
	Grid:  initial,
	Check: func(t claim.Table) (string, error) {
		m, err := sizes(t, muPC, true, ratio)
		if err != nil {
			return "", err
		}
		s, err := sizes(t, muPC, true, closed)
		if err != nil {
			return "", err
		}
		var off offs
		for at, e := range m {
			ours, want, form := e.Mean, 0.0, s[at].Mean
			if i := slices.Index(tableWidths, at.width); i >= 0 && tableRatio[at.depth] != nil {
				want = tableRatio[at.depth][i]
			}
			if at.width >= 16*at.depth && math.Abs((ours-1)/(form-1)-1) > .1 {
				off.add("L=%d, N=%d: %.4f above 1, closed form %.4f", at.depth, at.width, ours-1, form-1)
			}
			switch {
			case at.width >= 128: // the closed form is an expectation of S, not of the ratio
				if math.Abs(ours/want-1) > .03 || math.Abs(ours/form-1) > .03 {
					off.add("L=%d, N=%d: %s, table %.3f, closed form %.3f", at.depth, at.width, e, want, form)
				}
			case at.width >= 32:
				if math.Abs(ours/want-1) > .10+2*nonNaN(e.Err)/want {
					off.add("L=%d, N=%d: %s, table %.3f", at.depth, at.width, e, want)
				}
			case ours < form/2 || ours > 2*form:
				off.add("L=%d, N=%d: %s, closed form %.3f", at.depth, at.width, e, form)
			}
		}
		off.rising("ratio", m, -1)
		depths, _ := axes(m)
		l := depths[len(depths)-1]
		return fmt.Sprintf("loss/energy at L=%d: %s", l, strings.Join(steps(m, l, []int{8, 32, 128, 1024}), ", ")), off.err()
	},
	Verdict: claim.WithCare,
	Care: "The closed form is the expectation of S, not of the ratio: it is within 3 % from N=128 on, its distance from 1 within 10 % from N = 16 L on, and only within a factor of 2 at N <= 16. " +
		"What counts is L/N: at a fixed ratio of the two the energy never becomes the loss, however large both are.",
	Plot: func(t claim.Table) ([]claim.Figure, error) {
		m, err := sizes(t, muPC, true, ratio)
		if err != nil {
			return nil, err
		}
		s, err := sizes(t, muPC, true, closed)
		if err != nil {
			return nil, err
		}
		excess := claim.Panel{Title: "Loss over energy, less 1 (grey: closed form)", X: claim.Axis{Label: "width N", Log: true},
			Y: claim.Axis{Label: "loss / energy at equilibrium - 1", Log: true}}
		depths, widths := axes(m)
		for _, l := range depths {
			line := along(m, l, widths, fmt.Sprintf("L=%d", l))
			for i := range line.Y {
				line.Y[i], line.Low[i], line.High[i] = line.Y[i]-1, line.Low[i]-1, line.High[i]-1
			}
			form := claim.Line{Reference: true}
			for _, n := range widths {
				if e := s[size{l, n}]; e.N > 0 {
					form.X, form.Y = append(form.X, float64(n)), append(form.Y, e.Mean-1)
				}
			}
			excess.Lines = append(excess.Lines, form, line)
		}
		return []claim.Figure{{Name: "limits-energy",
			Caption: "Linear residual networks in muPC at initialisation, 784 Gaussian inputs, 10 classes, 64 samples; band: standard error over seeds.",
			Panels:  []claim.Panel{excess, widthByDepth("Energy at equilibrium / loss", m, func(v float64) float64 { return 1 / v })}}}, nil
	},
}

// along is the line of one depth over the width.
func along(m map[size]claim.Estimate, l int, widths []int, name string) claim.Line {
	line := claim.Line{Name: name, Points: true}
	for _, n := range widths {
		e := m[size{l, n}]
		if e.N == 0 {
			continue
		}
		band := nonNaN(e.Err)
		line.X, line.Y = append(line.X, float64(n)), append(line.Y, e.Mean)
		line.Low, line.High = append(line.Low, e.Mean-band), append(line.High, e.Mean+band)
	}
	return line
}

// widthByDepth is a map of a number, dark where it is 1.
func widthByDepth(title string, m map[size]claim.Estimate, f func(float64) float64) claim.Panel {
	depths, widths := axes(m)
	table := &claim.Map{High: 1, Columns: words(widths), Rows: words(depths)}
	for _, l := range depths {
		var row []float64
		for _, n := range widths {
			v := math.NaN()
			if e := m[size{l, n}]; e.N > 0 {
				v = f(e.Mean)
			}
			row = append(row, v)
		}
		table.Values = append(table.Values, row)
	}
	return claim.Panel{Title: title, X: claim.Axis{Label: "width N"}, Y: claim.Axis{Label: "depth L"}, Map: table}
}

func words(numbers []int) []string {
	s := make([]string, len(numbers))
	for i, n := range numbers {
		s[i] = strconv.Itoa(n)
	}
	return s
}

func same(v float64) float64 { return v }

var gradientsBecomeBackprop = claim.Claim{
	ID:        "limits/gradients-become-backprop",
	Source:    paper + ", theorem on gradients [second-hand], figure 1 (heat maps, read off)",
	Statement: "In linear residual networks in muPC, the cosine of PC's gradient at equilibrium to BP's rises to 1 as width outgrows depth.",
	Paper: "figure 1, CIFAR-10: L=32: .2 at N=8, .5 at N=32, .9 at N=128, .98 at N=512; L=16: .45, .85, .97 at N=8, 32, 128. An independent " +
		"numpy program on Gaussian inputs: L=32: .325, .549, .886, .990",
	Grid: initial,
	Check: func(t claim.Table) (string, error) {
		m, err := sizes(t, muPC, true, cosine)
		if err != nil {
			return "", err
		}
		var off offs
		for at, e := range m {
			i := slices.Index(tableWidths, at.width)
			if i < 0 || tableCosine[at.depth] == nil || at.width < 32 {
				continue
			}
			tolerance := .03
			if at.width < 128 {
				tolerance = .08 + 2*nonNaN(e.Err)
			}
			if want := tableCosine[at.depth][i]; math.Abs(e.Mean-want) > tolerance {
				off.add("L=%d, N=%d: %s, table %.4f", at.depth, at.width, e, want)
			}
		}
		off.rising("cosine", m, 1)
		depths, widths := axes(m)
		if e := m[size{depths[0], widths[len(widths)-1]}]; e.Mean < .998 {
			off.add("L=%d, N=%d: %s, want .998", depths[0], widths[len(widths)-1], e)
		}
		return "L=32: " + strings.Join(steps(m, 32, []int{8, 32, 128, 512}), ", ") + "; L=16: " +
			strings.Join(steps(m, 16, []int{8, 32, 128}), ", "), off.err()
	},
	Plot: func(t claim.Table) ([]claim.Figure, error) {
		m, err := sizes(t, muPC, true, cosine)
		if err != nil {
			return nil, err
		}
		lines := claim.Panel{Title: "Distance of PC's gradient from BP's", X: claim.Axis{Label: "width N", Log: true},
			Y: claim.Axis{Label: "1 - cosine", Log: true}}
		depths, widths := axes(m)
		for _, l := range depths {
			line := along(m, l, widths, fmt.Sprintf("L=%d", l))
			for i := range line.Y {
				line.Y[i], line.Low[i], line.High[i] = 1-line.Y[i], 1-line.High[i], 1-line.Low[i]
			}
			lines.Lines = append(lines.Lines, line)
		}
		return []claim.Figure{{Name: "limits-cosine",
			Caption: "The gradients by all weights of the same networks, PC's at equilibrium; band: standard error over seeds.",
			Panels:  []claim.Panel{lines, widthByDepth("Cosine of PC's gradient to BP's", m, same)}}}, nil
	},
}

var ratioDecides = claim.Claim{
	ID:     "limits/depth-over-width-decides",
	Source: paper + ": the limit N >> L; that depth and width enter as L/N is derived for this project from S = I + Theta(L/N)",
	Statement: "The cosine of the two gradients depends on depth and width almost only through L/N: from a width of 64 on, depths 4 to 64 at equal L/N " +
		"differ by .07 at most up to L/N = 1/4.",
	Paper: "width much larger than depth. An independent numpy program, L = 4 to 64: .944 to .886 at L/N = 1/4, .983 to .964 at 1/8, .995 to .990 at 1/16",
	Grid:  initial,
	Check: func(t claim.Table) (string, error) {
		m, err := sizes(t, muPC, true, cosine)
		if err != nil {
			return "", err
		}
		var off offs
		var ours []string
		for _, over := range []int{4, 8, 16} { // N = over L
			lo, hi, n := 1., -1., 0
			for at, e := range m {
				if at.width == over*at.depth {
					lo, hi, n = min(lo, e.Mean), max(hi, e.Mean), n+1
				}
			}
			if n < 2 {
				return "", errors.Errorf("L/N = 1/%d: %d sizes", over, n)
			}
			ours = append(ours, fmt.Sprintf("%.3f to %.3f at L/N = 1/%d (%d depths)", lo, hi, over, n))
			if tolerance := .28 / float64(over); hi-lo > tolerance {
				off.add("L/N = 1/%d: from %.3f to %.3f, want %.3f at most between them", over, lo, hi, tolerance)
			}
		}
		return strings.Join(ours, ", "), off.err()
	},
	Plot: func(t claim.Table) ([]claim.Figure, error) {
		panel := claim.Panel{Title: "Depth over width decides", X: claim.Axis{Label: "L / N", Log: true},
			Y: claim.Axis{Label: "1 - cosine of PC's gradient to BP's", Log: true}}
		energy := claim.Panel{Title: "and for the energy", X: claim.Axis{Label: "L / N", Log: true},
			Y: claim.Axis{Label: "loss / energy at equilibrium - 1", Log: true}}
		for _, p := range []struct {
			panel *claim.Panel
			value func(meets) float64
			sign  float64
			law   func(x float64) float64
			name  string
		}{
			{&panel, cosine, -1, func(x float64) float64 { return 2.5 * x * x }, "2.5 (L/N)²"},
			{&energy, ratio, 1, func(x float64) float64 { return (math.E - 1) * x }, "(e-1) L/N"},
		} {
			m, err := sizes(t, muPC, true, p.value)
			if err != nil {
				return nil, err
			}
			depths, widths := axes(m)
			for _, l := range depths {
				line := along(m, l, widths, fmt.Sprintf("L=%d", l))
				line.Low, line.High = nil, nil
				for i := range line.Y {
					line.X[i], line.Y[i] = float64(l)/line.X[i], p.sign*(line.Y[i]-1)
				}
				p.panel.Lines = append(p.panel.Lines, line)
			}
			law := claim.Line{Name: p.name, Reference: true}
			for x := 1. / 256; x <= .5; x *= 2 {
				law.X, law.Y = append(law.X, x), append(law.Y, p.law(x))
			}
			p.panel.Lines = append(p.panel.Lines, law)
		}
		return []claim.Figure{{Name: "limits-collapse",
			Caption: "All sizes of linear residual muPC networks on one axis: the curves of depths from 4 to 64 fall together.",
			Panels:  []claim.Panel{panel, energy}}}, nil
	},
}

var noSkips = claim.Claim{
	ID:        "limits/without-skips",
	Source:    paper + ", the networks without skips of figure 1's appendix [second-hand]",
	Statement: "Without skips the limit is the same: from N = 4 L on, loss over energy is 1 + (L-1)/N and the cosine of the gradients rises with width.",
	Paper:     "the same convergence. An independent numpy program: cosine at L=16 .751 (N=32), .932 (128), .995 (512); L=32 .694 (128), .962 (512)",
	Grid:      initial,
	Check: func(t claim.Table) (string, error) {
		r, err := sizes(t, muPC, false, ratio)
		if err != nil {
			return "", err
		}
		c, err := sizes(t, muPC, false, cosine)
		if err != nil {
			return "", err
		}
		with, err := sizes(t, muPC, true, cosine)
		if err != nil {
			return "", err
		}
		all := maps.Clone(c)
		var off offs
		for at, e := range r {
			if at.width < 4*at.depth {
				delete(c, at)
				continue
			}
			form := 1 + float64(at.depth-1)/float64(at.width)
			if math.Abs(e.Mean/form-1) > .05 {
				off.add("L=%d, N=%d: ratio %s, closed form %.3f", at.depth, at.width, e, form)
			}
			if at.depth >= 16 && c[at].Mean > with[at].Mean+.002 {
				off.add("L=%d, N=%d: cosine %s without skips, %s with", at.depth, at.width, c[at], with[at])
			}
		}
		off.rising("cosine", c, 1)
		depths, widths := axes(r)
		n := widths[len(widths)-1]
		l := depths[len(depths)-1]
		return fmt.Sprintf("L=16: cosine %s; at L=%d, N=%d loss/energy is %.3f and the cosine %.3f, with skips %.3f", strings.Join(steps(all, 16, widths), ", "),
			l, n, r[size{l, n}].Mean, all[size{l, n}].Mean, with[size{l, n}].Mean), off.err()
	},
	Verdict: claim.WithCare,
	Care: "Deep networks without skips (L >= 16) have smaller cosines than those with skips at the same sizes, although their energy is closer to the " +
		"loss: that the energy has converged does not say that the gradient has. Below N = 4 L products of so many random matrices fluctuate, and neither " +
		"statement holds: at L=64 the cosine falls between N=32 and N=128 before it rises.",
	Plot: func(t claim.Table) ([]claim.Figure, error) {
		panel := claim.Panel{Title: "Gradients with (solid) and without skips (dashed)", X: claim.Axis{Label: "width N", Log: true},
			Y: claim.Axis{Label: "cosine of PC's gradient to BP's", Max: 1.02}}
		for k, skips := range []bool{true, false} {
			m, err := sizes(t, muPC, skips, cosine)
			if err != nil {
				return nil, err
			}
			depths, widths := axes(m)
			for i, l := range depths {
				name := fmt.Sprintf("L=%d", l)
				if !skips {
					name = ""
				}
				line := along(m, l, widths, name)
				line.Series, line.Dash = i+1, k
				panel.Lines = append(panel.Lines, line)
			}
		}
		return []claim.Figure{{Name: "limits-skips", Caption: "Linear muPC networks at initialisation; band: standard error over seeds.", Panels: []claim.Panel{panel}}}, nil
	},
}

var standardStaysApart = claim.Claim{
	ID:     "limits/standard-parametrisation-stays-apart",
	Source: paper + ", theorem and appendix [second-hand]; muPC (arXiv 2505.13124), section on the standard parametrisation",
	Statement: "In the standard parametrisation width does not help: loss over energy stays at about 3/2 without skips and at (4/3)^(L-1) with them, and so does " +
		"NTP's at 1 + L((1+1/L)^(L-1) - 1).",
	Paper: "no convergence. An independent numpy program: SP without skips 1.36 to 1.50 at all widths, cosine about 0 from L=16; NTP with skips 4.9, 11.3, 24.6, " +
		"52 for L = 4 to 32 at N=512, cosine .97 to .94",
	Grid: initial,
	Check: func(t claim.Table) (string, error) {
		var off offs
		var ours []string
		for _, family := range []struct {
			p     param
			skips bool
			name  string
			far   float64 // by how much the ratio may be off the closed form, which is an expectation of S
		}{{sp, false, "SP without skips", .12}, {sp, true, "SP with skips", .35}, {ntp, true, "NTP with skips", .35}} {
			r, err := sizes(t, family.p, family.skips, ratio)
			if err != nil {
				return "", err
			}
			s, err := sizes(t, family.p, family.skips, closed)
			if err != nil {
				return "", err
			}
			c, err := sizes(t, family.p, family.skips, cosine)
			if err != nil {
				return "", err
			}
			depths, widths := axes(r)
			n := widths[len(widths)-1]
			var list []string
			for _, l := range depths {
				at := size{l, n}
				if math.Abs(r[at].Mean/s[at].Mean-1) > family.far {
					off.add("%s, L=%d, N=%d: %s, closed form %.4g", family.name, l, n, r[at], s[at].Mean)
				}
				for _, narrow := range widths {
					if r[size{l, narrow}].Mean < 1.3 {
						off.add("%s, L=%d, N=%d: %s", family.name, l, narrow, r[size{l, narrow}])
					}
				}
				if e := c[at]; family.p == sp && !family.skips && l >= 16 && math.Abs(e.Mean) > .05 {
					off.add("%s, L=%d, N=%d: cosine %s", family.name, l, n, e)
				}
				list = append(list, fmt.Sprintf("%.4g", r[at].Mean))
			}
			ours = append(ours, fmt.Sprintf("%s %s for L = %d to %d at N=%d", family.name, strings.Join(list, ", "), depths[0], depths[len(depths)-1], n))
		}
		return strings.Join(ours, "; "), off.err()
	},
	Plot: func(t claim.Table) ([]claim.Figure, error) {
		panels := []claim.Panel{
			{Title: "Energy: only muPC comes to 1", X: claim.Axis{Label: "width N", Log: true}, Y: claim.Axis{Label: "loss / energy at equilibrium", Log: true}},
			{Title: "Gradients", X: claim.Axis{Label: "width N", Log: true}, Y: claim.Axis{Label: "cosine of PC's gradient to BP's"}},
		}
		for k, value := range []func(meets) float64{ratio, cosine} {
			for i, family := range []struct {
				p     param
				skips bool
				name  string
			}{{muPC, true, "muPC, skips"}, {ntp, true, "NTP, skips"}, {sp, true, "SP, skips"}, {sp, false, "SP"}} {
				m, err := sizes(t, family.p, family.skips, value)
				if err != nil {
					return nil, err
				}
				_, widths := axes(m)
				for d, l := range []int{8, 16} {
					line := along(m, l, widths, fmt.Sprintf("%s, L=%d", family.name, l))
					line.Series, line.Dash = i+1, d
					panels[k].Lines = append(panels[k].Lines, line)
				}
			}
		}
		panels[1].Lines = unnamed(panels[1].Lines)
		return []claim.Figure{{Name: "limits-standard", Caption: "Linear networks of other parametrisations at initialisation; band: standard error over seeds.", Panels: panels}}, nil
	},
}

// unnamed leaves the names to the panel before.
func unnamed(lines []claim.Line) []claim.Line {
	for i := range lines {
		lines[i].Name = ""
	}
	return lines
}
