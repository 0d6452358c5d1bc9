package data

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// idx encodes a header of 32-bit words and a body.
func idx(body []byte, words ...uint32) []byte {
	var b []byte
	for _, w := range words {
		b = binary.BigEndian.AppendUint32(b, w)
	}
	return append(b, body...)
}

func pack(plain []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write(plain)
	z.Close()
	return b.Bytes()
}

func imagesOf(file []byte) (images, error) {
	return readImages(bytes.NewReader(file), int64(len(file)))
}

func TestReadImages_PlainAndGzipByContent(t *testing.T) {
	file := idx([]byte("abcdefghijkl"), magicImages, 2, 3, 2)
	for name, file := range map[string][]byte{"plain": file, "gzip": pack(file)} {
		got, err := imagesOf(file)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got.count != 2 || got.rows != 3 || got.columns != 2 || string(got.pixels) != "abcdefghijkl" {
			t.Errorf("%s: got %+v", name, got)
		}
		if cap(got.pixels) != 12 {
			t.Errorf("%s: capacity %d, want the exact 12", name, cap(got.pixels))
		}
	}
}

func TestReadImages_RefusesDamage(t *testing.T) {
	good := idx([]byte("abcdefghijkl"), magicImages, 2, 3, 2)
	packed := pack(good)
	badSum := slices.Clone(packed)
	badSum[len(badSum)-8] ^= 1 // first byte of the CRC-32
	for _, test := range []struct {
		file   []byte
		want   string
		reason string
	}{
		{nil, "offset 0", "empty"},
		{[]byte{0}, "offset 1", "one byte"},
		{good[:15], "offset 15", "ends in the header"},
		{good[:16], "offset 4", "a header alone promises more than the file holds"},
		{good[:27], "offset 4", "plain truncation is seen before allocating"},
		{append(slices.Clone(good), 0), "offset 28: trailing", "trailing byte"},
		{pack(good[:27]), "offset 27", "truncated inside gzip"},
		{pack(append(slices.Clone(good), 0)), "offset 28: trailing", "trailing byte inside gzip"},
		{packed[:len(packed)-9], "offset", "gzip stream cut in its data"},
		{packed[:len(packed)-1], "offset 28", "gzip stream cut in its checksum"},
		{badSum, "checksum", "gzip checksum"},
		{append(slices.Clone(packed), "junk"...), "offset 28", "junk behind the gzip stream"},
		{[]byte("\x1f\x8b"), "gzip header", "nothing behind the gzip magic"},
		{[]byte("\x1f\x8bxxxxxxxxxxxxxxxxxx"), "gzip header", "gzip magic only"},
		{idx(nil, magicLabels, 0), "offset", "labels, too short"},
		{idx([]byte("abcdefghijkl"), magicLabels, 12), "0x00000801, expected 0x00000803", "labels where images belong"},
		{idx([]byte("abcdefghijkl"), 0xb03, 2, 3, 2), "magic", "16-bit elements"},
		{idx(nil, magicImages, 0, 3, 2), "dimension 0 is 0", "no pictures"},
		{idx(nil, magicImages, 2, 0, 2), "dimension 1 is 0", "no rows"},
		{idx(nil, magicImages, 2, 3, 0), "dimension 2 is 0", "no columns"},
		{idx(nil, magicImages, 0xffffffff, 28, 28), "dimension 0", "count beyond 31 bits"},
		{idx(nil, magicImages, 1<<22, 28, 28), "dimensions make more", "too many bytes"},
		{idx(nil, magicImages, 1<<30, 1<<12, 1<<12), "dimensions make more", "product of 2^54"},
		{idx(nil, magicImages, 1, 1<<13, 1), "dimension 1", "absurd side"},
		{idx(nil, magicImages, 1<<20, 28, 28), "offset 4: header promises 822083584 bytes", "lying header, plain"},
		{pack(idx(nil, magicImages, 1<<20, 28, 28)), "more than a file of", "lying header, gzip"},
	} {
		_, err := imagesOf(test.file)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q in it", test.reason, err, test.want)
		}
	}
}

func TestReadIDX_LyingHeaderAllocatesNothing(t *testing.T) {
	for name, file := range map[string][]byte{
		"plain": idx(nil, magicImages, 1<<20, 28, 28),
		"gzip":  pack(idx(nil, magicImages, 1<<20, 28, 28)),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		imagesOf(file)
		runtime.ReadMemStats(&after)
		// The gzip reader itself takes some 50 kB; the header promises 800 MB.
		if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20 {
			t.Errorf("%s: allocated %d bytes", name, got)
		}
	}
}

func TestReadLabels_Range(t *testing.T) {
	file := idx([]byte{0, 9, 4, 10, 3}, magicLabels, 5)
	if _, err := readLabels(bytes.NewReader(file), int64(len(file)), 10); err == nil ||
		!strings.Contains(err.Error(), "offset 11: label 10 of sample 3, expected 0..9") {
		t.Errorf("got %v", err)
	}
	labels, err := readLabels(bytes.NewReader(file), int64(len(file)), 11)
	if err != nil || !bytes.Equal(labels, []byte{0, 9, 4, 10, 3}) {
		t.Errorf("got %v, %v", labels, err)
	}
}

func TestReadIDX_ReportsReadErrors(t *testing.T) {
	broken := errors.New("disk on fire")
	r := io.MultiReader(bytes.NewReader(idx([]byte("abc"), magicImages, 2, 3, 2)), failing{broken})
	if _, err := readImages(r, 28); !errors.Is(err, broken) || !strings.Contains(err.Error(), "offset 19") {
		t.Errorf("got %v", err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// FuzzIDX: what is accepted encodes back to the very bytes that were read, so nothing was ignored or made up.
func FuzzIDX(f *testing.F) {
	good := idx([]byte("abcdefghijkl"), magicImages, 2, 3, 2)
	for _, seed := range [][]byte{
		nil, good, pack(good), good[:20], append(slices.Clone(good), 0), []byte("\x1f\x8b"),
		idx([]byte{1, 2, 3}, magicLabels, 3), pack(idx([]byte{1, 2, 30}, magicLabels, 3)),
		idx(nil, magicImages, 1<<20, 28, 28), idx(nil, magicImages, 1<<30, 1<<12, 1<<12),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		plain := file
		if z, err := gzip.NewReader(bytes.NewReader(file)); err == nil {
			if plain, err = io.ReadAll(z); err != nil {
				plain = nil // must be refused
			}
		}
		if got, err := imagesOf(file); err == nil {
			back := idx(got.pixels, magicImages, uint32(got.count), uint32(got.rows), uint32(got.columns))
			if !bytes.Equal(back, plain) {
				t.Errorf("images: %x read back as %x", plain, back)
			}
		}
		if labels, err := readLabels(bytes.NewReader(file), int64(len(file)), 10); err == nil {
			if back := idx(labels, magicLabels, uint32(len(labels))); !bytes.Equal(back, plain) || slices.Max(labels) > 9 {
				t.Errorf("labels: %x read back as %x", plain, back)
			}
		}
	})
}

// writeArchive writes four small files under the given names: 2 training and 1 test picture of 2 x 2, labels 3, 7 and 9.
func writeArchive(t *testing.T, names [4]string) string {
	t.Helper()
	dir := t.TempDir()
	for k, file := range [4][]byte{
		idx([]byte{0, 51, 102, 153, 204, 255, 1, 2}, magicImages, 2, 2, 2),
		idx([]byte{3, 7}, magicLabels, 2),
		idx([]byte{10, 20, 30, 40}, magicImages, 1, 2, 2),
		idx([]byte{9}, magicLabels, 1),
	} {
		write(t, filepath.Join(dir, names[k]), file)
	}
	return dir
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}
