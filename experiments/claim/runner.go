package claim

import (
	"cmp"
	"context"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pkg/errors"
)

// A Runner measures what claims need.
type Runner struct {
	// Dir is the folder in which results are cached, a file per cell; the next run finds them there. Empty disables the cache.
	Dir string
	// Cores limits the cores that cells keep busy together; 0 means all of GOMAXPROCS.
	Cores int
	// Shard leaves out all cells but those of a part, which other processes do not have. The tables hold what is in Dir of the others.
	Shard Shard
	// Shared divides the cells among all processes, on any machines, that run with the same Dir and Shared: each leases a cell before it
	// measures it, waits for those of others, and takes over those of processes that have died. Dir must not be empty.
	Shared bool
	// Version is what a lease says of the program. Processes of different versions do not share a folder.
	Version string
	// Progress is called with the state of the run: at its start, at its end, and at most ten times a second in between. Nil
	// disables the callback.
	Progress func(Progress)
	// Warn is called with the errors that the run survives: cached results that cannot be used, which are measured again, and
	// results that cannot be cached. It may be called from several goroutines at once. Nil disables the callback.
	Warn func(error)
}

// Progress is how far a run is.
type Progress struct {
	Done, Cells int     // cells that are done, of all that this process waits for
	Found       int     // of those done, how many an earlier run or another process had cached
	Fraction    float64 // of the work of all cells, with the done part of those under way
	Elapsed     time.Duration
	Left        time.Duration // estimated; 0 before anything is known
}

// A task is a cell to be measured.
type task struct {
	cell
	experiment Experiment
	result     *Result
	fraction   float64 // how far the measurement is
	elsewhere  bool    // it is of another shard
	tenure     tenure  // of Shared
}

// Run measures the cells of all claims, each once however many claims share it, and returns a table per claim. Cached results
// are not measured again. After an error of one cell the others go on; when ctx ends, the cells under way are given up. In
// both cases the tables hold the results that there are, and the error says why they are not complete.
func (r *Runner) Run(ctx context.Context, s Scale, claims ...Claim) ([]Table, error) {
	grids := make([]Experiment, len(claims))
	for i, c := range claims {
		if err := c.Validate(); err != nil {
			return nil, err
		}
		grids[i] = c.Grid
	}
	return r.Measure(ctx, s, grids...)
}

// Measure is Run for experiments of no claim, a table each.
func (r *Runner) Measure(ctx context.Context, s Scale, experiments ...Experiment) ([]Table, error) {
	work, err := plan(s, experiments)
	if err != nil {
		return nil, err
	}
	var all []*task
	for _, tasks := range work {
		all = append(all, tasks...)
	}
	watch := &watch{tell: r.Progress, tasks: all}
	if err := r.recall(watch, all); err != nil {
		return nil, err
	}
	err = r.measure(ctx, watch, all)
	tables := make([]Table, len(experiments))
	for i, e := range experiments {
		tables[i] = tableOf(e, s, work[e.name])
	}
	return tables, err
}

// Recall returns the table of the results that are cached, and measures nothing.
func (r *Runner) Recall(s Scale, e Experiment) (Table, error) {
	work, err := plan(s, []Experiment{e})
	if err != nil {
		return Table{}, err
	}
	if err := r.recall(new(watch), work[e.name]); err != nil {
		return Table{}, err
	}
	return tableOf(e, s, work[e.name]), nil
}

// tableOf is the table of the tasks that are done.
func tableOf(e Experiment, s Scale, tasks []*task) Table {
	table := Table{Experiment: e.name, Version: e.version, Scale: s, Cells: len(tasks)}
	for _, t := range tasks {
		if t.result != nil {
			table.Results = append(table.Results, *t.result)
		}
	}
	return table
}

// plan lists the cells of every experiment in the order of its grid.
func plan(s Scale, experiments []Experiment) (map[string][]*task, error) {
	work, versions := map[string][]*task{}, map[string]int{}
	for _, e := range experiments {
		if e.measure == nil {
			return nil, errors.New("an experiment without cells: make it by Grid")
		}
		if v, known := versions[e.name]; known {
			if v != e.version {
				return nil, errors.Errorf("experiment %s: versions %d and %d in one run: names must differ", e.name, v, e.version)
			}
			continue
		}
		versions[e.name] = e.version
		cells, err := e.cells(s)
		if err != nil {
			return nil, err
		}
		if len(cells) == 0 {
			return nil, errors.Errorf("experiment %s: no cells at scale %s", e.name, s)
		}
		seen := map[string]bool{}
		for _, c := range cells {
			if seen[string(c.params)] {
				return nil, errors.Errorf("experiment %s: cell %s is there twice", e.name, c.params)
			}
			seen[string(c.params)] = true
			work[e.name] = append(work[e.name], &task{cell: c, experiment: e})
		}
	}
	return work, nil
}

// recall takes over the results that are cached.
func (r *Runner) recall(w *watch, tasks []*task) error {
	if r.Dir == "" {
		return nil
	}
	for _, t := range tasks {
		e, err := newEntry(r.Dir, t)
		if err != nil {
			return err
		}
		result, err := e.load()
		switch {
		case err != nil && r.Warn != nil:
			r.Warn(err)
		case result != nil:
			t.result = result
			w.found++
		}
	}
	return nil
}

// measure measures the cells of the shard that have no result yet, the longest first, as many at once as there are cores for.
func (r *Runner) measure(ctx context.Context, w *watch, all []*task) error {
	if r.Shared && r.Dir == "" {
		return errors.New("cells are shared through the folder in which results are cached, and there is none: set Dir")
	}
	left := slices.Clone(all)
	slices.SortStableFunc(left, func(a, b *task) int { return cmp.Compare(b.cost, a.cost) })
	for place, t := range left {
		t.elsewhere = !r.Shard.has(place)
	}
	left = slices.DeleteFunc(left, func(t *task) bool { return t.elsewhere || t.result != nil })
	w.begin()
	defer w.end()
	var errs []error
	for len(left) > 0 {
		busy, failed := r.round(ctx, w, left)
		if err := ctx.Err(); err != nil {
			return err
		}
		errs = append(errs, failed...)
		if len(busy) == len(left) {
			w.wait()
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(leaseLook):
			}
		}
		left = busy
	}
	return joined(errs)
}

// round measures cells, and returns those that other processes have.
func (r *Runner) round(ctx context.Context, w *watch, left []*task) (busy []*task, errs []error) {
	cores := r.Cores
	if cores <= 0 {
		cores = runtime.GOMAXPROCS(0)
	}
	measure := func(t *task) (bool, error) { return false, r.one(ctx, w, t) }
	if r.Shared {
		measure = func(t *task) (bool, error) { return r.leased(ctx, w, t) }
	}
	var wait sync.WaitGroup
	var mu sync.Mutex
	free := make(chan struct{}, cores) // a token per core that is in use
	for _, t := range left {
		need := max(1, min(t.cores, cores))
		for range need { // only this loop takes tokens, so taking them one by one cannot lock up
			select {
			case free <- struct{}{}:
			case <-ctx.Done():
			}
		}
		if ctx.Err() != nil {
			break
		}
		wait.Go(func() {
			has, err := measure(t)
			mu.Lock()
			if err != nil && ctx.Err() == nil {
				errs = append(errs, err)
			}
			if has {
				busy = append(busy, t)
			}
			mu.Unlock()
			for range need {
				<-free
			}
		})
	}
	wait.Wait()
	return busy, errs
}

// one measures a cell and caches the result.
func (r *Runner) one(ctx context.Context, w *watch, t *task) error {
	e, err := newEntry(r.Dir, t)
	if err != nil {
		return err
	}
	start := time.Now()
	result, err := t.experiment.measure(ctx, t.params, &Cell{
		progress: func(done, total int) { w.proceed(t, float64(done)/float64(total)) },
		folder:   e.folder,
	})
	if err == nil {
		err = ctx.Err() // a measurement that was cut short and did not say so
	}
	if err != nil {
		return err
	}
	done := &Result{Params: t.params, Result: result, Seconds: float64(time.Since(start).Round(time.Millisecond).Milliseconds()) / 1e3}
	if err := e.store(done); err != nil && r.Warn != nil {
		r.Warn(errors.WithMessage(err, "a result is in the table, but the next run will measure it again"))
	}
	w.finish(t, done)
	return nil
}

// joined is one error with the texts of several, a line each.
func joined(errs []error) error {
	if len(errs) == 0 {
		return nil
	}
	lines := make([]string, len(errs))
	for i, e := range errs {
		lines[i] = e.Error()
	}
	slices.Sort(lines)
	if len(lines) == 1 {
		return errors.New(lines[0])
	}
	const shown = 5
	more := ""
	if len(lines) > shown {
		more = "\n..."
	}
	return errors.Errorf("%d cells failed:\n%s%s", len(lines), strings.Join(lines[:min(shown, len(lines))], "\n"), more)
}

// A watch keeps the progress of all tasks and reports it.
type watch struct {
	tell  func(Progress)
	tasks []*task
	found int

	mu    sync.Mutex
	start time.Time
	last  time.Time // of the last report
}

func (w *watch) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.start = time.Now()
	w.report(true)
}

func (w *watch) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.report(true)
}

// proceed notes the fraction of a measurement that is done.
func (w *watch) proceed(t *task, fraction float64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	t.fraction = max(0, min(1, fraction))
	w.report(false)
}

// finish notes a result.
func (w *watch) finish(t *task, result *Result) {
	w.mu.Lock()
	defer w.mu.Unlock()
	t.result, t.fraction = result, 1
	w.report(false)
}

// finishElsewhere notes a result that another process stored.
func (w *watch) finishElsewhere(t *task, result *Result) {
	w.mu.Lock()
	defer w.mu.Unlock()
	t.result, t.fraction = result, 0
	w.found++
	w.report(false)
}

// wait reports that nothing can be measured now.
func (w *watch) wait() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.report(false)
}

// report calls Progress: always if it must, otherwise if the last call is long enough ago.
func (w *watch) report(must bool) {
	now := time.Now()
	if w.tell == nil || !must && now.Sub(w.last) < 100*time.Millisecond {
		return
	}
	w.last = now
	p := Progress{Found: w.found, Elapsed: now.Sub(w.start)}
	var all, done, here float64 // work: of all cells, done by anybody, done by this run
	for _, t := range w.tasks {
		if t.elsewhere && t.result == nil {
			continue
		}
		p.Cells++
		all += t.cost
		switch {
		case t.result == nil:
			done, here = done+t.fraction*t.cost, here+t.fraction*t.cost
		case t.fraction == 1: // measured by this run
			here += t.cost
			fallthrough
		default:
			done += t.cost
			p.Done++
		}
	}
	p.Fraction = done / all
	if here > 0 {
		p.Left = time.Duration(float64(p.Elapsed) * (all - done) / here)
	}
	w.tell(p)
}
