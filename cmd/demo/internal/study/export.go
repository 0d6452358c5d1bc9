package study

import (
	"encoding/json"
	"os"
	"path/filepath"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
)

// ExportCmd writes a saved network as an ONNX model.
type ExportCmd struct {
	From   string `arg:"" name:"run" help:"Folder of a run of mnist or train, or one of its files of weights."`
	To     string `arg:"" name:"model" help:"The model to write, FILE.onnx; one that is there is replaced."`
	Rule   string `placeholder:"RULE" help:"Whose weights, as the table of eval has them: PC, BP, ... (default: the rule that was held against backprop)."`
	Beside bool   `help:"Put the weights into a file beside the model, as models beyond 2 GB must have them."`
	Dir    string `placeholder:"DIR" help:"Folder of the data set's files, which say what shape the samples of cnn, resnet and transformer have (default: searched, see \"demo data\")."`
}

// Run writes the model.
func (cmd ExportCmd) Run(c *cli.Console) error {
	flags := savedFlags{From: cmd.From, Dir: cmd.Dir}
	s, err := flags.open()
	if err != nil {
		return err
	}
	if info, err := os.Stat(cmd.To); err == nil && !info.Mode().IsRegular() {
		return errors.Errorf("%s is no file: name one that is not there or may be replaced", cmd.To)
	}
	file, err := s.OfRule(cmd.Rule)
	if err != nil {
		return err
	}
	net, err := flags.network(c, s)
	if err != nil {
		return err
	}
	w, err := s.Load(file, net)
	if err != nil {
		return err
	}
	meta := map[string]string{"rule": file.Rule, "weights_file": file.File, "weights_file_sha256": file.SHA256}
	if s.Encoding != nil {
		text, err := json.Marshal(s.Encoding)
		if err != nil {
			return errors.Wrap(err, "the encoding of the run's data")
		}
		meta["encoding"] = string(text)
	}
	if err := arch.ExportONNX(cmd.To, net, w, arch.ONNX{Beside: cmd.Beside, Meta: meta}); err != nil {
		return err
	}
	in, out := net.Ends()
	c.Printf("%s: the network of %s with the weights of %s (%s), in float32, from %v to %v, for batches of any size.\n", cmd.To, filepath.Clean(s.Dir), file.Rule, file.File, in, out)
	if s.Encoding != nil {
		c.Printf("Its inputs are the run's data as they were encoded for training; the metadata have the encoding.\n")
	}
	return nil
}

// network is the network of a run. Only that of a chain is known without its data.
func (f savedFlags) network(c *cli.Console, s *saved) (*arch.Network, error) {
	of := &s.options
	if of.Kind() == "mlp" && len(of.Widths) > 1 {
		return of.Build("", nil, nil)
	}
	set, err := f.samples(c, s, true)
	if err != nil {
		return nil, err
	}
	return of.Network(set, of.Widths...)
}
