// Package layered lays out a directed acyclic graph of boxes in layers and columns: every edge runs downwards, boxes do not
// overlap, and no two columns do.
//
// The method is that of Sugiyama, Tagawa and Toda (1981), in four phases: layers (longest path, then every box is moved to
// where its edges are short), orders within the layers (barycenters, then sifting, from several starts: few
// crossings), x (weighted least squares per layer under minimal distances, by pooling adjacent violators) and y. The starts
// come from a fixed seed: the same graph gives the same layout. The package writes no pictures, and it does not remove cycles.
package layered

import (
	"github.com/pkg/errors"
)

// A Node is a box of a graph.
type Node struct {
	Width, Height float64
	Column        int // 0 is the leftmost
}

// An Edge runs from one node to another, by their indices.
type Edge struct{ From, To int }

// A Graph is what is laid out. The distances are in the units of the boxes; zero values are replaced by defaults.
type Graph struct {
	Nodes []Node
	Edges []Edge

	NodeGap   float64 // between neighbouring boxes of a layer; 0: 18
	EdgeGap   float64 // between an edge that passes a layer and its neighbours; 0: 10
	LayerGap  float64 // at least, between layers; 0: 34
	ColumnPad float64 // from a column's border to its boxes; 0: 14
	ColumnGap float64 // between columns; 0: 16
}

// A Point is a place in the layout; y points downwards.
type Point struct{ X, Y float64 }

// A Rect is a box, by its left upper corner.
type Rect struct{ X, Y, Width, Height float64 }

// A Layout says where everything of a graph is.
type Layout struct {
	Width, Height float64
	Nodes         []Rect
	// Edges are the routes, in the order of the graph's edges: points from the lower side of the source to the upper side of
	// the target, y never decreasing. Between points 1 and 2, 3 and 4, ... an edge changes its x, in the free space between two
	// layers; between all others it is vertical. Edges end side by side at their target.
	Edges     [][]Point
	Columns   []Rect // all of the layout's height; columns without boxes have no width
	Crossings int    // pairs of edges that cross between two layers
}

// Place lays out a graph. It returns an error if an edge has an end that is no node, or if the graph has a cycle.
func Place(g Graph) (Layout, error) {
	for _, d := range []struct {
		gap       *float64
		otherwise float64
	}{{&g.NodeGap, 18}, {&g.EdgeGap, 10}, {&g.LayerGap, 34}, {&g.ColumnPad, 14}, {&g.ColumnGap, 16}} {
		if *d.gap == 0 {
			*d.gap = d.otherwise
		}
	}
	for i, n := range g.Nodes {
		if !(n.Width >= 0 && n.Height >= 0) || n.Column < 0 {
			return Layout{}, errors.Errorf("layered: node %d has width %v, height %v and column %d: want none below zero", i, n.Width, n.Height, n.Column)
		}
	}
	for i, e := range g.Edges {
		if e.From < 0 || e.From >= len(g.Nodes) || e.To < 0 || e.To >= len(g.Nodes) {
			return Layout{}, errors.Errorf("layered: edge %d goes from node %d to %d of %d", i, e.From, e.To, len(g.Nodes))
		}
	}
	layer, err := layers(g)
	if err != nil {
		return Layout{}, err
	}
	p := properOf(g, layer)
	p.order()
	columns := p.columns(g)
	p.abscissae(columns)
	l := p.finish(g, columns)
	l.Crossings = p.crossings()
	return l, nil
}

// layers assigns every node its layer, 0 is the uppermost: first by the longest path from a source, then nodes move where the
// sum of the lengths of their edges is lower, until none gains. Every move lowers that sum, so that it ends.
func layers(g Graph) ([]int, error) {
	parents, children := make([][]int, len(g.Nodes)), make([][]int, len(g.Nodes))
	open := make([]int, len(g.Nodes)) // parents without a layer
	for _, e := range g.Edges {
		parents[e.To], children[e.From] = append(parents[e.To], e.From), append(children[e.From], e.To)
		open[e.To]++
	}
	layer := make([]int, len(g.Nodes))
	var sorted []int // topologically
	for i, n := range open {
		if n == 0 {
			sorted = append(sorted, i)
		}
	}
	for next := 0; next < len(sorted); next++ {
		i := sorted[next]
		for _, k := range children[i] {
			layer[k] = max(layer[k], layer[i]+1)
			if open[k]--; open[k] == 0 {
				sorted = append(sorted, k)
			}
		}
	}
	if len(sorted) < len(g.Nodes) {
		return nil, errors.New("layered: the graph has a cycle: want an acyclic one")
	}
	for moved := true; moved; {
		moved = false
		for k := range sorted {
			i := sorted[len(sorted)-1-k]
			to := layer[i]
			switch gain := len(children[i]) - len(parents[i]); {
			case gain > 0: // down, to the nearest child
				to = layer[children[i][0]] - 1
				for _, c := range children[i] {
					to = min(to, layer[c]-1)
				}
			case gain < 0: // up, to the nearest parent
				to = layer[parents[i][0]] + 1
				for _, c := range parents[i] {
					to = max(to, layer[c]+1)
				}
			}
			if to != layer[i] {
				layer[i], moved = to, true
			}
		}
	}
	return compact(layer), nil
}

// compact renumbers layers so that none is empty.
func compact(layer []int) []int {
	most := 0
	for _, l := range layer {
		most = max(most, l)
	}
	number := make([]int, most+1)
	for _, l := range layer {
		number[l] = 1
	}
	next := 0
	for l, used := range number {
		number[l] = next
		next += used
	}
	for i, l := range layer {
		layer[i] = number[l]
	}
	return layer
}
