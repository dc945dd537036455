package diff

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func fieldDigester(t testing.TB, rules Rules, paths, known []string) *FieldDigester {
	t.Helper()
	f, err := NewFieldDigester(rules, paths, seal(t, "sixteen bytes ..", "stream 1"), known)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// rows lists records, all of one place, and returns their digests in named slots.
func rows(t interface{ Fatalf(string, ...any) }, f *FieldDigester, records ...string) (names []string, rows [][]uint16) {
	var raw [][]uint16
	for _, record := range records {
		_, row, err := f.Sum([]byte(record), 1)
		if err != nil {
			t.Fatalf("%q: %v", record, err)
		}
		raw = append(raw, slices.Clone(row))
	}
	names, slots := f.Names()
	for _, row := range raw {
		named := make([]uint16, len(names))
		for slot, digest := range row {
			named[slots[slot]] += digest
		}
		rows = append(rows, named)
	}
	return names, rows
}

// surelyChanged are the fields in which two records differ under one of three keys: that
// all three have one digest for two values doesn't happen.
func surelyChanged(t interface{ Fatalf(string, ...any) }, rules Rules, paths []string, one, two string) (names []string, changed FieldSet) {
	for _, key := range []string{"sixteen bytes ..", "another key ....", "and a third one "} {
		s, err := NewSealer([]byte(key), "stream")
		if err != nil {
			t.Fatalf("%v", err)
		}
		f, err := NewFieldDigester(rules, paths, s, nil)
		if err != nil {
			t.Fatalf("%v", err)
		}
		var r [][]uint16
		names, r = rows(t, f, one, two)
		_, again := rows(t, f, two, one)
		if !slices.Equal(again[1], r[0]) || !slices.Equal(again[0], r[1]) {
			t.Fatalf("%q and %q have other digests the second time", one, two)
		}
		changed |= NewFieldComparer(names).Changed(r[0], r[1])
	}
	return names, changed
}

func namesIn(names []string, set FieldSet) string {
	var in []string
	for slot := range set.Slots() {
		in = append(in, names[slot])
	}
	slices.Sort(in)
	return strings.Join(in, " ")
}

func TestChangedFields(t *testing.T) {
	for name, c := range map[string]struct {
		rules    Rules
		paths    []string
		old, new string
		want     string
	}{
		"one":                       {Rules{}, nil, `{"id":1,"seen":5}`, `{"seen":6,"id":1}`, "seen"},
		"none":                      {Rules{}, nil, `{"id":1,"n":1.0,"t":"\u0061"}`, `{"t":"a","n":1,"id":1}`, ""},
		"what stands in one":        {Rules{}, nil, `{"id":1,"a":{"b":{"c":1}}}`, `{"id":1,"a":{"b":{"c":2}}}`, "a"},
		"one that comes":            {Rules{}, nil, `{"id":1,"b":null}`, `{"id":1,"b":2}`, "b"},
		"one that goes":             {Rules{}, nil, `{"id":1,"b":2}`, `{"id":1,"b":null}`, "b"},
		"null is absent":            {Rules{}, nil, `{"id":1,"b":null}`, `{"id":1}`, ""},
		"empty is not absent":       {Rules{}, nil, `{"id":1,"b":null}`, `{"id":1,"b":{}}`, "b"},
		"two change values":         {Rules{}, nil, `{"id":1,"a":"x","b":"y"}`, `{"id":1,"a":"y","b":"x"}`, "a b"},
		"a path":                    {Rules{}, []string{"a.b"}, `{"id":1,"a":{"b":1,"c":1}}`, `{"id":1,"a":{"b":2,"c":1}}`, "a.b"},
		"beside a path":             {Rules{}, []string{"a.b"}, `{"id":1,"a":{"b":1,"c":1}}`, `{"id":1,"a":{"b":1,"c":2}}`, "a"},
		"a path that comes":         {Rules{}, []string{"a.b"}, `{"id":1,"a":{"c":1}}`, `{"id":1,"a":{"b":1,"c":1}}`, "a.b"},
		"a path that is no object":  {Rules{}, []string{"a.b"}, `{"id":1,"a":{"b":1,"c":1}}`, `{"id":1,"a":7}`, "a a.b"},
		"a path in a path":          {Rules{}, []string{"a.b.c", "a.b"}, `{"id":1,"a":{"b":{"c":1,"d":1}}}`, `{"id":1,"a":{"b":{"c":2,"d":1}}}`, "a.b.c"},
		"a path of escapes":         {Rules{}, []string{`a\.b.c`}, `{"id":1,"a.b":{"c":1,"d":"}\""}}`, `{"id":1,"a.b":{"c":2,"d":"}\""}}`, `a\.b.c`},
		"a path that leads nowhere": {Rules{}, []string{"x.y"}, `{"id":1,"a":1}`, `{"id":1,"a":2}`, "a"},
		"a star that is none":       {Rules{}, []string{`a\.*.b`}, `{"id":1,"a.*":{"b":1,"c":1}}`, `{"id":1,"a.*":{"b":2,"c":1}}`, `a\.*.b`},
		"all of the record":         {Rules{}, []string{"*"}, `{"id":1,"a":{"b":1}}`, `{"id":1,"a":{"b":2}}`, "a"},
		"all below a path":          {Rules{}, []string{"a.*"}, `{"id":1,"a":{"b":1,"c":{"d":"\\\"}"}}}`, `{"id":1,"a":{"b":2,"c":{"d":"\\\"}"}}}`, "a.b"},
		"a member below a path":     {Rules{}, []string{"a.*"}, `{"id":1,"a":{"b":1,"c":1}}`, `{"id":1,"a":{"c":1}}`, "a.b"},
		"all that is below a path":  {Rules{}, []string{"a.*"}, `{"id":1,"a":{"b":1}}`, `{"id":1,"a":{}}`, "a.b"},
		"what a path is in":         {Rules{}, []string{"a.*"}, `{"id":1,"a":{"b":1}}`, `{"id":1}`, "a a.b"},
		"of equal keys the last":    {Rules{}, []string{"a.b"}, `{"id":1,"a":{"b":1},"a":{"c":1}}`, `{"id":1,"a":{"b":2},"a":{"c":1}}`, ""},
		"ignored":                   {Rules{Ignore: []string{"seen", "a.at"}}, nil, `{"id":1,"seen":5,"a":{"at":1}}`, `{"id":1,"seen":6,"a":{"at":2}}`, ""},
		"in a set":                  {Rules{Sets: []string{"l"}}, nil, `{"id":1,"l":[1,2]}`, `{"id":1,"l":[2,1]}`, ""},
		"a signed URL":              {Rules{}, nil, `{"id":1,"p":"https://h/p?sig=a&se=1"}`, `{"id":1,"p":"https://h/p?sig=b&se=2"}`, ""},
		"a map by address":          {Rules{}, nil, `{"id":1,"mail":{"bo@example.com":1}}`, `{"id":1,"mail":{"bo@example.com":2}}`, "mail"},
		"a map by address, split":   {Rules{}, []string{"mail.*"}, `{"id":1,"mail":{"bo@example.com":1}}`, `{"id":1,"mail":{"bo@example.com":2}}`, "mail"},
		"a record by address":       {Rules{}, nil, `{"id":1,"bo@example.com":1}`, `{"id":1,"bo@example.com":2}`, "*"},
		"no object":                 {Rules{}, nil, `[1]`, `[2]`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := fieldDigester(t, c.rules, c.paths, nil)
			names, rows := rows(t, f, c.old, c.new, c.old, c.new, c.old)
			changed := NewFieldComparer(names).Changed(rows[0], rows[1])
			if got := namesIn(names, changed); got != c.want {
				t.Errorf("got %q, want %q (names %q)", got, c.want, names)
			}
		})
	}
}

// A key is shown when it looks like a field's name and most records have it, or somebody
// has written it down. Else it may be somebody's name.
func TestNamesOfFieldsAreNoData(t *testing.T) {
	var records []string
	for i := range 40 {
		person := []string{"Ada", "Bo", "Cyd", "Dee"}[i%4]
		records = append(records, fmt.Sprintf(`{"id":%d,"dept":null,"%s":1,"team":{"lead":1,"%s":2,"usr_27182818%02d":3},"%d":4}`, i, person, person, i, i))
	}
	for _, c := range []struct {
		paths []string
		want  string
	}{
		{nil, "* id dept team"},
		{[]string{"team.*"}, "* team id dept team.lead"},
		{[]string{"team.lead", "team.Ada"}, "* team team.Ada team.lead id dept"},
	} {
		names, _ := rows(t, fieldDigester(t, Rules{}, c.paths, nil), records...)
		if got := strings.Join(names, " "); got != c.want {
			t.Errorf("with %q: %q, want %q", c.paths, got, c.want)
		}
	}
}

func TestFieldsAreBounded(t *testing.T) {
	var one, two strings.Builder
	for i := range 200 {
		fmt.Fprintf(&one, `,"f%d":1`, i)
		fmt.Fprintf(&two, `,"f%d":%d`, i, max(1, i-198)) // f199 is 1 as well
	}
	f := fieldDigester(t, Rules{}, nil, nil)
	names, r := rows(t, f, `{"id":1`+one.String()+`}`, `{"id":1`+two.String()+`}`, `{"id":2`+one.String()+`}`, `{"id":1`+strings.Replace(one.String(), `"f150":1`, `"f150":2`, 1)+`}`)
	if len(names) != MaxFields {
		t.Fatalf("%d names", len(names))
	}
	compare := NewFieldComparer(names)
	if got := namesIn(names, compare.Changed(r[0], r[1])); got != "" {
		t.Errorf("nothing changed but %q", got)
	}
	if got := namesIn(names, compare.Changed(r[0], r[2])); got != "id" {
		t.Errorf("changed: %q", got)
	}
	if got := namesIn(names, compare.Changed(r[0], r[3])); got != "*" {
		t.Errorf("changed: %q", got)
	}
	var paths []string
	for i := range MaxFields {
		paths = append(paths, fmt.Sprintf("f%d", i))
	}
	if _, err := NewFieldDigester(Rules{}, paths, seal(t, "sixteen bytes ..", "s"), nil); err == nil {
		t.Error("more paths than slots are taken")
	}
}

func TestPathsOfFields(t *testing.T) {
	for _, path := range []string{"a.*.b", "a..b", `a\b`, "*.a", "."} {
		if _, err := NewFieldDigester(Rules{}, []string{path}, seal(t, "sixteen bytes ..", "s"), nil); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%q", path)) {
			t.Errorf("%s: %v", path, err)
		}
	}
	for _, known := range [][]string{{"a"}, {"*", "a.b"}, {"*", "a", "a"}, {"*", ""}, {"*", "*"}} {
		if _, err := NewFieldDigester(Rules{}, nil, seal(t, "sixteen bytes ..", "s"), known); err == nil {
			t.Errorf("%q are taken for names", known)
		}
	}
}

// Names that a later listing finds never make a change of what did not change, whether
// their keys were there before, unnamed, or not.
func TestNamesThatCome(t *testing.T) {
	old := []string{`{"id":1,"a":1}`, `{"id":1,"a":1,"b":1}`, `{"id":1,"a":1,"b":1,"m":{"k":1,"x":1}}`, `{"id":1,"a":1,"m":{}}`, `{"id":1,"a":2}`, `{"id":1,"a":2}`, `{"id":1,"a":2}`}
	f := fieldDigester(t, Rules{}, []string{"m.*"}, nil)
	before, stored := rows(t, f, old...)
	if slices.Contains(before, "b") || slices.Contains(before, "m.k") {
		t.Fatalf("named too early: %q", before)
	}
	f = fieldDigester(t, Rules{}, []string{"m.*"}, before)
	news := []string{
		`{"id":1,"a":1,"c":1,"m":{"k":2}}`, // c and m come
		`{"id":1,"a":2,"b":1,"m":{}}`,      // a is other, b was there, m comes
		`{"id":1,"a":1,"b":2,"m":{"k":1,"x":1}}`,
		`{"id":1,"a":1,"b":1,"m":{"k":1}}`,
		`{"id":1,"a":2,"b":1,"c":1,"m":{"k":1,"x":1}}`,
		`{"id":1,"a":2,"b":1,"c":1,"m":{"k":1}}`,
		`{"id":1,"a":2,"b":1,"c":1,"m":{"k":1,"x":1}}`,
	}
	after, listed := rows(t, f, news...)
	if !slices.Equal(after[:len(before)], before) || !slices.Contains(after, "b") || !slices.Contains(after, "m.k") {
		t.Fatalf("names were %q and are %q", before, after)
	}
	compare := NewFieldComparer(after)
	for i, want := range []string{"c m", "a m", "*", "b m.k", "b c m", "b c m", "b c m"} {
		if got := namesIn(after, compare.Changed(stored[i], listed[i])); got != want {
			t.Errorf("%s to\n%s: %q, want %q", old[i], news[i], got, want)
		}
	}
}

// Two records, two fields, two streams and two keys never have the same digests for the
// same value.
func TestEqualFieldsLookDifferent(t *testing.T) {
	const width = 40
	var record strings.Builder
	for i := range width {
		fmt.Fprintf(&record, `,"f%d":"same"`, i)
	}
	text := []byte(`{"n":1` + record.String() + `}`)
	seen := map[[4]uint16]string{} // runs of four: 16 bits alone may agree by chance
	add := func(what string, row []uint16) {
		for i := 2; i+4 <= len(row); i += 4 {
			key := [4]uint16(row[i:])
			if other, ok := seen[key]; ok {
				t.Fatalf("%s and %s look equal", what, other)
			}
			seen[key] = what
		}
	}
	for _, key := range []string{"sixteen bytes ..", "another key ...."} {
		for _, stream := range []string{"stream 1", "stream 2"} {
			f, err := NewFieldDigester(Rules{}, nil, seal(t, key, stream), nil)
			if err != nil {
				t.Fatal(err)
			}
			for place := range uint64(500) {
				_, row, err := f.Sum(text, Place(fmt.Sprint(place)))
				if err != nil {
					t.Fatal(err)
				}
				distinct := map[uint16]bool{}
				for _, digest := range row[2:] {
					distinct[digest] = true
				}
				if len(distinct) < width-4 {
					t.Fatalf("%d digests for %d fields with one value", len(distinct), width)
				}
				add(fmt.Sprint(key, stream, place), row)
			}
		}
	}
}

// Digests stand in databases. The expected one was made with
//
//	openssl enc -aes-128-ecb -nopad
//
// first of "digest of fields" under the key 000102…0f, then under what that gave of
// (xxhash64("7") xor xxhash64("acme/employees") xor xxhash64("name")) and xxhash64("\"x\"").
func TestDigestsOfFieldsAreStored(t *testing.T) {
	key := make([]byte, 16)
	for i := range key {
		key[i] = byte(i)
	}
	f, err := NewFieldDigester(Rules{}, nil, seal(t, string(key), "acme/employees"), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, row, err := f.Sum([]byte(`{"name": "x"}`), Place("7"))
	if want := []uint16{0, 0x9d76}; err != nil || !slices.Equal(row, want) {
		t.Errorf("got %#04x, want %#04x (%v)", row, want, err)
	}
}

// What digests say is what the fields say, and what a digester has learned changes nothing.
func TestFieldsAgreeWithTheReference(t *testing.T) {
	paths := []string{"a.b", "c.*", "b.a.c"}
	rapid.Check(t, func(t *rapid.T) {
		rules := Rules{Ignore: rapid.SliceOfN(rapid.SampledFrom([]string{"a.c", "b.*", "*.c"}), 0, 1).Draw(t, "ignore")}
		value := object{"id": true, "a": values(3).Draw(t, "a"), "b": values(3).Draw(t, "b"), "c": values(3).Draw(t, "c")}
		other := object{"id": true}
		for _, key := range []text{"a", "b", "c"} {
			other[key] = value[key]
			if rapid.Bool().Draw(t, "change") {
				other[key] = changed(t, value[key])
			}
		}
		one, two := spell(t, value), spell(t, other)
		names, changed := surelyChanged(t, rules, paths, one, two)
		want := map[string]bool{}
		a, b := referenceFields([]byte(one), rules, paths, names), referenceFields([]byte(two), rules, paths, names)
		for _, name := range names {
			if a[name] != b[name] {
				want[name] = true
			}
		}
		if got := namesIn(names, changed); got != strings.Join(slices.Sorted(maps.Keys(want)), " ") {
			t.Fatalf("%q and\n%q differ in %q, want %q\n%v\n%v", one, two, got, slices.Sorted(maps.Keys(want)), a, b)
		}
	})
}

// Nothing is allocated for a record whose keys are known.
func TestFieldsAllocateNothing(t *testing.T) {
	f := fieldDigester(t, Rules{}, []string{"address.city", "team.*"}, nil)
	records, random := inventedRecords(8), rand.New(rand.NewPCG(1, 1))
	sum := func() {
		if _, _, err := f.Sum(records[random.IntN(len(records))], 1); err != nil {
			t.Fatal(err)
		}
	}
	for range 20 {
		sum()
	}
	if n := testing.AllocsPerRun(100, sum); n > 0 {
		t.Errorf("%v allocations a record", n)
	}
}
