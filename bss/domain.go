package bss

import (
	"math"
	"slices"

	"github.com/pkg/errors"
)

// A Domain is the set that the sources are known to lie in, and the nonlinearity by which a network keeps its outputs there.
// The five of the paper are Antisparse, NonnegAntisparse, Sparse, NonnegSparse and Simplex; Polytope is any mixture of boxes and l1 balls.
// A user's own domain works everywhere but in LDMI, which projects exactly (Projector).
type Domain interface {
	// String is the domain's name in reports and flags.
	String() string
	// Thresholds is the number of thresholds theta, one inhibitory interneuron each, that a network with so many sources has.
	Thresholds(sources int) int
	// Activate applies the nonlinearity to y [sources] with the thresholds theta in place, then moves theta by the rate beta.
	Activate(y, theta []float64, beta float64)
}

// A Projector is a domain with an exact projection: the nearest point of the set in the Euclidean norm, unless the domain says otherwise.
type Projector interface {
	Domain
	// Project replaces y [sources] by its projection. scratch is as long as y.
	Project(y, scratch []float64)
}

// The domains of the paper.
var (
	Antisparse       Projector = box{"antisparse", -1, 1}  // max |s_i| <= 1
	NonnegAntisparse Projector = box{"nnantisparse", 0, 1} // 0 <= s_i <= 1
	Sparse           Projector = sparse{}                  // |s|_1 <= 1
	NonnegSparse     Projector = nonnegSparse{}            // s >= 0, sum s_i <= 1
	Simplex          Projector = simplex{}                 // s >= 0, sum s_i = 1
)

// Domains are the domains of the paper, in its order.
func Domains() []Projector {
	return []Projector{Antisparse, NonnegAntisparse, Sparse, NonnegSparse, Simplex}
}

// box is [lo, hi]^n.
type box struct {
	name   string
	lo, hi float64
}

func (b box) String() string     { return b.name }
func (b box) Thresholds(int) int { return 0 }

func (b box) Activate(y, _ []float64, _ float64) {
	for i, v := range y {
		y[i] = min(max(v, b.lo), b.hi)
	}
}

func (b box) Project(y, _ []float64) { b.Activate(y, nil, 0) }

// sparse is the l1 ball: soft threshold, theta = max(theta + beta (|y|_1 - 1), 0).
type sparse struct{}

func (sparse) String() string     { return "sparse" }
func (sparse) Thresholds(int) int { return 1 }

func (sparse) Activate(y, theta []float64, beta float64) {
	sum := 0.
	for i, v := range y {
		v = soft(v, theta[0])
		y[i] = v
		sum += math.Abs(v)
	}
	theta[0] = max(theta[0]+beta*(sum-1), 0)
}

func (sparse) Project(y, scratch []float64) { ProjectL1(y, scratch) }

// soft is the soft threshold sign(v) max(|v| - theta, 0), theta >= 0.
func soft(v, theta float64) float64 {
	return max(v-theta, 0) + min(v+theta, 0)
}

// nonnegSparse is the nonnegative part of the l1 ball: rectified threshold, then at most safety.
type nonnegSparse struct{}

// safety bounds the outputs of nonnegSparse while the threshold is still on its way.
const safety = 5

func (nonnegSparse) String() string     { return "nnsparse" }
func (nonnegSparse) Thresholds(int) int { return 1 }

func (nonnegSparse) Activate(y, theta []float64, beta float64) {
	sum := 0.
	for i, v := range y {
		v = min(max(v-theta[0], 0), safety)
		y[i] = v
		sum += v
	}
	theta[0] = max(theta[0]+beta*(sum-1), 0)
}

// Project is that of the release: on the l1 ball, then rectified. It is not the nearest point.
func (nonnegSparse) Project(y, scratch []float64) {
	ProjectL1(y, scratch)
	for i, v := range y {
		y[i] = max(v, 0)
	}
}

// simplex is the unit simplex: rectified threshold; theta may be negative.
type simplex struct{}

func (simplex) String() string     { return "simplex" }
func (simplex) Thresholds(int) int { return 1 }

func (simplex) Activate(y, theta []float64, beta float64) {
	sum := 0.
	for i, v := range y {
		v = max(v-theta[0], 0)
		y[i] = v
		sum += v
	}
	theta[0] += beta * (sum - 1)
}

func (simplex) Project(y, scratch []float64) { ProjectSimplex(y, scratch) }

// A Polytope is a box in some coordinates and l1 balls in groups of them:
//
//	|s_i| <= 1 for i in Signed,  0 <= s_i <= 1 for i in Nonneg,  sum_{i in g} |s_i| <= 1 for every group g
//
// Each group has a threshold of its own; groups are treated in their order, coordinates of several groups several times. Each source
// must be in Signed or in Nonneg. The thresholds are stable while beta times the number of active members of a group stays below 2.
type Polytope struct {
	Signed, Nonneg []int
	Groups         [][]int
}

func (Polytope) String() string       { return "polytope" }
func (p Polytope) Thresholds(int) int { return len(p.Groups) }

// Validate reports indices out of range, and sources that are in none or in both of Signed and Nonneg.
func (p Polytope) Validate(sources int) error {
	seen := make([]int, sources)
	for _, list := range [][]int{p.Signed, p.Nonneg} {
		for _, i := range list {
			if i < 0 || i >= sources {
				return errors.Errorf("bss: polytope: index %d of %d sources", i, sources)
			}
			seen[i]++
		}
	}
	for i, n := range seen {
		if n != 1 {
			return errors.Errorf("bss: polytope: source %d is %d times in Signed and Nonneg: want once", i, n)
		}
	}
	for g, group := range p.Groups {
		for _, i := range group {
			if i < 0 || i >= sources {
				return errors.Errorf("bss: polytope: group %d has index %d of %d sources", g, i, sources)
			}
		}
	}
	return nil
}

// Activate thresholds group by group, then clips.
func (p Polytope) Activate(y, theta []float64, beta float64) {
	for g, group := range p.Groups {
		sum := 0.
		for _, i := range group {
			if slices.Contains(p.Nonneg, i) {
				y[i] = max(y[i]-theta[g], 0)
			} else {
				y[i] = soft(y[i], theta[g])
			}
			sum += math.Abs(y[i])
		}
		theta[g] = max(theta[g]+beta*(sum-1), 0)
	}
	for _, i := range p.Signed {
		y[i] = min(max(y[i], -1), 1)
	}
	for _, i := range p.Nonneg {
		y[i] = min(max(y[i], 0), 1)
	}
}

// Contains reports whether s is in the polytope.
func (p Polytope) Contains(s []float64) bool {
	for _, i := range p.Signed {
		if math.Abs(s[i]) > 1 {
			return false
		}
	}
	for _, i := range p.Nonneg {
		if s[i] < 0 || s[i] > 1 {
			return false
		}
	}
	for _, group := range p.Groups {
		sum := 0.
		for _, i := range group {
			sum += math.Abs(s[i])
		}
		if sum > 1 {
			return false
		}
	}
	return true
}

// ProjectL1 replaces y by the nearest point of the unit l1 ball. scratch is as long as y.
func ProjectL1(y, scratch []float64) {
	sum := 0.
	for i, v := range y {
		scratch[i] = math.Abs(v)
		sum += scratch[i]
	}
	if sum <= 1 {
		return
	}
	theta := level(scratch)
	for i, v := range y {
		y[i] = soft(v, theta)
	}
}

// ProjectSimplex replaces y by the nearest point of the unit simplex {s >= 0, sum s_i = 1}. scratch is as long as y.
func ProjectSimplex(y, scratch []float64) {
	copy(scratch, y)
	theta := level(scratch)
	for i, v := range y {
		y[i] = max(v-theta, 0)
	}
}

// level is the theta with sum_i max(v_i - theta, 0) = 1: from the theta of all numbers, those that are not above it are left out until
// there are none. (Michelot 1986; without the sort of Duchi et al. 2008 it is faster for the few numbers of a sample.)
func level(v []float64) float64 {
	theta, above := math.Inf(-1), len(v)+1
	for {
		sum, count := -1., 0
		for _, x := range v {
			if x > theta {
				sum += x
				count++
			}
		}
		if count >= above || count == 0 { // above: only by rounding, at a number that is the level itself
			return theta
		}
		theta, above = sum/float64(count), count
	}
}
