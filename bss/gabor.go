package bss

import (
	"math"

	"github.com/pkg/errors"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/optimize"
)

// A Gabor is a Gabor function of pixels (x, y), the usual description of a simple cell's receptive field, as FitGabor fits it:
//
//	g = Amplitude exp(-u^2/(2 Along^2) - v^2/(2 Across^2)) cos(2 pi Frequency u + Phase) + Offset
//
// with u = (x-X) cos(Angle) + (y-Y) sin(Angle), along which the wave runs, and v = (y-Y) cos(Angle) - (x-X) sin(Angle).
type Gabor struct {
	X, Y              float64 // the centre, in pixels from the first pixel's
	Angle             float64 // radians in [0, pi)
	Along, Across     float64 // deviations of the envelope, pixels
	Frequency         float64 // cycles per pixel
	Phase             float64 // radians in (-pi, pi]
	Amplitude, Offset float64
	R2                float64 // the part of the field's variance that the function explains: 1 is all
}

// FitGabor fits a Gabor function to a field of width x height pixels, row by row, by least squares: the deviations are held in [.3, 1.5
// times the longer side], the frequency in [0, .5], the centre in the field. For given centre, angle, deviations and frequency the rest is
// linear and solved exactly; those six are searched by the simplex method of Nelder and Mead from the energy's centroid and the highest
// peaks of the spectrum. A field of one value, or of fewer than nine pixels, is an error.
func FitGabor(field []float64, width, height int) (Gabor, error) {
	if width*height != len(field) || len(field) < 9 {
		return Gabor{}, errors.Errorf("bss: Gabor: %d pixels for %d x %d: want as many, at least nine", len(field), width, height)
	}
	if !finite(field) {
		return Gabor{}, errors.New("bss: Gabor: the field has a NaN or an infinity")
	}
	f := gaborFit{field: field, width: width, longer: 1.5 * float64(max(width, height)), size: [2]float64{float64(width), float64(height)}}
	for _, v := range field {
		f.mean += v / float64(len(field))
	}
	for _, v := range field {
		f.total += (v - f.mean) * (v - f.mean)
	}
	if !(f.total > 0) {
		return Gabor{}, errors.New("bss: Gabor: all pixels are the same")
	}
	best := Gabor{R2: math.Inf(-1)}
	problem := optimize.Problem{Func: func(p []float64) float64 { return 1 - f.at(p).R2 }}
	for _, start := range f.starts() {
		settings := &optimize.Settings{FuncEvaluations: 900, Converger: &optimize.FunctionConverge{Absolute: 1e-9, Iterations: 60}}
		r, err := optimize.Minimize(problem, start, settings, &optimize.NelderMead{})
		if r == nil {
			return Gabor{}, errors.Wrap(err, "bss: Gabor")
		}
		if g := f.at(r.X); g.R2 > best.R2 {
			best = g
		}
	}
	return best, nil
}

// gaborFit is a fit at work.
type gaborFit struct {
	field       []float64
	width       int
	size        [2]float64
	longer      float64
	mean, total float64
}

// The smallest deviation of the envelope, in pixels, and the highest frequency, in cycles per pixel.
const (
	narrowest = .3
	nyquist   = .5
)

// within maps a number to (lo, hi), outside is its inverse.
func within(v, lo, hi float64) float64 { return lo + (hi-lo)/(1+math.Exp(-v)) }
func outside(v, lo, hi float64) float64 {
	u := min(max((v-lo)/(hi-lo), .01), .99)
	return math.Log(u / (1 - u))
}

// at is the best function for centre, angle, deviations and frequency, mapped from all numbers.
func (f *gaborFit) at(p []float64) Gabor {
	g := Gabor{X: within(p[0], -.5, f.size[0]-.5), Y: within(p[1], -.5, f.size[1]-.5), Angle: p[2],
		Along: within(p[3], narrowest, f.longer), Across: within(p[4], narrowest, f.longer), Frequency: within(p[5], 0, nyquist)}
	a, b := mat.NewSymDense(3, nil), mat.NewVecDense(3, nil) // normal equations of the even and the odd part and 1
	sin, cos := math.Sincos(g.Angle)
	var basis [3]float64
	basis[2] = 1
	for i, v := range f.field {
		x, y := float64(i%f.width)-g.X, float64(i/f.width)-g.Y
		u, w := x*cos+y*sin, y*cos-x*sin
		envelope := math.Exp(-u*u/(2*g.Along*g.Along) - w*w/(2*g.Across*g.Across))
		odd, even := math.Sincos(2 * math.Pi * g.Frequency * u)
		basis[0], basis[1] = envelope*even, envelope*odd
		for j, bj := range basis {
			b.SetVec(j, b.AtVec(j)+bj*(v-f.mean))
			for k := j; k < 3; k++ {
				a.SetSym(j, k, a.At(j, k)+bj*basis[k])
			}
		}
	}
	for j := range 3 { // at frequency 0 there is no odd part
		a.SetSym(j, j, a.At(j, j)+1e-9)
	}
	var chol mat.Cholesky
	var c mat.VecDense
	if !chol.Factorize(a) || chol.SolveVecTo(&c, b) != nil {
		g.R2 = math.Inf(-1)
		return g
	}
	g.R2 = mat.Dot(&c, b) / f.total
	g.Amplitude, g.Phase, g.Offset = math.Hypot(c.AtVec(0), c.AtVec(1)), math.Atan2(-c.AtVec(1), c.AtVec(0)), c.AtVec(2)+f.mean
	if g.Angle = math.Mod(g.Angle, 2*math.Pi); g.Angle < 0 {
		g.Angle += 2 * math.Pi
	}
	if g.Angle >= math.Pi { // the same wave the other way round
		g.Angle, g.Phase = g.Angle-math.Pi, -g.Phase
	}
	return g
}

// starts are where the search begins: the centroid of the squared field, the three highest peaks of the spectrum, two sizes.
func (f *gaborFit) starts() (list [][]float64) {
	x, y, spread, energy := 0., 0., 0., 0.
	for i, v := range f.field {
		e := (v - f.mean) * (v - f.mean)
		x, y, energy = x+e*float64(i%f.width), y+e*float64(i/f.width), energy+e
	}
	x, y = x/energy, y/energy
	for i, v := range f.field {
		dx, dy := float64(i%f.width)-x, float64(i/f.width)-y
		spread += (v - f.mean) * (v - f.mean) * (dx*dx + dy*dy) / energy
	}
	sigma := math.Sqrt(spread / 2)
	for _, peak := range f.peaks(3) {
		for _, scale := range []float64{.8, 1.4} {
			s := outside(scale*sigma, narrowest, f.longer)
			list = append(list, []float64{outside(x, -.5, f.size[0]-.5), outside(y, -.5, f.size[1]-.5), math.Atan2(peak[1], peak[0]), s, s,
				outside(math.Hypot(peak[0], peak[1]), 0, nyquist)})
		}
	}
	return list
}

// peaks are the frequencies, cycles per pixel along x and y, of the highest local maxima of the field's spectrum, on a grid of 1/32.
func (f *gaborFit) peaks(most int) (list [][2]float64) {
	const grid = 32
	power := func(ku, kv int) float64 {
		re, im := 0., 0.
		for i, v := range f.field {
			sin, cos := math.Sincos(2 * math.Pi * (float64(ku*(i%f.width)) + float64(kv*(i/f.width))) / grid)
			re, im = re+(v-f.mean)*cos, im+(v-f.mean)*sin
		}
		return re*re + im*im
	}
	var p [grid/2 + 1][grid]float64
	for u := range p {
		for v := range p[u] {
			p[u][v] = power(u, v-grid/2)
		}
	}
	for len(list) < most {
		bu, bv := 0, 0
		for u := range p {
			for v := range p[u] {
				if p[u][v] > p[bu][bv] {
					bu, bv = u, v
				}
			}
		}
		if !(p[bu][bv] > 0) {
			break
		}
		list = append(list, [2]float64{float64(bu) / grid, float64(bv-grid/2) / grid})
		for u := max(0, bu-3); u <= min(grid/2, bu+3); u++ { // what belongs to this peak
			for v := max(0, bv-3); v <= min(grid-1, bv+3); v++ {
				p[u][v] = 0
			}
		}
	}
	return list
}
