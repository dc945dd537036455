package keys

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
)

// AdminMark proves of something that it was opened with the present admin key: another
// admin key has another mark, and the mark tells nothing about the key.
func (k *Keys) AdminMark() []byte {
	mac := hmac.New(sha256.New, k.adminHash)
	mac.Write([]byte("synthook admin mark"))
	return mac.Sum(nil)
}

// IsAdminMark says whether mark is that of the present admin key, in constant time.
func (k *Keys) IsAdminMark(mark []byte) bool {
	return subtle.ConstantTimeCompare(mark, k.AdminMark()) == 1
}
