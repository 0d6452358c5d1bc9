package cli

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/experiments/claim"
	"github.com/pcgraph/pcgraph/internal/buildinfo"
	"github.com/pcgraph/pcgraph/report"
)

// CellFlags say how the cells of grids are measured, and by which process.
type CellFlags struct {
	Cache  string `default:"runs/cells" placeholder:"DIR" help:"Where the results of single cells are kept, and found by the next run; empty keeps nothing." json:"cache"`
	Cores  int    `default:"0" help:"Cores to use; 0: all." json:"cores"`
	Shard  string `placeholder:"I/N" help:"Measure one of N parts of the cells, I from 0 on. \"/N\" takes I from JOB_COMPLETION_INDEX (Kubernetes) or SLURM_ARRAY_TASK_ID; within a Slurm array the default is the task's part. \"demo merge\" puts folders together." json:"shard,omitempty"`
	Shared bool   `help:"Divide the cells among all processes that run with the same -cache, also on other machines that see the folder: a process that dies loses only its cell." json:"shared,omitempty"`
}

// Check reports flags that cannot be.
func (f CellFlags) Check() error {
	if f.Shared && f.Cache == "" {
		return errors.New("-shared divides cells through the folder of -cache: name one that all processes see")
	}
	_, _, err := f.shard()
	return First(err, Count("cores", f.Cores, 0))
}

// shard is the part of this process, and where its number comes from if it is not the flag alone.
func (f CellFlags) shard() (s claim.Shard, from string, err error) {
	index, of := "", ""
	for _, name := range []string{"SLURM_ARRAY_TASK_ID", "JOB_COMPLETION_INDEX"} {
		if v := os.Getenv(name); v != "" {
			index, from = v, name
			break
		}
	}
	switch i, n, _ := strings.Cut(f.Shard, "/"); {
	case f.Shard != "" && i != "":
		s, err = claim.ParseShard(f.Shard)
		return s, "", errors.WithMessage(err, "-shard")
	case f.Shard != "":
		of = n
		if index == "" {
			return s, "", errors.Errorf("-shard %s takes the number of the part from SLURM_ARRAY_TASK_ID or JOB_COMPLETION_INDEX, and neither is set: give -shard I%s", f.Shard, f.Shard)
		}
	case from == "SLURM_ARRAY_TASK_ID" && os.Getenv("SLURM_ARRAY_TASK_COUNT") != "" && !f.Shared:
		of = os.Getenv("SLURM_ARRAY_TASK_COUNT")
	default:
		return s, "", nil
	}
	if from == "SLURM_ARRAY_TASK_ID" { // an array may begin at any number, in steps
		id, err1 := strconv.Atoi(index)
		least, err2 := strconv.Atoi(orElse(os.Getenv("SLURM_ARRAY_TASK_MIN"), "0"))
		step, err3 := strconv.Atoi(orElse(os.Getenv("SLURM_ARRAY_TASK_STEP"), "1"))
		if First(err1, err2, err3) != nil || step < 1 || id < least {
			return s, "", errors.Errorf("-shard: SLURM_ARRAY_TASK_ID %q, _MIN %q, _STEP %q: want whole numbers", index, os.Getenv("SLURM_ARRAY_TASK_MIN"), os.Getenv("SLURM_ARRAY_TASK_STEP"))
		}
		index = strconv.Itoa((id - least) / step)
	}
	s, err = claim.ParseShard(index + "/" + of)
	return s, from, errors.WithMessage(err, "-shard, with the number from "+from)
}

func orElse(s, usual string) string {
	if s == "" {
		return usual
	}
	return s
}

// Runner measures cells with progress on the console. The second function ends the progress.
func (f CellFlags) Runner(c *Console) (*claim.Runner, func(), error) {
	shard, from, err := f.shard()
	if err != nil {
		return nil, nil, err
	}
	if from != "" {
		c.Printf("part %s of the cells, by %s\n", shard, from)
	}
	var bar *report.Progress
	var found float64 // the share of the work that an earlier run did: the time left is estimated from the rest
	step := func(p claim.Progress) {
		if bar == nil {
			c.Printf("%d cells, %d of them kept by an earlier run\n", p.Cells, p.Found)
			bar, found = c.Progress("cells, %", ""), p.Fraction
		}
		if percent := 100 * (p.Fraction - found) / (1 - found); percent >= 1 {
			bar.Step(min(int(percent), 100), 100, func() string { return fmt.Sprintf("%d/%d cells", p.Done, p.Cells) })
		}
	}
	version := buildinfo.Version
	if r := buildinfo.Revision(); r != "" {
		version += " (" + r + ")"
	}
	return &claim.Runner{Dir: f.Cache, Cores: f.Cores, Shard: shard, Shared: f.Shared, Version: version, Progress: step,
			Warn: func(err error) { fmt.Fprintf(c.Errs, "demo: %v\n", err) }}, func() {
			if bar != nil {
				bar.End()
			}
		}, nil
}
