package train

import (
	"encoding"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/graph/safetensors"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/internal/atomicfile"
	"github.com/pcgraph/pcgraph/internal/buildinfo"
	"github.com/pcgraph/pcgraph/internal/jsonfloat"
	"github.com/pcgraph/pcgraph/internal/kernel"
	"github.com/pcgraph/pcgraph/internal/lockfile"
	"github.com/pcgraph/pcgraph/optim"
)

// A Checkpoint keeps a training on disk, so that one that was interrupted, or killed, goes on where it was: with the same
// weights to the last bit, the same History (times apart) and the same order of the data as without the interruption.
//
// If the file is there, Trainer.Run goes on from it; a finished training returns its History at once, and one that is given
// more Epochs or Steps than it had goes on. If it is not there, training begins. A file that is damaged, or of a training
// with another rule, network, optimiser, schedule, data, batch or seed, is an error that says so, never a fresh start: remove the file,
// or name another one. The data are known by data.Set.Sum, so a single number that has changed is another training. The file
// is written before the first step, which finds out at once whether it can be, and then as Every says; it is replaced in one
// step, so there is always a whole one.
//
// While Run goes, File.lock is locked: a second Run with the same file, of this process or of another one, is an error that
// says who has it. The lock of a process that has ended, however it ended, is taken over, and so is what it left half written.
//
// It is a safetensors file: weights/NAME, optimizer/SLOT/NAME (see optim.State), average/NAME and best/NAME of a WeightAverage and an
// EarlyStop, state (JSON) and own. A training is kept if
// its optimiser is optim.Stateful and its rule says what it remembers (see Rule). The rate of an optimiser that is an
// optim.Rater is kept as OnStep has left it, unless there is a Schedule. A schedule is over the number of steps, so a training with
// one cannot be given more of them later.
type Checkpoint struct {
	File  string // "" keeps nothing
	Every int    // steps from one writing to the next; 0: at the start and the end only, which may be that of the context

	// Interval is the time after which the next step writes the file, whatever Every says; 0: no such limit.
	Interval time.Duration

	// Now has the file written after the step during which a value came from it, whatever Every says; nil: never. The sender must not
	// wait for a receiver, which may have ended.
	Now <-chan struct{}

	// Own is what the caller keeps in step with the training, such as curves that OnStep adds to; nil for nothing. It is
	// restored before the first step.
	Own interface {
		encoding.BinaryMarshaler
		encoding.BinaryUnmarshaler
	}
}

func (c Checkpoint) validate() error {
	switch {
	case c.Every < 0 || c.Interval < 0:
		return errors.Errorf("train: Checkpoint.Every is %d, Interval %v: want zero or more", c.Every, c.Interval)
	case c.File == "" && (c.Every > 0 || c.Interval > 0 || c.Now != nil || c.Own != nil):
		return errors.New("train: Checkpoint.File is missing: name it, or leave the other fields out")
	}
	return nil
}

// What the metadata of the file say.
const (
	kindKey     = "kind"
	versionKey  = "version"
	programKey  = "program"
	settingsKey = "settings"

	checkpointKind    = "pcgraph checkpoint"
	checkpointVersion = "2" // 1 knew 256 samples of its data

	lockSuffix = ".lock"
)

// Names of its tensors.
const (
	weightsName   = "weights"
	optimizerName = "optimizer"
	stateName     = "state"
	ownName       = "own"
	averageName   = "average"
	bestName      = "best"
)

// A position is the JSON of a checkpoint: where the training is, and what there is beside the slabs. Its numbers may be NaN
// or infinite, see jsonfloat.
type position struct {
	Step, Skipped int
	Elapsed       time.Duration
	Evals         []Eval
	Rest          Rest
	Rate          *float64 // of an optim.Rater
	Updates       int      // of the optimiser
	Rule          []byte   // what it remembers
}

// positionOf is a history as it is kept.
func positionOf(h *History) position {
	return position{Step: h.Steps, Skipped: h.Skipped, Elapsed: h.Elapsed, Evals: h.Evals, Rest: h.Rest}
}

// history is a history as it was.
func (p position) history() *History {
	h := &History{Steps: p.Step, Skipped: p.Skipped, Elapsed: p.Elapsed, Evals: p.Evals, Rest: p.Rest}
	if h.Statuses == nil {
		h.Statuses = make(map[infer.Status]int)
	}
	return h
}

// A checkpointer writes and reads the checkpoints of one Run. A nil one keeps nothing.
type checkpointer[T graph.Float] struct {
	Checkpoint
	weights  *graph.Vector[T]
	memory   Memory
	optim    optim.State[T]
	average  []T      // of the weights; nil: none
	best     []T      // the weights of the best evaluation; nil: none
	rate     *float64 // nil: not known to change
	settings string
	saved    time.Time // when the file was last written or read
}

// due reports whether the file is to be written after so many steps.
func (k *checkpointer[T]) due(steps int) bool {
	if k == nil {
		return false
	}
	select {
	case <-k.Now:
		return true
	default:
	}
	return k.Every > 0 && steps%k.Every == 0 || k.Interval > 0 && time.Since(k.saved) >= k.Interval
}

// lock takes the checkpoint for this Run and clears away what a killed one left half written. Without a Checkpoint it is nil.
func (t *Trainer[T]) lock() (*lockfile.Lock, error) {
	file := t.Checkpoint.File
	if file == "" {
		return nil, nil
	}
	l, err := lockfile.Acquire(file + lockSuffix)
	var used *lockfile.InUseError
	if errors.As(err, &used) {
		return nil, errors.WithMessagef(err, "train: checkpoint %s: wait until the other training has ended, or name another file: it is", file)
	}
	if err != nil {
		return nil, errors.WithMessagef(err, "train: checkpoint %s", file)
	}
	os.Remove(file + atomicfile.Suffix)
	return l, nil
}

// open prepares the checkpoint and restores the training from its file, if that is there.
func (t *Trainer[T]) open(total int, h *History) (*checkpointer[T], *History, error) {
	if t.Checkpoint.File == "" {
		return nil, h, nil
	}
	w := t.Rule.Subject().Weights
	state, err := stateOf(t.Optimizer, len(w.Data()))
	if err != nil {
		return nil, nil, err
	}
	k := &checkpointer[T]{Checkpoint: t.Checkpoint, weights: w, memory: RuleMemory(t.Rule), optim: state, average: t.average, best: t.best, rate: rateOf(t.Optimizer), settings: t.settings(total), saved: time.Now()}
	p, err := k.read()
	if errors.Is(err, fs.ErrNotExist) {
		return k, h, k.save(h)
	}
	if err != nil {
		return nil, nil, errors.WithMessagef(err, "train: checkpoint %s", k.File)
	}
	h = p.history()
	t.judge(h)
	return k, h, nil
}

// stateOf is the state of an optimiser of n weights.
func stateOf[T graph.Float](o optim.Optimizer[T], n int) (optim.State[T], error) {
	if c, is := o.(optim.Wrapper[T]); is {
		return stateOf(c.Wraps(), n)
	}
	s, is := o.(optim.Stateful[T])
	if !is {
		return optim.State[T]{}, errors.Errorf("train: checkpoint: the state of a %T cannot be kept: it is no optim.Stateful; train without Checkpoint, or give it a State", o)
	}
	return s.State(n), nil
}

// settings describe what the result of a training depends on, a line for each part. Sets are described by their sizes and
// the sum of all their samples.
func (t *Trainer[T]) settings(total int) string {
	var zero T
	lines := []string{
		fmt.Sprintf("dtype: %T", zero),
		"rule: " + typed(t.Rule),
		"optimizer: " + typed(t.Optimizer),
		fmt.Sprintf("batch: %d", t.Batch),
		fmt.Sprintf("seed: %d", t.Seed),
		fmt.Sprintf("divergence: %d", t.Divergence),
		"training set: " + describeSet(t.Train),
		"test set: " + describeSet(t.Test),
	}
	if t.DropLast {
		lines = append(lines, "drop last: true")
	}
	if t.Schedule != nil {
		lines = append(lines, "schedule: "+describeSchedule(t.Schedule, total))
	}
	if t.LabelSmoothing > 0 {
		lines = append(lines, fmt.Sprintf("label smoothing: %v", t.LabelSmoothing))
	}
	if t.WeightAverage > 0 {
		lines = append(lines, fmt.Sprintf("weight average: %v", t.WeightAverage))
	}
	if e := t.EarlyStop; e.Patience > 0 {
		lines = append(lines, fmt.Sprintf("early stop: after %d evaluations on %s", e.Patience, describeSet(t.stopSet())), fmt.Sprintf("evaluated every: %d", t.EvalEvery))
	}
	return strings.Join(lines, "\n")
}

// typed is a description of what v points to, with its type if that is no struct of ours.
func typed(v any) string {
	return reflect.TypeOf(v).String() + " " + arch.Describe(v)
}

// describeSet says how large a set is, and what is in it.
func describeSet(s *data.Set) string {
	if s == nil {
		return "none"
	}
	sum := s.Sum()
	return fmt.Sprintf("%q, %d samples of %d and %d numbers, SHA-256 %s", s.Name, s.Len(), s.In(), s.Out(), hex.EncodeToString(sum[:16]))
}

// save writes the file.
func (k *checkpointer[T]) save(h *History) error {
	if k == nil {
		return nil
	}
	wrap := func(err error) error { return errors.WithMessagef(err, "train: checkpoint at step %d", h.Steps) }
	if i := kernel.FirstNonFinite(k.weights.Data()); i >= 0 {
		return wrap(&DivergenceError{Where: weightIs(k.weights, i), Weights: true})
	}
	p := positionOf(h)
	p.Updates = *k.optim.Steps
	if k.rate != nil {
		p.Rate = k.rate
	}
	var own []byte
	var err error
	if p.Rule, err = k.memory.MarshalBinary(); err == nil && k.Own != nil {
		own, err = k.Own.MarshalBinary()
	}
	if err != nil {
		return wrap(err)
	}
	text, err := jsonfloat.Marshal(p)
	if err != nil {
		return wrap(err)
	}
	f := &safetensors.File{
		Meta: map[string]string{kindKey: checkpointKind, versionKey: checkpointVersion, programKey: buildinfo.String(), settingsKey: k.settings},
		Tensors: []safetensors.Tensor{{Name: stateName, Shape: []int{len(text)}, Data: text},
			{Name: ownName, Shape: []int{len(own)}, Data: own}},
	}
	k.slabs(func(name string, shape []int, part []T) error {
		f.Tensors = append(f.Tensors, safetensors.Tensor{Name: name, Shape: shape, Data: part})
		return nil
	})
	k.saved = time.Now()
	return wrap(safetensors.WriteFile(k.File, f))
}

// slabs calls visit with all weights, what the optimiser remembers of each, their average and the best ones.
func (k *checkpointer[T]) slabs(visit func(name string, shape []int, part []T) error) error {
	each := func(name string, slab []T) error {
		for i, f := range k.weights.Fields() {
			if err := visit(name+"/"+f.Name, f.Shape, k.weights.Part(slab, i)); err != nil {
				return err
			}
		}
		return nil
	}
	if err := each(weightsName, k.weights.Data()); err != nil {
		return err
	}
	for s, slot := range k.optim.Slots {
		if err := each(optimizerName+"/"+strconv.Itoa(s), slot); err != nil {
			return err
		}
	}
	if k.average != nil {
		if err := each(averageName, k.average); err != nil {
			return err
		}
	}
	if k.best != nil {
		return each(bestName, k.best)
	}
	return nil
}

// read restores weights, optimiser, rule and Own from the file, once all of it has been found good.
func (k *checkpointer[T]) read() (*position, error) {
	f, err := safetensors.ReadFile(k.File)
	if err != nil {
		return nil, err
	}
	if f.Meta[kindKey] != checkpointKind {
		return nil, errors.Errorf("name another file: this one is no checkpoint, but %q", f.Meta[kindKey])
	}
	switch v := f.Meta[versionKey]; v {
	case checkpointVersion:
	case "1":
		return nil, errors.Errorf("end the training by the program that began it (%s), or remove the file to begin anew: "+
			"a checkpoint of version 1 knows 256 samples of its data, and whether the others are the same cannot be told", f.Meta[programKey])
	default:
		return nil, errors.Errorf("take the program that wrote it (%s) or a newer one: version %q of the format, and this program reads %s", f.Meta[programKey], v, checkpointVersion)
	}
	if _, is := f.Meta[safetensors.SumKey]; !is {
		return nil, errors.New("the SHA-256 is missing: the file has been written by another program")
	}
	if err := sameSettings(f.Meta[settingsKey], k.settings); err != nil {
		return nil, err
	}
	bytesOf := func(name string) []byte {
		if t := f.Tensor(name); t != nil {
			b, _ := t.Data.([]byte)
			return b
		}
		return nil
	}
	var p position
	if err := jsonfloat.Unmarshal(bytesOf(stateName), &p); err != nil {
		return nil, errors.Wrap(err, "state")
	}
	want := 2
	fits := func(name string, shape []int, part []T) error {
		want++
		t := f.Tensor(name)
		if t == nil || !slices.Equal(t.Shape, shape) {
			return errors.Errorf("no %s of shape %v in it", name, shape)
		}
		if _, is := t.Data.([]T); !is {
			return errors.Errorf("%s is of dtype %s", name, t.DType())
		}
		return nil
	}
	if err := k.slabs(fits); err != nil {
		return nil, err
	}
	if len(f.Tensors) != want || p.Step < 0 {
		return nil, errors.Errorf("%d tensors at step %d: want %d, and no negative step", len(f.Tensors), p.Step, want)
	}
	if err := k.memory.UnmarshalBinary(p.Rule); err != nil {
		return nil, err
	}
	if k.Own != nil {
		if err := k.Own.UnmarshalBinary(bytesOf(ownName)); err != nil {
			return nil, errors.WithMessage(err, "Own")
		}
	}
	k.slabs(func(name string, _ []int, part []T) error {
		copy(part, f.Tensor(name).Data.([]T))
		return nil
	})
	*k.optim.Steps = p.Updates
	if k.rate != nil && p.Rate != nil {
		*k.rate = *p.Rate
	}
	k.weights.Touch()
	return &p, nil
}

// sameSettings reports the first line of settings that differ, from shortly before the difference on.
func sameSettings(was, now string) error {
	if was == now {
		return nil
	}
	const another = "remove the file to begin anew, or name another one: it is of another training"
	a, b := strings.Split(was, "\n"), strings.Split(now, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] == b[i] {
			continue
		}
		name, old, _ := strings.Cut(a[i], ": ")
		own, new, is := strings.Cut(b[i], ": ")
		if !is || name != own {
			break
		}
		at := 0
		for at < min(len(old), len(new)) && old[at] == new[at] {
			at++
		}
		return errors.Errorf("%s, whose %s is %s, where this one has %s", another, name, around(old, at), around(new, at))
	}
	switch n := min(len(a), len(b)); {
	case len(a) > n:
		return errors.Errorf("%s, which has the setting %s, and this one has not", another, around(a[n], 0))
	case len(b) > n:
		return errors.Errorf("%s, which has not the setting %s of this one", another, around(b[n], 0))
	}
	return errors.New(another)
}

// around is the part of a description next to a place in it.
func around(s string, at int) string {
	lo, hi := max(0, at-60), min(len(s), at+60)
	part := strings.ToValidUTF8(s[lo:hi], "")
	if lo > 0 {
		part = "..." + part
	}
	if hi < len(s) {
		part += "..."
	}
	return part
}
