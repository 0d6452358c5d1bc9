package bench

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/train"
)

// child is the measured process: it prints its peak memory when it has done what -child names.
func (cmd Cmd) child(c *cli.Console) (err error) {
	child, dir, _ := strings.Cut(cmd.Child, "=")
	switch child {
	case "made": // one training step on random data
		err = cmd.madeStep()
	case "mnist": // one training step on MNIST
		err = trainMNIST(c.Context, 1, false)
	case "memory": // so many that the peak of memory has long been reached
		steps := 300
		if cmd.Quick {
			steps = 2
		}
		err = trainMNIST(c.Context, steps, true)
	case "separate", "stream": // of the mixtures in a folder
		err = separateIn(c, child, dir)
	default:
		err = errors.Errorf("no process %q to measure", cmd.Child)
	}
	if err == nil {
		c.Printf("%d\n", peakMemory())
	}
	return err
}

// madeStep makes one training step on random data.
func (cmd Cmd) madeStep() error {
	nets, err := (&run{Cmd: cmd}).stepNets()
	if err != nil {
		return err
	}
	s, err := nets[0].stepper(inferenceSteps, runtime.GOMAXPROCS(0))
	if err != nil {
		return err
	}
	return s.step()
}

// trainMNIST reads MNIST and makes training steps, then may evaluate.
func trainMNIST(ctx context.Context, steps int, evaluate bool) error {
	training, test, err := data.MNIST{}.Load()
	if err != nil {
		return err
	}
	if !evaluate {
		test = nil
	}
	nets, err := new(run).stepNets()
	if err != nil {
		return err
	}
	s, err := nets[0].stepper(inferenceSteps, runtime.GOMAXPROCS(0))
	if err != nil {
		return err
	}
	t := train.Trainer[float32]{Rule: s.rule, Optimizer: s.update.Optimizer, Train: training, Test: test, Batch: nets[0].batch, Epochs: 1, MaxSteps: steps, Seed: benchSeed}
	_, err = t.Run(ctx)
	return err
}

// process runs this program as a child and gives the time from before its start until it says that it is done, and its peak memory.
func (b *run) process(child string) (seconds, megabytes float64, err error) {
	self, err := os.Executable()
	if err != nil {
		return 0, 0, errors.Wrap(err, "find this program, to measure it as a process")
	}
	args := []string{"bench", "--child=" + child}
	if b.Quick {
		args = append(args, "--quick")
	}
	ctx, cancel := context.WithTimeout(b.console.Context, 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Env = append(os.Environ(), "GOMAXPROCS="+strconv.Itoa(b.cores))
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, 0, errors.Wrap(err, "measured process")
	}
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, 0, errors.Wrap(err, "measured process")
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	seconds = time.Since(start).Seconds()
	if err := cmd.Wait(); err != nil {
		return 0, 0, errors.Errorf("measured process: %v: %s", err, complaint.String())
	}
	bytes, err := strconv.ParseFloat(strings.TrimSpace(line), 64)
	return seconds, bytes / 1e6, errors.Wrap(err, "measured process")
}

// hasMNIST is an error if it is not here: children could not say so.
func hasMNIST() error {
	for _, at := range data.Locate(data.Dirs{}) {
		if at.Name == "MNIST" {
			return at.Err
		}
	}
	return nil
}

// startRows measures the time from the start of a process to the end of its first training step.
func (b *run) startRows() error {
	measure := func(child string) func(*Row) error {
		return func(r *Row) error {
			var seconds, memory []float64
			for range b.Repeats {
				s, m, err := b.process(child)
				if err != nil {
					return err
				}
				seconds, memory = append(seconds, s), append(memory, m)
			}
			r.add("to the first finished step", "s", seconds...)
			r.add("peak memory", "MB", memory...)
			return nil
		}
	}
	if err := b.row("start", "made data", measure("made")); err != nil {
		return err
	}
	if err := hasMNIST(); err != nil {
		return err
	}
	return b.row("start", "MNIST read", measure("mnist"))
}

// memoryRows measures the bytes of networks and the peak memory of a process that trains on MNIST.
func (b *run) memoryRows() error {
	nets, err := b.stepNets()
	if err != nil {
		return err
	}
	var all []network
	for _, d := range b.deepNets() {
		n, err := d.network()
		if err != nil {
			return err
		}
		all = append(all, n)
	}
	for _, n := range append(all, nets...) {
		if err := b.row("memory", n.name, func(r *Row) error {
			c, err := n.compile(arch.Activities, b.cores)
			if err == nil {
				r.addBytes(c.model)
			}
			return err
		}); err != nil {
			return err
		}
	}
	if err := hasMNIST(); err != nil {
		return err
	}
	return b.row("memory", "MNIST training", func(r *Row) error {
		_, megabytes, err := b.process("memory")
		if err == nil {
			r.add("peak memory of the process", "MB", megabytes)
		}
		return err
	})
}

// peakMemory is the most memory that this process has had, as the system counts it where it tells (Linux), or else what the Go runtime
// has taken from the system.
func peakMemory() uint64 {
	text, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(text)) {
		var kilobytes uint64
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kilobytes); n == 1 {
			return kilobytes << 10
		}
	}
	var taken runtime.MemStats
	runtime.ReadMemStats(&taken)
	return taken.Sys
}
