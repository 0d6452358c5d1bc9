package graph

import (
	"gorgonia.org/tensor"

	"github.com/pcgraph/pcgraph/internal/kernel"
)

// mostSums bounds the partial sums of a convolution's weight gradient, and sumElements their memory, in elements.
const (
	mostSums    = 16
	fewestSums  = 4
	sumElements = 1 << 22
)

type filterKey struct {
	weight  int
	conv    kernel.Conv
	adjoint bool
}

// convolve makes a convolution or its transpose use a filter that is packed once per change of the weights.
func (c *compiler[T]) convolve(ins *instr[T], conv kernel.Conv, adjoint, bias bool, out tensor.Shape) {
	p := c.p
	ins.work = convWork(conv, out[0])
	if ins.kind == joint {
		ins.rows, ins.grain = out[0], 1
	}
	key := filterKey{ins.in[1], conv, adjoint}
	id, have := c.filters[key]
	if !have {
		filter := kernel.NewFilter[T](conv)
		if adjoint {
			filter = kernel.NewAdjoint[T](conv)
		}
		w := p.values[ins.in[1]]
		id = len(p.values)
		c.filters[key] = id
		p.values = append(p.values, value[T]{shape: w.shape, static: w.static, kept: true, slot: -1, stage: -1, filter: filter})
		p.instrs = append(p.instrs, instr[T]{
			name: "pack filter", in: []int{ins.in[1]}, out: id, kind: joint, rows: 1, work: 4 * float64(w.shape.TotalSize()),
			run: func(c *call[T]) { filter.Pack(c.src[0]) },
		})
	}
	filter := p.values[id].filter
	ins.in = append([]int{ins.in[0], id}, ins.in[2:]...)
	ins.room = filter.Room()
	ins.run = func(c *call[T]) { applyFilter(filter, bias, c) }
}

// convWork is the number of operations of a convolution of a batch.
func convWork(c kernel.Conv, batch int) float64 {
	return 2 * float64(yShape(c, batch).TotalSize()) * float64(c.Kernel[0]*c.Kernel[1]*c.In/c.Groups)
}

// correlate makes a weight gradient two instructions: partial sums over ranges of the batch, which are tasks of their
// own, and their sum. The ranges depend on the shapes alone.
func (c *compiler[T]) correlate(ins *instr[T], conv kernel.Conv, out tensor.Shape) {
	p := c.p
	batch, size := p.values[ins.in[0]].shape[0], out.TotalSize()
	parts := min(max(sumElements/size, fewestSums), mostSums, batch)
	sum := kernel.NewConvSum[T](conv)
	id := len(p.values)
	p.values = append(p.values, value[T]{shape: tensor.Shape{parts, size}, static: p.values[ins.in[0]].static && p.values[ins.in[1]].static, kept: true, slot: -1, stage: -1})
	p.instrs = append(p.instrs, instr[T]{
		name: "partial " + ins.name, in: ins.in, out: id, kind: joint, rows: parts, grain: 1, room: sum.Room(), work: convWork(conv, batch),
		run: func(c *call[T]) {
			clear(c.dst)
			if c.srcZero[0] || c.srcZero[1] {
				return
			}
			for k := range c.rows() {
				part := c.lo + k
				sumImages(sum, c.dst[k*size:(k+1)*size], c, batch*part/parts, batch*(part+1)/parts)
			}
		},
	})
	ins.in, ins.rows, ins.grain, ins.work = []int{id}, out[0], 1, float64(parts*size)
	rows := size / out[0]
	ins.run = func(c *call[T]) {
		lo, n := c.lo*rows, len(c.dst)
		copy(c.dst, c.src[0][lo:lo+n])
		for k := 1; k < parts; k++ {
			kernel.Add(c.dst, c.dst, c.src[0][k*size+lo:][:n])
		}
	}
}
