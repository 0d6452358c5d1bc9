package benchmark

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/pkg/errors"
)

// A Grid is a table of one's own: every rule on every network on every data set.
//
//	{"data": ["mnist", {"name": "fashion", "train": 10000}],
//	 "networks": ["mlp:128-128:tanh", {"kind": "resmlp", "width": 64, "depth": 16, "act": "relu", "scaling": "mupc"}],
//	 "rules": ["bp", "pc", {"name": "pc", "errors": true, "steps": 5, "rate": 0.2, "lr": 0.0005}],
//	 "learn": {"lr": 0.001, "batch": 64, "epochs": 2}, "seeds": 3}
//
// A name stands for an entry with the usual settings, see [Rule.Settled] and [ParseNet]. An entry of rules may have keys of its own: row,
// its name in the table, and lr and decay in place of those of learn.
type Grid struct {
	Title    string     `json:"title,omitempty"`
	Data     []gridData `json:"data"`
	Networks []gridNet  `json:"networks"`
	Rules    []gridRule `json:"rules"`
	Learn    Learn      `json:"learn"`
	Seeds    int        `json:"seeds"` // 0: 3
}

// GridOf is the grid of names, as in the file.
func GridOf(data, networks, rules []string, learn Learn, seeds int) (Grid, error) {
	g := Grid{Learn: learn, Seeds: seeds}
	for _, name := range data {
		g.Data = append(g.Data, gridData{Data{Name: name}})
	}
	for _, text := range networks {
		n, err := ParseNet(text)
		if err != nil {
			return g, err
		}
		g.Networks = append(g.Networks, gridNet{n})
	}
	for _, name := range rules {
		r, err := parseRule(name)
		if err != nil {
			return g, err
		}
		g.Rules = append(g.Rules, gridRule{Rule: r})
	}
	return g, nil
}

// ReadGrid reads a grid from JSON. A key that is not known is an error that names the nearest one.
func ReadGrid(text []byte) (Grid, error) {
	var g Grid
	var any any
	if err := json.Unmarshal(text, &any); err != nil {
		var at *json.SyntaxError
		if errors.As(err, &at) {
			return g, errors.Errorf("line %d: %v", 1+bytes.Count(text[:at.Offset], []byte("\n")), err)
		}
		return g, err
	}
	if err := checkKeys(any, reflect.TypeFor[Grid](), "grid"); err != nil {
		return g, err
	}
	err := json.Unmarshal(text, &g)
	var of *json.UnmarshalTypeError
	if errors.As(err, &of) {
		return g, errors.Errorf("line %d: %s is a %s: want %v", 1+bytes.Count(text[:min(int(of.Offset), len(text))], []byte("\n")), of.Field, of.Value, of.Type)
	}
	return g, err
}

// checkKeys holds the keys of decoded JSON against the fields of a type.
func checkKeys(v any, t reflect.Type, where string) error {
	switch v := v.(type) {
	case []any:
		if t.Kind() == reflect.Slice {
			for i, e := range v {
				if err := checkKeys(e, t.Elem(), fmt.Sprintf("%s[%d]", where, i)); err != nil {
					return err
				}
			}
		}
	case map[string]any:
		if t.Kind() != reflect.Struct {
			return nil
		}
		fields := keysOf(t)
		var names []string
		for name := range fields {
			names = append(names, name)
		}
		slices.Sort(names)
		for key, e := range v {
			f, known := fields[key]
			if !known {
				return errors.Errorf("%s: unknown key %q: did you mean %q? Keys are %s", where, key, nearest(key, names), strings.Join(names, ", "))
			}
			if err := checkKeys(e, f, where+"."+key); err != nil {
				return err
			}
		}
	}
	return nil
}

// keysOf are the keys of a struct in JSON with their types, those of embedded structs among them.
func keysOf(t reflect.Type) map[string]reflect.Type {
	keys := map[string]reflect.Type{}
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			for name, of := range keysOf(f.Type) {
				keys[name] = of
			}
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		keys[name] = f.Type
	}
	return keys
}

// gridData is a Data, or its name.
type gridData struct{ Data }

// UnmarshalJSON is called by json.
func (d *gridData) UnmarshalJSON(text []byte) error {
	if name, is := bareword(text); is {
		d.Data = Data{Name: name}
		return nil
	}
	return json.Unmarshal(text, &d.Data)
}

// gridNet is a Net, or its text for ParseNet.
type gridNet struct{ Net }

// UnmarshalJSON is called by json.
func (n *gridNet) UnmarshalJSON(text []byte) (err error) {
	if word, is := bareword(text); is {
		n.Net, err = ParseNet(word)
		return err
	}
	return json.Unmarshal(text, &n.Net)
}

// gridRule is a Rule with what a row may have of its own, or its name.
type gridRule struct {
	Rule
	Row   string   `json:"row,omitempty"`
	LR    *float64 `json:"lr,omitempty"`
	Decay *float64 `json:"decay,omitempty"`
}

// UnmarshalJSON is called by json.
func (r *gridRule) UnmarshalJSON(text []byte) (err error) {
	if word, is := bareword(text); is {
		r.Rule, err = parseRule(word)
		return err
	}
	type plain gridRule
	return json.Unmarshal(text, (*plain)(r))
}

// bareword is the text of a JSON string.
func bareword(text []byte) (word string, is bool) {
	is = json.Unmarshal(text, &word) == nil
	return word, is
}

// parseRule is a rule by name, with "-errors" behind it if its inference is to move errors and "-ce" for cross-entropy: pc-errors-ce.
func parseRule(word string) (Rule, error) {
	name, rest, _ := strings.Cut(word, "-")
	r := Rule{Name: name}
	for rest != "" {
		var part string
		part, rest, _ = strings.Cut(rest, "-")
		switch part {
		case "errors":
			r.Errors = true
		case "ce":
			r.Loss = "ce"
		default:
			return r, errors.Errorf("rule %q: %q behind the name: want errors or ce", word, part)
		}
	}
	if _, known := ruleNamed(name); !known {
		return r, Unknown("rule", name, RuleNames)
	}
	return r, nil
}

// ParseNet is a network in short, KIND:SIZE[:ACTIVATION]:
//
//	mlp:128-128         hidden widths
//	resmlp:128x32:relu  32 layers of width 128, scaled by muPC
//	vgg:32-64-128-128   channels
//	transformer:32x2    2 blocks of width 32, with 4 heads
func ParseNet(text string) (Net, error) {
	kind, rest, _ := strings.Cut(text, ":")
	size, act, _ := strings.Cut(rest, ":")
	n := Net{Kind: kind, Act: act}
	bad := func() error {
		return errors.Errorf("network %q: want KIND:SIZE[:ACTIVATION], such as mlp:128-128:tanh, resmlp:128x32:relu, vgg:32-64, transformer:32x2", text)
	}
	numbers := func(separator string) (list []int, err error) {
		for part := range strings.SplitSeq(size, separator) {
			v, err := strconv.Atoi(part)
			if err != nil || v < 1 {
				return nil, bad()
			}
			list = append(list, v)
		}
		return list, nil
	}
	var err error
	switch kind {
	case "mlp":
		if size != "" {
			n.Hidden, err = numbers("-")
		}
	case "vgg":
		n.Channels, err = numbers("-")
	case "resmlp", "transformer":
		var sides []int
		if sides, err = numbers("x"); err == nil && len(sides) != 2 {
			err = bad()
		}
		if err == nil {
			n.Width, n.Depth = sides[0], sides[1]
		}
		n.Scaling = "mupc"
		if kind == "transformer" {
			n.Heads, n.Scaling = 4, ""
		}
	default:
		err = Unknown("network", kind, NetKinds)
	}
	return n, err
}

// short is the network as ParseNet takes it, or nearly.
func (n Net) short() string {
	size := dashes(append(slices.Clone(n.Hidden), n.Channels...))
	if n.Width > 0 {
		size = fmt.Sprint(n.Width)
		if n.Depth > 0 {
			size += fmt.Sprintf("x%d", n.Depth)
		}
	}
	text := n.Kind + ":" + size
	for _, more := range []string{n.Act, n.Scaling} {
		if more != "" {
			text += ":" + more
		}
	}
	return text
}

// label names a rule as it was given.
func (r gridRule) label() string {
	if r.Row != "" {
		return r.Row
	}
	text := r.Name
	if r.Errors {
		text += "-errors"
	}
	if r.Loss != "" && r.Loss != "se" {
		text += "-" + r.Loss
	}
	v := reflect.ValueOf(r.Rule)
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		if f := v.Field(i); !f.IsZero() && !slices.Contains([]string{"name", "errors", "loss"}, name) {
			text += fmt.Sprintf(" %s=%v", name, f.Interface())
		}
	}
	for _, own := range []struct {
		name  string
		value *float64
	}{{"lr", r.LR}, {"decay", r.Decay}} {
		if own.value != nil {
			text += fmt.Sprintf(" %s=%g", own.name, *own.value)
		}
	}
	return text
}

// Table is the table of the grid, checked: names, settings, and rules that do not fit their network are errors.
func (g Grid) Table() (Table, error) {
	for _, list := range []struct {
		name string
		n    int
	}{{"data", len(g.Data)}, {"networks", len(g.Networks)}, {"rules", len(g.Rules)}} {
		if list.n == 0 {
			return Table{}, errors.Errorf("%s is missing or empty: a grid needs data, networks and rules", list.name)
		}
	}
	if g.Seeds == 0 {
		g.Seeds = 3
	}
	if g.Seeds < 0 || g.Seeds > 1000 {
		return Table{}, errors.Errorf("seeds is %d: want 1..1000", g.Seeds)
	}
	if g.Learn.LR == 0 {
		g.Learn.LR = 1e-3
	}
	if g.Learn.Batch == 0 {
		g.Learn.Batch = 64
	}
	if g.Learn.Epochs == 0 {
		g.Learn.Epochs = 1
	}
	t := Table{Name: "own", Title: g.Title, Seeds: g.Seeds}
	if t.Title == "" {
		t.Title = "Benchmark"
	}
	var cells []Cell
	rows := map[string]bool{}
	for _, d := range g.Data {
		for _, n := range g.Networks {
			for _, r := range g.Rules {
				c := Cell{Row: r.label(), Data: d.Data, Net: n.Net, Rule: r.Rule.Settled(n.Net), Learn: g.Learn, Seed: 1}
				if len(g.Networks) > 1 {
					c.Row = n.short() + "/" + c.Row
				}
				if len(g.Data) > 1 {
					c.Row = d.Name + "/" + c.Row
				}
				if r.LR != nil {
					c.Learn.LR = *r.LR
				}
				if r.Decay != nil {
					c.Learn.Decay = *r.Decay
				}
				if rows[c.Row] {
					return t, errors.Errorf("two rows of the grid are %q: give the rules names of their own, {\"name\": %q, \"row\": ...}", c.Row, r.Name)
				}
				rows[c.Row] = true
				if err := c.Check(); err != nil {
					return t, err
				}
				cells = append(cells, c)
			}
		}
	}
	t.cells = func() []Cell { return slices.Clone(cells) }
	return t, nil
}
