package layered

import (
	"math/rand/v2"
	"sort"
)

// proper is a graph all of whose edges join neighbouring layers: longer ones are divided by vertices without size.
type proper struct {
	vertices []vertex
	rows     [][]int // vertices by layer, from left to right
	chains   [][]int // vertices by edge of the graph, ends included
}

// A vertex is a node, or where an edge passes a layer.
type vertex struct {
	node          int // -1: an edge passes
	layer, column int
	width         float64
	at            int     // its place in its row
	x             float64 // of its middle
	up, down      []int   // neighbours in the layers above and below
}

// properOf divides the edges of a graph with layers. An edge passes layers in the column of its target.
func properOf(g Graph, layer []int) *proper {
	p := &proper{}
	for i, n := range g.Nodes {
		p.add(vertex{node: i, layer: layer[i], column: n.Column, width: n.Width})
	}
	for _, e := range g.Edges {
		chain := []int{e.From}
		for l := layer[e.From] + 1; l < layer[e.To]; l++ {
			chain = append(chain, p.add(vertex{node: -1, layer: l, column: g.Nodes[e.To].Column}))
		}
		chain = append(chain, e.To)
		for k := 1; k < len(chain); k++ {
			a, b := chain[k-1], chain[k]
			p.vertices[a].down, p.vertices[b].up = append(p.vertices[a].down, b), append(p.vertices[b].up, a)
		}
		p.chains = append(p.chains, chain)
	}
	for _, row := range p.rows {
		sort.SliceStable(row, func(i, k int) bool { return p.vertices[row[i]].column < p.vertices[row[k]].column })
	}
	p.number()
	return p
}

// add adds a vertex to its row.
func (p *proper) add(v vertex) int {
	for len(p.rows) <= v.layer {
		p.rows = append(p.rows, nil)
	}
	i := len(p.vertices)
	p.vertices, p.rows[v.layer] = append(p.vertices, v), append(p.rows[v.layer], i)
	return i
}

// number tells the vertices their places.
func (p *proper) number() {
	for _, row := range p.rows {
		for at, v := range row {
			p.vertices[v].at = at
		}
	}
}

// Rows are ordered in so many sweeps, downwards and upwards in turn, from so many first orders.
const (
	sweeps = 12
	starts = 8
)

// order puts the vertices of every row, column by column, into an order with few crossings: the best result of sweeps from the
// first order and from some shuffled ones, of a seed that never changes.
func (p *proper) order() {
	best, least := p.copyRows(), p.crossings()
	r := rand.New(rand.NewPCG(1, 1))
	for range starts {
		for s := 0; s < sweeps && least > 0; s++ {
			for k := range p.rows {
				if s%2 == 0 {
					p.sortRow(p.rows[k], func(v *vertex) []int { return v.up })
				} else {
					p.sortRow(p.rows[len(p.rows)-1-k], func(v *vertex) []int { return v.down })
				}
			}
			p.sift()
			if n := p.crossings(); n < least {
				best, least = p.copyRows(), n
			}
		}
		for _, row := range p.rows {
			p.eachColumn(row, func(column []int) {
				r.Shuffle(len(column), func(i, k int) { column[i], column[k] = column[k], column[i] })
			})
		}
		p.number()
	}
	p.setRows(best)
}

func (p *proper) copyRows() [][]int {
	rows := make([][]int, len(p.rows))
	for i, row := range p.rows {
		rows[i] = append([]int(nil), row...)
	}
	return rows
}

func (p *proper) setRows(rows [][]int) {
	for i, row := range rows {
		copy(p.rows[i], row)
	}
	p.number()
}

// eachColumn calls f with the part of a row that is in one column, column by column.
func (p *proper) eachColumn(row []int, f func(part []int)) {
	for from := 0; from < len(row); {
		to := from + 1
		for to < len(row) && p.vertices[row[to]].column == p.vertices[row[from]].column {
			to++
		}
		f(row[from:to])
		from = to
	}
}

// sortRow sorts every column of a row by the mean place of the neighbours on one side. Vertices that have none stay where they
// are, and the others are sorted into the places that are left.
func (p *proper) sortRow(row []int, side func(*vertex) []int) {
	p.eachColumn(row, func(part []int) {
		var places []int
		var moving []int
		mean := make(map[int]float64, len(part))
		for i, v := range part {
			next := side(&p.vertices[v])
			if len(next) == 0 {
				continue
			}
			sum := 0
			for _, n := range next {
				sum += p.vertices[n].at
			}
			mean[v] = float64(sum) / float64(len(next))
			places, moving = append(places, i), append(moving, v)
		}
		sort.SliceStable(moving, func(i, k int) bool { return mean[moving[i]] < mean[moving[k]] })
		for i, place := range places {
			part[place] = moving[i]
		}
	})
	for at, v := range row {
		p.vertices[v].at = at
	}
}

// sift moves vertices within their columns, each to the place where its edges cross fewest others, until none gains (Rudell 1993
// for decision diagrams, Matuszewski et al. 1999 for layers).
func (p *proper) sift() {
	for better := true; better; {
		better = false
		for _, row := range p.rows {
			p.eachColumn(row, func(part []int) {
				for _, v := range append([]int(nil), part...) {
					better = p.siftOne(part, v) || better
				}
			})
		}
	}
}

// siftOne moves a vertex of a column to its best place and reports whether that saved crossings.
func (p *proper) siftOne(part []int, v int) bool {
	me, base := &p.vertices[v], p.vertices[part[0]].at
	from := me.at - base
	best, most, saved := from, 0, 0
	for k := from + 1; k < len(part); k++ {
		saved += p.gain(me, &p.vertices[part[k]])
		if saved > most {
			best, most = k, saved
		}
	}
	saved = 0
	for k := from - 1; k >= 0; k-- {
		saved += p.gain(&p.vertices[part[k]], me)
		if saved > most {
			best, most = k, saved
		}
	}
	for k := from; k < best; k++ {
		part[k] = part[k+1]
	}
	for k := from; k > best; k-- {
		part[k] = part[k-1]
	}
	part[best] = v
	for k, u := range part {
		p.vertices[u].at = base + k
	}
	return most > 0
}

// gain is how many crossings are saved when two vertices, the left and the right, change sides.
func (p *proper) gain(left, right *vertex) int {
	return p.between(left.up, right.up) + p.between(left.down, right.down) - p.between(right.up, left.up) - p.between(right.down, left.down)
}

// between is how many edges of a vertex cross those of a vertex to its right, by their neighbours on one side.
func (p *proper) between(left, right []int) (n int) {
	for _, a := range left {
		for _, b := range right {
			if p.vertices[a].at > p.vertices[b].at {
				n++
			}
		}
	}
	return n
}

// crossings counts the pairs of edges that cross: inversions between the orders of their ends, by a Fenwick tree.
func (p *proper) crossings() (n int) {
	for k := 1; k < len(p.rows); k++ {
		tree, met := make([]int, len(p.rows[k])+1), 0
		for _, v := range p.rows[k-1] {
			for _, d := range p.vertices[v].down { // edges of one vertex do not cross
				below := 0
				for i := p.vertices[d].at + 1; i > 0; i -= i & -i {
					below += tree[i]
				}
				n += met - below
			}
			for _, d := range p.vertices[v].down {
				met++
				for i := p.vertices[d].at + 1; i < len(tree); i += i & -i {
					tree[i]++
				}
			}
		}
	}
	return n
}
