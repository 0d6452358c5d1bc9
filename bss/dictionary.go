package bss

import "math"

// SettledSparse is the l1 ball for dictionaries of many features, as the paper learns them: within an inner iteration its threshold is
// not moved once but until it fits. With a the output after the gradient step, y = a where |a|_1 < 1, else for i = 1, ..., 10
//
//	y = soft(a; theta),   theta <- max(theta + beta/sqrt(i) (|y|_1 - 1), 0)
//
// ending when theta changes by less than a 1e-5th. The threshold stays from one inner iteration to the next.
var SettledSparse Projector = settledSparse{}

type settledSparse struct{ sparse }

func (settledSparse) String() string { return "settled sparse" }

// Activate is described at Domain.
func (settledSparse) Activate(y, theta []float64, beta float64) {
	const rounds, enough = 10, 1e-5
	over := func(threshold float64) float64 {
		sum := -1.
		for _, v := range y {
			sum += max(math.Abs(v)-threshold, 0)
		}
		return sum
	}
	if over(0) < 0 {
		return
	}
	used := 0.
	for i := 1; i <= rounds; i++ {
		used = theta[0]
		next := used + beta/math.Sqrt(float64(i))*over(used)
		if next < 0 {
			theta[0], used = 0, 0
			break
		}
		theta[0] = next
		if math.Abs(next-used) < enough*next {
			break
		}
	}
	for i, v := range y {
		y[i] = soft(v, used)
	}
}
