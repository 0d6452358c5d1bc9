package atomicfile_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/pcgraph/pcgraph/internal/atomicfile"
	"github.com/pcgraph/pcgraph/internal/atomicfile/atomicfiletest"
)

// Oracle: the bytes of the old file and of the new one, which is of several pieces. A step that fails leaves no temporary file; a
// process that dies may leave one.
func TestWrite_OldFileSurvivesEveryStep(t *testing.T) {
	content := func(b byte) []byte { return bytes.Repeat([]byte{b}, 200_000) }
	write := func(dir string, b byte) error {
		return atomicfile.Write(filepath.Join(dir, "file"), func(w io.Writer) error { _, err := w.Write(content(b)); return err })
	}
	atomicfiletest.Case{
		Setup: func(dir string) error { return write(dir, 'o') },
		Write: func(dir string) error { return write(dir, 'n') },
		Check: func(dir string, renamed bool) error {
			want := content('o')
			if renamed {
				want = content('n')
			}
			got, err := os.ReadFile(filepath.Join(dir, "file"))
			if err == nil && !bytes.Equal(got, want) {
				err = fmt.Errorf("the file has %d bytes %.1q, want %d of %.1q", len(got), got, len(want), want)
			}
			entries, _ := os.ReadDir(dir)
			for _, e := range entries {
				if name := e.Name(); name != "file" && name != "file"+atomicfile.Suffix {
					err = fmt.Errorf("%s is left", name)
				}
			}
			return err
		},
	}.Run(t)
}

// After an error, as against a death, nothing is left beside the file.
func TestWrite_FailureLeavesNothing(t *testing.T) {
	defer atomicfile.FailAt(nil)
	for step := range atomicfile.Step(atomicfile.Steps) {
		dir := t.TempDir()
		atomicfile.FailAt(func(s atomicfile.Step, _ string) error {
			if s == step {
				return atomicfiletest.ErrFailPoint
			}
			return nil
		})
		err := atomicfile.Write(filepath.Join(dir, "file"), func(w io.Writer) error { _, err := io.WriteString(w, "new"); return err })
		entries, _ := os.ReadDir(dir)
		if want := step == atomicfile.Folder; (err == nil) != want || (len(entries) == 1) != want {
			t.Errorf("step %d: error %v, %d files are left", step, err, len(entries))
		}
	}
}
