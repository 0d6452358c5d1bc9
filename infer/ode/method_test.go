package ode_test

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"math"
	"math/big"
	"strings"
	"testing"

	"github.com/pcgraph/pcgraph/infer/ode"
)

// methods with what is published about them.
var methods = []struct {
	*ode.Method
	order, embedded, stages int
	fsal                    bool
	dense                   int     // order of the interpolant
	tol                     float64 // of the order conditions: coefficients as written in the source, before they are rounded
}{
	{ode.Euler, 1, 0, 1, false, 3, 0},
	{ode.Heun, 2, 1, 2, false, 3, 0},
	{ode.Midpoint, 2, 1, 2, false, 3, 0},
	{ode.Ralston, 2, 1, 2, false, 3, 0},
	{ode.Bosh3, 3, 2, 4, true, 3, 0},
	{ode.RK4, 4, 0, 4, false, 3, 0},
	{ode.Tsit5, 5, 4, 7, true, 4, 1e-36},
	{ode.Dopri5, 5, 4, 7, true, 4, 0},
	{ode.Dopri8, 8, 7, 14, true, 5, 1e-15},
}

func TestMethod_DerivesWhatIsPublished(t *testing.T) {
	for _, m := range methods {
		if err := m.Validate(); err != nil {
			t.Error(err)
		}
		if got := m.Order(); got != m.order {
			t.Errorf("%s: order %d, want %d", m.Name, got, m.order)
		}
		if got := m.EmbeddedOrder(); got != m.embedded {
			t.Errorf("%s: embedded order %d, want %d", m.Name, got, m.embedded)
		}
		if m.Stages() != m.stages || m.FSAL() != m.fsal || m.Adaptive() != (m.embedded > 0) {
			t.Errorf("%s: %d stages, FSAL %v, adaptive %v", m.Name, m.Stages(), m.FSAL(), m.Adaptive())
		}
	}
}

// rootedTrees are all rooted trees of n vertices as parents, vertex 0 the root: canonical level sequences in the order of
// Beyer and Hedetniemi (1980). The package grows its trees in another way.
func rootedTrees(n int) (trees [][]int) {
	level := make([]int, n)
	for i := range level {
		level[i] = i
	}
	for {
		parent := make([]int, n)
		for i := 1; i < n; i++ {
			for j := i - 1; j >= 0; j-- {
				if level[j] == level[i]-1 {
					parent[i] = j
					break
				}
			}
		}
		trees = append(trees, parent)
		p := n - 1
		for p > 0 && level[p] <= 1 {
			p--
		}
		if p <= 0 {
			return trees
		}
		q := p - 1
		for level[q] != level[p]-1 {
			q--
		}
		for i := p; i < n; i++ {
			level[i] = level[i-(p-q)]
		}
	}
}

func TestRootedTrees_AreAsManyAsKnown(t *testing.T) {
	for i, want := range []int{1, 1, 2, 4, 9, 20, 48, 115, 286} { // OEIS A000081
		if got := len(rootedTrees(i + 1)); got != want {
			t.Errorf("%d trees of %d vertices, want %d", got, i+1, want)
		}
	}
}

// scaled are coefficients as integers over one denominator: exact over the least common one, rounded over a given one.
func scaled(rows [][]*big.Rat, denominator *big.Int) ([][]*big.Int, *big.Int) {
	exact := denominator == nil
	if exact {
		denominator = big.NewInt(1)
		for _, row := range rows {
			for _, v := range row {
				gcd := new(big.Int).GCD(nil, nil, denominator, v.Denom())
				denominator = new(big.Int).Mul(denominator, new(big.Int).Div(v.Denom(), gcd))
			}
		}
	}
	out := make([][]*big.Int, len(rows))
	for i, row := range rows {
		for _, v := range row {
			n := new(big.Int).Mul(v.Num(), denominator)
			out[i] = append(out[i], n.Quo(n, v.Denom()))
		}
	}
	return out, denominator
}

// violation is how far weights are off the order condition of a tree: sum_i b_i phi_i - 1/gamma, in exact arithmetic.
func violation(a [][]*big.Int, b []*big.Int, denominator *big.Int, parent []int) float64 {
	phi, gamma := elementary(a, parent)
	sum := new(big.Int)
	for i, w := range b {
		sum.Add(sum, new(big.Int).Mul(w, phi[i]))
	}
	whole := new(big.Int).Exp(denominator, big.NewInt(int64(len(parent))), nil) // of b and of phi
	miss := new(big.Int).Sub(sum.Mul(sum, big.NewInt(gamma)), whole)
	f, _ := new(big.Rat).SetFrac(miss, whole.Mul(whole, big.NewInt(gamma))).Float64()
	return math.Abs(f)
}

// elementary are the phi_i of a tree of n vertices, times the denominator to the power n-1, and its gamma.
func elementary(a [][]*big.Int, parent []int) (phi []*big.Int, gamma int64) {
	n, s := len(parent), len(a)
	at := make([][]*big.Int, n)
	size := make([]int64, n)
	for v := range at {
		size[v] = 1
		at[v] = make([]*big.Int, s)
		for i := range at[v] {
			at[v][i] = big.NewInt(1)
		}
	}
	gamma = 1
	for v := n - 1; v >= 0; v-- { // children come after parents
		gamma *= size[v]
		if v == 0 {
			break
		}
		up := parent[v]
		size[up] += size[v]
		for i := range s {
			sum, term := new(big.Int), new(big.Int)
			for j, c := range a[i] {
				sum.Add(sum, term.Mul(c, at[v][j]))
			}
			at[up][i].Mul(at[up][i], sum)
		}
	}
	return at[0], gamma
}

// written reads the coefficients of a tableau from the source, as exactly as they are written there.
func written(t *testing.T, m *ode.Method) (a [][]*big.Rat, b, embedded []*big.Rat) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), strings.ToLower(m.Name)+".go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]ast.Expr{}
	var fields []ast.Expr
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ValueSpec:
			named[n.Names[0].Name] = n.Values[0]
		case *ast.KeyValueExpr:
			fields = append(fields, n)
		}
		return true
	})
	var value func(e ast.Expr) constant.Value
	value = func(e ast.Expr) constant.Value {
		switch e := e.(type) {
		case *ast.BasicLit:
			return constant.ToFloat(constant.MakeFromLiteral(e.Value, e.Kind, 0))
		case *ast.Ident:
			return value(named[e.Name])
		case *ast.UnaryExpr:
			return constant.UnaryOp(e.Op, value(e.X), 0)
		case *ast.BinaryExpr:
			return constant.BinaryOp(value(e.X), e.Op, value(e.Y))
		}
		t.Fatalf("%s: unexpected %T", m.Name, e)
		return nil
	}
	row := func(e ast.Expr, floats []float64) (out []*big.Rat) {
		for i, x := range e.(*ast.CompositeLit).Elts {
			v := value(x)
			r, ok := new(big.Rat).SetString(v.ExactString())
			if !ok {
				t.Fatalf("%s: %v", m.Name, v)
			}
			if f, _ := r.Float64(); f != floats[i] {
				t.Errorf("%s: %v is not the rounded %s", m.Name, floats[i], r)
			}
			out = append(out, r)
		}
		return out
	}
	a = [][]*big.Rat{nil}
	for _, f := range fields {
		switch kv := f.(*ast.KeyValueExpr); kv.Key.(*ast.Ident).Name {
		case "A":
			for i, e := range kv.Value.(*ast.CompositeLit).Elts {
				a = append(a, row(e, m.A[i]))
			}
		case "B":
			b = row(kv.Value, m.B)
		case "Embedded":
			embedded = row(kv.Value, m.Embedded)
		}
	}
	return a, b, embedded
}

// Fractions satisfy every order condition exactly, decimals and approximate fractions to their digits; a condition of the
// next order is violated. This is about the coefficients as they are written: float64 rounds them by up to 1e-15.
func TestMethod_OrderConditions(t *testing.T) {
	for _, m := range methods {
		a, b, embedded := written(t, m.Method)
		var denominator *big.Int
		if m.tol > 0 {
			denominator = new(big.Int).Lsh(big.NewInt(1), 160)
		}
		rows, denominator := scaled(append(a, b, embedded), denominator)
		stages := len(a)
		for _, w := range []struct {
			name    string
			weights []*big.Int
			order   int
		}{{"step", rows[stages], m.order}, {"embedded", rows[stages+1], m.embedded}} {
			if (w.weights == nil) != (w.order == 0) {
				t.Errorf("%s: no weights of the %s solution found", m.Name, w.name)
			}
			if w.weights == nil {
				continue
			}
			for n := 1; n <= w.order+1; n++ {
				var worst float64
				for _, tree := range rootedTrees(n) {
					worst = max(worst, violation(rows[:stages], w.weights, denominator, tree))
				}
				if n <= w.order && worst > m.tol {
					t.Errorf("%s %s: a condition of order %d is off by %g, want at most %g", m.Name, w.name, n, worst, m.tol)
				}
				if n > w.order && worst < 1e-7 {
					t.Errorf("%s %s: conditions of order %d hold too, to %g", m.Name, w.name, n, worst)
				}
			}
		}
	}
}

// sum_i b_i(theta) phi_i = theta^n / gamma for every tree up to the order of the interpolant. Published coefficients of the
// interpolants have 13 to 16 digits and are up to 120.
func TestMethod_DenseOrderConditions(t *testing.T) {
	for _, m := range methods {
		if m.Dense == nil {
			continue
		}
		a, _, _ := written(t, m.Method)
		rows, denominator := scaled(a, new(big.Int).Lsh(big.NewInt(1), 160))
		for n := 1; n <= m.dense+1; n++ {
			var worst float64
			for _, tree := range rootedTrees(n) {
				phi, gamma := elementary(rows, tree)
				whole := new(big.Int).Exp(denominator, big.NewInt(int64(n-1)), nil)
				for _, theta := range []float64{0.25, 0.5, 0.8, 1} {
					got := -math.Pow(theta, float64(n)) / float64(gamma)
					for i, poly := range m.Dense {
						var b float64
						for p := len(poly) - 1; p >= 0; p-- {
							b = (b + poly[p]) * theta
						}
						f, _ := new(big.Rat).SetFrac(phi[i], whole).Float64()
						got += b * f
					}
					worst = max(worst, math.Abs(got))
				}
			}
			if n <= m.dense && worst > 1e-12 {
				t.Errorf("%s: a condition of the interpolant of order %d is off by %g", m.Name, n, worst)
			}
			if n > m.dense && worst < 1e-6 {
				t.Errorf("%s: the interpolant's conditions of order %d hold too, to %g", m.Name, n, worst)
			}
		}
	}
}

// kepler is the two-body problem [x, y, vx, vy], nonlinear and coupled: it tells all order conditions apart.
func kepler(dst, z []float64) error {
	r3 := math.Pow(z[0]*z[0]+z[1]*z[1], 1.5)
	dst[0], dst[1], dst[2], dst[3] = z[2], z[3], -z[0]/r3, -z[1]/r3
	return nil
}

// keplerAt is its closed form from the pericentre with eccentricity 0.3, by Kepler's equation t = u - e sin u.
func keplerAt(t float64) []float64 {
	const e = 0.3
	u := t
	for range 12 {
		u -= (u - e*math.Sin(u) - t) / (1 - e*math.Cos(u))
	}
	b, r := math.Sqrt(1-e*e), 1-e*math.Cos(u)
	return []float64{math.Cos(u) - e, b * math.Sin(u), -math.Sin(u) / r, b * math.Cos(u) / r}
}

func distance(a, b []float64) float64 {
	var s float64
	for i := range a {
		s += (a[i] - b[i]) * (a[i] - b[i])
	}
	return math.Sqrt(s)
}

// The slope of log error over log step is the order.
func TestMethod_ConvergesAtItsOrder(t *testing.T) {
	const span = 3.
	for _, m := range methods {
		steps := map[int]int{1: 4000, 2: 800, 3: 200, 4: 200, 5: 60, 8: 24}[m.order]
		var errs [2]float64
		for i := range errs {
			z := keplerAt(0)
			if err := ode.Integrate(kepler, z, span, m.Method, ode.Constant{Step: span / float64(steps<<i)}, nil); err != nil {
				t.Fatal(err)
			}
			errs[i] = distance(z, keplerAt(span))
		}
		slope := math.Log2(errs[0] / errs[1])
		t.Logf("%s: errors %.2e, %.2e, slope %.2f", m.Name, errs[0], errs[1], slope)
		if math.Abs(slope-float64(m.order)) > 0.1*math.Sqrt(float64(m.order)) {
			t.Errorf("%s: errors %g, %g: slope %.3f, want %d", m.Name, errs[0], errs[1], slope, m.order)
		}
	}
}

func TestMethod_Validate(t *testing.T) {
	nan := math.NaN()
	for _, test := range []struct {
		m    *ode.Method
		want string
	}{
		{nil, "Method is missing"},
		{&ode.Method{Name: "none"}, `"none": B is empty`},
		{&ode.Method{B: []float64{.5, .5}}, "A has 0 rows, want 1"},
		{&ode.Method{A: [][]float64{{1, 0}}, B: []float64{.5, .5}}, "row 0 of A has 2 entries, want 1"},
		{&ode.Method{A: [][]float64{{nan}}, B: []float64{.5, .5}}, "sums to NaN"},
		{&ode.Method{A: [][]float64{{1}}, B: []float64{.5, .6}}, "B sums to 1.1"},
		{&ode.Method{A: [][]float64{{1}}, B: []float64{.5, .5}, Embedded: []float64{1}}, "Embedded has 1 weights, want 2"},
		{&ode.Method{A: [][]float64{{1}}, B: []float64{.5, .5}, Embedded: []float64{1, 1}}, "Embedded sums to 2"},
		{&ode.Method{A: [][]float64{{1}}, B: []float64{.5, .5}, Embedded: []float64{.5, .5}}, "error estimate would be 0"},
		{&ode.Method{A: [][]float64{{1}}, B: []float64{.5, .5}, Dense: [][]float64{{1}}}, "Dense has 1 polynomials"},
		{&ode.Method{A: [][]float64{{1}}, B: []float64{.5, .5}, Dense: [][]float64{{1}, {0}}}, "polynomial 0 of Dense is 1 at the end, want b = 0.5"},
	} {
		if err := test.m.Validate(); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("error %v, want %q", err, test.want)
		}
		if _, err := ode.NewStepper[float32](test.m); err == nil {
			t.Errorf("NewStepper took a method that has %q", test.want)
		}
	}
}

func ExampleIntegrate() {
	decay := func(dst, z []float64) error { dst[0] = -z[0]; return nil }
	z := []float64{1}
	if err := ode.Integrate(decay, z, 1, ode.Tsit5, ode.PID{RTol: 1e-8, ATol: 1e-8}, nil); err != nil {
		fmt.Println(err)
	}
	fmt.Printf("%.6f\n", z[0])
	// Output: 0.367879
}
