package arch

import (
	"container/heap"
	"math"
	"slices"
	"strings"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/layers"
)

// A site is an activity of a network: of an input, or of the block that predicts it first.
type site struct {
	name   string
	input  bool
	output bool
	block  int // from 0; -1 for an input
}

// inputs lists all inputs.
func (n *Network) inputs() []Input {
	if n.Input == nil {
		return n.Inputs
	}
	return append([]Input{{Name: InputName, Shape: n.Input}}, n.Inputs...)
}

// sites lists the inputs and then the blocks' sites.
func (n *Network) sites() []site {
	var ss []site
	for _, in := range n.inputs() {
		ss = append(ss, site{name: in.Name, input: true, block: -1})
	}
	marked, last := false, -1
	for i, b := range n.Blocks {
		if b.Predicts == "" {
			last = len(ss)
			ss = append(ss, site{name: b.Name, output: b.Output, block: i})
			marked = marked || b.Output
		}
	}
	if !marked && last >= 0 {
		ss[last].output = true
	}
	return ss
}

// target is the site that block i predicts.
func (n *Network) target(i int) string {
	if b := n.Blocks[i]; b.Predicts != "" {
		return b.Predicts
	}
	return n.Blocks[i].Name
}

// From lists the sites whose activities the layer of block i (from 0) reads.
func (n *Network) From(i int) []string {
	if len(n.Blocks[i].From) > 0 {
		return n.Blocks[i].From
	}
	for i--; i >= 0; i-- {
		if n.Blocks[i].Predicts == "" {
			return []string{n.Blocks[i].Name}
		}
	}
	if in := n.inputs(); len(in) == 1 {
		return []string{in[0].Name}
	}
	return nil
}

// reads lists all sites that block i reads, for its layer and for its skips.
func (n *Network) reads(i int) []string {
	names := slices.Clone(n.From(i))
	for _, s := range n.Blocks[i].Skips {
		if s.From != "" {
			names = append(names, s.From)
		}
	}
	return names
}

// shape is that of the block's site, if the description says it: nil otherwise.
func (b Block) shape() []int {
	if l, linear := b.Layer.(layers.Linear); linear && b.Shape == nil {
		return []int{l.Out}
	}
	return b.Shape
}

// order lists the blocks such that each reads what was predicted before it, in the order of the description where that
// will do: in as many passes over the description as it takes, each of which takes every block whose sites are known by then.
// Sites for which cut reports true are known from the start. Blocks that read each other in a loop are left out; loop is
// one of the loops, "a", "b", "a" if a predicts b from which a is predicted.
func (n *Network) order(cut func(name string) bool) (order []int, loop []string) {
	known := make(map[string]bool)
	blockOf := make(map[string]int) // that has a site
	for _, s := range n.sites() {
		known[s.name], blockOf[s.name] = s.input || cut(s.name), s.block
	}
	needs := func(i int) []string {
		names := n.reads(i)
		if t := n.Blocks[i].Predicts; t != "" {
			names = append(names, t)
		}
		return names
	}
	missing := make([]int, len(n.Blocks)) // how many of a block's sites are not known
	waiting := make(map[string][]int)     // blocks by the site that they wait for
	var pass, next intHeap                // blocks that this pass over the description takes, and the one after it
	for i := range n.Blocks {
		for _, name := range needs(i) {
			if !known[name] {
				missing[i]++
				waiting[name] = append(waiting[name], i)
			}
		}
		if missing[i] == 0 {
			pass = append(pass, i)
		}
	}
	for ; len(pass) > 0; pass, next = next, nil {
		for heap.Init(&pass); len(pass) > 0; {
			i := heap.Pop(&pass).(int)
			order = append(order, i)
			if b := n.Blocks[i]; b.Predicts == "" && !known[b.Name] {
				known[b.Name] = true
				for _, j := range waiting[b.Name] {
					if missing[j]--; missing[j] > 0 {
						continue
					}
					if j > i {
						heap.Push(&pass, j)
					} else {
						next = append(next, j)
					}
				}
			}
		}
	}
	first := slices.IndexFunc(missing, func(m int) bool { return m > 0 })
	if first < 0 {
		return order, nil
	}
	// Following what each waits for must come back to a block.
	waits := func(i int) string { // a site that block i waits for
		names := needs(i)
		return names[slices.IndexFunc(names, func(name string) bool { return !known[name] })]
	}
	var trail []string
	seenAt := make(map[string]int)
	name := n.target(first)
	if known[name] {
		name = waits(first)
	}
	for ; ; name = waits(blockOf[name]) {
		if at, seen := seenAt[name]; seen {
			loop = append(trail[at:], name)
			slices.Reverse(loop)
			return order, loop
		}
		seenAt[name] = len(trail)
		trail = append(trail, name)
	}
}

// intHeap is a heap of ints, the smallest first.
type intHeap []int

func (h intHeap) Len() int           { return len(h) }
func (h intHeap) Less(i, j int) bool { return h[i] < h[j] }
func (h intHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *intHeap) Push(x any)        { *h = append(*h, x.(int)) }
func (h *intHeap) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}

// arrows writes a loop.
func arrows(loop []string) string { return strings.Join(loop, " -> ") }

// Validate checks what can be checked without building the graph: names, references and layers.
func (n *Network) Validate() error {
	if n == nil {
		return errors.New("arch: the network is missing: look at the error of what describes it")
	}
	if len(n.Blocks) == 0 {
		return errors.New("arch: a network without blocks: give it at least one")
	}
	if len(n.inputs()) == 0 {
		return errors.New("arch: a network without an input shape: set Network.Input, e.g. []int{784}")
	}
	var names []string // of sites
	sites := make(map[string]bool)
	taken := make(map[string]bool)
	take := func(name string) error {
		if taken[name] {
			return errors.Errorf("arch: two sites are named %q (%q is the input): give every block and input a name of its own", name, InputName)
		}
		taken[name] = true
		return nil
	}
	for i, in := range n.inputs() {
		if in.Name == "" {
			return errors.Errorf("arch: input %d has no name", i+1)
		}
		if err := take(in.Name); err != nil {
			return err
		}
		if err := positive("input", in.Name, in.Shape); err != nil {
			return err
		}
		names, sites[in.Name] = append(names, in.Name), true
	}
	for i, b := range n.Blocks {
		if b.Name == "" {
			return errors.Errorf("arch: block %d has no name", i+1)
		}
		if err := take(b.Name); err != nil {
			return err
		}
		if b.Predicts == "" {
			names, sites[b.Name] = append(names, b.Name), true
		}
	}
	for i := range n.Blocks {
		if err := n.validateBlock(i, names, sites); err != nil {
			return err
		}
	}
	for _, in := range n.inputs() {
		if !n.used(in.Name) {
			return errors.Errorf("arch: no block reads or predicts the input %q: name it in a block's From, or take it out", in.Name)
		}
	}
	return n.validateWeights()
}

// checked is n if Validate finds nothing wrong with it.
func (n *Network) checked() (*Network, error) {
	if err := n.Validate(); err != nil {
		return nil, err
	}
	return n, nil
}

// used reports whether any block reads or predicts a site.
func (n *Network) used(name string) bool {
	for i := range n.Blocks {
		if n.target(i) == name || slices.Contains(n.reads(i), name) {
			return true
		}
	}
	return false
}

// positive checks a shape.
func positive(what, name string, shape []int) error {
	if len(shape) == 0 {
		return errors.Errorf("arch: %s %q has no shape: say that of one sample, e.g. []int{784}", what, name)
	}
	for _, d := range shape {
		if d <= 0 {
			return errors.Errorf("arch: %s %q of shape %v: every dimension must be positive", what, name, shape)
		}
	}
	if _, fits := graph.Elements(shape); !fits {
		return errors.Errorf("arch: %s %q of shape %v has more than %d elements: look at its dimensions", what, name, shape, int64(graph.MaxElements))
	}
	return nil
}

// validateBlock checks block i, given the names of all sites, in order and as a set.
func (n *Network) validateBlock(i int, names []string, sites map[string]bool) error {
	b := n.Blocks[i]
	if b.Layer == nil {
		return errors.Errorf("arch: block %q has no layer", b.Name)
	}
	for _, s := range b.Skips {
		if s.Layer == nil {
			return errors.Errorf("arch: a skip of block %q has no layer: use layers.Identity{} for a plain one", b.Name)
		}
	}
	for _, part := range append([]any{b.Layer, b.Merge}, skipLayers(b)...) {
		if v, can := part.(interface{ Validate() error }); can {
			if err := v.Validate(); err != nil {
				return errors.WithMessagef(err, "arch: %s", b.Name)
			}
		}
	}
	known := func(what, name string) error {
		if sites[name] {
			return nil
		}
		for _, other := range n.Blocks {
			if other.Name == name {
				return errors.Errorf("arch: block %q %s %q, which has no site of its own: name %q, which it predicts", b.Name, what, name, other.Predicts)
			}
		}
		return errors.Errorf("arch: block %q %s %q, which is no input and no block: there are %s", b.Name, what, name, strings.Join(names, ", "))
	}
	from := n.From(i)
	if len(from) == 0 {
		return errors.Errorf("arch: block %q has no block before it and the network several inputs: say which in From", b.Name)
	}
	for _, name := range n.reads(i) {
		if err := known("takes its input from", name); err != nil {
			return err
		}
	}
	if len(from) > 1 && b.Merge == nil {
		return errors.Errorf("arch: block %q takes %d inputs and has no Merge: say how they become one, e.g. layers.Concat{}", b.Name, len(from))
	}
	if b.Predicts != "" {
		if err := known("predicts", b.Predicts); err != nil {
			return err
		}
		if b.Predicts == b.Name {
			return errors.Errorf("arch: block %q predicts its own site: leave Predicts empty", b.Name)
		}
		if b.Output || b.Start != nil {
			return errors.Errorf("arch: block %q has an Output or a Start, which belong to the block of the site that it predicts, %q", b.Name, b.Predicts)
		}
	}
	if b.Shape != nil {
		if err := positive("block", b.Name, b.Shape); err != nil {
			return err
		}
	}
	if s := b.Start; s != nil {
		for _, v := range []float64{s.Mean, s.Std} {
			if math.IsNaN(v) || math.IsInf(v, 0) || s.Std < 0 {
				return errors.Errorf("arch: block %q starts at %+v: want a finite mean and a standard deviation of zero or more", b.Name, s.Init)
			}
		}
	}
	switch {
	case b.Precision < FixedPrecision || b.Precision > DiagonalPrecision:
		return errors.Errorf("arch: block %q: unknown precision %d", b.Name, int(b.Precision))
	case b.Precision == DiagonalPrecision && b.shape() == nil:
		return errors.Errorf("arch: block %q has a diagonal precision: give it the Shape of its site", b.Name)
	}
	return n.validateShares(b)
}

// skipLayers are the layers of a block's skips.
func skipLayers(b Block) (ls []any) {
	for _, s := range b.Skips {
		ls = append(ls, s.Layer)
	}
	return ls
}

// validateShares checks that a block's weights fit the layer that it shares them with.
func (n *Network) validateShares(b Block) error {
	if b.Shares == "" {
		return nil
	}
	at := slices.IndexFunc(n.Blocks, func(o Block) bool { return o.Name == b.Shares })
	if at < 0 {
		return errors.Errorf("arch: block %q shares its weights with %q, which is no block", b.Name, b.Shares)
	}
	owner := n.Blocks[at]
	if owner.Shares != "" || owner.Name == b.Name {
		return errors.Errorf("arch: block %q shares its weights with %q, which has none of its own: name the block that has", b.Name, b.Shares)
	}
	if owner.Layer == nil {
		return errors.Errorf("arch: block %q has no layer", owner.Name)
	}
	mine, theirs := b.Layer.Params(), owner.Layer.Params()
	same := slices.EqualFunc(mine, theirs, func(p, q layers.Param) bool { return p.Name == q.Name && slices.Equal(p.Shape, q.Shape) })
	if !same {
		return errors.Errorf("arch: block %q shares its weights with %q, whose layer has others: make the layers' weights equal in name and shape", b.Name, b.Shares)
	}
	return nil
}
