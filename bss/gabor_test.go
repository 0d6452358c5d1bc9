package bss

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// pixels is a Gabor function on n x n pixels.
func (g Gabor) pixels(n int) []float64 {
	field := make([]float64, n*n)
	sin, cos := math.Sincos(g.Angle)
	for i := range field {
		x, y := float64(i%n)-g.X, float64(i/n)-g.Y
		u, v := x*cos+y*sin, y*cos-x*sin
		field[i] = g.Amplitude*math.Exp(-u*u/(2*g.Along*g.Along)-v*v/(2*g.Across*g.Across))*math.Cos(2*math.Pi*g.Frequency*u+g.Phase) + g.Offset
	}
	return field
}

// TestFitGabor_FindsWhatMadeTheField: oracle: the parameters that it was drawn with; with noise of a tenth of the variance R^2 is about .9.
func TestFitGabor_FindsWhatMadeTheField(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 1))
	for k := range 12 {
		want := Gabor{X: 4 + 4*rng.Float64(), Y: 4 + 4*rng.Float64(), Angle: math.Pi * rng.Float64(), Along: 1.5 + rng.Float64(), Across: 1.5 + 1.5*rng.Float64(),
			Frequency: .12 + .2*rng.Float64(), Phase: 6 * (rng.Float64() - .5), Amplitude: 1, Offset: .1}
		field := want.pixels(12)
		got, err := FitGabor(field, 12, 12)
		if err != nil {
			t.Fatal(err)
		}
		turned := math.Abs(got.Angle - want.Angle)
		turned = min(turned, math.Pi-turned)
		if got.R2 < .9999 || turned > .02 || math.Abs(got.Frequency-want.Frequency) > .01 || math.Hypot(got.X-want.X, got.Y-want.Y) > .1 {
			t.Errorf("field %d: %+v, want %+v", k, got, want)
		}
		fitted := got.pixels(12)
		off, mean, total := 0., 0., 0.
		for _, v := range field {
			mean += v / 144
		}
		for i, v := range field {
			off, total = off+(v-fitted[i])*(v-fitted[i]), total+(v-mean)*(v-mean)
		}
		if math.Abs(1-off/total-got.R2) > 1e-6 {
			t.Errorf("field %d: R^2 is %v, the function leaves %v", k, got.R2, off/total)
		}
	}
}

// TestFitGabor_ExplainsLittleOfNoise: an independent fit of 12 x 12 random filters explains .12 of their variance in the mean.
func TestFitGabor_ExplainsLittleOfNoise(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 1))
	mean := 0.
	for range 10 {
		field := make([]float64, 144)
		for i := range field {
			field[i] = rng.NormFloat64()
		}
		g, err := FitGabor(field, 12, 12)
		if err != nil {
			t.Fatal(err)
		}
		mean += g.R2 / 10
	}
	if mean < .06 || mean > .22 {
		t.Errorf("R^2 of noise is %.3f in the mean, want about .12", mean)
	}
}

// The receptive field of a model neuron is described by a Gabor function.
func ExampleFitGabor() {
	field := Gabor{X: 5, Y: 6, Angle: 1, Along: 2, Across: 2.5, Frequency: .2, Amplitude: 1}.pixels(12)
	g, err := FitGabor(field, 12, 12)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("angle %.2f, frequency %.2f cycles per pixel, R^2 %.3f\n", g.Angle, g.Frequency, g.R2)
	_, err = FitGabor(make([]float64, 144), 12, 12)
	fmt.Println(err)
	// Output:
	// angle 1.00, frequency 0.20 cycles per pixel, R^2 1.000
	// bss: Gabor: all pixels are the same
}
