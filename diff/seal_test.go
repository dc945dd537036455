package diff

import (
	"encoding/hex"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

func seal(t testing.TB, key, stream string) *Sealer {
	t.Helper()
	s, err := NewSealer([]byte(key), stream)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestEqualContentsLookDifferent(t *testing.T) {
	const key, content = "sixteen bytes ..", 0x1234
	one := seal(t, key, "stream 1")
	fingerprints := map[string]uint64{
		"the record":       one.Fingerprint(Place("1"), content),
		"another record":   one.Fingerprint(Place("2"), content),
		"another stream":   seal(t, key, "stream 2").Fingerprint(Place("1"), content),
		"another key":      seal(t, "another key ....", "stream 1").Fingerprint(Place("1"), content),
		"other content":    one.Fingerprint(Place("1"), content+1),
		"place as content": one.Fingerprint(content, Place("1")),
	}
	seen := map[uint64]string{content: "the content"}
	for name, f := range fingerprints {
		if other, ok := seen[f]; ok {
			t.Errorf("%s and %s have the fingerprint %x", name, other, f)
		}
		seen[f] = name
	}
	if again := seal(t, key, "stream 1").Fingerprint(Place("1"), content); again != fingerprints["the record"] {
		t.Errorf("the same record has %x and %x", again, fingerprints["the record"])
	}
}

// Fingerprints stand in databases. The expected one was made with
//
//	openssl enc -aes-128-ecb -nopad -K 000102030405060708090a0b0c0d0e0f
//
// of (xxhash64("7") xor xxhash64("acme/employees")) and 0x0123456789abcdef.
func TestFingerprintsAreStored(t *testing.T) {
	key, _ := hex.DecodeString("000102030405060708090a0b0c0d0e0f")
	if got, want := seal(t, string(key), "acme/employees").Fingerprint(Place("7"), 0x0123456789abcdef), uint64(0x37659b9271850e6e); got != want {
		t.Errorf("got %#x, want %#x", got, want)
	}
}

func TestKeysHaveSixteenBytes(t *testing.T) {
	for _, n := range []int{0, 15, 17, 24, 32} {
		if _, err := NewSealer(make([]byte, n), "s"); err == nil || strings.Contains(err.Error(), "\x00") {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func TestFingerprintsAreNeverZero(t *testing.T) {
	s := seal(t, "sixteen bytes ..", "s")
	rapid.Check(t, func(t *rapid.T) {
		place, content := rapid.Uint64().Draw(t, "place"), rapid.Uint64().Draw(t, "content")
		if s.Fingerprint(place, content) == 0 {
			t.Fatal("0 is for records that are gone")
		}
	})
	s.block = zeroes{}
	if got := s.Fingerprint(1, 2); got != 1 {
		t.Errorf("a cipher text of zeroes became %d, want 1", got)
	}
}

// zeroes is the cipher that nobody can wait for.
type zeroes struct{}

func (zeroes) BlockSize() int          { return 16 }
func (zeroes) Encrypt(dst, src []byte) { clear(dst) }
func (zeroes) Decrypt(dst, src []byte) { clear(dst) }

func TestFingerprintsInManyGoroutines(t *testing.T) {
	s := seal(t, "sixteen bytes ..", "s")
	want := s.Fingerprint(7, 8)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for i := range uint64(1000) {
				s.Fingerprint(i, i)
				if got := s.Fingerprint(7, 8); got != want {
					t.Errorf("got %x, want %x", got, want)
				}
			}
		})
	}
	group.Wait()
}
