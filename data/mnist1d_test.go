package data

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

// The reference are 100,000 samples by the authors' program: means and deviations of each class, eigenvalues of the covariance.
func TestMNIST1D_HasThePublishedMoments(t *testing.T) {
	var want struct {
		Means, Stds [10][]float64
		Eig         []float64
	}
	text, err := os.ReadFile("testdata/mnist1d.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	const n = 20000
	set, test := mustLoad(t, MNIST1D{Train: n, Test: 30, Seed: 1})
	if test.Len() != 30 || set.In() != 40 || set.Out() != 10 || set.Classes() != 10 {
		t.Errorf("%d test samples, %d inputs, %d outputs", test.Len(), set.In(), set.Out())
	}
	x := mat.NewDense(n, 40, set.values)
	column := make([]float64, 0, n/10)
	for class := range 10 {
		for j := range 40 {
			column = column[:0]
			for i := class; i < n; i += 10 {
				column = append(column, x.At(i, j))
			}
			mean, deviation := stat.PopMeanStdDev(column, nil)
			se := deviation / math.Sqrt(n/10)
			if math.Abs(mean-want.Means[class][j]) > 5*se+1e-3 || math.Abs(deviation-want.Stds[class][j]) > 5*se+1e-3 {
				t.Errorf("class %d, point %d: %.3f ± %.3f, published %.3f ± %.3f", class, j, mean, deviation, want.Means[class][j], want.Stds[class][j])
			}
		}
	}
	var covariance mat.SymDense
	stat.CovarianceMatrix(&covariance, x, nil)
	var eigen mat.EigenSym
	eigen.Factorize(&covariance, false)
	for k, v := range eigen.Values(nil) {
		if w := want.Eig[39-k]; math.Abs(v-w) > .05*w {
			t.Errorf("eigenvalue %d: %.4f, published %.4f", 39-k, v, w)
		}
	}
}
