package main

import (
	"image"
	"image/color"
	"math"
	"strconv"

	"gonum.org/v1/plot/plotter"
)

// Bands of a picture of bands: each is half as high as the one above it, from 2^bandTop down to 2^(bandTop-bandCount).
const (
	bandCount = 10
	bandTop   = 4
)

// bandColour is the grey of a band, 0 is the lowest.
func bandColour(band float64) color.Gray { return color.Gray{Y: uint8(110 + 138*band/bandCount)} }

// bandOf is the band of a value.
func bandOf(v float64) float64 {
	return math.Max(0, math.Min(bandCount, math.Floor(math.Log2(v)+bandCount-bandTop)))
}

// bands is a positive function of two numbers between -reach and reach as bands, each half as high as the one before, dark
// where it is low.
func bands(value func(x, y float64) float64, reach float64) *plotter.Image {
	const n = 480
	img := image.NewGray(image.Rect(0, 0, n, n))
	for r := range n { // from the top, as pictures are stored
		for c := range n {
			img.SetGray(c, r, bandColour(bandOf(value(reach*(2*(float64(c)+.5)/n-1), reach*(1-2*(float64(r)+.5)/n)))))
		}
	}
	return plotter.NewImage(img, -reach, -reach, reach, reach)
}

// bandBar explains the greys of bands of a quantity.
func bandBar(quantity string) colourBar {
	bar := colourBar{name: quantity, colour: func(f float64) color.Color {
		return bandColour(math.Floor(f * (bandCount + 1)))
	}}
	for _, band := range []int{1, 3, 5, 7, 9} { // the lower border of a band
		bar.labels = append(bar.labels, barLabel{float64(band) / (bandCount + 1), strconv.FormatFloat(math.Pow(2, float64(band-bandCount+bandTop)), 'g', 4, 64)})
	}
	return bar
}
