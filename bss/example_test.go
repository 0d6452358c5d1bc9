package bss_test

import (
	"context"
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

// Mixtures of anything: how many sources there are, and of what kind, is found from the numbers.
func ExampleSeparation() {
	rng := rand.New(rand.NewPCG(1, 1))
	sources, _ := bss.Sources(bss.Uniform{Lo: -1, Hi: 1}, 20000, 2, rng)
	mixtures, _ := bss.Mix(sources, bss.Mixing(bss.GaussianMixing, 4, 2, rng), 40, rng)

	r, err := bss.Separation{Samples: 20000}.Separate(context.Background(), mixtures, rng)
	if err != nil {
		fmt.Println(err)
		return
	}
	score, err := bss.Evaluate(r.Apply(mixtures), sources)
	fmt.Println(r.Domain, len(r.Runs), "runs,", r.Failed(), "failed, above 30 dB:", score.SINR > 30, err)
	// Output: antisparse 3 runs, 0 failed, above 30 dB: true <nil>
}

// A stream is separated as it comes, in memory that does not grow.
func ExampleStreaming() {
	rng := rand.New(rand.NewPCG(1, 1))
	stream, err := bss.Streaming{Separation: bss.Separation{Domain: bss.Sparse, Samples: 10000}, Warmup: 5000}.Start(3)
	if err != nil {
		fmt.Println(err)
		return
	}
	a := bss.Mixing(bss.GaussianMixing, 3, 3, rng)
	source, s, x := bss.Ball{Domain: bss.Sparse, Width: 4}, make([]float64, 3), mat.NewVecDense(3, nil)
	for range 10000 {
		source.Draw(s, rng)
		x.MulVec(a, mat.NewVecDense(3, s))
		if _, err := stream.Observe(x.RawVector().Data); err != nil {
			fmt.Println(err)
			return
		}
	}
	fmt.Println(stream.Samples(), "samples,", stream.Sources(), "sources,", len(stream.First().Runs), "runs on the first")
	// Output: 10000 samples, 3 sources, 3 runs on the first
}
