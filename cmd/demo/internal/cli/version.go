package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/alecthomas/kong"

	"github.com/pcgraph/pcgraph/internal/buildinfo"
	"github.com/pcgraph/pcgraph/internal/kernel"
)

// VersionFlag prints the version instead of running anything.
type VersionFlag bool

// BeforeReset is called by kong as soon as it sees the flag.
func (VersionFlag) BeforeReset(app *kong.Kong) error {
	v := ReadVersion()
	fmt.Fprintf(app.Stdout, "demo %s %s", buildinfo.Module, v.Module)
	if v.Revision != "" {
		fmt.Fprintf(app.Stdout, " (revision %s)", v.Revision)
	}
	fmt.Fprintf(app.Stdout, "\n%s %s/%s, kernels %s, %d cores\n", v.Go, v.OS, v.Arch, v.Kernels, v.Cores)
	app.Exit(ExitOK)
	return nil
}

// A Version says what was built, and what it runs on.
type Version struct {
	Module   string            `json:"module"`             // buildinfo.Version
	Revision string            `json:"revision,omitempty"` // of git, "+dirty" if modified
	Go       string            `json:"go"`
	OS       string            `json:"os"`
	Arch     string            `json:"arch"`
	Kernels  string            `json:"kernels"`
	Cores    int               `json:"cores"`
	Deps     map[string]string `json:"dependencies,omitempty"`
}

func ReadVersion() Version {
	v := Version{Module: buildinfo.Version, Revision: buildinfo.Revision(), Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH,
		Kernels: kernel.Set(), Cores: runtime.GOMAXPROCS(0)}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	v.Deps = make(map[string]string, len(info.Deps))
	for _, d := range info.Deps {
		if d.Replace != nil {
			d = d.Replace
		}
		v.Deps[d.Path] = d.Version
	}
	return v
}

// line is the version in a sentence.
func (v Version) line() string {
	text := fmt.Sprintf("%s on %s/%s, %d cores, kernels %s", v.Go, v.OS, v.Arch, v.Cores, v.Kernels)
	if v.Revision != "" {
		text += ", revision " + v.Revision
	}
	return text + "."
}
