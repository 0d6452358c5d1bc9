package main

import (
	"strings"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/data"
)

// toys are the toy tasks by name, and dataNames all data sets.
var (
	toys      = []string{"xor", "moons", "spirals", "linear", "sine"}
	dataNames = append([]string{"mnist", "fashion", "random"}, toys...)
)

// dataFlags choose a data set.
type dataFlags struct {
	Data string `default:"mnist" help:"Data: mnist, fashion, xor, moons, spirals, linear, sine, or random (regression on noise, of the widths given)." json:"data"`
	Dir  string `placeholder:"DIR" help:"Folder of the data set's IDX files (default: searched, see \"demo data\")." json:"-"`
}

func (f dataFlags) validate() error { return known("data", f.Data, dataNames...) }

// source is the data set; widths are those of random data.
func (f dataFlags) source(seed uint64, widths []int) (data.Source, error) {
	switch f.Data {
	case "mnist":
		return data.MNIST{Dir: f.Dir}, nil
	case "fashion":
		return data.FashionMNIST{Dir: f.Dir}, nil
	case "random":
		if len(widths) < 2 {
			return nil, errors.New("-data random takes its sizes from -widths: give them")
		}
		return data.Linear{In: widths[0], Out: widths[len(widths)-1], Noise: 1, Seed: seed}, nil
	}
	return toySource(f.Data, seed), nil
}

// toySource is a toy task.
func toySource(name string, seed uint64) data.Source {
	switch name {
	case "xor":
		return data.XOR{Noise: .25, Seed: seed}
	case "moons":
		return data.Moons{Noise: .12, Seed: seed}
	case "spirals":
		return data.Spirals{Noise: .02, Train: 2000, Seed: seed}
	case "linear":
		return data.Linear{Noise: .1, Seed: seed}
	}
	return data.Sine{Noise: .1, Seed: seed}
}

// dataCmd lists the data sets.
type dataCmd struct {
	MNIST   string `name:"mnist" placeholder:"DIR" help:"Look for MNIST in this folder only."`
	Fashion string `placeholder:"DIR" help:"Look for Fashion-MNIST in this folder only."`
}

// Run prints what is found where. It fails when something is missing.
func (cmd dataCmd) Run(c *console) error {
	missing := 0
	for _, at := range data.Locate(data.Dirs{MNIST: cmd.MNIST, FashionMNIST: cmd.Fashion}) {
		if at.Err != nil {
			missing++
			c.printf("%s: missing\n  %s\n\n", at.Name, strings.ReplaceAll(strings.TrimPrefix(at.Err.Error(), "data: "), "\n", "\n  "))
			continue
		}
		c.printf("%s: found in %s\n  by %s\n", at.Name, at.Dir, at.Via)
		for _, f := range at.Files {
			c.printf("  %10d bytes  sha256 %s  %s\n", f.Size, f.SHA256, strings.TrimPrefix(f.Path, at.Dir))
		}
		c.printf("\n")
	}
	c.printf("Made from the seed, always there: %s.\n", strings.Join(toys, ", "))
	if missing > 0 && (cmd.MNIST != "" || cmd.Fashion != "") {
		return errors.New("a data set is not in the folder given")
	}
	return nil
}
