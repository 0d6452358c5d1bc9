package graph

import (
	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/pcgraph/pcgraph/internal/kernel"
)

// shardRows is the number of rows that one worker takes through a program at a time: few enough that what it
// computes stays in its cache, enough for the matrix product to run at speed. A sample is one row, or as many as it has
// tokens. Images bring rows enough each: their values have up to shardBytes in a shard. No bit of a result depends on
// either.
const (
	shardRows  = 32
	shardBytes = 256 << 10
)

// A Plan says what to compile.
type Plan struct {
	// Targets are groups of nodes; Program.Run evaluates one group at a time. All share one storage.
	Targets [][]*Node
	// Batched are the inputs whose leading dimension is the batch. Operations on them are done in shards of rows, on
	// all cores; without any, the program runs operation by operation.
	Batched []*Node
	// Cache keeps what later runs may need again: values that depend on no changed input are not recomputed. Inputs
	// must then change through Load, or Touch must be called.
	Cache bool
}

// Compile compiles the nodes that outputs depend on into a program with one target. Inputs that have a Gorgonia value
// are read from its memory, others are given one; after each run the outputs' Value() is the result.
func Compile[T Float](outputs ...*Node) (*Program[T], error) {
	p, err := CompilePlan[T](Plan{Targets: [][]*Node{outputs}})
	if err != nil {
		return nil, err
	}
	for _, n := range outputs {
		if err := p.publish(n); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// A value is what a node is compiled to.
type value[T Float] struct {
	node     *Node
	shape    tensor.Shape
	batched  bool // one row per sample
	static   bool // depends on weights and constants only
	restless bool // by rows, but from something computed over the whole batch: never known to be up to date
	kept     bool // has memory of its own; otherwise it lives in a worker's arena while its shard is at work
	input    bool
	output   bool
	width    int // elements per row of a batched value
	stage    int
	buf      []T       // all of it, if kept
	slot     int       // place in the arena, if not kept
	part     []float64 // sums by row, of a reduction
	packed   *kernel.Packed[T]
	filter   *kernel.Filter[T] // packed weights of a convolution
	users    []int             // values computed from it, by shard
	load     []T               // where an input's rows come from at the next run
	store    []T               // where an output's rows are copied to
}

// instr computes one value.
type instr[T Float] struct {
	name  string
	run   func(c *call[T])
	in    []int
	out   int
	kind  split
	stage int
	rows  int     // rows that a joint instruction may be divided into; 1 for not at all
	grain int     // rows per task of a joint instruction; 0 for a quarter or so
	work  float64 // floating-point operations, roughly
	room  int     // memory that it works in, elements
	each  int     // rows of a product by one sample
}

// compiler holds what CompilePlan builds up.
type compiler[T Float] struct {
	p       *Program[T]
	index   map[*Node]int
	batched map[*Node]bool
	packs   map[packKey]int
	filters map[filterKey]int
	uses    map[*Node]int // how often a node is an operand or an output
}

type packKey struct {
	weight int
	trans  bool
}

// CompilePlan compiles a plan.
func CompilePlan[T Float](pl Plan) (*Program[T], error) {
	var outputs []*Node
	for _, t := range pl.Targets {
		outputs = append(outputs, t...)
	}
	if len(outputs) == 0 {
		return nil, errors.New("graph: nothing to compile: no outputs given")
	}
	for _, n := range outputs {
		if n == nil {
			return nil, errors.New("graph: compile: an output is nil: look at the Builder's Err first")
		}
		if n.Dtype() != dtypeOf[T]() {
			return nil, errors.Errorf("graph: compile: %s is %v, the program is to be %v", label(n), n.Dtype(), dtypeOf[T]())
		}
	}
	c := &compiler[T]{
		p:       &Program[T]{cache: pl.Cache, rows: 1, instrs: nil},
		index:   make(map[*Node]int),
		batched: make(map[*Node]bool),
		packs:   make(map[packKey]int),
		filters: make(map[filterKey]int),
		uses:    make(map[*Node]int),
	}
	c.p.index = c.index
	for _, n := range pl.Batched {
		if n == nil || n.Op() != nil || n.Shape().Dims() == 0 {
			return nil, errors.New("graph: compile: Plan.Batched holds a node that is no input [batch, ...]")
		}
		rows := n.Shape()[0]
		if len(c.batched) > 0 && rows != c.p.rows {
			return nil, errors.Errorf("graph: compile: %s has %d rows, other batched inputs have %d", label(n), rows, c.p.rows)
		}
		c.batched[n], c.p.rows = true, rows
	}
	order := topological(outputs...)
	for _, n := range order {
		for _, k := range children(n) {
			c.uses[k]++
		}
	}
	for _, n := range outputs {
		c.uses[n]++
	}
	for _, n := range order {
		if err := c.add(n); err != nil {
			return nil, errors.Wrapf(err, "graph: compile %s", label(n))
		}
	}
	for _, n := range outputs {
		c.p.values[c.index[n]].output = true
	}
	c.p.prune(pl.Targets)
	c.p.place()
	return c.p, nil
}

// add makes the value of n and, unless it is an input, the instruction that computes it.
func (c *compiler[T]) add(n *Node) error {
	p := c.p
	c.index[n] = len(p.values)
	v := value[T]{node: n, shape: n.Shape(), slot: -1, stage: -1}
	o, fused := n.Op().(*op)
	switch {
	case n.Op() == nil:
		v.input, v.kept, v.batched, v.static = true, true, c.batched[n], !c.batched[n]
		if v.batched {
			v.width = v.shape.TotalSize() / p.rows
		}
		if n.Value() == nil {
			if err := gorgonia.Let(n, tensor.New(tensor.WithShape(v.shape...), tensor.Of(n.Dtype()))); err != nil {
				return err
			}
		}
		data, ok := n.Value().Data().([]T)
		if !ok {
			return errors.Errorf("its value holds %T", n.Value().Data())
		}
		v.buf = data
		p.values = append(p.values, v)
		return nil
	case isConstant(n):
		k, _ := constant(n)
		v.kept, v.static, v.buf = true, true, []T{T(k)}
		p.values = append(p.values, v)
		return nil
	}
	in := make([]int, 0, len(children(n)))
	batched := make([]bool, 0, cap(in))
	v.static = true
	for _, k := range children(n) {
		j := c.index[k]
		in = append(in, j)
		batched = append(batched, p.values[j].batched)
		v.static = v.static && p.values[j].static
		v.restless = v.restless || p.values[j].restless || !p.values[j].static && !p.values[j].batched
	}
	ins := instr[T]{in: in, kind: joint, rows: 1, name: n.Op().String()}
	if fused {
		ins.kind = o.spec.split(batched)
		ins.run = bind[T](o.spec)
		ins.work, ins.room = float64(v.shape.TotalSize()), roomOf(o.spec, o.shapes())
		if w, ok := o.spec.(costly); ok {
			ins.work = w.work(o.shapes())
		}
		specialise(c, o.spec, &ins, n)
	} else {
		if err := sound(n); err != nil {
			return err
		}
		ins.run = foreign[T](n)
	}
	if ins.kind == rowwise {
		v.batched = true
		v.width = v.shape.TotalSize() / p.rows
	}
	if ins.kind == reduce {
		v.part = make([]float64, p.rows)
	}
	// The packed weight, if any, was appended after id was chosen.
	c.index[n], ins.out = len(p.values), len(p.values)
	p.values = append(p.values, v)
	p.instrs = append(p.instrs, ins)
	return nil
}

func isConstant(n *Node) bool {
	_, ok := constant(n)
	return ok
}

// bind picks the kernel of T.
func bind[T Float](s spec) func(*call[T]) {
	var run any = s.f64
	if dtypeOf[T]() == tensor.Float32 {
		run = s.f32
	}
	return run.(func(*call[T]))
}

// specialise lets a compiled operation change its instruction.
func specialise[T Float](c *compiler[T], s spec, ins *instr[T], n *Node) {
	o, is := s.(compiled)
	if !is {
		return
	}
	switch c := any(c).(type) {
	case *compiler[float32]:
		o.compile32(c, any(ins).(*instr[float32]), n)
	case *compiler[float64]:
		o.compile64(c, any(ins).(*instr[float64]), n)
	}
}
