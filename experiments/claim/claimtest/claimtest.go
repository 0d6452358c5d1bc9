// Package claimtest is the conformance suite of claims: [Run] measures them at Quick scale, [Recorded] holds them against the
// record of their full runs.
package claimtest

import (
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/experiments/claim"
)

// Run measures all claims at Quick scale and reports verdicts that are not the recorded ones, functions that panic on tables
// with missing cells, and figures that cannot be drawn.
func Run(t *testing.T, claims []claim.Claim) {
	t.Helper()
	seen := map[string]bool{}
	for _, c := range claims {
		if seen[c.ID] {
			t.Errorf("claim %s is there twice", c.ID)
		}
		seen[c.ID] = true
	}
	r := claim.Runner{Warn: func(err error) { t.Error(err) }}
	tables, err := r.Run(t.Context(), claim.Quick, claims...)
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]bool{}
	for i, c := range claims {
		t.Run(c.ID, func(t *testing.T) {
			table := tables[i]
			if !shown[table.Experiment] {
				shown[table.Experiment] = true
				text, err := table.Text()
				if err != nil {
					t.Error(err)
				}
				t.Logf("%s, %.1f s: %s\n%s", table.Experiment, table.Seconds(), text.Note, lines(text))
			}
			outcome, err := c.Judge(table)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%s: %s", outcome.Verdict, outcome.Ours)
			if outcome.Verdict != c.Verdict {
				t.Errorf("%s; recorded: %s\n%s\n%s", outcome.Verdict, c.Verdict, c.Statement, outcome.Reason)
			}
			if outcome.Ours == "" {
				t.Error("Check gives no figures of ours")
			}
			partial(t, c, table)
			if c.Plot == nil {
				return
			}
			for _, f := range c.Plot(table) {
				drawable(t, f)
			}
		})
	}
}

// notFinite finds NaN and infinities in a text, and not "Inference".
var notFinite = regexp.MustCompile(`\b(NaN|Inf)\b`)

// Recorded holds claims against the tables of their full runs. Each must have the recorded verdict, must not survive a shuffle
// of the results among the cells (see Survives) unless its Shuffled says why a shuffle is no test of it, and must not panic on
// tables with missing cells. A claim for which table returns fs.ErrNotExist passes.
func Recorded(t *testing.T, claims []claim.Claim, table func(claim.Experiment) (claim.Table, error)) {
	t.Helper()
	for _, c := range claims {
		t.Run(c.ID, func(t *testing.T) {
			full, err := table(c.Grid)
			if errors.Is(err, fs.ErrNotExist) {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			full = full.Memoized()
			partial(t, c, full)
			if !full.Complete() {
				return
			}
			outcome, err := c.Judge(full)
			if err != nil {
				t.Fatal(err)
			}
			if outcome.Verdict != c.Verdict {
				t.Errorf("by the record it %s, by the code it %s: %s", outcome.Verdict, c.Verdict, outcome.Reason)
			}
			if care := c.Cared(full); notFinite.MatchString(care) {
				t.Errorf("its care has numbers that are none: %s", care)
			}
			survived, err := Survives(c, full)
			switch {
			case err != nil:
				t.Fatal(err)
			case survived && c.Shuffled == "":
				t.Errorf("the verdict, %s, survives more than 5 %% of the shuffles of the results among the cells: sharpen Check, or say in Shuffled why that is no test", c.Verdict)
			case !survived && c.Shuffled != "":
				t.Errorf("the verdict survives no more than 5 %% of the shuffles: Shuffled is not needed")
			}
		})
	}
}

// shuffles is how many are tried at most.
const shuffles = 200

// Survives reports whether the verdict of a claim on a table stays the same in more than 5 % of 200 shuffles of the table's
// results among its cells. It stops as soon as that is known: at the eleventh shuffle that keeps the verdict, or after 60 of
// which none did, which at a rate of 5 % or more has a probability of .95^60 = 4.6 % or less.
func Survives(c claim.Claim, t claim.Table) (bool, error) {
	r := rand.New(rand.NewPCG(1, 2))
	same := 0
	for n := range shuffles {
		if n == 60 && same == 0 {
			return false, nil
		}
		outcome, err := c.Judge(t.Shuffled(r))
		if err != nil {
			return false, err
		}
		if outcome.Verdict == c.Verdict {
			same++
		}
		if same > shuffles/20 {
			return true, nil
		}
	}
	return false, nil
}

// partial reports a claim that panics on a table with missing cells: on prefixes of the table, random parts of it, single cells
// and the empty one.
func partial(t *testing.T, c claim.Claim, full claim.Table) {
	t.Helper()
	r := rand.New(rand.NewPCG(3, 4))
	full = full.Memoized()
	n := len(full.Results)
	try := func(what string, part []claim.Result) {
		t.Helper()
		table := full
		table.Cells, table.Results = n, part
		defer func() {
			if p := recover(); p != nil {
				t.Errorf("%s of %d cells: panic: %v", what, n, p)
			}
		}()
		c.Check(table)
		c.Cared(table)
		if _, err := c.Judge(table); len(part) < n && !errors.Is(err, claim.ErrIncomplete) {
			t.Errorf("%s of %d cells is judged: error %v", what, n, err)
		}
		if c.Plot != nil {
			c.Plot(table)
		}
	}
	try("none", nil)
	for k := range n { // all prefixes of a small table, some of a large one
		if n <= 24 || k < 4 || k%(n/12) == 0 {
			try(fmt.Sprintf("the first %d", k), full.Results[:k])
			try(fmt.Sprintf("number %d", k), full.Results[k:k+1])
		}
	}
	for range 12 {
		keep := r.Float64()
		var part []claim.Result
		for _, result := range full.Results {
			if r.Float64() < keep {
				part = append(part, result)
			}
		}
		try("a random part", part)
	}
}

func lines(text claim.Text) string {
	var b strings.Builder
	for _, row := range append([][]string{text.Head}, text.Rows...) {
		b.WriteString(strings.Join(row, " | ") + "\n")
	}
	return b.String()
}

// drawable reports what would make a figure empty or wrong.
func drawable(t *testing.T, f claim.Figure) {
	t.Helper()
	if f.Name == "" || f.Caption == "" || len(f.Panels) == 0 {
		t.Errorf("figure %q: it needs a name, a caption and panels", f.Name)
	}
	for _, p := range f.Panels {
		if p.X.Label == "" || p.Y.Label == "" {
			t.Errorf("figure %s: panel %q: an axis has no label", f.Name, p.Title)
		}
		if len(p.Lines) == 0 && p.Map == nil {
			t.Errorf("figure %s: panel %q is empty", f.Name, p.Title)
		}
		for _, l := range p.Lines {
			if len(l.X) != len(l.Y) || l.Low != nil && (len(l.Low) != len(l.Y) || len(l.High) != len(l.Y)) {
				t.Errorf("figure %s: panel %q: line %q: lengths differ", f.Name, p.Title, l.Name)
			}
			if !finite(l.Y) {
				t.Errorf("figure %s: panel %q: line %q has no finite value", f.Name, p.Title, l.Name)
			}
		}
		if m := p.Map; m != nil {
			if len(m.Values) != len(m.Rows) {
				t.Errorf("figure %s: panel %q: %d rows of values, %d labels", f.Name, p.Title, len(m.Values), len(m.Rows))
			}
			for _, row := range m.Values {
				if len(row) != len(m.Columns) {
					t.Errorf("figure %s: panel %q: %d values in a row, %d labels", f.Name, p.Title, len(row), len(m.Columns))
				}
			}
		}
	}
}

// finite reports whether one of the values is finite.
func finite(values []float64) bool {
	for _, v := range values {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			return true
		}
	}
	return false
}
