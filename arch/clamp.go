package arch

import (
	"fmt"
	"math/rand/v2"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/internal/kernel"
)

// A clamp is a site whose activity is data, all of it or some units.
type clamp[T graph.Float] struct {
	name     string
	site     *graphSite
	width    int // elements per sample
	set      bool
	rows     []T // its part of rows that hold several sites side by side; nil if it is alone
	mask     []T // nil if all units are clamped
	unitMask []T // the mask of every sample, if it is the same
	activity []T // the part of the state slab that shows the activity of a masked site; nil if there is none
}

// show writes the clamped units' data to the state slab, so that it shows the activity.
func (c *clamp[T]) show(p *graph.Program[T]) {
	if c.activity == nil || !c.set {
		return
	}
	values := p.Value(c.site.data)
	for i, m := range c.mask {
		if m != 0 {
			c.activity[i] = values[i]
		}
	}
}

// hold gives clamped sites their memory, and free ones the start of inference; at finds the field of a state.
func (m *Model[T]) hold(at map[*graph.Node]int) {
	for _, p := range m.u.sites {
		var part []T
		if p.state != nil {
			part = m.state.Part(m.state.Data(), at[p.state])
		}
		switch {
		case p.isError:
			m.begin = append(m.begin, func() { clear(part) })
		case part != nil && p.block >= 0 && m.net.Blocks[p.block].Start != nil:
			values := draws[T](*m.net.Blocks[p.block].Start, len(part))
			m.begin = append(m.begin, func() { copy(part, values) })
		}
		if p.hold == Free {
			continue
		}
		size := p.data.Shape().TotalSize()
		c := &clamp[T]{name: p.name, site: p, width: size / m.plan.Batch}
		if p.hold == Masked {
			c.mask = make([]T, size)
			kernel.Fill(c.mask, 1)
			m.prog.Load(p.mask, c.mask)
			m.prog.LoadNow()
			if part != nil && !p.isError {
				c.activity = part
				m.begin = append(m.begin, func() { c.show(m.prog) })
			}
		}
		m.clamps = append(m.clamps, c)
		if p.input {
			m.x = append(m.x, c)
		}
		if p.output {
			m.y = append(m.y, c)
		}
	}
	for _, side := range [][]*clamp[T]{m.x, m.y} {
		for _, c := range side {
			if len(side) > 1 {
				c.rows = make([]T, c.width*m.plan.Batch)
			}
		}
	}
}

// draws draws n numbers from a start.
func draws[T graph.Float](s Start, n int) []T {
	rng := rand.New(rand.NewPCG(s.Seed, 0))
	xs := make([]T, n)
	for i := range xs {
		xs[i] = T(s.draw(rng))
	}
	return xs
}

// Clamp fixes the data: x [batch, in...] and y [batch, out...], a sample's inputs and outputs side by side if there are
// several, without those that are free; nil if all are. It copies both, reads the weights anew and refuses numbers that are
// not finite. The activities stay as they are: call Forward next. It panics if x or y has another length.
func (m *Model[T]) Clamp(x, y []T) error {
	m.enter("Clamp")
	defer m.leave()
	m.batchSized("Clamp", "x", len(x), width(m.x))
	m.batchSized("Clamp", "y", len(y), width(m.y))
	m.spread(m.x, x)
	m.spread(m.y, y)
	if !m.prog.LoadNow() {
		if err := m.finite("x", x, width(m.x)); err != nil {
			return err
		}
		return m.finite("y", y, width(m.y))
	}
	for _, ends := range [][]*clamp[T]{m.x, m.y} {
		for _, c := range ends {
			c.set = true
			c.show(m.prog)
		}
	}
	m.refresh(true)
	return nil
}

// batchSized panics if a slice is not a batch of samples of a width.
func (m *Model[T]) batchSized(method, name string, got, width int) {
	if want := m.plan.Batch * width; got != want {
		panic(fmt.Sprintf("arch: %s: %s has %d numbers: want %d, %d for each of the %d samples of the batch", method, name, got, want, width, m.plan.Batch))
	}
}

// width is the number of elements per sample of several sites.
func width[T graph.Float](cs []*clamp[T]) int {
	n := 0
	for _, c := range cs {
		n += c.width
	}
	return n
}

// finite refuses data [batch, width] that are not.
func (m *Model[T]) finite(name string, data []T, width int) error {
	if i := kernel.FirstNonFinite(data); i >= 0 {
		return errors.Errorf("arch: clamp: %s of sample %d, element %d is %v: clean the data", name, i/width, i%width, data[i])
	}
	return nil
}

// spread hands rows to the sites that they are side by side of.
func (m *Model[T]) spread(cs []*clamp[T], rows []T) {
	total, lo := width(cs), 0
	for _, c := range cs {
		if len(cs) == 1 {
			m.prog.Load(c.site.data, rows)
			return
		}
		for i := range m.plan.Batch {
			copy(c.rows[i*c.width:(i+1)*c.width], rows[i*total+lo:])
		}
		lo += c.width
		m.prog.Load(c.site.data, c.rows)
	}
}

// ClampSite is Clamp for one site, of values [batch, ...]: the way to clamp what is neither input nor output. It panics if
// values has another length.
func (m *Model[T]) ClampSite(name string, values []T) error {
	m.enter("ClampSite")
	defer m.leave()
	c := m.clamp(name)
	if c == nil {
		return errors.Errorf("arch: clamp: %q is no clamped site of this model: say arch.Clamped or arch.Masked in Plan.Hold", name)
	}
	m.batchSized("ClampSite", name, len(values), c.width)
	m.prog.Load(c.site.data, values)
	if !m.prog.LoadNow() {
		return m.finite(name, values, c.width)
	}
	c.set = true
	c.show(m.prog)
	m.refresh(true)
	return nil
}

// Mask says which units of a masked site are clamped to its data, 1, and which are free, 0: of each sample [batch, ...], or
// of one for all, which then holds for the models that Resized gives, too. Until it is called all are clamped.
func (m *Model[T]) Mask(name string, mask []T) error {
	m.enter("Mask")
	defer m.leave()
	c := m.clamp(name)
	if c == nil || c.mask == nil {
		return errors.Errorf("arch: mask: %q is no masked site of this model: say arch.Masked in Plan.Hold", name)
	}
	if len(mask) != len(c.mask) && len(mask) != c.width {
		return errors.Errorf("arch: mask: %d numbers for %q: want %d, one per unit, or %d, one per unit and sample", len(mask), name, c.width, len(c.mask))
	}
	for i, v := range mask {
		if v != 0 && v != 1 {
			return errors.Errorf("arch: mask: element %d for %q is %v: want 1, clamped, or 0, free", i, name, v)
		}
	}
	c.unitMask = nil
	if len(mask) == c.width {
		c.unitMask = append([]T(nil), mask...)
		for _, r := range m.resized {
			if err := r.Mask(name, mask); err != nil {
				return err
			}
		}
	}
	m.setMask(c, mask)
	return nil
}

// setMask is Mask of what has been checked.
func (m *Model[T]) setMask(c *clamp[T], mask []T) {
	for i := 0; i < len(c.mask); i += len(mask) {
		copy(c.mask[i:], mask)
	}
	m.prog.Load(c.site.mask, c.mask)
	m.prog.LoadNow()
	c.show(m.prog)
}

// clamp finds a clamped or masked site; nil if there is none.
func (m *Model[T]) clamp(name string) *clamp[T] {
	for _, c := range m.clamps {
		if c.name == name {
			return c
		}
	}
	return nil
}

// TakesBatches reports what stands in the way of training on inputs and targets alone: an end that is free, or another site
// that needs data.
func (m *Model[T]) TakesBatches() error {
	m.there("TakesBatches")
	for _, p := range m.u.sites {
		if ends := p.input || p.output; ends == (p.hold == Free) {
			if ends {
				return errors.Errorf("a model with a free input or output, %q, cannot take a batch of both: compile it with both clamped", p.name)
			}
			return errors.Errorf("a model with %q clamped needs more data than a batch of inputs and targets: compile it with that free", p.name)
		}
	}
	return nil
}
