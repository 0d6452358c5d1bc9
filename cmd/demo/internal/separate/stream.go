package separate

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"math"
	"runtime"
	"slices"
	"strconv"
	"time"

	"github.com/pkg/errors"
	"gonum.org/v1/plot/plotter"

	"github.com/pcgraph/pcgraph/bss"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/data/signal"
	"github.com/pcgraph/pcgraph/graph/safetensors"
	"github.com/pcgraph/pcgraph/internal/atomicfile"
	"github.com/pcgraph/pcgraph/report"
)

// learnRate is how many samples a second a stream learns from: of sounds sampled faster it leaves some out.
const learnRate = 6000

// headroom is the peak of the first outputs, of full scale: later ones may be larger.
const headroom = .5

// A follower is a stream at work.
type follower struct {
	cmd     Cmd
	stream  *bss.Stream
	gain    float64 // of the outputs
	clipped int     // numbers
	silent  int     // samples of digital silence that a new stream began with
	went    int     // samples that the stream had seen when it went on; 0 for a new one
	began   time.Time
	path    plotter.XYs // the surrogate over seconds
	every   int         // samples between points of path
	heap    uint64      // the most that was seen
	wrong   error       // what is wrong with the stream that came in
	writer  *signal.FrameWriter
	scaled  []float64
}

// follow separates frames from standard input until they end.
func (cmd Cmd) follow(c *cli.Console) error {
	if c.In == nil {
		return errors.New("nothing on standard input")
	}
	return c.Run("separate", cmd, func(out *cli.RunDir) error {
		o := bss.Streaming{Separation: bss.Separation{Method: cmd.Method.Method, Domain: cmd.Domain.Projector, Sources: cmd.Sources, Restarts: cmd.Restarts, Samples: min(cmd.Samples, 40000)},
			Warmup: max(20*cmd.Channels, min(cmd.Rate, 1<<16)), Every: max(1, cmd.Rate/learnRate), Seed: cmd.Seed}
		f := &follower{cmd: cmd, every: cmd.Rate, began: time.Now()}
		var err error
		if f.stream, err = o.Start(cmd.Channels); err != nil {
			return err
		}
		if err := f.restore(c); err != nil {
			return err
		}
		c.Doing("separating the stream")
		in := signal.NewFrames(interruptible(c.Context, c.In), cmd.Format, cmd.Channels)
		write := func(w io.Writer) error { return f.run(c, in, w) }
		switch cmd.To {
		case "-":
			err = write(c.Pipe())
		case "":
			err = out.Write("separated.raw", write)
		default:
			err = atomicfile.Write(cmd.To, write)
		}
		if f.wrong != nil { // not of the file that is written
			return f.wrong
		}
		if err != nil {
			return err
		}
		if err := f.keep(); err != nil {
			return err
		}
		return f.report(c, out)
	})
}

// restore goes on from the file of -state, if it is there.
func (f *follower) restore(c *cli.Console) error {
	if f.cmd.State == "" {
		return nil
	}
	file, err := safetensors.ReadFile(f.cmd.State)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return errors.WithMessage(err, "-state: give another file, or remove this one")
	}
	state := file.Tensor("stream")
	text, is := []byte(nil), false
	if state != nil {
		text, is = state.Data.([]byte)
	}
	if f.gain, err = strconv.ParseFloat(file.Meta["gain"], 64); err != nil || !is || !(f.gain > 0) {
		return errors.Errorf("-state %s: not what a stream has kept: give another file, or remove this one", f.cmd.State)
	}
	if err := f.stream.UnmarshalBinary(text); err != nil {
		return errors.WithMessagef(err, "-state %s: give the flags that it was made with, or another file", f.cmd.State)
	}
	f.went = f.stream.Samples()
	c.Printf("Goes on from %s, after %d samples.\n", f.cmd.State, f.went)
	return nil
}

// keep writes the file of -state.
func (f *follower) keep() error {
	if f.cmd.State == "" || !f.stream.Ready() {
		return nil
	}
	text, err := f.stream.MarshalBinary()
	if err != nil {
		return err
	}
	return errors.WithMessage(safetensors.WriteFile(f.cmd.State, &safetensors.File{
		Meta:    map[string]string{"gain": strconv.FormatFloat(f.gain, 'g', -1, 64), "what": "a stream of demo separate"},
		Tensors: []safetensors.Tensor{{Name: "stream", Shape: []int{len(text)}, Data: text}}}), "-state")
}

// run separates frame by frame.
func (f *follower) run(c *cli.Console, in *signal.Frames, to io.Writer) error {
	wrong := func(err error) error {
		f.wrong = err
		return err
	}
	x := make([]float64, f.cmd.Channels)
	for n := 0; ; n++ {
		err := in.Next(x)
		if err == io.EOF {
			break
		}
		if err != nil {
			return wrong(err)
		}
		if f.stream.Samples() == 0 && !slices.ContainsFunc(x, func(v float64) bool { return v != 0 }) {
			f.silent++ // nothing can be learned from it
			continue
		}
		y, err := f.stream.Observe(x)
		var diverged *bss.DivergenceError
		if errors.As(err, &diverged) {
			return wrong(cli.DivergenceErrorf("the stream: %v", err))
		}
		if err != nil {
			return wrong(err)
		}
		if y == nil {
			continue
		}
		if f.writer == nil {
			f.writer, f.scaled = signal.NewFrameWriter(to, f.cmd.Format, len(y)), make([]float64, len(y))
		}
		if first, err := f.held(c); err != nil {
			return err
		} else if first { // it is the last of those
			continue
		}
		if err := f.write(y); err != nil {
			return err
		}
		if n%f.every == 0 {
			f.look()
		}
	}
	switch {
	case f.stream.Samples() == f.went && f.silent > 0:
		return wrong(errors.Errorf("standard input is silence: all of its %d samples are 0: look at its source, and at -format", f.silent))
	case f.stream.Samples() == f.went:
		return wrong(errors.New("standard input is empty: give raw frames, as \"sox in.wav -t raw -\" or \"ffmpeg -i in.wav -f s16le -\" writes them"))
	}
	if !f.stream.Ready() {
		if err := f.stream.Finish(); err != nil {
			return wrong(err)
		}
		f.writer, f.scaled = signal.NewFrameWriter(to, f.cmd.Format, f.stream.Sources()), make([]float64, f.stream.Sources())
		if _, err := f.held(c); err != nil {
			return err
		}
	}
	f.look()
	return f.writer.Flush()
}

// held writes the samples that were held at first, if they are to be written now.
func (f *follower) held(c *cli.Console) (bool, error) {
	y := f.stream.Held()
	if y == nil {
		return false, nil
	}
	rows, n := y.Dims()
	peak := 0.
	for _, v := range y.RawMatrix().Data {
		peak = max(peak, math.Abs(v))
	}
	f.gain = headroom / peak
	r := f.stream.First()
	if n == 1 {
		f.wrong = errors.Errorf("the first %d samples: the %d channels are one sound with different factors: there is nothing to separate", rows, f.cmd.Channels)
		return true, f.wrong
	}
	why := "as -domain says"
	if r.Choice != nil {
		why = r.Choice.Why + "; -domain decides it otherwise"
	}
	c.Printf("The first %d samples: %d sources on the domain %v (%s). %d of %d runs failed. Outputs are written times %.4g.\n", rows, n, r.Domain, why, r.Failed(), len(r.Runs), f.gain)
	nothing := make([]float64, n)
	for range f.silent {
		if err := f.write(nothing); err != nil {
			return true, err
		}
	}
	for i := range rows {
		if err := f.write(y.RawRowView(i)); err != nil {
			return true, err
		}
	}
	return true, nil
}

// write writes the outputs of a sample.
func (f *follower) write(y []float64) error {
	for i, v := range y {
		v *= f.gain
		if f.cmd.Format < signal.Float32 && math.Abs(v) > 1 {
			f.clipped++
		}
		f.scaled[i] = v
	}
	return f.writer.Write(f.scaled)
}

// look notes where the stream is: a point of path, of which there are at most 400.
func (f *follower) look() {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	f.heap = max(f.heap, m.HeapSys)
	if v := f.stream.Surrogate(); !math.IsNaN(v) && !math.IsInf(v, 0) {
		f.path = append(f.path, plotter.XY{X: float64(f.stream.Samples()) / float64(f.cmd.Rate), Y: v})
	}
	if len(f.path) < 400 {
		return
	}
	for i := range 200 {
		f.path[i] = f.path[2*i]
	}
	f.path, f.every = f.path[:200], 2*f.every
}

// report says what the stream came to, and writes the unmixing of its end.
func (f *follower) report(c *cli.Console, out *cli.RunDir) error {
	cmd, s := f.cmd, f.stream
	w, b := s.Unmixing()
	names := make([]string, cmd.Channels)
	for i := range names {
		names[i] = fmt.Sprintf("channel %d", i+1)
	}
	if err := writeUnmixing(out, "", w, b, names); err != nil {
		return err
	}
	took := time.Since(f.began).Seconds()
	long := float64(s.Samples()-f.went) / float64(cmd.Rate)
	out.Manifest.Results = map[string]any{"samples": s.Samples() - f.went, "seconds_of_stream": long, "times_real_time": long / took, "sources": s.Sources(), "domain": s.Domain().String(), "clipped_numbers": f.clipped, "heap_bytes": f.heap}
	if f.clipped > 0 {
		c.Printf("Warning: %d numbers were clipped: later outputs are louder than the first ones; write floats with -format f32le.\n", f.clipped)
	}
	c.Printf("%d samples (%.1f s) in %.2f s: %.1f times real time; heap %.0f MB at most.\n", s.Samples()-f.went, long, took, long/took, float64(f.heap)/1e6)
	p := report.Page{Title: fmt.Sprintf("A stream of %d channels", cmd.Channels),
		Lead: fmt.Sprintf("%.1f s at %d samples per second, %v, separated into %d sources on the domain %v (%s) by %s. The first %.3g s were separated as a whole; from there on the network learned from one sample in %d.",
			long, cmd.Rate, cmd.Format, s.Sources(), s.Domain(), meaning(s.Domain()), cmd.Method.Title, math.Min(1, long), max(1, cmd.Rate/learnRate)),
		Tiles: []report.Tile{{Value: fmt.Sprint(s.Sources()), Label: "sources"}, {Value: fmt.Sprintf("%.0f times", long/took), Label: "real time"}, {Value: fmt.Sprintf("%.0f MB", float64(f.heap)/1e6), Label: "heap at most"},
			{Value: fmt.Sprint(f.clipped), Label: "numbers clipped"}}}
	if r := s.First(); r != nil {
		p.Tables = append(p.Tables, runsTable(r))
	}
	if len(f.path) > 1 {
		p.Figures = append(p.Figures, report.Figure{File: "learning.png", Title: "Along the stream", Caption: "The surrogate of the outputs' running covariance over about 100 samples that were learned from, which PEM maximises: it falls where the sources are silent.",
			Draw: func() (io.WriterTo, error) {
				plot := report.NewPlot("", "time (s)", "surrogate of the running covariance (nats)")
				report.Grid(plot)
				plot.Add(report.Line(f.path, report.Blue, 1, nil))
				return report.Picture(7.6, 3.6, plot), nil
			}})
	}
	out.Page = p
	return nil
}

// interruptible reads r until the context is done, which is the end of the stream: a read of a pipe may wait for ever.
func interruptible(ctx context.Context, r io.Reader) io.Reader {
	f := &feed{ctx: ctx, full: make(chan []byte, 1), empty: make(chan []byte, 2)}
	f.empty <- make([]byte, 1<<16)
	f.empty <- make([]byte, 1<<16)
	go func() {
		for buffer := range f.empty {
			n, err := r.Read(buffer[:cap(buffer)])
			if n > 0 {
				f.full <- buffer[:n]
			} else {
				f.empty <- buffer
			}
			if err != nil {
				if err != io.EOF {
					f.err = err
				}
				close(f.full)
				return
			}
		}
	}()
	return f
}

// A feed passes blocks from one goroutine to another.
type feed struct {
	ctx         context.Context
	full, empty chan []byte
	now, buffer []byte
	err         error // set before full is closed
}

// Read is described at io.Reader.
func (f *feed) Read(p []byte) (int, error) {
	if len(f.now) == 0 {
		if f.buffer != nil {
			f.empty <- f.buffer
			f.buffer = nil
		}
		if f.ctx.Err() != nil {
			return 0, io.EOF
		}
		select {
		case <-f.ctx.Done():
			return 0, io.EOF
		case block, more := <-f.full:
			if !more {
				if f.err != nil {
					return 0, f.err
				}
				return 0, io.EOF
			}
			f.now, f.buffer = block, block
		}
	}
	n := copy(p, f.now)
	f.now = f.now[n:]
	return n, nil
}
