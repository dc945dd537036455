package providers

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// mark is where a listing stands, as Page.Resume writes it.
type mark struct {
	Version string `json:"v"`
	Variant int    `json:"variant,omitempty"`
	Number  int    `json:"number,omitempty"`
	Offset  int    `json:"offset,omitempty"`
	Cursor  string `json:"cursor,omitempty"`
	URL     string `json:"url,omitempty"`
	Size    int    `json:"size,omitempty"`
	Since   string `json:"since,omitempty"`
	Pages   int    `json:"pages,omitempty"`
	Rows    int    `json:"rows,omitempty"`
	IDs     int    `json:"ids,omitempty"`    // distinct ones
	Parent  string `json:"parent,omitempty"` // up to this one, parents are finished
}

// mark writes where the walk stands; "" where that can't be told without a credential.
func (l *listing) mark(w *walk, variant int) string {
	p := w.place
	m := mark{
		Variant: variant, Number: p.number, Offset: p.offset, Cursor: p.cursor, Size: p.size,
		Pages: w.pages, Rows: w.rows, IDs: w.distinct(),
	}
	if p.url != nil {
		m.URL = l.cl.withoutCredentials(p.url)
	}
	return l.marked(m)
}

// marked writes a mark of this listing.
func (l *listing) marked(m mark) string {
	m.Version, m.Since = l.stream.info.Version, l.since()
	for _, secret := range slices.Concat(l.cl.secrets, l.cl.keeper.secrets()) {
		if strings.Contains(m.Cursor, secret) || strings.Contains(m.URL, secret) || strings.Contains(m.URL, url.QueryEscape(secret)) || strings.Contains(m.URL, url.PathEscape(secret)) {
			return ""
		}
	}
	text, _ := json.Marshal(m)
	return string(text)
}

func (l *listing) since() string {
	if l.o.Since.IsZero() {
		return ""
	}
	return l.o.Since.UTC().Format(time.RFC3339Nano)
}

// resumed reads where to go on; the zero mark is the beginning.
func (l *listing) resumed() (mark, error) {
	var m mark
	if l.o.Resume == "" {
		return m, nil
	}
	if err := json.Unmarshal([]byte(l.o.Resume), &m); err != nil || m.Version != l.stream.info.Version || m.Since != l.since() || m.Variant >= len(l.stream.calls) {
		return m, ErrResume
	}
	return m, nil
}

// resume sets the walk where a mark was made.
func (w *walk) resume(m mark) error {
	if m.Pages == 0 {
		return nil
	}
	w.place = place{number: m.Number, offset: m.Offset, cursor: m.Cursor, size: m.Size}
	w.pages, w.rows, w.before = m.Pages, m.Rows, m.IDs
	if m.URL != "" {
		target, err := url.Parse(m.URL)
		if err != nil || !sameHost(target, w.cl.base) && !w.cl.auth.namesBase() {
			return ErrResume
		}
		w.place.url = target
	}
	return nil
}

// withoutCredentials is a URL without the parameters that authenticate adds.
func (cl *Client) withoutCredentials(u *url.URL) string {
	known := u.Query()
	found := false
	for _, p := range cl.auth.query {
		if name, ok := p.name.expand(cl.lookup, nil); ok && known.Has(name) {
			known.Del(name)
			found = true
		}
	}
	if !found {
		return u.String() // in the provider's own spelling
	}
	plain := *u
	plain.RawQuery = known.Encode()
	return plain.String()
}

// validators are what a later listing can begin with, as Page.Validators writes them.
type validators struct {
	Version  string `json:"v"`
	ETag     string `json:"etag,omitempty"`
	Modified string `json:"modified,omitempty"`
	Sync     string `json:"sync,omitempty"`
}

// readValidators reads those of a listing of the same version; of another they are void.
func readValidators(text, version string) validators {
	var v validators
	if text == "" || json.Unmarshal([]byte(text), &v) != nil || v.Version != version {
		return validators{}
	}
	return v
}

// conditional tells whether one answer is the whole listing, so that an unchanged one
// means an unchanged listing.
func (l *listing) conditional() bool {
	return l.stream.paging.kind == "none" && len(l.stream.calls) == 1 && l.stream.parent == nil && l.o.Since.IsZero()
}

func (v validators) headers() http.Header {
	h := http.Header{}
	if v.ETag != "" {
		h.Set("If-None-Match", v.ETag)
	} else if v.Modified != "" {
		h.Set("If-Modified-Since", v.Modified)
	}
	return h
}

// validators are those of a walk that ended.
func (l *listing) validators(w *walk) string {
	v := l.before
	v.Version = l.stream.info.Version
	if l.conditional() {
		v.ETag, v.Modified = w.header.Get("ETag"), strongModified(w.header)
	}
	if w.sync != "" {
		v.Sync = w.sync
	}
	if v == (validators{Version: v.Version}) {
		return ""
	}
	text, _ := json.Marshal(v)
	return string(text)
}

// strongModified is a Last-Modified that tells one state from the next: it has seconds
// only, so it must lie well before the answer (RFC 9110, section 8.8.2.2).
func strongModified(h http.Header) string {
	modified, err := http.ParseTime(h.Get("Last-Modified"))
	date, wrong := http.ParseTime(h.Get("Date"))
	if err != nil || wrong != nil || date.Sub(modified) < 2*time.Second {
		return ""
	}
	return h.Get("Last-Modified")
}
