package providers

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"
)

// A wait is within a day from now, whatever a header says.
func FuzzParseWait(f *testing.F) {
	for _, seed := range []string{"7", "0.5", "-3", "1e300", "NaN", "Inf", "1784848794", "1784848794000", "Fri, 31 Dec 1999 23:59:59 GMT", "2025-07-08 15:35:40 -0700", "2026-01-01T00:00:00Z", "soon", ""} {
		f.Add(seed, int64(1_780_000_000), int64(1_780_000_100))
	}
	f.Fuzz(func(t *testing.T, value string, server, now int64) {
		const year = 365 * 24 * 3600
		at := time.Unix(now%(100*year), 0)
		until, ok := parseWait(value, time.Unix(server%(100*year), 0), at)
		if until.Before(at) || until.After(at.Add(maxBlock)) || !ok && !until.Equal(at) {
			t.Errorf("%q: until %s from %s", value, until, at)
		}
	})
}

// What is followed stood between < and > in the header, and came with rel=next.
func FuzzNextLink(f *testing.F) {
	for _, seed := range []string{
		`<https://a.test/?p=2>; rel="next"`, `<a>; rel=prev, <b>; rel=next`, `<a>;rel="last next";title="x, <c>; rel=\"next\""`,
		`<a>; title="rel=next", <b>`, `<a`, `<a>; rel`, `<a>; rel="next`, `,,<>;;rel=next`, `<a>; REL=Next`, `<a,b;c>; rel=next`, `<a>; rel="x\`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		target, ok := nextLink([]string{value})
		if ok && (!strings.Contains(value, "<"+target+">") || !strings.Contains(strings.ToLower(value), "next")) {
			t.Errorf("%q gives %q", value, target)
		}
	})
}

func TestNextLink(t *testing.T) {
	for value, want := range map[string]string{
		`<https://a.test/?p=2>; rel="next"`:                        "https://a.test/?p=2",
		`<a>; rel=prev, <b>; rel=next`:                             "b",
		`<a>; rel="prev first", <b>;title="x";rel="last NEXT"`:     "b",
		`<a>; title="<c>; rel=next", <b,c;d>; rel="next"; x="a,b"`: "b,c;d",
		`<a>; title="say \"next\""; rel=last`:                      "",
		`<a>; rel="prev"; rel="next"`:                              "", // the first counts (RFC 8288, section 3.3)
		`<a>; rev=next`:                                            "",
		`<a>`:                                                      "",
	} {
		if got, _ := nextLink([]string{`<z>; rel=first`, value}); got != want {
			t.Errorf("%s: got %q, want %q", value, got, want)
		}
	}
}

var keyEscaper = strings.NewReplacer(`\`, `\\`, `.`, `\.`)

// Any key can be written as a path, and the path finds its value and no other.
func FuzzPath(f *testing.F) {
	for _, seed := range []string{"id", "a.b", `a\b`, "#", "@this", "0", "*", "a|b", "[x]", "é", "a:b", "!", "?", "{", "", "-1", ":1"} {
		f.Add(seed, "id")
	}
	f.Fuzz(func(t *testing.T, first, second string) {
		document, err := json.Marshal(map[string]any{first: map[string]any{second: "found"}, "other": map[string]any{"x": 1}})
		if err != nil {
			t.Fatal(err)
		}
		var keys map[string]map[string]any // what survives JSON: invalid UTF-8 doesn't
		if json.Unmarshal(document, &keys) != nil || keys[first][second] != "found" || first == "" || second == "" || first == "*" || second == "*" {
			return
		}
		p, err := parsePath(keyEscaper.Replace(first) + "." + keyEscaper.Replace(second))
		if err != nil {
			t.Fatal(err)
		}
		if got := p.get(gjson.ParseBytes(document)); got.Str != "found" {
			t.Errorf("path %q (%q) gives %s in %s", p.text, p.json, got.Raw, document)
		}
	})
}

// No file brings the parser down, and every problem has a place.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"catalog/*.yaml", "testdata/problems/*.yaml"} {
		files, _ := filepath.Glob(pattern)
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, problems := Parse("x.yaml", data)
		if (c == nil) == (len(problems) == 0) {
			t.Fatal("a connector or problems, never both")
		}
		for _, p := range problems {
			if p.Line < 1 || p.Column < 1 || p.Message == "" {
				t.Errorf("problem without a place: %v", p)
			}
		}
	})
}

// The check agrees with encoding/json, and what it calls cut is the beginning of something
// sound or wrong further on.
func FuzzCheck(f *testing.F) {
	for _, seed := range []string{
		`{"a":[1,-0.5e+3,true,false,null,"x\u00e9\\\""],"b":{}}`, `[]`, ` 7 `, `"`, `{"a"`, `{"a":`, `[1,`, `[1,]`, `{,}`, `01`, `-`, `1.`, `1e`, `nul`, `"\u12"`, `"\x"`,
		"\"\x01\"", `{"a":1}}`, `[[[[]]]]`, `"12345678\"`, `"a long text with nothing special in it, then é"`, "[\"\x7f\xff\"]", `"\uD83D"`, `{"a":1 "b":2}`, `[1 2]`, "\ufeff1", `"\u00GG"`, `"\u002\"`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got := check(data)
		if want := json.Valid(data); (got == sound) != want {
			t.Fatalf("%q: %d, valid: %v", data, got, want)
		}
		if got == sound && len(data) > 0 && (data[0] == '{' || data[0] == '[') {
			whole := bytes.TrimSpace(data)
			for i := range whole {
				if s := check(whole[:i]); s != cut && i > 0 {
					t.Fatalf("%q, the beginning of %q: %d", whole[:i], whole, s)
				}
			}
		}
	})
}
