package graph

import (
	"github.com/pkg/errors"
	"gorgonia.org/tensor"
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

// CompilePlan compiles a plan: every node becomes a value and an instruction, in topological order; instructions are scheduled
// in stages, values get memory by linear-scan allocation, and the program is the resulting code with that memory.
func CompilePlan[T Float](pl Plan) (*Program[T], error) {
	code, err := compile[T](pl)
	if err != nil {
		return nil, err
	}
	return newProgram(code)
}

// code is what a plan is compiled to. It holds no numbers and does not change once it is compiled.
type code[T Float] struct {
	values  []value
	instrs  []instr[T] // in topological order
	used    []bool     // by instruction: some target needs it
	targets []target
	index   map[*Node]int // value of a node
	rows    int           // samples of the batch; 1 if nothing is batched
	cache   bool
	memory  layout
}

// A value is what a node is compiled to: a number or an array, of which memory is no part.
type value struct {
	node         *Node // nil for what the compiler adds, such as a packed weight
	shape        tensor.Shape
	batched      bool // one row per sample
	static       bool // depends on weights and constants only
	untracked    bool // by rows, but from something computed over the whole batch: never known to be up to date
	materialised bool // has memory of its whole size; otherwise it exists for one shard at a time, in the memory of a worker
	input        bool
	output       bool
	packed       bool  // a weight in the form that its kernel reads
	width        int   // elements per row of a batched value
	stage        int   // when it is there, see scheduleStages
	slot         int   // of the shared memory if it is materialised, else of a worker's; -1 for memory of its own
	dependents   []int // values computed from it, by shard
}

// size is the number of elements of a value.
func (v *value) size(rows int) int {
	if v.batched {
		return rows * v.width
	}
	return max(1, v.shape.TotalSize())
}

// instr computes one value.
type instr[T Float] struct {
	name   string
	run    func(c *call[T])
	alloc  func(m *cell[T]) // makes the memory of a packed result
	in     []int
	out    int
	packed int // value whose packed form run reads or writes; -1 for none
	kind   split
	stage  int
	rows   int     // rows that a joint instruction may be divided into; 1 for not at all
	grain  int     // rows per task of a joint instruction; 0 for a quarter or so
	work   float64 // floating-point operations, roughly
	room   int     // scratch memory, elements
	each   int     // rows of a product by one sample
}

// compiler holds what compile builds up.
type compiler[T Float] struct {
	*code[T]
	batched map[*Node]bool
	packs   map[any]int   // packed forms of weights, by what they are made of
	uses    map[*Node]int // how often a node is an operand or an output
}

func compile[T Float](pl Plan) (*code[T], error) {
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
		code:    &code[T]{cache: pl.Cache, rows: 1, index: make(map[*Node]int)},
		batched: make(map[*Node]bool),
		packs:   make(map[any]int),
		uses:    make(map[*Node]int),
	}
	for _, n := range pl.Batched {
		if n == nil || n.Op() != nil || n.Shape().Dims() == 0 {
			return nil, errors.New("graph: compile: Plan.Batched holds a node that is no input [batch, ...]")
		}
		rows := n.Shape()[0]
		if len(c.batched) > 0 && rows != c.rows {
			return nil, errors.Errorf("graph: compile: %s has %d rows, other batched inputs have %d", label(n), rows, c.rows)
		}
		c.batched[n], c.rows = true, rows
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
		c.values[c.index[n]].output = true
	}
	c.schedule(pl.Targets)
	c.allocate()
	return c.code, nil
}

// add makes the value of n and, unless it is an input or a constant, the instruction that computes it.
func (c *compiler[T]) add(n *Node) error {
	v := value{node: n, shape: n.Shape(), slot: -1, stage: -1}
	if n.Op() == nil || isConstant(n) {
		v.input, v.materialised = n.Op() == nil, true
		v.batched = c.batched[n]
		v.static = !v.batched
		if v.batched {
			v.width = v.shape.TotalSize() / c.rows
		}
		c.index[n] = len(c.values)
		c.values = append(c.values, v)
		return nil
	}
	kids := children(n)
	ins := instr[T]{kind: joint, rows: 1, packed: -1, name: n.Op().String()}
	batched := make([]bool, 0, len(kids))
	v.static = true
	for _, k := range kids {
		j := c.index[k]
		in := &c.values[j]
		ins.in = append(ins.in, j)
		batched = append(batched, in.batched)
		v.static = v.static && in.static
		v.untracked = v.untracked || in.untracked || !in.static && !in.batched
	}
	if o, fused := n.Op().(*op); fused {
		ins.kind, ins.run = o.spec.split(batched), bind[T](o.spec)
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
		v.width = v.shape.TotalSize() / c.rows
	}
	c.index[n] = c.append(v, ins)
	return nil
}

// append adds a value and the instruction that computes it, and returns the value's number.
func (c *compiler[T]) append(v value, ins instr[T]) int {
	ins.out = len(c.values)
	c.values = append(c.values, v)
	c.instrs = append(c.instrs, ins)
	return ins.out
}

// pack returns the value that is the operand weight in the form that its kernel reads: made by alloc and written by run whenever
// the weight changes, once for all instructions of the same key.
func (c *compiler[T]) pack(key any, weight int, alloc func(m *cell[T]), run func(c *call[T])) int {
	id, have := c.packs[key]
	if !have {
		w := c.values[weight]
		v := value{shape: w.shape, static: w.static, materialised: true, packed: true, slot: -1, stage: -1}
		id = c.append(v, instr[T]{
			name: "pack", in: []int{weight}, packed: len(c.values), kind: joint, rows: 1, work: 4 * float64(w.shape.TotalSize()),
			alloc: alloc, run: run,
		})
		c.packs[key] = id
	}
	return id
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
