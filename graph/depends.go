package graph

import "slices"

// Depends reports whether the value of n depends on that of any of the inputs on.
func Depends(n *Node, on ...*Node) bool { return DependsAny([]*Node{n}, on...) }

// DependsAny reports whether the value of any of ns depends on that of any of the inputs on.
func DependsAny(ns []*Node, on ...*Node) bool {
	sought := make(map[*Node]bool, len(on))
	for _, n := range on {
		sought[n] = true
	}
	return slices.ContainsFunc(topological(ns...), func(k *Node) bool { return sought[k] })
}
