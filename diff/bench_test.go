package diff

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"
	"github.com/go-json-experiment/json/jsontext"
)

// BenchmarkCanonical canonicalises and hashes invented employees of 2–4 KB, each way in
// the same run: in one order of keys, as providers write them, and in another order for
// each record; with a volatile path cut as every connector has one. (jsontext alone cuts
// none; beside it stands what cuts one before.)
//
//	go test -run '^$' -bench Canonical -count 5 ./diff
func BenchmarkCanonical(b *testing.B) {
	provider := inventedRecords(64)
	var shuffled, indented [][]byte
	random := rand.New(rand.NewPCG(1, 2))
	for _, record := range provider {
		shuffled = append(shuffled, shuffleKeys(b, random, record))
		text, err := json.MarshalIndent(json.RawMessage(record), "", "  ")
		if err != nil {
			b.Fatal(err)
		}
		indented = append(indented, text)
	}
	for _, corpus := range []struct {
		name    string
		records [][]byte
	}{{"provider order", provider}, {"shuffled order", shuffled}, {"indented", indented}} {
		b.Run(corpus.name+"/ours", func(b *testing.B) {
			c := canonicalizer(b, Rules{Ignore: []string{"lastSeenAt"}})
			sealer, err := NewSealer(make([]byte, 16), "stream")
			if err != nil {
				b.Fatal(err)
			}
			eachRecord(b, corpus.records, func(record []byte) error {
				sum, err := c.Sum(record)
				sealer.Fingerprint(1, sum)
				return err
			})
		})
		b.Run(corpus.name+"/ours with digests of fields", func(b *testing.B) {
			sealer, err := NewSealer(make([]byte, 16), "stream")
			if err != nil {
				b.Fatal(err)
			}
			f, err := NewFieldDigester(Rules{Ignore: []string{"lastSeenAt"}}, []string{"team.costCenter", "manager.id"}, sealer, nil)
			if err != nil {
				b.Fatal(err)
			}
			eachRecord(b, corpus.records, func(record []byte) error {
				sum, _, err := f.Sum(record, 1)
				sealer.Fingerprint(1, sum)
				return err
			})
		})
		b.Run(corpus.name+"/jsontext canonicalize", func(b *testing.B) {
			var form jsontext.Value
			eachRecord(b, corpus.records, func(record []byte) error {
				form = append(form[:0], record...) // it is written in place
				err := form.Canonicalize()
				xxhash.Sum64(form)
				return err
			})
		})
		b.Run(corpus.name+"/jsontext cut and canonicalize", func(b *testing.B) {
			var form jsontext.Value
			eachRecord(b, corpus.records, func(record []byte) (err error) {
				if form, err = cutMember(form[:0], record, "lastSeenAt"); err == nil {
					err = form.Canonicalize()
				}
				xxhash.Sum64(form)
				return err
			})
		})
		b.Run(corpus.name+"/encoding_json+sorted marshal", func(b *testing.B) {
			eachRecord(b, corpus.records, func(record []byte) error {
				var value map[string]any
				if err := json.Unmarshal(record, &value); err != nil {
					return err
				}
				delete(value, "lastSeenAt")
				form, err := json.Marshal(value) // sorts the keys
				xxhash.Sum64(form)
				return err
			})
		})
	}
}

// cutMember appends an object without one of its members, by jsontext.
func cutMember(dst jsontext.Value, record []byte, member string) (jsontext.Value, error) {
	out := bytes.NewBuffer(dst)
	decoder, encoder := jsontext.NewDecoder(bytes.NewReader(record)), jsontext.NewEncoder(out)
	for {
		token, err := decoder.ReadToken()
		if err != nil {
			return nil, err
		}
		if token.Kind() == '"' && token.String() == member {
			if err := decoder.SkipValue(); err != nil {
				return nil, err
			}
			continue
		}
		end := token.Kind() == '}'
		if err := encoder.WriteToken(token); err != nil || end {
			return out.Bytes(), err
		}
		if token.Kind() != '"' {
			continue
		}
		value, err := decoder.ReadValue()
		if err != nil {
			return nil, err
		}
		if err := encoder.WriteValue(value); err != nil {
			return nil, err
		}
	}
}

func eachRecord(b *testing.B, records [][]byte, do func(record []byte) error) {
	size := 0
	for _, record := range records {
		size += len(record)
	}
	b.SetBytes(int64(size / len(records)))
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if err := do(records[i%len(records)]); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

// inventedRecords returns employees of a company that does not exist, all with the same
// keys in the same order.
func inventedRecords(n int) [][]byte {
	random := rand.New(rand.NewPCG(42, 7))
	pick := func(of ...string) string { return of[random.IntN(len(of))] }
	word := func() string {
		return pick("amber", "birch", "cobalt", "dune", "ember", "fjord", "grove", "harbor", "iris", "juniper")
	}
	date := func() string {
		return fmt.Sprintf("20%02d-%02d-%02dT%02d:%02d:00Z", random.IntN(26), 1+random.IntN(12), 1+random.IntN(28), random.IntN(24), random.IntN(60))
	}
	var records [][]byte
	for i := range n {
		first, last := word(), word()
		var history []string
		for h := range 4 {
			history = append(history, fmt.Sprintf(`{"id":%d,"title":"%s %s","department":"%s","location":{"city":"%s","country":"%s","remote":%t},"startedAt":"%s","endedAt":null,"salary":{"amount":%d.50,"currency":"EUR","period":"year"}}`,
				i*10+h, pick("Senior", "Junior", "Lead"), word(), word(), word(), pick("NL", "DE", "PT"), h%2 == 0, date(), 40000+random.IntN(9000)))
		}
		var fields []string
		for f := range 6 {
			fields = append(fields, fmt.Sprintf(`{"id":"cf_%d","name":"Field %d","type":"%s","value":"%s %s %s"}`, f, f, pick("text", "select"), word(), word(), word()))
		}
		records = append(records, fmt.Appendf(nil, `{"id":"%d","employeeNumber":"E-%05d","firstName":"%s","lastName":"%s","displayName":"%s %s","preferredName":null,"gender":"%s",`+
			`"email":"%s.%s@example.com","personalEmail":null,"mobilePhone":"+31 6 %08d","workPhone":null,"birthDate":"19%02d-0%d-1%d","status":"%s","employmentType":"%s","fte":%d.%d,`+
			`"photoUrl":"https://images.example.com/photos/%d-4.jpg?initials=%c%c","lastSeenAt":"%s","hiredAt":"%s","updatedAt":"%s","manager":{"id":"%d","displayName":"%s %s","email":"%s@example.com"},`+
			`"address":{"street":"%s street %d","postalCode":"%d AB","city":"%s","state":null,"country":"NL"},"team":{"id":%d,"name":"%s","costCenter":"CC-%d"},`+
			`"skills":["%s","%s","%s"],"history":[%s],"customFields":[%s],"about":"Works on the %s project since the %s office opened; answers to \"%s\".\nLikes %s."}`,
			31000000+random.IntN(1e6), i, first, last, first, last, pick("f", "m", "x"), first, last, random.IntN(1e8), 60+random.IntN(40), 1+random.IntN(9), random.IntN(10),
			pick("active", "inactive"), pick("full_time", "part_time"), random.IntN(2), random.IntN(9), i, first[0], last[0], date(), date(), date(), 31000000+random.IntN(1e6), word(), word(), word(),
			word(), random.IntN(200), 1000+random.IntN(9000), word(), random.IntN(50), word(), 100+random.IntN(900), word(), word(), word(),
			strings.Join(history, ","), strings.Join(fields, ","), word(), word(), word(), word()))
	}
	return records
}

// shuffleKeys returns the record with the members of every object in another order.
func shuffleKeys(b *testing.B, random *rand.Rand, record []byte) []byte {
	b.Helper()
	switch record[0] {
	case '{':
		var members map[string]json.RawMessage
		if err := json.Unmarshal(record, &members); err != nil {
			b.Fatal(err)
		}
		var texts []string
		for key, value := range members {
			texts = append(texts, fmt.Sprintf("%q:%s", key, shuffleKeys(b, random, value)))
		}
		random.Shuffle(len(texts), func(i, j int) { texts[i], texts[j] = texts[j], texts[i] })
		return []byte("{" + strings.Join(texts, ",") + "}")
	case '[':
		var elements []json.RawMessage
		if err := json.Unmarshal(record, &elements); err != nil {
			b.Fatal(err)
		}
		var texts []string
		for _, value := range elements {
			texts = append(texts, string(shuffleKeys(b, random, value)))
		}
		return []byte("[" + strings.Join(texts, ",") + "]")
	}
	return record
}
