package bss

import (
	"math/rand/v2"
	"testing"
)

func problem(t testing.TB, d Domain, snr float64, samples int, seed uint64) (x, s interface {
	Dims() (int, int)
}) {
	return nil, nil
}

func BenchmarkPEMAntisparse(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	src, _ := SourcesOf(Antisparse)
	s, err := Sources(src, 100000, 5, rng)
	if err != nil {
		b.Fatal(err)
	}
	x, _ := Mix(s, Mixing(GaussianMixing, 10, 5, rng), 30, rng)
	p, _ := PaperPEM(Antisparse, Truncated)
	b.ReportAllocs()
	for b.Loop() {
		net, err := p.Start(5, 10, rng)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := Observe(net, x, nil); err != nil {
			b.Fatal(err)
		}
		sc, err := Evaluate(Apply(net.Unmixing(), x), s)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(sc.MeanSNR, "dB")
	}
}
