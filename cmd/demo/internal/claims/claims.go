// Package claims holds the commands that list the claims of the papers and measure them: claims, run and verify.
package claims

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/experiments/claim"
	"github.com/pcgraph/pcgraph/experiments/icl"
	"github.com/pcgraph/pcgraph/experiments/jpc"
	"github.com/pcgraph/pcgraph/experiments/limits"
	"github.com/pcgraph/pcgraph/experiments/mupc"
	"github.com/pcgraph/pcgraph/experiments/newcomers"
	"github.com/pcgraph/pcgraph/experiments/pem"
	"github.com/pcgraph/pcgraph/experiments/record"
	"github.com/pcgraph/pcgraph/experiments/saddles"
	"github.com/pcgraph/pcgraph/experiments/thesis"
	"github.com/pcgraph/pcgraph/experiments/trustregion"
	"github.com/pcgraph/pcgraph/report"
)

// everyClaim lists the claims of all experiments.
func everyClaim() []claim.Claim {
	return slices.Concat(limits.Claims(), mupc.Claims(), jpc.Claims(), newcomers.Claims(), thesis.Claims(), pem.Claims(), saddles.Claims(), trustregion.Claims(), icl.Claims())
}

// chosen are the claims that names stand for: an ID, or a folder for all of its claims.
func chosen(names []string) ([]claim.Claim, error) {
	var list []claim.Claim
	for _, name := range names {
		found := false
		for _, c := range everyClaim() {
			if c.ID == name || strings.HasPrefix(c.ID, strings.TrimSuffix(name, "/")+"/") {
				found = true
				if !slices.ContainsFunc(list, func(l claim.Claim) bool { return l.ID == c.ID }) {
					list = append(list, c)
				}
			}
		}
		if !found {
			return nil, errors.Errorf("unknown claim %q: \"demo claims\" lists them", name)
		}
	}
	return list, nil
}

// ListCmd lists the claims.
type ListCmd struct {
	Long  bool   `help:"With statement, the paper's figures and ours."`
	Write string `placeholder:"DIR" help:"Write CLAIMS.md and figures/ there, from the record of the full runs, instead of listing."`
}

// A recorded claim is a claim with what its record says.
type recorded struct {
	claim.Claim
	table   *claim.Table // nil if nothing is recorded
	outcome claim.Outcome
}

// recordedClaims reads the record.
func recordedClaims(claims []claim.Claim) ([]recorded, error) {
	var list []recorded
	for _, c := range claims {
		r := recorded{Claim: c}
		t, err := record.Table(c.Grid)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return nil, err
		case !t.Complete(): // cells that are missing may be those that decide: the figures are shown, the verdict is the tests'
			r.table = &t
			r.outcome.Verdict = c.Verdict
			r.outcome.Ours, _ = c.Check(t)
		default:
			r.table = &t
			if r.outcome, err = c.Judge(t); err != nil {
				return nil, err
			}
		}
		list = append(list, r)
	}
	return list, nil
}

// verdict is the outcome in words; without a record, the one that the tests hold.
func (r recorded) verdict() string {
	if r.table == nil {
		return r.Verdict.String()
	}
	return r.outcome.Verdict.String()
}

// care is the claim's, with the numbers of its record.
func (r recorded) care() string {
	if r.table == nil {
		return r.Cared(claim.Table{})
	}
	return r.Cared(*r.table)
}

// bounds are the claim's, a line each.
func bounds(c claim.Claim) []labelled {
	var list []labelled
	for _, b := range c.Bounds {
		list = append(list, labelled{"bound", b.String()})
	}
	if c.Shuffled != "" {
		list = append(list, labelled{"note", unshuffled(c)})
	}
	return list
}

// unshuffled says why a claim is not tried on shuffled results.
func unshuffled(c claim.Claim) string {
	return "not tested by shuffling results among the cells: " + c.Shuffled
}

// measured says what the verdict rests on.
func (r recorded) measured() string {
	if r.table == nil {
		return "quick, by the tests"
	}
	if !r.table.Complete() {
		return fmt.Sprintf("quick, by the tests; %s %d of %d cells so far", r.table.Scale, len(r.table.Results), r.table.Cells)
	}
	return r.table.Scale.String()
}

// cells says how many cells were measured, with how many seeds.
func (r recorded) cells() string {
	words := fmt.Sprint(len(r.table.Results))
	switch least, most := r.table.Seeds(); {
	case most == 0:
	case least < most:
		words += fmt.Sprintf(", of each %d to %d seeds", least, most)
	case most == 1:
		words += ", of each one seed"
	default:
		words += fmt.Sprintf(", of each %d seeds", most)
	}
	return words
}

// took is the time of the measurements, on one core as a rule.
func (r recorded) took() string {
	if r.table == nil {
		return "-"
	}
	return Duration(r.table.Seconds())
}

// Duration writes seconds for people.
func Duration(seconds float64) string {
	switch {
	case seconds < 9.95:
		return fmt.Sprintf("%.1f s", seconds)
	case seconds < 120:
		return fmt.Sprintf("%.0f s", seconds)
	case seconds < 7200:
		return fmt.Sprintf("%.0f min", seconds/60)
	}
	return fmt.Sprintf("%.1f h", seconds/3600)
}

// Run lists or writes.
func (cmd ListCmd) Run(c *cli.Console) error {
	claims, err := recordedClaims(everyClaim())
	if err != nil {
		return err
	}
	if cmd.Write != "" {
		return writeClaims(c, cmd.Write, claims)
	}
	w := tabwriter.NewWriter(c.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "CLAIM\tVERDICT\tMEASURED\tTIME\n")
	for _, r := range claims {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", r.ID, r.verdict(), r.measured(), r.took())
		if cmd.Long {
			w.Flush()
			explain(c, []labelled{{"", r.Statement}, {"source", r.Source}, {"paper", r.Paper}, {"here", r.outcome.Ours}, {"care", r.care()}, {"off", r.outcome.Reason}})
			explain(c, bounds(r.Claim))
			c.Printf("\n")
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	c.Printf("\n%s\n", countClaims(claims))
	for _, v := range claim.Verdicts {
		c.Printf("  %-19s %s.\n", v.String()+":", v.Meaning())
	}
	c.Printf("Every bound has a source, which \"demo claims -long\" and docs/CLAIMS.md print; for each claim that does not hold as it stands they say what was found.\n")
	c.Printf("\n\"demo run ID\" measures a claim, with -full as it is recorded here; \"demo verify\" measures all quickly.\n")
	return nil
}

// A labelled text is one with a word in front.
type labelled struct{ name, text string }

// explain prints what is not empty.
func explain(c *cli.Console, texts []labelled) {
	for _, t := range texts {
		if t.text != "" {
			c.Printf("    %-7s%s\n", t.name, t.text)
		}
	}
}

// measure measures claims, showing the progress, and returns a table for each; what went wrong with single cells is the error.
func measure(c *cli.Console, f cli.CellFlags, s claim.Scale, claims []claim.Claim) ([]claim.Table, error) {
	r, end, err := f.Runner(c)
	if err != nil {
		return nil, err
	}
	defer end()
	return r.Run(c.Context, s, claims...)
}

// RunCmd measures claims.
type RunCmd struct {
	ID   []string `arg:"" name:"ID" help:"Claims, or folders such as limits for all in it." json:"claims"`
	Full bool     `help:"At full scale: minutes to hours. An interrupted run goes on where it was." json:"full"`
	cli.FolderFlags
	Record string `placeholder:"DIR" help:"Also write the tables there, as experiments/record has them." json:"-"`
	cli.CellFlags
	cli.LiveFlags
}

// Validate is called by kong.
func (cmd RunCmd) Validate() error {
	_, err := chosen(cmd.ID)
	return cli.First(err, cmd.Check())
}

func (cmd RunCmd) scale() claim.Scale {
	if cmd.Full {
		return claim.Full
	}
	return claim.Quick
}

// Run measures, judges, draws, and writes a folder.
func (cmd RunCmd) Run(c *cli.Console) error {
	claims, err := chosen(cmd.ID)
	if err != nil {
		return err
	}
	return c.Run("claims", cmd, func(r *cli.RunDir) error { return cmd.judge(c, claims, r) })
}

// judge measures, judges and draws claims.
func (cmd RunCmd) judge(c *cli.Console, claims []claim.Claim, out *cli.RunDir) error {
	m := out.Manifest
	tables, failed := measure(c, cmd.CellFlags, cmd.scale(), claims)
	if len(tables) != len(claims) { // nothing could be begun
		return errors.WithMessage(failed, "claims (give another folder with -cache, or -cache= for none)")
	}
	out.Page = report.Page{Title: "Claims: " + strings.Join(cmd.ID, ", "),
		Lead: fmt.Sprintf("%d claims, measured at %s scale.", len(claims), cmd.scale())}
	r := &out.Page
	verdicts := report.Table{Title: "Verdicts", Wide: true, Head: []string{"claim", "verdict", "here", "paper"}}
	shown := map[string]bool{}
	for i, cl := range claims {
		t := tables[i]
		if len(t.Results) == 0 {
			continue
		}
		if !shown[t.Experiment] {
			shown[t.Experiment] = true
			if err := cmd.keep(c, out.Folder, t, cl, r); err != nil {
				return err
			}
			m.Seconds[t.Experiment] = t.Seconds()
		}
		if !t.Complete() {
			partly := fmt.Sprintf("%d of %d cells", len(t.Results), t.Cells)
			if cmd.Shard != "" {
				partly += ": the verdict needs those of all parts, in one folder (demo merge) or in a shared one"
			}
			c.Printf("\n%s: %s\n", cl.ID, partly)
			verdicts.Rows = append(verdicts.Rows, []string{cl.ID, partly, "", cl.Paper})
			continue
		}
		outcome, err := cl.Judge(t)
		if err != nil {
			return err
		}
		m.Results[cl.ID] = outcome
		verdicts.Rows = append(verdicts.Rows, []string{cl.ID, outcome.Verdict.String(), outcome.Ours, cl.Paper})
		c.Printf("\n%s: %s\n", cl.ID, outcome.Verdict)
		explain(c, []labelled{{"", cl.Statement}, {"paper", cl.Paper}, {"here", outcome.Ours}, {"care", cl.Cared(t)}, {"off", outcome.Reason}})
		c.Printf("    (%s: %s)\n", outcome.Verdict, outcome.Verdict.Meaning())
		if cl.Plot == nil {
			continue
		}
		for _, f := range cl.Plot(t) {
			r.Figures = append(r.Figures, report.Figure{File: f.Name + ".png", Title: cl.Statement, Caption: f.Caption, Draw: Illustration(f)})
		}
	}
	r.Tables = append([]report.Table{verdicts}, r.Tables...)
	err := out.Report()
	if errors.Is(err, cli.ErrInterrupted) {
		c.Printf("The same command goes on where it was.\n")
	}
	return cli.First(err, failed)
}

// keep writes a table in all its forms.
func (cmd RunCmd) keep(c *cli.Console, out *cli.Folder, t claim.Table, cl claim.Claim, r *report.Page) error {
	for _, cell := range t.Results {
		if err := out.Line(map[string]any{"experiment": t.Experiment, "cell": cell}); err != nil {
			return err
		}
	}
	text, err := t.Text()
	if err != nil {
		return err
	}
	r.Tables = append(r.Tables, report.Table{Title: fmt.Sprintf("%s: %d cells, %s", t.Experiment, len(t.Results), Duration(t.Seconds())),
		Note: text.Note, Head: text.Head, Rows: text.Rows})
	if cmd.Record == "" {
		return nil
	}
	return RecordTable(c, cmd.Record, cl.Grid, t)
}

// VerifyCmd measures all claims quickly.
type VerifyCmd struct {
	Cores int `default:"0" help:"Cores to use; 0: all."`
}

// Validate is called by kong.
func (cmd VerifyCmd) Validate() error { return cli.Count("cores", cmd.Cores, 0) }

// Run fails if a claim does not come out as recorded.
func (cmd VerifyCmd) Run(c *cli.Console) error { return cmd.verify(c, everyClaim()) }

func (cmd VerifyCmd) verify(c *cli.Console, claims []claim.Claim) error {
	start := time.Now()
	tables, err := measure(c, cli.CellFlags{Cores: cmd.Cores}, claim.Quick, claims)
	if c.Context.Err() != nil {
		return cli.ErrInterrupted
	}
	if err != nil {
		return err
	}
	var other []string
	for i, cl := range claims {
		outcome, err := cl.Judge(tables[i])
		if err != nil {
			return err
		}
		sign := "ok  "
		if outcome.Verdict != cl.Verdict {
			sign = "NEWS"
			other = append(other, cl.ID)
		}
		c.Printf("%s  %-52s %s\n", sign, cl.ID, outcome.Verdict)
		if outcome.Verdict != cl.Verdict {
			c.Printf("      recorded: %s\n      %s\n      %s\n", cl.Verdict, cl.Statement, outcome.Reason)
		}
	}
	c.Printf("%d claims in %s\n", len(claims), Duration(time.Since(start).Seconds()))
	if len(other) > 0 {
		return errors.Errorf("%d claims do not come out as recorded: %s", len(other), strings.Join(other, ", "))
	}
	return nil
}

// MergeCmd puts the cells of several folders into one.
type MergeCmd struct {
	From []string `arg:"" name:"DIR" help:"Folders of cells (-cache) of other machines or parts."`
	Into string   `default:"runs/cells" placeholder:"DIR" help:"Folder to copy to; \"demo run\" and \"demo benchmark\" with it as -cache make the tables."`
}

// Run copies what is whole, and nothing if anything is not.
func (cmd MergeCmd) Run(c *cli.Console) error {
	copied, there, err := claim.Merge(cmd.Into, cmd.From...)
	if err != nil {
		return err
	}
	c.Printf("%d cells copied to %s, where %d were already.\n", copied, cmd.Into, there)
	return nil
}
