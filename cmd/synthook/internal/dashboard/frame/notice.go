package frame

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"time"
)

// Notice is what the next page tells of what was done. Secret, where there is one, is
// shown with it and never again.
type Notice struct {
	Tone   string `json:"t,omitempty"` // ok, warn or bad
	Text   string `json:"x"`
	Secret string `json:"s,omitempty"`
	Name   string `json:"n,omitempty"` // of the secret
	Also   string `json:"a,omitempty"` // the secret in its other form
}

// Sealer encrypts what a cookie carries.
type Sealer interface {
	Seal(plain []byte, purpose string) ([]byte, error)
	Open(sealed []byte, purpose string) ([]byte, error)
}

// noticeLife is how long a notice waits for its page.
const noticeLife = time.Minute

const noticePurpose = "dashboard:notice"

// PutNotice gives a notice along to the page that is redirected to. It travels sealed, in
// a cookie of a minute.
func PutNotice(w http.ResponseWriter, s Sealer, cookie http.Cookie, n Notice) error {
	text, err := json.Marshal(n)
	if err != nil {
		return err
	}
	sealed, err := s.Seal(text, noticePurpose)
	if err != nil {
		return err
	}
	cookie.Value, cookie.MaxAge = base64.RawURLEncoding.EncodeToString(sealed), int(noticeLife.Seconds())
	http.SetCookie(w, &cookie)
	return nil
}

// TakeNotice returns the notice that the request brings, and makes the browser forget it;
// nil where there is none.
func TakeNotice(w http.ResponseWriter, r *http.Request, s Sealer, cookie http.Cookie) *Notice {
	brought, err := r.Cookie(cookie.Name)
	if err != nil {
		return nil
	}
	cookie.MaxAge = -1
	http.SetCookie(w, &cookie)
	sealed, err := base64.RawURLEncoding.DecodeString(brought.Value)
	if err != nil {
		return nil
	}
	text, err := s.Open(sealed, noticePurpose)
	if err != nil {
		return nil // of another installation, or forged
	}
	var n Notice
	if json.Unmarshal(text, &n) != nil {
		return nil
	}
	return &n
}
