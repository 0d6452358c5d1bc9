package layers_test

import (
	"testing"

	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/layers/layertest"
)

func TestReshape_Conforms(t *testing.T) {
	layertest.Run(t, layers.Reshape{To: []int{4, 3}}, 2, 3, 2)
	layertest.Run(t, layers.Reshape{To: []int{2, 3, 2}}, 12)
	layertest.Run(t, layers.Flatten{}, 2, 3, 2)
}
