package study

import (
	"path/filepath"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/data"
)

// A saved is a run that trained networks, with its options.
type saved struct {
	*cli.SavedRun
	options TrainCmd
}

// open reads the manifest of the run.
func (f savedFlags) open() (*saved, error) {
	s := new(saved)
	var err error
	s.SavedRun, err = cli.OpenSaved(f.From, &s.options)
	if err == nil && s.options.OfModel() { // which is in the folder
		if s.options.Arch != cli.ModelName {
			return nil, errors.Errorf("%s: the network of the run is in %q: want %s, in its folder", filepath.Join(s.Dir, cli.ManifestName), s.options.Arch, cli.ModelName)
		}
		s.options.Arch = filepath.Join(s.Dir, cli.ModelName)
	}
	return s, err
}

// savedFlags name a run and data for its networks.
type savedFlags struct {
	From string `arg:"" name:"run" help:"Folder of a run of mnist or train, for all weights that its manifest lists, or one of its files of weights. The network and the data are those of its manifest.json."`
	Data string `placeholder:"DATA" help:"Where the run's data are now, or new data: a file of your own is encoded as the training data were (same scaling, classes and columns), and all of its samples are used."`
	Dir  string `placeholder:"DIR" help:"Folder of the data set's files (default: searched, see \"demo data\")."`
	cli.DialectFlags
}

// samples are the test part of the data that the run was made from, or all of a new file.
func (f savedFlags) samples(c *cli.Console, s *saved, targets bool) (set *data.Set, err error) {
	of := &s.options
	if f.Data != "" {
		of.Data = f.Data
	}
	of.Dir = f.Dir
	if err := of.Validate(); err != nil {
		return nil, errors.WithMessage(err, filepath.Join(s.Dir, cli.ManifestName))
	}
	c.Doing("reading the data")
	defer c.Doing("")
	if of.Dir != "" && !cli.Datasets("mnist", "fashion", "cifar10", "cifar100")(of.Choice()) {
		return nil, errors.Errorf("-dir has no use with -data %s: it is for mnist, fashion, cifar10 and cifar100: leave it out", of.Data)
	}
	if s.Encoding == nil {
		if cli.KindOf(of.Data) != cli.NamedData {
			return nil, errors.Errorf("the run has no encoding of data in files, as it was trained on %s: -data can be the name of a data set of the same sizes", s.options.Data)
		}
		_, test, err := of.Load(c, of.Seed, of.Widths)
		return test, err
	}
	if cli.KindOf(of.Data) == cli.NamedData {
		return nil, errors.Errorf("the run was trained on a file of your own: -data %s has no columns or arrays of that kind: give a file", of.Data)
	}
	same, err := s.SameFile(of.Data)
	if err != nil {
		return nil, err
	}
	if !same {
		of.TestFile = "" // which is of the training data
	}
	f.DialectFlags.Into(&of.OwnFlags)
	source := of.OwnFlags.Source(of.Data, of.Seed)
	if same && targets {
		_, test, err := source.Load()
		if err != nil {
			return nil, cli.InFlags(err)
		}
		c.Printf("%s is the file of the training: its test part is used\n", of.Data)
		return test, nil
	}
	encoded, is := source.(interface {
		LoadEncoded(e *data.Encoding, targets bool) (*data.Set, error)
	})
	if !is {
		return nil, errors.Errorf("-data %s: no file of your own", of.Data)
	}
	set, err = encoded.LoadEncoded(s.Encoding, targets)
	if err != nil {
		return nil, cli.InFlags(err)
	}
	if same {
		c.Printf("%s is the file of the training: all of its samples are used, training and test part\n", of.Data)
	} else {
		c.Printf("%s is new data: all of its samples are used, encoded as the training data were\n", of.Data)
	}
	cli.SayGuesses(c, set)
	return set, nil
}
