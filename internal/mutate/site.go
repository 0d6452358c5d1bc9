package main

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/pkg/errors"
)

// A site is a place of a source file and the text that a mutant has there.
type site struct {
	pkg, path string
	source    []byte
	line      int
	from, to  int // bytes of the source
	text      string
	what      string
}

// swaps are the mutants of a binary operator.
var swaps = map[token.Token]token.Token{
	token.ADD: token.SUB, token.SUB: token.ADD, token.MUL: token.QUO, token.QUO: token.MUL, token.REM: token.QUO,
	token.LSS: token.LEQ, token.LEQ: token.LSS, token.GTR: token.GEQ, token.GEQ: token.GTR, token.EQL: token.NEQ, token.NEQ: token.EQL,
	token.LAND: token.LOR, token.LOR: token.LAND, token.SHL: token.SHR, token.SHR: token.SHL, token.AND: token.OR, token.OR: token.AND,
	token.ADD_ASSIGN: token.SUB_ASSIGN, token.SUB_ASSIGN: token.ADD_ASSIGN, token.MUL_ASSIGN: token.QUO_ASSIGN, token.QUO_ASSIGN: token.MUL_ASSIGN,
	token.INC: token.DEC, token.DEC: token.INC,
}

// sitesOf finds the places of a file to mutate: operators, numbers, conditions, and statements that can be left out. Those in
// errors and panics are left alone, because what a message says in words is not what tests are for.
func sitesOf(path string, source []byte) ([]site, error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, path, source, parser.SkipObjectResolution)
	if err != nil {
		return nil, errors.WithStack(err)
	}
	if ast.IsGenerated(file) {
		return nil, nil
	}
	var sites []site
	add := func(from, to token.Pos, text, what string) {
		at := fset.Position(from)
		sites = append(sites, site{path: path, source: source, line: at.Line, from: at.Offset, to: fset.Position(to).Offset, text: text, what: what})
	}
	swap := func(at token.Pos, op token.Token) {
		if other, has := swaps[op]; has {
			add(at, at+token.Pos(len(op.String())), other.String(), op.String()+" becomes "+other.String())
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GenDecl:
			return n.Tok != token.IMPORT
		case *ast.CallExpr:
			return !words(n)
		case *ast.BinaryExpr:
			if lit, is := n.X.(*ast.BasicLit); is && lit.Kind == token.STRING {
				return true // joins strings
			}
			swap(n.OpPos, n.Op)
		case *ast.IncDecStmt:
			swap(n.TokPos, n.Tok)
		case *ast.AssignStmt:
			swap(n.TokPos, n.Tok)
			if n.Tok != token.DEFINE {
				add(n.Pos(), n.End(), "", "statement left out")
			}
		case *ast.IfStmt:
			add(n.Cond.Pos(), n.Cond.End(), "!("+string(source[fset.Position(n.Cond.Pos()).Offset:fset.Position(n.Cond.End()).Offset])+")", "condition turned round")
		case *ast.BasicLit:
			switch n.Kind {
			case token.INT:
				if v, err := strconv.ParseInt(n.Value, 0, 64); err == nil {
					add(n.Pos(), n.End(), strconv.FormatInt(v+1, 10), n.Value+" becomes "+strconv.FormatInt(v+1, 10))
				}
			case token.FLOAT:
				add(n.Pos(), n.End(), "(2*"+n.Value+")", n.Value+" is doubled")
			}
		case *ast.ExprStmt:
			if call, is := n.X.(*ast.CallExpr); is && !words(call) {
				add(n.Pos(), n.End(), "", "call left out")
			}
		case *ast.BranchStmt:
			if n.Label == nil && n.Tok != token.FALLTHROUGH {
				add(n.Pos(), n.End(), "", n.Tok.String()+" left out")
			}
		}
		return true
	})
	return sites, nil
}

// words reports whether the arguments of a call are left alone: those of a panic, an error, a printed text, and the sign of math.Inf.
func words(call *ast.CallExpr) bool {
	name := ""
	switch f := call.Fun.(type) {
	case *ast.Ident:
		name = f.Name
	case *ast.SelectorExpr:
		if x, is := f.X.(*ast.Ident); is {
			name = x.Name + "." + f.Sel.Name
		}
	}
	return name == "panic" || name == "math.Inf" || strings.HasPrefix(name, "errors.") || strings.HasPrefix(name, "fmt.")
}

// mutant is the source with the site's text.
func (s site) mutant() []byte {
	return append(append(append([]byte{}, s.source[:s.from]...), s.text...), s.source[s.to:]...)
}

// write puts the mutant and an overlay that names it into a folder, and returns the overlay's path.
func (s site) write(folder string) (string, error) {
	mutant := filepath.Join(folder, "mutant.go")
	if err := os.WriteFile(mutant, s.mutant(), 0o644); err != nil {
		return "", err
	}
	text, err := json.Marshal(map[string]map[string]string{"Replace": {s.path: mutant}})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(folder, "overlay.json")
	return overlay, os.WriteFile(overlay, text, 0o644)
}

// place is file:line, from the working directory.
func (s site) place() string {
	path := s.path
	if wd, err := os.Getwd(); err == nil {
		if rel, err := filepath.Rel(wd, path); err == nil {
			path = rel
		}
	}
	return fmt.Sprintf("%s:%d", filepath.ToSlash(path), s.line)
}

// diff is the changed lines, before and after.
func (s site) diff() string {
	begin := strings.LastIndexByte(string(s.source[:s.from]), '\n') + 1
	end := len(s.source)
	if i := strings.IndexByte(string(s.source[s.to:]), '\n'); i >= 0 {
		end = s.to + i
	}
	var b strings.Builder
	for line := range strings.Lines(string(s.source[begin:end])) {
		fmt.Fprintf(&b, "    - %s\n", strings.TrimSuffix(line, "\n"))
	}
	for line := range strings.Lines(string(s.source[begin:s.from]) + s.text + string(s.source[s.to:end])) {
		fmt.Fprintf(&b, "    + %s\n", strings.TrimSuffix(line, "\n"))
	}
	return b.String()
}
