package pem

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"

	"github.com/pcgraph/pcgraph/experiments/claim/claimtest"
	"github.com/pcgraph/pcgraph/experiments/record"
)

func TestClaims(t *testing.T) { claimtest.Run(t, Claims()) }

// TestClaims_Recorded: what was measured in full bears every verdict, and would not if the results were those of other cells.
func TestClaims_Recorded(t *testing.T) { claimtest.Recorded(t, Claims(), record.Table) }

// TestWhitenedPicture_FlattensTheSpectrum: oracle: of two waves each alone in its ring of frequencies is scaled to exp(-(f/.4)^4) times the root of the
// number of frequencies in the ring, whatever its amplitude, and the mean goes.
func TestWhitenedPicture_FlattensTheSpectrum(t *testing.T) {
	const n = 32
	picture := make([]float64, n*n)
	wave := func(i, across, down int) float64 {
		return math.Cos(2 * math.Pi * float64(across*(i%n)+down*(i/n)) / n)
	}
	for i := range picture {
		picture[i] = 3 + 2*wave(i, 2, 0) + .5*wave(i, 3, -4)
	}
	gain := func(cycles float64) float64 {
		ring := 0.
		for i := range n * n {
			if across, down := float64(i%n-n/2), float64(i/n-n/2); math.Round(math.Hypot(across, down)) == cycles {
				ring++
			}
		}
		return math.Exp(-math.Pow(cycles/n/.4, 4)) * math.Sqrt(ring)
	}
	a, b := gain(2), gain(5)
	size := math.Sqrt((a*a + b*b) / 2)
	for i, v := range whitenedPicture(picture) {
		if want := (a*wave(i, 2, 0) + b*wave(i, 3, -4)) / size; math.Abs(v-want) > 1e-12 {
			t.Fatalf("pixel %d is %v, want %v", i, v, want)
		}
	}
}

// TestCodings_ReachKnownErrors: oracles: the error of PCA is that of the singular values left out, no other linear code has less, and NMF comes to that of
// a matrix that is a product of nonnegative ones. A class that a code names is found.
func TestCodings_ReachKnownErrors(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	draw := func(rows, columns int) *mat.Dense {
		m := mat.NewDense(rows, columns, nil)
		m.Apply(func(_, _ int, _ float64) float64 { return rng.ExpFloat64() }, m)
		return m
	}
	var x mat.Dense
	x.Mul(draw(60, 3), draw(3, 20))
	var svd mat.SVD
	if !svd.Factorize(&x, mat.SVDNone) {
		t.Fatal("no singular values")
	}
	left := svd.Values(nil)[2]
	for _, c := range []struct {
		method   string
		features int
		want     float64
	}{{pcaName, 2, left / mat.Norm(&x, 2)}, {pcaName, 3, 0}, {nmfName, 3, 0}} {
		k := coding{Method: c.method, Features: c.features, Rounds: 2000, Seed: 1}
		learn := k.pca
		if c.method == nmfName {
			learn = k.nmf
		}
		_, encode, err := learn(t.Context(), &x)
		if err != nil {
			t.Fatal(err)
		}
		y, err := encode(&x)
		if err != nil {
			t.Fatal(err)
		}
		a, err := leastSquares(y, &x)
		if err != nil {
			t.Fatal(err)
		}
		if got := unexplained(&x, y, a); math.Abs(got-c.want) > 3e-3 {
			t.Errorf("%s with %d features leaves %.5f, want %.5f", c.method, c.features, got, c.want)
		}
	}
	y, classes := draw(200, 4), make([]int, 200)
	for i := range classes {
		classes[i] = i % 3
		y.Set(i, i%3, 9)
	}
	if got, err := classify(y, classes, y, classes); err != nil || got < .99 {
		t.Errorf("accuracy %v, error %v", got, err)
	}
}
