package pcgraph_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// files calls visit with every file of the repository whose name ends so.
func files(t *testing.T, visit func(path string, text []byte), endings ...string) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() != "." && strings.HasPrefix(d.Name(), ".") {
			return filepath.SkipDir
		}
		for _, e := range endings {
			if !d.IsDir() && strings.HasSuffix(path, e) {
				text, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				visit(path, text)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestDocs_NameTestsThatExist: every test and example that a page of the documentation names is in the source.
func TestDocs_NameTestsThatExist(t *testing.T) {
	in := map[string]string{} // file, by function
	files(t, func(path string, text []byte) {
		file, err := parser.ParseFile(token.NewFileSet(), path, text, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, is := d.(*ast.FuncDecl); is && f.Recv == nil {
				in[f.Name.Name] = path
			}
		}
	}, "_test.go")
	name := regexp.MustCompile(`\b(?:Test|Example|Fuzz|Benchmark)[A-Z_]\w*`)
	files(t, func(path string, text []byte) {
		for _, n := range name.FindAllString(string(text), -1) {
			if in[n] == "" {
				t.Errorf("%s names %s, which no test file has", path, n)
			}
		}
	}, ".md")
}

// TestDocs_LinksLeadToFiles: the relative links of every page lead to files and folders that exist.
func TestDocs_LinksLeadToFiles(t *testing.T) {
	code := regexp.MustCompile("(?s)```.*?```")
	link := regexp.MustCompile(`\]\(([^)#:\s"]+)(?:#[^)]*)?\)`)
	files(t, func(path string, text []byte) {
		for _, m := range link.FindAllSubmatch(code.ReplaceAll(text, nil), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), string(m[1]))); err != nil {
				t.Errorf("%s links to %s, which does not exist", path, m[1])
			}
		}
	}, ".md")
}

// TestDocs_NameWhatIsExported: every `package.Name`, and `package.Type.Member`, in the documentation exists.
func TestDocs_NameWhatIsExported(t *testing.T) {
	exported := map[string]bool{} // package, package.Name and package.Type.Member
	files(t, func(path string, text []byte) {
		if strings.HasSuffix(path, "_test.go") {
			return
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, text, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		if file.Name.Name != "main" {
			exported[file.Name.Name] = true
			addNames(exported, file)
		}
	}, ".go")
	name := regexp.MustCompile("`([a-z]+)\\.([A-Z]\\w*)(?:\\.([A-Z]\\w*))?")
	files(t, func(path string, text []byte) {
		if path == "CHANGELOG.md" {
			return // names what is gone
		}
		for _, m := range name.FindAllSubmatch(text, -1) {
			pkg, ident, member := string(m[1]), string(m[2]), string(m[3])
			if !exported[pkg] || pkg == "json" {
				continue // of another module
			}
			if !exported[pkg+"."+ident] || member != "" && !exported[pkg+"."+ident+"."+member] && !exported[pkg+"."+ident+".*"] {
				t.Errorf("%s names %s, which does not exist", path, strings.TrimPrefix(string(m[0]), "`"))
			}
		}
	}, ".md")
}

// addNames adds what a file exports. A type that embeds another has, as far as is known here, any member: Type.*.
func addNames(exported map[string]bool, file *ast.File) {
	pkg := file.Name.Name + "."
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			exported[pkg+receiver(d)+d.Name.Name] = true
		case *ast.GenDecl:
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.ValueSpec:
					for _, n := range s.Names {
						exported[pkg+n.Name] = true
					}
				case *ast.TypeSpec:
					exported[pkg+s.Name.Name] = true
					ast.Inspect(s.Type, func(n ast.Node) bool {
						if f, is := n.(*ast.Field); is {
							for _, n := range f.Names {
								exported[pkg+s.Name.Name+"."+n.Name] = true
							}
							if len(f.Names) == 0 {
								exported[pkg+s.Name.Name+".*"] = true
							}
						}
						return true
					})
				}
			}
		}
	}
}

// receiver is the type that a method belongs to, with a point behind it.
func receiver(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return ""
	}
	name := ""
	ast.Inspect(f.Recv.List[0].Type, func(n ast.Node) bool {
		if id, is := n.(*ast.Ident); is && name == "" {
			name = id.Name + "."
		}
		return true
	})
	return name
}

// TestDocs_CoverJPC: each of the 89 behaviours and 25 defects has one row, in order, that names a test or says why there is none.
func TestDocs_CoverJPC(t *testing.T) {
	row := regexp.MustCompile(`(?m)^\| (\d+) \|.*\| (.*) \|$`)
	for path, rows := range map[string]int{"docs/JPC-behaviours.md": 89, "docs/JPC-migration.md": 25} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		found := row.FindAllSubmatch(text, -1)
		if len(found) != rows {
			t.Errorf("%s has %d numbered rows, want %d", path, len(found), rows)
		}
		for i, r := range found {
			if want := strings.TrimSpace(string(r[1])); want != strconv.Itoa(i+1) {
				t.Errorf("%s: row %s where %d should be", path, want, i+1)
			}
			if !bytes.Contains(r[2], []byte("`Test")) && !bytes.HasPrefix(r[2], []byte("as ")) {
				t.Errorf("%s: row %s names no test", path, r[1])
			}
		}
	}
}

// TestDocs_HaveNoMarksOfAMerge: nor has the source, where a text of several lines would hide them from the compiler.
func TestDocs_HaveNoMarksOfAMerge(t *testing.T) {
	mark := regexp.MustCompile(`(?m)^(<{7}|>{7}) `)
	files(t, func(path string, text []byte) {
		if m := mark.Find(text); m != nil {
			t.Errorf("%s has a line that begins with %q", path, m)
		}
	}, ".md", ".go", ".py", ".tmpl")
}
