package arch_test

import (
	"testing"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/layers"
)

// convChain is two convolutions of k x k that keep the size of images, a pooling and a readout.
func convChain(k, size, channels int) *arch.Network {
	conv := layers.Conv2D{In: channels, Out: channels, Kernel: layers.Both(k), Pad: layers.Both(k / 2), Act: layers.Tanh}
	return &arch.Network{Input: []int{size, size, channels}, Blocks: []arch.Block{
		{Name: "first", Layer: conv}, {Name: "second", Layer: conv}, {Name: "pool", Layer: layers.AvgPool2D{Size: layers.Both(size)}},
		{Name: "readout", Layer: layers.Compose{layers.Flatten{}, layers.Linear{In: channels, Out: 3}}},
	}}
}

// A product of matrices would need the patches of a layer laid out, K^2 times its images. A model has no such thing: one
// with windows of 5 x 5 is larger than one of single pixels by its weights (as they are packed, both ways, and as partial
// sums of their gradient, at most 16) and a few rows of an image for each worker, which is less than a tenth of the
// patches of one layer.
func TestModel_HoldsNoPatchesOfConvolutions(t *testing.T) {
	const k, size, channels, batch = 5, 24, 8, 32
	bytes := func(k int, coordinates arch.Coordinates) int {
		n := convChain(k, size, channels)
		return must(arch.Compile(n, weightsOf[float32](t, n, 1), arch.Plan{Batch: batch, Coordinates: coordinates}))(t).Bytes()
	}
	for _, at := range []arch.Coordinates{arch.Activities, arch.Errors, arch.Feedforward} {
		more := bytes(k, at) - bytes(1, at)
		images := batch * size * size * channels * 4
		if patches := k * k * images; more > patches/10 || more <= 0 {
			t.Errorf("%v: windows of %d x %d take %d bytes more than pixels; the images of a layer take %d, their patches %d", at, k, k, more, images, patches)
		}
	}
}
