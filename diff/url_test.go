package diff

import (
	"strings"
	"testing"
)

func TestSignedURLsLoseTheirQuery(t *testing.T) {
	for _, url := range []string{
		"https://files.example.com/photos/7.jpg?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIA%2F20260101&X-Amz-Date=20260101T000000Z&X-Amz-Expires=604800&X-Amz-SignedHeaders=host&X-Amz-Signature=0a1b2c",
		"https://files.example.com/photos/7.jpg?x-id=GetObject&x-amz-signature=0a1b2c",
		"https://files.example.com/7.jpg?AWSAccessKeyId=AKIA&Expires=1767225600&Signature=abc%3D",
		"https://storage.example.com/b/7.pdf?X-Goog-Algorithm=GOOG4-RSA-SHA256&X-Goog-Signature=77",
		"https://storage.example.com/b/7.pdf?GoogleAccessId=a@example.com&Expires=1767225600&Signature=abc",
		"https://images7.example.com/photos/4-1.jpg?Policy=eyJTdGF0ZW1lbnQ~&Signature=Ab-~_",
		"https://images7.example.com/photos/4-1.jpg?Signature=Ab-~_&Key-Pair-Id=K1&Expires=17",
		"http://blob.example.net/c/cv.docx?sv=2024-11-04&se=2026-01-01T00%3A00%3A00Z&sr=b&sp=r&sig=abc%3D",
		"https://cdn.example.com/a.png?token=abc&expires=1767225600",
		"https://cdn.example.com:8443/a.png?size=2&token=abc&expires=1767225600#page=2",
	} {
		bare, _, _ := strings.Cut(url, "?")
		for _, record := range []string{`"` + url + `"`, `"` + strings.ReplaceAll(url, "/", `\/`) + `"`, `"` + strings.ReplaceAll(url, "&", `\u0026`) + `"`} {
			if got, want := canonical(t, Rules{}, record), `"`+bare+`"`; got != want {
				t.Errorf("got %s\nwant %s", got, want)
			}
			if got, want := canonical(t, Rules{KeepURLQueries: true}, record), `"`+url+`"`; got != want {
				t.Errorf("kept: got %s\nwant %s", got, want)
			}
			if got, want := canonical(t, Rules{}, `{"b":[`+record+`,1],"a":`+record+`}`), `{"a":"`+bare+`","b":["`+bare+`",1]}`; got != want {
				t.Errorf("got %s\nwant %s", got, want)
			}
		}
	}
}

func TestOrdinaryTextsStayWhole(t *testing.T) {
	const signed = "X-Amz-Signature=0a1b2c"
	for _, text := range []string{
		"https://resources.example.com/employees/photos/initials.php?initials=JG",
		"https://company.example.com/jobs/view.php?id=22",
		"https://company.example.com/jobs/view.php?id=22#apply",
		"https://interviews.example.com/x?utm_source=mail&utm_medium=a",
		"https://a.example.com/?token=abc",
		"https://a.example.com/?expires=1767225600",
		"https://a.example.com/?signature=abc",
		"https://a.example.com/?Policy=abc&Expires=1",
		"https://a.example.com/?sig=abc",
		"https://a.example.com/?se=a&sv=b&token=1",
		"https://a.example.com/?sig=&se=1&Signature=&Policy=",
		"https://a.example.com/?x-amz-checksum-mode=ENABLED&X-Amz-Date=1",
		"https://a.example.com/?My-X-Amz-Signature=0a1b2c",
		"https://a.example.com/?q=" + signed,
		"https://a.example.com/X-Amz-Signature=0a1b2c&b",
		"https://a.example.com/#a?" + signed,
		"https://a.example.com/?a=1#" + signed,
		"https://a.example.com/?a=1#b&" + signed,
		"https://?" + signed,
		"ftp://a.example.com/?" + signed,
		"httpx://a.example.com/?" + signed,
		"http:/a.example.com/?" + signed,
		"see https://a.example.com/?" + signed,
		"https://a.example.com/?" + signed + " and more that may change",
		"https://a.example.com/a b?" + signed,
		`https://a.example.com/\n?` + signed,
		"a?" + signed, "http", "https://", "h", "",
	} {
		if got := canonical(t, Rules{}, `"`+text+`"`); got != `"`+text+`"` {
			t.Errorf("%q became %s", text, got)
		}
	}
}

// A key is never a URL whose query says nothing.
func TestKeysStayWhole(t *testing.T) {
	record := `{"http://a.example.com/?sig=1&se=2":1,"http://a.example.com/?sig=2&se=2":2}`
	if got := canonical(t, Rules{}, record); got != record {
		t.Errorf("got %s", got)
	}
}
