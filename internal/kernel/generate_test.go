package kernel

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The committed assembly is what the generator writes, byte for byte.
func TestGenerated_IsCurrent(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the generator")
	}
	tool, err := exec.LookPath("go")
	if err != nil {
		t.Skip(err)
	}
	folder := t.TempDir()
	if out, err := exec.Command(tool, "run", "./gen", "-to", folder).CombinedOutput(); err != nil {
		t.Fatalf("go run ./gen: %v\n%s", err, out)
	}
	files, err := os.ReadDir(folder)
	if err != nil || len(files) == 0 {
		t.Fatalf("the generator wrote %d files, %v", len(files), err)
	}
	for _, f := range files {
		want, err := os.ReadFile(filepath.Join(folder, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(f.Name()); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what ./gen writes (%v): run go generate", f.Name(), err)
		}
	}
}
