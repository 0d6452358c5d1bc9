package pcgraph_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// mayStep are the packages whose code may move weights by an optimiser: everything else trains by a train.Trainer.
var mayStep = []string{
	"optim", // optimisers that wrap others

	"train",                   // the one training loop
	"infer",                   // solvers, which move activities; no weights
	"infer/ode",               // likewise
	"cmd/demo/internal/bench", // times the parts of a training step one by one
	"examples/stepping",       // shows how a program of one's own steps by hand
}

// TestOptimiserLoops finds calls x.Step(a, b) of two arguments, tests excepted: the form of optim.Optimizer and of train.Update.
func TestOptimiserLoops(t *testing.T) {
	found := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || d.Name() != "." && strings.HasPrefix(d.Name(), ".")) {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) != 2 {
				return true
			}
			if method, ok := call.Fun.(*ast.SelectorExpr); !ok || method.Sel.Name != "Step" {
				return true
			}
			found++
			if !slices.Contains(mayStep, filepath.ToSlash(filepath.Dir(path))) {
				t.Errorf("%s: a training loop of its own: range over train.Trainer.Steps instead", fset.Position(call.Pos()))
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if found == 0 {
		t.Error("no call of an optimiser was found, not even that of train: the search is broken")
	}
}
