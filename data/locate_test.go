package data

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pcgraph/pcgraph/data/internal/idx"
)

func errorIsNotFound(err error) bool { return errors.Is(err, ErrNotFound) }

func TestLoad_AcceptsEverySpelling(t *testing.T) {
	dotted := [4]string{"train-images.idx3-ubyte", "train-labels.idx1-ubyte", "t10k-images.idx3-ubyte", "t10k-labels.idx1-ubyte"}
	mixed := [4]string{"train-images.idx3-ubyte.gz", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte.gz", "t10k-labels.idx1-ubyte"}
	for _, names := range [][4]string{parts, dotted, mixed} { // ".gz" over plain content: content decides
		train, test, err := MNIST{Dir: writeArchive(t, names), Norm: Norm{Std: 1}}.Load()
		if err != nil {
			t.Fatal(err)
		}
		x, y := make([]float64, 8), make([]float64, 20)
		Fill(train, x, y, []int{1, 0})
		want := []float64{204. / 255, 1, 1. / 255, 2. / 255, 0, 51. / 255, 102. / 255, 153. / 255}
		if diff := cmp.Diff(want, x); diff != "" || y[7] != 1 || y[13] != 1 {
			t.Errorf("%v: x (-want +got):\n%s\ny: %v", names, diff, y)
		}
		if train.Len() != 2 || test.Len() != 1 || test.Label(0) != 9 || test.Shape() != (Shape{1, 2, 2}) ||
			train.Name != "MNIST train" || test.Name != "MNIST test" {
			t.Errorf("%v: train %d, test %d, %s, %s", names, train.Len(), test.Len(), train.Name, test.Name)
		}
	}
}

func TestLoad_FilesMustAgree(t *testing.T) {
	for _, test := range []struct {
		part   string
		file   []byte
		want   []string
		reason string
	}{
		{parts[1], idxFile([]byte{3}, idx.MagicLabels, 1), []string{"2 pictures", "1 labels", parts[0], parts[1]}, "fewer labels"},
		{parts[3], idxFile([]byte{3, 4}, idx.MagicLabels, 2), []string{"1 pictures", "2 labels", parts[3]}, "more labels"},
		{parts[3], idxFile([]byte{10}, idx.MagicLabels, 1), []string{parts[3], "label 10", "0..9"}, "label out of range"},
		{parts[2], idxFile([]byte{1, 2}, idx.MagicImages, 1, 1, 2), []string{"2 x 2", "1 x 2"}, "other picture size"},
		{parts[0], idxFile([]byte{3, 7}, idx.MagicLabels, 2), []string{parts[0], "magic"}, "labels where images belong"},
		{parts[0], nil, []string{parts[0], "offset 0"}, "empty file"},
	} {
		dir := writeArchive(t, parts)
		write(t, filepath.Join(dir, test.part), test.file)
		_, _, err := FashionMNIST{Dir: dir}.Load()
		if err == nil {
			t.Errorf("%s: accepted", test.reason)
			continue
		}
		for _, want := range append(test.want, "data: Fashion-MNIST", dir) {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q not in error: %v", test.reason, want, err)
			}
		}
	}
}

func TestLoad_NotFoundListsFoldersAndAdvice(t *testing.T) {
	empty, missing := t.TempDir(), filepath.Join(t.TempDir(), "nowhere")
	half := writeArchive(t, parts)
	if err := os.Remove(filepath.Join(half, parts[3])); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(half, parts[3]), 0o700); err != nil { // a folder of the right name is not the file
		t.Fatal(err)
	}
	for _, test := range []struct {
		load   func() (train, test *Set, err error)
		env    string // value of PCGRAPH_FASHION_MNIST and PCGRAPH_MNIST
		want   []string
		reason string
	}{
		{FashionMNIST{Dir: empty}.Load, half, []string{empty, "field Dir", parts[0], "dataset-fashion-mnist"}, "Dir wins"},
		{FashionMNIST{Dir: missing}.Load, "", []string{missing, "no such file"}, "Dir does not exist"},
		{FashionMNIST{}.Load, half, []string{half, "PCGRAPH_FASHION_MNIST", "no " + parts[3] + "[.gz]"}, "one file missing"},
		{MNIST{}.Load, empty, []string{empty, "PCGRAPH_MNIST", "go mod download"}, "named folder, no falling back"},
	} {
		t.Setenv("PCGRAPH_MNIST", test.env)
		t.Setenv("PCGRAPH_FASHION_MNIST", test.env)
		_, _, err := test.load()
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v is not ErrNotFound", test.reason, err)
			continue
		}
		if notFound := (*NotFoundError)(nil); !errors.As(err, &notFound) || len(notFound.Searched) != 1 {
			t.Errorf("%s: want a NotFoundError with one place: %v", test.reason, err)
		}
		for _, want := range test.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q not in error: %v", test.reason, want, err)
			}
		}
	}
}

func TestFind_GoesThroughTheUsualFoldersInOrder(t *testing.T) {
	empty, first, second := t.TempDir(), writeArchive(t, parts), writeArchive(t, parts)
	a := archive{name: "X", parts: parts[:], usual: []Location{{Dir: empty}, {Dir: first}, {Dir: second}}}
	if got, _, err := a.find(); err != nil || got.Dir != first {
		t.Errorf("found %v, %v; want %s", got, err, first)
	}
	a.usual = []Location{{Dir: empty}, {Dir: filepath.Join(empty, "x")}}
	_, _, err := a.find()
	notFound := (*NotFoundError)(nil)
	if !errors.As(err, &notFound) || len(notFound.Searched) != 2 {
		t.Errorf("want both folders in the error: %v", err)
	}
	a.usual = nil
	if _, _, err := a.find(); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("no usual folder: %v", err)
	}
}

func TestLocate_ReportsFilesWithChecksums(t *testing.T) {
	dir, empty := writeArchive(t, parts), t.TempDir()
	got := Locate(Dirs{MNIST: dir, FashionMNIST: empty, CIFAR10: empty, CIFAR100: empty})
	if len(got) != 4 || got[0].Name != "MNIST" || got[1].Name != "Fashion-MNIST" || got[2].Name != "CIFAR-10" || got[3].Name != "CIFAR-100" {
		t.Fatalf("got %+v", got)
	}
	if !errors.Is(got[1].Err, ErrNotFound) || got[1].Files != nil {
		t.Errorf("empty folder: %+v", got[1])
	}
	if got[0].Err != nil || got[0].Dir != dir || len(got[0].Files) != 4 {
		t.Fatalf("full folder: %+v", got[0])
	}
	for k, file := range got[0].Files { // oracle: the whole file in memory
		content, err := os.ReadFile(filepath.Join(dir, parts[k]))
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(content)
		want := File{Path: filepath.Join(dir, parts[k]), Size: int64(len(content)), SHA256: hex.EncodeToString(sum[:])}
		if file != want {
			t.Errorf("got %+v, want %+v", file, want)
		}
	}
	train, test, err := MNIST{Dir: dir}.Load()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got[0].Files, append(train.Files, test.Files...)); diff != "" {
		t.Errorf("Set.Files differ from Locate (-locate +set):\n%s", diff)
	}
}

// Locate looks at how files begin: a web page that was saved under the name of an archive, labels in the place of pictures, and a file of
// another set are not found but wrong.
func TestLocate_LooksAtHowFilesBegin(t *testing.T) {
	dir := writeArchive(t, parts)
	if at := (MNIST{Dir: dir}).archive().locate(); at.Err != nil || len(at.Files) != 4 {
		t.Fatal(at.Err)
	}
	for content, want := range map[string]string{
		"<!DOCTYPE html>\n<p>404</p>\n":                   "it begins as a web page does",
		string(pack([]byte("<html>"))):                    "it begins as a web page does",
		string(idxFile([]byte{3, 7}, idx.MagicLabels, 2)): "magic number 0x00000801, expected 0x00000803 (IDX images)",
		"\x1f\x8b": "damaged gzip header",
		"":         "in the magic number",
		string(pack(idxFile([]byte{1, 2}, idx.MagicLabels, 2))): "expected 0x00000803",
	} {
		path := filepath.Join(dir, parts[0])
		write(t, path, []byte(content))
		at := (MNIST{Dir: dir}).archive().locate()
		if at.Err == nil || !strings.Contains(at.Err.Error(), want) || !strings.Contains(at.Err.Error(), path) {
			t.Errorf("%.20q: %v, want %q", content, at.Err, want)
		}
	}
	cifarDir := writeCIFAR10(t, t.TempDir())
	if at := (CIFAR10{Dir: cifarDir}).archive().locate(); at.Err != nil {
		t.Fatal(at.Err)
	}
	for content, want := range map[string]string{
		"<html>":                                "a multiple of 3073",
		strings.Repeat("<", 3073):               "offset 0: label 60, expected 0..9",
		string(pack([]byte("<!DOCTYPE html>"))): "label 60",
	} {
		write(t, filepath.Join(cifarDir, "test_batch.bin"), []byte(content))
		if at := (CIFAR10{Dir: cifarDir}).archive().locate(); at.Err == nil || !strings.Contains(at.Err.Error(), want) {
			t.Errorf("%.20q: %v, want %q", content, at.Err, want)
		}
	}
}
