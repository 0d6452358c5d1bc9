package graph

import (
	"math"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
)

var twoLayers = netSpec{batch: 3, widths: []int{3, 4, 2}, act: Tanh, bias: true}

func TestProgram_RunTwiceEqualsRunOnce(t *testing.T) {
	n := build[float64](twoLayers)
	outs := append([]*Node{n.energy}, must(Grad(n.energy, n.free()...))(t)...)
	for _, cache := range []bool{false, true} {
		p := must(CompilePlan[float64](Plan{Targets: [][]*Node{outs}, Batched: batchedOf(n.b), Cache: cache}))(t)
		load(p, n.b, randomInputs(rng(10), n.b))
		p.Touch()
		ok(t, p.Run(0))
		once := copyOf(read(p, outs))
		ok(t, p.Run(0))
		same(t, "second run", read(p, outs), once)
		p.Reset()
		ok(t, p.RunAll())
		same(t, "RunAll", read(p, outs), once)
		ok(t, p.Close())
	}
}

func copyOf(xs [][]float64) [][]float64 {
	ys := make([][]float64, len(xs))
	for i, x := range xs {
		ys[i] = append([]float64(nil), x...)
	}
	return ys
}

func TestProgram_OutputsAreGorgoniaValues(t *testing.T) {
	n := build[float32](twoLayers)
	g := must(Grad(n.energy, n.states[0]))(t)[0]
	p := must(Compile[float32](n.energy, g))(t)
	var vm gorgonia.VM = p
	for seed := range uint64(2) { // Value follows every run
		vs := randomInputs(rng(seed), n.b)
		set(p, n.b, vs)
		ok(t, vm.RunAll())
		near(t, "energy", [][]float64{widen(elements[float32](n.energy.Value()))}, [][]float64{{p.Scalar(n.energy)}}, 1e-6)
		same(t, "gradient", [][]float64{widen(elements[float32](g.Value()))}, [][]float64{widen(p.Value(g))})
	}
}

func TestProgram_ReadsAnInputsOwnMemory(t *testing.T) {
	b := NewBuilder[float64]()
	v := NewVector[float64](Field{"W", []int{3, 2}}, Field{"b", []int{2}})
	x := b.Data("x", 2, 3)
	y := b.Linear(x, ParamOf(b, v, 0), ParamOf(b, v, 1), 1)
	p := must(Compile[float64](y))(t)
	copy(p.Value(x), []float64{1, 2, 3, 4, 5, 6})
	for i := range v.Data() {
		v.Data()[i] = float64(i)
	}
	ok(t, p.Run(0))
	want := plainProduct([]float64{1, 2, 3, 4, 5, 6}, []float64{0, 1, 2, 3, 4, 5}, 2, 3, 2, false, false, 1, []float64{6, 7})
	near(t, "xW+b", read(p, []*Node{y}), [][]float64{want}, 0)
}

// One buffer per node of a chain of 100 would be 100 x 64 x 64 x 8 bytes = 3.3 MB.
func TestProgram_ReusesStorage(t *testing.T) {
	b := NewBuilder[float64]()
	x := b.Data("x", 64, 64)
	h := x
	for range 100 {
		h = b.Act(Tanh, b.Scale(b.Act(SiLU, h), 1.1))
	}
	one := 8 * 64 * 64
	p := must(Compile[float64](h))(t)
	if p.Bytes() > 5*one {
		t.Errorf("a chain of 200 operations holds %d buffers, want 5 or fewer", p.Bytes()/one)
	}
	q := must(CompilePlan[float64](Plan{Targets: [][]*Node{{h}}, Batched: []*Node{x}}))(t)
	if q.Bytes() > 8*one {
		t.Errorf("by rows it holds %d buffers, want 8 or fewer", q.Bytes()/one)
	}
	vs := randomInputs(rng(11), b)
	got := evaluate[float64](t, b, vs, h)
	same(t, "by rows", sharded[float64](t, b, vs, h), got)
	near(t, "interpreted", got, interpret(t, b, vs, h), 1e-13)
}

// interpret evaluates nodes one by one by their Do: no sharing of memory, no skipping of zeros, no fusion.
func interpret(t tb, b *Builder, values [][]float64, outs ...*Node) [][]float64 {
	t.Helper()
	at := make(map[*Node]gorgonia.Value)
	for i, in := range b.Inputs() {
		at[in.Node] = denseOf(append([]float64(nil), values[i]...), in.Node.Shape())
	}
	for _, n := range topological(outs...) {
		if at[n] != nil {
			continue
		}
		if isConstant(n) {
			at[n] = n.Value()
			continue
		}
		var vs []gorgonia.Value
		for _, k := range children(n) {
			vs = append(vs, at[k])
		}
		at[n] = must(n.Op().Do(vs...))(t)
	}
	var rs [][]float64
	for _, n := range outs {
		rs = append(rs, elements[float64](at[n]))
	}
	return rs
}

func TestProgram_Float32IsFloat64Rounded(t *testing.T) {
	for _, s := range specs() {
		n, m := build[float64](s), build[float32](s)
		vs := randomInputs(rng(12), n.b)
		want := evaluate[float64](t, n.b, vs, append([]*Node{n.energy}, must(Grad(n.energy, n.free()...))(t)...)...)
		got := sharded[float32](t, m.b, vs, append([]*Node{m.energy}, must(Grad(m.energy, m.free()...))(t)...)...)
		near(t, s.act.String(), got, want, 1e-5) // some 100 roundings of 6e-8 of numbers of order 10
	}
}

// A row of the batch has the same bits in any batch and shard.
func TestProgram_ShardsChangeNoBit(t *testing.T) {
	s := netSpec{widths: []int{7, 9, 9, 3}, act: GELU, bias: true, skip: true}
	all := make(map[int][][]float64)
	for _, batch := range []int{100, 1, 31, 32, 33} {
		s.batch = batch
		n := build[float64](s)
		rows := must(Grad(n.b.Scale(n.energy, float64(batch)), n.states...))(t)
		vs := randomInputs(rng(13), n.b)
		for i := range vs { // the first rows of a batch of 100
			vs[i] = random(rng(uint64(i)), len(vs[i]))
		}
		outs := append([]*Node{n.energy}, rows...)
		outs = append(outs, n.preds...)
		outs = append(outs, must(Grad(n.energy, n.params...))(t)...)
		got := sharded[float64](t, n.b, vs, outs...)
		near(t, "unbatched", got, evaluate[float64](t, n.b, vs, outs...), 1e-13)
		all[batch] = copyOf(got[1 : 1+len(rows)+len(n.preds)])
		if batch == 100 {
			continue
		}
		for k, g := range all[batch] {
			same(t, "rows of a smaller batch", [][]float64{all[100][k][:len(g)]}, [][]float64{g})
		}
	}
}

// Without biases, whose sum the packed product takes up at its start, an unbatched program has the same bits too.
func TestProgram_BatchedEqualsUnbatchedToTheBit(t *testing.T) {
	for _, batch := range []int{1, 31, 32, 33, 100} {
		n := build[float64](netSpec{batch: batch, widths: []int{7, 9, 9, 3}, act: Tanh, skip: true})
		outs := append(must(Grad(n.b.Scale(n.energy, float64(batch)), n.states...))(t), must(Grad(n.energy, n.params...))(t)...)
		vs := randomInputs(rng(14), n.b)
		same(t, "batched", sharded[float64](t, n.b, vs, outs...), evaluate[float64](t, n.b, vs, outs...))
	}
}

// wide has enough work in each stage to be spread over cores, in every target.
var wide = netSpec{batch: 100, widths: []int{64, 96, 96, 10}, act: Tanh, bias: true}

func TestProgram_CoresChangeNoBit(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	var want [][]float64
	for _, cores := range []int{1, 2, 3} {
		runtime.GOMAXPROCS(cores)
		n := build[float32](wide)
		outs := append([]*Node{n.energy}, must(Grad(n.energy, n.free()...))(t)...)
		vs := randomInputs(rng(15), n.b)
		got := sharded[float32](t, n.b, vs, outs...)
		if want == nil {
			want = got
		}
		same(t, "cores", got, want)
	}
}

// Workers are shared by all programs: those that a bigger one has started have no memory in a smaller one.
func TestPool_WorkersBeyondTheLimitStayAway(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(8))
	var p pool
	for _, limit := range []int{8, 2, 3} {
		var highest, done atomic.Int64
		p.do(100, limit, func(worker, _ int) {
			for h := highest.Load(); int64(worker) > h && !highest.CompareAndSwap(h, int64(worker)); h = highest.Load() {
			}
			done.Add(1)
			time.Sleep(50 * time.Microsecond) // others would come in
		})
		if highest.Load() >= int64(limit) || done.Load() != 100 {
			t.Fatalf("worker %d of %d took part; %d of 100 tasks are done", highest.Load(), limit, done.Load())
		}
	}
}

// Every task runs once, whether helpers are quick, late or asleep, and the caller goes on only when all are done.
func TestPool_EveryTaskRunsOnce(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	var p pool
	r := rng(5)
	var ran [40]atomic.Int32
	for round := range 3000 {
		n := 1 + r.IntN(len(ran))
		slow := r.IntN(10) == 0
		p.do(n, 1+r.IntN(4), func(worker, i int) {
			if slow && i == n/2 {
				time.Sleep(100 * time.Microsecond) // long enough for the caller to park
			}
			ran[i].Add(1)
		})
		for i := range ran {
			want := int32(1)
			if i >= n {
				want = 0
			}
			if got := ran[i].Swap(0); got != want {
				t.Fatalf("round %d of %d tasks: task %d ran %d times", round, n, i, got)
			}
		}
		if r.IntN(20) == 0 {
			time.Sleep(200 * time.Microsecond) // long enough for helpers to park
		}
	}
}

// Two programs in two goroutines share the workers; run with -race.
func TestProgram_TwoAtOnce(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	var wg sync.WaitGroup
	results := make([][][]float64, 2)
	for i := range results {
		n := build[float32](wide)
		outs := append([]*Node{n.energy}, must(Grad(n.energy, n.free()...))(t)...)
		p := must(CompilePlan[float32](Plan{Targets: [][]*Node{outs}, Batched: batchedOf(n.b), Cache: true}))(t)
		vs := randomInputs(rng(16), n.b)
		load(p, n.b, vs)
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range 20 {
				p.Touch()
				if err := p.Run(0); err != nil {
					t.Error(err)
				}
			}
			results[i] = read(p, outs)
		}()
	}
	wg.Wait()
	same(t, "the other program", results[1], results[0])
}

func TestProgram_AllocatesNothing(t *testing.T) {
	for _, s := range []netSpec{twoLayers, wide} {
		n := build[float32](s)
		dz, dw := must(Grad(n.energy, n.states...))(t), must(Grad(n.energy, n.params...))(t)
		targets := [][]*Node{append([]*Node{n.energy}, dz...), append([]*Node{n.energy}, dw...)}
		p := must(CompilePlan[float32](Plan{Targets: append(targets, chainTargets(n)...), Batched: batchedOf(n.b), Cache: true}))(t)
		chain := must(p.Chain(chainOf[float32](n, 2)))(t)
		vs := randomInputs(rng(17), n.b)
		load(p, n.b, vs)
		z := make([]float32, n.states[0].Shape().TotalSize())
		dst := make([]float32, len(z))
		step := func() {
			for i := range z {
				z[i] += .25
			}
			p.Load(n.states[0], z)
			p.Store(dz[0], dst)
			ok(t, p.Run(0))
			p.Touch()
			ok(t, p.Run(1))
			ok(t, p.RunChain(chain))
			_ = p.Scalar(n.energy)
		}
		step()
		if a := testing.AllocsPerRun(20, step); a != 0 {
			t.Errorf("%v allocations per run at widths %v, want none", a, s.widths)
		}
	}
}

// chainTargets and chainOf are the feedforward pass of a net: each hidden prediction becomes its activity.
func chainTargets(n net) (ts [][]*Node) {
	for i := range n.states {
		ts = append(ts, []*Node{n.preds[i]})
	}
	return ts
}

func chainOf[T Float](n net, first int) (links []Link[T]) {
	for i, z := range n.states {
		links = append(links, Link[T]{Target: first + i, From: n.preds[i], To: z, Copy: make([]T, z.Shape().TotalSize())})
	}
	return links
}

func TestProgram_RunChainFeedsValuesForward(t *testing.T) {
	for _, cache := range []bool{false, true} {
		for _, batch := range []int{1, 33, 100} {
			n := build[float64](netSpec{batch: batch, widths: []int{5, 6, 6, 6, 2}, act: SiLU, bias: true, skip: true})
			p := must(CompilePlan[float64](Plan{Targets: append(chainTargets(n), []*Node{n.energy}), Batched: batchedOf(n.b), Cache: cache}))(t)
			links := chainOf[float64](n, 0)
			chain := must(p.Chain(links))(t)
			for seed := range uint64(2) {
				vs := randomInputs(rng(seed), n.b)
				load(p, n.b, vs)
				p.Touch()
				ok(t, p.RunChain(chain))
				for i, in := range n.b.Inputs() { // by hand, in the order of the layers
					for l, z := range n.states {
						if in.Node == z {
							copy(vs[i], evaluateBatched(t, n.b, vs, n.preds[l]))
							same(t, "copy", [][]float64{links[l].Copy}, [][]float64{vs[i]})
						}
					}
				}
				ok(t, p.Run(len(n.states)))
				near(t, "energy after the pass", [][]float64{{p.Scalar(n.energy)}}, interpret(t, n.b, vs, n.energy), 1e-12)
			}
		}
	}
}

func evaluateBatched(t *testing.T, b *Builder, vs [][]float64, n *Node) []float64 {
	return append([]float64(nil), sharded[float64](t, b, vs, n)[0]...)
}

func TestProgram_ErrorsOfGorgoniaOperationsAreReturned(t *testing.T) {
	b := NewBuilder[float64]()
	x := b.Data("x", 4, 4)
	for i, panics := range []bool{false, true} {
		bad := b.Do("bad", func() (*Node, error) {
			return gorgonia.ApplyOp(failing{&op{spec: copied{i}, kids: []*Node{x}, out: x.Shape(), dt: x.Dtype()}, panics}, x)
		})
		ok(t, b.Err())
		p := must(Compile[float64](bad))(t)
		refused(t, p.Run(0), "graph: run", "out of order")
		refused(t, p.RunAll(), "out of order") // and again: the program is not broken by it
	}
}

// failing is an operation of somebody else's that fails when it is run.
type failing struct {
	*op
	panics bool
}

func (f failing) Do(...gorgonia.Value) (gorgonia.Value, error) {
	if f.panics {
		panic("out of order")
	}
	return nil, errors.New("out of order")
}

// TestProgram_InUse: while one call is under way every other one panics with a sentence, and all work after it.
func TestProgram_InUse(t *testing.T) {
	b := NewBuilder[float64]()
	x := b.State("x", 2, 3)
	y := b.Act(Tanh, x)
	ok(t, b.Err())
	p := must(CompilePlan[float64](Plan{Targets: [][]*Node{{y}}, Batched: []*Node{x}}))(t)
	v := make([]float64, 6)
	var none *Program[float64]
	calls := func(p *Program[float64]) map[string]func() {
		return map[string]func(){
			"Run": func() { _ = p.Run(0) }, "RunAll": func() { _ = p.RunAll() }, "Load": func() { p.Load(x, v) }, "LoadNow": func() { p.LoadNow() },
			"Store": func() { p.Store(y, v) }, "Into": func() { p.Into(y, v) }, "Touch": func() { p.Touch() }, "RunChain": func() { _ = p.RunChain(nil) },
			"RunSteps": func() { _, _ = p.RunSteps(nil, 1, 1) },
		}
	}
	message := func(f func()) (s string) {
		defer func() { s, _ = recover().(string) }()
		f()
		return ""
	}
	p.enter("Run")
	for name, call := range calls(p) {
		if s := message(call); !strings.Contains(s, "another call of the same Program has not returned") {
			t.Errorf("%s in the middle of another call: panic %q", name, s)
		}
	}
	p.leave()
	for name, call := range calls(p) {
		if s := message(call); name != "RunSteps" && s != "" {
			t.Errorf("%s: panic %q", name, s)
		}
	}
	for name, call := range calls(none) {
		if s := message(call); !strings.Contains(s, "of a nil Program: look at the error") {
			t.Errorf("%s of a nil Program: panic %q", name, s)
		}
	}
	for name, test := range map[string]struct {
		call func()
		want string
	}{
		"Load":  {func() { p.Load(x, v[:5]) }, "5 numbers for x, which has 6"},
		"Store": {func() { p.Store(y, v[:5]) }, "which has 6 numbers, to a slice of 5"},
		"Into":  {func() { p.Into(y, v[:5]) }, "Into a slice of 5 numbers"},
	} {
		if s := message(test.call); !strings.Contains(s, test.want) {
			t.Errorf("%s of a wrong length: panic %q, want %q", name, s, test.want)
		}
	}
	if err := p.Run(1); err == nil {
		t.Error("a target that there is not is run")
	}
}

// TestElements_RefusesOverflow: products that no int holds, or no machine.
func TestElements_RefusesOverflow(t *testing.T) {
	for _, shape := range [][]int{{math.MaxInt, 2}, {1 << 30, 1 << 30}, {-1}, {2, -3}, {math.MaxInt}, {1 << 16, 1 << 16, 1 << 16, 1 << 16}} {
		if n, fits := Elements(shape); fits {
			t.Errorf("%v is taken for %d elements", shape, n)
		}
		b := NewBuilder[float64]()
		if b.State("x", shape...); b.Err() == nil {
			t.Errorf("an input of shape %v is accepted", shape)
		}
	}
	b := NewBuilder[float64]()
	x, w := b.State("x", 1<<30, 1), b.Param("w", 1, 1<<30)
	if b.Linear(x, w, nil, 1); b.Err() == nil || !strings.Contains(b.Err().Error(), "look at the dimensions") {
		t.Errorf("a product of 2^60 elements: error %v", b.Err())
	}
	for _, test := range []struct {
		shape []int
		want  int64
	}{{nil, 1}, {[]int{3, 4}, 12}, {[]int{5, 0}, 0}, {[]int{0, math.MaxInt32}, 0}} {
		if n, fits := Elements(test.shape); !fits || n != test.want {
			t.Errorf("%v: %d elements (%v), want %d", test.shape, n, fits, test.want)
		}
	}
}
