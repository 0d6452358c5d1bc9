package kernel

import "time"

// Peak measures for about d the rate in GFLOP/s, a multiply-add being two, of
// multiply-adds in registers alone on one core with the kernels in use: the
// ceiling of every product. With Set "go" it is GemmPeak.
//
// Quote a measured product as a fraction of it, taken in the same minute.
func Peak[T Float](d time.Duration) float64 {
	if active == setGo {
		return GemmPeak[T](d)
	}
	const turns = 20_000
	return fastest(d, func() float64 {
		return 2 * turns * peakSums * float64(runPeak[T](active, turns))
	})
}

// GemmPeak measures for about d the rate in GFLOP/s that GemmPacked reaches on
// one core at m = n = k = 512, its best run.
func GemmPeak[T Float](d time.Duration) float64 {
	const n = 512
	a, c, p := aligned[T](n*n), aligned[T](n*n), NewPacked[T](n, n)
	for i := range a {
		a[i] = T(i%17) - 8
	}
	p.Pack(a, n, false)
	return fastest(d, func() float64 {
		GemmPacked(n, 1, a, n, p, nil, 0, c, n)
		return 2 * n * n * n
	})
}

const peakSums = 12 // of the generated loop

// fastest repeats f for about d and returns the best rate, operations per ns.
func fastest(d time.Duration, f func() float64) (best float64) {
	for start := time.Now(); time.Since(start) < d; {
		t := time.Now()
		work := f()
		best = max(best, work/float64(time.Since(t)))
	}
	return best
}
