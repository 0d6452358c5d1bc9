package claim

import (
	"bytes"
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/pkg/errors"
)

// measured leaves a table's memory out of a comparison.
var measured = cmpopts.IgnoreUnexported(Table{})

func TestValidate_SaysWhatIsMissing(t *testing.T) {
	ok(t, sums(1, nil).Validate())
	for _, test := range []struct {
		reason, want string
		change       func(*Claim)
	}{
		{"an ID is a path of two", "folder/name", func(c *Claim) { c.ID = "squares" }},
		{"an ID is a file name", "folder/name", func(c *Claim) { c.ID = "test/all squares" }},
		{"a claim is somebody's", "Source", func(c *Claim) { c.Source = "" }},
		{"a claim is measured", "Grid", func(c *Claim) { c.Grid = Experiment{} }},
		{"care is said", "Care", func(c *Claim) { c.Verdict = WithCare }},
		{"care is marked", "Care", func(c *Claim) { c.Care = Constant("sometimes") }},
		{"what is measured is held against something", "Bounds", func(c *Claim) { c.Bounds = nil }},
		{"a bound says what must be true", "no Text", func(c *Claim) { c.Bounds = []Bound{{Note: "somewhere"}} }},
		{"a bound of somebody's says whose", "Note", func(c *Claim) { c.Bounds = []Bound{{Text: "30", Origin: Paper}} }},
		{"a bound set before says where to look it up", "Commit", func(c *Claim) { c.Bounds = []Bound{{Text: "30", Origin: Before}} }},
		{"a bound set after says why", "Note", func(c *Claim) { c.Bounds = []Bound{{Text: "30", Origin: After, Commit: "0dd3103"}} }},
		{"a commit is a hash", "no commit", func(c *Claim) { c.Bounds = []Bound{{Text: "30", Origin: Before, Commit: "yesterday"}} }},
	} {
		c := sums(1, nil)
		test.change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v", test.reason, err)
		}
	}
}

func TestJudge_RecordsDecideOnlyWhatTheCheckLeavesOpen(t *testing.T) {
	for _, test := range []struct {
		reason   string
		recorded Verdict
		fails    bool
		want     Verdict
		quick    bool // QuickPasses
	}{
		{"as recorded", Holds, false, Holds, false},
		{"as recorded", WithCare, false, WithCare, false},
		{"as recorded", Fails, true, Fails, false},
		{"news", Holds, true, Fails, false},
		{"news", WithCare, true, Fails, false},
		{"nothing is decided at quick scale", Open, false, Open, false},
		{"news", Fails, false, Holds, false},
		{"quick networks are no test", Fails, false, Fails, true},
		{"news: they were to pass", Fails, true, Open, true},
	} {
		c := sums(1, nil)
		c.Verdict, c.QuickPasses = test.recorded, test.quick
		c.Check = func(Table) (string, error) {
			if test.fails {
				return "3", errors.New("three")
			}
			return "4", nil
		}
		got, err := c.Judge(Table{Cells: 1, Results: []Result{{Params: []byte(`{}`), Result: []byte(`{}`)}}})
		ok(t, err)
		if got.Verdict != test.want || got.Reason != "" != test.fails {
			t.Errorf("%s: %+v, want %v", test.reason, got, test.want)
		}
	}
	c := sums(1, nil)
	if _, err := c.Judge(Table{Cells: 1, Results: []Result{{Params: []byte(`{"y":1}`), Result: []byte(`{}`)}}}); !errors.Is(err, ErrTable) {
		t.Errorf("a table of another type is judged: %v", err)
	}
	for _, partly := range []Table{{}, {Cells: 2, Results: []Result{{}}}} {
		if _, err := c.Judge(partly); !errors.Is(err, ErrIncomplete) {
			t.Errorf("a table of %d of %d cells is judged: error %v", len(partly.Results), partly.Cells, err)
		}
	}
}

func TestTable_WrittenAndRead(t *testing.T) {
	c := sums(3, nil)
	tables, err := (&Runner{}).Run(t.Context(), Quick, c)
	ok(t, err)
	var buf bytes.Buffer
	ok(t, tables[0].Write(&buf))
	if n := strings.Count(buf.String(), "\n"); n != 7 {
		t.Errorf("%d lines for 6 cells:\n%s", n, buf.String())
	}
	got, err := ReadTable(&buf)
	ok(t, err)
	if diff := cmp.Diff(tables[0], got, measured); diff != "" {
		t.Error(diff)
	}
	ok(t, got.Fits(c.Grid))
	got.Version++
	if got.Fits(c.Grid) == nil {
		t.Error("another version fits")
	}
	if err := tables[0].Fits(sums(2, nil).Grid); err == nil || !strings.Contains(err.Error(), "not in the quick grid") {
		t.Errorf("a cell more: %v", err)
	}
	if tables[0].Fits(sums(4, nil).Grid) == nil {
		t.Error("a grid that has grown fits")
	}
}

func TestText_SeedsBecomeEstimates(t *testing.T) {
	tables, err := (&Runner{}).Run(t.Context(), Quick, sums(2, nil))
	ok(t, err)
	got, err := tables[0].Text()
	ok(t, err)
	want := Text{Note: "takes=1", Head: []string{"x", "square", "lost"},
		Rows: [][]string{{"1", "1.5 ± 0.5 (2)", "NaN (2)"}, {"2", "4.5 ± 0.5 (2)", "NaN (2)"}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestText_OfNestedResults(t *testing.T) {
	type inner struct {
		A float64   `json:"a"`
		B []float64 `json:"b"`
	}
	type result struct {
		In   inner  `json:"in"`
		Lots []any  `json:"lots"`
		How  string `json:"how"`
	}
	g := Grid("test/nested", 1, func(Scale) []int { return []int{1, 2} }, func(context.Context, int, *Cell) (result, error) {
		return result{inner{3, []float64{1}}, []any{1, map[string]int{"x": 1}}, "well"}, nil
	})
	c := sums(1, nil)
	c.Grid = g
	tables, err := (&Runner{}).Run(t.Context(), Quick, c)
	ok(t, err)
	got, err := tables[0].Text()
	ok(t, err)
	want := Text{Head: []string{"value", "in.a", "how"}, Rows: [][]string{{"1", "3", "well"}, {"2", "3", "well"}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestMean: 1, 2, 3, 6 has mean 3, variance 14/3 and standard error sqrt(14/12).
func TestMean(t *testing.T) {
	if e := Mean(1, 2, 3, 6); e.Mean != 3 || math.Abs(e.Err-math.Sqrt(14./12)) > 1e-15 || e.N != 4 {
		t.Error(e)
	}
	if e := Mean(5); e.Mean != 5 || !math.IsNaN(e.Err) || e.String() != "5" {
		t.Error(e)
	}
	if e := Mean(); !math.IsNaN(e.Mean) {
		t.Error(e)
	}
}

// TestMargin: oracles: Student's table, t(.975) = 12.706, 4.303, 2.228, 2.042 and 1.984 for 1, 2, 10, 30 and 100 degrees of freedom.
func TestMargin_IsOfStudentsDistribution(t *testing.T) {
	for freedom, want := range map[int]float64{1: 12.706, 2: 4.303, 10: 2.228, 30: 2.042, 100: 1.984} {
		if got := (Estimate{Err: 1, N: freedom + 1}).Margin(); math.Abs(got-want) > .003 {
			t.Errorf("%d degrees of freedom: %g, want %g", freedom, got, want)
		}
	}
	e := Mean(1, 2, 3, 6) // 3 +- sqrt(14/12) t(3) = 3.182: 3 +- 3.437
	if !e.Above(-.44) || e.Above(-.43) || !e.Below(6.44) || e.Below(6.43) {
		t.Errorf("%v +- %g", e, e.Margin())
	}
	for _, e := range []Estimate{Mean(), Mean(5), Mean(math.NaN(), 1)} {
		if e.Above(-1e300) || e.Below(1e300) {
			t.Errorf("%v of %d values is known", e, e.N)
		}
	}
}

// TestSlope: through (0,0), (1,1), (2,1), (3,2) the line is .1 + .6 x, whose residuals -.1, .3, -.3, .1 give s^2 = .2/2 and an error of
// sqrt(.1/5).
func TestSlope_OfLeastSquares(t *testing.T) {
	e := Slope([]float64{0, 1, 2, 3}, []float64{0, 1, 1, 2})
	if math.Abs(e.Mean-.6) > 1e-15 || math.Abs(e.Err-math.Sqrt(.02)) > 1e-15 || math.Abs(e.Margin()-4.303*math.Sqrt(.02)) > 1e-12 {
		t.Errorf("%+v", e)
	}
	if e := Slope([]float64{1, 2}, []float64{1, 3}); e.Mean != 2 || !math.IsNaN(e.Err) {
		t.Errorf("of two points %+v", e)
	}
	if e := Paired(map[int]float64{1: 3, 2: 5, 3: 9}, map[int]float64{1: 2, 2: 2, 4: 0}); e.Mean != 2 || e.N != 2 || e.Err != 1 {
		t.Errorf("paired %+v", e)
	}
}

// TestShuffled_KeepsCellsAndResults: a shuffle moves results, all of them, and leaves the table that it is of.
func TestShuffled_KeepsCellsAndResults(t *testing.T) {
	tables, err := (&Runner{}).Run(t.Context(), Quick, sums(5, nil))
	ok(t, err)
	table := tables[0].Memoized()
	before := Rows[point, square](table)
	after := Rows[point, square](table.Shuffled(rand.New(rand.NewPCG(1, 2))))
	moved, sum := 0, 0.
	for i := range before {
		if before[i].Params != after[i].Params {
			t.Errorf("cell %d has other parameters", i)
		}
		if before[i].Result.Square != after[i].Result.Square {
			moved++
		}
		sum += after[i].Result.Square - before[i].Result.Square
	}
	if moved < 5 || sum != 0 {
		t.Errorf("%d of %d results moved; their sum changed by %g", moved, len(before), sum)
	}
	again := Rows[point, square](tables[0])
	for i := range before {
		if before[i].Result.Square != again[i].Result.Square {
			t.Errorf("result %d of the table itself was moved", i)
		}
	}
}

// TestFits_RefusesOtherTypes: results of other types are an error where a table comes in, and a panic of Rows after that.
func TestFits_RefusesOtherTypes(t *testing.T) {
	c := sums(1, nil)
	tables, err := (&Runner{}).Run(t.Context(), Quick, c)
	ok(t, err)
	other := tables[0]
	other.Results = slices.Clone(other.Results)
	other.Results[0].Result = []byte(`{"cube":1}`)
	if err := other.Fits(c.Grid); !errors.Is(err, ErrTable) {
		t.Errorf("error %v", err)
	}
	if _, err := c.Judge(other); !errors.Is(err, ErrTable) {
		t.Errorf("judged: error %v", err)
	}
	defer func() {
		if err, _ := recover().(error); !errors.Is(err, ErrTable) {
			t.Errorf("panic %v", err)
		}
	}()
	Rows[point, square](other)
}

func TestRun_RefusesWhatCannotBeKept(t *testing.T) {
	c := sums(1, nil)
	c.Grid = Grid("test/infinite", 1, func(Scale) []int { return []int{1} }, func(context.Context, int, *Cell) (float64, error) {
		return math.Inf(1), nil
	})
	if _, err := (&Runner{}).Run(t.Context(), Quick, c); err == nil || !strings.Contains(err.Error(), "claim.Nullable") {
		t.Errorf("error %v", err)
	}
	c.Grid = Grid("test/twice", 1, func(Scale) []int { return []int{1, 1} }, func(context.Context, int, *Cell) (float64, error) { return 1, nil })
	if _, err := (&Runner{}).Run(t.Context(), Quick, c); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("error %v", err)
	}
}

// TestTable_SeedsAreThoseOfEachPoint: a point is parameters but for the seed.
func TestTable_SeedsAreThoseOfEachPoint(t *testing.T) {
	for _, c := range []struct {
		params      []string
		least, most int
		reason      string
	}{
		{nil, 0, 0, "nothing was measured"},
		{[]string{`{"x":1}`, `{"x":2}`}, 0, 0, "no seeds"},
		{[]string{`{"x":1,"seed":1}`, `{"x":2,"seed":1}`}, 1, 1, "one of each"},
		{[]string{`{"x":1,"seed":1}`, `{"x":1,"seed":2}`, `{"seed":3,"x":1}`, `{"x":2,"seed":1}`}, 1, 3, "three of one, one of the other"},
	} {
		var table Table
		for _, p := range c.params {
			table.Results = append(table.Results, Result{Params: []byte(p)})
		}
		if least, most := table.Seeds(); least != c.least || most != c.most {
			t.Errorf("%s: %d to %d seeds, want %d to %d", c.reason, least, most, c.least, c.most)
		}
	}
}
