package lockfile

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/pkg/errors"
)

// TestMain is also the other process of the tests: it takes the lock that the variable names and waits to be killed.
func TestMain(m *testing.M) {
	if path := os.Getenv("LOCKFILE_TEST"); path != "" {
		if _, err := Acquire(path); err != nil {
			os.Exit(1)
		}
		os.Stdout.WriteString("locked\n")
		select {}
	}
	os.Exit(m.Run())
}

func TestAcquire_OneOwner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	l, err := Acquire(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Acquire(path)
	var used *InUseError
	if !errors.As(err, &used) || !strings.Contains(err.Error(), "process ") || used.Path != path {
		t.Errorf("a held lock: %v", err)
	}
	if err := l.Release(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the file is left: %v", err)
	}
	again, err := Acquire(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := first(l.Release(), again.Release(), again.Release(), (*Lock)(nil).Release()); err != nil {
		t.Error(err)
	}
	if _, err := Acquire(filepath.Join(path, "missing", "lock")); err == nil || errors.As(err, &used) && used == nil {
		t.Errorf("a missing folder: %v", err)
	}
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// TestAcquire_FollowsNoLinks: a link in the place of the lock file, whether what it names exists or not, is refused and unchanged.
func TestAcquire_FollowsNoLinks(t *testing.T) {
	dir := t.TempDir()
	victim := filepath.Join(dir, "victim")
	if err := os.WriteFile(victim, []byte("precious"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{victim, filepath.Join(dir, "missing")} {
		path := filepath.Join(dir, "lock")
		if err := os.Symlink(target, path); err != nil {
			t.Skip(err) // where links take a privilege
		}
		if l, err := Acquire(path); err == nil || !strings.Contains(err.Error(), "no regular file") {
			t.Errorf("%s: %v", target, err)
			l.Release()
		}
		os.Remove(path)
	}
	if text, _ := os.ReadFile(victim); string(text) != "precious" {
		t.Errorf("the file behind the link holds %q", text)
	}
	if _, err := os.Stat(filepath.Join(dir, "missing")); err == nil {
		t.Error("the file behind the link was made")
	}
}

// TestAcquire_DeadOwner: the lock of a process that was killed is taken over.
func TestAcquire_DeadOwner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	other := exec.Command(os.Args[0])
	other.Env = append(os.Environ(), "LOCKFILE_TEST="+path)
	out, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "locked\n" {
		t.Fatalf("%q, %v", line, err)
	}
	if _, err := Acquire(path); err == nil {
		t.Fatal("two processes hold it")
	}
	other.Process.Kill()
	other.Wait()
	l, err := Acquire(path)
	if err != nil {
		t.Fatalf("after the owner was killed: %v", err)
	}
	l.Release()
}

// TestAcquire_NeverTwo: many goroutines that take and give back one lock never hold it together, although its file is
// removed each time.
func TestAcquire_NeverTwo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	var holders, got atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 200 {
				l, err := Acquire(path)
				if err != nil {
					var used *InUseError
					if !errors.As(err, &used) {
						t.Error(err)
					}
					continue
				}
				got.Add(1)
				if holders.Add(1) != 1 {
					t.Error("two hold the lock")
				}
				holders.Add(-1)
				l.Release()
			}
		})
	}
	all.Wait()
	if got.Load() == 0 {
		t.Error("nobody ever got it")
	}
}
