package inspect

import (
	"fmt"
	"io"
	"math"

	"github.com/pkg/errors"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"

	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/curvature"
	"github.com/pcgraph/pcgraph/report"
)

// report writes the page of what was seen.
func (cmd CurvatureCmd) report(c *cli.Console, out *cli.RunDir, s *subject, sights []sight) error {
	first, last := sights[0], sights[len(sights)-1]
	r := &out.Page
	r.Title = "Curvature of what predictive coding and backprop descend in"
	r.Lead = fmt.Sprintf("A %s on %d samples of %s, in float64. PC descends on the energy at equilibrium, BP on the loss of the feedforward pass: the Hessians of both with respect to all %d weights, by products with vectors.",
		s.title, s.batch, s.set, first.scapes[0].at.Dim())
	for _, l := range last.scapes {
		r.Tiles = append(r.Tiles, report.Tile{Value: l.point.Verdict.String(), Label: fmt.Sprintf("%s, %s", l.rule, last.name), Class: map[string]string{"PC": "pc", "BP": "bp"}[l.rule]},
			report.Tile{Value: report.Number(l.point.Low.Value), Label: "lowest eigenvalue of " + l.rule, Class: map[string]string{"PC": "pc", "BP": "bp"}[l.rule]})
	}
	r.Tables = cmd.tables(sights)
	out.Manifest.Results["points"] = results(sights)
	if c.Context.Err() != nil {
		return nil
	}
	shown := []sight{first}
	if last.name != first.name {
		shown = append(shown, last)
	}
	var walks []walk
	for _, v := range shown {
		w, err := cmd.walk(c, s, v)
		if err != nil {
			if c.Context.Err() != nil {
				return nil
			}
			return hint(err)
		}
		walks = append(walks, w)
	}
	r.Figures = append(r.Figures,
		report.Figure{File: "escape.png", Title: "Both landscapes along the direction of escape",
			Caption: "The direction is the eigenvector of the lowest eigenvalue of PC's Hessian, of length 1; the activities are taken to equilibrium anew at every point. A strict saddle falls to both sides like a parabola (dotted: the one that the eigenvalue says); where the loss is flat there, backprop has nothing to go by.",
			Draw:    func() (io.WriterTo, error) { return report.Picture(5.2, 4, walkPlots(walks)...), nil }},
		report.Figure{File: "spectrum.png", Title: "Eigenvalues of both Hessians",
			Caption: "The density of the eigenvalues, estimated by Lanczos' method from two random starts and smoothed over 1/80 of their range: bumps at the ends are single eigenvalues, the peak at 0 is the directions in which nothing changes. Shares below 1e-5 are cut off.",
			Draw:    func() (io.WriterTo, error) { return report.Picture(5.2, 4, spectrumPlots(shown)...), nil }})
	if cmd.Updates > 0 && len(sights) > 2 {
		r.Figures = append(r.Figures, report.Figure{File: "training.png", Title: "Along the training",
			Caption: "The weights learn by PC at its equilibrium; both landscapes are looked at where it goes. On the left the lowest eigenvalues, on the right the lengths of the gradients with respect to the weights.",
			Draw:    func() (io.WriterTo, error) { return report.Picture(5.2, 3.8, trainingPlots(sights)...), nil }})
	}
	return nil
}

// tables say everything in numbers.
func (cmd CurvatureCmd) tables(sights []sight) []report.Table {
	t := report.Table{Title: "Points", Head: []string{"point", "of", "verdict", "energy", "gradient", "lowest", "+-", "highest", "below 0", "residual", "solve", "products", "CG steps"},
		Legend: "Lowest, highest: eigenvalues of the Hessian; +-: an eigenvalue lies within this of the lowest. Below 0: share of eigenvalues below minus what counts as 0. Residual: rms of dF/dz where inference ended. Solve: worst relative residual of an inner solve. CG steps: of conjugate gradients in a product, on average; exact: solved by linear theory."}
	why := report.Table{Title: "Verdicts", Head: []string{"verdict", "rests on"}}
	seen := map[curvature.Verdict]bool{}
	for _, v := range sights {
		for _, l := range v.scapes {
			p, cg := l.point, fmt.Sprintf("%.0f", l.steps)
			if l.at.Exact {
				cg = "exact"
			}
			t.Rows = append(t.Rows, []string{v.name, l.rule, p.Verdict.String(), report.Number(p.Energy), small(p.GradNorm, p.Zero), small(p.Low.Value, p.Zero), fmt.Sprintf("%.1e", p.Low.Bound), small(p.High.Value, p.Zero),
				fmt.Sprintf("%.2g %%", 100*l.density.Below(-max(p.Zero, 1e-300))), fmt.Sprintf("%.1e", l.at.Residual), fmt.Sprintf("%.1e", l.at.WorstSolve), fmt.Sprint(l.at.Products), cg})
			if l.at.Marked != "" {
				t.Note = "Marked: " + l.at.Marked
			}
			if !seen[p.Verdict] {
				seen[p.Verdict] = true
				why.Rows = append(why.Rows, []string{p.Verdict.String(), p.Verdict.Meaning()})
			}
		}
	}
	return []report.Table{t, why}
}

// small writes what counts as 0 as 0.
func small(v, zero float64) string {
	if math.Abs(v) <= zero {
		return "0"
	}
	return report.Number(v)
}

// results are the points for the manifest.
func results(sights []sight) (list []map[string]any) {
	for _, v := range sights {
		for _, l := range v.scapes {
			p := l.point
			list = append(list, map[string]any{"point": v.name, "update": v.update, "rule": l.rule, "verdict": p.Verdict.String(), "energy": p.Energy, "gradient": p.GradNorm,
				"lowest": p.Low.Value, "lowest_bound": p.Low.Bound, "highest": p.High.Value, "residual": l.at.Residual, "solve": l.at.WorstSolve, "marked": l.at.Marked})
		}
	}
	return list
}

// A walk is both landscapes along the direction of escape from a point.
type walk struct {
	of       sight
	ts       []float64
	energies [2][]float64
}

// walkPoints is how many points a walk has.
const walkPoints = 31

// walk goes where the parabola of the lowest eigenvalue comes to an energy of 0, to both sides.
func (cmd CurvatureCmd) walk(c *cli.Console, s *subject, v sight) (w walk, err error) {
	w.of = v
	p := v.scapes[0].point
	reach := math.Sqrt(2 * math.Abs(p.Energy) / max(math.Abs(p.Low.Value), 1e-3*math.Abs(p.High.Value), 1e-12))
	for i := range walkPoints {
		w.ts = append(w.ts, reach*(2*float64(i)/(walkPoints-1)-1))
	}
	weights := v.scapes[0].model.Weights()
	copy(weights.Data(), v.weight)
	weights.Touch()
	for i, l := range v.scapes {
		c.Doing(fmt.Sprintf("the landscape of %s at %s", l.rule, v.name))
		o := cmd.options()
		o.Tol = max(o.Tol, 1e-7) // a picture needs no more
		if w.energies[i], err = curvature.Along(c.Context, l.model, p.Low.Vector, w.ts, o); err != nil {
			return w, errors.WithMessagef(err, "landscape of %s", l.rule)
		}
	}
	c.Doing("")
	return w, nil
}

func walkPlots(walks []walk) (plots []*plot.Plot) {
	for _, w := range walks {
		p := report.NewPlot(w.of.name, "distance in weight space, along the direction of escape", "energy per sample")
		report.Grid(p)
		point := w.of.scapes[0].point
		var parabola plotter.XYs
		for i, l := range w.of.scapes {
			var xys plotter.XYs
			for k, t := range w.ts {
				xys = append(xys, plotter.XY{X: t, Y: w.energies[i][k]})
				if y := point.Energy + t*t*point.Low.Value/2; i == 0 && y >= 0 && point.Verdict != curvature.NotCritical {
					parabola = append(parabola, plotter.XY{X: t, Y: y})
				}
			}
			line := report.Line(xys, report.RuleColour(l.rule), 2, report.RuleDash(l.rule))
			p.Add(line)
			p.Legend.Add(map[string]string{"PC": "energy at equilibrium (PC)", "BP": "loss (BP)"}[l.rule], line)
		}
		if len(parabola) > 1 {
			line := report.Line(parabola, report.Ink, 1, report.Dash(2))
			p.Add(line)
			p.Legend.Add(fmt.Sprintf("eigenvalue %.3g", point.Low.Value), line)
		}
		p.Legend.Top = true
		p.Y.Min, p.Y.Max = min(0, p.Y.Min), p.Y.Max+.35*(p.Y.Max-min(0, p.Y.Min)) // the legend's place
		plots = append(plots, p)
	}
	return plots
}

// densityPoints is how many points the curve of a density has.
const densityPoints = 400

func spectrumPlots(sights []sight) (plots []*plot.Plot) {
	for _, v := range sights {
		p := report.NewPlot(v.name, "eigenvalue", "share of all eigenvalues per 1/80 of the axis")
		report.Grid(p)
		low, high := math.Inf(1), math.Inf(-1)
		for _, l := range v.scapes {
			low, high = min(low, l.point.Low.Value), max(high, l.point.High.Value)
		}
		if !(high > low) {
			low, high = low-1, high+1
		}
		width := (high - low) / 80
		for _, l := range v.scapes {
			var xys plotter.XYs
			for i := range densityPoints {
				at := low - 4*width + (high-low+8*width)*float64(i)/(densityPoints-1)
				xys = append(xys, plotter.XY{X: at, Y: max(width*l.density.At(at, width), leastShare)})
			}
			line := report.Line(xys, report.RuleColour(l.rule), 1.6, report.RuleDash(l.rule))
			p.Add(line)
			p.Legend.Add(map[string]string{"PC": "energy at equilibrium (PC)", "BP": "loss (BP)"}[l.rule], line)
		}
		report.LogAxis(&p.Y)
		p.Y.Min, p.Y.Max = leastShare, 10 // room for the legend
		p.Legend.Top = true
		plots = append(plots, p)
	}
	return plots
}

// leastShare is the least share of the eigenvalues that is drawn.
const leastShare = 1e-5

func trainingPlots(sights []sight) []*plot.Plot {
	lows, norms := report.NewPlot("Lowest eigenvalue", "update", "lowest eigenvalue"), report.NewPlot("Gradient", "update", "|dF/dW|")
	for k, p := range []*plot.Plot{lows, norms} {
		report.Grid(p)
		p.X.Tick.Marker = report.CountTicks{}
		for i := range sights[0].scapes {
			var xys plotter.XYs
			rule := sights[0].scapes[i].rule
			for _, v := range sights {
				point := v.scapes[i].point
				xys = append(xys, plotter.XY{X: float64(v.update), Y: []float64{point.Low.Value, point.GradNorm}[k]})
			}
			line, dots := report.Line(xys, report.RuleColour(rule), 2, report.RuleDash(rule)), report.Dots(xys, report.RuleColour(rule), 3)
			p.Add(line, dots)
			p.Legend.Add(rule, line, dots)
		}
	}
	norms.Legend.Top = true
	return []*plot.Plot{lows, norms}
}
