package separate

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pkg/errors"
	"gonum.org/v1/gonum/mat"

	"github.com/pcgraph/pcgraph/bss"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/data/signal"
	"github.com/pcgraph/pcgraph/graph/safetensors"
	"github.com/pcgraph/pcgraph/report"
)

func TestMain(m *testing.M) {
	report.DPI = 30 // no test looks at the pixels
	os.Exit(m.Run())
}

// command has the flags' defaults, but for fewer samples.
func command(t *testing.T, files ...string) Cmd {
	t.Helper()
	cmd := Cmd{Files: files, Restarts: 2, Samples: 8000, Rate: 8000, Channels: 3}
	cmd.Method.Method, cmd.Seed = bss.Methods()[0], 1
	cmd.Out = filepath.Join(t.TempDir(), "out")
	return cmd
}

// run runs a command and returns what it printed and its results.
func run(t *testing.T, cmd Cmd, in io.Reader) (text string, results map[string]any, err error) {
	t.Helper()
	var out bytes.Buffer
	if err := cmd.Validate(); err != nil {
		return "", nil, err
	}
	err = cmd.Run(&cli.Console{Context: t.Context(), In: in, Out: &out, Errs: &out})
	var m struct {
		Results map[string]any
		Files   []string
	}
	if manifest, readErr := os.ReadFile(filepath.Join(cmd.Out, cli.ManifestName)); readErr == nil {
		if err := json.Unmarshal(manifest, &m); err != nil {
			t.Fatal(err)
		}
		for _, f := range m.Files {
			if _, err := os.Stat(filepath.Join(cmd.Out, f)); err != nil {
				t.Errorf("the manifest lists %s: %v", f, err)
			}
		}
	}
	return out.String(), m.Results, err
}

// put writes a signal [samples, channels] and returns its path.
func put(t *testing.T, s *signal.Signal, name string, values []float64, channels int) string {
	t.Helper()
	var b bytes.Buffer
	if err := s.Write(&b, values, channels, sourceNames(channels)); err != nil {
		t.Fatal(err)
	}
	return file(t, name+s.Ending(), b.Bytes())
}

func file(t *testing.T, name string, text []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// sparse are three sparse sources and their four mixtures, all within [-1, 1].
func sparse(t *testing.T, samples int) (x, s *mat.Dense) {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 9))
	s, err := bss.Sources(bss.Ball{Domain: bss.Sparse, Width: 4}, samples, 3, rng)
	if err != nil {
		t.Fatal(err)
	}
	x, _ = bss.Mix(s, bss.Mixing(bss.UniformMixing, 4, 3, rng), 40, rng)
	x.Scale(.9/mat.Norm(x, math.Inf(1)), x)
	return x, s
}

// TestTour_SeparatesSoundsAndPictures: it is the whole way, with its files read again. 15 dB is well above what one source is in a mixture
// (-3 dB); the runs are shorter than those of the command.
func TestTour_SeparatesSoundsAndPictures(t *testing.T) {
	cmd := command(t)
	cmd.Try, cmd.Samples = true, 25000
	text, r, err := run(t, cmd, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []string{"sound-sinr_db", "picture-sinr_db"} {
		if v, is := r[k].(float64); !is || v < 15 {
			t.Errorf("%s is %v, want 15 dB", k, r[k])
		}
	}
	for _, want := range []string{"To listen: ", "Domain sparse: ", "Domain nnantisparse: ", "sound-bird", "Sources (pictures)"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not printed:\n%s", want, text)
		}
	}
	// what is in the unmixing's files makes the separated files of the mixtures
	x, err := signal.Read(filepath.Join(cmd.Out, "sound-mixtures.wav"))
	if err != nil {
		t.Fatal(err)
	}
	kept, err := safetensors.ReadFile(filepath.Join(cmd.Out, "sound-unmixing.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	w, b := kept.Tensor("W"), kept.Tensor("b")
	table, err := signal.Read(filepath.Join(cmd.Out, "sound-unmixing.csv"))
	if err != nil || table.Channels != x.Channels+1 || table.Samples != w.Shape[0] {
		t.Fatalf("unmixing.csv: %v", err)
	}
	y := bss.Apply(mat.NewDense(w.Shape[0], w.Shape[1], w.Data.([]float64)), mat.NewDense(x.Samples, x.Channels, x.Values))
	for i := range w.Shape[0] {
		v := mat.Col(nil, i, y)
		for k := range v {
			v[k] += b.Data.([]float64)[i]
		}
		x.Fit(v)
		source, err := signal.Read(filepath.Join(cmd.Out, fmt.Sprintf("sound-source%d.wav", i+1)))
		if err != nil {
			t.Fatal(err)
		}
		for k := range v {
			if math.Abs(v[k]-source.Values[k]) > 1e-4 { // rounding to 16 bits
				t.Fatalf("source %d, sample %d is %v, and W x + b is %v", i+1, k, source.Values[k], v[k])
			}
		}
		for m := range x.Channels {
			if table.Values[i*table.Channels+m] != w.Data.([]float64)[i*x.Channels+m] {
				t.Fatalf("unmixing.csv and unmixing.safetensors differ in row %d", i+1)
			}
		}
	}
}

// TestFiles_OfEveryKindOfNumbers: tables and arrays with references, by every method that is quick.
func TestFiles_OfEveryKindOfNumbers(t *testing.T) {
	x, s := sparse(t, 4000)
	for _, kind := range []signal.Kind{signal.Table, signal.Array} {
		form := &signal.Signal{Kind: kind}
		cmd := command(t, put(t, form, "mixtures", x.RawMatrix().Data, 4))
		cmd.Reference = []string{put(t, form, "sources", s.RawMatrix().Data, 3)}
		if kind == signal.Array {
			cmd.Domain.Projector = bss.Sparse
			cmd.Method.Method, cmd.Samples = bss.Methods()[2], 20000
		}
		text, r, err := run(t, cmd, nil)
		if err != nil {
			t.Fatal(err)
		}
		if v := r["sinr_db"].(float64); v < 20 || r["sources"].(float64) != 3 {
			t.Errorf("%v: SINR %.1f dB of %v sources, want 20 of 3:\n%s", kind, v, r["sources"], text)
		}
		got, err := signal.Read(filepath.Join(cmd.Out, "sources"+form.Ending()))
		if err != nil || got.Samples != 4000 || got.Channels != 3 {
			t.Fatalf("%v: %+v, %v", kind, got, err)
		}
		score, err := bss.Evaluate(bss.Centered(mat.NewDense(4000, 3, got.Values)), bss.Centered(s))
		if err != nil || math.Abs(score.SINR-r["sinr_db"].(float64)) > 1e-6 {
			t.Errorf("the file has a SINR of %v dB, and %v is printed; %v", score.SINR, r["sinr_db"], err)
		}
	}
}

// TestFiles_ColumnsOfOtherUnits: columns that differ by many powers of ten, or whose squares overflow or vanish, are separated like others, and W of the
// files is for the numbers as they are.
func TestFiles_ColumnsOfOtherUnits(t *testing.T) {
	x, s := sparse(t, 4000)
	form := &signal.Signal{Kind: signal.Array}
	for _, units := range [][]float64{{1, 1e-12, 1e9, 30}, {1e200, 1e200, 1e200, 1e200}, {1e-250, 1e-250, 1e-250, 1e-250}} {
		scaled := mat.DenseCopyOf(x)
		scaled.Apply(func(_, k int, v float64) float64 { return v * units[k] }, scaled)
		cmd := command(t, put(t, form, "mixtures", scaled.RawMatrix().Data, 4))
		cmd.Reference = []string{put(t, form, "sources", s.RawMatrix().Data, 3)}
		cmd.Sources, cmd.Domain.Projector = 3, bss.Sparse
		text, r, err := run(t, cmd, nil)
		if err != nil {
			t.Fatalf("%v: %v", units, err)
		}
		if v := r["sinr_db"].(float64); v < 20 || !strings.Contains(text, "each mixture was scaled") {
			t.Errorf("%v: SINR %.1f dB, want 20:\n%s", units, v, text)
		}
		kept, err := safetensors.ReadFile(filepath.Join(cmd.Out, "unmixing.safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		got, err := signal.Read(filepath.Join(cmd.Out, "sources.npy"))
		if err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			sum := 0.
			for k, w := range kept.Tensor("W").Data.([]float64)[4*i : 4*i+4] {
				sum += w * scaled.At(7, k)
			}
			if want := got.Values[7*3+i]; math.Abs(sum-want) > 1e-9 {
				t.Errorf("%v: W x is %v for source %d, the file has %v", units, sum, i+1, want)
			}
		}
	}
}

// TestFiles_WrongOnesLeaveNothing: which file, what, and what to do; and no folder.
func TestFiles_WrongOnesLeaveNothing(t *testing.T) {
	x, s := sparse(t, 1000)
	sound := &signal.Signal{Kind: signal.Sound, Rate: 8000, Encoding: signal.PCM16}
	array := &signal.Signal{Kind: signal.Array}
	good := put(t, sound, "good", x.RawMatrix().Data, 4)
	whole, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	changed := func(f func(i, j int, v float64) float64) string {
		c := mat.DenseCopyOf(x)
		c.Apply(f, c)
		return put(t, array, "changed", c.RawMatrix().Data, 4)
	}
	for _, c := range []struct {
		name   string
		files  []string
		change func(*Cmd)
		want   []string
	}{
		{"one mixture", []string{put(t, sound, "mono", mat.Col(nil, 0, x), 1)}, nil, []string{"mono.wav", "one mixture", "two or more recordings"}},
		{"cut off", []string{file(t, "cut.wav", whole[:len(whole)/2])}, nil, []string{"cut.wav", "cut off"}},
		{"empty", []string{file(t, "empty.wav", nil)}, nil, []string{"empty.wav", "empty file"}},
		{"gone", []string{"gone.wav"}, nil, []string{"gone.wav", "no such file"}},
		{"constant", []string{changed(func(_, j int, v float64) float64 {
			if j == 2 {
				return .5
			}
			return v
		})}, nil, []string{"changed 3 is 0.5 in every sample", "leave it out"}},
		{"NaN", []string{changed(func(i, j int, v float64) float64 {
			if i == 3 && j == 1 {
				return math.NaN()
			}
			return v
		})}, nil, []string{"changed.npy", "sample 4 of changed 2 is NaN"}},
		{"too many sources", []string{good}, func(c *Cmd) { c.Sources = 5 }, []string{"-sources 5", "4 mixtures", "ask for fewer"}},
		{"rank", []string{changed(func(i, j int, _ float64) float64 { return x.At(i, j%2) })}, func(c *Cmd) { c.Sources = 3 }, []string{"rank 2", "-sources 3", "ask for at most 2"}},
		{"one source", []string{changed(func(i, j int, _ float64) float64 { return float64(j+1) * x.At(i, 0) })}, nil, []string{"different factors"}},
		{"reference of another length", []string{good}, func(c *Cmd) { c.Reference = []string{put(t, sound, "short", s.RawMatrix().Data[:300], 3)} }, []string{"-reference", "100 samples", "1000"}},
		{"reference of another kind", []string{good}, func(c *Cmd) { c.Reference = []string{put(t, array, "s", s.RawMatrix().Data, 3)} }, []string{"-reference", "same kind"}},
		{"a domain that is not the method's", []string{good}, func(c *Cmd) { c.Method.Method, c.Domain.Projector = bss.Methods()[4], bss.Sparse }, []string{"not for the domain sparse"}},
		{"a silent reference", []string{good}, func(c *Cmd) {
			v := mat.DenseCopyOf(s)
			v.Apply(func(_, j int, v float64) float64 { return v * float64(j) }, v)
			c.Reference = []string{put(t, sound, "silent", v.RawMatrix().Data, 3)}
		}, []string{"-reference", "silent 1 is 0 in every sample"}},
		{"one source", []string{good}, func(c *Cmd) { c.Sources = 1 }, []string{"-sources is 1"}},
		{"a stream of one channel", []string{"-"}, func(c *Cmd) { c.Channels = 1 }, []string{"-channels is 1"}},
		{"no files", nil, nil, []string{"-try"}},
		{"a domain and ICA", []string{good}, func(c *Cmd) { c.Method.Method, c.Domain.Projector = bss.Methods()[7], bss.Sparse }, []string{"-domain has no use"}},
		{"LDMI on a stream", []string{"-"}, func(c *Cmd) { c.Method.Method = bss.Methods()[3] }, []string{"ldmi", "corinfomax"}},
	} {
		cmd := command(t, c.files...)
		if c.change != nil {
			c.change(&cmd)
		}
		_, _, err := run(t, cmd, nil)
		if err == nil {
			t.Errorf("%s: no error", c.name)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q, want %q in it", c.name, err, want)
			}
		}
		if _, err := os.Stat(cmd.Out); err == nil {
			t.Errorf("%s: left a folder", c.name)
		}
	}
}

// frames is a stream of the first three mixtures.
func frames(t *testing.T, x *mat.Dense, from, to int, e signal.Encoding) []byte {
	t.Helper()
	var b bytes.Buffer
	w := signal.NewFrameWriter(&b, e, 3)
	for i := from; i < to; i++ {
		if err := w.Write(x.RawRowView(i)[:3]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestStream_InTwoPartsIsTheSame: a stream that ends, is kept by -state and goes on writes the bytes of one that did not end.
func TestStream_InTwoPartsIsTheSame(t *testing.T) {
	x, s := sparse(t, 20000)
	whole := command(t, "-")
	whole.Format, whole.Sources = signal.Float32, 3
	if _, _, err := run(t, whole, bytes.NewReader(frames(t, x, 0, 20000, signal.Float32))); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join(whole.Out, "separated.raw"))
	if err != nil || len(want) != 20000*3*4 {
		t.Fatalf("%d bytes, want as many as came in; %v", len(want), err)
	}
	y, out := mat.NewDense(20000, 3, nil), signal.NewFrames(bytes.NewReader(want), signal.Float32, 3)
	for i := range 20000 {
		if err := out.Next(y.RawRowView(i)); err != nil {
			t.Fatal(err)
		}
	}
	if score, err := bss.Evaluate(bss.Centered(y), bss.Centered(s)); err != nil || score.SINR < 20 {
		t.Errorf("SINR %v dB, want 20; %v", score.SINR, err)
	}
	state, got := filepath.Join(t.TempDir(), "state.safetensors"), []byte(nil)
	for _, part := range [][2]int{{0, 13001}, {13001, 20000}} {
		cmd := command(t, "-")
		cmd.Format, cmd.Sources, cmd.State = signal.Float32, 3, state
		cmd.To = filepath.Join(t.TempDir(), "part.raw")
		if _, _, err := run(t, cmd, bytes.NewReader(frames(t, x, part[0], part[1], signal.Float32))); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(cmd.To)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, text...)
	}
	if !bytes.Equal(got, want) {
		t.Error("a stream in two parts gives other bytes")
	}
	// a damaged state is refused
	text, err := os.ReadFile(state)
	if err != nil {
		t.Fatal(err)
	}
	text[len(text)-9] ^= 1
	if err := os.WriteFile(state, text, 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := command(t, "-")
	cmd.Format, cmd.State = signal.Float32, state
	if _, _, err := run(t, cmd, bytes.NewReader(frames(t, x, 0, 100, signal.Float32))); err == nil || !strings.Contains(err.Error(), "-state") {
		t.Errorf("a damaged state: %v", err)
	}
}

// repeated is a stream of the same frames over and over.
type repeated struct {
	text     []byte
	at, left int
}

func (r *repeated) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), r.left)], r.text[r.at:])
	r.at, r.left = (r.at+n)%len(r.text), r.left-n
	return n, nil
}

// TestStream_MemoryDoesNotGrow: ten times the samples, the same heap but for what the runtime rounds.
func TestStream_MemoryDoesNotGrow(t *testing.T) {
	x, _ := sparse(t, 10000)
	text := frames(t, x, 0, 10000, signal.PCM16)
	var heaps []float64
	for _, times := range []int{2, 20} {
		cmd := command(t, "-")
		cmd.Domain.Projector, cmd.Sources, cmd.Samples = bss.Sparse, 3, 2000
		cmd.Rate = 48000
		_, r, err := run(t, cmd, &repeated{text: text, left: times * len(text)})
		if err != nil {
			t.Fatal(err)
		}
		if n := r["samples"].(float64); n != float64(10000*times) {
			t.Errorf("%v samples, want %d", n, 10000*times)
		}
		heaps = append(heaps, r["heap_bytes"].(float64))
	}
	if heaps[1] > heaps[0]+8e6 { // 20 times 10,000 samples of six float64 are 10 MB more
		t.Errorf("heap %.1f MB, and %.1f MB of ten times the samples", heaps[0]/1e6, heaps[1]/1e6)
	}
}

// TestStream_Ends: on nothing, within a sample, on what cannot be separated, and when it is interrupted while nothing comes. The error is of the stream, not of the
// file that is written.
func TestStream_Ends(t *testing.T) {
	x, _ := sparse(t, 2000)
	text := frames(t, x, 0, 2000, signal.PCM16)
	same := mat.DenseCopyOf(x)
	same.Apply(func(i, _ int, _ float64) float64 { return x.At(i, 0) }, same)
	silent := mat.DenseCopyOf(x)
	silent.Apply(func(_, k int, v float64) float64 { return v * []float64{1, 0, 1, 1}[k] }, silent)
	for _, c := range []struct {
		text []byte
		want string
	}{{nil, "standard input is empty"}, {frames(t, same, 0, 2000, signal.PCM16), "the 3 channels are one sound"}, {frames(t, silent, 0, 2000, signal.PCM16), "the first 2000 samples: bss: mixture 2 is 0"},
		{append([]byte("RIFF\x00\x00\x00\x00WAVE"), text...), "the stream is a WAV file"}, {text[:len(text)-1], "within a sample of 6"}, {text[:60], "want at least 30"}, {make([]byte, 600), "is silence"}} {
		cmd := command(t, "-")
		if _, _, err := run(t, cmd, bytes.NewReader(c.text)); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "separated.raw") {
			t.Errorf("%d bytes: %v, want %q", len(c.text), err, c.want)
		}
		if _, err := os.Stat(cmd.Out); err == nil {
			t.Errorf("%d bytes: left a folder", len(c.text))
		}
	}
	cmd := command(t, "-") // silence at the beginning stays silence
	if _, _, err := run(t, cmd, bytes.NewReader(append(make([]byte, 600), text...))); err != nil {
		t.Fatal(err)
	}
	if out, err := os.ReadFile(filepath.Join(cmd.Out, "separated.raw")); err != nil || len(out) != 600+len(text) || !bytes.Equal(out[:600], make([]byte, 600)) {
		t.Errorf("silence first: %d bytes, want %d; %v", len(out), 600+len(text), err)
	}
	cmd = command(t, "-")
	cmd.To = "-"
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	from, to := io.Pipe()
	defer to.Close()
	go func() {
		to.Write(text)
		time.Sleep(20 * time.Millisecond)
		cancel()
	}()
	var out, errs bytes.Buffer
	err := cmd.Run(&cli.Console{Context: ctx, In: from, Out: &out, Errs: &errs})
	if !errors.Is(err, cli.ErrInterrupted) || out.Len() != len(text) || !strings.Contains(errs.String(), "times real time") {
		t.Errorf("interrupted: %v, %d bytes, want %d; %s", err, out.Len(), len(text), errs.String())
	}
}
