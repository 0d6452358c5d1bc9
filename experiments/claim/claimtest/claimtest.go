// Package claimtest tests claims at Quick scale.
package claimtest

import (
	"math"
	"strings"
	"testing"

	"github.com/pcgraph/pcgraph/experiments/claim"
)

// Run measures all claims at Quick scale and reports those that do not come out as recorded, and figures that cannot be
// drawn.
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
			if c.Plot == nil {
				return
			}
			figures, err := c.Plot(table)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range figures {
				drawable(t, f)
			}
		})
	}
}

func lines(text claim.Text) string {
	var b strings.Builder
	for _, row := range append([][]string{text.Head}, text.Rows...) {
		b.WriteString(strings.Join(row, " | ") + "\n")
	}
	return b.String()
}

// drawable reports what would make an empty or a wrong picture.
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

// finite tells whether there is a finite value.
func finite(values []float64) bool {
	for _, v := range values {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			return true
		}
	}
	return false
}
