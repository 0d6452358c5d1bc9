package pcgraph_test

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestExamples: every Example belongs to an exported name of its package (or to the package), so that it appears in its documentation,
// and every public package has one.
func TestExamples(t *testing.T) {
	fset := token.NewFileSet()
	packages := map[string][]*ast.File{} // by folder
	files(t, func(file string, text []byte) {
		f, err := parser.ParseFile(fset, filepath.Base(file), text, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		folder := filepath.ToSlash(filepath.Dir(file))
		packages[folder] = append(packages[folder], f)
	}, ".go")
	for _, folder := range slices.Sorted(maps.Keys(packages)) {
		var source, tests []*ast.File
		for _, f := range packages[folder] {
			if strings.HasSuffix(fset.File(f.Pos()).Name(), "_test.go") {
				tests = append(tests, f)
			} else {
				source = append(source, f)
			}
		}
		if len(source) == 0 {
			continue // testdata
		}
		shown, name, exported := documented(t, fset, path.Join(module, folder), append(source, tests...))
		for _, e := range doc.Examples(tests...) {
			if !shown[e.Name] {
				t.Errorf("%s: Example%s belongs to no exported name: rename it after what it shows, or make it a test", folder, e.Name)
			}
		}
		public := name != "main" && exported && !strings.HasPrefix(folder, "internal/") && !strings.Contains(folder, "/internal/") &&
			(folder == "experiments/claim" || !strings.HasPrefix(folder, "experiments/"))
		suite := strings.HasSuffix(folder, "test") // conformance suites: layertest, energytest, ...
		if public && !suite && len(shown) == 0 {
			t.Errorf("package %s has no Example", folder)
		}
	}
}

// documented returns the examples that go doc would show, the package's name, and whether it exports anything.
func documented(t *testing.T, fset *token.FileSet, importPath string, files []*ast.File) (shown map[string]bool, name string, exported bool) {
	t.Helper()
	p, err := doc.NewFromFiles(fset, files, importPath)
	if err != nil {
		t.Fatal(err)
	}
	shown = map[string]bool{}
	add := func(examples []*doc.Example) {
		for _, e := range examples {
			shown[e.Name] = true
		}
	}
	add(p.Examples)
	for _, f := range p.Funcs {
		add(f.Examples)
	}
	for _, ty := range p.Types {
		add(ty.Examples)
		for _, f := range append(ty.Funcs, ty.Methods...) {
			add(f.Examples)
		}
	}
	return shown, p.Name, len(p.Funcs)+len(p.Types) > 0
}
