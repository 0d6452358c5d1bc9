package bench

import (
	"encoding/json"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/bss"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/separate"
	"github.com/pcgraph/pcgraph/data/signal"
)

// separateRows measures the command "demo separate", as a process of its own, on sounds of its tour: 5 s of three sounds in five channels in
// a file, and a stream of 48 kHz stereo.
func (b *run) separateRows() error {
	seconds, repeats := 40, b.Repeats
	if b.Quick {
		seconds, repeats = 2, 1
	}
	dir, err := os.MkdirTemp("", "bench-separate-")
	if err != nil {
		return errors.Wrap(err, "folder for mixtures")
	}
	defer os.RemoveAll(dir)
	if err := writeMixtures(dir, seconds); err != nil {
		return err
	}
	measure := func(r *Row, child string, figure func(cli.Manifest) (float64, bool), name, unit string) error {
		var values, whole, memory []float64
		for range repeats {
			s, m, err := b.process(child + "=" + dir)
			if err != nil {
				return err
			}
			v, err := figureOf(filepath.Join(dir, child), figure)
			if err != nil {
				return err
			}
			values, whole, memory = append(values, v), append(whole, s), append(memory, m)
		}
		r.add(name, unit, values...)
		r.add("the whole process, with its report", "s", whole...)
		r.add("peak memory", "MB", memory...)
		return nil
	}
	if err := b.row("separate", "3 sounds of 5 s in 5 channels", func(r *Row) error {
		return measure(r, "separate", func(m cli.Manifest) (float64, bool) { v, ok := m.Seconds["until_written"]; return v, ok }, "read, separated and written", "s")
	}); err != nil {
		return err
	}
	return b.row("separate", "48 kHz stereo stream", func(r *Row) error {
		r.add("length", "s", float64(seconds))
		return measure(r, "stream", func(m cli.Manifest) (float64, bool) { v, ok := m.Results["times_real_time"].(float64); return v, ok }, "times real time", "x")
	})
}

// figureOf reads a figure from the manifest of a run.
func figureOf(dir string, figure func(cli.Manifest) (float64, bool)) (float64, error) {
	text, err := os.ReadFile(filepath.Join(dir, cli.ManifestName))
	if err != nil {
		return 0, errors.Wrap(err, "measured run")
	}
	var m cli.Manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return 0, errors.Wrap(err, "measured run")
	}
	v, ok := figure(m)
	if !ok {
		return 0, errors.New("the manifest of the measured run has no such figure")
	}
	return v, nil
}

// writeMixtures writes the mixtures in dir: mixtures.wav, and frames.raw of so many seconds.
func writeMixtures(dir string, seconds int) error {
	rng := rand.New(rand.NewPCG(benchSeed, 0))
	sounds := separate.Sounds(rng)
	x, _ := bss.Mix(sounds, bss.Mixing(bss.GaussianMixing, 5, 3, rng), 30, rng)
	form := &signal.Signal{Kind: signal.Sound, Rate: separate.SoundRate, Encoding: signal.PCM16}
	form.Fit(x.RawMatrix().Data)
	write := func(name string, f func(io.Writer) error) error {
		file, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			return errors.Wrap(err, "mixtures")
		}
		return cli.First(f(file), file.Close())
	}
	if err := write("mixtures.wav", func(w io.Writer) error { return form.Write(w, x.RawMatrix().Data, 5, nil) }); err != nil {
		return err
	}
	rows, _ := sounds.Dims()
	return write("frames.raw", func(w io.Writer) error {
		frames := signal.NewFrameWriter(w, signal.PCM16, 2)
		for i := range seconds * 48000 {
			s := sounds.RawRowView(i % rows)
			if err := frames.Write([]float64{.4*s[0] + .3*s[2], .2*s[0] - .5*s[2]}); err != nil {
				return err
			}
		}
		return frames.Flush()
	})
}

// separateIn is the measured process: it separates what writeMixtures has written in dir, into a folder of the name of the child.
func separateIn(c *cli.Console, child, dir string) error {
	args := []string{"separate", filepath.Join(dir, "mixtures.wav")}
	quiet := &cli.Console{Context: c.Context, Out: io.Discard}
	if child == "stream" {
		file, err := os.Open(filepath.Join(dir, "frames.raw"))
		if err != nil {
			return errors.Wrap(err, "mixtures")
		}
		defer file.Close()
		quiet.In, args[1] = file, "-"
	}
	var commands struct {
		Separate separate.Cmd `cmd:""`
	}
	args = append(args, "-out", filepath.Join(dir, child), "-overwrite")
	if code := cli.Main(quiet, &commands, "", args, os.Stderr); code != cli.ExitOK {
		return errors.Errorf("demo separate ended with code %d", code)
	}
	return nil
}
