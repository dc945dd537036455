package diff

import (
	"testing"

	"pgregory.net/rapid"
)

func TestSpellingNeverMatters(t *testing.T) {
	used := canonicalizer(t, Rules{}) // remembers the keys of every record before
	rapid.Check(t, func(t *rapid.T) {
		value := values(4).Draw(t, "value")
		one, other := spell(t, value), spell(t, value)
		form := canonicalIn(t, used, one)
		if again := canonicalIn(t, used, other); again != form {
			t.Fatalf("one value, two forms:\n%q is\n%q\n%q is\n%q", one, form, other, again)
		}
		if again := canonicalIn(t, used, form); again != form {
			t.Fatalf("the form\n%q has the form\n%q", form, again)
		}
	})
}

func TestEveryChangeMatters(t *testing.T) {
	used := canonicalizer(t, Rules{KeepURLQueries: true})
	rapid.Check(t, func(t *rapid.T) {
		value := values(4).Draw(t, "value")
		other := changed(t, value)
		one, two := spell(t, value), spell(t, other)
		if equal := canonicalIn(t, used, one) == canonicalIn(t, used, two); equal != same(value, other) {
			t.Fatalf("%q and\n%q\nhave equal forms: %t, are equal: %t", one, two, equal, same(value, other))
		}
	})
}

func TestAgreesWithTheReference(t *testing.T) {
	used := map[string]*Canonicalizer{}
	rapid.Check(t, func(t *rapid.T) {
		paths := rapid.SliceOfN(rapid.StringMatching(`(a|b|c|name|\*|a\\\.b|\\\*|\\\\)(\.(a|b|c|\*)){0,2}`), 0, 2)
		rules := Rules{Ignore: paths.Draw(t, "ignore"), Sets: paths.Draw(t, "sets"), KeepURLQueries: rapid.Bool().Draw(t, "keep")}
		c := used[rules.Recipe()] // one recipe, one form
		if c == nil {
			var err error
			if c, err = NewCanonicalizer(rules); err != nil {
				t.Fatal(err)
			}
			used[rules.Recipe()] = c
		}
		record := spell(t, values(4).Draw(t, "value"))
		got := canonicalIn(t, c, record)
		if want, _ := reference([]byte(record), rules); got != want {
			t.Fatalf("%q under %+v\n got %q\nwant %q", record, rules, got, want)
		}
	})
}

func canonicalIn(t *rapid.T, c *Canonicalizer, record string) string {
	form, err := c.Append(nil, []byte(record))
	if err != nil {
		t.Fatalf("%q: %v", record, err)
	}
	return string(form)
}
