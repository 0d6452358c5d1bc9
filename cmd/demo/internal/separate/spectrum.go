package separate

import (
	"image"
	"image/color"
	"io"
	"math"
	"math/cmplx"

	"gonum.org/v1/gonum/dsp/fourier"
	"gonum.org/v1/gonum/dsp/window"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"

	"github.com/pcgraph/pcgraph/report"
)

// deepest is how many decibels below the loudest point a spectrogram is white.
const deepest = 70

// drawSpectrograms draws mixtures, outputs and references, a column each.
func (j *job) drawSpectrograms() (io.WriterTo, error) {
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
		for _, c := range columns {
			p := plot.New()
			p.HideAxes()
			if r < len(c) {
				p = spectrogram(c[r], j.in.Rate)
			}
			rows[r] = append(rows[r], p)
		}
	}
	bar := report.ColourBar{Name: "power (dB below the loudest)", Colour: func(f float64) color.Color { return report.Shade(1 - f) },
		Labels: []report.BarLabel{{At: 0, Text: "0"}, {At: 2. / 7, Text: "-20"}, {At: 4. / 7, Text: "-40"}, {At: 6. / 7, Text: "-60"}}}
	return report.WithBars(4.2, 1.9, bar, rows), nil
}

// spectrogram is a plot of power by time and frequency: Hann windows of about 30 ms, at most 400 of them.
func spectrogram(l lane, rate int) *plot.Plot {
	size := 128
	for size*2 <= rate/30 {
		size *= 2
	}
	p := report.NewPlot(l.title, "time (s)", "frequency (kHz)")
	if len(l.v) < 2*size {
		size = max(8, len(l.v)/2)
	}
	hops := min(400, max(1, (len(l.v)-size)/(size/2)))
	fft, piece, coefficients := fourier.NewFFT(size), make([]float64, size), make([]complex128, size/2+1)
	bins := size/2 + 1
	power, loudest := make([]float64, hops*bins), 1e-300
	for h := range hops {
		at := 0
		if hops > 1 {
			at = h * (len(l.v) - size) / (hops - 1)
		}
		copy(piece, l.v[at:])
		window.Hann(piece)
		fft.Coefficients(coefficients, piece)
		for k, c := range coefficients {
			a := cmplx.Abs(c)
			power[h*bins+k] = a * a
			loudest = max(loudest, a*a)
		}
	}
	img := image.NewNRGBA(image.Rect(0, 0, hops, bins))
	for h := range hops {
		for k := range bins {
			db := 10 * math.Log10(power[h*bins+k]/loudest+1e-30)
			img.Set(h, bins-1-k, report.Shade(max(0, 1+db/deepest)))
		}
	}
	p.Add(plotter.NewImage(img, 0, 0, float64(len(l.v))/float64(rate), float64(rate)/2000))
	return p
}
