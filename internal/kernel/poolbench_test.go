package kernel

import (
	"fmt"
	"testing"
	"time"
)

// BenchmarkPool halves an image of 28 x 28 or so, by kernels and, for comparison, by loops.
func BenchmarkPool(b *testing.B) {
	underEach(b, func(b *testing.B) {
		for _, channels := range []int{3, 8, 16, 32} {
			p := Pool{Image: [2]int{28, 28}, Channels: channels, Size: [2]int{2, 2}, Stride: [2]int{2, 2}}
			x, y := random[float32](28*28*channels), random[float32](14*14*channels)
			dx, room := make([]float32, len(x)), make([]float32, p.Room())
			for _, c := range []struct {
				name string
				run  func()
			}{
				{"mean", func() { MeanPool(p, y, x, room) }},
				{"meanGrad", func() { MeanPoolGrad(p, dx, y, room) }},
				{"max", func() { MaxPool(p, y, x, room) }},
				{"maxGrad", func() { MaxPoolGrad(p, dx, x, y, room) }},
			} {
				b.Run(fmt.Sprintf("%s/%d", c.name, channels), func(b *testing.B) {
					best := time.Hour
					for b.Loop() {
						start := time.Now()
						c.run()
						best = min(best, time.Since(start))
					}
					b.ReportMetric(float64(best)/float64(len(x)), "best-ns/element")
				})
			}
		}
	})
}
