package pcgraph_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/pcgraph/pcgraph/"

// all is what experiments may use: the library, the machinery of claims and the closed-form rule, but not each other.
var all = []string{"experiments/claim", "experiments/closedform", "train", "train/rules", "train/analysis", "arch", "infer", "infer/ode", "optim", "data", "graph", "internal/kernel", "layers", "energy", "theory", "graph/safetensors", "graph/onnx", "curvature"}

// allowed is the dependency picture of docs/ARCHITECTURE.md: the packages of ours that each may import.
// A folder below a listed one belongs to it unless it is listed itself. Those of internal/ import nothing of ours and are there for
// everybody, except internal/kernel, which is listed where it is used.
var allowed = map[string][]string{
	".":                   {},
	"internal/atomicfile": {},
	"internal/buildinfo":  {},
	"internal/protobuf":   {},
	"internal/jsonfloat":  {},
	"internal/layered":    {},
	"internal/mutate":     {},
	"internal/reference":  {"graph"},
	"internal/lockfile":   {},
	"internal/kernel":     {},
	"internal/kernel/gen": {},
	"optim":               {"internal/kernel"},
	"bss":                 {"internal/kernel"},
	"data": {"internal/kernel", "data/internal/cifar", "internal/file", "data/internal/gomnist", "data/internal/idx", "data/internal/moments", "internal/npy",
		"data/internal/table", "internal/words"},
	"data/signal":             {"data", "internal/file", "internal/npy", "data/internal/table", "internal/words"},
	"data/internal/cifar":     {"internal/file"},
	"internal/file":           {"internal/words"},
	"data/internal/gomnist":   {},
	"data/internal/idx":       {"internal/file"},
	"data/internal/moments":   {},
	"internal/npy":            {"internal/file", "internal/words"},
	"data/internal/table":     {"internal/file", "internal/words"},
	"internal/words":          {},
	"theory":                  {},
	"report":                  {},
	"report/tfevents":         {"internal/protobuf"},
	"report/live":             {},
	"report/mlflow":           {},
	"graph/safetensors":       {},
	"graph/onnx":              {"internal/protobuf"},
	"graph":                   {"internal/kernel", "graph/onnx"},
	"infer":                   {"optim", "infer/ode", "internal/kernel"},
	"infer/ode":               {"internal/kernel"},
	"layers":                  {"graph"},
	"energy":                  {"graph"},
	"arch":                    {"graph", "internal/kernel", "internal/npy", "layers", "energy", "graph/safetensors", "graph/onnx"},
	"train":                   {"arch", "infer", "infer/ode", "optim", "data", "graph", "internal/kernel", "layers", "energy", "graph/safetensors"},
	"train/rules":             {"train", "arch", "infer", "infer/ode", "optim", "data", "graph", "internal/kernel", "layers", "energy", "graph/safetensors"},
	"train/analysis":          {"train", "arch", "infer", "infer/ode", "optim", "data", "graph", "internal/kernel", "layers", "energy", "graph/safetensors"},
	"curvature":               {"train", "arch", "infer", "energy", "layers", "theory"},
	"icl":                     {"arch", "graph", "layers"},
	"experiments/claim":       {},
	"experiments/closedform":  {"train", "graph", "theory"},
	"experiments/record":      {"experiments/claim"},
	"experiments/benchmark":   all,
	"experiments/limits":      all,
	"experiments/mupc":        all,
	"experiments/newcomers":   all,
	"experiments/jpc":         all,
	"experiments/thesis":      all,
	"experiments/pem":         {"experiments/claim", "bss", "data", "data/signal"},
	"experiments/trustregion": all,
	"experiments/saddles":     all,
	"experiments/icl":         append([]string{"icl"}, all...),
	"examples":                append([]string{"report"}, all...),
	"cmd/demo":                append([]string{"report", "report/tfevents", "report/live", "report/mlflow", "bss", "data/signal", "experiments/record", "experiments/benchmark", "experiments/limits", "experiments/mupc", "experiments/newcomers", "experiments/jpc", "experiments/thesis", "experiments/pem", "experiments/trustregion", "experiments/saddles", "experiments/icl", "icl"}, all...),
}

// gorgoniaOnly may import Gorgonia; an example shows how a user does.
const gorgoniaOnly = "graph"

// TestDependencies holds the imports of every package, tests excepted, against the picture.
func TestDependencies(t *testing.T) {
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
		folder := owner(filepath.ToSlash(filepath.Dir(path)))
		may, known := allowed[folder]
		if !known {
			t.Errorf("%s: package %s is not in the dependency picture: add it to deps_test.go and docs/ARCHITECTURE.md", path, folder)
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range file.Imports {
			imp, _ := strconv.Unquote(spec.Path.Value)
			switch {
			case imp == "C":
				t.Errorf("%s: cgo: the project is pure Go", path)
			case strings.HasPrefix(imp, "gorgonia.org/") && folder != gorgoniaOnly && folder != "examples":
				t.Errorf("%s: imports %s: only package %s does", path, imp, gorgoniaOnly)
			case strings.HasPrefix(imp, module):
				if target := owner(strings.TrimPrefix(imp, module)); target != folder && !slices.Contains(may, target) && (target == "internal/kernel" || !strings.HasPrefix(target, "internal/")) {
					t.Errorf("%s: %s may not import %s", path, folder, target)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// owner is the listed folder that a folder belongs to.
func owner(folder string) string {
	for f := folder; f != "."; f = filepath.ToSlash(filepath.Dir(f)) {
		if _, ok := allowed[f]; ok {
			return f
		}
	}
	return folder
}
