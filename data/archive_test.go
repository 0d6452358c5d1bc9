package data

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/pcgraph/pcgraph/data/internal/idx"
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

// writeArchive writes four small files under the given names: 2 training and 1 test picture of 2 x 2, labels 3, 7 and 9.
func writeArchive(t *testing.T, names [4]string) string {
	t.Helper()
	dir := t.TempDir()
	for k, file := range [4][]byte{
		idxFile([]byte{0, 51, 102, 153, 204, 255, 1, 2}, idx.MagicImages, 2, 2, 2),
		idxFile([]byte{3, 7}, idx.MagicLabels, 2),
		idxFile([]byte{10, 20, 30, 40}, idx.MagicImages, 1, 2, 2),
		idxFile([]byte{9}, idx.MagicLabels, 1),
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
