package arch

import (
	"strconv"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/layers"
)

// A CNN describes a convolutional network like VGG: stages of a convolution and a pool, each one site, and a readout.
//
//	stage s    z_s = pool(conv3x3(act(z_{s-1})))    no activation in front of the first
//	readout    act(z_S), flattened, times W
//
// The VGG-5 of the pcx benchmark (arXiv 2407.01163) has Channels {128, 256, 512, 512} on images of 32 x 32 x 3.
type CNN struct {
	Scaling  Scaling // nil means SP
	Act      layers.Act
	Image    [3]int // height, width, channels
	Channels []int  // of the stages, each of which halves height and width
	Classes  int
	Bias     bool
	MaxPool  bool // maxima of 2 x 2 instead of means
}

// Network builds the network. Errors name what cannot be built.
func (c CNN) Network() (*Network, error) {
	if len(c.Channels) == 0 || c.Classes < 1 {
		return nil, errors.Errorf("arch: a CNN of channels %v and %d classes: give one stage and one class at least", c.Channels, c.Classes)
	}
	n := &Network{Input: c.Image[:], Scaling: c.Scaling}
	h, w, in := c.Image[0], c.Image[1], c.Image[2]
	act := layers.LinearAct
	for s, out := range c.Channels {
		name := "stage" + strconv.Itoa(s+1)
		if h < 2 || w < 2 || in < 1 || out < 1 {
			return nil, errors.Errorf("arch: %s of a CNN turns %d x %d x %d into %d channels and halves the sides: use fewer stages, larger images or more channels", name, h, w, in, out)
		}
		n.Blocks = append(n.Blocks, Block{Name: name, Layer: layers.Compose{
			layers.Conv2D{In: in, Out: out, Kernel: layers.Both(3), Pad: layers.Both(1), Act: act, Bias: c.Bias}, pool(c.MaxPool),
		}})
		h, w, in, act = h/2, w/2, out, c.Act
	}
	n.Blocks = append(n.Blocks, Block{Name: "readout", Layer: layers.Compose{
		layers.Flatten{}, layers.Linear{In: h * w * in, Out: c.Classes, Act: c.Act, Bias: c.Bias},
	}})
	return n.checked()
}

// pool halves height and width.
func pool(maxima bool) layers.Layer {
	if maxima {
		return layers.MaxPool2D{Size: layers.Both(2)}
	}
	return layers.AvgPool2D{Size: layers.Both(2)}
}
