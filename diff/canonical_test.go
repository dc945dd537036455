package diff

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"
)

func TestCanonicalForm(t *testing.T) {
	tests := []struct{ name, record, want string }{
		{"keys are sorted", `{"b":1,"a":2,"ab":3}`, `{"a":2,"ab":3,"b":1}`},
		{"keys are sorted at every depth", `[{"z":{"b":1,"a":[{"d":1,"c":2}]},"y":0}]`, `[{"y":0,"z":{"a":[{"c":2,"d":1}],"b":1}}]`},
		{"a key may begin another", `{"a!":1,"a":2,"":3}`, `{"":3,"a":2,"a!":1}`},
		{"whitespace", " { \"b\" :\t[ 1 ,\r\n2 ] , \"a\" : { } } \n", `{"a":{},"b":[1,2]}`},
		{"null is absent", `{"a":null,"b":{"c":null},"d":[null,{"e":null}]}`, `{"b":{},"d":[null,{}]}`},
		{"only nulls", `{"a":null,"b":null}`, `{}`},
		{"the last of equal keys", `{"a":1,"b":2,"a":{"x":[3]}}`, `{"a":{"x":[3]},"b":2}`},
		{"the last of equal keys, spelled otherwise", `{"a":1,"\u0061":2}`, `{"a":2}`},
		{"the last of equal keys, null", `{"a":1,"a":null}`, `{}`},
		{"arrays keep their order", `[3,1,2,[],[[]]]`, `[3,1,2,[],[[]]]`},
		{"roots", ` "x" `, `"x"`},
		{"null root", `null`, `null`},
		{"literals", `[true,false,null]`, `[true,false,null]`},

		{"escapes", `"\u0041\/\u00e9\u20AC\ud83d\uDE00\u2028"`, "\"A/é€😀\u2028\""},
		{"escapes that stay", `"\"\\\b\f\n\r\t"`, `"\"\\\b\f\n\r\t"`},
		{"escapes that shrink", `"\u0022\u005C\u0008\u000c\u000A\u000d\u0009"`, `"\"\\\b\f\n\r\t"`},
		{"control characters", `"\u0000\u001F"`, `"\u0000\u001f"`},
		{"delete is none", "\"\\u007f\x7f\"", "\"\x7f\x7f\""},
		{"no HTML escapes", `"\u003c&>"`, `"<&>"`},
		{"lone surrogates", `"\uD800 \uDC00\uD800 \uD83D\u0041"`, `"\ud800 \udc00\ud800 \ud83dA"`},
		{"lone surrogates before escapes", `"\ud83d\n\ud83d\\ude00\ud83d\/"`, `"\ud83d\n\ud83d\\ude00\ud83d/"`},
		{"a high surrogate before a pair", `"\ud83d\ud83d\ude00"`, `"\ud83d😀"`},
		{"an escaped backslash before u", `"\\u0041"`, `"\\u0041"`},
		{"invalid UTF-8", "\"\xff\\u0041\xed\xa0\x80\"", "\"\xffA\xed\xa0\x80\""},
		{"the replacement character", `"\ufffd"`, `"` + "\uFFFD" + `"`},
		{"escaped keys", `{"\u0062":1,"a\/":2,"a\n":3}`, `{"a/":2,"a\n":3,"b":1}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := canonical(t, Rules{}, test.record); got != test.want {
				t.Errorf("\n got %q\nwant %q", got, test.want)
			}
			if want, _ := reference([]byte(test.record), Rules{}); want != test.want {
				t.Errorf("the reference has\n     %q\nwant %q", want, test.want)
			}
		})
	}
}

func TestNumbersAreWhatTheirTextSays(t *testing.T) {
	zeros := strings.Repeat("0", 2000)
	tests := map[string][]string{
		"1":                {"1.0", "1e0", "10e-1", "0.1e1", "1E+0", "1.000e-0", "100000e-5"},
		"0":                {"-0", "0.0", "-0.0e9", "0e999999999999999999999", "0E-5"},
		"-15e-1":           {"-1.5", "-1.50", "-15e-1", "-0.15E+01"},
		"5e4":              {"50000", "5e4", "50000.00", "0.5e5"},
		"9007199254740993": {"9007199254740993", "9007199254740993.0", "9.007199254740993e15"},
		"123456789012345678901234567890123456789": {"123456789012345678901234567890123456789"},
		"1e999999999":              {"1e999999999", "10e999999998", "0.001e1000000002"},
		"1e-999999999":             {"1e-999999999", "0.1e-999999998"},
		"1e9223372036854775808":    {"1e9223372036854775808", "10e9223372036854775807", "0.1e0009223372036854775809"},
		"1e1000000000000000000000": {"1e1000000000000000000000", "10e999999999999999999999", "0.01e1000000000000000000002"},
		"1e999999999999999999":     {"1e999999999999999999", "0.1e1000000000000000000"},
		"1e-1000000000000000000":   {"1e-1000000000000000000", "0.1e-999999999999999999", "10e-1000000000000000001"},
		"1e-2":                     {"0." + zeros + "1e1999", "1" + zeros + "e-2002"},
		"1e-99999999999999999999":  {"1e-99999999999999999999", "0.1e-99999999999999999998", "10e-100000000000000000000"},
	}
	for want, texts := range tests {
		for _, text := range texts {
			if got := canonical(t, Rules{}, text); got != want {
				t.Errorf("%s: got %s, want %s", text, got, want)
			}
			if got := canonical(t, Rules{}, "["+text+"]"); got != "["+want+"]" {
				t.Errorf("[%s]: got %s, want [%s]", text, got, want)
			}
		}
	}
}

func TestWhatDiffersStaysDifferent(t *testing.T) {
	groups := [][]string{
		{`9007199254740992`, `9007199254740993`, `9007199254740992.0000000000000001`, `"9007199254740992"`},
		{`1`, `-1`, `"1"`, `true`, `10`, `0.1`, `[1]`, `1e1000000000000000000000`, `1e1000000000000000000001`},
		{`null`, `{}`, `[]`, `""`, `"null"`, `false`, `0`, `[null]`, `[{}]`, `[[]]`, `{"":{}}`},
		{`{"a":""}`, `{"a":[]}`, `{"a":{}}`, `{"a":0}`, `{"a":false}`, `{"a":null}`, `{"A":""}`, `{"a":[null]}`, `{"a":[null,null]}`},
		{`{"a":{"b":1}}`, `{"a":{},"b":1}`, `{"a.b":1}`, `{"a":[{"b":1}]}`, `{"a":[["b",1]]}`},
		{`"\ud800"`, `"\udc00"`, `"\ufffd"`, `"\\ud800"`, "\"\xed\xa0\x80\"", "\"\xff\"", "\"\xfe\"", `"\ud800\ud800"`, `"\ud800\udc00"`, `"\udc00\ud800"`},
		{`["a","b"]`, `["b","a"]`, `["a,b"]`, `["a\",\"b"]`, `["a","b",null]`},
		{`"\n"`, `"\\n"`, `"n"`, `"\u0000"`, `"\\u0000"`, `""`, `" "`},
		{`"\u00e9"`, `"e\u0301"`, `"e"`}, // composed and decomposed are two texts
	}
	for _, group := range groups {
		seen := map[string]string{}
		for _, record := range group {
			form := canonical(t, Rules{}, record)
			if other, ok := seen[form]; ok {
				t.Errorf("%q and %q are both %q", record, other, form)
			}
			seen[form] = record
		}
	}
}

func TestSyntaxErrors(t *testing.T) {
	tests := []struct {
		record string
		offset int64
	}{
		{``, 0}, {`  `, 2}, {`{`, 1}, {`{"a"`, 4}, {`{"a":`, 5}, {`{"a":1`, 6}, {`{"a":1,`, 7}, {`{"a":1,}`, 7},
		{`{a:1}`, 1}, {`{"a" 1}`, 5}, {`{"a":1 "b":2}`, 7}, {`{,}`, 1}, {`{1:2}`, 1}, {`}`, 0},
		{`[`, 1}, {`[1`, 2}, {`[1,`, 3}, {`[1,]`, 3}, {`[,1]`, 1}, {`[1 2]`, 3}, {`[1}`, 2}, {`]`, 0},
		{`"`, 1}, {`"abc`, 4}, {`"abcdefghijkl`, 13}, {`"\`, 2}, {`"\x"`, 2}, {`"\u12`, 5}, {`"\u12g4"`, 5}, {`"\u123g"`, 6}, {"\"a\nb\"", 2}, {"\"\x00\"", 1},
		{`tru`, 3}, {`trve`, 2}, {`nul`, 3}, {`fals`, 4}, {`True`, 0}, {`NaN`, 0}, {`undefined`, 0},
		{`-`, 1}, {`+1`, 0}, {`01`, 1}, {`-01`, 2}, {`1.`, 2}, {`.5`, 0}, {`1.e3`, 2}, {`1e`, 2}, {`1e+`, 3}, {`0x10`, 1}, {`1_000`, 1}, {`-a`, 1},
		{`{} {}`, 3}, {`1 2`, 2}, {`{}x`, 2}, {"\xef\xbb\xbf{}", 0}, {"\u00a01", 0}, {`'a'`, 0}, {`{"a":1}/**/`, 7},
	}
	for _, test := range tests {
		dst := []byte("before")
		got, err := canonicalizer(t, Rules{}).Append(dst, []byte(test.record))
		syntax, ok := errors.AsType[*SyntaxError](err)
		if !ok {
			t.Errorf("%q: got %q and %v, want a SyntaxError", test.record, got, err)
			continue
		}
		if syntax.Offset != test.offset {
			t.Errorf("%q: %v, want offset %d", test.record, err, test.offset)
		}
		if string(got) != "before" {
			t.Errorf("%q: dst came back as %q", test.record, got)
		}
	}
}

func TestErrorsDoNotQuoteTheRecord(t *testing.T) {
	const secret = "Zaphod"
	for _, record := range []string{
		`{"name":"` + secret, `{"name":"` + secret + "\n" + `"}`, `{"name":` + secret + `}`, `{"` + secret + `" 1}`,
		`{"name":"` + secret + `\q"}`, `["` + secret + `" "` + secret + `"]`, `"` + secret + `" ` + secret,
	} {
		if _, err := canonicalizer(t, Rules{}).Sum([]byte(record)); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%q: %v", record, err)
		}
	}
}

func TestDepth(t *testing.T) {
	nest := func(depth int, open, end string) []byte {
		return []byte(strings.Repeat(open, depth) + "1" + strings.Repeat(end, depth))
	}
	c := canonicalizer(t, Rules{})
	for _, brackets := range [][2]string{{"[", "]"}, {`{"a":`, "}"}, {`{"b":1,"a":`, "}"}} {
		if form, err := c.Append(nil, nest(maxDepth, brackets[0], brackets[1])); err != nil || len(form) < 2*maxDepth {
			t.Errorf("%d of %s: %d bytes, %v", maxDepth, brackets[0], len(form), err)
		}
		if _, err := c.Sum(nest(maxDepth+1, brackets[0], brackets[1])); err == nil || !strings.Contains(err.Error(), "512") {
			t.Errorf("%d of %s: got %v", maxDepth+1, brackets[0], err)
		}
		if _, err := c.Sum(nest(1e6, brackets[0], brackets[1])); err == nil {
			t.Errorf("a million of %s: no error", brackets[0])
		}
	}
	if _, err := c.Sum([]byte("[" + strings.Repeat(`[[{"a":{}}]],`, 1000) + "[]]")); err != nil {
		t.Errorf("siblings are not depth: %v", err)
	}
}

// What a Canonicalizer has seen makes it faster or slower, nothing else.
func TestWhatWasLearnedDoesNotMatter(t *testing.T) {
	many := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, n-i, i)
		}
		return "{" + strings.TrimSuffix(b.String(), ",") + "}"
	}
	records := []string{
		`{"id":1,"name":"a","team":{"id":2,"name":"b"},"tags":[{"k":1,"v":2},{"v":3}]}`,
		`{"name":"a","id":1,"team":{"name":"b","id":2},"tags":[{"v":2,"k":1},{"v":3}]}`,
		`{"id":1}`, `{}`, `{"zz":1,"id":2}`, `{"id":1,"id":2,"name":null,"name":"c"}`, `{"name":"c","id":1,"id":null}`,
		`{"team":[1,{"id":2,"name":"x"}],"id":{"name":{}}}`, `[{"id":1}]`, `7`, `"x"`,
		`{"id": 1, "name": "a"}`, `{"id":1,"n\u0061me":"a"}`, `{"id":[],"broken":{"a":1,"b`, `{"other":1,"broken":{"c":2,"a":1}}`,
		many(300, `"k%d":{"v":%d},`), many(300, `"x%d":[{"v":%d}],`), many(5000, `"y%d":%d,`), many(2, `"k%d":%d,`),
	}
	used := canonicalizer(t, Rules{})
	for _, before := range records {
		for _, record := range records {
			want, wantErr := canonicalizer(t, Rules{}).Append(nil, []byte(record))
			c := canonicalizer(t, Rules{})
			c.Append(nil, []byte(before))
			for _, c := range []*Canonicalizer{c, used, used} {
				got, err := c.Append(nil, []byte(record))
				if !bytes.Equal(got, want) || (err == nil) != (wantErr == nil) {
					t.Fatalf("%.80q after %.80q\n got %.300q, %v\nwant %.300q, %v", record, before, got, err, want, wantErr)
				}
			}
		}
	}
	if used.learned > 2*maxLearned {
		t.Errorf("it keeps %d keys", used.learned)
	}
}

func TestKeepsNothingOfTheRecord(t *testing.T) {
	c := canonicalizer(t, Rules{})
	record := []byte(`{"id":7,"name":"Marvin","team":{"size":50}}`)
	form, err := c.Append(nil, record)
	if err != nil {
		t.Fatal(err)
	}
	clear(record)
	if want := `{"id":7,"name":"Marvin","team":{"size":5e1}}`; string(form) != want {
		t.Errorf("the result changes with the record: %q", form)
	}
	if c.data != nil {
		t.Error("the record is still referred to")
	}
	big := []byte("[" + strings.Repeat("1.5,", 2*keepBuffer/4) + "0]")
	if _, err := c.Sum(big); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Sum(record[:0]); err == nil || cap(c.out) > keepBuffer {
		t.Errorf("%d bytes are kept for the next record", cap(c.out))
	}
}

func TestAppendAndSumAgree(t *testing.T) {
	c := canonicalizer(t, Rules{})
	for _, record := range []string{`{"b":1,"a":2}`, ` "a" `, `12`, `[1.50]`} {
		form, err := c.Append([]byte("before"), []byte(record))
		if err != nil || !strings.HasPrefix(string(form), "before") {
			t.Fatal(string(form), err)
		}
		sum, err := c.Sum([]byte(record))
		if want := xxhash.Sum64(form[len("before"):]); err != nil || sum != want {
			t.Errorf("%s: %x, %v, want %x", record, sum, err, want)
		}
	}
}

func TestNoAllocations(t *testing.T) {
	c := canonicalizer(t, Rules{Ignore: []string{"photo", "*.seen"}, Sets: []string{"tags"}})
	records := inventedRecords(8)
	records = append(records, []byte(`{"name":"\u00e9\/","tags":[3,1.50,"x"],"team":{"seen":1,"b":[{"c":1e5}]}}`))
	round := func() {
		for _, record := range records {
			if _, err := c.Sum(record); err != nil {
				t.Fatal(err)
			}
		}
	}
	round()
	if n := testing.AllocsPerRun(100, round); n > 0 {
		t.Errorf("%v allocations for %d records whose keys are known", n, len(records))
	}
}
