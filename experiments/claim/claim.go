// Package claim turns a sentence of a paper into something that can be run: a grid of measurements, a check that says whether
// the sentence held, and figures.
//
// A [Claim] is a value. It rests on an [Experiment], a grid of cells, each with plain data as parameters and plain data as
// result; several claims may share one experiment. A [Runner] measures the cells in parallel, caches every result, and after
// an interruption goes on with the cells that are missing. It returns a [Table], from which [Claim.Judge] derives the verdict.
//
// The package knows no networks and draws nothing: a [Figure] is a value too.
package claim

import (
	"strings"

	"github.com/pkg/errors"
)

// Scale says how much is measured.
type Scale int

const (
	Quick Scale = iota // seconds: small networks, as a test of the code
	Full               // minutes to hours: what the recorded verdicts rest on
)

// String is "quick" or "full".
func (s Scale) String() string {
	if s == Full {
		return "full"
	}
	return "quick"
}

// A Verdict is how a claim came out.
type Verdict int

const (
	Holds    Verdict = iota // the sentence holds as the paper has it
	WithCare                // it holds under the conditions that the claim's Care names
	Fails                   // it does not hold here; the claim's Care says what was found instead
	Open                    // it was not measured in full, so that nothing is decided
)

// Verdicts are all verdicts.
var Verdicts = []Verdict{Holds, WithCare, Fails, Open}

// String is the verdict in words.
func (v Verdict) String() string {
	switch v {
	case Holds:
		return "holds"
	case WithCare:
		return "holds with care"
	case Fails:
		return "does not hold here"
	}
	return "open"
}

// Meaning says what the verdict means.
func (v Verdict) Meaning() string {
	switch v {
	case Holds:
		return "the measurements pass every bound of the sentence as it stands"
	case WithCare:
		return "they pass, but the sentence needs the conditions or exceptions that are given with it to be true here"
	case Fails:
		return "they miss a bound; which one, and what was found instead, is given with it"
	}
	return "not measured in full, so that nothing is decided: what is known at full scale is given with it, and at quick scale a smaller network passes"
}

// An Origin is where a bound comes from.
type Origin int

// The origins, from the strongest.
const (
	Paper       Origin = iota // the paper's own figures
	Independent               // values that an independent program computed
	Derived                   // a derivation
	Before                    // ours, set before the experiment was measured in full
	After                     // ours, set or moved after it was measured in full
)

// String is the origin in words.
func (o Origin) String() string {
	switch o {
	case Paper:
		return "the paper"
	case Independent:
		return "an independent program"
	case Derived:
		return "a derivation"
	case Before:
		return "ours, before measuring in full"
	}
	return "ours, after measuring in full"
}

// A Bound is a condition that Check holds measurements against at Full scale, with its source. At Quick scale, where networks
// are smaller, Check may use wider bounds: there it is a test of the code.
type Bound struct {
	Text   string // what must be true, with the numbers
	Origin Origin
	Commit string // the commit that set it; required for Before
	Note   string // which figure, program or derivation; how the bound was changed
}

// String is the bound with its origin in words.
func (b Bound) String() string {
	s := b.Text + " (" + b.Origin.String()
	if b.Commit != "" {
		s += ", commit " + b.Commit
	}
	if b.Note != "" {
		s += ": " + b.Note
	}
	return s + ")"
}

// A Claim is one falsifiable sentence of a paper.
type Claim struct {
	ID        string // folder/name, like limits/energy-becomes-loss
	Source    string // paper, section, figure; and whether it is the paper's text or second-hand
	Statement string // one sentence that can be wrong
	Paper     string // the paper's own figures
	// Grid is what is measured.
	Grid Experiment
	// Check holds the measurements against Bounds. It returns our figures in words, to stand beside the paper's, and an error
	// that names the cells which miss a bound; see [Off]. It must work at both scales (Table.Scale) and must not panic on a
	// table with missing cells.
	Check func(Table) (ours string, err error)
	// Bounds are the conditions of Check at Full scale, with the source of each; at least one.
	Bounds []Bound
	// Shuffled is empty if the verdict changes when the results are shuffled among the cells. Otherwise it says why such a
	// shuffle is no test of this sentence.
	Shuffled string
	// Verdict is the verdict of the recorded measurement. A run with another verdict is news.
	Verdict Verdict
	// QuickPasses says, of a claim whose verdict is Fails, that the small networks of Quick scale do not show the failure: there
	// Check passes, which decides nothing, and a Check that fails is news.
	QuickPasses bool
	// Care is required unless the verdict is Holds: the conditions under which the sentence holds here, or what was found
	// instead. Measured numbers in it are read from the table. It must not panic on a table with missing cells.
	Care func(Table) string
	// Plot draws the measurements; nil for a claim without a figure. It must not panic on a table with missing cells.
	Plot func(Table) []Figure
}

// Validate reports a claim that is not complete.
func (c Claim) Validate() error {
	switch {
	case c.ID == "" || strings.Count(c.ID, "/") != 1 || strings.Trim(c.ID, "abcdefghijklmnopqrstuvwxyz0123456789-/") != "":
		return errors.Errorf("claim %q: the ID must be folder/name of lower-case letters, digits and dashes", c.ID)
	case c.Source == "" || c.Statement == "" || c.Paper == "":
		return errors.Errorf("claim %s: it needs Source, Statement and Paper", c.ID)
	case c.Check == nil || c.Grid.measure == nil:
		return errors.Errorf("claim %s: it needs Grid and Check", c.ID)
	case (c.Verdict == Holds) != (c.Care == nil):
		return errors.Errorf("claim %s: Care goes with all verdicts but Holds, and only with them", c.ID)
	case c.QuickPasses && c.Verdict != Fails:
		return errors.Errorf("claim %s: QuickPasses is for claims that do not hold in full", c.ID)
	case len(c.Bounds) == 0:
		return errors.Errorf("claim %s: it needs Bounds: what Check holds the measurements against, and where that comes from", c.ID)
	}
	for _, b := range c.Bounds {
		switch {
		case b.Text == "":
			return errors.Errorf("claim %s: a bound has no Text", c.ID)
		case b.Origin == Before && b.Commit == "" || b.Origin < Before && b.Commit != "":
			return errors.Errorf("claim %s: bound %q: a bound of ours from before measuring names the Commit that set it, one of somebody else's does not", c.ID, b.Text)
		case strings.Trim(b.Commit, "0123456789abcdef") != "" || b.Commit != "" && len(b.Commit) < 7:
			return errors.Errorf("claim %s: bound %q: %q is no commit", c.ID, b.Text, b.Commit)
		case b.Origin != Before && b.Note == "":
			return errors.Errorf("claim %s: bound %q: the Note must say which figure, program or derivation it is of, or why it was set after measuring", c.ID, b.Text)
		}
	}
	return nil
}

// Constant returns a Care without measured numbers.
func Constant(text string) func(Table) string { return func(Table) string { return text } }

// Cared is the text of Care for a table; empty without Care.
func (c Claim) Cared(t Table) string {
	if c.Care == nil {
		return ""
	}
	return c.Care(t)
}

// An Outcome is the verdict on a claim that a table gives.
type Outcome struct {
	Verdict Verdict
	Ours    string // our figures in words
	Reason  string // the error of Check
}

// ErrIncomplete is the error of a table with missing cells, which may be the ones that decide.
var ErrIncomplete = errors.New("cells of the table are missing")

// Judge runs Check on a complete table. If it passes, the verdict is the recorded one, or Holds if that was Fails; if it does
// not, the verdict is Fails. A claim that is Open becomes Holds at Full scale. At Quick scale a claim with QuickPasses keeps
// its verdict if Check passes, and becomes Open if it does not. The error is ErrIncomplete or ErrTable.
func (c Claim) Judge(t Table) (Outcome, error) {
	if len(t.Results) == 0 || !t.Complete() {
		return Outcome{}, errors.Wrapf(ErrIncomplete, "claim %s: %d of %d of %s", c.ID, len(t.Results), t.Cells, t.Experiment)
	}
	if err := c.Grid.reads(t); err != nil {
		return Outcome{}, errors.WithMessagef(err, "claim %s", c.ID)
	}
	ours, err := c.Check(t)
	switch {
	case err != nil && c.QuickPasses && t.Scale == Quick:
		return Outcome{Verdict: Open, Ours: ours, Reason: "at quick scale it was to pass: " + err.Error()}, nil
	case err != nil:
		return Outcome{Verdict: Fails, Ours: ours, Reason: err.Error()}, nil
	case c.QuickPasses && t.Scale == Quick:
		return Outcome{Verdict: c.Verdict, Ours: ours}, nil
	case c.Verdict == Fails, c.Verdict == Open && t.Scale == Full:
		return Outcome{Verdict: Holds, Ours: ours}, nil
	}
	return Outcome{Verdict: c.Verdict, Ours: ours}, nil
}
