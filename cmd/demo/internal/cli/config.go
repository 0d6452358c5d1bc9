package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/pkg/errors"
)

// ConfigFlag repeats a run: -config MANIFEST stands for the arguments that its manifest holds. It is replaced before the command line is
// parsed, so that everything that is said of flags is said of the whole.
type ConfigFlag string

// ownOfRun are the flags that a manifest's arguments do not hand on: each run has files of its own.
var ownOfRun = []string{"out", "overwrite", "checkpoint", "record", "config"}

// configured replaces -config by the arguments of the run that it names, a manifest.json or a folder with one: flags of the command
// line win over flags of the same name there. args are long flags. The result is nil if there is no -config.
func configured(parser *kong.Kong, args []string) ([]string, error) {
	at := slices.IndexFunc(args, func(a string) bool { return a == "--config" || strings.HasPrefix(a, "--config=") })
	if at < 0 {
		return nil, nil
	}
	path, inline := strings.CutPrefix(args[at], "--config=")
	rest := slices.Delete(slices.Clone(args), at, at+1)
	if !inline {
		if at >= len(rest) {
			return nil, errors.New("-config: name the manifest.json of a run, or its folder")
		}
		path = rest[at]
		rest = slices.Delete(rest, at, at+1)
	}
	m, err := readArguments(path)
	if err != nil {
		return nil, errors.WithMessage(err, "-config")
	}
	old := LongFlags(m)
	command, words := "", rest
	if len(rest) > 0 && !strings.HasPrefix(rest[0], "-") {
		command, words = rest[0], rest[1:]
	}
	was := ""
	if len(old) > 0 && !strings.HasPrefix(old[0], "-") {
		was, old = old[0], old[1:]
	}
	if was == "" {
		was = "mnist" // the command of a line without one
	}
	if command != "" && command != was {
		return nil, errors.Errorf("-config: %s is of a run of %q, not of %q", path, "demo "+was, "demo "+command)
	}
	node := leaf(parser, was)
	if node == nil {
		return nil, errors.Errorf("-config: %s is of a run of %q, a command that this version does not have", path, "demo "+was)
	}
	given := append(flagNames(words), ownOfRun...)
	positional := slices.ContainsFunc(arguments(node, words), func(a string) bool { return !strings.HasPrefix(a, "--") })
	out := []string{was}
	for _, a := range arguments(node, old) {
		name, _, _ := strings.Cut(strings.TrimPrefix(a, "--"), "=")
		isFlag := strings.HasPrefix(a, "--")
		if isFlag && slices.Contains(given, name) || !isFlag && positional {
			continue
		}
		out = append(out, a)
	}
	return append(out, words...), nil
}

// leaf is a command of the parser, nil if there is none of that name.
func leaf(parser *kong.Kong, name string) *kong.Node {
	for _, n := range parser.Model.Leaves(false) {
		if n.Name == name {
			return n
		}
	}
	return nil
}

// flagNames are the names of the flags among arguments.
func flagNames(args []string) (names []string) {
	for _, a := range args {
		if name, is := strings.CutPrefix(a, "--"); is {
			name, _, _ = strings.Cut(name, "=")
			names = append(names, name)
		}
	}
	return names
}

// arguments are the arguments of a command, each flag with its value as one, "--name=value".
func arguments(node *kong.Node, args []string) (list []string) {
	valued := make(map[string]bool)
	for _, group := range node.AllFlags(false) {
		for _, f := range group {
			valued[f.Name] = !f.IsBool() && !f.IsCounter()
		}
	}
	for i := 0; i < len(args); i++ {
		name, is := strings.CutPrefix(args[i], "--")
		if is && valued[name] && i+1 < len(args) {
			list = append(list, args[i]+"="+args[i+1])
			i++
			continue
		}
		list = append(list, args[i])
	}
	return list
}

// readArguments reads the arguments of a run from its manifest.
func readArguments(path string) ([]string, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, ManifestName)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, errors.WithStack(err)
	}
	var m struct {
		Command string    `json:"command"`
		Args    *[]string `json:"args"`
	}
	switch err := json.Unmarshal(text, &m); {
	case err != nil:
		return nil, errors.Errorf("%s is no manifest of a run: %v", path, err)
	case m.Command == "":
		return nil, errors.Errorf("%s is no manifest of a run: it names no command", path)
	case m.Args == nil:
		return nil, errors.Errorf("%s was written by a version that did not keep arguments one by one: its line \"again\" has them", path)
	}
	return *m.Args, nil
}
