package main

import (
	"fmt"
	"io"
	"math"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"

	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/layers"
)

// report says which way is for what.
func (cmd inferCmd) report(a *arena, ways []way, set *data.Set) report {
	r := report{Title: "Which solver should I use?",
		Lead: fmt.Sprintf("Inference of a %s (scaling %s, output precision %g, %d updates by backprop before, seed %d) on a batch of %d from %s in float64, from the feedforward pass. The largest curvature of a sample's energy is %.3g by activities and %.3g by errors. The equilibrium is the lowest energy found, %.9g.",
			cmd.title(), cmd.Scaling.name, cmd.Precision, cmd.Warmup, cmd.Seed, a.models[0].Plan().Batch, set.Name, a.curvature[0], a.curvature[1], a.best)}
	if kinked(cmd.Act.Act) {
		r.Lead += fmt.Sprintf(" Activities of a %s network come to rest on kinks, where the gradient jumps: the residual stays above zero, and the weight gradient is defined to some percent only (-act tanh has an equilibrium to any accuracy).", cmd.Act)
	}
	if a.exact == a.exact {
		r.Lead += fmt.Sprintf(" The linear theory has %.9g: off by %.1e.", a.exact, a.best/a.exact-1)
	}
	best := fastest(ways)
	for _, off := range offs {
		if text, ok := best[fmt.Sprintf("%g", off)]; ok {
			name, cost, _ := strings.Cut(text, ": ")
			r.Tiles = append(r.Tiles, tile{Value: name, Label: fmt.Sprintf("fastest to a weight gradient within %g %% (%s)", 100*off, cost)})
		}
	}
	r.Tables = append(r.Tables, wayTable(ways), cmd.horizonTable(ways))
	if len(ways) == 0 { // interrupted
		return r
	}
	r.Figures = []figure{
		{File: "solvers.png", Title: "How fast each way comes to rest",
			Caption: "Left against evaluations of the energy, right against the clock; above the energy over the equilibrium's, below the error of the weight gradient that would be read there. What is lower at the same place is better; a line that ends has come to rest or to its limit of evaluations. Gauss-Newton counts a backward pass per output as an evaluation.",
			draw:    wayFigure(ways, func(w way) bool { return w.kind == mainWay })},
		{File: "heun.png", Title: "Heun against Euler",
			Caption: "The same for the gradient flow by both methods, with constant steps and, for Heun, with steps that follow a tolerance. Along the path Heun is far more accurate; but all paths lead to the same rest, and a step of Heun costs two evaluations.",
			draw:    wayFigure(ways, func(w way) bool { return w.flow && w.kind != tableOnly })},
	}
	return r
}

// wayTable is what each way needs.
func wayTable(ways []way) table {
	t := table{Title: "Evaluations (milliseconds) until the energy is within a fraction of the equilibrium's, and until the weight gradient is",
		Note: "Times are of one run each on a machine that may be busy; evaluations are exact. A dash: not within the limit of evaluations.",
		Head: []string{"way"}}
	for _, g := range gaps {
		t.Head = append(t.Head, fmt.Sprintf("energy %g", g))
	}
	for _, o := range offs {
		t.Head = append(t.Head, fmt.Sprintf("gradient %g", o))
	}
	t.Head = append(t.Head, "ended", "evaluations", "residual")
	cell := func(s station, ok bool) string {
		if !ok {
			return "-"
		}
		return fmt.Sprintf("%d (%.3g)", s.evals, 1e3*s.seconds)
	}
	for i := range ways {
		w := &ways[i]
		row := []string{w.name}
		for _, g := range gaps {
			row = append(row, cell(w.reaches(g, func(s station) float64 { return s.gap })))
		}
		for _, o := range offs {
			row = append(row, cell(w.reaches(o, func(s station) float64 { return s.off })))
		}
		t.Rows = append(t.Rows, append(row, w.result.Status.String(), fmt.Sprint(w.result.Evals), fmt.Sprintf("%.1e", w.result.Residual)))
	}
	return t
}

// horizonTable is where each flow is at the horizons.
func (cmd inferCmd) horizonTable(ways []way) table {
	t := table{Title: "Where the flows are at given times: energy over the equilibrium's (error of the weight gradient) after so many evaluations",
		Note: "Read at the first step that ends there or later; times are per sample, those of JPC are larger by the batch size.", Head: []string{"flow"}}
	for _, h := range cmd.Horizons {
		t.Head = append(t.Head, fmt.Sprintf("time %g", h))
	}
	for i := range ways {
		w := &ways[i]
		if !w.flow {
			continue
		}
		row := []string{w.name}
		for _, h := range cmd.Horizons {
			text, off := "-", math.NaN()
			for _, s := range w.path {
				if s.off == s.off {
					off = s.off
				}
				if s.time >= h*(1-1e-9) {
					text = fmt.Sprintf("%.1e (%.2g) after %d", s.gap, off, s.evals)
					break
				}
			}
			row = append(row, text)
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// lowest is where a logarithmic axis of something that goes to zero begins.
const lowest = 1e-12

// wayFigure draws energy and gradient error of some ways against evaluations and time.
func wayFigure(ways []way, in func(way) bool) func() (io.WriterTo, error) {
	return func() (io.WriterTo, error) {
		var rows [][]*plot.Plot
		var names []string
		var styles []draw.LineStyle
		for _, y := range []struct {
			label  string
			number func(station) float64
		}{
			{"energy over the equilibrium's, F/F* - 1", func(s station) float64 { return s.gap }},
			{"relative error of the weight gradient", func(s station) float64 { return s.off }},
		} {
			var row []*plot.Plot
			for _, x := range []struct {
				label  string
				number func(station) float64
			}{
				{"evaluations of the energy", func(s station) float64 { return float64(s.evals) }},
				{"milliseconds", func(s station) float64 { return 1e3 * s.seconds }},
			} {
				p := newPlot("", x.label, y.label)
				grid(p)
				logAxis(&p.X)
				logAxis(&p.Y)
				n := 0
				for _, w := range ways {
					if !in(w) {
						continue
					}
					l := line(trail(w.path, x.number, y.number), nth(n), 1.8, dashes(2*(n/len(series))+n%2))
					if len(l.XYs) > 0 {
						p.Add(l)
					}
					if len(rows) == 0 && len(row) == 0 {
						names, styles = append(names, w.name), append(styles, l.LineStyle)
					}
					n++
				}
				snap(&p.X)
				snap(&p.Y)
				row = append(row, p)
			}
			rows = append(rows, row)
		}
		return keyed(5.2, 3.6, rows, names, styles), nil
	}
}

// trail is a path as points, down to the lowest value, where it ends.
func trail(path []station, x, y func(station) float64) (xys plotter.XYs) {
	for _, s := range path {
		v := y(s)
		if !(v < 1e3) || !(x(s) > 0) { // not taken, or diverging
			continue
		}
		xys = append(xys, plotter.XY{X: x(s), Y: math.Max(v, lowest)})
		if v <= lowest {
			break
		}
	}
	return xys
}

// keyed is panels with the names of lines above them, where they hide nothing.
func keyed(width, height float64, rows [][]*plot.Plot, names []string, styles []draw.LineStyle) io.WriterTo {
	const columns, high = 4, .24
	strip := vg.Length(high*math.Ceil(float64(len(names))/columns)+.1) * vg.Inch
	w, h := vg.Length(width)*vg.Inch*vg.Length(len(rows[0])), vg.Length(height)*vg.Inch*vg.Length(len(rows))
	img := vgimg.NewWith(vgimg.UseWH(w, h+strip), vgimg.UseDPI(dpi))
	canvas := draw.New(img)
	for i, name := range names {
		x, y := w*(vg.Length(i%columns)+.06)/columns, h+strip-vg.Length(high*(float64(i/columns)+.7))*vg.Inch
		canvas.StrokeLine2(styles[i], x, y, x+vg.Points(26), y)
		text := textStyle(10, ink)
		text.XAlign = draw.XLeft
		canvas.FillText(text, vg.Point{X: x + vg.Points(32), Y: y}, name)
	}
	drawPanels(draw.Crop(canvas, 0, 0, 0, -strip), rows)
	return vgimg.PngCanvas{Canvas: img}
}

// kinked tells whether the slope of an activation jumps.
func kinked(a layers.Act) bool {
	return a == layers.ReLU || a == layers.LeakyReLU || a == layers.HardTanh || a == layers.SELU
}
