package cli

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
	Toys      = []string{"xor", "moons", "spirals", "linear", "sine"}
	Generated = []string{"bars", "mnist1d", "copy", "icl"}
	stored    = []string{"mnist", "fashion", "cifar10", "cifar100", "text"}
	DataNames = slices.Concat(stored, []string{"random"}, Toys, Generated)
)

// DataFlags choose a data set.
type DataFlags struct {
	Data     string `default:"mnist" help:"Data: mnist, fashion, cifar10, cifar100, text, xor, moons, spirals, linear, sine, bars, mnist1d, copy, icl, random (regression on noise, of the widths given), or your own: FILE.npz, a folder of .npy, FILE.csv." json:"data"`
	Dir      string `placeholder:"DIR" help:"Folder of the data set's files (default: searched, see \"demo data\")." json:"-"`
	Text     string `placeholder:"FILE" help:"Text in UTF-8 for -data text (default: a small one that is built in)." json:"text,omitempty"`
	Window   int    `default:"32" help:"Characters of a window of -data text." json:"window"`
	Augment  bool   `help:"Shift by up to 4 pixels and flip the training pictures of cifar10 and cifar100." json:"augment"`
	OwnFlags `embed:"" group:"Your own data, -data FILE:"`
}

func (f DataFlags) Check() error {
	if f.Data == "text" && f.Window < 1 { // other data has no window, and commands without these flags leave it zero
		return errors.Errorf("-window is %d: want one or more", f.Window)
	}
	if KindOf(f.Data) == NamedData {
		if err := Known("data", f.Data, DataNames...); err != nil {
			return errors.Errorf("%v, or FILE.npz, a folder of .npy, FILE.csv", err)
		}
	}
	return f.OwnFlags.Check()
}

// Load loads the data set, and says of a user's own what was made of it.
func (f DataFlags) Load(c *Console, seed uint64, widths []int) (training, test *data.Set, err error) {
	source, err := f.Source(seed, widths)
	if err != nil {
		return nil, nil, err
	}
	c.Doing("reading the data")
	defer c.Doing("working")
	if training, test, err = source.Load(); KindOf(f.Data) == NamedData {
		return training, test, err
	}
	if err != nil {
		return nil, nil, InFlags(err)
	}
	c.Printf("%s\n", f.Read(training, test))
	SayGuesses(c, training)
	return training, test, nil
}

// Name is the data set's in names of folders.
func (f DataFlags) Name() string { return NameOf(f.Data) }

// Hidden are the hidden widths for a data set where the flags do not say.
func (f DataFlags) Hidden(set *data.Set) []int {
	switch {
	case f.Data == "mnist" || f.Data == "fashion" || KindOf(f.Data) != NamedData && set.In() >= 256:
		return []int{300, 300}
	case f.Data == "spirals":
		return []int{64, 64}
	}
	return []int{32, 32}
}

// Source is the data set; widths are those of random data.
func (f DataFlags) Source(seed uint64, widths []int) (data.Source, error) {
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
	if KindOf(f.Data) != NamedData {
		return f.OwnFlags.Source(f.Data, seed), nil
	}
	return MadeSource(f.Data, seed), nil
}

// augmented is a source of colour pictures as the flags want it.
func (f DataFlags) augmented(s data.Source, seed uint64) data.Source {
	if !f.Augment {
		return s
	}
	return data.Augmented{Source: s, By: data.Augment{Pad: 4, Flip: true, Seed: seed}}
}

// MadeSource is a task made from the seed.
func MadeSource(name string, seed uint64) data.Source {
	switch name {
	case "bars":
		return data.BarsAndStripes{Side: 8, Flips: .05, Seed: seed}
	case "mnist1d":
		return data.MNIST1D{Seed: seed}
	case "copy":
		return data.Copy{Train: 4000, Seed: seed}
	case "icl":
		return data.InContext{Train: 12800, Seed: seed}
	}
	return ToySource(name, seed)
}

// ToySource is a toy task.
func ToySource(name string, seed uint64) data.Source {
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

// Dims is a shape as the documentation writes it.
func Dims(shape []int) string { return strings.ReplaceAll(fmt.Sprint(shape), " ", ",") }
