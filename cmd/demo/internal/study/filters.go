package study

import (
	"image"
	"image/color"
	"io"
	"math"
	"math/rand/v2"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg/draw"

	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/report"
	"github.com/pcgraph/pcgraph/train"
)

// mostFilters bounds the filters drawn per rule.
const mostFilters = 48

// filters is the picture of what the first layer's units look for, if they look at a picture of one channel or of three.
func (j *job) filters() (report.Figure, bool) {
	shape := j.test.Shape()
	if len(j.learners) == 0 || shape.Channels != 1 && shape.Channels != 3 {
		return report.Figure{}, false
	}
	first := j.net.Weights()[0]
	dims := first.Param.Shape
	height, width := shape.Height, shape.Width
	switch {
	case len(dims) == 2 && dims[0] == j.test.In():
	case len(dims) == 4 && dims[2] == shape.Channels:
		height, width = dims[0], dims[1]
	default:
		return report.Figure{}, false
	}
	return report.Figure{File: "filters.png", Title: "What the first layer looks for",
		Caption: "The weights of the first units of " + first.Name + " after training, one tile each: those of PC above, those of BP below, which started as the same numbers. Black and white are weights of opposite sign, grey is none; every tile has its own scale.",
		Draw: func() (io.WriterTo, error) {
			p := report.NewPlot("", "", "")
			p.HideAxes()
			units := dims[len(dims)-1]
			shown := min(units, mostFilters)
			columns := min(max(shown, 10), mostFilters/2)
			y := 0.
			for _, learner := range j.learners {
				w := learner.rule.Subject().Weights.Field(first.Name)
				p.Add(report.Note(0, y+1.25, learner.name, report.RuleColour(learner.name), draw.XLeft))
				for k := range shown {
					x, row := float64(k%columns), float64(k/columns)
					p.Add(plotter.NewImage(filter(w, k, units, height, width, shape.Channels), x+.05, y-row+.05, x+.95, y-row+.95))
				}
				y -= math.Ceil(float64(shown)/float64(columns)) + .6
			}
			p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, float64(columns), y+1.5, 1.5
			return report.WithBar(10.4, 10.4/float64(columns)*(p.Y.Max-p.Y.Min)+.1, weightBar(shape.Channels), p), nil
		}}, true
}

// weightBar explains the greys of filters.
func weightBar(channels int) report.ColourBar {
	bar := report.ColourBar{Name: "Weight, by its tile's largest", Colour: func(f float64) color.Color { return color.Gray{Y: uint8(255 * f)} },
		Labels: []report.BarLabel{{At: 0, Text: "-largest"}, {At: .5, Text: "0"}, {At: 1, Text: "+largest"}}}
	if channels == 3 {
		bar.Name += " (red, green and blue each)"
	}
	return bar
}

// filter is unit k of the weights [height, width, channels, units] as a picture of its own scale.
func filter(w []float32, k, units, height, width, channels int) image.Image {
	most := 0.
	for i := k; i < len(w); i += units {
		most = math.Max(most, math.Abs(float64(w[i])))
	}
	zoom := max(1, 56/width)
	img := image.NewNRGBA(image.Rect(0, 0, width*zoom, height*zoom))
	level := func(y, x, c int) uint8 {
		v := float64(w[((y*width+x)*channels+c)*units+k])
		if most > 0 {
			v /= most
		}
		return uint8(math.Round(127.5 + 127.5*v))
	}
	for y := range height * zoom {
		for x := range width * zoom {
			r := level(y/zoom, x/zoom, 0)
			px := color.NRGBA{r, r, r, 0xff}
			if channels == 3 {
				px.G, px.B = level(y/zoom, x/zoom, 1), level(y/zoom, x/zoom, 2)
			}
			img.SetNRGBA(x, y, px)
		}
	}
	return img
}

// Length and temperature of what a network writes.
const (
	writeLength      = 240
	writeTemperature = .7
)

// write lets both learners go on from the beginning of the test text, where the task is text.
func (j *job) write(c *cli.Console) error {
	vocabulary := j.test.Vocabulary()
	if vocabulary == nil || !j.flags.Loss.CE || len(j.test.InShape()) != 2 {
		return nil
	}
	window, classes := j.test.InShape()[0], j.test.InShape()[1]
	x := make([]float32, window*classes)
	start := make([]int, window)
	data.Fill(j.test, x, nil, []int{0})
	for t := range start {
		start[t] = train.Largest(x[t*classes:][:classes])
	}
	for _, p := range j.learners {
		if c.Context.Err() != nil {
			return nil
		}
		ids, err := train.Continue(p.rule.Subject().Predict, start, window, classes, writeLength, writeTemperature, rand.New(rand.NewPCG(j.seed, writeStream)))
		if err != nil {
			return err
		}
		j.Page.Passages = append(j.Page.Passages, report.Passage{Title: "What " + p.name + " writes after \u201c" + vocabulary.Decode(start) + "\u201d",
			Note: "One character at a time, drawn from the network's probabilities at temperature 0.7.",
			Text: vocabulary.Decode(ids[window:])})
	}
	return nil
}
