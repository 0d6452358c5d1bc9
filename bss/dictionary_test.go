package bss

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// TestSettledSparse_ComesToTheProjection: oracle: the exact projection on the l1 ball, which is a soft threshold too. Applied to the same
// values until its threshold rests, the domain gives it; inside the ball it changes nothing.
func TestSettledSparse_ComesToTheProjection(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 1))
	for range 50 {
		a, theta, scratch := make([]float64, 20), []float64{0}, make([]float64, 20)
		for i := range a {
			a[i] = rng.NormFloat64()
		}
		y := make([]float64, 20)
		for range 60 {
			copy(y, a)
			SettledSparse.Activate(y, theta, .04)
		}
		ProjectL1(a, scratch)
		for i := range y {
			if math.Abs(y[i]-a[i]) > 1e-3 {
				t.Fatalf("output %d is %v, of the projection %v", i, y[i], a[i])
			}
		}
	}
	y, theta := []float64{.2, -.3}, []float64{0}
	if SettledSparse.Activate(y, theta, .5); y[0] != .2 || y[1] != -.3 || theta[0] != 0 {
		t.Errorf("inside the ball: %v, threshold %v", y, theta)
	}
}

// Nonnegative features: samples are sums of two parts, and the rows of W find them.
func ExamplePEM_nonnegativeFeatures() {
	rng := rand.New(rand.NewPCG(1, 1))
	pem := PEM{Domain: NonnegAntisparse, Memory: .99, Prediction: 100, Eps: 1e-3, Rate: Schedule{Law: Harmonic, Rate: .05, Time: 5000}, NonnegWeights: true,
		Inference: Inference{Step: Schedule{Law: Harmonic, Rate: .1, Floor: 1e-3}, Iterations: 150, Tol: 1e-7}, Init: Init{Diagonal: .2, Noise: .1, CovarianceDiagonal: .2}}
	net, err := pem.Start(2, 4, rng)
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 20000 {
		a, b := rng.Float64(), rng.Float64()
		if _, err := net.Observe([]float64{a, a, b, b}); err != nil {
			fmt.Println(err)
			return
		}
	}
	parts := net.Unmixing() // a row of W is large on its own part
	for i := range 2 {
		left, right := parts.At(i, 0)+parts.At(i, 1), parts.At(i, 2)+parts.At(i, 3)
		fmt.Println("mostly one part:", math.Min(left, right) < math.Max(left, right)/2, "none below zero:", mat.Min(parts) >= 0)
	}
	// Output:
	// mostly one part: true none below zero: true
	// mostly one part: true none below zero: true
}

// TestInfer_LearnsNothing: codes do not move the network, and are what Observe settles at.
func TestInfer_LearnsNothing(t *testing.T) {
	x, _, rng := problem(t, Uniform{-1, 1}, 20, 30, 1)
	p, err := PaperPEM(Antisparse, Truncated)
	if err != nil {
		t.Fatal(err)
	}
	net, err := p.Start(5, 10, rng)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Observe(net, x, nil); err != nil {
		t.Fatal(err)
	}
	before := net.Unmixing()
	y, err := net.Infer(x.RawRowView(3))
	if err != nil {
		t.Fatal(err)
	}
	code := append([]float64(nil), y...)
	if !mat.Equal(before, net.Unmixing()) || net.Samples() != 20 {
		t.Error("the network learned")
	}
	if y, err = net.Observe(x.RawRowView(3)); err != nil {
		t.Fatal(err)
	}
	for i := range y {
		if y[i] != code[i] {
			t.Errorf("output %d: the code is %v, Observe settles at %v", i, code[i], y[i])
		}
	}
}
