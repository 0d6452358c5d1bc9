package main

import (
	"image"
	"image/color"
	"math"

	"gonum.org/v1/plot/plotter"
)

// bandCount is how many bands of a picture of bands are told apart.
const bandCount = 10

// bands is a positive function of two numbers between -reach and reach as bands, each half as high as the one before, dark
// where it is low.
func bands(value func(x, y float64) float64, reach float64) *plotter.Image {
	const n = 480
	img := image.NewGray(image.Rect(0, 0, n, n))
	for r := range n { // from the top, as pictures are stored
		for c := range n {
			v := value(reach*(2*(float64(c)+.5)/n-1), reach*(1-2*(float64(r)+.5)/n))
			band := math.Max(0, math.Min(bandCount, math.Floor(math.Log2(v)+6))) // from 2^-6 to 2^4
			img.SetGray(c, r, color.Gray{Y: uint8(110 + 138*band/bandCount)})
		}
	}
	return plotter.NewImage(img, -reach, -reach, reach, reach)
}
