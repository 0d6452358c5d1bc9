package study

import (
	"path/filepath"
	"strings"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/report"
)

// ImportCmd reads an ONNX model.
type ImportCmd struct {
	Model string `arg:"" help:"FILE.onnx, of PyTorch or another program."`
	cli.FolderFlags
}

// Run says what the network is, and writes it with its weights into a run folder: network.onnx, for -arch, and weights.safetensors.
func (cmd ImportCmd) Run(c *cli.Console) error {
	in, err := arch.ImportONNX[float32](cmd.Model)
	if err != nil {
		return err
	}
	return c.Run("import", cmd, func(r *cli.RunDir) error {
		if err := r.Save(cli.ModelName, func(path string) error {
			return arch.ExportONNX(path, in.Network, in.Weights, arch.ONNX{Meta: map[string]string{"imported_from": filepath.Base(cmd.Model)}})
		}); err != nil {
			return err
		}
		if err := r.Save("weights"+cli.WeightsSuffix, func(path string) error { return arch.SaveWeights(path, in.Network, in.Weights) }); err != nil {
			return err
		}
		inputs, outputs := in.Network.Ends()
		c.Printf("%s: %s, %d weights, from %s to %s\n", cmd.Model, report.Plural(len(in.Network.Blocks), "block"), len(in.Weights.Data()), strings.Join(inputs, ", "), strings.Join(outputs, ", "))
		for i, line := range strings.Split(in.String(), "\n") {
			if i > 0 {
				c.Printf("  %s\n", line)
			}
		}
		for _, note := range in.Notes {
			c.Printf("%s\n", note)
		}
		c.Printf("It goes on under predictive coding from there: demo train -arch %s -data DATA\n", r.Path(cli.ModelName))
		return nil
	})
}
