package main

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
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/train"
)

// children are what a process can be measured at, by the value of -child.
var children = map[string]func(benchCmd, *cli.Console) error{
	"made":   benchCmd.firstMadeStep,
	"mnist":  func(cmd benchCmd, c *cli.Console) error { return cmd.trainMNIST(c, 1, false) },
	"memory": func(cmd benchCmd, c *cli.Console) error { return cmd.trainMNIST(c, cmd.memorySteps(), true) },
}

// child is the measured process: it prints its peak memory when it has done what it is there for.
func (cmd benchCmd) child(c *cli.Console) error {
	do, ok := children[cmd.Child]
	if !ok {
		return errors.Errorf("no process %q to measure", cmd.Child)
	}
	if err := do(cmd, c); err != nil {
		return err
	}
	c.Printf("%d\n", peakMemory())
	return nil
}

// childNet is the network that processes train.
func (cmd benchCmd) childNet() stepNet { return (&benchRun{benchCmd: cmd}).stepNets()[0] }

// memorySteps is how many steps the process makes whose memory is measured: the peak has long been reached.
func (cmd benchCmd) memorySteps() int {
	if cmd.Quick {
		return 2
	}
	return 300
}

// childSteps is the length of inference in them.
const childSteps = 20

// firstMadeStep makes one training step on made data.
func (cmd benchCmd) firstMadeStep(*cli.Console) error {
	s, err := cmd.childNet().bench(childSteps, runtime.GOMAXPROCS(0))
	if err != nil {
		return err
	}
	return s.step()
}

// trainMNIST reads MNIST and makes training steps, then may evaluate.
func (cmd benchCmd) trainMNIST(c *cli.Console, steps int, evaluate bool) error {
	training, test, err := data.MNIST{}.Load()
	if err != nil {
		return err
	}
	if !evaluate {
		test = nil
	}
	net, err := arch.MLP(arch.SP{}, layers.ReLU, 784, 300, 300, 300, 10)
	if err != nil {
		return err
	}
	w, err := cli.NewWeights[float32](net, benchSeed)
	if err != nil {
		return err
	}
	m, err := arch.Compile(net, w, arch.Plan{Batch: 64})
	if err != nil {
		return err
	}
	t := train.Trainer[float32]{
		Rule:      &train.PC[float32]{Model: m, Solver: cli.Descent[float32](.05), Stop: infer.Steps(childSteps)},
		Optimizer: &optim.Adam[float32]{Rate: 1e-3},
		Train:     training, Test: test, Batch: 64, Epochs: 1, MaxSteps: steps, Seed: benchSeed,
	}
	_, err = t.Run(c.Context)
	return err
}

// process runs this program as a child and gives the time from before its start until it says that it is done, and its
// peak memory.
func (b *benchRun) process(child string) (seconds, megabytes float64, err error) {
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
func (b *benchRun) startRows() error {
	for _, child := range []struct{ name, process string }{{"made data", "made"}, {"MNIST read", "mnist"}} {
		if child.process == "mnist" {
			if err := hasMNIST(); err != nil {
				return err
			}
		}
		row, err := b.row("start", child.name)
		if err != nil {
			return err
		}
		var seconds, memory []float64
		for range b.Repeats {
			s, m, err := b.process(child.process)
			if err != nil {
				return err
			}
			seconds, memory = append(seconds, s), append(memory, m)
		}
		row.add("to the first finished step", "s", seconds...)
		row.add("peak memory", "MB", memory...)
		b.done(row)
	}
	return nil
}

// memoryRows measures the bytes of networks and the peak memory of a process that trains on MNIST.
func (b *benchRun) memoryRows() error {
	for _, d := range b.energyNets() {
		row, err := b.row("memory", d.String())
		if err != nil {
			return err
		}
		bench, err := d.bench(b.cores)
		if err != nil {
			return err
		}
		b.bytesOf(row, bench.model)
		b.done(row)
	}
	for _, n := range b.stepNets() {
		row, err := b.row("memory", n.String())
		if err != nil {
			return err
		}
		bench, err := n.bench(childSteps, b.cores)
		if err != nil {
			return err
		}
		b.bytesOf(row, bench.rule.(*train.PC[float32]).Model)
		b.done(row)
	}
	if err := hasMNIST(); err != nil {
		return err
	}
	row, err := b.row("memory", "MNIST training")
	if err != nil {
		return err
	}
	_, megabytes, err := b.process("memory")
	if err != nil {
		return err
	}
	row.add("peak memory of the process", "MB", megabytes)
	b.done(row)
	return nil
}

// bytesOf adds what a model's memory is made of.
func (b *benchRun) bytesOf(row *benchRow, m *arch.Model[float32]) {
	row.add("weights", "MB", 4*float64(len(m.Weights().Data()))/1e6)
	row.add("activities", "MB", 4*float64(len(m.State()))/1e6)
	row.add("model, beside the weights", "MB", float64(m.Bytes())/1e6)
}

// peakMemory is the most memory that this process has had, as the system counts it where it tells (Linux), or else what
// the Go runtime has taken from the system.
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
