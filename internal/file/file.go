// Package file opens files that a user names: regular files only, packed by gzip or not, with a checksum of what is read.
package file

import (
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"io/fs"
	"os"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/internal/words"
)

const (
	// MaxBody is the most bytes that a file of a data set may hold, unpacked: 22 times MNIST. It fits an int everywhere.
	MaxBody = 1 << 30
	// MaxDeflate is how many times smaller deflate can make bytes at most: 258 bytes in 2 bits.
	MaxDeflate = 1032
	// Advice is the remedy of damage.
	Advice = "replace the file by an undamaged copy"

	gzipMagic = "\x1f\x8b"
)

// Open opens a regular file. Others are refused before they are opened: a pipe would wait for somebody to write, a device may
// never end.
func Open(path string) (*os.File, int64, error) {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		kind := "a device or pipe"
		if info.IsDir() {
			kind = "a folder"
		}
		return nil, 0, errors.Errorf("%s: no regular file but %s: give a file", words.Path(path), kind)
	}
	if err != nil {
		return nil, 0, openError(path, err)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, openError(path, err)
	}
	if info, err = f.Stat(); err == nil && !info.Mode().IsRegular() {
		err = errors.New("no regular file")
	}
	if err != nil {
		f.Close()
		return nil, 0, errors.Wrap(err, words.Path(path))
	}
	return f, info.Size(), nil
}

func openError(path string, err error) error {
	return &fs.PathError{Op: "open", Path: words.Path(path), Err: Cause(err)}
}

// Cause is err without the operation and path that a *fs.PathError repeats.
func Cause(err error) error {
	if pathErr := (*fs.PathError)(nil); errors.As(err, &pathErr) {
		return pathErr.Err
	}
	return err
}

// A Summed reader takes the SHA-256 of what is read.
type Summed struct {
	io.Reader
	hash.Hash
}

// Sum returns a reader of r that takes its checksum.
func Sum(r io.Reader) Summed {
	sum := sha256.New()
	return Summed{io.TeeReader(r, sum), sum}
}

// Hex is the checksum of what was read so far.
func (s Summed) Hex() string { return hex.EncodeToString(s.Hash.Sum(nil)) }

// Unpack returns the uncompressed bytes of r, which holds size bytes, whether they are gzip or plain, and the most that they can be. It
// looks at the content: names lie.
func Unpack(r io.Reader, size int64) (io.Reader, int64, error) {
	buffered := bufio.NewReader(r)
	// A Peek that comes up short (an empty file) is reported by the first read of the plain bytes.
	if start, _ := buffered.Peek(len(gzipMagic)); string(start) != gzipMagic {
		return buffered, size, nil
	}
	z, err := gzip.NewReader(buffered)
	if err != nil {
		return nil, 0, errors.Wrap(err, "offset 0: damaged gzip header: "+Advice)
	}
	return z, min(size, MaxBody) * MaxDeflate, nil
}

// An Info is a file as it was read.
type Info struct {
	Path   string
	Size   int64  // bytes on disk
	SHA256 string // of the bytes on disk, in hex
}

// Read lets read consume a file and returns what file it was; read must go on to the end.
func Read(path string, read func(r io.Reader, size int64) error) (Info, error) {
	f, size, err := Open(path)
	if err != nil {
		return Info{}, err // says operation and path
	}
	defer f.Close()
	return ReadFrom(f, size, path, read)
}

// ReadFrom is Read of what is open.
func ReadFrom(r io.Reader, size int64, path string, read func(r io.Reader, size int64) error) (Info, error) {
	sum := Sum(r)
	if err := read(sum, size); err != nil {
		return Info{}, errors.Wrap(err, words.Path(path))
	}
	return Info{path, size, sum.Hex()}, nil
}
