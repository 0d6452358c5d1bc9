package claim

import (
	"bytes"
	"context"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"
)

// A point is the parameters of the tests' experiment: its result is a closed form.
type point struct {
	X     int `json:"x"`
	Seed  int `json:"seed"`
	Takes int `json:"takes"` // cores
}

func (p point) Cores() int    { return p.Takes }
func (p point) Cost() float64 { return float64(p.X) }

type square struct {
	Square float64   `json:"square"`
	List   []float64 `json:"list"`
	Lost   Nullable  `json:"lost"`
}

func points(n int) func(Scale) []point {
	return func(s Scale) []point {
		var list []point
		for x := range n * int(s+1) {
			for seed := range 2 {
				list = append(list, point{x + 1, seed, 1})
			}
		}
		return list
	}
}

func squared(p point) square {
	return square{float64(p.X*p.X + p.Seed), []float64{float64(p.X), .1}, Nullable(math.Inf(1))}
}

// sums is a claim over the grid whose cells do f first.
func sums(n int, f func(ctx context.Context, p point, at *Cell) error) Claim {
	return Claim{
		ID: "test/squares", Source: "here", Statement: "Squares add up.", Paper: "30",
		Bounds: []Bound{{Text: "30", Origin: Derived, Note: "n (n+1) (2n+1) / 6"}},
		Grid: Grid("test/squares", 1, points(n), func(ctx context.Context, p point, at *Cell) (square, error) {
			if f != nil {
				if err := f(ctx, p, at); err != nil {
					return square{}, err
				}
			}
			return squared(p), nil
		}),
		Check: func(t Table) (string, error) {
			for _, r := range Rows[point, square](t) {
				if r.Result.Square != float64(r.Params.X*r.Params.X+r.Params.Seed) {
					return "", errors.Errorf("x=%d: %g", r.Params.X, r.Result.Square)
				}
			}
			return "all are squares", nil
		},
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// untimed is a table without what differs between runs.
func untimed(t Table) Table {
	results := make([]Result, len(t.Results))
	for i, r := range t.Results {
		r.Seconds = 0
		results[i] = r
	}
	t.Results = results
	return t
}

func TestRun_GivesTheGridInOrderWithItsTypes(t *testing.T) {
	c := sums(5, nil)
	tables, err := (&Runner{Cores: 3}).Run(t.Context(), Full, c)
	ok(t, err)
	rows := Rows[point, square](tables[0])
	want := points(5)(Full)
	if len(rows) != len(want) || !tables[0].Complete() {
		t.Fatalf("%d rows, want %d", len(rows), len(want))
	}
	for i, r := range rows {
		if r.Params != want[i] || r.Result.Square != squared(want[i]).Square || !math.IsNaN(float64(r.Result.Lost)) {
			t.Errorf("row %d: %+v", i, r)
		}
	}
	outcome, err := c.Judge(tables[0])
	ok(t, err)
	if outcome.Verdict != Holds || outcome.Ours != "all are squares" {
		t.Error(outcome)
	}
}

func TestRun_MeasuresSharedCellsOnceAndNothingTwice(t *testing.T) {
	var n atomic.Int64
	c := sums(3, func(context.Context, point, *Cell) error { n.Add(1); return nil })
	d := c
	d.ID = "test/again"
	dir := t.TempDir()
	first, err := (&Runner{Dir: dir}).Run(t.Context(), Quick, c, d)
	ok(t, err)
	if n.Load() != 6 {
		t.Errorf("%d cells measured for two claims over 6", n.Load())
	}
	var last Progress
	second, err := (&Runner{Dir: dir, Progress: func(p Progress) { last = p }}).Run(t.Context(), Quick, c, d)
	ok(t, err)
	if n.Load() != 6 {
		t.Errorf("%d cells measured by a second run", n.Load()-6)
	}
	if diff := cmp.Diff(first, second, measured); diff != "" {
		t.Error(diff)
	}
	if last.Done != 6 || last.Found != 6 || last.Fraction != 1 {
		t.Errorf("progress %+v", last)
	}
	// Full contains Quick: only the rest is new.
	_, err = (&Runner{Dir: dir}).Run(t.Context(), Full, c)
	ok(t, err)
	if n.Load() != 12 {
		t.Errorf("%d cells measured for the other 6 of Full", n.Load()-6)
	}
}

// TestRun_AnotherVersionIsMeasuredAnew: what is kept is found by everything that determines it.
func TestRun_AnotherVersionIsMeasuredAnew(t *testing.T) {
	var n atomic.Int64
	c := sums(2, func(context.Context, point, *Cell) error { n.Add(1); return nil })
	dir := t.TempDir()
	for range 2 {
		_, err := (&Runner{Dir: dir}).Run(t.Context(), Quick, c)
		ok(t, err)
		c.Grid.version++
	}
	if n.Load() != 8 {
		t.Errorf("%d measurements, want 8", n.Load())
	}
}

// TestRun_UsesNoMoreCoresThanItHas and no fewer: cells of one and of two cores on three.
func TestRun_UsesNoMoreCoresThanItHas(t *testing.T) {
	var now, most atomic.Int64
	c := sums(8, func(_ context.Context, p point, _ *Cell) error {
		v := now.Add(int64(p.Takes))
		for m := most.Load(); v > m && !most.CompareAndSwap(m, v); m = most.Load() {
		}
		time.Sleep(5 * time.Millisecond)
		now.Add(-int64(p.Takes))
		return nil
	})
	inner := c.Grid.cells
	c.Grid.cells = func(s Scale) ([]cell, error) {
		list, err := inner(s)
		for i := range list {
			list[i].cores = 1 + i%2
			list[i].params = bytes.Replace(list[i].params, []byte(`"takes":1`), []byte(`"takes":`+string(rune('1'+i%2))), 1)
		}
		return list, err
	}
	_, err := (&Runner{Cores: 3}).Run(t.Context(), Quick, c)
	ok(t, err)
	if most.Load() != 3 {
		t.Errorf("%d cores in use at most, want 3", most.Load())
	}
}

func TestRun_CorruptResultsAreReportedAndMeasuredAgain(t *testing.T) {
	dir := t.TempDir()
	c := sums(4, nil)
	want, err := (&Runner{Dir: dir}).Run(t.Context(), Quick, c)
	ok(t, err)
	files, err := filepath.Glob(filepath.Join(dir, "test", "squares", "*.json"))
	ok(t, err)
	if len(files) != 8 {
		t.Fatalf("%d files", len(files))
	}
	ruin := []func(text []byte) []byte{
		func([]byte) []byte { return nil },
		func(b []byte) []byte { return b[:len(b)/2] },
		func(b []byte) []byte { return bytes.Replace(b, []byte(`"square":`), []byte(`"square":1`), 1) }, // a digit more
		func(b []byte) []byte { return bytes.Replace(b, []byte(`"x":`), []byte(`"x":1`), 1) },
		func(b []byte) []byte { return bytes.Replace(b, []byte(`"version":1`), []byte(`"version":2`), 1) },
		func(b []byte) []byte { return bytes.Replace(b, []byte(`"version":1`), []byte(`"of":1`), 1) },
	}
	for i, f := range ruin {
		text, err := os.ReadFile(files[i])
		ok(t, err)
		ruined := f(text)
		if bytes.Equal(ruined, text) {
			t.Fatalf("file %d is as it was", i)
		}
		ok(t, os.WriteFile(files[i], ruined, 0o644))
	}
	var warned []string
	got, err := (&Runner{Dir: dir, Warn: func(err error) { warned = append(warned, err.Error()) }}).Run(t.Context(), Quick, c)
	ok(t, err)
	if len(warned) != len(ruin) {
		t.Errorf("%d warnings of %d: %q", len(warned), len(ruin), warned)
	}
	if diff := cmp.Diff(untimed(want[0]), untimed(got[0]), measured); diff != "" {
		t.Error(diff)
	}
	_, err = (&Runner{Dir: dir, Warn: func(err error) { t.Error(err) }}).Run(t.Context(), Quick, c)
	ok(t, err)
}

// TestRun_ResultsThatCannotBeKeptAreInTheTable: a folder stands where the file of a result must be.
func TestRun_ResultsThatCannotBeKeptAreInTheTable(t *testing.T) {
	dir := t.TempDir()
	c := sums(4, nil)
	want, err := (&Runner{Dir: dir}).Run(t.Context(), Quick, c)
	ok(t, err)
	files, err := filepath.Glob(filepath.Join(dir, "test", "squares", "*.json"))
	ok(t, err)
	ok(t, os.Remove(files[0]))
	ok(t, os.MkdirAll(filepath.Join(files[0], "in the way"), 0o755))
	var warned []string
	got, err := (&Runner{Dir: dir, Warn: func(err error) { warned = append(warned, err.Error()) }}).Run(t.Context(), Quick, c)
	ok(t, err)
	if diff := cmp.Diff(untimed(want[0]), untimed(got[0]), measured); diff != "" {
		t.Error(diff)
	}
	if all := strings.Join(warned, "\n"); !strings.Contains(all, files[0]) || !strings.Contains(all, "the next run will measure it again") {
		t.Errorf("warnings %q", warned)
	}
}

func TestRun_OneFailureLeavesTheOthers(t *testing.T) {
	c := sums(4, func(_ context.Context, p point, _ *Cell) error {
		if p.X == 4 {
			return errors.New("four")
		}
		return nil
	})
	tables, err := (&Runner{Cores: 1}).Run(t.Context(), Quick, c)
	if err == nil || !strings.Contains(err.Error(), `cell {"x":4,"seed":0,"takes":1}: four`) {
		t.Errorf("error %v", err)
	}
	if len(tables[0].Results) != 6 || tables[0].Complete() {
		t.Errorf("%d results, want the 6 others", len(tables[0].Results))
	}
}

// TestRun_CancelledKeepsWhatThereIs, and folders of cells outlive it until their result is kept.
func TestRun_CancelledKeepsWhatThereIs(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	var folder string
	c := sums(4, func(ctx context.Context, p point, at *Cell) error {
		if p.X == 2 && p.Seed == 0 && ctx.Done() != nil && folder == "" {
			var err error
			if folder, err = at.Folder(); err != nil {
				return err
			}
			cancel()
			<-ctx.Done()
			return os.WriteFile(filepath.Join(folder, "half"), nil, 0o644) // it does not say that it was cut short
		}
		return nil
	})
	tables, err := (&Runner{Dir: dir, Cores: 1}).Run(ctx, Quick, c)
	if !errors.Is(err, context.Canceled) || len(tables[0].Results) != 4 {
		t.Errorf("%d results, error %v", len(tables[0].Results), err)
	}
	if _, err := os.Stat(filepath.Join(folder, "half")); err != nil {
		t.Error("what the cell left for itself is gone: ", err)
	}
	tables, err = (&Runner{Dir: dir}).Run(t.Context(), Quick, c)
	ok(t, err)
	if !tables[0].Complete() {
		t.Error("incomplete")
	}
	if _, err := os.Stat(folder); !os.IsNotExist(err) {
		t.Error("the folder is still there")
	}
}

// TestRun_ProgressIsOfTheWork: half of a cell of cost 3 beside one of cost 1 that is done, is 2.5 of 4.
func TestRun_ProgressIsOfTheWork(t *testing.T) {
	w := &watch{tasks: []*task{{cell: cell{cost: 3}}, {cell: cell{cost: 1}}}}
	var got Progress
	w.tell = func(p Progress) { got = p }
	w.begin()
	w.start = w.start.Add(-10 * time.Second)
	w.proceed(w.tasks[0], .5)
	w.finish(w.tasks[1], &Result{})
	w.end()
	if got.Fraction != .625 || got.Done != 1 || math.Abs(got.Left.Seconds()-6) > .1 {
		t.Errorf("%+v: want 62.5 %% in 10 s and 6 s left", got)
	}
}

// child is set in the process that TestRun_KilledResumes kills.
const child = "CLAIM_TEST_CHILD"

// slow is the grid of the killed process: a cell takes 30 ms and says in a file of its own that it began.
func slow(dir string) Claim {
	var mu sync.Mutex
	return sums(10, func(ctx context.Context, p point, _ *Cell) error {
		mu.Lock()
		f, err := os.OpenFile(filepath.Join(dir, "begun"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err == nil {
			_, err = f.WriteString("x")
			f.Close()
		}
		mu.Unlock()
		time.Sleep(30 * time.Millisecond)
		return err
	})
}

// TestRun_KilledResumes kills a process in the middle of a grid, three times, without a chance to clean up: what was done is
// not done again, and the table is the one of an undisturbed run.
func TestRun_KilledResumes(t *testing.T) {
	if dir := os.Getenv(child); dir != "" {
		_, err := (&Runner{Dir: filepath.Join(dir, "kept"), Cores: 2}).Run(t.Context(), Quick, slow(dir))
		ok(t, err)
		return
	}
	dir := t.TempDir()
	results := func() int {
		files, err := filepath.Glob(filepath.Join(dir, "kept", "test", "squares", "*.json"))
		ok(t, err)
		return len(files)
	}
	for _, enough := range []int{3, 7, 12} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestRun_KilledResumes$")
		cmd.Env = append(os.Environ(), child+"="+dir)
		ok(t, cmd.Start())
		for start := time.Now(); results() < enough; time.Sleep(time.Millisecond) {
			if time.Since(start) > 20*time.Second {
				t.Fatal("the process does not get on")
			}
		}
		ok(t, cmd.Process.Kill())
		cmd.Wait() // it was killed
	}
	before := results()
	if before >= 20 {
		t.Fatalf("%d results: the process came to its end before it was killed", before)
	}
	var found int
	got, err := (&Runner{Dir: filepath.Join(dir, "kept"), Cores: 2, Warn: func(err error) { t.Error(err) },
		Progress: func(p Progress) { found = p.Found }}).Run(t.Context(), Quick, slow(dir))
	ok(t, err)
	want, err := (&Runner{}).Run(t.Context(), Quick, sums(10, nil))
	ok(t, err)
	if diff := cmp.Diff(untimed(want[0]), untimed(got[0]), measured); diff != "" {
		t.Error(diff)
	}
	begun, err := os.ReadFile(filepath.Join(dir, "begun"))
	ok(t, err)
	// Each kill loses at most the cells that were under way: two.
	if found != before || len(begun) < 20 || len(begun) > 20+3*2 {
		t.Errorf("%d results were found of %d; %d measurements begun for 20 cells", found, before, len(begun))
	}
}

// TestMeasure_RecallGivesWhatIsCached: experiments of no claim are measured alike, part of a grid leaves its results for the whole one,
// and Recall measures nothing.
func TestMeasure_RecallGivesWhatIsCached(t *testing.T) {
	measured := 0
	grid := func(n int) Experiment {
		return Grid("test/recall", 1, points(n), func(_ context.Context, p point, _ *Cell) (square, error) {
			measured++
			return square{Square: float64(p.X * p.X)}, nil
		})
	}
	r := &Runner{Dir: t.TempDir(), Cores: 1}
	tables, err := r.Measure(t.Context(), Quick, grid(2))
	if err != nil || len(tables) != 1 || !tables[0].Complete() {
		t.Fatalf("%v: %v", tables, err)
	}
	before := measured
	whole, err := r.Recall(Quick, grid(5))
	if err != nil || measured != before || whole.Complete() || len(whole.Results) != len(tables[0].Results) || whole.Cells != 10 {
		t.Errorf("%d of %d cells, %d measured, error %v: want the %d that were measured before", len(whole.Results), whole.Cells, measured-before, err, len(tables[0].Results))
	}
	if err := whole.Fits(grid(5)); err != nil {
		t.Errorf("a table of a part is not one of the whole grid: %v", err)
	}
	if _, err := r.Measure(t.Context(), Quick, Experiment{}); err == nil {
		t.Error("an experiment that nothing made was measured")
	}
}
