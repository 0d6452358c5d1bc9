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

// A ResNet describes the residual network of arXiv 2602.07697: three stages, every element of which is a site,
//
//	conv       z' = conv3x3(z)                 to Width channels, no activation
//	residual   z' = z + conv3x3(act(z))        Residuals of them per stage
//	pool       z' = 2 x 2 means
//
// and a readout, W times the flattened activity, with no activation either. There are no biases. Residual blocks are
// branches to a scaling, the other convolutions hidden weights.
type ResNet struct {
	Scaling   Scaling // nil means SP
	Act       layers.Act
	Image     [3]int // height, width, channels; sides of 8 or more
	Width     int    // channels
	Residuals int    // per stage; 0 means 1
	Classes   int
}

// Network builds the network. Errors name what cannot be built.
func (r ResNet) Network() (*Network, error) {
	h, w, in := r.Image[0], r.Image[1], r.Image[2]
	switch {
	case h < 8 || w < 8 || in < 1:
		return nil, errors.Errorf("arch: a ResNet of images %v, which it halves three times: want sides of 8 or more and one channel at least", r.Image)
	case r.Width < 1 || r.Classes < 1 || r.Residuals < 0:
		return nil, errors.Errorf("arch: a ResNet of width %d, %d residual blocks per stage and %d classes: want positive numbers", r.Width, r.Residuals, r.Classes)
	}
	conv := func(in int, act layers.Act) layers.Conv2D {
		return layers.Conv2D{In: in, Out: r.Width, Kernel: layers.Both(3), Pad: layers.Both(1), Act: act}
	}
	n := &Network{Input: r.Image[:], Scaling: r.Scaling}
	for s := range 3 {
		stage := "stage" + strconv.Itoa(s+1)
		n.Blocks = append(n.Blocks, Block{Name: stage + "conv", Layer: conv(in, layers.LinearAct)})
		for k := range max(1, r.Residuals) {
			n.Blocks = append(n.Blocks, Block{
				Name: stage + "residual" + strconv.Itoa(k+1), Layer: conv(r.Width, r.Act), Skips: []Skip{{Layer: layers.Identity{}}},
			})
		}
		n.Blocks = append(n.Blocks, Block{Name: stage + "pool", Layer: pool(false)})
		h, w, in = h/2, w/2, r.Width
	}
	n.Blocks = append(n.Blocks, Block{Name: "readout", Layer: layers.Compose{
		layers.Flatten{}, layers.Linear{In: h * w * in, Out: r.Classes},
	}})
	return n.checked()
}
