package claims

import (
	"image/color"
	"io"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"

	"github.com/pcgraph/pcgraph/experiments/claim"
	"github.com/pcgraph/pcgraph/report"
)

// Illustration draws a figure of a claim in the style of all figures, legends beside the plots.
func Illustration(f claim.Figure) report.Drawing {
	return func() (io.WriterTo, error) {
		columns := f.Columns
		if columns == 0 {
			columns = min(2, len(f.Panels))
		}
		rows := (len(f.Panels) + columns - 1) / columns
		width, height := 5.6, 3.7
		if columns == 1 {
			width, height = 7.6, 4.2
		}
		img := vgimg.NewWith(vgimg.UseWH(vg.Length(width*float64(columns))*vg.Inch, vg.Length(height*float64(rows))*vg.Inch), vgimg.UseDPI(report.DPI))
		tiles := draw.Tiles{Rows: rows, Cols: columns, PadX: vg.Points(20), PadY: vg.Points(16),
			PadTop: vg.Points(6), PadBottom: vg.Points(6), PadLeft: vg.Points(6), PadRight: vg.Points(10)}
		canvas := draw.New(img)
		for i, panel := range f.Panels {
			tile := tiles.At(canvas, i%columns, i/columns)
			p, legend, err := panelPlot(panel)
			if err != nil {
				return nil, err
			}
			if legend != nil {
				w := legend.Rectangle(tile).Size().X + vg.Points(8)
				side := draw.Crop(tile, tile.Size().X-w, 0, 0, -vg.Points(24))
				tile = draw.Crop(tile, 0, -w, 0, 0)
				legend.Draw(side)
			}
			p.Draw(tile)
		}
		return vgimg.PngCanvas{Canvas: img}, nil
	}
}

// panelPlot is one panel and its legend, nil if nothing has a name.
func panelPlot(panel claim.Panel) (*plot.Plot, *plot.Legend, error) {
	if panel.Map != nil {
		return mapPlot(panel), nil, nil
	}
	p := report.NewPlot(panel.Title, panel.X.Label, panel.Y.Label)
	report.Grid(p)
	legend := p.Legend
	legend.Top, legend.Left = true, true
	named := false
	next := 0
	for _, l := range panel.Lines {
		var paint color.NRGBA
		switch {
		case l.Reference:
			paint = report.Soft
		case l.Series > 0:
			paint = report.Colour(l.Series - 1)
		default:
			paint = report.Colour(next)
			next++
		}
		thumbs := addLine(p, panel, l, paint)
		if l.Name != "" && len(thumbs) > 0 {
			legend.Add(l.Name, thumbs...)
			named = true
		}
	}
	axis(&p.X, panel.X, positions(panel))
	axis(&p.Y, panel.Y, nil)
	if !named {
		return p, nil, nil
	}
	return p, &legend, nil
}

// addLine adds a band, a line and dots, and returns what the legend shows.
func addLine(p *plot.Plot, panel claim.Panel, l claim.Line, paint color.NRGBA) []plot.Thumbnailer {
	visible := func(v float64, a claim.Axis) bool {
		return !math.IsNaN(v) && !math.IsInf(v, 0) && (!a.Log || v > 0)
	}
	var xys, low, high plotter.XYs
	for i, x := range l.X {
		if !visible(x, panel.X) || !visible(l.Y[i], panel.Y) {
			continue
		}
		xys = append(xys, plotter.XY{X: x, Y: l.Y[i]})
		if l.Low != nil && visible(l.Low[i], panel.Y) && visible(l.High[i], panel.Y) {
			low, high = append(low, plotter.XY{X: x, Y: l.Low[i]}), append(high, plotter.XY{X: x, Y: l.High[i]})
		}
	}
	if len(xys) == 0 {
		return nil
	}
	if len(low) > 1 {
		slices.Reverse(high)
		pale := paint
		pale.A = 0x30
		p.Add(&plotter.Polygon{XYs: []plotter.XYs{append(low, high...)}, Color: pale})
	}
	var thumbs []plot.Thumbnailer
	if !l.NoLine {
		dash, width := report.Dash(l.Dash), 1.8
		if l.Reference {
			dash, width = report.Dash(2), 1.2
		}
		shown := report.Line(xys, paint, width, dash)
		p.Add(shown)
		thumbs = append(thumbs, shown)
	}
	if l.Points || l.NoLine {
		shown := report.Dots(xys, paint, 2.4)
		p.Add(shown)
		thumbs = append(thumbs, shown)
	}
	return thumbs
}

// positions are the x values of all lines if they are few whole numbers: good places for ticks.
func positions(panel claim.Panel) []float64 {
	var xs []float64
	for _, l := range panel.Lines {
		xs = append(xs, l.X...)
	}
	slices.Sort(xs)
	xs = slices.Compact(xs)
	if len(xs) > 14 || slices.ContainsFunc(xs, func(x float64) bool { return x != math.Trunc(x) || x <= 0 }) {
		return nil
	}
	return xs
}

// axis makes an axis as it is described.
func axis(a *plot.Axis, as claim.Axis, at []float64) {
	a.Tick.Marker = neat{}
	if as.Log {
		report.LogAxis(a)
		if len(at) > 1 && at[len(at)-1] < 1e4*at[0] {
			a.Tick.Marker = placed(at)
		} else {
			report.WholeDecades(a)
		}
	}
	if as.Min != 0 || as.Max != 0 {
		a.Min, a.Max = as.Min, as.Max
	}
}

// neat are labelled ticks at multiples of 1, 2 or 5 times a power of ten, five or so.
type neat struct{}

// Ticks is called by plot.
func (neat) Ticks(lo, hi float64) []plot.Tick {
	step := math.Pow(10, math.Floor(math.Log10((hi-lo)/5)))
	for _, times := range []float64{2, 2.5, 2} { // 1, 2, 5, 10
		if (hi-lo)/step > 7.5 {
			step *= times
		}
	}
	var ticks []plot.Tick
	for i := math.Ceil(lo/step - 1e-9); i*step <= hi+1e-9*step; i++ {
		ticks = append(ticks, plot.Tick{Value: i*step + 0, Label: strconv.FormatFloat(i*step+0, 'g', 6, 64)})
	}
	return ticks
}

// placed are ticks at given places, labelled as far apart as there is room on a logarithmic axis.
func placed(at []float64) plot.ConstantTicks {
	var ticks plot.ConstantTicks
	last := 0.
	room := math.Log(at[len(at)-1]/at[0]) / 11
	for _, x := range at {
		t := plot.Tick{Value: x}
		if last == 0 || math.Log(x/last) >= room {
			t.Label, last = strconv.FormatFloat(x, 'f', -1, 64), x
		}
		ticks = append(ticks, t)
	}
	return ticks
}

// mapPlot is a map of numbers, with its contours.
func mapPlot(panel claim.Panel) *plot.Plot {
	m := panel.Map
	low, high := m.Low, m.High
	if low == 0 && high == 0 {
		low, high = math.Inf(1), math.Inf(-1)
		for _, row := range m.Values {
			for _, v := range row {
				if !math.IsNaN(v) {
					low, high = min(low, v), max(high, v)
				}
			}
		}
	}
	h := report.HeatMap{Title: panel.Title, X: panel.X.Label, Y: panel.Y.Label, Rows: m.Rows, Columns: m.Columns, Dark: func(v float64) float64 { return (v - low) / (high - low) }}
	for _, row := range m.Values {
		h.Values = append(h.Values, row...)
	}
	p := h.Plot()
	if len(m.Levels) > 0 {
		measured := m.Values // contours end where nothing is
		for len(measured) > 1 && !slices.ContainsFunc(measured[len(measured)-1], func(v float64) bool { return !math.IsNaN(v) }) {
			measured = measured[:len(measured)-1]
		}
		contour := plotter.NewContour(field{measured}, m.Levels, nil)
		contour.LineStyles = []draw.LineStyle{{Color: report.Vermillion, Width: vg.Points(1.4)}}
		p.Add(contour)
	}
	return p
}

// A field is a map's numbers as contours are drawn of them.
type field struct{ values [][]float64 }

// Dims is called by plotter.
func (f field) Dims() (columns, rows int) { return len(f.values[0]), len(f.values) }

// Z is called by plotter.
func (f field) Z(column, row int) float64 { return f.values[row][column] }

// X is called by plotter.
func (field) X(column int) float64 { return float64(column) }

// Y is called by plotter.
func (field) Y(row int) float64 { return float64(row) }
