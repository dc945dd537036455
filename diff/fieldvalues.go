package diff

import (
	"bytes"

	"github.com/cespare/xxhash/v2"
)

// members takes the members of the record, whose shape is s, before they are put in order.
func (f *FieldDigester) members(s *shape, values []span) {
	c := f.canonical
	for i := range values {
		v, m := &values[i], &s.members[i]
		if v.in == nowhere {
			continue
		}
		if m.field == nil {
			m.field = f.learn(f.root, m.text[:len(m.text)-1])
		}
		m.field.records++
		if v.in == nullInData {
			continue
		}
		text := c.text(*v)
		if v.in == withKey {
			text = text[len(m.text):]
		}
		f.value(m.field, text)
	}
}

// learn finds or makes the field of a key, or one that shares the slot of where it stands.
func (f *FieldDigester) learn(above *field, quoted string) *field {
	if at := above.below[quoted]; at != nil {
		return at
	}
	key := PathKey(quoted[1 : len(quoted)-1])
	if key == "*" || len(f.fields) == MaxFields {
		return &field{slot: above.slot, path: hash(hashStep, above.path, xxhash.Sum64String(quoted))}
	}
	if above != f.root {
		key = above.name + "." + key
	}
	return f.add(above, quoted, key)
}

// value takes the canonical text of a field.
func (f *FieldDigester) value(at *field, text []byte) {
	if at.splits() && text[0] == '{' {
		f.object(at, text)
		return
	}
	f.row[at.slot] += f.seal.digest(f.place, at.path, xxhash.Sum64(text))
}

// object takes the canonical text of an object that holds fields.
func (f *FieldDigester) object(at *field, text []byte) {
	rest := uint64(0)
	for p := 1; text[p] != '}'; {
		colon := valueEnd(text, p)
		end := skipValue(text, colon+1)
		quoted, value := text[p:colon], text[colon+1:end]
		next := at.below[string(quoted)]
		switch {
		case next == nil && !at.learns:
			rest = hash(hashMember, rest, xxhash.Sum64(text[p:end]))
		case next == nil:
			next = f.learn(at, string(quoted))
			fallthrough
		default:
			next.records++
			f.value(next, value)
		}
		if p = end; text[p] == ',' {
			p++
		}
	}
	f.row[at.slot] += f.seal.digest(f.place, at.path, hash(hashObject, 0, rest))
}

// skipValue returns the position after the value at p of a canonical form.
func skipValue(form []byte, p int) int {
	if form[p] != '{' && form[p] != '[' {
		return valueEnd(form, p)
	}
	for depth := 0; ; {
		switch form[p] {
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return p + 1
			}
		case '"':
			p = stringEnd(form, p)
			continue
		}
		p++
	}
}

// stringEnd returns the position after the canonical string at p.
func stringEnd(form []byte, p int) int {
	for p++; ; {
		p += bytes.IndexByte(form[p:], '"')
		slashes := 0
		for form[p-1-slashes] == '\\' {
			slashes++
		}
		if p++; slashes%2 == 0 {
			return p
		}
	}
}
