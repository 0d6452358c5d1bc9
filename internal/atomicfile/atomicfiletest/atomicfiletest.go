// Package atomicfiletest holds a program's files against the fail points of package atomicfile: whatever step of a write fails, and
// wherever the process dies, what was there before must be there still.
package atomicfiletest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/pcgraph/pcgraph/internal/atomicfile"
)

// ErrFailPoint is what a step that is made to fail returns.
var ErrFailPoint = errors.New("a fail point")

// What the process that is to die finds in its environment.
const (
	dieAt = "ATOMICFILE_DIE_AT"
	dieIn = "ATOMICFILE_DIE_IN"
)

// A Case is files that are written over older ones.
type Case struct {
	Setup func(dir string) error // makes the old files
	Write func(dir string) error // writes them anew; it must report a write that fails
	// Check reports whether the files are whole: the old ones, or the new where renamed says that they are in place.
	Check func(dir string, renamed bool) error
}

// Run makes every step of the first write fail and, in a process of its own that runs the calling test, die there. The test must call
// Run before it does anything else that takes time.
func (c Case) Run(t *testing.T) {
	if dir := os.Getenv(dieIn); dir != "" {
		c.die(dir)
	}
	for step := range atomicfile.Step(atomicfile.Steps) {
		for _, dies := range []bool{false, true} {
			t.Run(fmt.Sprintf("step %d dies=%v", step, dies), func(t *testing.T) {
				dir := t.TempDir()
				if err := c.Setup(dir); err != nil {
					t.Fatal(err)
				}
				renamed := step > atomicfile.Rename
				if dies {
					cmd := exec.Command(os.Args[0], "-test.run=^"+topOf(t.Name())+"$")
					cmd.Env = append(os.Environ(), dieIn+"="+dir, fmt.Sprintf("%s=%d", dieAt, step))
					out, err := cmd.CombinedOutput()
					if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.ExitCode() != died {
						t.Fatalf("the process did not die at step %d: %v\n%s", step, err, out)
					}
				} else if err := c.fail(dir, step); !errors.Is(err, ErrFailPoint) && !renamed || err != nil && renamed {
					t.Fatalf("step %d: error %v", step, err)
				}
				if err := c.Check(dir, renamed); err != nil {
					t.Errorf("after step %d: %v", step, err)
				}
				// What is left does not stand in the way of the next write.
				if err := c.Write(dir); err != nil {
					t.Fatal(err)
				}
				if err := c.Check(dir, true); err != nil {
					t.Errorf("written once more after step %d: %v", step, err)
				}
			})
		}
	}
}

// topOf is the name of the test that a subtest belongs to.
func topOf(name string) string {
	for k, r := range name {
		if r == '/' {
			return name[:k]
		}
	}
	return name
}

// fail is Write while a step fails.
func (c Case) fail(dir string, step atomicfile.Step) error {
	defer atomicfile.FailAt(nil)
	atomicfile.FailAt(func(s atomicfile.Step, _ string) error {
		if s == step {
			return ErrFailPoint
		}
		return nil
	})
	return c.Write(dir)
}

// died is the exit code of a process that died where it should.
const died = 57

// die ends the process in the step of the environment.
func (c Case) die(dir string) {
	step, _ := strconv.Atoi(os.Getenv(dieAt))
	atomicfile.FailAt(func(s atomicfile.Step, _ string) error {
		if int(s) == step {
			os.Exit(died)
		}
		return nil
	})
	fmt.Println("alive:", c.Write(dir))
	os.Exit(1)
}
