package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/data"
)

// OwnFlags say how a user's own data is read.
type OwnFlags struct {
	Keys     []string    `placeholder:"NAME" help:"Arrays: names of inputs and targets, then of those of the test part (default: x_train,y_train,x_test,y_test, or x,y, and the like)." json:"keys,omitempty"`
	Targets  []string    `placeholder:"COLUMN" help:"Table: column to be predicted, by name or by number from 1; several are a regression (default: label, labels, class, target, targets or y, else the last)." json:"targets,omitempty"`
	TestFile string      `placeholder:"FILE" help:"Table: the test part, with the same columns." json:"test_file,omitempty"`
	Header   HeaderFlag  `default:"auto" help:"Table: whether line 1 holds the names of the columns: yes, no, or auto: where it cannot be a sample." json:"header,omitzero"`
	Sep      SepFlag     `name:"separator" placeholder:"CHAR" help:"Table: what stands between the fields of a line: comma, semicolon, tab, space or any one character (default: what splits all lines alike)." json:"separator,omitzero"`
	Decimal  DecimalFlag `placeholder:"SIGN" help:"Table: sign between whole and fraction: point or comma (default: what the numbers show)." json:"decimal,omitzero"`
	HeldOut  float64     `placeholder:"F" help:"Fraction that becomes the test part where there is none, chosen by the seed (default: 0.2)." json:"held_out,omitempty"`
	Shape    []int       `placeholder:"N" help:"Inputs are pictures, of this height, width and channels (default: what the axes of an array say)." json:"shape,omitempty"`
	Task     TaskFlag    `default:"auto" help:"Targets: classification, regression, or auto: classes where they are integers, names or one-hot." json:"task,omitzero"`
	Raw      bool        `help:"Numbers as they are: without it, inputs, and the targets of a regression, are standardised by the training part." json:"raw,omitempty"`
}

// A kind is where a data set comes from.
type kind int

const (
	NamedData kind = iota // or unknown
	arrayData             // of NumPy
	tableData             // of text
)

// KindOf tells files and folders from names.
func KindOf(path string) kind {
	name := strings.ToLower(path)
	switch filepath.Ext(strings.TrimSuffix(name, ".gz")) {
	case ".npz", ".npy":
		return arrayData
	case ".csv", ".tsv":
		return tableData
	}
	if Known("", path, DataNames...) == nil {
		return NamedData
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return arrayData
	}
	return NamedData
}

// NameOf is a data set's name, or that of its file.
func NameOf(path string) string {
	if KindOf(path) == NamedData {
		return path
	}
	if strings.EqualFold(filepath.Ext(path), ".npy") { // one of the arrays of a folder
		path = filepath.Dir(path)
	}
	if full, err := filepath.Abs(path); err == nil { // "." has a name too
		path = full
	}
	name := strings.TrimSuffix(filepath.Base(path), ".gz")
	return strings.TrimSuffix(name, filepath.Ext(name))
}

func (f OwnFlags) Check() error {
	switch n := len(f.Keys); {
	case n != 0 && n != 2 && n != 4:
		return errors.Errorf("-keys: %d names: want those of inputs and targets, or four with those of the test part", n)
	case !(f.HeldOut >= 0 && f.HeldOut < 1):
		return errors.Errorf("-held-out is %v: want a fraction between 0 and 1", f.HeldOut)
	case len(f.Shape) != 0 && len(f.Shape) != 2 && len(f.Shape) != 3:
		return errors.Errorf("-shape %v: want height, width and, but for one, channels", f.Shape)
	}
	for _, side := range f.Shape {
		if side < 1 || side > maxWidth {
			return errors.Errorf("-shape %v: want 1..%d of each", f.Shape, maxWidth)
		}
	}
	return nil
}

// Source is the data set of a file or folder.
func (f OwnFlags) Source(path string, seed uint64) data.Source {
	p := data.Preparation{Task: f.Task.Task, Raw: f.Raw, HeldOut: f.HeldOut, Seed: seed}
	if len(f.Shape) > 0 {
		p.Shape = data.Shape{Height: f.Shape[0], Width: f.Shape[1], Channels: 1}
	}
	if len(f.Shape) == 3 {
		p.Shape.Channels = f.Shape[2]
	}
	if KindOf(path) == tableData {
		return data.CSV{File: path, TestFile: f.TestFile, Targets: f.Targets, Header: f.Header.Header, Separator: f.Sep.rune, Decimal: f.Decimal.rune, Prepare: p}
	}
	var keys data.Keys
	if len(f.Keys) > 0 {
		keys.Inputs, keys.Targets = f.Keys[0], f.Keys[1]
	}
	if len(f.Keys) == 4 {
		keys.TestInputs, keys.TestTargets = f.Keys[2], f.Keys[3]
	}
	return data.NumPy{File: path, Keys: keys, Prepare: p}
}

// Read says what was made of a file.
func (f OwnFlags) Read(training, test *data.Set) string {
	inputs := "standardised"
	if f.Raw {
		inputs = "as they are"
	}
	targets := "a number to be predicted"
	if n := training.Out(); n > 1 {
		targets = fmt.Sprintf("%d numbers to be predicted", n)
	}
	targets += ", " + inputs
	if n := training.Classes(); n > 0 {
		targets = fmt.Sprintf("%d classes", n)
		if names := training.ClassNames(); names != nil {
			const most = 10
			targets += ": " + strings.Join(names[:min(most, n)], ", ")
			if n > most {
				targets += ", ..."
			}
		}
	}
	what := "inputs"
	if training.Shape() != (data.Shape{}) {
		what = "pictures"
	}
	return fmt.Sprintf("%s: %d samples; %s: %d; %s %s, %s; %s", training.Name, training.Len(), test.Name, test.Len(), what, Dims(training.InShape()), inputs, targets)
}

// fieldWord finds what errors of the library call fields and their values.
var fieldWord = regexp.MustCompile(`\b(Keys|Targets|TestFile|HeaderPresent|HeaderAbsent|Header|Separator|Decimal|HeldOut|Shape|Task Classification|Task Regression|Task|Raw|Epochs|Steps)\b`)

// valueFlags are flags with the values that stand for constants of the library.
var valueFlags = map[string]string{"HeaderPresent": "-header yes", "HeaderAbsent": "-header no", "Task Classification": "-task classification",
	"Task Regression": "-task regression", "Epochs": "-epochs", "Steps": "-limit"}

// InFlags adds to an error of the library the flags that its fields are here.
func InFlags(err error) error {
	if err == nil {
		return nil
	}
	var flags []string
	for _, word := range fieldWord.FindAllString(err.Error(), -1) {
		flag := valueFlags[word]
		if flag == "" {
			flag = flagOf[word]
		}
		if flag != "" && !slices.Contains(flags, flag) {
			flags = append(flags, flag)
		}
	}
	if len(flags) == 0 {
		return err
	}
	all := slices.Clone(flags)
	flags = slices.DeleteFunc(flags, func(flag string) bool { // said with its value already
		return slices.ContainsFunc(all, func(other string) bool { return strings.HasPrefix(other, flag+" ") })
	})
	return &flagged{err, strings.Join(flags, ", ")}
}

// A flagged error is one of the library with the flags that it is about.
type flagged struct {
	error
	flags string
}

func (e *flagged) Error() string { return e.error.Error() + " (here: " + e.flags + ")" }

// Unwrap gives errors.As the library's.
func (e *flagged) Unwrap() error { return e.error }

// A TaskFlag says by name what targets are.
type TaskFlag struct{ data.Task }

var taskNames = []string{"auto", "classification", "regression"} // in the order of data.Task

// UnmarshalText is called by kong.
func (f *TaskFlag) UnmarshalText(name []byte) error {
	for k, n := range taskNames {
		if n == string(name) {
			f.Task = data.Task(k)
		}
	}
	return Known("task", string(name), taskNames...)
}

// MarshalText writes the name.
func (f TaskFlag) MarshalText() ([]byte, error) { return []byte(taskNames[f.Task]), nil }

// A HeaderFlag says by name whether a table has a header.
type HeaderFlag struct{ data.Header }

var headerNames = []string{"auto", "yes", "no"} // in the order of data.Header

// UnmarshalText is called by kong.
func (f *HeaderFlag) UnmarshalText(name []byte) error {
	for k, n := range headerNames {
		if n == string(name) {
			f.Header = data.Header(k)
		}
	}
	return Known("way to take line 1", string(name), headerNames...)
}

// MarshalText writes the name.
func (f HeaderFlag) MarshalText() ([]byte, error) { return []byte(headerNames[f.Header]), nil }

// A SepFlag is a separator by name, or by itself.
type SepFlag struct{ rune }

var separators = map[string]rune{"comma": ',', "semicolon": ';', "tab": '\t', "space": ' '}

// UnmarshalText is called by kong.
func (f *SepFlag) UnmarshalText(name []byte) error {
	if r, is := separators[string(name)]; is {
		f.rune = r
		return nil
	}
	r, size := utf8.DecodeRune(name)
	if size != len(name) || r == utf8.RuneError || r > unicode.MaxASCII || unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("\"'.-+\r\n\x00", r) {
		return errors.Errorf("separator %q: want comma, semicolon, tab, space or one character that is in no number or name", name)
	}
	f.rune = r
	return nil
}

// MarshalText writes it.
func (f SepFlag) MarshalText() ([]byte, error) {
	if f.rune == 0 {
		return nil, nil
	}
	return []byte(string(f.rune)), nil
}

// A DecimalFlag is a decimal sign by name.
type DecimalFlag struct{ rune }

// UnmarshalText is called by kong.
func (f *DecimalFlag) UnmarshalText(name []byte) error {
	switch string(name) {
	case "point", ".":
		f.rune = '.'
	case "comma", ",":
		f.rune = ','
	default:
		return Known("decimal sign", string(name), "point", "comma")
	}
	return nil
}

// MarshalText writes it.
func (f DecimalFlag) MarshalText() ([]byte, error) {
	if f.rune == 0 {
		return nil, nil
	}
	return []byte(string(f.rune)), nil
}

// flagOf names the flags by the fields of data's sources that they set.
var flagOf = map[string]string{"Keys": "-keys", "Targets": "-targets", "TestFile": "-test-file", "Header": "-header", "Separator": "-separator", "Decimal": "-decimal",
	"HeldOut": "-held-out", "Shape": "-shape", "Task": "-task", "Raw": "-raw", "Seed": "-seed"}

// SayGuesses prints what the reader of a file decided where the file leaves a choice, a line each.
func SayGuesses(c *Console, set *data.Set) { PrintGuesses(c, set.Guesses()) }

// PrintGuesses prints guesses, a line each.
func PrintGuesses(c *Console, guesses []data.Guess) {
	for _, g := range guesses {
		word := "Guess"
		if g.Likely {
			word = "Warning"
		}
		line := fmt.Sprintf("%s, %s: %s", word, g.About, g.Taken)
		if flag := flagOf[g.Field]; flag != "" {
			line += " (override with " + flag + ")"
		}
		c.Printf("%s\n", line)
	}
}

// DialectFlags say how a new file is written where that differs from the training's.
type DialectFlags struct {
	Keys    []string    `placeholder:"NAME" help:"New arrays: names of inputs and targets, then of those of a test part."`
	Header  HeaderFlag  `default:"auto" help:"New table: whether line 1 holds the names of the columns: yes, no or auto."`
	Sep     SepFlag     `name:"separator" placeholder:"CHAR" help:"New table: what stands between fields: comma, semicolon, tab, space or any one character."`
	Decimal DecimalFlag `placeholder:"SIGN" help:"New table: decimal sign, point or comma."`
}

// Into overrides what the run was given.
func (f DialectFlags) Into(own *OwnFlags) {
	if len(f.Keys) > 0 {
		own.Keys = f.Keys
	}
	if f.Header.Header != data.HeaderAuto {
		own.Header = f.Header
	}
	if f.Sep.rune != 0 {
		own.Sep = f.Sep
	}
	if f.Decimal.rune != 0 {
		own.Decimal = f.Decimal
	}
}
