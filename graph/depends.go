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

// Independent lists those of inputs that the value of n does not depend on.
func Independent(n *Node, inputs ...*Node) []*Node {
	reached := make(map[*Node]bool)
	beyond(reached, n)
	var ns []*Node
	for _, in := range inputs {
		if !reached[in] {
			ns = append(ns, in)
		}
	}
	return ns
}
