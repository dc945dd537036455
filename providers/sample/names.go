package sample

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Everything is put together from syllables; no list of real names is behind it. Some
// letters are not ASCII, one is outside the basic plane: JSON can spell them in ways.
var (
	heads   = []string{"Bra", "Cal", "Dre", "Eno", "Fi", "Gor", "Hy", "Ila", "Jo", "Kve", "Lø", "Mi", "Nau", "Oru", "Py", "Qua", "Ré", "Sül", "Tam", "Una", "Vex", "Wi", "Yor", "Zae"}
	middles = []string{"ba", "dri", "fen", "ğu", "ho", "ka", "lin", "mo", "ñe", "pa", "ro", "shi", "tu", "vé"}
	tails   = []string{"ck", "dal", "fyn", "grit", "l", "mar", "n", "phor", "qvist", "r", "sk", "th", "wen", "ß"}
	cities  = []string{"Orrow", "Fenwick Quay", "Nöttbach", "Saint-Élo", "Pell's Crossing", "Ivarra", "North Dunmere"}
	offices = []string{"Workshop", "Ledger & Coin", "People", "Field Service", "Dispatch", "Research"}
	jobs    = []string{"Loom Keeper", "Ledger Clerk", "Tide Planner", "Bridge Fitter", "Signal Analyst", "Kiln Operator", "Route Surveyor", "Lantern Engineer"}
	ranks   = []string{"Junior", "Senior", "Lead", "Principal", "Deputy"}
	boards  = []string{"Jobwell", "Hirely", "Word of mouth", "Career day"}
	streets = []string{"Harbour Lane", "Mill Row", "Upper Kiln Street", "Wharf \"B\"", "Rue de l'Étang"}
)

func pick[T any](r *rand.Rand, of []T) T { return of[r.IntN(len(of))] }

// other picks one that is not the one there was.
func other[T comparable](r *rand.Rand, of []T, not T) T {
	for {
		if v := pick(r, of); v != not {
			return v
		}
	}
}

func name(r *rand.Rand) string {
	n := pick(r, heads)
	if r.IntN(2) == 0 {
		n += pick(r, middles)
	}
	return n + pick(r, tails)
}

func phone(r *rand.Rand) string { return fmt.Sprintf("+1555010%04d", r.IntN(10000)) }

func email(first, last string, id int) string {
	plain := strings.Map(func(c rune) rune {
		if c < utf8.RuneSelf && unicode.IsLetter(c) {
			return unicode.ToLower(c)
		}
		return -1
	}, first+last)
	return fmt.Sprintf("%s%d@orrowfen.example", plain, id)
}

func decimal(n int) string { return strconv.Itoa(n) }
