package kernel

import (
	"fmt"
	"testing"
	"time"
)

// BenchmarkRows is the matrix of one head of attention, with and without causality, and 32 tokens to be normalised.
func BenchmarkRows(b *testing.B) {
	underEach(b, func(b *testing.B) {
		for _, n := range []int{32, 64} {
			x, y, z := random[float32](32*n), random[float32](32*n), random[float32](32*n)
			for _, c := range []struct {
				name string
				run  func()
			}{
				{"softmax", func() { SoftmaxRows(z, x, n, n, 0) }},
				{"softmax causal", func() { SoftmaxRows(z, x, n, n-31, 1) }},
				{"softmaxBack", func() { SoftmaxBackRows(z, x, y, n, n, 0) }},
				{"softmaxBack causal", func() { SoftmaxBackRows(z, x, y, n, n-31, 1) }},
				{"standardise", func() { StandardiseRows(z, x, n, true, 1e-5) }},
				{"standardiseGrad", func() { StandardiseGradRows(z, x, y, n, true, 1e-5) }},
			} {
				b.Run(fmt.Sprintf("%s/32x%d", c.name, n), func(b *testing.B) {
					best := time.Hour
					for b.Loop() {
						start := time.Now()
						c.run()
						best = min(best, time.Since(start))
					}
					b.ReportMetric(float64(best)/32, "best-ns/row")
				})
			}
		}
	})
}
