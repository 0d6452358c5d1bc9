package study

import (
	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/graph"
)

// A SavedNetwork is the network of a run with the weights that it saved and samples for it, for other rooms of the command.
type SavedNetwork struct {
	Flags   cli.NetFlags
	Net     *arch.Network
	Set     *data.Set // the test part of the run's data
	Names   []string  // files of weights
	Weights []*graph.Vector[float32]
}

// OpenNetwork reads the folder of a run of mnist or train, or one of its files of weights. dir is where its data are now, if they are
// elsewhere.
func OpenNetwork(c *cli.Console, from, dir string) (*SavedNetwork, error) {
	flags := savedFlags{From: from, Dir: dir}
	s, err := flags.open()
	if err != nil {
		return nil, err
	}
	set, err := flags.samples(c, s, true)
	if err != nil {
		return nil, err
	}
	n := &SavedNetwork{Set: set}
	if n.Net, err = s.options.Network(set, s.options.Widths...); err != nil {
		return nil, err
	}
	n.Flags = s.options.NetFlags
	for _, file := range s.Weights {
		w, err := s.Load(file, n.Net)
		if err != nil {
			return nil, err
		}
		n.Names, n.Weights = append(n.Names, file.File), append(n.Weights, w)
	}
	return n, nil
}
