// Package buildinfo says which version of this module is running: to the command's -version, to manifests, and to files of weights
// and checkpoints.
package buildinfo

import (
	"runtime/debug"
	"strings"
)

// Version is the version of this module: the newest released section of CHANGELOG.md, and the tag of that release.
// .ci/release checks that the three agree.
const Version = "v0.1.0"

// Module is the path of this module.
const Module = "github.com/pcgraph/pcgraph"

// Revision returns the git commit that a program of this module was built from, with "+dirty" appended if the checkout was modified.
// In a program of another module it returns that program's version of this module where that is not Version itself, a pseudo-version for
// example. It returns "" where nothing is known.
func Revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, d := range info.Deps {
		if d.Path == Module && d.Version != Version && d.Replace == nil {
			return d.Version
		}
	}
	if info.Main.Path != Module {
		return ""
	}
	revision, dirty := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "+dirty"
		}
	}
	return revision + dirty
}

// String returns module, version and revision, separated by spaces.
func String() string {
	return strings.TrimSpace(Module + " " + Version + " " + Revision())
}
