package diff

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"sync"

	"github.com/cespare/xxhash/v2"
)

// Place returns where the record with this id stands in its stream: xxhash64 of the id.
// It is no secret and not unique: two ids of a stream with 10⁹ records may share one.
func Place(id string) uint64 { return xxhash.Sum64String(id) }

// Sealer makes fingerprints of one stream's records. A fingerprint says nothing about the
// record to whoever lacks the key, and equal contents of two records, of two streams or
// under two keys have different fingerprints. It is safe for concurrent use.
type Sealer struct {
	block  cipher.Block
	salt   uint64
	blocks sync.Pool // of *[aes.BlockSize]byte: the cipher's interface makes them escape
}

// NewSealer takes a project's key of 16 bytes and what identifies the stream.
func NewSealer(key []byte, stream string) (*Sealer, error) {
	if len(key) != 16 {
		return nil, fmt.Errorf("fingerprint key has %d bytes: it must have 16", len(key))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("make fingerprint cipher: %w", err)
	}
	s := &Sealer{block: block, salt: xxhash.Sum64String(stream)}
	s.blocks.New = func() any { return new([aes.BlockSize]byte) }
	return s, nil
}

// Fingerprint seals the content of a record, its [Canonicalizer.Sum], at its [Place]: the
// first 8 bytes of AES-128(key, (place xor xxhash64(stream)) || content), all big-endian.
// It is never 0, which is kept for records that are gone.
func (s *Sealer) Fingerprint(place, content uint64) uint64 {
	b := s.blocks.Get().(*[aes.BlockSize]byte)
	binary.BigEndian.PutUint64(b[:8], place^s.salt)
	binary.BigEndian.PutUint64(b[8:], content)
	s.block.Encrypt(b[:], b[:])
	fingerprint := binary.BigEndian.Uint64(b[:8])
	s.blocks.Put(b)
	return max(fingerprint, 1)
}

// fieldSeal makes the digests of one stream's fields. It is not safe for concurrent use.
type fieldSeal struct {
	block cipher.Block
	salt  uint64
	text  []byte // of a block
}

// forFields returns the seal of fields, under a key that follows from the Sealer's: no
// digest is a part of any fingerprint.
func (s *Sealer) forFields() *fieldSeal {
	key := make([]byte, aes.BlockSize)
	s.block.Encrypt(key, []byte("digest of fields"))
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // only for another size of key
	}
	return &fieldSeal{block: block, salt: s.salt, text: make([]byte, aes.BlockSize)}
}

// digest seals a value at the path of a record. It is never 0, which is kept for fields
// that are absent.
func (s *fieldSeal) digest(place, path, value uint64) uint16 {
	binary.BigEndian.PutUint64(s.text[:8], place^s.salt^path)
	binary.BigEndian.PutUint64(s.text[8:], value)
	s.block.Encrypt(s.text, s.text)
	return max(binary.BigEndian.Uint16(s.text), 1)
}
