// Package claim turns a sentence of a paper into something that can be run: a grid of measurements, a check that
// says whether the sentence held, and the pictures to see it by.
//
// A [Claim] is a value. What it measures is an [Experiment], a grid of cells, each plain data in and plain data out; a
// [Runner] measures the cells in parallel, keeps every result as it comes, and goes on where it was stopped. Several
// claims may rest on one experiment: its cells are measured once.
//
// The package knows nothing of networks and draws nothing: a [Figure] is a value too, which cmd/demo draws.
package claim

import (
	"strings"

	"github.com/pkg/errors"
)

// Scale says how much is measured.
type Scale int

const (
	Quick Scale = iota // seconds: what the tests run
	Full               // minutes to hours: what the claims are judged by
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
	Holds    Verdict = iota // as the paper says it
	WithCare                // as the claim's Care words it
	Fails                   // not here; the claim's Care says what happens instead
)

// String is the verdict in words.
func (v Verdict) String() string {
	switch v {
	case Holds:
		return "holds"
	case WithCare:
		return "holds with care"
	}
	return "does not hold here"
}

// A Claim is one falsifiable sentence of a paper.
type Claim struct {
	ID        string // folder/name, like limits/energy-becomes-loss
	Source    string // paper, section, figure; and whether it is the paper's text or second-hand
	Statement string // one sentence that can be wrong
	Paper     string // the paper's own figures
	// Grid is what is measured.
	Grid Experiment
	// Check reads the measurements. It returns our figures in words, to stand beside the paper's, and an error that names
	// the cell which is off if the statement does not hold. It must work at both scales: see Table.Scale.
	Check func(Table) (ours string, err error)
	// Verdict is how the claim came out when it was last looked at; a run that comes out differently is news.
	Verdict Verdict
	// Care is needed unless the verdict is Holds: what the sentence needs to be true here, or what happens instead.
	Care string
	// Plot draws the measurements; nil for a claim without a picture.
	Plot func(Table) ([]Figure, error)
}

// Validate reports a claim that lacks something.
func (c Claim) Validate() error {
	switch {
	case c.ID == "" || strings.Count(c.ID, "/") != 1 || strings.Trim(c.ID, "abcdefghijklmnopqrstuvwxyz0123456789-/") != "":
		return errors.Errorf("claim %q: the ID must be folder/name of lower-case letters, digits and dashes", c.ID)
	case c.Source == "" || c.Statement == "" || c.Paper == "":
		return errors.Errorf("claim %s: it needs Source, Statement and Paper", c.ID)
	case c.Check == nil || c.Grid.measure == nil:
		return errors.Errorf("claim %s: it needs Grid and Check", c.ID)
	case (c.Verdict == Holds) != (c.Care == ""):
		return errors.Errorf("claim %s: Care goes with the verdicts WithCare and Fails, and only with them", c.ID)
	}
	return nil
}

// An Outcome is what a table says of a claim.
type Outcome struct {
	Verdict Verdict
	Ours    string // our figures in words
	Reason  string // why it fails
}

// Judge holds a claim against a table. A statement whose check passes has the verdict that is recorded, or Holds if that
// was Fails; otherwise the verdict is Fails. The error is for tables that cannot be read.
func (c Claim) Judge(t Table) (Outcome, error) {
	if len(t.Results) == 0 {
		return Outcome{}, errors.Errorf("claim %s: the table of %s is empty", c.ID, t.Experiment)
	}
	ours, err := c.Check(t)
	switch {
	case errors.Is(err, ErrTable):
		return Outcome{}, errors.Wrapf(err, "claim %s", c.ID)
	case err != nil:
		return Outcome{Verdict: Fails, Ours: ours, Reason: err.Error()}, nil
	case c.Verdict == Fails:
		return Outcome{Verdict: Holds, Ours: ours}, nil
	}
	return Outcome{Verdict: c.Verdict, Ours: ours}, nil
}
