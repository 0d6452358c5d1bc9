package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/data"
)

// The data sets by name: toys have a picture of what was learned ("demo toy"), generated are made from the seed too, stored
// are read from files.
var (
	toys      = []string{"xor", "moons", "spirals", "linear", "sine"}
	generated = []string{"bars", "copy", "icl"}
	stored    = []string{"mnist", "fashion", "cifar10", "cifar100", "text"}
	dataNames = slices.Concat(stored, []string{"random"}, toys, generated)
)

// dataFlags choose a data set.
type dataFlags struct {
	Data     string `default:"mnist" help:"Data: mnist, fashion, cifar10, cifar100, text, xor, moons, spirals, linear, sine, bars, copy, icl, random (regression on noise, of the widths given), or your own: FILE.npz, a folder of .npy, FILE.csv." json:"data"`
	Dir      string `placeholder:"DIR" help:"Folder of the data set's files (default: searched, see \"demo data\")." json:"-"`
	Text     string `placeholder:"FILE" help:"Text in UTF-8 for -data text (default: a small one that is built in)." json:"text,omitempty"`
	Window   int    `default:"32" help:"Characters of a window of -data text." json:"window"`
	Augment  bool   `help:"Shift by up to 4 pixels and flip the training pictures of cifar10 and cifar100." json:"augment"`
	ownFlags `embed:"" group:"Your own data, -data FILE:"`
}

func (f dataFlags) validate() error {
	if f.Data == "text" && f.Window < 1 { // other data has no window, and commands without these flags leave it zero
		return errors.Errorf("-window is %d: want one or more", f.Window)
	}
	if kindOf(f.Data) == namedData {
		if err := known("data", f.Data, dataNames...); err != nil {
			return errors.Errorf("%v, or FILE.npz, a folder of .npy, FILE.csv", err)
		}
	}
	return f.ownFlags.validate()
}

// load loads the data set, and says of a user's own what was made of it.
func (f dataFlags) load(c *console, seed uint64, widths []int) (training, test *data.Set, err error) {
	source, err := f.source(seed, widths)
	if err != nil {
		return nil, nil, err
	}
	c.doing("reading the data")
	defer c.doing("working")
	if training, test, err = source.Load(); kindOf(f.Data) == namedData {
		return training, test, err
	}
	if err != nil {
		return nil, nil, inFlags(err)
	}
	c.printf("%s\n", f.read(training, test))
	sayGuesses(c, training)
	return training, test, nil
}

// name is the data set's in names of folders.
func (f dataFlags) name() string { return nameOf(f.Data) }

// hidden are the hidden widths for a data set where the flags do not say.
func (f dataFlags) hidden(set *data.Set) []int {
	switch {
	case f.Data == "mnist" || f.Data == "fashion" || kindOf(f.Data) != namedData && set.In() >= 256:
		return []int{300, 300}
	case f.Data == "spirals":
		return []int{64, 64}
	}
	return []int{32, 32}
}

// source is the data set; widths are those of random data.
func (f dataFlags) source(seed uint64, widths []int) (data.Source, error) {
	switch f.Data {
	case "mnist":
		return data.MNIST{Dir: f.Dir}, nil
	case "fashion":
		return data.FashionMNIST{Dir: f.Dir}, nil
	case "cifar10":
		return f.augmented(data.CIFAR10{Dir: f.Dir}, seed), nil
	case "cifar100":
		return f.augmented(data.CIFAR100{Dir: f.Dir}, seed), nil
	case "text":
		return data.Corpus{File: f.Text, Window: f.Window}, nil
	case "random":
		if len(widths) < 2 {
			return nil, errors.New("-data random takes its sizes from -widths: give them")
		}
		return data.Linear{In: widths[0], Out: widths[len(widths)-1], Noise: 1, Seed: seed}, nil
	}
	if kindOf(f.Data) != namedData {
		return f.ownFlags.source(f.Data, seed), nil
	}
	return madeSource(f.Data, seed), nil
}

// augmented is a source of colour pictures as the flags want it.
func (f dataFlags) augmented(s data.Source, seed uint64) data.Source {
	if !f.Augment {
		return s
	}
	return data.Augmented{Source: s, By: data.Augment{Pad: 4, Flip: true, Seed: seed}}
}

// madeSource is a task made from the seed.
func madeSource(name string, seed uint64) data.Source {
	switch name {
	case "bars":
		return data.BarsAndStripes{Side: 8, Flips: .05, Seed: seed}
	case "copy":
		return data.Copy{Train: 4000, Seed: seed}
	case "icl":
		return data.InContext{Train: 12800, Seed: seed}
	}
	return toySource(name, seed)
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
	MNIST    string `name:"mnist" placeholder:"DIR" help:"Look for MNIST in this folder only."`
	Fashion  string `placeholder:"DIR" help:"Look for Fashion-MNIST in this folder only."`
	CIFAR10  string `name:"cifar10" placeholder:"DIR" help:"Look for CIFAR-10 in this folder only."`
	CIFAR100 string `name:"cifar100" placeholder:"DIR" help:"Look for CIFAR-100 in this folder only."`
}

// Run prints what is found where. It fails when something is missing in a folder that was given.
func (cmd dataCmd) Run(c *console) error {
	given := []string{cmd.MNIST, cmd.Fashion, cmd.CIFAR10, cmd.CIFAR100} // in the order of Locate
	missing := false
	for k, at := range data.Locate(data.Dirs{MNIST: cmd.MNIST, FashionMNIST: cmd.Fashion, CIFAR10: cmd.CIFAR10, CIFAR100: cmd.CIFAR100}) {
		if at.Err != nil {
			missing = missing || given[k] != ""
			c.printf("%s: missing\n  %s\n\n", at.Name, strings.ReplaceAll(strings.TrimPrefix(at.Err.Error(), "data: "), "\n", "\n  "))
			continue
		}
		c.printf("%s: found in %s\n  by %s\n", at.Name, at.Dir, at.Via)
		for _, f := range at.Files {
			c.printf("  %10d bytes  sha256 %s  %s\n", f.Size, f.SHA256, strings.TrimPrefix(f.Path, at.Dir))
		}
		c.printf("\n")
	}
	text, _, err := data.Corpus{Window: 1}.Load()
	if err != nil {
		return err
	}
	c.printf("Your own, for train, compare, infer and coordcheck (\"demo train -help\" has all flags):\n")
	c.printf("  -data FILE.npz, or a folder of .npy   arrays x_train, y_train, x_test, y_test, or x, y; others by -keys\n")
	c.printf("  -data FILE.csv                        a line for each sample; the column to predict by -targets\n")
	c.printf("  Without a test part, a fifth is held out. For example: demo train -data iris.csv -targets species -epochs 100\n")
	c.printf("text: any file in UTF-8 (-text FILE), or a small one that is built in, of %d different characters.\n", text.Classes())
	c.printf("Made from the seed, always there:\n")
	for _, name := range slices.Concat(toys, generated) {
		set, test, err := madeSource(name, 1).Load()
		if err != nil {
			return err
		}
		c.printf("  %-8s %5d + %d samples  %s -> %s\n", name, set.Len(), test.Len(), dims(set.InShape()), dims(set.OutShape()))
	}
	if missing {
		return errors.New("a data set is not in the folder given")
	}
	return nil
}

// dims is a shape as the documentation writes it.
func dims(shape []int) string { return strings.ReplaceAll(fmt.Sprint(shape), " ", ",") }
