package study

import (
	"slices"
	"strings"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/data"
)

// DataCmd lists the data sets.
type DataCmd struct {
	MNIST    string `name:"mnist" placeholder:"DIR" help:"Look for MNIST in this folder only."`
	Fashion  string `placeholder:"DIR" help:"Look for Fashion-MNIST in this folder only."`
	CIFAR10  string `name:"cifar10" placeholder:"DIR" help:"Look for CIFAR-10 in this folder only."`
	CIFAR100 string `name:"cifar100" placeholder:"DIR" help:"Look for CIFAR-100 in this folder only."`
}

// Run prints what is found where. It fails when something is missing in a folder that was given.
func (cmd DataCmd) Run(c *cli.Console) error {
	given := []string{cmd.MNIST, cmd.Fashion, cmd.CIFAR10, cmd.CIFAR100} // in the order of Locate
	missing := false
	for k, at := range data.Locate(data.Dirs{MNIST: cmd.MNIST, FashionMNIST: cmd.Fashion, CIFAR10: cmd.CIFAR10, CIFAR100: cmd.CIFAR100}) {
		if at.Err != nil {
			missing = missing || given[k] != ""
			c.Printf("%s: missing\n  %s\n\n", at.Name, strings.ReplaceAll(strings.TrimPrefix(at.Err.Error(), "data: "), "\n", "\n  "))
			continue
		}
		c.Printf("%s: found in %s\n  by %s\n", at.Name, at.Dir, at.Via)
		for _, f := range at.Files {
			c.Printf("  %10d bytes  sha256 %s  %s\n", f.Size, f.SHA256, strings.TrimPrefix(f.Path, at.Dir))
		}
		c.Printf("\n")
	}
	text, _, err := data.Corpus{Window: 1}.Load()
	if err != nil {
		return err
	}
	c.Printf("Your own, for train, compare, infer and coordcheck (\"demo train -help\" has all flags):\n")
	c.Printf("  -data FILE.npz, or a folder of .npy   arrays x_train, y_train, x_test, y_test, or x, y; others by -keys\n")
	c.Printf("  -data FILE.csv                        a line for each sample; the column to predict by -targets\n")
	c.Printf("  Without a test part, a fifth is held out. For example: demo train -data iris.csv -targets species -epochs 100\n")
	c.Printf("text: any file in UTF-8 (-text FILE), or a small one that is built in, of %d different characters.\n", text.Classes())
	c.Printf("Made from the seed, always there:\n")
	for _, name := range slices.Concat(cli.Toys, cli.Generated) {
		set, test, err := cli.MadeSource(name, 1).Load()
		if err != nil {
			return err
		}
		c.Printf("  %-8s %5d + %d samples  %s -> %s\n", name, set.Len(), test.Len(), cli.Dims(set.InShape()), cli.Dims(set.OutShape()))
	}
	if missing {
		return errors.New("a data set is not in the folder given")
	}
	return nil
}
