package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

const source = `package p

import "fmt"

// Grow is longer than it needs to be.
func Grow(n int) (s int) {
	for i := 0; i < n; i++ {
		if i == 3 {
			continue
		}
		s += i
	}
	fmt.Println("3 + 4", 5)
	return s
}
`

// TestSitesOf_FindsOperatorsNumbersConditionsAndStatements: and nothing in imports, strings and messages.
func TestSitesOf_FindsOperatorsNumbersConditionsAndStatements(t *testing.T) {
	sites, err := sitesOf("p.go", []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range sites {
		got = append(got, s.what)
	}
	want := []string{"0 becomes 1", "< becomes <=", "++ becomes --", "condition turned round", "== becomes !=", "3 becomes 4", "continue left out",
		"+= becomes -=", "statement left out"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
	if got, want := sites[5].diff(), "    - \t\tif i == 3 {\n    + \t\tif i == 4 {\n"; got != want {
		t.Errorf("diff\n%swant\n%s", got, want)
	}
}

// TestTest_KillsWhatATestSees: one mutant that the package's test sees, one that it does not, and one that does not compile.
func TestTest_KillsWhatATestSees(t *testing.T) {
	folder := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module p\n\ngo 1.26\n", "p.go": "package p\n\nfunc Sum(a, b int) int {\n\tunseen := a - b\n\t_ = unseen\n\treturn a + b\n}\n",
		"p_test.go": "package p\n\nimport \"testing\"\n\nfunc TestSum(t *testing.T) {\n\tif Sum(1, 2) != 3 {\n\t\tt.Error(\"no sum\")\n\t}\n}\n",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(folder)
	path := filepath.Join(folder, "p.go")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sites, err := sitesOf(path, text)
	if err != nil {
		t.Fatal(err)
	}
	want := map[int]verdict{4: survived, 5: invalid, 6: killed} // by line; 5 leaves a variable without a use
	for _, s := range sites {
		overlay, err := s.write(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		v, out, err := test(context.Background(), overlay, ".", time.Minute)
		if err != nil || v != want[s.line] {
			t.Errorf("%s: verdict %v, want %v (%v)\n%s", s.place(), v, want[s.line], err, out)
		}
		if v == killed && by(out) != "TestSum" {
			t.Errorf("killed by %q", by(out))
		}
	}
}
