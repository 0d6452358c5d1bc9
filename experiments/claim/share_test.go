package claim

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"
)

// TestMain makes leases short: they are 50 times as long where people use them.
func TestMain(m *testing.M) {
	leaseBeat, leaseLife, leaseLook = 40*time.Millisecond, 600*time.Millisecond, 10*time.Millisecond
	os.Exit(m.Run())
}

// TestShared_KilledProcessesLoseNothing: four processes share a grid of 20 cells, one after another is killed without a chance to clean
// up and started again. The table is that of one process, and no more cells are begun again than were lost.
func TestShared_KilledProcessesLoseNothing(t *testing.T) {
	if dir := os.Getenv(child); dir != "" {
		_, err := (&Runner{Dir: filepath.Join(dir, "kept"), Cores: 1, Shared: true, Version: "v1"}).Run(t.Context(), Quick, slow(dir))
		ok(t, err)
		return
	}
	dir := t.TempDir()
	start := func() *exec.Cmd {
		cmd := exec.Command(os.Args[0], "-test.run=^TestShared_KilledProcessesLoseNothing$")
		cmd.Env = append(os.Environ(), child+"="+dir)
		ok(t, cmd.Start())
		return cmd
	}
	var workers []*exec.Cmd
	for range 4 {
		workers = append(workers, start())
	}
	const kills = 4
	for k := range kills {
		time.Sleep(80 * time.Millisecond)
		workers[k%4].Process.Kill()
		workers[k%4].Wait()
		workers[k%4] = start()
	}
	for _, w := range workers {
		if err := w.Wait(); err != nil {
			t.Errorf("a worker ended with %v", err)
		}
	}
	r := &Runner{Dir: filepath.Join(dir, "kept"), Cores: 1, Warn: func(err error) { t.Error(err) }}
	got, err := r.Run(t.Context(), Quick, sums(10, func(context.Context, point, *Cell) error { return errors.New("a cell was lost") }))
	ok(t, err)
	want, err := (&Runner{}).Run(t.Context(), Quick, sums(10, nil))
	ok(t, err)
	if diff := cmp.Diff(untimed(want[0]), untimed(got[0]), measured); diff != "" {
		t.Error(diff)
	}
	begun, err := os.ReadFile(filepath.Join(dir, "begun"))
	ok(t, err)
	if len(begun) < 20 || len(begun) > 20+kills {
		t.Errorf("%d cells begun: want 20 and at most one more for each of %d kills", len(begun), kills)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "kept", "test", "squares", "*lease*")); len(left) > 0 {
		t.Errorf("leases are left: %v", left)
	}
}

// TestShared_LiveLeasesAreNotTaken: a cell that takes longer than a lease lives is measured once.
func TestShared_LiveLeasesAreNotTaken(t *testing.T) {
	dir := t.TempDir()
	begun := make(chan bool, 4)
	claim := Claim{ID: "test/one", Source: "here", Statement: "s", Paper: "p", Bounds: sums(1, nil).Bounds, Check: sums(1, nil).Check,
		Grid: Grid("test/one", 1, func(Scale) []point { return []point{{X: 1, Takes: 1}} }, func(context.Context, point, *Cell) (square, error) {
			begun <- true
			time.Sleep(2 * leaseLife)
			return square{Square: 1}, nil
		})}
	done := make(chan error)
	for range 2 {
		go func() {
			tables, err := (&Runner{Dir: dir, Shared: true}).Run(t.Context(), Quick, claim)
			if err == nil && !tables[0].Complete() {
				err = errors.New("the table is not complete")
			}
			done <- err
		}()
	}
	ok(t, <-done)
	ok(t, <-done)
	if len(begun) != 1 {
		t.Errorf("measured %d times", len(begun))
	}
}

func TestShared_OtherVersionsAreRefused(t *testing.T) {
	dir := t.TempDir()
	c := sums(1, nil)
	work, err := plan(Quick, []Experiment{c.Grid})
	ok(t, err)
	e, err := newEntry(dir, work["test/squares"][0])
	ok(t, err)
	l, err := e.take(nil, "v1 (abc)")
	ok(t, err)
	defer l.end(e)
	_, err = (&Runner{Dir: dir, Shared: true, Version: "v2 (def)"}).Run(t.Context(), Quick, c)
	if err == nil || !strings.Contains(err.Error(), "v1 (abc)") || !strings.Contains(err.Error(), "v2 (def)") || !strings.Contains(err.Error(), "process ") {
		t.Errorf("error %v", err)
	}
	if _, err := (&Runner{Shared: true}).Run(t.Context(), Quick, c); err == nil || !strings.Contains(err.Error(), "set Dir") {
		t.Errorf("shared without a folder: %v", err)
	}
}

// TestLease_RubbishIsGivenUp: a file that says nothing, such as one that a full disk left empty, holds a cell no longer than a lease lives.
func TestLease_RubbishIsGivenUp(t *testing.T) {
	dir := t.TempDir()
	c := sums(1, nil)
	work, err := plan(Quick, []Experiment{c.Grid})
	ok(t, err)
	for k, text := range []string{"", "{", `{"beat": "x"}`, "\x00\x00"} {
		e, err := newEntry(dir, work["test/squares"][k%2])
		ok(t, err)
		ok(t, os.WriteFile(e.leasePath("3"), []byte(text), 0o644))
	}
	tables, err := (&Runner{Dir: dir, Shared: true, Version: "v"}).Run(t.Context(), Quick, c)
	ok(t, err)
	if !tables[0].Complete() {
		t.Error("the table is not complete")
	}
}

func TestShard_DividesTheGrid(t *testing.T) {
	for _, s := range []string{"1", "a/b", "3/3", "-1/2", "0/0", "1/2/3"} {
		if _, err := ParseShard(s); err == nil || !strings.Contains(err.Error(), "i/n") {
			t.Errorf("%q: %v", s, err)
		}
	}
	dirs := []string{t.TempDir(), t.TempDir(), t.TempDir()}
	for i, dir := range dirs {
		shard, err := ParseShard(Shard{i, 3}.String())
		ok(t, err)
		var last Progress
		tables, err := (&Runner{Dir: dir, Shard: shard, Progress: func(p Progress) { last = p }}).Run(t.Context(), Quick, sums(10, nil))
		ok(t, err)
		if n := len(tables[0].Results); n < 6 || n > 7 || tables[0].Complete() || last.Cells != n || last.Fraction != 1 {
			t.Errorf("shard %v: %d of 20 cells, progress %+v", shard, n, last)
		}
	}
	into := filepath.Join(t.TempDir(), "all")
	copied, there, err := Merge(into, dirs...)
	ok(t, err)
	if copied != 20 || there != 0 {
		t.Errorf("%d copied, %d there", copied, there)
	}
	if copied, there, err = Merge(into, dirs...); err != nil || copied != 0 || there != 20 {
		t.Errorf("again: %d copied, %d there, error %v", copied, there, err)
	}
	got, err := (&Runner{Dir: into}).Run(t.Context(), Quick, sums(10, func(context.Context, point, *Cell) error { return errors.New("a cell is missing") }))
	ok(t, err)
	if !got[0].Complete() {
		t.Error("not complete")
	}
}

func TestMerge_RefusesWhatItCannotTrust(t *testing.T) {
	dir := t.TempDir()
	_, err := (&Runner{Dir: dir}).Run(t.Context(), Quick, sums(1, nil))
	ok(t, err)
	files, err := filepath.Glob(filepath.Join(dir, "test", "squares", "*.json"))
	ok(t, err)
	text, err := os.ReadFile(files[0])
	ok(t, err)
	for name, content := range map[string]string{"half": string(text[:len(text)/2]), "changed": strings.Replace(string(text), `"square":`, `"square":1`, 1), "": ""} {
		other := t.TempDir()
		path := filepath.Join(other, "test", "squares", filepath.Base(files[0]))
		ok(t, os.MkdirAll(filepath.Dir(path), 0o755))
		ok(t, os.WriteFile(path, []byte(content), 0o644))
		into := filepath.Join(t.TempDir(), "all")
		if copied, _, err := Merge(into, dir, other); err == nil || copied != 0 || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: copied %d, error %v", name, copied, err)
		}
	}
	if _, _, err := Merge(t.TempDir(), filepath.Join(dir, "none")); err == nil {
		t.Error("a folder that is not there was merged")
	}
}
