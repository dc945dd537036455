// Package providers reads one stream of one account page by page, politely.
//
// It owns the connectors: how a provider's API is asked is data (catalog/*.yaml, and
// files of the user's own), and the engine that follows them is code. A listing that it
// calls complete is complete: the end signal that the connector names was seen, no page
// failed, no cursor came twice and the provider's own total, where it gives one, agrees.
// Limits are budgets of an account, shared by its streams: a provider that asks for
// silence gets it, and a poll becomes slower, not wrong.
//
// It never stores anything, never decides what a change is, and never puts a record's
// contents, a credential or a URL's query into an error or a trace.
//
// Words: a provider is the system, a connector our description of its API, a record type
// a kind of its records, a stream one record type of one account, a listing all pages of
// a stream as one walk saw them.
package providers
