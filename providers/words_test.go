package providers

import (
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"
)

// What providers say of their errors is told as far as it is the language of errors.
func TestProvidersWords(t *testing.T) {
	for _, test := range []struct{ kind, body, want string }{
		{"", `{"error":"invalid_grant","error_description":"Token has been expired or revoked."}`, "invalid_grant: token has been expired or revoked"},
		{"", `{"message":"Invalid API key"}`, "invalid api key"},
		{"", `{"errors":[{"status":"403","code":"INSUFFICIENT_SCOPE","detail":"The token lacks the scope employees:read"}]}`, "insufficient_scope: the token lacks the scope employees_read"},
		{"", `{"error":{"code":403,"message":"Your current plan does not include access to this feature. Please upgrade to Enterprise."}}`, "your current plan does not include access to this feature. please upgrade to enterprise"},
		{"", `{"fault":{"faultstring":"Rate limit quota violation. Quota limit exceeded. Identifier : 8f7e4711"}}`, "rate limit quota violation. quota limit exceeded. identifier …"},
		{"", `["The request could not be authenticated"]`, "the request could not be authenticated"},
		{"", `"InvalidAuthenticationToken"`, "invalid_authentication_token"},
		{"text/html", `<!doctype html><html><head><title>Sign in to your account</title></head><body>Ada Lovelace</body></html>`, "sign in to your account"},
		{"text/plain", "Your IP address 203.0.113.7 is not on the allowlist", "your ip … is not on the allowlist"},

		// What is about somebody, or gives something away.
		{"", `{"message":"User ada.lovelace@example.com has no permission"}`, "user … has no permission"},
		{"", `{"message":"User Ada Lovelace (id 4711) may not read employee 8842-AD"}`, "user … id may not read employee …"},
		{"", `{"message":"Grant Key is not allowed to read this"}`, "… is not allowed to read this"},
		{"", `{"message":"User An Do is not allowed. You may not read this"}`, "user … is not allowed. you may not read this"},
		{"", `{"message":"Invalid user: Grant"}`, "invalid user …"},
		{"", `{"message":"invalid login grant_key"}`, "invalid login …"},
		{"", `{"message":"invalid login grant.key@token.example"}`, "invalid login …"},
		{"", `{"message":"Invalid API key sk_live_a8f7e6d5c4b3"}`, "invalid api key …"},
		{"", `{"message":"The token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2ln is expired"}`, "the token … is expired"},
		{"", `{"message":"Bearer secret/token/key123"}`, ""},
		{"", `{"message":"No access for https://example.com/employees/4711?token=abc"}`, ""},
		{"", `{"error":true,"data":[{"name":"Ada Lovelace","title":"Countess"}]}`, ""},
		{"", `{"title":"Ada Lovelace","detail":"Mathematician, London"}`, ""},
		{"", `{"message":"Invalid token Premium, or premium_plan"}`, "invalid token … or …"}, // it is the secret
		{"", `{"message":"Forbidden"}`, "forbidden"},
		{"", `{"message":"not found"}`, ""},
		{"text/plain", "Ada Lovelace, Grace Hopper, Alan Turing", ""},
		{"text/html", "<html><title>Ada's employees</title>", ""},
		{"", `{"message":"Zugriff verweigert: ungültiges token"}`, ""},
		{"", `{"message":`, ""},
	} {
		a := answer{status: 403, header: http.Header{"Content-Type": {test.kind}}, body: []byte(test.body)}
		if got := a.speech([]string{"Basic premium"}); got != test.want {
			t.Errorf("%s\n got %q\nwant %q", test.body, got, test.want)
		}
	}
}

func TestProvidersWordsInAHeader(t *testing.T) {
	header := http.Header{"Www-Authenticate": {`Bearer realm="Ada", error="invalid_token", error_description="The access token expired"`}}
	a := answer{status: 401, header: header, body: []byte(`{"request":"4711"}`)}
	if got, want := a.speech([]string{"Basic premium"}), "invalid_token: the access token expired"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestProvidersWordsAreFew(t *testing.T) {
	long := `{"message":"` + strings.Repeat("the token is invalid and the scope is missing ", 50) + `"}`
	a := answer{status: 403, body: []byte(long)}
	if got := a.speech([]string{"Basic premium"}); utf8.RuneCountInString(got) > longestPhrase || !strings.HasSuffix(got, " …") || !strings.HasPrefix(got, "the token is invalid") {
		t.Errorf("%d characters: %q", utf8.RuneCountInString(got), got)
	}
}

// Whatever an answer says, nothing is told but words of the vocabulary.
func FuzzProvidersWords(f *testing.F) {
	for _, seed := range []string{
		`{"error":"invalid_grant","error_description":"Ada is not allowed, O'Brien’s token 4711"}`, `{"errors":{"detail":["Grant Key","x@y.example"]}}`,
		"<title>Login … Ada</title>", "INSUFFICIENT_SCOPE employees:read ada:read", `"InvalidAda_Token-keyIſ"`, "token\xff\xfe key \u202e K\u212aey", "{", "",
	} {
		f.Add(403, "", seed)
		f.Add(200, "text/html", seed)
	}
	f.Fuzz(func(t *testing.T, status int, kind, body string) {
		a := answer{status: status, header: http.Header{"Content-Type": {kind}, "Www-Authenticate": {`Bearer error="` + body + `"`}}, body: []byte(body)}
		got := a.speech([]string{"Basic premium"})
		if utf8.RuneCountInString(got) > longestPhrase {
			t.Errorf("%d characters", utf8.RuneCountInString(got))
		}
		for word := range strings.FieldsFuncSeq(got, func(r rune) bool { return strings.ContainsRune(" …_.,:;", r) }) {
			if _, known := vocabulary[word]; !known {
				t.Errorf("%q gave away %q in %q", body, word, got)
			}
		}
	})
}
