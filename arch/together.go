package arch

import (
	"math/rand/v2"
	"strings"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/graph"
)

// A Member is one of several networks that are trained together.
type Member struct {
	Name    string // in front of the names of its weights: "generator/block1/W"
	Network *Network
}

// NewWeightsTogether is NewWeights for several networks in one slab, which one optimiser can move. Each of parts is the slab
// of one network, with its own names, for Compile; whole is for the optimiser, and what ParamGrad writes to grad[lo:lo+n] of
// it, lo being where the part begins (graph.Vector.Whole). The first network's weights are those that NewWeights draws.
func NewWeightsTogether[T graph.Float](rng *rand.Rand, members ...Member) (whole *graph.Vector[T], parts []*graph.Vector[T], err error) {
	if rng == nil {
		return nil, nil, errors.New(noRand)
	}
	var fields []graph.Field
	names := make(map[string]bool)
	for _, m := range members {
		switch {
		case m.Name == "" || names[m.Name]:
			return nil, nil, errors.Errorf("arch: weights together: two networks are named %q, or one has no name: give each a name of its own", m.Name)
		case m.Network == nil:
			return nil, nil, errors.Errorf("arch: weights together: the network %q is missing", m.Name)
		}
		names[m.Name] = true
		if err := m.Network.Validate(); err != nil {
			return nil, nil, errors.WithMessage(err, m.Name)
		}
		for _, w := range m.Network.Weights() {
			fields = append(fields, graph.Field{Name: m.Name + "/" + w.Name, Shape: w.Param.Shape})
		}
	}
	whole = graph.NewVector[T](fields...)
	lo := 0
	for _, m := range members {
		ws := m.Network.Weights()
		part := whole.Sub(lo, lo+len(ws), func(name string) string { return strings.TrimPrefix(name, m.Name+"/") })
		drawWeights(ws, part, rng)
		parts, lo = append(parts, part), lo+len(ws)
	}
	return whole, parts, nil
}
