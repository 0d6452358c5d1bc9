package kernel

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

func random[T Float](n int) []T {
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	x := aligned[T](n)
	for i := range x {
		x[i] = T(rng.NormFloat64())
	}
	return x
}

// underEach runs f with every set of the machine in turn.
func underEach[B interface{ Run(string, func(B)) bool }](b B, f func(B)) {
	defer func(s kernelSet) { active = s }(active)
	for s := best(); s >= setGo; s-- {
		b.Run(setNames[s], func(b B) {
			active = s
			f(b)
		})
	}
}

func BenchmarkGemm(b *testing.B) {
	underEach(b, func(b *testing.B) {
		b.Run("f32", benchGemm[float32])
		b.Run("f64", benchGemm[float64])
	})
}

func benchGemm[T Float](b *testing.B) {
	for _, c := range []struct {
		form    string
		m, n, k int
	}{
		{"packed", 32, 128, 128}, {"packed", 32, 512, 512}, {"packed", 32, 784, 300}, {"packed", 32, 300, 784},
		{"packed", 32, 300, 300}, {"packed", 32, 10, 300}, {"packed", 64, 128, 128}, {"packed", 512, 512, 512},
		{"NN", 32, 128, 128}, {"NN", 32, 512, 512}, {"NN", 32, 300, 784}, {"NN", 64, 128, 128}, {"NN", 512, 512, 512},
		{"NT", 32, 128, 128}, {"NT", 32, 512, 512}, {"NT", 32, 784, 300}, {"NT", 64, 128, 128}, {"NT", 512, 512, 512},
		{"TN", 784, 300, 64}, {"TN", 512, 512, 64}, {"TN", 128, 128, 64}, {"TN", 300, 10, 64}, {"TN", 784, 128, 256}, {"TN", 512, 512, 512},
		{"TT", 512, 512, 64},
	} {
		b.Run(fmt.Sprintf("%s/%dx%dx%d", c.form, c.m, c.n, c.k), func(b *testing.B) {
			x, y, z := random[T](c.m*c.k), random[T](c.k*c.n), random[T](c.m*c.n)
			packed := NewPacked[T](c.k, c.n)
			packed.Pack(y, c.n, false)
			lda, ldb := c.k, c.n
			if c.form[0] == 'T' {
				lda = c.m
			}
			if c.form[1] == 'T' {
				ldb = c.k
			}
			best := time.Hour
			for b.Loop() {
				start := time.Now()
				if c.form == "packed" {
					GemmPacked(c.m, 1, x, lda, packed, nil, 0, z, c.n)
				} else {
					Gemm(c.form[0] == 'T', c.form[1] == 'T', c.m, c.n, c.k, 1, x, lda, y, ldb, 0, z, c.n)
				}
				best = min(best, time.Since(start))
			}
			work := 2 * float64(c.m) * float64(c.n) * float64(c.k)
			b.ReportMetric(work*float64(b.N)/float64(b.Elapsed()), "GFLOP/s")
			b.ReportMetric(work/float64(best), "best-GFLOP/s")
		})
	}
}

func BenchmarkPack(b *testing.B) {
	underEach(b, func(b *testing.B) {
		for _, trans := range []bool{false, true} {
			b.Run(fmt.Sprintf("f32/trans=%v", trans), func(b *testing.B) {
				x, p := random[float32](512*512), NewPacked[float32](512, 512)
				b.SetBytes(512 * 512 * 4)
				for b.Loop() {
					p.Pack(x, 512, trans)
				}
			})
		}
	})
}

func BenchmarkPeak(b *testing.B) {
	underEach(b, func(b *testing.B) {
		b.Run("f32", benchPeak[float32])
		b.Run("f64", benchPeak[float64])
	})
}

func benchPeak[T Float](b *testing.B) {
	var fma, gemm float64
	for b.Loop() {
		fma = max(fma, Peak[T](50*time.Millisecond))
		gemm = max(gemm, GemmPeak[T](50*time.Millisecond))
	}
	b.ReportMetric(fma, "fma-GFLOP/s")
	b.ReportMetric(gemm, "gemm-GFLOP/s")
}

// BenchmarkVector runs every kernel over plain slices on 4096 elements, a
// shard of 32 rows by 128.
func BenchmarkVector(b *testing.B) {
	underEach(b, func(b *testing.B) {
		b.Run("f32", benchVector[float32])
		b.Run("f64", benchVector[float64])
	})
}

func benchVector[T Float](b *testing.B) {
	const n = 4096
	for _, c := range vectorCases[T]() {
		b.Run(c.name, func(b *testing.B) {
			s := make([][]T, c.slices)
			for i := range s {
				s[i] = random[T](n)
			}
			c.admit(s)
			best := time.Hour
			for b.Loop() {
				start := time.Now()
				c.run(s)
				best = min(best, time.Since(start))
			}
			b.ReportMetric(float64(best)/n, "best-ns/element")
		})
	}
}

// BenchmarkColSums is the bias gradient of a batch.
func BenchmarkColSums(b *testing.B) {
	underEach(b, func(b *testing.B) {
		a, dst := random[float32](64*300), make([]float32, 300)
		for b.Loop() {
			ColSums(dst, a, 64, 300, 1, 0)
		}
	})
}

// BenchmarkSoftmaxRow is the shape that classifiers have.
func BenchmarkSoftmaxRow(b *testing.B) {
	underEach(b, func(b *testing.B) {
		y, x, d := random[float32](10), random[float32](10), make([]float32, 10)
		b.Run("NLL", func(b *testing.B) {
			for b.Loop() {
				LogSoftmaxNLL(y, x)
			}
		})
		b.Run("Grad", func(b *testing.B) {
			for b.Loop() {
				SoftmaxGrad(d, y, x, 1)
			}
		})
	})
}
