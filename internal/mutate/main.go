// Mutate tests the tests: it changes one place of the source at a time, and runs the tests of that package. A mutant that no test notices
// survives, and is printed with its place and its difference.
//
//	go run ./internal/mutate -seed 1 -n 40 ./infer ./train
//
// Nothing is written to the source: a mutant reaches the compiler by `go test -overlay`. Mutants that do not compile are not counted,
// and others are drawn for them. A test that runs into the limit of time counts as one that fails.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/pkg/errors"
)

func main() {
	seed := flag.Uint64("seed", 1, "seed of the choice of places")
	n := flag.Int("n", 40, "mutants to test")
	limit := flag.Duration("timeout", 2*time.Minute, "longest run of one package's tests, above its time without a mutant")
	only := flag.String("file", "", "mutate only files whose path contains this")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: go run ./internal/mutate [flags] PACKAGE...\n")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() == 0 || *n < 1 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *seed, *n, *limit, *only, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

// verdicts of a mutant
type verdict int

const (
	invalid verdict = iota // does not compile
	killed
	survived
)

func run(ctx context.Context, seed uint64, n int, limit time.Duration, only string, patterns []string) error {
	packages, err := list(ctx, patterns)
	if err != nil {
		return err
	}
	var sites []site
	for _, p := range packages {
		for _, f := range p.GoFiles {
			path := filepath.Join(p.Dir, f)
			if !strings.Contains(path, only) {
				continue
			}
			source, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			found, err := sitesOf(path, source)
			if err != nil {
				return err
			}
			for _, s := range found {
				s.pkg = p.ImportPath
				sites = append(sites, s)
			}
		}
	}
	fmt.Printf("seed %d: %d places in %d packages\n", seed, len(sites), len(packages))
	rand.New(rand.NewPCG(seed, 0)).Shuffle(len(sites), func(i, j int) { sites[i], sites[j] = sites[j], sites[i] })

	temp, err := os.MkdirTemp("", "mutate-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	plain := map[string]time.Duration{} // seconds of a package's tests without a mutant
	count := map[verdict]int{}
	var survivors []string
	for _, s := range sites {
		if count[killed]+count[survived] == n || ctx.Err() != nil {
			break
		}
		if _, measured := plain[s.pkg]; !measured {
			start := time.Now()
			if v, out, err := test(ctx, "", s.pkg, 10*time.Minute); err != nil {
				return err
			} else if v != survived && ctx.Err() == nil {
				return errors.Errorf("the tests of %s fail without a mutant:\n%s", s.pkg, out)
			}
			plain[s.pkg] = time.Since(start)
		}
		overlay, err := s.write(temp)
		if err != nil {
			return err
		}
		v, out, err := test(ctx, overlay, s.pkg, plain[s.pkg]+limit)
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			break // what ended the tests is the interruption
		}
		count[v]++
		switch v {
		case killed:
			fmt.Printf("killed    %s: %s (%s)\n", s.place(), s.what, by(out))
		case survived:
			fmt.Printf("SURVIVED  %s: %s\n%s", s.place(), s.what, s.diff())
			survivors = append(survivors, s.place())
		}
	}
	fmt.Printf("\n%d mutants: %d killed, %d survived; %d did not compile\n", count[killed]+count[survived], count[killed], count[survived], count[invalid])
	for _, s := range survivors {
		fmt.Println("survived", s)
	}
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	return nil
}

// A pkg is what go list says of a package.
type pkg struct {
	Dir, ImportPath string
	GoFiles         []string
}

// list finds the packages that have tests.
func list(ctx context.Context, patterns []string) (packages []pkg, err error) {
	out, err := exec.CommandContext(ctx, "go", append([]string{"list", "-json=Dir,ImportPath,GoFiles,TestGoFiles,XTestGoFiles"}, patterns...)...).Output()
	if err != nil {
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
			return nil, errors.Errorf("go list: %s", exit.Stderr)
		}
		return nil, errors.Wrap(err, "go list")
	}
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		var p struct {
			pkg
			TestGoFiles, XTestGoFiles []string
		}
		if err := d.Decode(&p); err != nil {
			return nil, errors.Wrap(err, "go list")
		}
		if len(p.TestGoFiles)+len(p.XTestGoFiles) == 0 {
			return nil, errors.Errorf("%s has no tests", p.ImportPath)
		}
		packages = append(packages, p.pkg)
	}
	return packages, nil
}

// test runs the tests of a package, with an overlay unless it is empty: survived if they pass, invalid if they do not compile.
func test(ctx context.Context, overlay, path string, limit time.Duration) (v verdict, out []byte, err error) {
	args := []string{"test", "-count=1", "-failfast", "-vet=off", "-timeout", limit.String()}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, path)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // go test ends its test program
	cmd.WaitDelay = 10 * time.Second
	out, err = cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return survived, out, nil
	case !errors.As(err, &exit) && ctx.Err() == nil:
		return invalid, out, errors.Wrap(err, "go test")
	case bytes.Contains(out, []byte("[build failed]")) || bytes.Contains(out, []byte("[setup failed]")):
		return invalid, out, nil
	}
	return killed, out, nil
}

// by is the first test that failed, or how else the tests ended.
func by(out []byte) string {
	for line := range strings.Lines(string(out)) {
		line = strings.TrimSpace(line)
		for _, start := range []string{"--- FAIL: ", "panic: ", "fatal error: "} {
			if rest, is := strings.CutPrefix(line, start); is {
				if start == "--- FAIL: " {
					rest, _, _ = strings.Cut(rest, " ")
				}
				return rest[:min(len(rest), 80)]
			}
		}
	}
	return "tests failed"
}
