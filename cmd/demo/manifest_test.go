package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/cmd/demo/internal/bench"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/inspect"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/study"
	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/internal/jsonfloat"
	"github.com/pcgraph/pcgraph/train"
)

// quiet is a console that nobody reads.
func quiet(ctx context.Context) *cli.Console {
	return &cli.Console{Context: ctx, Out: io.Discard, Errs: io.Discard}
}

// manifestOf reads the manifest of a folder.
func manifestOf(t *testing.T, dir string) *cli.Manifest {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, cli.ManifestName))
	if err != nil {
		t.Fatal(err)
	}
	m := new(cli.Manifest)
	if err := jsonfloat.Unmarshal(text, m); err != nil {
		t.Fatal(err)
	}
	return m
}

// fill sets every float in v, and makes maps, slices and pointers so that there are some.
func fill(v reflect.Value, f float64) {
	switch v.Kind() {
	case reflect.Float64, reflect.Float32:
		v.SetFloat(f)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i), f)
			}
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), f)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0), f)
		fill(v.Index(1), f)
	case reflect.Map:
		if v.Type().Key().Kind() == reflect.String {
			e := reflect.New(v.Type().Elem()).Elem()
			fill(e, f)
			v.Set(reflect.MakeMap(v.Type()))
			v.SetMapIndex(reflect.ValueOf("key").Convert(v.Type().Key()), e)
		}
	case reflect.Interface:
		if v.NumMethod() == 0 {
			v.Set(reflect.ValueOf(f))
		}
	}
}

// TestFiles_TakeEveryNumber: manifest, metrics and figures of benchmarks are written, and read again, whatever the measured numbers
// in them are.
func TestFiles_TakeEveryNumber(t *testing.T) {
	for _, f := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		for _, what := range []any{new(cli.Manifest), new(study.StepLine), new(study.EvalLine), new(study.AgreeLine), new(inspect.CoordLine), new(inspect.EvaluationLine), new(bench.Report)} {
			name := reflect.TypeOf(what).String()
			fill(reflect.ValueOf(what).Elem(), f)
			if m, is := what.(*cli.Manifest); is {
				m.Encoding, m.Options = nil, nil
				m.Results = map[string]any{"PC": map[string]any{"test": study.EvalLine{Loss: f}, "precision": map[string]float64{"1": f}}, "list": []float64{1, f}}
			}
			dir, err := cli.PlainFolder(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			if err := cli.First(dir.Line(what), dir.Write("whole.json", cli.Encode(what)), dir.CloseMetrics()); err != nil {
				t.Errorf("%s with %v: %v", name, f, err)
				continue
			}
			for _, file := range []string{"whole.json", cli.MetricsName} {
				text, err := os.ReadFile(dir.Path(file))
				if err != nil {
					t.Fatal(err)
				}
				again := reflect.New(reflect.TypeOf(what).Elem())
				if err := jsonfloat.Unmarshal(text, again.Interface()); err != nil {
					t.Errorf("%s with %v in %s: %v: %s", name, f, file, err, text)
				}
				second, err := jsonfloat.Marshal(again.Interface())
				if err != nil {
					t.Fatal(err)
				}
				var was, is any
				if err := cli.First(json.Unmarshal(text, &was), json.Unmarshal(second, &is)); err != nil || !reflect.DeepEqual(was, is) {
					t.Errorf("%s with %v comes back as %s, want %s: %v", name, f, second, text, err)
				}
			}
		}
	}
}

// testOptions are the options of a run.
type testOptions struct {
	cli.OutFlags
	kept string
}

func (o testOptions) Kept() string { return o.kept }

func options(dir string, seed uint64) testOptions {
	return testOptions{OutFlags: cli.OutFlags{FolderFlags: cli.FolderFlags{Out: dir}, Seed: seed}}
}

// TestLive_SaysHowARunEnded: the manifest is there while the work goes on, and has the right end, the exit code with it.
func TestLive_SaysHowARunEnded(t *testing.T) {
	for _, c := range []struct {
		name string
		work func(r *cli.RunDir) error
		end  cli.State
		want string // in the error
	}{
		{"done", func(r *cli.RunDir) error { r.Manifest.Results["x"] = 1.5; return nil }, cli.Done, ""},
		{"not a number among the results", func(r *cli.RunDir) error { r.Manifest.Results["x"] = []float64{1, math.NaN()}; return nil }, cli.Diverged, "x[1] is NaN"},
		{"an infinity deep in the results", func(r *cli.RunDir) error {
			r.Manifest.Results["a"] = map[string]any{"b": study.EvalLine{Loss: math.Inf(-1)}}
			return nil
		}, cli.Diverged, "a.b.loss is -Infinity"},
		{"training diverged", func(*cli.RunDir) error { return errors.WithMessage(&train.DivergenceError{Step: 3}, "PC") }, cli.Diverged, "PC"},
		{"failed", func(*cli.RunDir) error { return errors.New("no more paper") }, cli.Failed, "no more paper"},
		{"interrupted", func(*cli.RunDir) error { return cli.ErrInterrupted }, cli.Interrupted, "interrupted"},
	} {
		dir := filepath.Join(t.TempDir(), "run")
		err := quiet(t.Context()).Run("test", options(dir, 7), func(r *cli.RunDir) error {
			if m := manifestOf(t, dir); m.State != cli.Running || m.Seed != 7 || m.Command != "test" {
				t.Errorf("%s: while it goes on the manifest says %+v", c.name, m)
			}
			if err := r.Write("a.txt", func(w io.Writer) error { _, err := io.WriteString(w, "a"); return err }); err != nil {
				t.Fatal(err)
			}
			return c.work(r)
		})
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
		if is := cli.IsDivergence(err); is != (c.end == cli.Diverged) {
			t.Errorf("%s: divergence %v", c.name, is)
		}
		if m := manifestOf(t, dir); m.State != c.end || !slices.Equal(m.Files, []string{"a.txt"}) {
			t.Errorf("%s: at the end the manifest says %+v", c.name, m)
		}
		if got := files(t, dir); !slices.Equal(got, []string{"a.txt", cli.ManifestName}) {
			t.Errorf("%s: files %v", c.name, got)
		}
	}
}

// TestLive_FailingBeforeAnythingIsWrittenLeavesNothing, neither a folder nor a change of the one that was there.
func TestLive_FailingBeforeAnythingIsWrittenLeavesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	fail := func(*cli.RunDir) error { return errors.New("no such thing") }
	if err := quiet(t.Context()).Run("test", options(dir, 1), fail); err == nil || exists(dir) {
		t.Errorf("%v, the folder is left: %v", err, exists(dir))
	}
	write(t, dir, "first", "", nil)
	was := manifestOf(t, dir)
	if err := quiet(t.Context()).Run("second", testOptions{OutFlags: cli.OutFlags{FolderFlags: cli.FolderFlags{Out: dir, Overwrite: true}, Seed: 1}}, fail); err == nil {
		t.Error("no error")
	}
	if now := manifestOf(t, dir); now.Command != was.Command || now.State != was.State || !slices.Equal(files(t, dir), []string{"first.txt", cli.ManifestName}) {
		t.Errorf("the older run is changed: %+v, %v", now, files(t, dir))
	}
}

// write is a run that writes one file named after it; the one called "overwriting" does that.
func write(t *testing.T, dir, name, checkpoint string, also func(r *cli.RunDir)) error {
	t.Helper()
	return quiet(t.Context()).Run(name, testOptions{cli.OutFlags{FolderFlags: cli.FolderFlags{Out: dir, Overwrite: name == "overwriting"}, Seed: 1}, checkpoint}, func(r *cli.RunDir) error {
		if also != nil {
			also(r)
		}
		return r.Write(name+".txt", func(w io.Writer) error { _, err := io.WriteString(w, name); return err })
	})
}

// TestFolder_OfAnotherRunIsRefused unless it is to be replaced, of which the files of others know nothing.
func TestFolder_OfAnotherRunIsRefused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	if err := write(t, dir, "first", "", nil); err != nil {
		t.Fatal(err)
	}
	mine := filepath.Join(dir, "mine.txt")
	if err := os.WriteFile(mine, []byte("precious"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := write(t, dir, "second", "", nil); err == nil || !strings.Contains(err.Error(), "-overwrite") || !strings.Contains(err.Error(), `"first", done`) {
		t.Errorf("a second run: %v", err)
	}
	if err := write(t, dir, "overwriting", "", nil); err != nil {
		t.Fatal(err)
	}
	if got := files(t, dir); !slices.Equal(got, []string{cli.ManifestName, "mine.txt", "overwriting.txt"}) {
		t.Errorf("files %v: the first run's is to be gone, mine to be there", got)
	}
	for _, name := range []string{"report.html", "notes.new", "picture.png.new"} {
		other := t.TempDir()
		if err := os.WriteFile(filepath.Join(other, name), []byte("precious"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := write(t, other, "first", "", nil); err == nil || !strings.Contains(err.Error(), "not empty ("+name+")") {
			t.Errorf("a folder of someone: %v", err)
		}
		if got := files(t, other); !slices.Equal(got, []string{name}) {
			t.Errorf("a folder of someone has %v after it was refused", got)
		}
	}
}

// TestFolder_ManifestsAreNotTrusted: one that lists files elsewhere removes none of them.
func TestFolder_ManifestsAreNotTrusted(t *testing.T) {
	above := t.TempDir()
	dir := filepath.Join(above, "run")
	victim := filepath.Join(above, "victim.txt")
	if err := cli.First(os.Mkdir(dir, 0o755), os.WriteFile(victim, nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf(`{"command":"x","state":"done","files":["../victim.txt",%q,"","..","."]}`, victim)
	if err := os.WriteFile(filepath.Join(dir, cli.ManifestName), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := write(t, dir, "overwriting", "", nil); err != nil {
		t.Fatal(err)
	}
	if !exists(victim) {
		t.Error("a file outside of the folder is gone")
	}
}

// TestFolder_OneRunAtATime: a folder that a run is going on in is refused, whatever the flags, and what a killed run left is not
// taken for a run.
func TestFolder_OneRunAtATime(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	if err := write(t, dir, "first", "kept", func(r *cli.RunDir) {
		err := write(t, dir, "overwriting", "kept", nil)
		if err == nil || !strings.Contains(err.Error(), "in use by process") {
			t.Errorf("a second run at the same time: %v", err)
		}
		if err := os.WriteFile(r.Path("half.png.new"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}); err != nil {
		t.Fatal(err)
	}
	if err := write(t, dir, "again", "elsewhere", nil); err == nil {
		t.Error("another training goes on in the folder")
	}
	if err := write(t, dir, "again", "kept", nil); err != nil {
		t.Errorf("the same training does not go on: %v", err)
	}
	if got := files(t, dir); !slices.Equal(got, []string{"again.txt", cli.ManifestName}) {
		t.Errorf("files %v", got)
	}
}

// TestManifest_KeepsWhatTheDataWere: guesses and files of the data are in it.
func TestManifest_KeepsWhatTheDataWere(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	code, stdout, stderr := demo(t, t.Context(), "train", "-data", "../../data/testdata/irises.csv", "-targets", "species", "-limit", "3", "-no-compare", "-out", out)
	if code != cli.ExitOK {
		t.Fatal(stderr)
	}
	m := manifestOf(t, out)
	if len(m.Data) != 1 || m.Data[0].SHA256 == "" || m.Encoding == nil || len(m.Guesses) == 0 || len(m.Weights) != 2 || m.State != cli.Done {
		t.Errorf("%+v", m)
	}
	about := map[string]bool{}
	for _, g := range m.Guesses {
		about[g.About] = true
		if !strings.Contains(stdout, g.Taken) {
			t.Errorf("the guess on %s is not said: %s", g.About, stdout)
		}
	}
	for _, want := range []string{"header", "separator", "held out"} {
		if !about[want] {
			t.Errorf("no guess on the %s in %v", want, m.Guesses)
		}
	}
	var _ data.Guess = m.Guesses[0]
}
