package data

import (
	"io"

	"github.com/pcgraph/pcgraph/internal/file"
)

// A File is a file as it was found or read.
type File struct {
	Path   string
	Size   int64  // bytes on disk
	SHA256 string // of the bytes on disk, in hex
}

// readFile lets read consume the file and returns what file it was; read must go on to the end.
func readFile(path string, read func(r io.Reader, size int64) error) (File, error) {
	f, err := file.Read(path, read)
	return File(f), err
}
