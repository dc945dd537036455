package keys

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
)

// MinMasterKey is the length, in characters, of the shortest master key. Its
// characters must be random: a key is derived from it by HKDF, which does not slow down
// who guesses a password.
const MinMasterKey = 32

// Sealer seals with AES-256-GCM. What is sealed is bound to its purpose: it opens for no
// other. Safe for concurrent use.
//
// Sealed form: one byte version, 12 bytes random nonce, ciphertext, 16 bytes tag. Random
// nonces bear 2³² seals under one key (NIST SP 800-38D, 8.3).
type Sealer struct{ aead cipher.AEAD }

// ErrSealed is returned for what does not open: sealed under another key or for
// another purpose, or changed since.
var ErrSealed = errors.New("can't be unsealed: another key, another purpose, or changed")

const sealVersion = 1

// NewSealer derives the sealing key from the master key: any text of at least 32
// random characters (32 bytes in base64 or hex are such). Space around it is dropped.
func NewSealer(master string) (*Sealer, error) {
	master = strings.TrimSpace(master)
	if len(master) < MinMasterKey {
		return nil, fmt.Errorf("the master key has %d characters: it needs at least %d random ones, such as the output of `openssl rand -base64 32`", len(master), MinMasterKey)
	}
	return newSealer([]byte(master), "synthook master key v1: sealing")
}

// newSealer derives the sealing key from random bytes, for one use.
func newSealer(random []byte, use string) (*Sealer, error) {
	key, err := hkdf.Key(sha256.New, random, nil, use, 32)
	if err != nil {
		return nil, fmt.Errorf("derive sealing key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("make cipher: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("make cipher: %w", err)
	}
	return &Sealer{aead}, nil
}

// Seal seals plain for a purpose such as "webhook:wh_1:secret".
func (s *Sealer) Seal(plain []byte, purpose string) ([]byte, error) {
	return s.aead.Seal([]byte{sealVersion}, nil, plain, []byte(purpose)), nil
}

// Open opens what Seal sealed for the same purpose; else ErrSealed.
func (s *Sealer) Open(sealed []byte, purpose string) ([]byte, error) {
	if len(sealed) == 0 || sealed[0] != sealVersion {
		return nil, ErrSealed
	}
	plain, err := s.aead.Open(nil, nil, sealed[1:], []byte(purpose))
	if err != nil {
		return nil, ErrSealed
	}
	return plain, nil
}
