package graph

import (
	"slices"

	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
)

// Grad adds the gradients of the scalar cost with respect to each node of wrt to the graph and returns them in wrt's order. It is
// reverse-mode differentiation: one pass over the nodes in reverse topological order, with a vector-Jacobian product at each.
//
// It is stateless: it may be called any number of times, on several costs of one graph, and on functions of its own
// results, which gives Hessian-vector products. The gradients are distinct nodes and none is an input, so that a Program
// may compute each where it is wanted. (Gorgonia's own Grad works once per cost and silently returns the
// first gradient afterwards.) The rules of fused operations are ours; any other operation is asked for its SymDiff,
// unless it is known to give wrong gradients, which is an error that names the replacement.
func Grad(cost *Node, wrt ...*Node) ([]*Node, error) { return Held(nil).Grad(cost, wrt...) }

// GradHolding is Grad with the nodes of held taken for constants (a stop-gradient), as Hold describes.
func GradHolding(cost *Node, held []*Node, wrt ...*Node) ([]*Node, error) {
	h, err := Hold(held...)
	if err != nil {
		return nil, err
	}
	return h.Grad(cost, wrt...)
}

// Held is the set of nodes that gradients take for constants, as a stop-gradient does: those that map to true.
type Held map[*Node]bool

// Hold makes nodes constants of gradients: what they depend on does not change through them. One may be held and in wrt: its own
// gradient is then what reaches it. It is an error to hold a plain multiple of another node, through which sums look, to what
// it is a multiple of: hold a Builder.Copy of it, made before it is used.
func Hold(nodes ...*Node) (Held, error) {
	held := make(Held, len(nodes))
	for _, n := range nodes {
		if n == nil {
			return nil, errors.New("graph: a missing node is held: look at the Builder's Err first")
		}
		if base, _ := unscale(n); base != n {
			return nil, errors.Errorf("graph: gradient with %s held, which is a multiple of another node: sums look through it; use and hold a Copy of it", label(n))
		}
		held[n] = true
	}
	return held, nil
}

// Grad is the function Grad with h taken for constants.
func (h Held) Grad(cost *Node, wrt ...*Node) ([]*Node, error) {
	if cost == nil || slices.Contains(wrt, nil) {
		return nil, errors.New("graph: gradient of a missing node, or with respect to one: look at the Builder's Err first")
	}
	if !cost.IsScalar() {
		return nil, errors.Errorf("graph: gradient of %s of shape %v: only a scalar has one, reduce it first", label(cost), cost.Shape())
	}
	order := topological(cost)
	wanted := make(map[*Node]bool, len(wrt))
	for _, w := range wrt {
		wanted[w] = true
	}
	// relevant nodes are those through which the cost depends on wrt.
	relevant := make(map[*Node]bool, len(order))
	for _, n := range order {
		r := wanted[n]
		if n.Op() != nil && !h[n] && !constantAlmostEverywhere(n.Op()) {
			for _, k := range children(n) {
				r = r || relevant[k]
			}
		}
		if r {
			relevant[n] = true
		}
	}
	seed, err := constantLike(cost, 1)
	if err != nil {
		return nil, err
	}
	old := int64(len(cost.Graph().AllNodes())) // nodes are numbered as they are added
	parts := map[*Node][]*Node{cost: {seed}}   // contributions to each node's gradient
	grads := make(map[*Node]*Node, len(wrt))
	for i := len(order) - 1; i >= 0; i-- {
		n := order[i]
		if !relevant[n] || len(parts[n]) == 0 {
			continue
		}
		g, err := sum(parts[n])
		if err != nil {
			return nil, errors.Wrapf(err, "graph: gradient with respect to %s", label(n))
		}
		mark(g, old, n)
		if wanted[n] {
			grads[n] = g
		}
		kids := children(n)
		if len(kids) == 0 || h[n] {
			continue
		}
		want := make([]bool, len(kids))
		any := false
		for j, k := range kids {
			want[j] = relevant[k]
			any = any || want[j]
		}
		if !any {
			continue
		}
		ds, err := diff(n, kids, g, want)
		if err != nil {
			return nil, errors.Wrapf(err, "graph: differentiating %s", label(n))
		}
		for j, k := range kids {
			if want[j] && ds[j] != nil {
				mark(ds[j], old, n)
				parts[k] = append(parts[k], ds[j])
			}
		}
	}
	out := make([]*Node, len(wrt))
	for i, w := range wrt {
		if out[i] = grads[w]; out[i] == nil {
			return nil, errors.Errorf("graph: %s does not depend on %s, which therefore has no gradient", label(cost), label(w))
		}
	}
	if out, err = distinct(out); err != nil {
		return nil, err
	}
	for i, g := range out {
		mark(g, old, wrt[i])
		if o, fused := g.Op().(*op); fused && o.by == "" {
			o.by = label(wrt[i])
		}
	}
	return out, nil
}

// mark gives g and its operands, if they are new, the scope of n, whose gradient they belong to.
func mark(g *Node, old int64, n *Node) {
	o, fused := g.Op().(*op)
	if !fused || o.grad || g.ID() < old {
		return
	}
	o.grad, o.scope = true, scopeOf(n)
	for _, k := range o.kids {
		mark(k, old, n)
	}
}

// distinct replaces inputs and repetitions among gs by copies.
func distinct(gs []*Node) ([]*Node, error) {
	seen := make(map[*Node]bool, len(gs))
	for i, g := range gs {
		var err error
		for n := 1; err == nil && (seen[gs[i]] || gs[i].Op() == nil); n++ {
			gs[i], err = apply("", copied{n}, g)
		}
		if err != nil {
			return nil, err
		}
		seen[gs[i]] = true
	}
	return gs, nil
}

// sum adds the contributions to one gradient.
func sum(parts []*Node) (*Node, error) {
	if len(parts) == 1 {
		return parts[0], nil
	}
	ones := make([]float64, len(parts))
	for i := range ones {
		ones[i] = 1
	}
	return combined("", ones, parts)
}

// diff asks the operation of n for the gradients of its operands.
func diff(n *Node, kids []*Node, g *Node, want []bool) ([]*Node, error) {
	if o, fused := n.Op().(*op); fused {
		return o.spec.diff(kids, n, g, want)
	}
	if err := differentiable(n); err != nil {
		return nil, err
	}
	o, ok := n.Op().(gorgonia.SDOp)
	if !ok {
		return nil, errors.Errorf("the operation %v has no symbolic derivative", n.Op())
	}
	through := o.DiffWRT(len(kids))
	ds := make([]*Node, len(kids))
	flat := true
	for j := range kids {
		if want[j] && !(j < len(through) && through[j]) {
			if !constantAlmostEverywhere(n.Op()) {
				return nil, errors.Errorf("the operation %v says that it does not depend on operand %d, which cannot be taken for a zero gradient", n.Op(), j)
			}
			continue
		}
		flat = flat && !want[j]
	}
	if flat {
		return ds, nil
	}
	gs, err := o.SymDiff(kids, n, g)
	if err != nil {
		return nil, err
	}
	copy(ds, gs)
	return ds, nil
}

// topological lists the roots and all that they depend on in topological order: operands first.
func topological(roots ...*Node) []*Node { return beyond(make(map[*Node]bool), roots...) }

// beyond is topological without the nodes of seen and what only they depend on, by an iterative depth-first search. It adds what it
// lists to seen.
func beyond(seen map[*Node]bool, roots ...*Node) []*Node {
	var order []*Node
	type frame struct {
		n    *Node
		kids []*Node
	}
	for _, root := range roots {
		if seen[root] {
			continue
		}
		seen[root] = true
		stack := []frame{{root, children(root)}}
		for len(stack) > 0 {
			top := &stack[len(stack)-1]
			if len(top.kids) == 0 {
				order = append(order, top.n)
				stack = stack[:len(stack)-1]
				continue
			}
			k := top.kids[0]
			top.kids = top.kids[1:]
			if !seen[k] {
				seen[k] = true
				stack = append(stack, frame{k, children(k)})
			}
		}
	}
	return order
}
