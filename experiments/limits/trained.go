package limits

import (
	"context"
	"fmt"
	"math"
	"strings"
	"sync"

	"gonum.org/v1/gonum/mat"

	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/experiments/claim"
	"github.com/pcgraph/pcgraph/experiments/closedform"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/theory"
)

// A course is a linear residual network in muPC that learns 64 digits of MNIST by Adam, in full batches.
type course struct {
	Depth int    `json:"depth"` // L
	Width int    `json:"width"`
	Steps int    `json:"steps"`
	Seed  uint64 `json:"seed"`
}

// Cost is about how many seconds it takes.
func (c course) Cost() float64 {
	return 1e-7 * float64(c.Steps) * (float64(c.Depth*c.Width*c.Width) + 1e3*float64(c.Width) + 1e5)
}

// moments are the steps at which a course is looked at.
var moments = []int{0, 50, 100}

// A look is what is seen at a moment.
type look struct {
	BP     float64        `json:"bp"`     // loss of the network that learns by BP
	PC     float64        `json:"pc"`     // loss of the one that learns by PC
	Ratio  float64        `json:"ratio"`  // loss over equilibrated energy, of the latter
	Apart  claim.Nullable `json:"apart"`  // cosine of PC's gradient to BP's, each in its own network, as the paper's code has it
	Within claim.Nullable `json:"within"` // cosine of the two in the network that learns by PC
}

// looks are those of a course: a list cannot be a map's key, and a table shows what has a name.
type looks struct {
	Start  look `json:"t0"`
	Middle look `json:"t50"`
	End    look `json:"t100"`
}

func (l looks) at(i int) look { return []look{l.Start, l.Middle, l.End}[i] }

// digits are 64 digits of MNIST and their classes.
var digits = sync.OnceValues(func() (xy [2]*mat.Dense, err error) {
	const samples = 64
	set, _, err := data.MNIST{}.Load()
	if err != nil {
		return xy, err
	}
	x, y := mat.NewDense(samples, set.In(), nil), mat.NewDense(samples, set.Out(), nil)
	idx := make([]int, samples)
	for i := range idx {
		idx[i] = i
	}
	data.Fill(set, x.RawMatrix().Data, y.RawMatrix().Data, idx)
	return [2]*mat.Dense{x, y}, nil
})

var trained = claim.Grid("limits/trained", 1, func(s claim.Scale) []course {
	depths, widths := []int{2, 4, 8, 16, 32}, []int{2, 8, 32, 128, 256}
	if s == claim.Quick {
		depths, widths = []int{2, 4}, []int{2, 24}
	}
	var grid []course
	for _, l := range depths {
		for _, n := range widths {
			count := 3
			switch {
			case s == claim.Quick:
				count = 2
			case n == 256:
				count = 1
			}
			for _, seed := range claim.Seeds(count) {
				grid = append(grid, course{l, n, 100, seed})
			}
		}
	}
	return grid
}, func(ctx context.Context, c course, at *claim.Cell) (looks, error) {
	xy, err := digits()
	if err != nil {
		return looks{}, err
	}
	n, err := theory.Spec{Scaling: theory.MuPC, Inputs: xy[0].RawMatrix().Cols, Width: c.Width, Outputs: xy[1].RawMatrix().Cols, Depth: c.Depth, Skips: true}.
		Sample(generator(c.Seed))
	if err != nil {
		return looks{}, err
	}
	adam := func() optim.Optimizer[float64] {
		return &optim.Adam[float64]{Rate: 1e-3 / math.Sqrt(float64(c.Width*c.Depth))}
	}
	var seen []look
	err = together(ctx, n, xy[0], xy[1], c.Steps, adam, func(t int, bp, pc closedform.State) error {
		at.Progress(t, c.Steps)
		if t != moments[len(seen)] {
			return nil
		}
		apart, err := pc.Gradient.Cosine(bp.Gradient)
		if err != nil {
			return err
		}
		within, err := pc.Gradient.Cosine(pc.Backprop)
		if err != nil {
			return err
		}
		seen = append(seen, look{BP: bp.Loss, PC: pc.Loss, Ratio: pc.Loss / pc.Energy, Apart: claim.Nullable(fine(apart)), Within: claim.Nullable(fine(within))})
		return nil
	})
	if err != nil {
		return looks{}, err
	}
	return looks{seen[0], seen[1], seen[2]}, nil
})

// growth are the estimates of a number at a moment.
func growth(t claim.Table, moment int, value func(look) float64) map[size]claim.Estimate {
	return claim.By(claim.Rows[course, looks](t), func(c course) size { return size{c.Depth, c.Width} }, func(l looks) float64 { return value(l.at(moment)) })
}

var staysThroughTraining = claim.Claim{
	ID:        "limits/width-by-depth-over-training",
	Source:    paper + ", figure 1: heat maps at steps 0, 50 and 100 (CIFAR-10, read off)",
	Statement: "The map of cosines over width and depth keeps its form while linear residual networks learn: at steps 0, 50 and 100 they rise with width, from 8 on, and fall with depth.",
	Paper:     "L=32: .25 at N=2, .2 at 8, .5 at 32, .9 at 128, .98 at 512; L=16: .5, .45, .85, .97; 1 at L=2 from N=32 on; a mild decrease with t at L=32, N=8",
	Grid:      trained,
	Bounds: []claim.Bound{
		{Text: "at each of the three moments the cosine rises with width from 8 on and falls with depth, by its scatter over seeds (two standard errors)", Origin: claim.Paper, Note: "figure 1"},
	},
	Check: mapKeepsItsForm,
	Plot:  trainedFigure,
}

// mapKeepsItsForm is the check of limits/width-by-depth-over-training.
func mapKeepsItsForm(t claim.Table) (string, error) {
	var off claim.Off
	var ours []string
	for i, moment := range moments {
		m := growth(t, i, func(l look) float64 { return float64(l.Apart) })
		depths, widths := axes(m)
		if len(depths) == 0 {
			continue
		}
		for at := range m { // cosines at N=2 are larger than at N=8, the paper's too
			if at.width < 8 {
				delete(m, at)
			}
		}
		rising(&off, fmt.Sprintf("step %d: cosine", moment), m, 1)
		for _, n := range widths {
			for k, l := range depths[1:] {
				a, b := m[size{depths[k], n}], m[size{l, n}]
				if a.N > 0 && b.Mean > a.Mean+2*math.Hypot(a.Scatter(), b.Scatter()) {
					off.Add("step %d, N=%d: cosine %s at L=%d, %s at L=%d", moment, n, a, depths[k], b, l)
				}
			}
		}
		l := depths[len(depths)-1]
		ours = append(ours, fmt.Sprintf("step %d, L=%d: %s", moment, l, strings.Join(steps(m, l, widths), ", ")))
	}
	return strings.Join(ours, "; "), off.Err()
}

// trainedFigure is the figure of limits/width-by-depth-over-training.
func trainedFigure(t claim.Table) []claim.Figure {
	f := claim.Figure{Name: "limits-training", Columns: 3, Caption: "Cosine of PC's gradient at exact equilibrium to BP's, each in the network that it trains, as the paper's code has it: linear residual " +
		"muPC networks on 64 digits of MNIST (the paper: CIFAR-10) by Adam at rate 1e-3/sqrt(N L); mean of 3 seeds, one at N=256. Gaussian inputs give smaller cosines (figure limits-cosine)."}
	for i, moment := range moments {
		m := growth(t, i, func(l look) float64 { return float64(l.Apart) })
		f.Panels = append(f.Panels, widthByDepth(fmt.Sprintf("Step %d", moment), m, same))
	}
	return []claim.Figure{f}
}
