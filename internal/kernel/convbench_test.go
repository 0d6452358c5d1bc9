package kernel

import (
	"fmt"
	"testing"
)

func BenchmarkConv(b *testing.B) {
	for _, s := range [][4]int{{32, 3, 16, 1}, {32, 16, 16, 1}, {16, 16, 16, 1}, {8, 16, 16, 1}, {32, 32, 32, 1}, {16, 32, 32, 1}, {28, 1, 8, 1}, {28, 8, 8, 1}, {32, 32, 64, 2}, {8, 128, 128, 1}} {
		c := Conv{Image: [2]int{s[0], s[0]}, In: s[1], Out: s[2], Kernel: [2]int{3, 3}, Stride: [2]int{s[3], s[3]}, Pad: [2]int{1, 1}, Dilation: [2]int{1, 1}, Groups: 1}
		f, a, sum := NewFilter[float32](c), NewAdjoint[float32](c), NewConvSum[float32](c)
		x, w, g := random[float32](c.xLen()), random[float32](c.wLen()), random[float32](c.yLen())
		f.Pack(w)
		a.Pack(w)
		room := make([]float32, max(f.Room(), a.Room(), sum.Room()))
		flops := 2 * float64(c.yLen()) * float64(9*c.In)
		for _, path := range []struct {
			name string
			run  func()
		}{
			{"forward", func() { f.Apply(g, x, nil, room) }},
			{"image", func() { a.Apply(x, g, nil, room) }},
			{"weights", func() { sum.Start(w, room); sum.Add(w, x, g, room); sum.Finish(w, room) }},
		} {
			b.Run(fmt.Sprintf("%d_%d-%d_stride%d/%s", s[0], s[1], s[2], s[3], path.name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					path.run()
				}
				b.ReportMetric(flops*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
			})
		}
	}
}
