package separate

import (
	"fmt"
	"image"
	"image/color"
	"io"
	"math"
	"math/rand/v2"
	"strconv"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"

	"github.com/pcgraph/pcgraph/bss"
	"github.com/pcgraph/pcgraph/data/signal"
	"github.com/pcgraph/pcgraph/report"
)

// most is how many channels of a kind a figure shows.
const most = 6

// A lane is a channel in a figure.
type lane struct {
	title string
	v     []float64
}

// lanes are the mixtures, outputs and references that figures show, a row each.
func (j *job) lanes() (mixtures, outputs, references []lane) {
	for i := range min(most, j.in.Channels) {
		mixtures = append(mixtures, lane{"mixture " + j.in.Names[i], j.in.Channel(i)})
	}
	_, n := j.y.Dims()
	for i := range min(most, n) {
		outputs = append(outputs, lane{fmt.Sprintf("output %d", i+1), mat.Col(nil, i, j.y)})
	}
	if j.reference != nil {
		for i := range min(most, j.reference.Channels) {
			references = append(references, lane{"reference " + j.reference.Names[i], j.reference.Channel(i)})
		}
	}
	return mixtures, outputs, references
}

// figures are the pictures of the report.
func (j *job) figures() []report.Figure {
	var list []report.Figure
	name := func(s string) string { return j.prefix + s + ".png" }
	switch j.in.Kind {
	case signal.Picture:
		list = append(list, report.Figure{File: name("pictures"), Title: "Mixtures and what was separated", Caption: "Above the mixtures, below the outputs" + map[bool]string{true: ", then the references"}[j.reference != nil] +
			". Each is drawn from its darkest to its brightest point; without a reference an output may be its own negative.", Draw: j.drawPictures})
	case signal.Sound:
		list = append(list, report.Figure{File: name("waveforms"), Title: "Waveforms", Caption: "Lowest and highest value of every piece of time, each channel scaled by its own peak. Left the mixtures, right the outputs" +
			map[bool]string{true: ", then the references"}[j.reference != nil] + ".", Draw: j.drawWaves},
			report.Figure{File: name("spectrograms"), Title: "Spectrograms", Caption: "Power by time and frequency, in decibels below the loudest point of each channel: what a source has alone is in one output alone.", Draw: j.drawSpectrograms})
	default:
		list = append(list, report.Figure{File: name("series"), Title: "The first samples", Caption: "Left the mixtures, right the outputs" + map[bool]string{true: ", then the references"}[j.reference != nil] + ".", Draw: j.drawWaves})
	}
	list = append(list, report.Figure{File: name("scatter"), Title: "Before and after", Caption: "Two mixtures against each other, and two outputs, at the same samples drawn at random. Separated sources have edges along the axes (boxes) or arms along them (sparse).", Draw: j.drawScatter},
		report.Figure{File: name("covariance"), Title: "Correlations", Caption: "Of the mixtures, of the outputs" + map[bool]string{true: ", and of outputs with references: one dark cell in every row and column is a separation"}[j.reference != nil] + ".", Draw: j.drawCovariance})
	if len(j.result.Runs[0].Path) > 1 {
		what := "The surrogate of the outputs' running covariance, which PEM maximises"
		if j.score != nil {
			what = "SINR against the references"
		}
		list = append(list, report.Figure{File: name("learning"), Title: "Along the samples", Caption: what + ", for every run; the one that was kept is drawn thick. Its result is the mean of its weights over the last fifth, and so better than single points.", Draw: j.drawLearning})
	}
	return list
}

// drawPictures draws rows of pictures.
func (j *job) drawPictures() (io.WriterTo, error) {
	mixtures, outputs, references := j.lanes()
	columns := max(len(mixtures), len(outputs), len(references))
	var rows [][]*plot.Plot
	for _, row := range [][]lane{mixtures, outputs, references} {
		if len(row) == 0 {
			continue
		}
		plots := make([]*plot.Plot, columns)
		for k := range plots {
			if k < len(row) {
				plots[k] = j.picture(row[k])
			} else {
				plots[k] = plot.New()
				plots[k].HideAxes()
			}
		}
		rows = append(rows, plots)
	}
	wide := 2.6
	return report.Panels(wide, wide*float64(j.in.Height)/float64(j.in.Width)+.35, rows), nil
}

// picture is a plot of one picture.
func (j *job) picture(l lane) *plot.Plot {
	v := append([]float64(nil), l.v...)
	j.in.Fit(v)
	img := image.NewNRGBA(image.Rect(0, 0, j.in.Width, j.in.Height))
	level := func(k int) uint8 { return uint8(255*min(max(v[k], 0), 1) + .5) }
	for i := range j.in.Width * j.in.Height {
		k, step := i*j.in.Colours, j.in.Colours/3
		img.SetNRGBA(i%j.in.Width, i/j.in.Width, color.NRGBA{level(k), level(k + step), level(k + 2*step), 0xff})
	}
	p := report.NewPlot(l.title, "", "")
	p.HideAxes()
	p.Add(plotter.NewImage(img, 0, 0, float64(j.in.Width), float64(j.in.Height)))
	return p
}

// drawWaves draws channels over time.
func (j *job) drawWaves() (io.WriterTo, error) {
	mixtures, outputs, references := j.lanes()
	columns := [][]lane{mixtures, outputs}
	if len(references) > 0 {
		columns = append(columns, references)
	}
	high := 0
	for _, c := range columns {
		high = max(high, len(c))
	}
	rows := make([][]*plot.Plot, high)
	for r := range rows {
		for k, c := range columns {
			if r >= len(c) {
				p := plot.New()
				p.HideAxes()
				rows[r] = append(rows[r], p)
				continue
			}
			rows[r] = append(rows[r], j.wave(c[r], report.Colour(k)))
		}
	}
	return report.Panels(4.2, 1.7, rows), nil
}

// wave is a plot of one channel: all of a sound, or the first samples of anything else.
func (j *job) wave(l lane, paint color.NRGBA) *plot.Plot {
	const bins = 500
	x, unit, v := "time (s)", 1., l.v
	if j.in.Kind == signal.Sound {
		unit = 1 / float64(j.in.Rate)
	} else {
		x, v = "sample", v[:min(len(v), bins)]
	}
	p := report.NewPlot(l.title, x, map[bool]string{true: "of its peak", false: "value"}[j.in.Kind == signal.Sound])
	report.Grid(p)
	peak := 1.
	if j.in.Kind == signal.Sound {
		peak = 1e-300
		for _, s := range v {
			peak = max(peak, math.Abs(s))
		}
		p.Y.Min, p.Y.Max = -1, 1
	}
	var line plotter.XYs
	for b := range min(bins, len(v)) {
		from, to := b*len(v)/bins, (b+1)*len(v)/bins
		if len(v) <= bins {
			from, to = b, b+1
		}
		lo, hi := v[from], v[from]
		for _, s := range v[from:to] {
			lo, hi = min(lo, s), max(hi, s)
		}
		line = append(line, plotter.XY{X: float64(from) * unit, Y: lo / peak})
		if hi > lo {
			line = append(line, plotter.XY{X: float64(from) * unit, Y: hi / peak})
		}
	}
	p.Add(report.Line(line, paint, .7, nil))
	return p
}

// drawScatter draws two mixtures and two outputs against each other.
func (j *job) drawScatter() (io.WriterTo, error) {
	const points = 2500
	rng := rand.New(rand.NewPCG(1, 1))
	plots := [2]*plot.Plot{report.NewPlot("Mixtures", j.in.Names[0], j.in.Names[1]), report.NewPlot("Outputs", "output 1", "output 2")}
	data := [2]*mat.Dense{j.x, j.y}
	rows := make([]int, points)
	for i := range rows {
		rows[i] = rng.IntN(j.in.Samples)
	}
	for k, p := range plots {
		report.Grid(p)
		dots := make(plotter.XYs, points)
		for i, r := range rows {
			dots[i] = plotter.XY{X: data[k].At(r, 0), Y: data[k].At(r, 1)}
		}
		paint := report.Colour(k)
		paint.A = 0x60
		p.Add(report.Dots(dots, paint, 1.1))
	}
	return report.Picture(4.2, 4, plots[:]...), nil
}

// drawCovariance draws correlations.
func (j *job) drawCovariance() (io.WriterTo, error) {
	outputs := sourceNumbers(j.y)
	plots := []*plot.Plot{
		correlations("Mixtures", "mixture", "mixture", j.x, j.x, sourceNumbers(j.x), sourceNumbers(j.x)),
		correlations("Outputs", "output", "output", j.y, j.y, outputs, outputs)}
	if j.reference != nil {
		s := mat.NewDense(j.reference.Samples, j.reference.Channels, j.reference.Values)
		plots = append(plots, correlations("Outputs and references", "reference", "output", j.y, s, outputs, j.reference.Names))
	}
	bar := report.ColourBar{Name: "correlation", Colour: func(f float64) color.Color { return report.Shade(2*f - 1) }}
	for _, v := range []float64{-1, -.5, 0, .5, 1} {
		bar.Labels = append(bar.Labels, report.BarLabel{At: (v + 1) / 2, Text: strconv.FormatFloat(v, 'g', -1, 64)})
	}
	return report.WithBar(3.6, 3.4, bar, plots...), nil
}

func sourceNumbers(x *mat.Dense) []string {
	_, n := x.Dims()
	names := make([]string, n)
	for i := range names {
		names[i] = strconv.Itoa(i + 1)
	}
	return names
}

// correlations is a heat map of the correlations of columns of y (rows, from the bottom) with those of x.
func correlations(title, across, up string, y, x *mat.Dense, rows, columns []string) *plot.Plot {
	yc, xc := bss.Centered(y), bss.Centered(x)
	var c mat.Dense
	c.Mul(yc.T(), xc)
	norm := func(m *mat.Dense, k int) float64 { return mat.Norm(m.ColView(k), 2) }
	n, m := c.Dims()
	values := make([]float64, 0, n*m)
	for i := range n {
		for k := range m {
			values = append(values, c.At(i, k)/(norm(yc, i)*norm(xc, k)))
		}
	}
	return report.HeatMap{Title: title, X: across, Y: up, Rows: rows, Columns: columns, Values: values, Dark: func(v float64) float64 { return v }}.Plot()
}

// drawLearning draws the runs' paths.
func (j *job) drawLearning() (io.WriterTo, error) {
	y := "surrogate of the running covariance (nats)"
	if j.score != nil {
		y = "SINR (dB)"
	}
	p := report.NewPlot("", "samples seen", y)
	var keys []report.Key
	report.Grid(p)
	x, s := j.x, (*mat.Dense)(nil)
	if j.score != nil {
		const few = 4000
		step := max(1, j.in.Samples/few)
		rows := j.in.Samples / step
		x, s = mat.NewDense(rows, j.in.Channels, nil), mat.NewDense(rows, j.reference.Channels, nil)
		for i := range rows {
			x.SetRow(i, j.x.RawRowView(i*step))
			s.SetRow(i, j.reference.Values[i*step*j.reference.Channels:(i*step+1)*j.reference.Channels])
		}
		x, s = bss.Centered(x), bss.Centered(s)
	}
	for k, run := range j.result.Runs {
		var line plotter.XYs
		for _, at := range run.Path {
			v := at.Surrogate
			if s != nil {
				score, err := bss.Evaluate(bss.Apply(at.Unmixing, x), s)
				if err != nil {
					continue
				}
				v = score.SINR
			}
			if !math.IsNaN(v) && !math.IsInf(v, 0) {
				line = append(line, plotter.XY{X: float64(at.Samples), Y: v})
			}
		}
		if len(line) == 0 {
			continue
		}
		width, label := 1., fmt.Sprintf("run %d, rate times %g", k+1, run.Rate)
		if k == j.result.Best {
			width, label = 2.4, label+", kept"
		}
		if run.Failed() {
			label += ", failed"
		}
		l := report.Line(line, report.Colour(k), width, report.Dash(k))
		p.Add(l)
		keys = append(keys, report.Key{Name: label, Line: l.LineStyle})
	}
	p.X.Tick.Marker = report.CountTicks{}
	return report.WithKeys(7.6, 4, [][]*plot.Plot{{p}}, keys, 2), nil
}
