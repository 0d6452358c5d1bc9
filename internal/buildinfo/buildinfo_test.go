package buildinfo

import (
	"strings"
	"testing"
)

// TestString_NamesModuleAndVersion: files of weights and checkpoints carry this line.
func TestString_NamesModuleAndVersion(t *testing.T) {
	if got := String(); !strings.HasPrefix(got, Module+" "+Version) || strings.HasSuffix(got, " ") {
		t.Errorf("got %q", got)
	}
}
