package bss_test

import (
	"fmt"
	"math/rand/v2"

	"gonum.org/v1/gonum/mat"

	"github.com/pcgraph/pcgraph/bss"
)

// Five correlated sources are separated from ten noisy mixtures, one sample at a time.
func ExamplePEM() {
	rng := rand.New(rand.NewPCG(1, 1))
	sources, err := bss.Sources(bss.Copula{Rho: .2, Signed: true}, 30000, 5, rng)
	if err != nil {
		fmt.Println(err)
		return
	}
	mixtures, _ := bss.Mix(sources, bss.Mixing(bss.GaussianMixing, 10, 5, rng), 30, rng)

	pem, err := bss.PaperPEM(bss.Antisparse, bss.Truncated)
	if err != nil {
		fmt.Println(err)
		return
	}
	net, err := pem.Start(5, 10, rng)
	if err != nil {
		fmt.Println(err)
		return
	}
	for i := range 30000 {
		if _, err := net.Observe(mixtures.RawRowView(i)); err != nil {
			fmt.Println(err)
			return
		}
	}
	score, err := bss.Evaluate(bss.Apply(net.Unmixing(), mixtures), sources)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("lost sources:", score.Lost())
	fmt.Println("above 18 dB:", score.MeanSNR > 18)
	// Output:
	// lost sources: 0
	// above 18 dB: true
}

// The objective replaces the log-determinant of the outputs' covariance by its second-order expansion; the error is bounded.
func ExampleExpand() {
	t, err := bss.Expand(mat.NewDense(2, 2, []float64{1, .3, .3, 2}))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("log det %.5f, surrogate %.5f, remainder %.1e, bound %.1e\n", t.LogDet, t.Surrogate, t.Remainder, t.Tight)
	// Output:
	// log det 0.64710, surrogate 0.64815, remainder -1.0e-03, bound 4.0e-03
}
