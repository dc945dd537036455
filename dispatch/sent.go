package dispatch

import (
	"context"
	"slices"
	"strings"
	"time"
)

// Request is what one attempt sends.
type Request struct {
	URL     string
	Headers []Header // by name
	Body    []byte
}

// Header is one of a request's.
type Header struct{ Name, Value string }

// Sent writes an attempt of an event at a time again: the body byte for byte, and the
// headers as the webhook's secrets sign them now. ErrNotFound.
func (m *Webhooks) Sent(ctx context.Context, projectID, webhookID string, e Event, at time.Time) (Request, error) {
	w, err := m.Get(ctx, projectID, webhookID)
	if err != nil {
		return Request{}, err
	}
	secrets, err := m.store.secrets(ctx, webhookID, m.config.Sealer)
	if err != nil {
		return Request{}, err
	}
	body, err := Body(e, at)
	if err != nil {
		return Request{}, err
	}
	r := Request{URL: w.URL, Body: body}
	for name, values := range m.sender.headers(target{url: w.URL, secrets: secrets}, message{e.UID, at, body}) {
		if len(values) > 0 {
			r.Headers = append(r.Headers, Header{strings.ToLower(name), values[0]})
		}
	}
	slices.SortFunc(r.Headers, func(a, b Header) int { return strings.Compare(a.Name, b.Name) })
	return r, nil
}
