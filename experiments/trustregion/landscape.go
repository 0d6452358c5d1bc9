package trustregion

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/pcgraph/pcgraph/experiments/claim"
)

// Settings of the author's later notebook: a grid of weights, inference of 20 Euler steps of .1.
const (
	gridHalf  = 2.
	gridSize  = 30
	eulerRate = .1
)

var eulerSteps = []int{0, 5, 20}

// A line is a row of the landscape, at one w2.
type line struct {
	W2 float64 `json:"w2"`
}

// A terrain is the landscapes over w1 along a line.
type terrain struct {
	Loss        []float64    `json:"loss"`        // L
	Energies    [][]float64  `json:"energies"`    // F after so many steps of inference
	Equilibrium []float64    `json:"equilibrium"` // F*
	LossField   [][2]float64 `json:"loss_field"`  // -dL/dw
	EnergyField [][2]float64 `json:"energy_field"`
}

// axisValue is coordinate i of the grid.
func axisValue(i int) float64 { return gridHalf * (2*float64(i)/(gridSize-1) - 1) }

// batchOf is 64 samples of the toy's data.
func batchOf() (x, y []float64) {
	_, feed := toy{Seed: 1}.start()
	return feed(1)
}

var terrainGrid = claim.Grid("trustregion/landscape", 1, func(claim.Scale) []line {
	var grid []line
	for i := range gridSize {
		grid = append(grid, line{axisValue(i)})
	}
	return grid
}, func(_ context.Context, l line, _ *claim.Cell) (terrain, error) {
	x, y := batchOf()
	var r terrain
	r.Energies = make([][]float64, len(eulerSteps))
	for i := range gridSize {
		w := [2]float64{axisValue(i), l.W2}
		s, err := look(SGD, w, x, y)
		if err != nil {
			return r, err
		}
		p, err := look(PC, w, x, y)
		if err != nil {
			return r, err
		}
		r.Loss, r.Equilibrium = append(r.Loss, s.loss), append(r.Equilibrium, p.energy)
		r.LossField = append(r.LossField, [2]float64{-s.gradient[0], -s.gradient[1]})
		r.EnergyField = append(r.EnergyField, [2]float64{-p.gradient[0], -p.gradient[1]})
		for k, steps := range eulerSteps {
			r.Energies[k] = append(r.Energies[k], inferred(w, x, y, steps))
		}
	}
	return r, nil
})

// inferred is the energy after Euler steps from the feedforward pass.
func inferred(w [2]float64, x, y []float64, steps int) float64 {
	f := 0.
	for i := range x {
		z := w[0] * x[i]
		for range steps {
			z -= eulerRate * (z - w[0]*x[i] - w[1]*(y[i]-w[1]*z))
		}
		e, r := z-w[0]*x[i], y[i]-w[1]*z
		f += (e*e + r*r) / 2 / float64(len(x))
	}
	return f
}

var landscape = claim.Claim{
	ID:     "trustregion/landscape",
	Source: paper + ", figure 1 and the author's blog, settings of the later notebook (x ~ N(1, .1²), y = -x, 64 samples, 20 steps of .1)",
	Statement: "Inference lowers the landscape of one hidden unit from the loss towards F*, the more the larger w2 is: near the origin the field of F* leads away from the saddle " +
		"faster, at the minima it is flatter.",
	Paper: "landscapes with vector fields: a steeper way out of the saddle, flatter minima",
	Grid:  terrainGrid,
	Bounds: []claim.Bound{
		{Text: "F after n steps is F* + (L - F*) (1 - .1 (1 + w2²))^2n to 1e-12, and F* = L / (1 + w2²)", Origin: claim.Derived, Note: "Euler's method on a quadratic of curvature 1 + w2²"},
		{Text: "along the way out of the saddle, w1 = -w2, within |w| < .8, the part of the field of F* along it is larger than that of L", Origin: claim.Paper, Note: "figure 1; theorem A.3"},
		{Text: "the mean length of the field within .4 of the minima with |w2| > .7 is smaller for F* than for L", Origin: claim.Paper, Note: "figure 1; theorem A.4"},
	},
	Check: landscapeIsLowered,
	Plot:  landscapeFigure,
}

// landscapeIsLowered is the check of trustregion/landscape.
func landscapeIsLowered(t claim.Table) (string, error) {
	var off claim.Off
	worst, slowest, flatter := 0., math.Inf(1), [2]float64{}
	for _, r := range claim.Rows[line, terrain](t) {
		w2, v := r.Params.W2, r.Result
		s := 1 + w2*w2
		for i, l := range v.Loss {
			w1 := axisValue(i)
			worst = max(worst, math.Abs(v.Equilibrium[i]-l/s))
			for k, n := range eulerSteps {
				worst = max(worst, math.Abs(v.Energies[k][i]-v.Equilibrium[i]-(l-v.Equilibrium[i])*math.Pow(1-eulerRate*s, 2*float64(n))))
			}
			along := func(f [2]float64) float64 { // away from the origin, on the axis w1 = -w2
				return (f[0] - f[1]) / math.Sqrt2 * math.Copysign(1, w1)
			}
			if r := math.Hypot(w1, w2); r < .8 && math.Abs(w1+w2) < 1e-9 {
				slowest = min(slowest, along(v.EnergyField[i])/along(v.LossField[i]))
			}
			if d := ToMinimum([2]float64{w1, w2}); math.Abs(w2) > .7 && math.Hypot(d[0], d[1]) < .4 {
				flatter[0] += math.Hypot(v.LossField[i][0], v.LossField[i][1])
				flatter[1] += math.Hypot(v.EnergyField[i][0], v.EnergyField[i][1])
			}
		}
	}
	if !(worst < 1e-12) {
		off.Add("the energies are off their closed form by %.2g", worst)
	}
	if !(slowest > 1) {
		off.Add("on the way out of the saddle the field of F* is %.3f of the loss's", slowest)
	}
	if !(flatter[1] < flatter[0]) {
		off.Add("near the minima the field of F* is %.3f of the loss's", flatter[1]/flatter[0])
	}
	return fmt.Sprintf("off the closed form by %.1g; on the way out of the saddle the field of F* is at least %.2f times the loss's, near the minima %.2f of it", worst, slowest, flatter[1]/flatter[0]), off.Err()
}

// landscapeFigure is the figure of trustregion/landscape.
func landscapeFigure(t claim.Table) []claim.Figure {
	f := claim.Figure{Name: "trustregion-landscape", Columns: 2, Caption: "The chain f(x) = w2 w1 x with y = -x. Top: base-10 logarithms of backprop's loss and of the energy after 20 steps of inference, over both weights. " +
		"Bottom: their descending fields (segments from the dots on, of equal length), the minima w1 w2 = -1 (dotted), and descent at the rate .4 from one start near the origin, a dot a batch; the energy there is that at equilibrium."}
	rows := claim.Rows[line, terrain](t)
	if len(rows) == 0 {
		return nil
	}
	for _, m := range []struct {
		title string
		of    func(terrain) []float64
	}{{"Backprop's loss", func(v terrain) []float64 { return v.Loss }}, {"Energy after 20 steps", func(v terrain) []float64 { return v.Energies[2] }}} {
		p := claim.Panel{Title: m.title + ", log10", X: claim.Axis{Label: "w1"}, Y: claim.Axis{Label: "w2"}, Map: &claim.Map{Low: -3, High: 1, Levels: []float64{-2, -1, -.5, 0, .5}}}
		for i := range gridSize {
			p.Map.Columns = append(p.Map.Columns, tick(i))
		}
		for _, r := range rows {
			i := int(math.Round((r.Params.W2/gridHalf + 1) / 2 * (gridSize - 1)))
			p.Map.Rows = append(p.Map.Rows, tick(i))
			var row []float64
			for _, v := range m.of(r.Result) {
				row = append(row, math.Log10(max(v, 1e-3)))
			}
			p.Map.Values = append(p.Map.Values, row)
		}
		f.Panels = append(f.Panels, p)
	}
	w, feed := toy{Seed: 1}.start()
	for k, m := range []Method{SGD, PC} {
		p := claim.Panel{Title: []string{"Backprop: -dL/dw", "PC: -dF*/dw"}[k], X: claim.Axis{Label: "w1", Min: -gridHalf, Max: gridHalf}, Y: claim.Axis{Label: "w2", Min: -gridHalf, Max: gridHalf}}
		var dots claim.Line
		dots.NoLine, dots.Series = true, 1
		for j, r := range rows {
			if j%2 == 1 {
				continue
			}
			for i := 0; i < gridSize; i += 2 {
				g := [][][2]float64{r.Result.LossField, r.Result.EnergyField}[k][i]
				length := math.Hypot(g[0], g[1])
				x, y := axisValue(i), r.Params.W2
				dots.X, dots.Y = append(dots.X, x), append(dots.Y, y)
				if length > 0 {
					p.Lines = append(p.Lines, claim.Line{Series: 1, X: []float64{x, x + .18*g[0]/length}, Y: []float64{y, y + .18*g[1]/length}})
				}
			}
		}
		p.Lines = append(p.Lines, dots)
		for _, sign := range []float64{1, -1} {
			minima := claim.Line{Reference: true}
			for i := range 60 {
				a := sign * (.5 + 1.5*float64(i)/59)
				minima.X, minima.Y = append(minima.X, a), append(minima.Y, -1/a)
			}
			p.Lines = append(p.Lines, minima)
		}
		path, err := Follow(context.Background(), m, w, toyRate, 30, feed)
		if err == nil {
			l := claim.Line{Series: 2, Points: true}
			for _, at := range path.Weights {
				l.X, l.Y = append(l.X, at[0]), append(l.Y, at[1])
			}
			p.Lines = append(p.Lines, l)
		}
		f.Panels = append(f.Panels, p)
	}
	return []claim.Figure{f}
}

// tick labels every seventh column or so.
func tick(i int) string {
	if i%7 != 0 {
		return ""
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", axisValue(i)), ".0")
}
