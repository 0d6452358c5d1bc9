package cli

import (
	"fmt"
	"testing"

	"github.com/pcgraph/pcgraph/internal/atomicfile/atomicfiletest"
	"github.com/pcgraph/pcgraph/internal/jsonfloat"
)

// Wherever the writing of a manifest fails or the process dies, the folder has the old manifest or, once it is in place, the new one.
// Oracle: the seed that each of them has.
func TestManifest_SurvivesEveryFailPoint(t *testing.T) {
	save := func(dir string, seed uint64) error {
		r := &RunDir{Folder: &Folder{Dir: dir}, Manifest: &Manifest{Command: "train", Seed: seed}}
		return r.save()
	}
	atomicfiletest.Case{
		Setup: func(dir string) error { return save(dir, 1) },
		Write: func(dir string) error { return save(dir, 2) },
		Check: func(dir string, renamed bool) error {
			want := uint64(1)
			if renamed {
				want = 2
			}
			text, err := readManifest((&Folder{Dir: dir}).Path(ManifestName))
			if err != nil {
				return err
			}
			var m Manifest
			if err := jsonfloat.Unmarshal(text, &m); err != nil {
				return err
			}
			if m.Seed != want {
				return fmt.Errorf("seed %d, want %d", m.Seed, want)
			}
			return nil
		},
	}.Run(t)
}
