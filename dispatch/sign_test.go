package dispatch

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/rs/zerolog"
)

func TestSignatures(t *testing.T) {
	body := []byte(vectorBody)
	if got := Sign(vectorSecret, body); got != vectorSignature {
		t.Errorf("signature %s", got)
	}
	if !Verify(vectorSecret, body, vectorSignature) {
		t.Error("the vector is not verified")
	}
	for _, wrong := range []string{"", vectorSignature + "=", strings.ToLower(vectorSignature), vectorSignature[1:], "sha256=" + vectorSignature} {
		if Verify(vectorSecret, body, wrong) {
			t.Errorf("%q is verified", wrong)
		}
	}
	if Verify("other", body, vectorSignature) || Verify(vectorSecret, append(body, '\n'), vectorSignature) {
		t.Error("another secret or body is verified")
	}
	// The example of the Standard Webhooks specification's own libraries.
	secret, _ := base64.StdEncoding.DecodeString("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	payload := []byte(`{"test": 2432232314}`)
	const want = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
	if got := StandardSignature([]string{string(secret)}, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, payload); got != want {
		t.Errorf("standard signature %s", got)
	}
	if got := StandardSignature([]string{string(secret), string(secret)}, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, payload); got != want+" "+want {
		t.Errorf("two secrets: %s", got)
	}
}

func TestSecretsAreLongAndHidden(t *testing.T) {
	secret := NewSecret()
	raw, err := base64.RawURLEncoding.DecodeString(secret)
	if err != nil || len(secret) != 86 || len(raw) != 64 || secret == NewSecret() {
		t.Errorf("secret of %d characters, %v", len(secret), err)
	}
	if got := StandardSecret("abc"); got != "whsec_YWJj" {
		t.Errorf("standard form %s", got)
	}
	w := Webhook{Secret: Secret(secret)}
	text, err := json.Marshal(w)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	logger := zerolog.New(&log)
	logger.Info().Stringer("a", w.Secret).Any("b", w).Msg("")
	for _, shown := range []string{string(text), log.String(), fmt.Sprint(w), fmt.Sprintf("%#v %+v %s %q", w, w, w.Secret, w.Secret)} {
		if strings.Contains(shown, secret) {
			t.Errorf("the secret is shown: %s", shown)
		}
	}
	if w.Secret.Reveal() != secret {
		t.Error("the secret is not revealed")
	}
}
