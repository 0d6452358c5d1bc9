package inspect

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/report"
)

// GraphCmd draws the expression graph of a network.
type GraphCmd struct {
	cli.NetFlags
	cli.FolderFlags
	Batch int    `default:"32" help:"Samples in the batch." json:"batch"`
	What  string `default:"energy" enum:"energy,state,param" help:"What to draw: the energy, with its gradients by the activities (state) or by the weights (param)." json:"what"`
}

// views are the parts of a model by name.
var views = map[string]arch.View{"energy": arch.EnergyView, "state": arch.StateView, "param": arch.ParamView}

// viewTitles say what a picture shows.
var viewTitles = map[string]string{"energy": "Energy", "state": "Energy and its gradients with respect to the activities", "param": "Energy and its gradients with respect to the weights"}

// MostBlocks is how deep a network may be drawn: nobody can read the pictures of deeper ones.
const MostBlocks = 24

// Validate is called by kong.
func (cmd GraphCmd) Validate() error {
	if len(cmd.Widths) > MostBlocks+1 {
		return errors.Errorf("-widths: %d blocks: want %d at most in a picture", len(cmd.Widths)-1, MostBlocks)
	}
	if cmd.Depth > MostBlocks {
		return errors.Errorf("-depth %d: want %d at most in a picture", cmd.Depth, MostBlocks)
	}
	return cli.First(cmd.NetFlags.Check(), cli.Count("batch", cmd.Batch, 1))
}

// Run writes graph.dot and graph.svg.
func (cmd GraphCmd) Run(c *cli.Console) error {
	if len(cmd.Widths) == 0 && cmd.Kind() == "mlp" {
		cmd.Widths = []int{4, 5, 3}
	}
	return c.Run("graph", cmd, func(r *cli.RunDir) error { return cmd.draw(c, r.Folder) })
}

// draw draws into a folder.
func (cmd GraphCmd) draw(c *cli.Console, out *cli.Folder) error {
	dot, err := cmd.dot()
	if err != nil {
		return err
	}
	if err := out.Write("graph.dot", all(dot)); err != nil {
		return err
	}
	svg, err := report.Graph(dot, fmt.Sprintf("%s of a %s", viewTitles[cmd.What], cmd.Title()))
	if err != nil {
		return errors.Wrapf(err, "draw; %s is there for Graphviz's own dot", filepath.Join(out.Dir, "graph.dot"))
	}
	if err := out.Write("graph.svg", all(svg)); err != nil {
		return err
	}
	c.Printf("The %s graph of a %s is in %s: graph.svg for a browser, graph.dot for Graphviz.\n", cmd.What, cmd.Title(), out.Dir)
	c.Printf("Blue: data. Yellow: free activities. Green: weights. Red: energies. Dashed: gradients.\n")
	return nil
}

// all writes b.
func all(b []byte) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	}
}

// dot is the graph in Graphviz's language.
func (cmd *GraphCmd) dot() ([]byte, error) {
	in, out := []int{8, 8, 1}, []int{3}
	if cmd.Kind() == "transformer" {
		in, out = []int{4, 5}, []int{4, 5}
	}
	if cmd.OfModel() {
		in, out = nil, nil
	}
	net, err := cmd.Build("the picture", in, out)
	if err != nil {
		return nil, err
	}
	w, err := arch.NewWeights[float32](net, rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		return nil, err
	}
	m, err := arch.Compile(net, w, arch.Plan{Batch: cmd.Batch, Energy: cmd.Energy(cmd.Precision)})
	if err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	if err := m.Dot(&buf, views[cmd.What]); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// Choice is what the use of some flags depends on.
func (cmd GraphCmd) Choice() cli.Choice { return cli.Choice{Arch: cmd.Kind()} }
