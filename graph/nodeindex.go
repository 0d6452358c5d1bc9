package graph

import (
	"reflect"
	"unsafe"

	"gorgonia.org/gorgonia"
)

// Gorgonia v0.9.18 finds a node by its number in a map and, where the map lacks the number, by a scan of all nodes
// (ExprGraph.node). It does so once for every node that it adds, which makes building a graph of n nodes take n^2/2 steps:
// minutes for a network of 5000 layers. As long as no node was removed, a node's number is its place in the list, so that the
// entries are known before the nodes exist. Gorgonia takes an entry beyond the end of the list for none.
//
// ExprGraph.RemoveNode, which nothing here calls, leaves wrong entries in that map. checkIndex empties it then, so that
// Gorgonia looks again.

// nodeIndex is where an ExprGraph keeps the map; nodeIndexKnown reports whether that is where v0.9.18 has it. If not, building
// is slow and nothing else changes.
var nodeIndex, nodeIndexKnown = func() (reflect.StructField, bool) {
	f, has := reflect.TypeFor[gorgonia.ExprGraph]().FieldByName("byID")
	return f, has && f.Type == reflect.TypeFor[map[int64]int]()
}()

// nodeIndexBlock is how many entries are written at a time: some of Gorgonia's own functions add several nodes.
const nodeIndexBlock = 256

// indexOf is the map of g.
func indexOf(g *gorgonia.ExprGraph) map[int64]int {
	return *(*map[int64]int)(unsafe.Add(unsafe.Pointer(g), nodeIndex.Offset))
}

// indexAhead writes the entries of the nodes that are added to g next.
func indexAhead(g *gorgonia.ExprGraph) {
	if !nodeIndexKnown {
		return
	}
	all := g.AllNodes()
	next := int64(len(all))
	if next > 0 && all[next-1].ID() != next-1 {
		return // nodes were removed: numbers are no longer places
	}
	byID := indexOf(g)
	if _, ahead := byID[next+nodeIndexBlock/2]; ahead {
		return
	}
	for id := next; id < next+nodeIndexBlock; id++ {
		byID[id] = int(id)
	}
}

// checkIndex empties the map of n's graph if it finds another node under n's number.
func checkIndex(n *Node) {
	g := n.Graph()
	if nodeIndexKnown && g.Node(n.ID()) != n {
		clear(indexOf(g))
	}
}
