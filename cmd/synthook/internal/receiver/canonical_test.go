package receiver

import (
	"bytes"
	"encoding/json"
	"testing"
)

// What reencode gives is a fixed point of itself, and means the same.
func FuzzReencode(f *testing.F) {
	for _, seed := range []string{vector, `{}`, `[]`, `[1,-1,0,true,false,null,"é\u2028<>&\t"]`, `{"a":{"b":[{"c":"\ud83d\ude00"}]}}`, ` { "a" : [ ] } `, `-0`, `"\ud800"`, `1e3`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		once, _, err := reencode(body)
		if err != nil {
			return
		}
		twice, _, err := reencode(once)
		if err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("not a fixed point: %q, then %q, %v", once, twice, err)
		}
		var before, after any
		if err := json.Unmarshal(body, &before); err != nil {
			t.Fatalf("took what is no JSON: %v", err)
		}
		if err := json.Unmarshal(once, &after); err != nil {
			t.Fatal(err)
		}
		a, _ := json.Marshal(before)
		b, _ := json.Marshal(after)
		if !bytes.Equal(a, b) {
			t.Errorf("meaning changed: %s became %s", a, b)
		}
	})
}
