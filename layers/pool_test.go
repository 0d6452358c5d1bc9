package layers_test

import (
	"fmt"
	"testing"

	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/layers/layertest"
)

func TestPools_Conform(t *testing.T) {
	for _, l := range []layers.Layer{
		layers.MaxPool2D{Size: layers.Both(2)},
		layers.MaxPool2D{Size: [2]int{3, 2}, Stride: layers.Both(1), Pad: layers.Both(1)},
		layers.AvgPool2D{Size: layers.Both(2)},
		layers.AvgPool2D{Size: [2]int{3, 2}, Stride: [2]int{1, 2}, Pad: layers.Both(1)},
		layers.GlobalAvgPool2D{},
	} {
		t.Run(fmt.Sprintf("%T %+v", l, l), func(t *testing.T) { layertest.Run(t, l, 4, 5, 2) })
	}
}
