package diff

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// fuzzRules cut and sort something in most of what a fuzzer makes up.
var fuzzRules = []Rules{
	{},
	{KeepURLQueries: true, Ignore: []string{"a", "*.b", `x\.y`}, Sets: []string{"*", "c.*"}},
}

func FuzzCanonical(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, `[]`, `null`, ` "a" `, `-0.0e-0`, `{"b":1,"a":[null,{"c":null}],"a":{"b":"\ud83d\ude00\ud83d"}}`,
		`[1,1.0,1e0,10e-1,0.1e1,-1E+2,1e999999999,10e99999999999999999999,1e-99999999999999999999]`,
		`{"c":[[3,2],[1],{"b":2,"a":1}],"x.y":1,"z":{"b":0,"c":["b","a"]}}`, `[{"id":1,"name":"x"},{"name":"y","id":2},{"id": 3}]`,
		`"https:\/\/files.example.com\/a.jpg?X-Amz-Date=20260101T000000Z&X-Amz-Signature=abc#top"`,
		`["http://h/p?sig=1&se=2","http://h/p?token=a&expires=1","https://h/?Policy=a&Signature=b","https://h/?id=22"]`,
		"{\"\xff\":\"\xed\xa0\x80\",\"\\u0000\":\"\\\\\\\"\\/\\b\\f\\n\\r\\t\"}", `{"a":1,"\u0061":2,"a" :3}`, "[\n\t1 ,\r\n 2 ]", `{"a":1}}`, `[01]`, `"\u12"`, "\"\n\"",
		strings.Repeat("[", 600) + strings.Repeat("]", 600), strings.Repeat(`{"a":`, 600),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, record []byte) {
		for _, rules := range fuzzRules {
			c := canonicalizer(t, rules)
			got, err := c.Append(nil, record)
			again, err2 := c.Append([]byte("kept"), record) // now the keys are known
			switch {
			case (err == nil) != (err2 == nil) || string(again) != "kept"+string(got):
				t.Fatalf("first %q, %v\n then %q, %v", got, err, again, err2)
			case err != nil && strings.HasSuffix(err.Error(), tooDeep):
				if strings.Count(string(record), "{")+strings.Count(string(record), "[") <= maxDepth {
					t.Fatalf("%v, and it is not", err)
				}
			case err != nil:
				if json.Valid(record) {
					t.Fatalf("%v, and it is valid", err)
				}
			default:
				if want, ok := reference(record, rules); !ok || string(got) != want {
					t.Fatalf("under %+v\n got %q\nwant %q (valid: %t)", rules, got, want, ok)
				}
				d := digester(t, rules)
				if !slices.Equal(digestsIn(t, d, string(record)), digestsIn(t, d, string(got))) {
					t.Fatalf("%q and its form %q have other digests", record, got)
				}
			}
		}
	})
}
