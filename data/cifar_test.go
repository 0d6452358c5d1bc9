package data

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pcgraph/pcgraph/data/internal/cifar"
)

var (
	fine10  = CIFAR10{}.labels()
	fine100 = CIFAR100{}.labels()
)

// cifarPixel is the byte that the tests' pictures have at (row h, column w, channel c) of record k.
func cifarPixel(k, c, h, w int) uint8 { return uint8(7*k + 101*c + 13*h + w) }

// cifarFile encodes records as the format has it: the given label bytes, then plane by plane.
func cifarFile(labels ...[]byte) []byte {
	var b []byte
	for k, label := range labels {
		b = append(b, label...)
		for c := range 3 {
			for h := range 32 {
				for w := range 32 {
					b = append(b, cifarPixel(k, c, h, w))
				}
			}
		}
	}
	return b
}

func cifarOf(file []byte, labels cifar.Labels) (cifar.Records, error) {
	return cifar.Read(cifar.Records{}, bytes.NewReader(file), int64(len(file)), labels, 1)
}

// writeCIFAR10 writes the six files: batch k has the labels k and k+1, the test part 9.
func writeCIFAR10(t *testing.T, dir string) string {
	t.Helper()
	for k := range 5 {
		write(t, filepath.Join(dir, fmt.Sprintf("data_batch_%d.bin", k+1)), cifarFile([]byte{byte(k)}, []byte{byte(k + 1)}))
	}
	write(t, filepath.Join(dir, "test_batch.bin"), cifarFile([]byte{9}))
	return dir
}

func TestCIFAR10_FilesInTurnChannelsLastNormalised(t *testing.T) {
	train, test, err := CIFAR10{Dir: writeCIFAR10(t, t.TempDir())}.Load()
	if err != nil {
		t.Fatal(err)
	}
	if train.Len() != 10 || test.Len() != 1 || train.In() != 3072 || train.Out() != 10 || train.Classes() != 10 ||
		train.Shape() != (Shape{3, 32, 32}) || train.Name != "CIFAR-10 train" || test.Name != "CIFAR-10 test" ||
		len(train.Files) != 5 || len(test.Files) != 1 {
		t.Errorf("%d + %d samples, %+v", train.Len(), test.Len(), train.Shape())
	}
	if diff := cmp.Diff([]int{32, 32, 3}, train.InShape()); diff != "" {
		t.Errorf("InShape (-want +got):\n%s", diff)
	}
	var labels []int
	for i := range train.Len() {
		labels = append(labels, train.Label(i))
	}
	if diff := cmp.Diff([]int{0, 1, 1, 2, 2, 3, 3, 4, 4, 5}, labels); diff != "" || test.Label(0) != 9 {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
	x, y := make([]float64, 3072), make([]float64, 10)
	Fill(train, x, y, []int{3}) // record 1 of the second file, label 2
	if y[2] != 1 {
		t.Errorf("target %v", y)
	}
	for h := range 32 {
		for w := range 32 {
			for c := range 3 {
				v := cifarPixel(1, c, h, w)
				if got, want := x[(h*32+w)*3+c], (float64(v)/255-.5)/.5; got != want {
					t.Fatalf("pixel (%d, %d, %d) is %v, want %v", h, w, c, got, want)
				}
			}
		}
	}
}

func TestCIFAR100_FineAndCoarseLabels(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "train.bin"), cifarFile([]byte{19, 99}, []byte{0, 1}))
	write(t, filepath.Join(dir, "test.bin.gz"), pack(cifarFile([]byte{4, 7})))
	for _, test := range []struct {
		coarse  bool
		classes int
		labels  [3]int
	}{{false, 100, [3]int{99, 1, 7}}, {true, 20, [3]int{19, 0, 4}}} {
		train, held, err := CIFAR100{Dir: dir, Coarse: test.coarse}.Load()
		if err != nil {
			t.Fatal(err)
		}
		got := [3]int{train.Label(0), train.Label(1), held.Label(0)}
		if train.Classes() != test.classes || held.Classes() != test.classes || got != test.labels {
			t.Errorf("coarse %v: %d classes, labels %v, want %d, %v", test.coarse, train.Classes(), got, test.classes, test.labels)
		}
		if held.Pixels(0)[3*(32*5+6)+2] != cifarPixel(0, 2, 5, 6) {
			t.Errorf("coarse %v: pixel differs", test.coarse)
		}
	}
}

func TestReadCIFAR_RefusesDamage(t *testing.T) {
	good := cifarFile([]byte{3}, []byte{7})
	packed := pack(good)
	for _, test := range []struct {
		file   []byte
		labels cifar.Labels
		want   string
		reason string
	}{
		{nil, fine10, "offset 0", "empty"},
		{pack(nil), fine10, "offset 0", "empty inside gzip"},
		{good[:1], fine10, "file of 1 bytes, expected a multiple of 3073", "one byte"},
		{good[:len(good)-1], fine10, "multiple of 3073", "truncated"},
		{append(slices.Clone(good), 0), fine10, "multiple of 3073", "trailing byte"},
		{pack(good[:4000]), fine10, "offset 4000: file ends", "truncated inside gzip"},
		{packed[:len(packed)-1], fine10, "offset 6146", "gzip stream cut in its checksum"},
		{[]byte("\x1f\x8bxxxxxxxxxxxxxxxxxx"), fine10, "gzip header", "gzip magic only"},
		{cifarFile([]byte{3}, []byte{10}), fine10, "offset 3073: label 10 of sample 1 of the file, expected 0..9", "label out of range"},
		{cifarFile([]byte{20, 0}), fine100, "offset 0: label 20 of sample 0 of the file, expected 0..19", "superclass out of range"},
		{cifarFile([]byte{0, 1}, []byte{0, 100}), fine100, "offset 3075: label 100", "class out of range"},
		{good, fine100, "file of 6146 bytes, expected a multiple of 3074", "CIFAR-10 where CIFAR-100 belongs"},
	} {
		_, err := cifarOf(test.file, test.labels)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q in it", test.reason, err, test.want)
		}
	}
}

// The records of all files are in one piece of memory that was reserved once.
func TestReadCIFAR_ReservesForAllFiles(t *testing.T) {
	file := cifarFile([]byte{3}, []byte{7})
	var all cifar.Records
	var first *byte
	for k := range 5 {
		var err error
		if all, err = cifar.Read(all, bytes.NewReader(file), int64(len(file)), fine10, 5-k); err != nil {
			t.Fatal(err)
		}
		if k == 0 {
			first = &all.Pixels[0]
		}
		if &all.Pixels[0] != first {
			t.Fatalf("file %d of 5 moved the pixels", k+1)
		}
	}
	if len(all.Pixels) != 30720 || cap(all.Pixels) >= 2*30720 {
		t.Errorf("%d bytes of pixels in memory for %d, want 30720 and little more", len(all.Pixels), cap(all.Pixels))
	}
}

func TestCIFAR_ErrorsNamePathAndWhatToDo(t *testing.T) {
	dir := writeCIFAR10(t, t.TempDir())
	broken := filepath.Join(dir, "data_batch_3.bin")
	write(t, broken, []byte("not a record"))
	_, _, err := CIFAR10{Dir: dir}.Load()
	for _, want := range []string{"data: CIFAR-10", broken, "3073", "undamaged copy"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q not in error: %v", want, err)
		}
	}
	if _, _, err := (CIFAR10{Dir: dir, Norm: Norm{Std: -1}}).Load(); err == nil || !strings.Contains(err.Error(), "Std") {
		t.Errorf("negative Std: %v", err)
	}
	empty := t.TempDir()
	t.Setenv("PCGRAPH_CIFAR100", empty)
	_, _, err = CIFAR100{}.Load()
	for _, want := range []string{"PCGRAPH_CIFAR100", empty, "no train.bin[.gz], test.bin[.gz]", "cifar-100-binary.tar.gz"} {
		if !errorIsNotFound(err) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q not in error: %v", want, err)
		}
	}
}

// Somebody who unpacked the archive in a folder may name that folder or the one that unpacking made.
func TestCIFAR_IsFoundInTheFolderThatUnpackingMakes(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "cifar-10-batches-bin")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	writeCIFAR10(t, dir)
	for _, named := range []string{parent, dir} {
		t.Setenv("PCGRAPH_CIFAR10", named)
		if _, _, err := (CIFAR10{}).Load(); err != nil {
			t.Errorf("%s: %v", named, err)
		}
		at := Locate(Dirs{})[2]
		if at.Err != nil || at.Dir != dir || len(at.Files) != 6 {
			t.Errorf("%s: %+v", named, at)
		}
	}
	t.Setenv("PCGRAPH_CIFAR10", "")
	t.Setenv("HOME", parent)
	t.Setenv("USERPROFILE", parent)
	usual := filepath.Join(parent, "datasets")
	if err := os.Mkdir(usual, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(dir, filepath.Join(usual, "cifar-10-batches-bin")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := (CIFAR10{}).Load(); err != nil {
		t.Error(err)
	}
}

// FuzzCIFAR: what is accepted encodes back to the very bytes that were read, so nothing was ignored or made up.
func FuzzCIFAR(f *testing.F) {
	f.Add([]byte{3, 7}, []byte{0, 1, 2}, uint8(1), 0, false)
	f.Add([]byte{3}, []byte{255, 7}, uint8(1), -5, true)
	f.Add([]byte{10}, []byte{1}, uint8(1), 0, false)
	f.Add([]byte{19, 99, 3, 4}, []byte{1, 2}, uint8(2), 0, true)
	f.Add([]byte{20, 99}, []byte{1, 2}, uint8(2), 1, true)
	f.Add([]byte{}, []byte{0x1f, 0x8b}, uint8(1), 2, false)
	z := gzip.NewWriter(nil) // makes tables of a megabyte: one for all
	// A file is made of few bytes, so that the fuzzer has few to change and to leave out: records of a number of labels and of pixels
	// that repeat, with bytes added at the end or cut off.
	f.Fuzz(func(t *testing.T, heads, pixels []byte, width uint8, more int, packed bool) {
		var plain []byte
		for at := 0; width > 0 && at+int(width) <= len(heads) && at < 4*int(width); at += int(width) {
			plain = append(plain, heads[at:at+int(width)]...)
			for k := 0; k < 3072 && len(pixels) > 0; k++ {
				plain = append(plain, pixels[k%len(pixels)])
			}
		}
		if more = more % 3100; more < 0 {
			plain = plain[:max(0, len(plain)+more)]
		} else {
			for k := range min(more, 3100*len(pixels)) {
				plain = append(plain, pixels[k%len(pixels)])
			}
		}
		file := plain
		if packed {
			var b bytes.Buffer
			z.Reset(&b)
			z.Write(plain)
			z.Close()
			file = b.Bytes()
		} else if z, err := gzip.NewReader(bytes.NewReader(file)); err == nil {
			if plain, err = io.ReadAll(z); err != nil {
				plain = nil // must be refused
			}
		}
		for _, labels := range []cifar.Labels{fine10, fine100} {
			got, err := cifarOf(file, labels)
			if err != nil {
				continue
			}
			size := len(labels.Classes) + 3072
			if len(got.Labels) == 0 || len(plain) != len(got.Labels)*size || len(got.Pixels) != len(got.Labels)*3072 {
				t.Fatalf("%d labels and %d pixels from %d bytes", len(got.Labels), len(got.Pixels), len(plain))
			}
			for k, label := range got.Labels {
				record := plain[k*size : (k+1)*size]
				if record[labels.Kept] != label || int(label) >= labels.Classes[labels.Kept] {
					t.Errorf("record %d: label %d from %d", k, label, record[labels.Kept])
				}
				for j := range 1024 {
					for c := range 3 {
						if got.Pixels[k*3072+j*3+c] != record[len(labels.Classes)+c*1024+j] {
							t.Fatalf("record %d: pixel %d of channel %d differs", k, j, c)
						}
					}
				}
			}
		}
	})
}
