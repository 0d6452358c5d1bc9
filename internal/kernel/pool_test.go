package kernel

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// drawPool draws any pooling whose windows see a pixel each.
func drawPool(t *rapid.T) Pool {
	p := Pool{Channels: rapid.SampledFrom([]int{1, 3, 4, 5, 8, 17, 32}).Draw(t, "channels")}
	for a := range 2 {
		p.Size[a] = rapid.IntRange(1, 4).Draw(t, "size")
		p.Pad[a] = rapid.IntRange(0, p.Size[a]-1).Draw(t, "pad")
		p.Stride[a] = rapid.IntRange(1, 4).Draw(t, "stride")
		p.Image[a] = rapid.IntRange(max(1, p.Size[a]-2*p.Pad[a]), 9).Draw(t, "image")
	}
	return p
}

// The oracle is the definition: each window's pixels one by one, the first of equal ones counting as the largest.
func checkPool[T Float](t failer, p Pool, rng *rand.Rand) {
	const images = 2
	r, c := p.Result(), p.Channels
	x := draw[T](rng, images*p.Image[0]*p.Image[1]*c)
	for i := range x {
		x[i] = T(math.Round(float64(x[i]))) // ties
	}
	g, v := draw[T](rng, images*r[0]*r[1]*c), draw[T](rng, len(x))
	largest, pick, mean := make([]float64, len(g)), make([]float64, len(g)), make([]float64, len(g))
	dMax, dMean := make([]float64, len(x)), make([]float64, len(x))
	for k := range g {
		channel, col, row, image := k%c, k/c%r[1], k/c/r[1]%r[0], k/c/r[1]/r[0]
		largest[k] = math.Inf(-1)
		at := -1
		for i := range p.Size[0] {
			for j := range p.Size[1] {
				h, w := row*p.Stride[0]-p.Pad[0]+i, col*p.Stride[1]-p.Pad[1]+j
				if h < 0 || w < 0 || h >= p.Image[0] || w >= p.Image[1] {
					continue
				}
				q := ((image*p.Image[0]+h)*p.Image[1]+w)*c + channel
				mean[k] += float64(x[q]) / float64(p.Size[0]*p.Size[1])
				dMean[q] += float64(g[k]) / float64(p.Size[0]*p.Size[1])
				if float64(x[q]) > largest[k] {
					largest[k], at = float64(x[q]), q
				}
			}
		}
		pick[k] = float64(v[at])
		dMax[at] += float64(g[k])
	}
	y, dx := dirty[T](len(g)), dirty[T](len(x))
	MaxPool(p, y, x, dirty[T](p.Room()))
	closeTo(t, "largest", y, largest)
	MaxPoolPick(p, y, x, v, dirty[T](p.Room()))
	closeTo(t, "picked", y, pick)
	MeanPool(p, y, x, dirty[T](p.Room()))
	closeTo(t, "mean", y, mean)
	MaxPoolGrad(p, dx, x, g, dirty[T](p.Room()))
	closeTo(t, "gradient of the largest", dx, dMax)
	MeanPoolGrad(p, dx, g, dirty[T](p.Room()))
	closeTo(t, "gradient of the mean", dx, dMean)
}

func TestPool_IsItsDefinition(t *testing.T) {
	underEach(t, func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			p := drawPool(t)
			rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 2))
			checkPool[float32](t, p, rng)
			checkPool[float64](t, p, rng)
		})
	})
}

// In a window the first NaN counts as the largest, wherever it is; infinite pixels are pixels like others.
func TestPool_KeepsNaNAndInfinity(t *testing.T) {
	underEach(t, func(t *testing.T) {
		for _, channels := range []int{1, 5, 16} {
			p := Pool{Image: [2]int{2, 2}, Channels: channels, Size: [2]int{2, 2}, Stride: [2]int{2, 2}}
			inf := math.Inf(1)
			for _, c := range []struct {
				pixels [4]float64
				winner int
			}{
				{[4]float64{nan[float64](), 2, 3, 4}, 0}, {[4]float64{1, nan[float64](), 3, 4}, 1}, {[4]float64{1, 2, 3, nan[float64]()}, 3},
				{[4]float64{inf, nan[float64](), nan[float64](), 4}, 1}, {[4]float64{1, inf, inf, 4}, 1}, {[4]float64{-inf, -inf, -inf, -inf}, 0},
			} {
				x, g, v := make([]float64, 4*channels), make([]float64, channels), make([]float64, 4*channels)
				for i := range x {
					x[i], v[i] = c.pixels[i/channels], float64(i)
				}
				for k := range g {
					g[k] = float64(k + 5)
				}
				y, d, pick, room := make([]float64, channels), make([]float64, 4*channels), make([]float64, channels), make([]float64, p.Room())
				MaxPool(p, y, x, room)
				MaxPoolGrad(p, d, x, g, room)
				MaxPoolPick(p, pick, x, v, room)
				for k := range channels {
					at := c.winner*channels + k
					if !equal(y[k], x[at]) || pick[k] != v[at] {
						t.Fatalf("%v, channel %d: largest %v, picked %v", c.pixels, k, y[k], pick[k])
					}
					for i := k; i < len(d); i += channels {
						if want := map[bool]float64{true: g[k]}[i == at]; d[i] != want {
							t.Fatalf("%v, channel %d: gradient %v at pixel %d, want %v", c.pixels, k, d[i], i/channels, want)
						}
					}
				}
			}
		}
	})
}

func TestPool_AllocatesNothing(t *testing.T) {
	for _, channels := range []int{3, 8} {
		p := Pool{Image: [2]int{4, 4}, Channels: channels, Size: [2]int{2, 2}, Stride: [2]int{2, 2}}
		x, y, room := random[float32](16*channels), random[float32](4*channels), make([]float32, p.Room())
		if n := testing.AllocsPerRun(5, func() {
			MaxPool(p, y, x, room)
			MaxPoolGrad(p, x, x, y, room)
			MaxPoolPick(p, y, x, x, room)
			MeanPool(p, y, x, room)
			MeanPoolGrad(p, x, y, room)
		}); n != 0 {
			t.Errorf("%d channels: %v allocations", channels, n)
		}
	}
}
