package signal

import (
	"bufio"
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"

	"github.com/pkg/errors"
)

// maxPixels is the most that a picture has.
const maxPixels = 1 << 26

// readPicture reads a PNG or JPEG file.
func (s *Signal) readPicture(r io.Reader, _ int64) error {
	s.Kind, s.Channels = Picture, 1
	text := bufio.NewReader(r)
	var head bytes.Buffer
	config, kind, err := image.DecodeConfig(io.TeeReader(text, &head))
	if err != nil {
		return errors.Errorf("the header of a picture is damaged (%v): copy it again", err)
	}
	if config.Width < 1 || config.Height < 1 || config.Width > maxPixels/config.Height {
		return errors.Errorf("%dx%d pixels, expected at most %d in all: give a smaller picture", config.Width, config.Height, maxPixels)
	}
	img, _, err := image.Decode(io.MultiReader(&head, text))
	if err != nil {
		return errors.Errorf("the picture is damaged or cut off (%v): copy it again", err)
	}
	s.JPEG, s.Width, s.Height, s.Depth, s.Colours = kind == "jpeg", config.Width, config.Height, 8, 1
	switch img.(type) {
	case *image.Gray16, *image.RGBA64, *image.NRGBA64:
		s.Depth = 16
	}
	clear, b := false, img.Bounds()
	values := make([]float64, 0, 3*s.Width*s.Height)
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			c := color.NRGBA64Model.Convert(img.At(x, y)).(color.NRGBA64)
			clear = clear || c.A != 0xffff
			if c.R != c.G || c.G != c.B {
				s.Colours = 3
			}
			values = append(values, float64(c.R)/0xffff, float64(c.G)/0xffff, float64(c.B)/0xffff)
		}
	}
	if s.Colours == 1 {
		for i := range s.Width * s.Height {
			values[i] = values[3*i]
		}
		values = values[:s.Width*s.Height]
	}
	if clear {
		s.guess("transparency", "parts of the picture are transparent: their colours were taken as if they were not", true)
	}
	s.Values, s.Samples = values, len(values)
	return nil
}

// writePicture writes one channel as a picture of s's size, colours and depth.
func (s *Signal) writePicture(w io.Writer, values []float64) error {
	r := image.Rect(0, 0, s.Width, s.Height)
	level := func(i int) uint16 { return uint16(min(max(values[i], 0), 1)*0xffff + .5) }
	eight := func(i int) uint8 { return uint8(min(max(values[i], 0), 1)*0xff + .5) }
	var img image.Image
	if s.Colours == 1 {
		img = image.NewGray(r)
		if s.Depth == 16 {
			img = image.NewGray16(r)
		}
	} else {
		img = image.NewNRGBA(r)
		if s.Depth == 16 {
			img = image.NewNRGBA64(r)
		}
	}
	for i := range s.Width * s.Height {
		x, y, k := i%s.Width, i/s.Width, i*s.Colours
		switch p := img.(type) {
		case *image.Gray:
			p.SetGray(x, y, color.Gray{Y: eight(k)})
		case *image.Gray16:
			p.SetGray16(x, y, color.Gray16{Y: level(k)})
		case *image.NRGBA:
			p.SetNRGBA(x, y, color.NRGBA{R: eight(k), G: eight(k + 1), B: eight(k + 2), A: 0xff})
		case *image.NRGBA64:
			p.SetNRGBA64(x, y, color.NRGBA64{R: level(k), G: level(k + 1), B: level(k + 2), A: 0xffff})
		}
	}
	if s.JPEG {
		return jpeg.Encode(w, img, &jpeg.Options{Quality: 95})
	}
	return png.Encode(w, img)
}
