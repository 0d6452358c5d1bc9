package graph

import "slices"

// Depends tells whether the value of n depends on that of any of the inputs on.
func Depends(n *Node, on ...*Node) bool {
	return slices.ContainsFunc(topological(n), func(k *Node) bool { return slices.Contains(on, k) })
}
