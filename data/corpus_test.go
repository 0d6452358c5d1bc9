package data

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// decoded reads a one-hot [len/classes, classes] back as text, and fails unless every row has a single one.
func decoded(t rapid.TB, v Vocabulary, rows []float64) string {
	t.Helper()
	var ids []int
	for ; len(rows) > 0; rows = rows[len(v):] {
		one := slices.Index(rows[:len(v)], 1)
		if one < 0 || slices.IndexFunc(rows[:len(v)], func(x float64) bool { return x != 0 && x != 1 }) >= 0 ||
			slices.Index(rows[one+1:len(v)], 1) >= 0 {
			t.Fatalf("not one-hot: %v", rows[:len(v)])
		}
		ids = append(ids, one)
	}
	return v.Decode(ids)
}

// Oracle: the text itself, cut by hand.
func TestCorpus_WindowsAreThePiecesOfTheText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOfN(rapid.RuneFrom([]rune("abcä→ \n")), 20, 80, -1).Draw(t, "text")
		c := Corpus{Text: text, Window: rapid.IntRange(1, 6).Draw(t, "Window"), Stride: rapid.IntRange(1, 9).Draw(t, "Stride"), Test: 0.4}
		train, test := mustLoad(t, c)
		runes := []rune(text)
		split := len(runes) - int(0.4*float64(len(runes)))
		for _, part := range []struct {
			set  *Set
			text []rune
		}{{train, runes[:split]}, {test, runes[split:]}} {
			s, v := part.set, part.set.Vocabulary()
			if want := []int{c.Window, len(v)}; !slices.Equal(s.InShape(), want) || !slices.Equal(s.OutShape(), want) ||
				s.Classes() != len(v) || s.In() != c.Window*len(v) || s.Out() != s.In() {
				t.Fatalf("shapes %v and %v, %d classes, want %v", s.InShape(), s.OutShape(), s.Classes(), want)
			}
			n := 0
			for at := 0; at+c.Window+1 <= len(part.text); at += c.Stride {
				x, y := make([]float64, s.In()), make([]float64, s.Out())
				Fill(s, x, y, []int{n})
				if got, want := decoded(t, v, x), string(part.text[at:at+c.Window]); got != want {
					t.Fatalf("%s: input %d is %q, want %q", s.Name, n, got, want)
				}
				if got, want := decoded(t, v, y), string(part.text[at+1:at+c.Window+1]); got != want {
					t.Fatalf("%s: target %d is %q, want %q", s.Name, n, got, want)
				}
				for k, r := range part.text[at+1 : at+c.Window+1] {
					if v[s.TokenLabel(n, k)] != r {
						t.Fatalf("%s: label %d of sample %d is %q, want %q", s.Name, k, n, v[s.TokenLabel(n, k)], r)
					}
				}
				n++
			}
			if from, to := s.Scored(); n != s.Len() || from != 0 || to != c.Window {
				t.Fatalf("%s: %d samples, scored %d..%d, want %d and all", s.Name, s.Len(), from, to, n)
			}
		}
	})
}

func TestCorpus_BuiltInTextIsSmallAndComplete(t *testing.T) {
	train, test := mustLoad(t, Corpus{})
	if train.Vocabulary().index('\r') >= 0 || len(train.Vocabulary()) > 64 {
		t.Errorf("vocabulary %q", string(train.Vocabulary()))
	}
	if total := len([]rune(builtinText)); train.Len()+test.Len() != total-2*32 { // a part of n characters has n-32 windows
		t.Errorf("%d + %d windows of %d characters", train.Len(), test.Len(), total)
	}
	if train.Files != nil || train.Name != "text train" || test.Name != "text test" {
		t.Errorf("%q, %q, files %v", train.Name, test.Name, train.Files)
	}
}

func TestCorpus_ReadsAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fable.txt")
	write(t, path, []byte("the fox and the grapes, the fox and the crow\ufffd"))
	train, test := mustLoad(t, Corpus{File: path, Window: 3})
	if got := string(train.Vocabulary()); got != " ,acdefghnoprstwx\ufffd" {
		t.Errorf("vocabulary %q", got)
	}
	if len(train.Files) != 1 || train.Files[0].Path != path || train.Files[0].Size != 47 || len(test.Files) != 1 {
		t.Errorf("files %+v", train.Files)
	}
}

func TestCorpus_IndicesAreTheOneHotRowsLookedUp(t *testing.T) {
	one, _ := mustLoad(t, Corpus{Window: 5})
	ids, _ := mustLoad(t, Corpus{Window: 5, Coding: Indices})
	if !slices.Equal(ids.InShape(), []int{5}) || ids.In() != 5 || !slices.Equal(ids.OutShape(), one.OutShape()) {
		t.Errorf("shapes %v, %v", ids.InShape(), ids.OutShape())
	}
	v := one.Vocabulary()
	x, y := make([]float64, 2*5), make([]float64, 2*ids.Out())
	Fill(ids, x, y, []int{700, 3})
	onehot, target := make([]float64, 2*one.In()), make([]float64, 2*one.Out())
	Fill(one, onehot, target, []int{700, 3})
	for k, id := range x {
		if onehot[k*len(v)+int(id)] != 1 {
			t.Errorf("token %d: index %v", k, id)
		}
	}
	if !slices.Equal(y, target) {
		t.Error("targets differ")
	}
}

func TestCorpus_RefusesWhatCannotBe(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "nowhere.txt")
	for _, test := range []struct {
		corpus Corpus
		want   []string
		reason string
	}{
		{Corpus{Text: "short"}, []string{"training part has 5 characters, a window of 32 needs 33", "smaller Window"}, "shorter than a window"},
		{Corpus{Text: strings.Repeat("a", 300), Window: 30}, []string{"test part has 30 characters, a window of 30 needs 31"}, "one short"},
		{Corpus{Text: "abc", Window: 1, Test: 0.1}, []string{"test part has 0 characters"}, "no test part"},
		{Corpus{Window: math.MaxInt}, []string{"Window is"}, "absurd window"},
		{Corpus{Window: 1 << 20}, []string{"training part has"}, "window longer than the text"},
		{Corpus{Window: -1}, []string{"Window is -1"}, "negative window"},
		{Corpus{Stride: -1}, []string{"Stride is -1"}, "negative stride"},
		{Corpus{Test: 1}, []string{"Test is 1"}, "nothing to train on"},
		{Corpus{Test: -.1}, []string{"Test is -0.1"}, "negative fraction"},
		{Corpus{Test: math.NaN()}, []string{"Test is NaN"}, "NaN fraction"},
		{Corpus{Coding: 2}, []string{"Coding is 2"}, "unknown coding"},
		{Corpus{Text: "a", File: "b"}, []string{"both File and Text"}, "two texts"},
		{Corpus{File: missing}, []string{missing, "no such file"}, "no file"},
		{Corpus{File: t.TempDir()}, []string{"directory"}, "a folder"},
		{Corpus{Text: "caf\xe9 au lait"}, []string{"offset 3: byte 0xe9 is not UTF-8"}, "Latin-1"},
	} {
		train, held, err := test.corpus.Load()
		if err == nil || train != nil || held != nil {
			t.Errorf("%s: accepted", test.reason)
			continue
		}
		for _, want := range append(test.want, "data: Corpus: ") {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q not in error: %v", test.reason, want, err)
			}
		}
	}
	empty := filepath.Join(t.TempDir(), "empty.txt")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := (Corpus{File: empty}).Load(); err == nil || !strings.Contains(err.Error(), "0 characters") {
		t.Errorf("empty file: %v", err)
	}
}

func TestVocabulary_EncodeAndDecodeAreInverse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		v := VocabularyOf(text)
		if !slices.IsSorted(v) || len(slices.Compact(slices.Clone(v))) != len(v) {
			t.Fatalf("vocabulary %q", string(v))
		}
		ids, err := v.Encode(text)
		if err != nil || v.Decode(ids) != text {
			t.Fatalf("%q comes back as %q, %v", text, v.Decode(ids), err)
		}
	})
	v := VocabularyOf("hello")
	if ids, err := v.Encode("hole"); err != nil || !cmp.Equal(ids, []int{1, 3, 2, 0}) {
		t.Errorf("%v, %v", ids, err)
	}
	if _, err := v.Encode("help"); err == nil || !strings.Contains(err.Error(), `offset 3: 'p' is not in the vocabulary "ehlo"`) {
		t.Errorf("%v", err)
	}
	defer func() {
		if recover() == nil {
			t.Error("no panic for a class out of range")
		}
	}()
	v.Decode([]int{4})
}

// FuzzCorpus: whatever the text and the window, there is an error or every window can be filled and read back.
func FuzzCorpus(f *testing.F) {
	for _, text := range []string{"", "a", builtinText[:100], "caf\xe9", "\ufffd\ufffd\ufffd", "äöü→äöü→"} {
		f.Add(text, 3, 2, 0.5)
	}
	f.Fuzz(func(t *testing.T, text string, window, stride int, held float64) {
		if len(text) > 1000 || text == "" {
			return // empty means the built-in text
		}
		train, test, err := Corpus{Text: text, Window: window, Stride: stride, Test: held}.Load()
		if err != nil {
			return
		}
		for _, s := range []*Set{train, test} {
			x := make([]float64, s.In())
			for i := range s.Len() {
				Fill(s, x, nil, []int{i})
				if piece := decoded(t, s.Vocabulary(), x); !strings.Contains(text, piece) {
					t.Fatalf("%q is not in %q", piece, text)
				}
			}
		}
	})
}
