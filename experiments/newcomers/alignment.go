package newcomers

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"gonum.org/v1/gonum/mat"

	"github.com/pcgraph/pcgraph/experiments/claim"
	"github.com/pcgraph/pcgraph/theory"
)

// An aligned is a deep linear network that looks at one sample.
type aligned struct {
	Depth int    `json:"depth"` // weights
	Width int    `json:"width"`
	Seed  uint64 `json:"seed"`
}

// Cost is that of the products of matrices.
func (a aligned) Cost() float64 { return float64(a.Depth * a.Width * a.Width * a.Width) }

// An alignments is those of both methods, mean over samples.
type alignments struct {
	BP float64 `json:"bp"`
	PC float64 `json:"pc"`
}

// looks is how many samples a network looks at, one by one.
const looks = 8

var alignmentGrid = claim.Grid("newcomers/target-alignment", 1, func(s claim.Scale) []aligned {
	seeds, depths, widths := 3, []int{2, 16}, []int{4, 16}
	if s == claim.Full {
		seeds, depths, widths = 10, []int{2, 4, 8, 16, 32, 64}, []int{4, 16, 64}
	}
	var grid []aligned
	for _, depth := range depths {
		for _, width := range widths {
			for _, seed := range claim.Seeds(seeds) {
				grid = append(grid, aligned{depth, width, seed})
			}
		}
	}
	return grid
}, func(_ context.Context, a aligned, _ *claim.Cell) (alignments, error) { return a.measure() })

// measure draws weights N(0, 1/fan-in) and samples N(0, 1), and takes the closed forms.
func (a aligned) measure() (alignments, error) {
	const ends = 8
	rng := rand.New(rand.NewPCG(a.Seed, 2605_11911))
	n := linearChain(rng, ends, a.Width, a.Depth)
	return alignmentsOf(n, func() (x, y *mat.Dense) { return drawn(rng, 1, ends, 1), drawn(rng, 1, ends, 1) })
}

// drawn is a matrix of normal numbers.
func drawn(rng *rand.Rand, rows, cols int, std float64) *mat.Dense {
	m := mat.NewDense(rows, cols, nil)
	for i := range m.RawMatrix().Data {
		m.RawMatrix().Data[i] = std * rng.NormFloat64()
	}
	return m
}

// linearChain is a deep linear network of so many inputs as outputs, with weights N(0, 1/fan-in).
func linearChain(rng *rand.Rand, ends, width, depth int) theory.Linear {
	var n theory.Linear
	in := ends
	for l := range depth {
		out := width
		if l == depth-1 {
			out = ends
		}
		n.Weights, in = append(n.Weights, drawn(rng, in, out, 1/math.Sqrt(float64(in)))), out
	}
	return n
}

// alignmentsOf is the mean target alignment of steps on some samples, one by one.
func alignmentsOf(n theory.Linear, next func() (x, y *mat.Dense)) (r alignments, err error) {
	for range looks {
		x, y := next()
		pass, err := n.Feedforward(x, y)
		if err != nil {
			return r, err
		}
		eq, err := n.Equilibrium(x, y)
		if err != nil {
			return r, err
		}
		r.BP += pass.TargetAlignment(pass.Gradient()) / looks
		r.PC += pass.TargetAlignment(eq.Gradient()) / looks
	}
	return r, nil
}

var targetAlignment = claim.Claim{
	ID:     "newcomers/target-alignment",
	Source: "Oliviers, Lominadze and Bogacz, \"Understanding Sample Efficiency in Predictive Coding\" (arXiv 2605.11911), abstract",
	Statement: "In deep linear networks at usual initial weights one step of predictive coding on one sample takes the output straighter to its target than one of backprop, " +
		"and the lead is larger in deeper networks of one width.",
	Paper: "PC's alignment is higher, most in deep, narrow and pre-trained networks; no figures at hand",
	Grid:  alignmentGrid,
	Bounds: []claim.Bound{
		{Text: "the mean over draws is higher for PC at every size", Origin: claim.Paper, Note: "the sentence"},
		{Text: "at every width the deepest networks' mean lead is above that of the shallowest", Origin: claim.Paper, Note: "\"most in deep\""},
	},
	Shuffled: "the sentence does not hold, and does not of results shuffled among the sizes either",
	Check:    checkAlignment,
	Verdict:  claim.Fails,
	Care:     alignmentCare,
}

// alignmentCare says at which sizes backprop is straighter.
func alignmentCare(t claim.Table) string {
	type size struct{ width, depth int }
	rows := claim.Rows[aligned, alignments](t)
	lead := claim.By(rows, func(p aligned) size { return size{p.Width, p.Depth} }, func(r alignments) float64 { return r.PC - r.BP })
	var behind []string
	said, ahead, most := map[size]bool{}, 0, 0.
	for _, r := range rows {
		s := size{r.Params.Width, r.Params.Depth}
		if said[s] {
			continue
		}
		said[s] = true
		if e := lead[s].Mean; e > 0 {
			ahead, most = ahead+1, max(most, e)
		} else {
			behind = append(behind, fmt.Sprintf("width %d, depth %d (%.2f)", s.width, s.depth, e))
		}
	}
	return fmt.Sprintf("At exact equilibrium, fresh weights N(0, 1/fan-in) and independent normal inputs and targets, PC is straighter at %d of %d sizes, by up to %.2f, "+
		"and backprop at: %s. Trained networks: newcomers/online.", ahead, len(said), most, strings.Join(behind, "; "))
}

// checkAlignment is the check of newcomers/target-alignment.
func checkAlignment(t claim.Table) (string, error) {
	type size struct{ width, depth int }
	rows := claim.Rows[aligned, alignments](t)
	lead := claim.By(rows, func(p aligned) size { return size{p.Width, p.Depth} }, func(r alignments) float64 { return r.PC - r.BP })
	bp := claim.By(rows, func(p aligned) size { return size{p.Width, p.Depth} }, func(r alignments) float64 { return r.BP })
	deepest, shallowest := map[int]int{}, map[int]int{}
	for _, r := range rows {
		p := r.Params
		deepest[p.Width] = max(deepest[p.Width], p.Depth)
		if s, is := shallowest[p.Width]; !is || p.Depth < s {
			shallowest[p.Width] = p.Depth
		}
	}
	var off claim.Off
	text := ""
	said := map[size]bool{}
	for _, r := range rows {
		s := size{r.Params.Width, r.Params.Depth}
		if e := lead[s]; !(e.Mean > 0) && !said[s] {
			said[s] = true
			off.Add("width %d, depth %d: lead %.3f", s.width, s.depth, e.Mean)
		}
	}
	for _, width := range claim.Keys(deepest) {
		shallow, deep := size{width, shallowest[width]}, size{width, deepest[width]}
		if !(lead[deep].Mean > lead[shallow].Mean) {
			off.Add("width %d: lead %.3f at depth %d, %.3f at depth %d", width, lead[shallow].Mean, shallow.depth, lead[deep].Mean, deep.depth)
		}
		text += fmt.Sprintf("width %d: BP %.3f, lead %.3f at depth %d; BP %.3f, lead %.3f at depth %d; ", width, bp[shallow].Mean, lead[shallow].Mean, shallow.depth, bp[deep].Mean, lead[deep].Mean, deep.depth)
	}
	return text, off.Err()
}
