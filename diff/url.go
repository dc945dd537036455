package diff

import "bytes"

// signedURL returns the length of a URL without its query and fragment when the query
// carries a signature that expires, and -1 for everything else. A provider signs the same
// resource anew on every read (photos of BambooHR and Workable, attachments of
// Greenhouse), so such a query says nothing about the record.
//
// The text must be an http:// or https:// URL and nothing more, and its query must have a
// value for one of these, whose names are compared without case:
//
//   - X-Amz-Signature, or X-Goog-Signature;
//   - Signature, with Policy, Expires or Key-Pair-Id (CloudFront, and the older schemes
//     of S3 and Google Cloud Storage);
//   - sig, with se or sv (Azure SAS);
//   - token, with expires (CDNs).
//
// Any other query stays: ?id=22 is part of what a record says.
func signedURL(text []byte) int {
	n := bytes.IndexByte(text, '?')
	if n < 0 || bytes.IndexByte(text, ' ') >= 0 || bytes.IndexByte(text, '\\') >= 0 { // a backslash: an escape, so no URL
		return -1
	}
	scheme, rest, _ := bytes.Cut(text[:n], []byte("://"))
	if len(rest) == 0 || string(scheme) != "http" && string(scheme) != "https" {
		return -1
	}
	if bytes.IndexByte(rest, '#') >= 0 { // the question mark stands in the fragment
		return -1
	}
	query, _, _ := bytes.Cut(text[n+1:], []byte("#"))
	var has parameters
	for parameter := range bytes.SplitSeq(query, []byte("&")) {
		if name, value, _ := bytes.Cut(parameter, []byte("=")); len(value) > 0 {
			has |= parameterOf(name)
		}
	}
	if has.signed() {
		return n
	}
	return -1
}

// parameters is a set of what the parameters of a query are to a signing scheme.
type parameters uint8

const (
	signature  parameters = 1 << iota // is enough by itself
	plain                             // Signature …
	plainLimit                        // … and what it is good for
	azure                             // sig …
	azureLimit                        // … and its end or version
	token                             // token …
	tokenLimit                        // … and its end
)

func (p parameters) signed() bool {
	all := func(of parameters) bool { return p&of == of }
	return all(signature) || all(plain|plainLimit) || all(azure|azureLimit) || all(token|tokenLimit)
}

func parameterOf(name []byte) parameters {
	var lower [len("x-goog-signature")]byte
	if len(name) > len(lower) {
		return 0
	}
	for i, b := range name {
		lower[i] = b | 0x20 // letters and hyphens are all that is compared
	}
	switch string(lower[:len(name)]) {
	case "x-amz-signature", "x-goog-signature":
		return signature
	case "signature":
		return plain
	case "policy", "key-pair-id":
		return plainLimit
	case "expires":
		return plainLimit | tokenLimit
	case "sig":
		return azure
	case "se", "sv":
		return azureLimit
	case "token":
		return token
	}
	return 0
}
