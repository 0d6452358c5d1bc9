package claims

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/experiments/claim"
	"github.com/pcgraph/pcgraph/experiments/record"
)

// RecordTable writes a table where experiments/record has it, unless there is one with more cells: an interrupted run does
// not take the place of one that was not.
func RecordTable(c *cli.Console, dir string, e claim.Experiment, t claim.Table) error {
	path := filepath.Join(dir, filepath.FromSlash(record.Path(e, t.Scale)))
	if old, err := os.Open(path); err == nil {
		known, err := claim.ReadTable(old)
		old.Close()
		if err == nil && known.Fits(e) == nil && len(known.Results) > len(t.Results) {
			c.Printf("%s stays as it is: it has %d cells, this run %d.\n", path, len(known.Results), len(t.Results))
			return nil
		}
	}
	f, err := cli.PlainFolder(filepath.Dir(path))
	if err != nil {
		return err
	}
	return f.Write(filepath.Base(path), t.Write)
}

// writeClaims writes CLAIMS.md and its pictures.
func writeClaims(c *cli.Console, dir string, claims []recorded) error {
	docs, err := cli.PlainFolder(dir)
	if err != nil {
		return err
	}
	pictures, err := cli.PlainFolder(filepath.Join(dir, "figures"))
	if err != nil {
		return err
	}
	figures := make(map[string][]claim.Figure)
	for _, r := range claims {
		if r.table == nil || r.Plot == nil {
			continue
		}
		figures[r.ID] = r.Plot(*r.table)
		for _, f := range figures[r.ID] {
			if c.Context.Err() != nil {
				return cli.ErrInterrupted
			}
			if err := WritePicture(pictures, f); err != nil {
				return err
			}
		}
	}
	if err := docs.Write("CLAIMS.md", func(w io.Writer) error {
		_, err := io.WriteString(w, claimsPage(claims, figures))
		return err
	}); err != nil {
		return err
	}
	c.Printf("%d claims in %s\n", len(claims), docs.Path("CLAIMS.md"))
	return nil
}

// WritePicture writes a figure as a PNG.
func WritePicture(into *cli.Folder, f claim.Figure) error {
	picture, err := Illustration(f)()
	if err != nil {
		return errors.Wrapf(err, "draw %s", f.Name)
	}
	return into.Write(f.Name+".png", func(w io.Writer) error {
		_, err := picture.WriteTo(w)
		return err
	})
}

const claimsIntro = `# Claims

The sentences of the papers that are checked here: what each says, whether it holds, the paper's figures beside ours. This page
is written by ` + "`go generate ./experiments/...`" + ` from the record of the full runs in [experiments/record](../experiments/record); do not
edit it.

    go run ./cmd/demo claims -long         # this page on a terminal
    go run ./cmd/demo verify               # all claims at quick scale, as the tests do: minutes
    go run ./cmd/demo run ID -full         # one claim as it is recorded here; goes on where it was interrupted

"Independent program" stands for values computed in numpy or JAX by formulas of this
project's own, not by its code. Times are the sums over all cells, most of which use one core, on a machine that was busy with other work:
an idle one takes a fraction. An estimate is the mean over
seeds ± its standard error (number of seeds); a 95 % interval is Student's, of so many seeds less one degrees of freedom.

`

// claimsMeaning says what verdicts and bounds are.
func claimsMeaning() string {
	var b strings.Builder
	for _, v := range claim.Verdicts {
		fmt.Fprintf(&b, "* *%s*: %s.\n", v, v.Meaning())
	}
	b.WriteString(`
Every claim names what its measurements are held against, and where each such bound comes from: the paper's own figures, an
independent program, a derivation, or us; of ours, whether it was set before the experiment was measured in full, with the commit, or
set or moved after it, with the reason. The tests shuffle the results of a record among its cells, up to 200 times: a claim whose
verdict survives more than 5 % of that does not depend on what was measured where, and fails, unless it says why a shuffle is no test
of it.

`)
	return b.String()
}

// claimsPage is the text of CLAIMS.md.
func claimsPage(claims []recorded, figures map[string][]claim.Figure) string {
	var b strings.Builder
	b.WriteString(claimsIntro)
	b.WriteString(claimsMeaning())
	b.WriteString(countClaims(claims) + "\n\n")
	b.WriteString("| claim | verdict | measured | time |\n|---|---|---|---|\n")
	for _, r := range claims {
		fmt.Fprintf(&b, "| [%s](#%s) | %s | %s | %s |\n", r.ID, anchor(r.ID), r.verdict(), r.measured(), r.took())
	}
	folder := ""
	for _, r := range claims {
		if f, _, _ := strings.Cut(r.ID, "/"); f != folder {
			folder = f
			fmt.Fprintf(&b, "\n## %s\n", folder)
		}
		fmt.Fprintf(&b, "\n### %s\n\n%s\n\n", r.ID, r.Statement)
		fmt.Fprintf(&b, "**%s%s** (%s)\n\n", strings.ToUpper(r.verdict()[:1]), r.verdict()[1:], r.measured())
		if care := r.care(); care != "" {
			fmt.Fprintf(&b, "%s\n\n", care)
		}
		if r.outcome.Reason != "" {
			fmt.Fprintf(&b, "What is off: %s.\n\n", strings.TrimSuffix(r.outcome.Reason, "."))
		}
		fmt.Fprintf(&b, "| | |\n|---|---|\n| source | %s |\n| paper | %s |\n", cell(r.Source), cell(r.Paper))
		if r.table != nil {
			fmt.Fprintf(&b, "| here | %s |\n", cell(r.outcome.Ours))
		}
		for _, bound := range r.Bounds {
			fmt.Fprintf(&b, "| bound | %s |\n", cell(bound.String()))
		}
		if r.Shuffled != "" {
			fmt.Fprintf(&b, "| note | %s |\n", cell(unshuffled(r.Claim)))
		}
		if r.table != nil {
			fmt.Fprintf(&b, "| cells | %s |\n", r.cells())
		}
		fmt.Fprintf(&b, "| command | `demo run %s -full` |\n| time | %s |\n", r.ID, r.took())
		for _, f := range figures[r.ID] {
			fmt.Fprintf(&b, "\n![%s](figures/%s.png)\n\n%s\n", cell(f.Panels[0].Title), f.Name, f.Caption)
		}
	}
	return b.String()
}

// countClaims says how the claims came out.
func countClaims(claims []recorded) string {
	verdicts := map[claim.Verdict]int{}
	full := 0
	for _, r := range claims {
		v := r.Verdict
		if r.table != nil {
			v = r.outcome.Verdict
		}
		verdicts[v]++
		if r.table != nil && r.table.Complete() {
			full++
		}
	}
	return fmt.Sprintf("Of %d claims %d hold, %d hold with care, %d do not hold here, %d open; %d are measured in full.",
		len(claims), verdicts[claim.Holds], verdicts[claim.WithCare], verdicts[claim.Fails], verdicts[claim.Open], full)
}

// cell is text that a Markdown table can hold.
func cell(s string) string { return strings.ReplaceAll(strings.ReplaceAll(s, "|", "\\|"), "\n", " ") }

// anchor is the name that Markdown gives to a heading.
func anchor(heading string) string { return strings.ReplaceAll(heading, "/", "") }

// readClaims is CLAIMS.md as it is.
func readClaims(dir string) (string, error) {
	text, err := os.ReadFile(filepath.Join(dir, "CLAIMS.md"))
	return string(text), errors.Wrap(err, "claims")
}
