package inspect

import (
	"fmt"
	"image/color"
	"io"
	"math"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"

	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/report"
)

// report fills the page: which solver is good for what.
func (cmd InferCmd) report(a *benchmark, runs []SolverRun, set *data.Set) report.Page {
	r := report.Page{Title: "Which solver should I use?",
		Lead: fmt.Sprintf("Inference of a %s (scaling %s, output precision %g, %d updates by backprop before, seed %d) on a batch of %d from %s in float64, from the feedforward pass. The largest curvature of a sample's energy is %.3g by activities and %.3g by errors. The equilibrium is the lowest energy that long runs of L-BFGS find, F* = %.6g.",
			cmd.Title(), cmd.Scaling.Name, cmd.Precision, cmd.Warmup, cmd.Seed, a.models[0].Plan().Batch, set.Name, a.curvature[0], a.curvature[1], a.best)}
	if cmd.Kinked() {
		r.Lead += fmt.Sprintf(" Activities of a %s network come to rest on kinks, where the gradient jumps: the residual stays above zero, and the weight gradient is defined to some percent only (-act tanh has an equilibrium to any accuracy); there are several minima, and a solver may come to one that is lower than F*.", cmd.Act)
	}
	if a.exact == a.exact {
		r.Lead += fmt.Sprintf(" The linear theory has %.6g: off by %.1e.", a.exact, a.best/a.exact-1)
	}
	best := Fastest(runs)
	for _, off := range offs {
		if text, ok := best[fmt.Sprintf("%g", off)]; ok {
			name, cost, _ := strings.Cut(text, ": ")
			r.Tiles = append(r.Tiles, report.Tile{Value: name, Label: fmt.Sprintf("fastest to a weight gradient within %g %% (%s, median of %d runs or more)", 100*off, cost, fewestRuns)})
		}
	}
	r.Tables = append(r.Tables, solverTable(runs), cmd.horizonTable(runs))
	if len(runs) == 0 { // interrupted
		return r
	}
	r.Figures = []report.Figure{
		{File: "solvers.png", Title: "How fast each solver comes to rest",
			Caption: "Left against evaluations of the energy, right against the clock; above the energy over the equilibrium's, below the error of the weight gradient that would be read there. What is lower at the same place is better; a line that ends has come to rest or to its limit of evaluations. Gauss-Newton counts a backward pass per output as an evaluation. Solid lines move activities, dashed ones prediction errors.",
			Draw: solverFigure(runs, func(w SolverRun) bool { return w.kind == mainFigures }, func(w SolverRun) int {
				if w.errors {
					return 1
				}
				return 0
			})},
		{File: "heun.png", Title: "Heun against Euler",
			Caption: "The same for the gradient flow by both methods, with constant steps and, for Heun, with steps that follow a tolerance. Along the path Heun is far more accurate; but all paths lead to the same rest, and a step of Heun costs two evaluations. A colour is a method, a dash its step or tolerance.",
			Draw:    solverFigure(runs, func(w SolverRun) bool { return w.flow && w.kind != tableOnly }, func(w SolverRun) int { return w.look.variant })},
	}
	return r
}

// solverTable is what each solver needs.
func solverTable(runs []SolverRun) report.Table {
	t := report.Table{Title: "Evaluations (milliseconds) until the energy is within a fraction of the equilibrium's, and until the weight gradient is",
		Note: fmt.Sprintf("Energy e: F/F* - 1 is at most e from there on, F* being the lowest energy that long runs of L-BFGS find. Gradient g: the weight gradient's relative error |g - g*| / |g*| is. In brackets are milliseconds, the median of at least %d runs on a machine that may be busy; evaluations are exact. A dash: not within the limit of evaluations. Residual: rms of the energy's gradient at the end. Ended: converged is a residual of 1e-13, a step limit is -evals or where no step leads downhill, a time limit the last of -horizons.", fewestRuns),
		Head: []string{"way"}}
	for _, g := range gaps {
		t.Head = append(t.Head, fmt.Sprintf("energy %g", g))
	}
	for _, o := range offs {
		t.Head = append(t.Head, fmt.Sprintf("gradient %g", o))
	}
	t.Head = append(t.Head, "ended", "evaluations", "residual")
	cell := func(s Evaluation, ok bool) string {
		if !ok {
			return "-"
		}
		return fmt.Sprintf("%d (%.3g)", s.Evals, 1e3*s.Seconds)
	}
	for i := range runs {
		w := &runs[i]
		row := []string{w.Name}
		for _, g := range gaps {
			row = append(row, cell(w.reaches(g, func(s Evaluation) float64 { return s.gap })))
		}
		for _, o := range offs {
			row = append(row, cell(w.reaches(o, func(s Evaluation) float64 { return s.Off })))
		}
		t.Rows = append(t.Rows, append(row, w.result.Status.String(), fmt.Sprint(w.result.Evals), fmt.Sprintf("%.1e", w.result.Residual)))
	}
	return t
}

// horizonTable is where each flow is at the horizons.
func (cmd InferCmd) horizonTable(runs []SolverRun) report.Table {
	t := report.Table{Title: "Where the flows are at given times: energy over the equilibrium's (error of the weight gradient) after so many evaluations",
		Note: "Read at the first step that ends there or later; times are per sample, those of JPC are larger by the batch size.", Head: []string{"flow"}}
	for _, h := range cmd.Horizons {
		t.Head = append(t.Head, fmt.Sprintf("time %g", h))
	}
	for i := range runs {
		w := &runs[i]
		if !w.flow {
			continue
		}
		row := []string{w.Name}
		for _, h := range cmd.Horizons {
			text, off := "-", math.NaN()
			for _, s := range w.Path {
				if s.Off == s.Off {
					off = s.Off
				}
				if s.time >= h*(1-1e-9) {
					text = fmt.Sprintf("%.1e (%.2g) after %d", s.gap, off, s.Evals)
					break
				}
			}
			row = append(row, text)
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// colour is that of the method.
func (l lineStyle) colour() color.NRGBA {
	return map[int]color.NRGBA{byDescent: report.Blue, byMomentum: report.Amber, byLBFGS: report.Green, byAuto: report.Vermillion, byNewton: report.Purple, byEuler: report.Vermillion, byHeun: report.Blue, byTolerance: report.Ink}[l.method]
}

// lowest is where a logarithmic axis of something that goes to zero begins.
const lowest = 1e-12

// solverFigure draws energy and gradient error of some runs against evaluations and time.
func solverFigure(runs []SolverRun, in func(SolverRun) bool, dash func(SolverRun) int) report.Drawing {
	return func() (io.WriterTo, error) {
		var rows [][]*plot.Plot
		var keys []report.Key
		for _, y := range []struct {
			label  string
			number func(Evaluation) float64
		}{
			{"energy over the equilibrium's, F/F* - 1", func(s Evaluation) float64 { return s.gap }},
			{"relative error of the weight gradient", func(s Evaluation) float64 { return s.Off }},
		} {
			var row []*plot.Plot
			for _, x := range []struct {
				label  string
				number func(Evaluation) float64
			}{
				{"evaluations of the energy and its gradient", func(s Evaluation) float64 { return float64(s.Evals) }},
				{"milliseconds (median of the runs)", func(s Evaluation) float64 { return 1e3 * s.Seconds }},
			} {
				p := report.NewPlot("", x.label, y.label)
				report.Grid(p)
				report.LogAxis(&p.X)
				report.LogAxis(&p.Y)
				for _, w := range runs {
					if !in(w) {
						continue
					}
					l := report.Line(trail(w.Path, x.number, y.number), w.look.colour(), 1.8, report.Dash(dash(w)))
					if len(l.XYs) > 0 {
						p.Add(l)
					}
					if len(rows) == 0 && len(row) == 0 {
						keys = append(keys, report.Key{Name: w.Name, Line: l.LineStyle})
					}
				}
				report.WholeDecades(&p.X)
				report.WholeDecades(&p.Y)
				row = append(row, p)
			}
			rows = append(rows, row)
		}
		return report.WithKeys(5.2, 3.6, rows, keys, 3), nil
	}
}

// trail is a path as points, down to the lowest value, where it ends.
func trail(path []Evaluation, x, y func(Evaluation) float64) (xys plotter.XYs) {
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
