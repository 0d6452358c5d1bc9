package claim

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pkg/errors"
)

// A Shard is a part of the cells of a grid: those whose place in the grid, the most costly first, leaves the rest Index when divided by
// Of. The zero value is all of them.
type Shard struct {
	Index int // from 0 on
	Of    int // how many shards there are; 0 means one
}

// ParseShard reads "i/n", the first being 0/n. "" is the zero value.
func ParseShard(s string) (Shard, error) {
	if s == "" {
		return Shard{}, nil
	}
	index, of, ok := strings.Cut(s, "/")
	i, err := strconv.Atoi(index)
	n, errN := strconv.Atoi(of)
	if !ok || err != nil || errN != nil || n < 1 || i < 0 || i >= n {
		return Shard{}, errors.Errorf("shard %q: want i/n with i from 0 to n-1, such as 0/8", s)
	}
	return Shard{i, n}, nil
}

func (s Shard) String() string { return fmt.Sprintf("%d/%d", s.Index, max(1, s.Of)) }

// has says whether the shard has the cell at a place of the grid.
func (s Shard) has(place int) bool { return s.Of <= 1 || place%s.Of == s.Index }

// Leases, in seconds that a test makes shorter. A lease is renewed every leaseBeat; one that nobody has renewed for leaseLife, by the clock
// of the process that waits for it, is given up. No two machines' clocks are compared.
var (
	leaseBeat = 5 * time.Second
	leaseLife = time.Minute
	leaseLook = time.Second // between two looks at the leases of others
)

// A lease is the right of one process to measure a cell of a shared folder: a file beside the cell's result, NAME.lease-K. Who takes over
// a lease that was given up makes the file of the next number, which only one process can: the valid lease is that of the highest.
type lease struct {
	Host    string `json:"host"`
	Process int    `json:"process"`
	Version string `json:"version"` // of the program
	Beat    int    `json:"beat"`    // how often it was renewed

	path   string
	number int
	stop   context.CancelFunc
	done   sync.WaitGroup
}

func (l *lease) String() string { return fmt.Sprintf("process %d on %s", l.Process, l.Host) }

// same says that l has not been renewed since it was other.
func (l *lease) same(other *lease) bool {
	return other != nil && l.number == other.number && l.Beat == other.Beat && l.Process == other.Process && l.Host == other.Host
}

// leases are the numbers of the leases of a cell.
func (e *entry) leases() (numbers []int, err error) {
	list, err := filepath.Glob(e.leasePath("*"))
	for _, path := range list {
		if n, err := strconv.Atoi(path[strings.LastIndexByte(path, '-')+1:]); err == nil && n > 0 {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, errors.Wrap(err, "lease")
}

func (e *entry) leasePath(number string) string {
	return filepath.Join(e.dir, e.name+".lease-"+number)
}

// held is the valid lease of a cell, nil if there is none. A file that cannot be read is a lease that is never renewed.
func (e *entry) held() (*lease, error) {
	numbers, err := e.leases()
	if err != nil || len(numbers) == 0 {
		return nil, err
	}
	number := numbers[len(numbers)-1]
	l := &lease{path: e.leasePath(strconv.Itoa(number)), number: number}
	text, err := os.ReadFile(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, errors.Wrap(err, "lease")
	}
	if json.Unmarshal(text, l) != nil {
		l.Host = "a machine that has not said its name"
	}
	return l, nil
}

// take makes the lease after the one that was given up, nil for the first one. It returns nil if another process was faster.
func (e *entry) take(after *lease, version string) (*lease, error) {
	host, _ := os.Hostname()
	l := &lease{Host: host, Process: os.Getpid(), Version: version, number: 1}
	if after != nil {
		l.number = after.number + 1
	}
	l.path = e.leasePath(strconv.Itoa(l.number))
	text, err := json.Marshal(l)
	if err != nil {
		return nil, errors.Wrap(err, "lease")
	}
	f, err := os.OpenFile(l.path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return nil, nil
	}
	if err != nil {
		return nil, errors.Wrap(err, "lease")
	}
	_, err = f.Write(text)
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		os.Remove(l.path)
		return nil, errors.Wrap(err, "lease")
	}
	ctx, stop := context.WithCancel(context.Background())
	l.stop = stop
	l.done.Go(func() { l.renew(ctx) })
	return l, nil
}

// renew rewrites the lease until ctx ends. A beat that cannot be written is left out: the next may be.
func (l *lease) renew(ctx context.Context) {
	tick := time.NewTicker(leaseBeat)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		l.Beat++
		if text, err := json.Marshal(l); err == nil {
			if f, err := os.OpenFile(l.path, os.O_WRONLY|os.O_TRUNC, 0o644); err == nil {
				f.Write(text)
				f.Close()
			}
		}
	}
}

// end gives the lease back, and removes those that were given up before it.
func (l *lease) end(e *entry) {
	l.stop()
	l.done.Wait()
	for n := 1; n <= l.number; n++ { // the highest last: until then the cell is taken
		os.Remove(e.leasePath(strconv.Itoa(n)))
	}
}

// A tenure is what a process that shares a folder knows of a cell that another one measures.
type tenure struct {
	seen  *lease
	since time.Time // when it was first seen as it is
}

// acquire takes the lease of a cell. It returns nil and no error if another process has it. One that has not been renewed for leaseLife is
// taken over. A program of another version that measures the same cell is an error that names both.
func (e *entry) acquire(known *tenure, version string) (*lease, error) {
	l, err := e.held()
	if err != nil {
		return nil, err
	}
	if l == nil {
		return e.take(nil, version)
	}
	if !l.same(known.seen) {
		known.seen, known.since = l, time.Now()
		if l.Version != "" && l.Version != version {
			return nil, errors.Errorf("%s measures a cell of %s with another version of the program: %s there, %s here: use one version for all",
				l, e.task.experiment.name, l.Version, version)
		}
		return nil, nil
	}
	if time.Since(known.since) < leaseLife {
		return nil, nil
	}
	return e.take(l, version)
}

// leased measures a cell under a lease. It returns true if another process has the cell.
func (r *Runner) leased(ctx context.Context, w *watch, t *task) (busy bool, err error) {
	e, err := newEntry(r.Dir, t)
	if err != nil {
		return false, err
	}
	if r.takeover(e, w, t) {
		return false, nil
	}
	l, err := e.acquire(&t.tenure, r.Version)
	if l == nil || err != nil {
		return err == nil, err
	}
	defer l.end(e)
	if r.takeover(e, w, t) { // stored and given back between the two looks
		return false, nil
	}
	return false, r.one(ctx, w, t)
}

// takeover takes the result of a cell that another process stored.
func (r *Runner) takeover(e *entry, w *watch, t *task) bool {
	result, err := e.load()
	if err != nil || result == nil {
		return false
	}
	w.finishElsewhere(t, result)
	return true
}
