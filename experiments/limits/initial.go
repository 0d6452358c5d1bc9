package limits

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/pcgraph/pcgraph/experiments/claim"
	"github.com/pcgraph/pcgraph/theory"
)

// A start is a linear network at initialisation with Gaussian inputs and random one-hot targets.
type start struct {
	Param   param  `json:"param"`
	Skips   bool   `json:"skips"`
	Inputs  int    `json:"inputs"`
	Outputs int    `json:"outputs"`
	Batch   int    `json:"batch"`
	Depth   int    `json:"depth"` // L, the number of weight matrices
	Width   int    `json:"width"`
	Seed    uint64 `json:"seed"`
}

// Cost is about how many seconds it takes.
func (s start) Cost() float64 { return 1e-7 * (float64(s.Depth*s.Width*s.Width) + 1e5) }

// Cores: gonum multiplies large matrices on all cores, and two of the largest networks at once need a gigabyte.
func (s start) Cores() int {
	if s.Width >= 512 {
		return 2
	}
	return 1
}

// meets is how PC at its equilibrium and BP compare.
type meets struct {
	Ratio  float64 `json:"ratio"`  // loss / equilibrated energy
	Cosine float64 `json:"cosine"` // of the gradients by all weights
	Theory float64 `json:"theory"` // the closed form of the ratio, from E[S]
}

// initial measures both ends of inference of random networks.
var initial = claim.Grid("limits/initial", 1, starts, func(_ context.Context, s start, _ *claim.Cell) (meets, error) {
	r := generator(s.Seed)
	spec := theory.Spec{Scaling: s.Param.scaling(), Inputs: s.Inputs, Width: s.Width, Outputs: s.Outputs, Depth: s.Depth, Skips: s.Skips}
	expected, err := spec.ExpectedRescaling()
	if err != nil {
		return meets{}, err
	}
	n, err := spec.Sample(r)
	if err != nil {
		return meets{}, err
	}
	x, y := gaussian(r, s.Batch, s.Inputs), oneHot(r, s.Batch, s.Outputs)
	pc, err := n.Equilibrium(x, y)
	if err != nil {
		return meets{}, err
	}
	bp, err := n.Feedforward(x, y)
	if err != nil {
		return meets{}, err
	}
	cosine, err := pc.Gradient().Cosine(bp.Gradient())
	return meets{Ratio: bp.Loss / pc.Energy, Cosine: cosine, Theory: expected}, err
})

// starts is the grid: muPC with skips over depth and width, and the others at the widths that tell.
func starts(s claim.Scale) []start {
	depths, widths, contrast := []int{4, 8, 16, 32, 64}, []int{8, 16, 32, 64, 128, 256, 512, 1024}, []int{32, 128, 512}
	if s == claim.Quick {
		depths, widths, contrast = []int{4, 8, 16, 32}, []int{8, 32, 64, 128}, []int{32, 128}
	}
	var grid []start
	add := func(p param, skips bool, depths, widths []int) {
		for _, l := range depths {
			for _, n := range widths {
				count := 5
				if n >= 256 {
					count = 3
				}
				if s == claim.Quick {
					count = 2
				}
				for _, seed := range claim.Seeds(count) {
					grid = append(grid, start{Param: p, Skips: skips, Inputs: 784, Outputs: 10, Batch: 64, Depth: l, Width: n, Seed: seed})
				}
			}
		}
	}
	add(muPC, true, depths, widths)
	add(muPC, false, depths, append(slices.Clone(contrast), 1024)[:len(contrast)+int(s)]) // 1024 in full
	add(ntp, true, depths[:4], contrast)
	add(sp, false, depths[:4], contrast)
	add(sp, true, depths[:4], contrast)
	return grid
}

// A size is a point of the grid of one family.
type size struct{ depth, width int }

// sizes are the estimates of a number over a family.
func sizes(t claim.Table, p param, skips bool, value func(meets) float64) map[size]claim.Estimate {
	rows := claim.Where[start, meets](t, func(s start) bool { return s.Param == p && s.Skips == skips })
	return claim.By(rows, func(s start) size { return size{s.Depth, s.Width} }, value)
}

func ratio(m meets) float64  { return m.Ratio }
func cosine(m meets) float64 { return m.Cosine }
func closed(m meets) float64 { return m.Theory }

// axes are the depths and widths that are there, ascending.
func axes(m map[size]claim.Estimate) (depths, widths []int) {
	for at := range m {
		depths, widths = append(depths, at.depth), append(widths, at.width)
	}
	slices.Sort(depths)
	slices.Sort(widths)
	return slices.Compact(depths), slices.Compact(widths)
}

// rising adds to off where a mean falls with width by more than two standard errors; where it rises, if sign is -1.
func rising(off *claim.Off, what string, m map[size]claim.Estimate, sign float64) {
	depths, widths := axes(m)
	for _, l := range depths {
		for i, n := range widths {
			if i == 0 {
				continue
			}
			a, b := m[size{l, widths[i-1]}], m[size{l, n}]
			if a.N == 0 || b.N == 0 {
				continue
			}
			slack := 2 * math.Hypot(a.Scatter(), b.Scatter())
			if sign*(b.Mean-a.Mean) < -slack {
				off.Add("%s at L=%d: %s at N=%d, %s at N=%d", what, l, a, widths[i-1], b, n)
			}
		}
	}
}

// steps are the values along width, in words.
func steps(m map[size]claim.Estimate, l int, widths []int) []string {
	var s []string
	for _, n := range widths {
		if e := m[size{l, n}]; e.N > 0 {
			s = append(s, fmt.Sprintf("%.3f at N=%d", e.Mean, n))
		}
	}
	return s
}

// along is the line of one depth over the width.
func along(m map[size]claim.Estimate, l int, widths []int, name string) claim.Line {
	line := claim.Line{Name: name, Points: true}
	for _, n := range widths {
		if e := m[size{l, n}]; e.N > 0 {
			line.Append(float64(n), e)
		}
	}
	return line
}

// widthByDepth is a map of a number, dark where it is 1.
func widthByDepth(title string, m map[size]claim.Estimate, f func(float64) float64) claim.Panel {
	depths, widths := axes(m)
	table := &claim.Map{High: 1, Columns: words(widths), Rows: words(depths)}
	for _, l := range depths {
		var row []float64
		for _, n := range widths {
			v := math.NaN()
			if e := m[size{l, n}]; e.N > 0 {
				v = f(e.Mean)
			}
			row = append(row, v)
		}
		table.Values = append(table.Values, row)
	}
	return claim.Panel{Title: title, X: claim.Axis{Label: "width N"}, Y: claim.Axis{Label: "depth L"}, Map: table}
}

func words(numbers []int) []string {
	s := make([]string, len(numbers))
	for i, n := range numbers {
		s[i] = strconv.Itoa(n)
	}
	return s
}

func same(v float64) float64 { return v }
