package atomicfile

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/pkg/errors"
)

func TestWrite_WholeOrNotAtAll(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.json")
	text := func(s string) func(io.Writer) error {
		return func(w io.Writer) error { _, err := io.WriteString(w, s); return err }
	}
	if err := Write(path, text("old")); err != nil {
		t.Fatal(err)
	}
	failure := errors.New("halfway")
	err := Write(path, func(w io.Writer) error { io.WriteString(w, "half of the n"); return failure })
	if !errors.Is(err, failure) {
		t.Errorf("the error of the content is lost: %v", err)
	}
	check := func(want string) {
		t.Helper()
		got, err := os.ReadFile(path)
		if err != nil || string(got) != want {
			t.Errorf("the file holds %q, %v: want %q", got, err, want)
		}
		entries, _ := os.ReadDir(dir)
		if len(entries) != 1 {
			t.Errorf("%d files are left, want one", len(entries))
		}
	}
	check("old")
	os.WriteFile(path+Suffix, []byte("what a killed process left, and longer than the new"), 0o600)
	if err := Write(path, text("new")); err != nil {
		t.Fatal(err)
	}
	check("new")
	victim := filepath.Join(t.TempDir(), "victim")
	if err := os.WriteFile(victim, []byte("precious"), 0o644); err != nil {
		t.Fatal(err)
	}
	if os.Symlink(victim, path+Suffix) == nil { // where links take no privilege
		if err := Write(path, text("newer")); err != nil {
			t.Fatal(err)
		}
		check("newer")
		if got, _ := os.ReadFile(victim); string(got) != "precious" {
			t.Errorf("written through a link: %q", got)
		}
	}
	if err := Write(filepath.Join(dir, "missing", "b"), text("x")); err == nil {
		t.Error("a missing folder is no error")
	}
}
