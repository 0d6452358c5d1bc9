package kernel

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// drawPool draws any pooling whose windows see a pixel each.
func drawPool(t *rapid.T) Pool {
	p := Pool{Channels: rapid.IntRange(1, 5).Draw(t, "channels")}
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
	MaxPool(p, y, x)
	closeTo(t, "largest", y, largest)
	MaxPoolPick(p, y, x, v)
	closeTo(t, "picked", y, pick)
	MeanPool(p, y, x)
	closeTo(t, "mean", y, mean)
	MaxPoolGrad(p, dx, x, g)
	closeTo(t, "gradient of the largest", dx, dMax)
	MeanPoolGrad(p, dx, g)
	closeTo(t, "gradient of the mean", dx, dMean)
}

func TestPool_IsItsDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPool(t)
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 2))
		checkPool[float32](t, p, rng)
		checkPool[float64](t, p, rng)
	})
}

func TestPool_KeepsNaN(t *testing.T) {
	p := Pool{Image: [2]int{2, 2}, Channels: 1, Size: [2]int{2, 2}, Stride: [2]int{2, 2}}
	for at := range 4 {
		x := []float64{1, 2, 3, 4}
		x[at] = nan[float64]()
		y, d := make([]float64, 1), make([]float64, 4)
		MaxPool(p, y, x)
		MaxPoolGrad(p, d, x, []float64{5})
		if y[0] == y[0] || d[at] != 5 {
			t.Errorf("NaN at %d: largest %v, gradient %v", at, y, d)
		}
	}
}

func TestPool_AllocatesNothing(t *testing.T) {
	p := Pool{Image: [2]int{4, 4}, Channels: 3, Size: [2]int{2, 2}, Stride: [2]int{2, 2}}
	x, y := random[float32](48), random[float32](12)
	if n := testing.AllocsPerRun(5, func() {
		MaxPool(p, y, x)
		MaxPoolGrad(p, x, x, y)
		MaxPoolPick(p, y, x, x)
		MeanPool(p, y, x)
		MeanPoolGrad(p, x, y)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
