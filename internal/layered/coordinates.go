package layered

import (
	"math"
	"sort"
)

// A space is what a column has of the width.
type space struct {
	from, to float64 // where its boxes may be
	used     bool
}

// distance is the least from the middle of a vertex to that of the next one.
func (p *proper) distance(g Graph, a, b int) float64 {
	gap := g.NodeGap
	if p.vertices[a].node < 0 || p.vertices[b].node < 0 {
		gap = g.EdgeGap
	}
	return (p.vertices[a].width+p.vertices[b].width)/2 + gap
}

// columns gives every column the width that its fullest layer needs, and every vertex its first x, in the middle of its column.
func (p *proper) columns(g Graph) *spaces {
	s := &spaces{g: g}
	for _, row := range p.rows {
		p.eachColumn(row, func(part []int) {
			column := p.vertices[part[0]].column
			for len(s.columns) <= column {
				s.columns = append(s.columns, space{})
			}
			s.columns[column].to = math.Max(s.columns[column].to, p.extent(g, part))
			s.columns[column].used = true
		})
	}
	x := 0.
	for i := range s.columns {
		c := &s.columns[i]
		if !c.used {
			c.from, c.to = x, x
			continue
		}
		c.from, c.to = x+g.ColumnPad, x+g.ColumnPad+c.to
		x = c.to + g.ColumnPad + g.ColumnGap
	}
	for _, row := range p.rows {
		p.eachColumn(row, func(part []int) {
			c := s.columns[p.vertices[part[0]].column]
			x := (c.from + c.to - p.extent(g, part)) / 2
			for i, v := range part {
				if i == 0 {
					x += p.vertices[v].width / 2
				} else {
					x += p.distance(g, part[i-1], v)
				}
				p.vertices[v].x = x
			}
		})
	}
	return s
}

// spaces are the columns of a graph.
type spaces struct {
	g       Graph
	columns []space
}

// extent is the least width of neighbouring vertices.
func (p *proper) extent(g Graph, part []int) float64 {
	w := (p.vertices[part[0]].width + p.vertices[part[len(part)-1]].width) / 2
	for i := 1; i < len(part); i++ {
		w += p.distance(g, part[i-1], part[i])
	}
	return w
}

// alignments is how often the rows are aligned, downwards and upwards in turn, and at last with both sides.
const alignments = 40

// abscissae moves the vertices below and above their neighbours, as far as the order and the distances allow.
func (p *proper) abscissae(s *spaces) {
	for k := range alignments {
		for i := range p.rows {
			row := p.rows[i]
			if k%2 == 1 {
				row = p.rows[len(p.rows)-1-i]
			}
			p.eachColumn(row, func(part []int) {
				goal, weight := make([]float64, len(part)), make([]float64, len(part))
				for j, v := range part {
					goal[j], weight[j] = p.pull(v, k)
				}
				p.settle(s, part, goal, weight)
			})
		}
	}
}

// pull is where the neighbours of a vertex want it, and how much. Edges that pass a layer pull more, so that long edges become
// straight. In the first rounds only one side pulls, in the others both do.
func (p *proper) pull(v, round int) (goal, weight float64) {
	me := &p.vertices[v]
	sides := [][]int{me.up, me.down}
	if round < alignments/2 {
		if side := sides[round%2]; len(side) > 0 {
			sides = [][]int{side}
		}
	}
	for _, side := range sides {
		for _, n := range side {
			w := 1.
			if me.node < 0 {
				w *= 3
			}
			if p.vertices[n].node < 0 {
				w *= 3
			}
			goal, weight = goal+w*p.vertices[n].x, weight+w
		}
	}
	if weight == 0 {
		return me.x, 1e-3
	}
	return goal / weight, weight
}

// settle gives neighbouring vertices of a column the x that minimise
//
//	sum over i of weight_i (x_i - goal_i)^2
//
// with x_i+1 - x_i at least their distance and all of them within the column. Less the distances this is isotonic regression:
// neighbours that would be in the wrong order are pooled at their weighted mean, and limits are kept by cutting off (Barlow et
// al. 1972).
func (p *proper) settle(s *spaces, part []int, goal, weight []float64) {
	type pool struct {
		sum, weight float64
		n           int
	}
	offset := make([]float64, len(part))
	var pools []pool
	for i, v := range part {
		if i > 0 {
			offset[i] = offset[i-1] + p.distance(s.g, part[i-1], v)
		}
		pools = append(pools, pool{weight[i] * (goal[i] - offset[i]), weight[i], 1})
		for k := len(pools) - 1; k > 0 && pools[k-1].sum*pools[k].weight >= pools[k].sum*pools[k-1].weight; k-- {
			pools[k-1] = pool{pools[k-1].sum + pools[k].sum, pools[k-1].weight + pools[k].weight, pools[k-1].n + pools[k].n}
			pools = pools[:k]
		}
	}
	c, last := s.columns[p.vertices[part[0]].column], len(part)-1
	lo, hi := c.from+p.vertices[part[0]].width/2, c.to-p.vertices[part[last]].width/2-offset[last]
	i := 0
	for _, q := range pools {
		at := math.Max(lo, math.Min(hi, q.sum/q.weight))
		for range q.n {
			p.vertices[part[i]].x = at + offset[i]
			i++
		}
	}
}

// finish gives the layers their y and routes the edges.
func (p *proper) finish(g Graph, s *spaces) Layout {
	l := Layout{Nodes: make([]Rect, len(g.Nodes))}
	high := make([]float64, len(p.rows)) // of the highest box
	for k, row := range p.rows {
		for _, v := range row {
			if n := p.vertices[v].node; n >= 0 {
				high[k] = math.Max(high[k], g.Nodes[n].Height)
			}
		}
	}
	into := p.entries(g)
	top := make([]float64, len(p.rows)) // of the layer
	y := g.ColumnPad
	for k := range p.rows {
		if k > 0 {
			far := 0.
			for _, v := range p.rows[k-1] {
				for _, d := range p.vertices[v].down {
					far = math.Max(far, math.Abs(p.vertices[v].x-p.vertices[d].x))
				}
			}
			y += math.Max(g.LayerGap, math.Min(3*g.LayerGap, .12*far)) // flat lines need room
		}
		top[k] = y
		y += high[k]
	}
	l.Height = y + g.ColumnPad
	for i, n := range g.Nodes {
		v := p.vertices[i]
		l.Nodes[i] = Rect{v.x - n.Width/2, top[v.layer] + (high[v.layer]-n.Height)/2, n.Width, n.Height}
	}
	for e, chain := range p.chains {
		from := l.Nodes[chain[0]]
		x := p.vertices[chain[0]].x
		points := []Point{{x, from.Y + from.Height}, {x, top[p.vertices[chain[0]].layer] + high[p.vertices[chain[0]].layer]}}
		for i, v := range chain[1:] {
			layer := p.vertices[v].layer
			if i == len(chain)-2 {
				points = append(points, Point{into[e], top[layer]}, Point{into[e], l.Nodes[v].Y})
				break
			}
			points = append(points, Point{p.vertices[v].x, top[layer]}, Point{p.vertices[v].x, top[layer] + high[layer]})
		}
		l.Edges = append(l.Edges, points)
	}
	for _, c := range s.columns {
		if !c.used {
			l.Columns = append(l.Columns, Rect{X: c.from, Height: l.Height})
			continue
		}
		l.Columns = append(l.Columns, Rect{c.from - g.ColumnPad, 0, c.to - c.from + 2*g.ColumnPad, l.Height})
		l.Width = c.to + g.ColumnPad
	}
	return l
}

// entries is the x at which every edge ends: side by side at the upper side of its target, in the order in which they come.
func (p *proper) entries(g Graph) []float64 {
	into := make([]float64, len(p.chains))
	ends := make([][]int, len(g.Nodes))
	for e, chain := range p.chains {
		to := chain[len(chain)-1]
		ends[to] = append(ends[to], e)
	}
	for n, edges := range ends {
		before := func(e int) float64 { return p.vertices[p.chains[e][len(p.chains[e])-2]].x }
		sort.SliceStable(edges, func(i, k int) bool { return before(edges[i]) < before(edges[k]) })
		for i, e := range edges {
			into[e] = p.vertices[n].x + g.Nodes[n].Width*.8*((float64(i)+.5)/float64(len(edges))-.5)
		}
	}
	return into
}
