// Package separate is the command that separates mixtures: sounds, pictures, tables, arrays and streams.
//
// separate.go reads, separates and writes; stream.go does so for frames without end; try.go makes mixtures to begin with; report.go says what
// came out, figures.go and spectrum.go draw it.
package separate

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/pkg/errors"
	"gonum.org/v1/gonum/mat"

	"github.com/pcgraph/pcgraph/bss"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/data/signal"
)

// Cmd separates files or a stream.
type Cmd struct {
	Files []string `arg:"" optional:"" name:"file" help:"Mixtures: a sound of several channels or several sounds (WAV), pictures of one size (PNG, JPEG), a table with a column for each mixture (CSV), an array [samples, mixtures] (NPY); - for raw frames from standard input." json:"files"`
	cli.OutFlags
	Domain    DomainFlag `placeholder:"NAME" help:"What the sources can be: antisparse (between -1 and 1, often near both), nnantisparse (between 0 and 1, as pictures), sparse (both signs, seldom large together, as sounds), nnsparse (not negative, seldom large), simplex (not negative, always adding up to 1). Without it those that fit the data are tried." json:"domain"`
	Method    MethodFlag `default:"pem" help:"Method: pem (Predictive Entropy Maximization), upem (without normalised lateral weights), corinfomax; on files also ldmi, nsm, bsm, infomax, fastica." json:"method"`
	Sources   int        `placeholder:"N" help:"How many sources (default: as many as the mixtures have strong principal components)." json:"sources"`
	Reference []string   `placeholder:"FILE" help:"The true sources, as files of the same kind and size: prints which output is which, and how clean it is." json:"reference,omitempty"`
	Restarts  int        `default:"3" help:"Runs with other rates and beginnings, of which the best by its surrogate is kept." json:"restarts"`
	Samples   int        `default:"100000" help:"Samples that a run learns from, drawn at random; what it has learned is applied to all." json:"samples"`
	Try       bool       `help:"No files needed: mixes sounds and pictures of its own and separates them." json:"try,omitempty"`

	Rate     int             `default:"48000" help:"Stream: samples per second." json:"rate"`
	Channels int             `default:"2" help:"Stream: channels in a sample." json:"channels"`
	Format   signal.Encoding `default:"s16le" help:"Stream: how its numbers are written: s16le, s24le, s32le, f32le or f64le; the separated ones are written alike." json:"format"`
	To       string          `placeholder:"FILE" help:"Stream: file for the separated frames, - for standard output (default: separated.raw in the run's folder)." json:"to,omitempty"`
	State    string          `placeholder:"FILE" help:"Stream: what was learned is kept here at the end; if the file is there, the stream goes on from it." json:"state,omitempty"`
}

// A DomainFlag is a domain by name; none is chosen by the data.
type DomainFlag struct{ bss.Projector }

// UnmarshalText is called by kong.
func (f *DomainFlag) UnmarshalText(name []byte) (err error) {
	f.Projector, err = bss.DomainNamed(string(name))
	return err
}

// MarshalText writes the name.
func (f DomainFlag) MarshalText() ([]byte, error) {
	if f.Projector == nil {
		return []byte("by the data"), nil
	}
	return []byte(f.Projector.String()), nil
}

// A MethodFlag is a method by name.
type MethodFlag struct{ bss.Method }

// UnmarshalText is called by kong.
func (f *MethodFlag) UnmarshalText(name []byte) (err error) {
	f.Method, err = bss.MethodNamed(string(name))
	return err
}

// MarshalText writes the name.
func (f MethodFlag) MarshalText() ([]byte, error) { return []byte(f.Name), nil }

// stream reports whether frames come from standard input.
func (cmd Cmd) stream() bool { return len(cmd.Files) == 1 && cmd.Files[0] == "-" }

// Choice is what the use of some flags depends on.
func (cmd Cmd) Choice() cli.Choice {
	switch {
	case cmd.Try:
		return cli.Choice{Data: "try"}
	case cmd.stream():
		return cli.Choice{Data: "-"}
	}
	return cli.Choice{Data: "files"}
}

// Validate is called by kong.
func (cmd Cmd) Validate() error {
	switch {
	case cmd.Try && len(cmd.Files) > 0:
		return errors.New("-try makes its own mixtures: leave the files out, or -try")
	case !cmd.Try && len(cmd.Files) == 0:
		return errors.New("no files: give mixtures (a WAV file of several channels, or several; PNG, JPEG, CSV, NPY), or -try to see it work on sounds and pictures of its own")
	case cmd.stream() && !cmd.Method.Online:
		return errors.Errorf("-method %s needs all samples at once: for a stream want pem, upem or corinfomax", cmd.Method.Name)
	}
	if cmd.Sources == 1 {
		return errors.New("-sources is 1: want 2 or more: one source is no separation")
	}
	if cmd.stream() && cmd.Channels < 2 {
		return errors.Errorf("-channels is %d: want 2 or more: one mixture cannot be separated", cmd.Channels)
	}
	if cmd.stream() && cmd.Sources > cmd.Channels {
		return errors.Errorf("-sources %d, and -channels is %d: a linear separation needs as many mixtures as sources: ask for fewer", cmd.Sources, cmd.Channels)
	}
	for _, f := range cmd.Files {
		if f == "-" && len(cmd.Files) > 1 {
			return errors.New("- stands alone: a stream has all of its channels in one")
		}
	}
	if cmd.Domain.Projector != nil && cmd.Method.Domains == nil {
		return errors.Errorf("-domain has no use with -method %s, which assumes independence and no domain: leave it out", cmd.Method.Name)
	}
	return cli.First(cli.Count("sources", cmd.Sources, 0), cli.Count("restarts", cmd.Restarts, 1), cli.Count("samples", cmd.Samples, 100), cli.Count("rate", cmd.Rate, 1), cli.Count("channels", cmd.Channels, 1))
}

// Run separates.
func (cmd Cmd) Run(c *cli.Console) error {
	switch {
	case cmd.Try:
		return cmd.tour(c)
	case cmd.stream():
		return cmd.follow(c)
	}
	return c.Run("separate", cmd, func(r *cli.RunDir) error { return cmd.separate(c, r) })
}

// A job is one separation.
type job struct {
	in        *signal.Signal
	reference *signal.Signal // nil if there is none
	x         *mat.Dense     // [samples, mixtures]
	result    *bss.Result
	y         *mat.Dense // [samples, sources], as they were found
	score     *bss.Score // nil without a reference
	files     []string   // that the sources are in
	scaled    []string   // how each was scaled for its file
	took      time.Duration
	prefix    string // of the names of files and figures
}

// separate does the work of Run in a folder.
func (cmd Cmd) separate(c *cli.Console, out *cli.RunDir) error {
	j := &job{}
	var err error
	if j.in, err = signal.Read(cmd.Files...); err != nil {
		return err
	}
	if len(cmd.Reference) > 0 {
		if j.reference, err = signal.Read(cmd.Reference...); err != nil {
			return errors.WithMessage(err, "-reference")
		}
		if err := j.fitsReference(); err != nil {
			return err
		}
	}
	if err := cmd.run(c, out, j); err != nil {
		return err
	}
	if err := j.write(out); err != nil {
		return err
	}
	took := time.Since(out.Manifest.Started).Seconds()
	out.Manifest.Seconds["until_written"] = took
	c.Printf("Read, separated and written in %.2f s.\n", took)
	cmd.results(out, j)
	out.Page = cmd.page(j)
	return nil
}

// fitsReference reports a reference of another kind or size.
func (j *job) fitsReference() error {
	in, ref := j.in, j.reference
	switch {
	case ref.Kind != in.Kind && (in.Kind == signal.Sound || in.Kind == signal.Picture || ref.Kind == signal.Sound || ref.Kind == signal.Picture):
		return errors.Errorf("-reference: a %s, and the mixtures are a %s: give the sources as files of the same kind", ref.Kind, in.Kind)
	case ref.Rate != in.Rate:
		return errors.Errorf("-reference: %d samples per second, and the mixtures have %d: give files of one rate, as \"sox in.wav -r %d out.wav\" makes them", ref.Rate, in.Rate, in.Rate)
	case ref.Samples != in.Samples:
		return errors.Errorf("-reference: %d samples, and the mixtures have %d: give the sources over the same time", ref.Samples, in.Samples)
	}
	err := bss.CheckMixtures(mat.NewDense(ref.Samples, ref.Channels, ref.Values))
	if constant := (*bss.ConstantError)(nil); errors.As(err, &constant) {
		return errors.Errorf("-reference: %s is %.4g in every sample: leave it out", ref.Names[constant.Mixture-1], constant.Value)
	}
	return errors.WithMessage(err, "-reference")
}

// run prepares and separates.
func (cmd Cmd) run(c *cli.Console, out *cli.RunDir, j *job) error {
	in := j.in
	out.Manifest.Data = append(out.Manifest.Data, in.Files...)
	if j.reference != nil {
		out.Manifest.Data = append(out.Manifest.Data, j.reference.Files...)
	}
	out.Manifest.Guesses = append(out.Manifest.Guesses, in.Guesses...)
	c.Printf("%s\n", describe(in))
	cli.PrintGuesses(c, in.Guesses)
	if cmd.Sources > in.Channels {
		return errors.Errorf("-sources %d, and there %s: a linear separation needs as many mixtures as sources: give more, or ask for fewer", cmd.Sources, are(in.Channels))
	}
	if in.Channels == 1 {
		return errors.Errorf("%s: one mixture: separation needs two or more recordings of the same sources at the same time", in.Files[0].Path)
	}
	j.x = mat.NewDense(in.Samples, in.Channels, in.Values)
	units := j.balance(c)
	if err := bss.CheckMixtures(j.x); err != nil {
		if constant := (*bss.ConstantError)(nil); errors.As(err, &constant) {
			return errors.Errorf("%s is %.4g in every sample (silence, or one colour): leave it out", in.Names[constant.Mixture-1], constant.Value)
		}
		return err
	}
	n, err := cmd.count(c, j)
	if err != nil {
		return err
	}
	x := j.x
	if in.Kind == signal.Sound { // microphones have an offset that no source has
		x = bss.Centered(x)
	}
	c.Doing("separating")
	start := time.Now()
	o := bss.Separation{Method: cmd.Method.Method, Domain: cmd.Domain.Projector, Sources: n, Offset: in.Kind == signal.Picture, Restarts: cmd.Restarts, Samples: cmd.Samples}
	if j.result, err = o.Separate(c.Context, x, rand.New(rand.NewPCG(cmd.Seed, 0))); err != nil {
		var diverged *bss.DivergenceError
		if errors.As(err, &diverged) {
			return cli.DivergenceErrorf("all runs diverged: %v; or another -method or -domain", err)
		}
		return err
	}
	j.y = j.result.Apply(x)
	if in.Kind == signal.Sound { // b is for the sound as it is in the file
		moved := j.result.Apply(j.x)
		for i := range j.result.Offset {
			j.result.Offset[i] += j.y.At(0, i) - moved.At(0, i)
		}
	}
	for k, unit := range units { // W is for the mixtures as they are in the file
		for i := range j.y.RawMatrix().Cols {
			j.result.Unmixing.Set(i, k, unit*j.result.Unmixing.At(i, k))
		}
	}
	j.took = time.Since(start)
	c.Doing("")
	if d := j.result.Domain; d != nil {
		why := "as -domain says"
		if j.result.Choice != nil {
			why = j.result.Choice.Why + "; -domain decides it otherwise"
		}
		c.Printf("Domain %v: %s.\n", d, why)
	}
	if f := j.result.Failed(); f > 0 {
		c.Printf("Of %d runs %d failed: a source twice, or diverged. The best by its surrogate is kept.\n", len(j.result.Runs), f)
	}
	if j.result.Runs[j.result.Best].Failed() {
		c.Printf("Warning: the run that was kept has two outputs that are nearly the same: ask for fewer -sources, more -restarts, or another -domain.\n")
	}
	if j.reference != nil {
		y, s := j.y, mat.NewDense(j.reference.Samples, j.reference.Channels, j.reference.Values)
		if j.score, err = bss.Evaluate(centred(y), centred(s)); err != nil {
			return errors.WithMessage(err, "-reference")
		}
	}
	return nil
}

// balance gives the columns of tables and arrays that are of very different sizes, as in other units, about the same: else the small ones would
// be taken for the rounding of the large ones. It returns the factors; nil if nothing was done. A factor is a power of two, which rounds nothing.
func (j *job) balance(c *cli.Console) []float64 {
	if j.in.Kind == signal.Sound || j.in.Kind == signal.Picture {
		return nil // one unit
	}
	sizes := make([]float64, j.in.Channels)
	for k := range sizes {
		column := mat.Col(nil, k, j.x)
		low, high := slices.Min(column), slices.Max(column)
		if low == high {
			return nil // an error of the checks that follow
		}
		sizes[k] = max(high, -low)
	}
	least, most := slices.Min(sizes), slices.Max(sizes)
	if most < 1e100 && least > 1e-100 && most < 1e3*least {
		return nil
	}
	units := make([]float64, len(sizes))
	for k, size := range sizes {
		_, exponent := math.Frexp(size)
		units[k] = math.Ldexp(1, min(max(-exponent, -1022), 1023))
		for i := range j.in.Samples {
			j.x.Set(i, k, units[k]*j.x.At(i, k))
		}
	}
	c.Printf("The largest numbers of the mixtures are from %.3g to %.3g: each mixture was scaled to about 1 before; W is for the numbers of the file.\n", least, most)
	return units
}

// centred is a copy without means: files have them as they happen to be written.
func centred(x *mat.Dense) *mat.Dense { return bss.Centered(x) }

// count is how many sources are looked for.
func (cmd Cmd) count(c *cli.Console, j *job) (int, error) {
	d, err := bss.Eigenvalues(j.x)
	if err != nil {
		return 0, err
	}
	rank := 0
	for _, v := range d {
		if v > 1e-12*d[0] {
			rank++
		}
	}
	if rank < len(d) {
		c.Printf("Warning: the %d mixtures have rank %d: some are the same but for a factor, or a sum of others.\n", len(d), rank)
	}
	n, hidden := cmd.Sources, 0
	if n > rank {
		return 0, errors.Errorf("-sources %d, and the %d mixtures have rank %d: some of them are sums of the others: ask for at most %d, or give mixtures that differ", n, len(d), rank, rank)
	}
	if n == 0 {
		if n, err = bss.CountSources(j.x); err != nil {
			return 0, err
		}
		n = min(max(n, 2), rank)
		why := "as many as mixtures"
		switch {
		case n < len(d) && d[n] > .1*d[n-1]: // see bss.CountSources
			why, hidden = fmt.Sprintf("principal component %d of the mixtures has %.2g %% of the power of the one before it, and one source is hidden in a sum that is constant", n, 100*d[n-1]/d[n-2]), 1
		case n < len(d):
			why = fmt.Sprintf("principal component %d of the mixtures has %.2g %% of the power of the one before it", n+1, 100*d[n]/d[n-1])
		}
		c.Printf("Sources: %d (%s); -sources decides it otherwise.\n", n, why)
	}
	if rank == 1 {
		return 0, errors.New("the mixtures are one sound or picture with different factors: there is nothing to separate")
	}
	if weak := d[n-1-hidden] / d[0]; weak < 1e-3 {
		c.Printf("Warning: principal component %d has %.2g %% of the power of the first: the mixtures are nearly alike, and noise in them grows when they are separated.\n", n-hidden, 100*weak)
	}
	return n, nil
}

// are is "is 1 mixture" or "are 3 mixtures".
func are(n int) string {
	if n == 1 {
		return "is 1 mixture"
	}
	return fmt.Sprintf("are %d mixtures", n)
}

// describe is a signal in a sentence.
func describe(s *signal.Signal) string {
	var files []string
	for _, f := range s.Files {
		files = append(files, f.Path)
	}
	if len(files) > 3 {
		files = append(files[:2], fmt.Sprintf("%d more", len(files)-2))
	}
	what := fmt.Sprintf("%d samples of %d mixtures", s.Samples, s.Channels)
	switch s.Kind {
	case signal.Sound:
		what = fmt.Sprintf("%.3g s of %d channels, %d samples per second, %v", float64(s.Samples)/float64(s.Rate), s.Channels, s.Rate, s.Encoding)
	case signal.Picture:
		what = fmt.Sprintf("%d pictures of %dx%d pixels, %s", s.Channels, s.Width, s.Height, map[bool]string{true: "grey", false: "in colours"}[s.Colours == 1])
	}
	if len(files) == 0 {
		return what
	}
	return what + ": " + strings.Join(files, ", ")
}
