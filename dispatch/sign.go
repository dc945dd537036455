package dispatch

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
)

// Secret is a signing secret. It prints as ***; Reveal gives the text.
type Secret string

// String hides the secret.
func (s Secret) String() string { return "***" }

// GoString hides the secret from %#v.
func (s Secret) GoString() string { return "***" }

// MarshalText hides the secret from JSON and logs.
func (s Secret) MarshalText() ([]byte, error) { return []byte("***"), nil }

// Reveal returns the secret itself: for signing, and to show it to its owner.
func (s Secret) Reveal() string { return string(s) }

// NewSecret generates a signing secret: base64url without padding of 64 random bytes,
// 86 characters.
func NewSecret() string {
	var key [64]byte
	_, _ = rand.Read(key[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(key[:])
}

// StandardSecret returns the whsec_ form of a secret, which libraries of Standard
// Webhooks want: the base64 of its bytes.
func StandardSecret(secret string) string {
	return "whsec_" + base64.StdEncoding.EncodeToString([]byte(secret))
}

// Sign returns x-stackone-signature for a body: HMAC-SHA256 of its bytes under the
// secret's UTF-8 bytes, base64url without padding, 43 characters.
func Sign(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	_, _ = mac.Write(body)
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// Verify says whether signature is Sign's for the body, in constant time.
func Verify(secret string, body []byte, signature string) bool {
	return hmac.Equal([]byte(Sign(secret, body)), []byte(signature))
}

// StandardSignature returns webhook-signature of the Standard Webhooks specification:
// one "v1," entry for each secret over id, timestamp (seconds) and body, separated by
// spaces.
func StandardSignature(secrets []string, id string, timestamp int64, body []byte) string {
	seconds := strconv.FormatInt(timestamp, 10)
	entries := make([]string, len(secrets))
	for i, secret := range secrets {
		mac := hmac.New(sha256.New, []byte(secret))
		_, _ = mac.Write([]byte(id + "." + seconds + "."))
		_, _ = mac.Write(body)
		entries[i] = "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	return strings.Join(entries, " ")
}

// checkSecret judges a secret that a user brings along.
func checkSecret(secret string) error {
	switch {
	case strings.HasPrefix(secret, "whsec_"):
		return errors.New("starts with whsec_: give the plain secret, its whsec_ form is derived from it")
	case len(secret) < 16 || len(secret) > 256:
		return errors.New("must have 16 to 256 characters")
	case strings.ContainsFunc(secret, func(r rune) bool { return r <= ' ' || r > '~' }):
		return errors.New("must be printable ASCII without spaces")
	}
	return nil
}
