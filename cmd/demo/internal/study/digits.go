package study

import (
	"image"
	"image/color"
	"io"
	"math"
	"strconv"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg/draw"

	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/report"
	"github.com/pcgraph/pcgraph/train"
)

// Size of the grid of predicted digits: some rows from the start of the set, then a row of what was mistaken.
const (
	gridColumns = 12
	gridRows    = 3
)

// A guess is a sample and its prediction.
type guess struct{ sample, label, predicted int }

// guesses predicts a set and returns the first samples and the first mistakes.
func guesses(rule train.Rule[float32], set *data.Set) (shown, mistakes []guess, err error) {
	x := make([]float32, 1024*set.In())
	for _, idx := range data.InOrder(set.Len(), 1024) {
		xs := x[:len(idx)*set.In()]
		data.Fill(set, xs, nil, idx)
		y, err := rule.Subject().Predict(xs)
		if err != nil {
			return nil, nil, err
		}
		for i, sample := range idx {
			g := guess{sample: sample, label: set.Label(sample), predicted: train.Largest(y[i*set.Out() : (i+1)*set.Out()])}
			if len(shown) < gridColumns*gridRows {
				shown = append(shown, g)
			} else if g.label != g.predicted && len(mistakes) < gridColumns {
				mistakes = append(mistakes, g)
			}
		}
		if len(mistakes) == gridColumns {
			break
		}
	}
	return shown, mistakes, nil
}

// digits draws the grid: under each picture its label, and the prediction where it is wrong.
func digits(rule train.Rule[float32], set *data.Set) report.Drawing {
	return func() (io.WriterTo, error) {
		shown, mistakes, err := guesses(rule, set)
		if err != nil {
			return nil, err
		}
		p := report.NewPlot("", "", "")
		p.HideAxes()
		place := func(g guess, col int, row float64) {
			x, y := float64(col), -row*1.32
			p.Add(plotter.NewImage(tilePicture(set, g.sample), x+.06, y, x+.94, y+.88))
			caption, paint := strconv.Itoa(g.label), color.Color(report.Soft)
			if g.label != g.predicted {
				caption, paint = strconv.Itoa(g.predicted)+", not "+strconv.Itoa(g.label), report.Vermillion
				p.Add(report.Line(plotter.XYs{{X: x + .03, Y: y - .03}, {X: x + .97, Y: y - .03}, {X: x + .97, Y: y + .91}, {X: x + .03, Y: y + .91}, {X: x + .03, Y: y - .03}}, report.Vermillion, 2, nil))
			}
			p.Add(report.Note(x+.5, y-.17, caption, paint, draw.XCenter))
		}
		for i, g := range shown {
			place(g, i%gridColumns, float64(i/gridColumns))
		}
		rows := math.Ceil(float64(len(shown)) / gridColumns)
		if len(mistakes) > 0 {
			p.Add(report.Note(.06, -(rows-1)*1.32-.52, "The first mistakes after those:", report.Ink, draw.XLeft))
		}
		for i, g := range mistakes {
			place(g, i, rows+.3)
		}
		p.X.Min, p.X.Max = 0, gridColumns
		bottom := rows - 1
		if len(mistakes) > 0 {
			bottom = rows + .3
		}
		p.Y.Min, p.Y.Max = -bottom*1.32-.35, .95
		width := 10.4
		return report.Picture(width, width/gridColumns*(p.Y.Max-p.Y.Min)+.1, p), nil
	}
}

// tilePicture is a sample, dark on white.
func tilePicture(set *data.Set, sample int) image.Image {
	shape := set.Shape()
	const zoom = 4 // drawn in blocks, so that scaling does not blur
	img := image.NewGray(image.Rect(0, 0, shape.Width*zoom, shape.Height*zoom))
	pixels := set.Pixels(sample)
	for y := range shape.Height * zoom {
		for x := range shape.Width * zoom {
			img.SetGray(x, y, color.Gray{Y: 255 - pixels[y/zoom*shape.Width+x/zoom]})
		}
	}
	return img
}
