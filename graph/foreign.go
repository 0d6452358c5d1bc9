package graph

import (
	"unsafe"

	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// foreign makes an operation of Gorgonia's own an instruction over the whole batch. It allocates.
func foreign[T Float](n *Node) func(*call[T]) {
	return func(c *call[T]) {
		c.err = runForeign(n.Op(), c)
	}
}

func runForeign[T Float](o gorgonia.Op, c *call[T]) (err error) {
	defer func() { // on a worker's goroutine a panic would end the process
		if r := recover(); r != nil {
			err = errors.Errorf("panic: %v", r)
		}
	}()
	vs := make([]gorgonia.Value, len(c.src))
	for i, s := range c.src {
		if c.shapes[i].IsScalar() {
			vs[i] = scalarCell([]T{s[0]})
			continue
		}
		// a copy: some operations write to their operands
		vs[i] = tensor.New(tensor.WithShape(c.shapes[i]...), tensor.WithBacking(append([]T(nil), s...)))
	}
	v, err := o.Do(vs...)
	if err != nil {
		return err
	}
	if t, ok := v.(tensor.Tensor); ok && !t.IsScalar() && (t.RequiresIterator() || t.DataOrder().IsColMajor()) {
		m, isDense := t.(*tensor.Dense)
		if !isDense {
			return errors.New("a result that is no dense tensor")
		}
		v = m.Materialize().(gorgonia.Value)
	}
	result := elements[T](v)
	if len(result) != len(c.dst) {
		return errors.Errorf("a result of %d elements where its shape promises %d", len(result), len(c.dst))
	}
	copy(c.dst, result)
	return nil
}

// scalarCell is a Gorgonia scalar that shares the memory of buf[0].
func scalarCell[T Float](buf []T) gorgonia.Value {
	if dtypeOf[T]() == tensor.Float32 {
		return (*gorgonia.F32)(unsafe.Pointer(&buf[0]))
	}
	return (*gorgonia.F64)(unsafe.Pointer(&buf[0]))
}
