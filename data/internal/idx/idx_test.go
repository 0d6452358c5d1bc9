package idx

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// idxFile encodes a header of 32-bit words and a body.
func idxFile(body []byte, words ...uint32) []byte {
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

func imagesOf(file []byte) (Images, error) {
	return ReadImages(bytes.NewReader(file), int64(len(file)))
}

func TestReadImages_PlainAndGzipByContent(t *testing.T) {
	file := idxFile([]byte("abcdefghijkl"), MagicImages, 2, 3, 2)
	for name, file := range map[string][]byte{"plain": file, "gzip": pack(file)} {
		got, err := imagesOf(file)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got.Count != 2 || got.Rows != 3 || got.Columns != 2 || string(got.Pixels) != "abcdefghijkl" {
			t.Errorf("%s: got %+v", name, got)
		}
		if cap(got.Pixels) != 12 {
			t.Errorf("%s: capacity %d, want the exact 12", name, cap(got.Pixels))
		}
	}
}

func TestReadImages_RefusesDamage(t *testing.T) {
	good := idxFile([]byte("abcdefghijkl"), MagicImages, 2, 3, 2)
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
		{idxFile(nil, MagicLabels, 0), "offset", "labels, too short"},
		{idxFile([]byte("abcdefghijkl"), MagicLabels, 12), "0x00000801, expected 0x00000803", "labels where images belong"},
		{idxFile([]byte("abcdefghijkl"), 0xb03, 2, 3, 2), "magic", "16-bit elements"},
		{idxFile(nil, MagicImages, 0, 3, 2), "dimension 0 is 0", "no pictures"},
		{idxFile(nil, MagicImages, 2, 0, 2), "dimension 1 is 0", "no rows"},
		{idxFile(nil, MagicImages, 2, 3, 0), "dimension 2 is 0", "no columns"},
		{idxFile(nil, MagicImages, 0xffffffff, 28, 28), "dimension 0", "count beyond 31 bits"},
		{idxFile(nil, MagicImages, 1<<22, 28, 28), "dimensions make more", "too many bytes"},
		{idxFile(nil, MagicImages, 1<<30, 1<<12, 1<<12), "dimensions make more", "product of 2^54"},
		{idxFile(nil, MagicImages, 1, 1<<13, 1), "dimension 1", "absurd side"},
		{idxFile(nil, MagicImages, 1<<20, 28, 28), "offset 4: header promises 822083584 bytes", "lying header, plain"},
		{pack(idxFile(nil, MagicImages, 1<<20, 28, 28)), "more than a file of", "lying header, gzip"},
	} {
		_, err := imagesOf(test.file)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q in it", test.reason, err, test.want)
		}
	}
}

func TestReadIDX_LyingHeaderAllocatesNothing(t *testing.T) {
	for name, file := range map[string][]byte{
		"plain": idxFile(nil, MagicImages, 1<<20, 28, 28),
		"gzip":  pack(idxFile(nil, MagicImages, 1<<20, 28, 28)),
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
	file := idxFile([]byte{0, 9, 4, 10, 3}, MagicLabels, 5)
	if _, err := ReadLabels(bytes.NewReader(file), int64(len(file)), 10); err == nil ||
		!strings.Contains(err.Error(), "offset 11: label 10 of sample 3, expected 0..9") {
		t.Errorf("got %v", err)
	}
	labels, err := ReadLabels(bytes.NewReader(file), int64(len(file)), 11)
	if err != nil || !bytes.Equal(labels, []byte{0, 9, 4, 10, 3}) {
		t.Errorf("got %v, %v", labels, err)
	}
}

func TestReadIDX_ReportsReadErrors(t *testing.T) {
	broken := errors.New("disk on fire")
	r := io.MultiReader(bytes.NewReader(idxFile([]byte("abc"), MagicImages, 2, 3, 2)), failing{broken})
	if _, err := ReadImages(r, 28); !errors.Is(err, broken) || !strings.Contains(err.Error(), "offset 19") {
		t.Errorf("got %v", err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// FuzzIDX: what is accepted encodes back to the very bytes that were read, so nothing was ignored or made up.
func FuzzIDX(f *testing.F) {
	good := idxFile([]byte("abcdefghijkl"), MagicImages, 2, 3, 2)
	for _, seed := range [][]byte{
		nil, good, pack(good), good[:20], append(slices.Clone(good), 0), []byte("\x1f\x8b"),
		idxFile([]byte{1, 2, 3}, MagicLabels, 3), pack(idxFile([]byte{1, 2, 30}, MagicLabels, 3)),
		idxFile(nil, MagicImages, 1<<20, 28, 28), idxFile(nil, MagicImages, 1<<30, 1<<12, 1<<12),
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
			back := idxFile(got.Pixels, MagicImages, uint32(got.Count), uint32(got.Rows), uint32(got.Columns))
			if !bytes.Equal(back, plain) {
				t.Errorf("images: %x read back as %x", plain, back)
			}
		}
		if labels, err := ReadLabels(bytes.NewReader(file), int64(len(file)), 10); err == nil {
			if back := idxFile(labels, MagicLabels, uint32(len(labels))); !bytes.Equal(back, plain) || slices.Max(labels) > 9 {
				t.Errorf("labels: %x read back as %x", plain, back)
			}
		}
	})
}
