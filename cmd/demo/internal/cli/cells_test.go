package cli

import (
	"strings"
	"testing"

	"github.com/pcgraph/pcgraph/experiments/claim"
)

// TestCellFlags_ShardOfTheEnvironment: what Slurm and Kubernetes say of a task.
func TestCellFlags_ShardOfTheEnvironment(t *testing.T) {
	slurm := map[string]string{"SLURM_ARRAY_TASK_ID": "14", "SLURM_ARRAY_TASK_COUNT": "4", "SLURM_ARRAY_TASK_MIN": "10", "SLURM_ARRAY_TASK_STEP": "2"}
	for _, test := range []struct {
		flag   string
		shared bool
		env    map[string]string
		want   claim.Shard
		from   string
		fails  string
	}{
		{"", false, nil, claim.Shard{}, "", ""},
		{"2/5", false, nil, claim.Shard{Index: 2, Of: 5}, "", ""},
		{"2/5", false, slurm, claim.Shard{Index: 2, Of: 5}, "", ""},
		{"", false, slurm, claim.Shard{Index: 2, Of: 4}, "SLURM_ARRAY_TASK_ID", ""},
		{"", true, slurm, claim.Shard{}, "", ""}, // leases divide the cells
		{"/8", false, slurm, claim.Shard{Index: 2, Of: 8}, "SLURM_ARRAY_TASK_ID", ""},
		{"", false, map[string]string{"JOB_COMPLETION_INDEX": "3"}, claim.Shard{}, "", ""}, // Kubernetes does not say of how many
		{"/8", false, map[string]string{"JOB_COMPLETION_INDEX": "3"}, claim.Shard{Index: 3, Of: 8}, "JOB_COMPLETION_INDEX", ""},
		{"/2", false, map[string]string{"JOB_COMPLETION_INDEX": "3"}, claim.Shard{}, "JOB_COMPLETION_INDEX", "from JOB_COMPLETION_INDEX"},
		{"/8", false, nil, claim.Shard{}, "", "neither is set"},
		{"5/5", false, nil, claim.Shard{}, "", "i/n"},
		{"/8", false, map[string]string{"SLURM_ARRAY_TASK_ID": "x"}, claim.Shard{}, "SLURM_ARRAY_TASK_ID", "whole numbers"},
	} {
		for _, name := range []string{"SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT", "SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_STEP", "JOB_COMPLETION_INDEX"} {
			t.Setenv(name, test.env[name])
		}
		got, from, err := CellFlags{Shard: test.flag, Shared: test.shared}.shard()
		if test.fails != "" {
			if err == nil || !strings.Contains(err.Error(), test.fails) {
				t.Errorf("-shard %q, %v: error %v, want %q", test.flag, test.env, err, test.fails)
			}
			continue
		}
		if err != nil || got != test.want || from != test.from {
			t.Errorf("-shard %q, shared %v, %v: %v from %q, error %v", test.flag, test.shared, test.env, got, from, err)
		}
	}
	if err := (CellFlags{Shared: true}).Check(); err == nil {
		t.Error("cells were shared without a folder")
	}
}
