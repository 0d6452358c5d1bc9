package train

import (
	"crypto/sha256"
	"encoding"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/graph/kernel"
	"github.com/pcgraph/pcgraph/graph/safetensors"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/optim"
)

// A Checkpoint keeps a training on disk, so that one that was interrupted, or killed, goes on where it was: with the same
// weights to the last bit, the same History (times apart) and the same order of the data as without the interruption.
//
// If the file is there, Trainer.Run goes on from it; a finished training returns its History at once, and one that is given
// more Epochs or Steps than it had goes on. If it is not there, training begins. A file that is damaged, or of a training
// with another rule, network, optimiser, data, batch or seed, is an error that says so, never a fresh start: remove the file,
// or name another one. The file is written before the first step, which finds out at once whether it can be, and then as
// Every says; it is replaced in one step, so there is always a whole one.
//
// It is a safetensors file: weights/NAME, optimizer/SLOT/NAME (see optim.State), state (JSON) and own. A training is kept if
// its optimiser is optim.Stateful and its rule says what it remembers (see Rule). The rate of an optimiser that is an
// optim.Rater is kept as OnStep has left it.
type Checkpoint struct {
	File  string // "" keeps nothing
	Every int    // steps from one writing to the next; 0: at the start and the end only, which may be that of the context

	// Own is what the caller keeps in step with the training, such as curves that OnStep adds to; nil for nothing. It is
	// restored before the first step.
	Own interface {
		encoding.BinaryMarshaler
		encoding.BinaryUnmarshaler
	}
}

func (c Checkpoint) validate() error {
	switch {
	case c.Every < 0:
		return errors.Errorf("train: Checkpoint.Every is %d: want zero or more", c.Every)
	case c.File == "" && (c.Every > 0 || c.Own != nil):
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
	checkpointVersion = "1"
)

// Names of its tensors.
const (
	weightsName   = "weights"
	optimizerName = "optimizer"
	stateName     = "state"
	ownName       = "own"
)

// A number is a float64 in JSON, which has no infinity and no NaN of its own.
type number float64

// MarshalJSON writes those as text.
func (n number) MarshalJSON() ([]byte, error) {
	if f := float64(n); f-f != 0 {
		return json.Marshal(strconv.FormatFloat(f, 'g', -1, 64))
	}
	return json.Marshal(float64(n))
}

// UnmarshalJSON reads them.
func (n *number) UnmarshalJSON(text []byte) error {
	f, err := strconv.ParseFloat(strings.Trim(string(text), `"`), 64)
	*n = number(f)
	return err
}

// A position is the JSON of a checkpoint: where the training is, and what there is beside the slabs.
type position struct {
	Step, Skipped int
	Elapsed       time.Duration
	Evals         []evalPosition
	Rest          restPosition
	Rate          *number // of an optim.Rater
	Updates       int     // of the optimiser
	Rule          []byte  // what it remembers
}

type evalPosition struct {
	Step, Samples                int
	Loss, Accuracy, CrossEntropy number
	Elapsed                      time.Duration
}

type restPosition struct {
	Statuses                   map[infer.Status]int
	Evaluations, Measured, Far int
	Residual, Left             number
}

// positionOf is a history as it is kept.
func positionOf(h *History) position {
	p := position{Step: h.Steps, Skipped: h.Skipped, Elapsed: h.Elapsed, Rest: restPosition{Statuses: h.Statuses, Evaluations: h.Evaluations,
		Measured: h.Measured, Far: h.Far, Residual: number(h.Residual), Left: number(h.Left)}}
	for _, e := range h.Evals {
		p.Evals = append(p.Evals, evalPosition{Step: e.Step, Samples: e.Samples, Loss: number(e.Loss), Accuracy: number(e.Accuracy),
			CrossEntropy: number(e.CrossEntropy), Elapsed: e.Elapsed})
	}
	return p
}

// history is a history as it was.
func (p position) history() *History {
	h := &History{Steps: p.Step, Skipped: p.Skipped, Elapsed: p.Elapsed, Rest: Rest{Statuses: p.Rest.Statuses, Evaluations: p.Rest.Evaluations,
		Measured: p.Rest.Measured, Far: p.Rest.Far, Residual: float64(p.Rest.Residual), Left: float64(p.Rest.Left)}}
	if h.Statuses == nil {
		h.Statuses = make(map[infer.Status]int)
	}
	for _, e := range p.Evals {
		h.Evals = append(h.Evals, Eval{Step: e.Step, Elapsed: e.Elapsed, Score: Score{Samples: e.Samples, Loss: float64(e.Loss),
			Accuracy: float64(e.Accuracy), CrossEntropy: float64(e.CrossEntropy)}})
	}
	return h
}

// A keeper writes and reads the checkpoints of one Run. A nil one keeps nothing.
type keeper[T graph.Float] struct {
	Checkpoint
	weights  *graph.Vector[T]
	memory   memory
	optim    optim.State[T]
	rate     *float64 // nil: not known to change
	settings string
}

// open prepares the checkpoint and restores the training from its file, if that is there.
func (t *Trainer[T]) open(h *History) (*keeper[T], *History, error) {
	if t.Checkpoint.File == "" {
		return nil, h, nil
	}
	w := t.Rule.Weights()
	state, err := stateOf(t.Optimizer, len(w.Data()))
	if err != nil {
		return nil, nil, err
	}
	k := &keeper[T]{Checkpoint: t.Checkpoint, weights: w, memory: ofRule(t.Rule), optim: state, settings: t.settings()}
	if r, is := t.Optimizer.(optim.Rater); is {
		k.rate = r.LearningRate()
	}
	p, err := k.read()
	if errors.Is(err, fs.ErrNotExist) {
		return k, h, k.save(h)
	}
	if err != nil {
		return nil, nil, errors.WithMessagef(err, "train: checkpoint %s", k.File)
	}
	return k, p.history(), nil
}

// stateOf is the state of an optimiser of n weights.
func stateOf[T graph.Float](o optim.Optimizer[T], n int) (optim.State[T], error) {
	if c, is := o.(*optim.Clip[T]); is {
		return stateOf(c.Opt, n)
	}
	s, is := o.(optim.Stateful[T])
	if !is {
		return optim.State[T]{}, errors.Errorf("train: checkpoint: the state of a %T cannot be kept: it is no optim.Stateful; train without Checkpoint, or give it a State", o)
	}
	return s.State(n), nil
}

// settings describe what the result of a training depends on, a line for each part. Sets are described by their sizes and
// some of their samples.
func (t *Trainer[T]) settings() string {
	var zero T
	lines := []string{
		fmt.Sprintf("numbers: %T", zero),
		"rule: " + typed(t.Rule),
		"optimizer: " + typed(t.Optimizer),
		fmt.Sprintf("batch: %d", t.Batch),
		fmt.Sprintf("seed: %d", t.Seed),
		fmt.Sprintf("divergence: %d", t.Divergence),
		"training set: " + describeSet[T](t.Train),
		"test set: " + describeSet[T](t.Test),
	}
	return strings.Join(lines, "\n")
}

// typed is a description of what v points to, with its type if that is no struct of ours.
func typed(v any) string {
	return reflect.TypeOf(v).String() + " " + arch.Describe(v)
}

// fingerprinted is how many samples of a set its description looks at.
const fingerprinted = 256

// describeSet says how large a set is and what some samples are, evenly spread.
func describeSet[T graph.Float](s *data.Set) string {
	if s == nil {
		return "none"
	}
	n := min(s.Len(), fingerprinted)
	idx := make([]int, n)
	for i := range idx {
		idx[i] = i * s.Len() / n
	}
	x, y := make([]T, n*s.In()), make([]T, n*s.Out())
	data.Fill(s.AtEpoch(0), x, y, idx)
	sum := sha256.New()
	binary.Write(sum, binary.LittleEndian, x)
	binary.Write(sum, binary.LittleEndian, y)
	return fmt.Sprintf("%q, %d samples of %d and %d numbers, %s", s.Name, s.Len(), s.In(), s.Out(), hex.EncodeToString(sum.Sum(nil)[:8]))
}

// save writes the file.
func (k *keeper[T]) save(h *History) error {
	if k == nil {
		return nil
	}
	wrap := func(err error) error { return errors.WithMessagef(err, "train: checkpoint at step %d", h.Steps) }
	if i := kernel.FirstNonFinite(k.weights.Data()); i >= 0 {
		return wrap(errors.Errorf("weight %s is %v: %s", k.weights.Where(i), k.weights.Data()[i], remedy))
	}
	p := positionOf(h)
	p.Updates = *k.optim.Steps
	if k.rate != nil {
		rate := number(*k.rate)
		p.Rate = &rate
	}
	var own []byte
	var err error
	if p.Rule, err = k.memory.MarshalBinary(); err == nil && k.Own != nil {
		own, err = k.Own.MarshalBinary()
	}
	if err != nil {
		return wrap(err)
	}
	text, err := json.Marshal(p)
	if err != nil {
		return wrap(err)
	}
	f := &safetensors.File{
		Meta: map[string]string{kindKey: checkpointKind, versionKey: checkpointVersion, programKey: arch.Program(), settingsKey: k.settings},
		Tensors: []safetensors.Tensor{{Name: stateName, Shape: []int{len(text)}, Data: text},
			{Name: ownName, Shape: []int{len(own)}, Data: own}},
	}
	k.slabs(func(name string, shape []int, part []T) error {
		f.Tensors = append(f.Tensors, safetensors.Tensor{Name: name, Shape: shape, Data: part})
		return nil
	})
	return wrap(safetensors.WriteFile(k.File, f))
}

// slabs calls visit with all weights and what the optimiser remembers of each.
func (k *keeper[T]) slabs(visit func(name string, shape []int, part []T) error) error {
	for s, slab := range append([][]T{k.weights.Data()}, k.optim.Slots...) {
		name := weightsName
		if s > 0 {
			name = optimizerName + "/" + strconv.Itoa(s-1)
		}
		for i, f := range k.weights.Fields() {
			if err := visit(name+"/"+f.Name, f.Shape, k.weights.Part(slab, i)); err != nil {
				return err
			}
		}
	}
	return nil
}

// read restores weights, optimiser, rule and Own from the file, once all of it has been found good.
func (k *keeper[T]) read() (*position, error) {
	f, err := safetensors.ReadFile(k.File)
	if err != nil {
		return nil, err
	}
	if f.Meta[kindKey] != checkpointKind {
		return nil, errors.Errorf("the file is no checkpoint, but %q: name another one", f.Meta[kindKey])
	}
	if v := f.Meta[versionKey]; v != checkpointVersion {
		return nil, errors.Errorf("version %q of the format (by %s), and this program reads %s: take the program that wrote it or a newer one", v, f.Meta[programKey], checkpointVersion)
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
	if err := json.Unmarshal(bytesOf(stateName), &p); err != nil {
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
		*k.rate = float64(*p.Rate)
	}
	k.weights.Touch()
	return &p, nil
}

// sameSettings reports the first line of settings that differ, from shortly before the difference on.
func sameSettings(was, now string) error {
	if was == now {
		return nil
	}
	a, b := strings.Split(was, "\n"), strings.Split(now, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] == b[i] {
			continue
		}
		name, _, _ := strings.Cut(a[i], ": ")
		at := 0
		for at < min(len(a[i]), len(b[i])) && a[i][at] == b[i][at] {
			at++
		}
		cut := func(s string) string {
			lo, hi := max(0, at-60), min(len(s), at+60)
			return strings.ToValidUTF8(s[lo:hi], "")
		}
		return errors.Errorf("the file is of another training, whose %s is\n  %s\nwhere this one has\n  %s\nremove the file to begin anew, or name another one", name, cut(a[i]), cut(b[i]))
	}
	return errors.New("the file is of another training: remove it to begin anew, or name another one")
}
