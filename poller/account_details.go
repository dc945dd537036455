package poller

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/synthook/synthook/providers"
)

// accountDetails are the extra keys of account events, in the order of the wire
// contract. How the texts are escaped in the log is no matter: dispatch writes them anew.
type accountDetails struct {
	Provider         string            `json:"provider,omitempty"`
	OriginOwnerID    string            `json:"origin_owner_id,omitempty"`
	OriginOwnerName  string            `json:"origin_owner_name,omitempty"`
	OriginUsername   string            `json:"origin_username,omitempty"`
	SetupInformation map[string]string `json:"setup_information,omitempty"`
}

// details is the JSON of an account event's extra keys.
func details(a Account) (json.RawMessage, error) {
	return plainJSON(accountDetails{
		Provider: a.Provider, OriginOwnerID: a.OriginOwnerID, OriginOwnerName: a.OriginOwnerName,
		OriginUsername: a.OriginUsername, SetupInformation: a.SetupInformation,
	})
}

// plainJSON is compact JSON in which <, > and & stand as they are.
func plainJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("write account details: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

const (
	maxText  = 1000 // characters of a text that events carry
	maxSetup = 50   // entries of setup_information
)

// checkText refuses what PostgreSQL or some consumer's JSON library would not carry
// unchanged.
func checkText(field, text string, limit int) error {
	if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) }) {
		return invalid(field, "must be text without control characters")
	}
	if utf8.RuneCountInString(text) > limit {
		return invalid(field, "must not be longer than %d characters", limit)
	}
	return nil
}

// checkSetup refuses keys that JavaScript would reorder (those that look like array
// indexes) and everything that could be a credential: those that may be shown are
// added by setupInformation.
func checkSetup(connector *providers.Connector, credentials, given map[string]string) error {
	const field = "setup_information"
	if len(given) > maxSetup {
		return invalid(field, "must not have more than %d entries", maxSetup)
	}
	for key, value := range given {
		if err := checkText(field, key, 100); err != nil {
			return err
		}
		if err := checkText(field, value, maxText); err != nil {
			return err
		}
		if key == "" || strings.Trim(key, "0123456789") == "" {
			return invalid(field, "key %q looks like an array index or is empty", key)
		}
		for _, c := range connector.Credentials {
			if c.Name == key {
				return invalid(field, "%q is a credential of %s", key, connector.Name)
			}
			if secret := credentials[c.Name]; c.Secret && secret != "" && value == secret {
				return invalid(field, "%q holds the credential %s", key, c.Name)
			}
		}
	}
	return nil
}

// setupInformation is what an account shows of its set-up: the credentials that are no
// secret, and what was given.
func setupInformation(connector *providers.Connector, credentials, given map[string]string) map[string]string {
	setup := map[string]string{}
	for _, c := range connector.Credentials {
		if value := credentials[c.Name]; !c.Secret && value != "" {
			setup[c.Name] = value
		}
	}
	maps.Copy(setup, given)
	return setup
}

// givenSetup takes the connector's own part out of an account's setup_information.
func givenSetup(connector *providers.Connector, setup map[string]string) map[string]string {
	given := maps.Clone(setup)
	for _, c := range connector.Credentials {
		delete(given, c.Name)
	}
	return given
}

func credentialsPurpose(accountID string) string { return "account:" + accountID + ":credentials" }

func sealCredentials(s Sealer, accountID string, credentials map[string]string) ([]byte, error) {
	plain, err := json.Marshal(credentials)
	if err != nil {
		return nil, fmt.Errorf("write credentials: %w", err)
	}
	sealed, err := s.Seal(plain, credentialsPurpose(accountID))
	if err != nil {
		return nil, fmt.Errorf("seal credentials: %w", err)
	}
	return sealed, nil
}

func openCredentials(s Sealer, accountID string, sealed []byte) (map[string]string, error) {
	plain, err := s.Open(sealed, credentialsPurpose(accountID))
	if err != nil {
		return nil, fmt.Errorf("open credentials: %w", err)
	}
	var credentials map[string]string
	if err := json.Unmarshal(plain, &credentials); err != nil {
		return nil, fmt.Errorf("read credentials: they are not a JSON object") // err could quote them
	}
	return credentials, nil
}

func encodeSetup(setup map[string]string) (string, error) {
	if len(setup) == 0 {
		return "", nil
	}
	text, err := plainJSON(setup)
	return string(text), err
}

func (a Account) target(credentials map[string]string) providers.Target {
	return providers.Target{BaseURL: a.BaseURL, Credentials: credentials, PageSize: a.PageSize}
}

// checkURL asks the guard; it may look the host up.
func (a *Accounts) checkURL(ctx context.Context, url string) error {
	if url == "" || a.CheckURL == nil {
		return nil
	}
	if err := a.CheckURL(ctx, url); err != nil {
		return invalid("base_url", "%s", err)
	}
	return nil
}

// check refuses what an account can't be made of.
func (a *Accounts) check(connector *providers.Connector, account Account, credentials, given map[string]string) error {
	for _, text := range [...]struct{ field, text string }{
		{"origin_owner_id", account.OriginOwnerID}, {"origin_owner_name", account.OriginOwnerName}, {"origin_username", account.OriginUsername},
	} {
		if err := checkText(text.field, text.text, maxText); err != nil {
			return err
		}
	}
	if account.Schedule != "" {
		if _, err := ParseSchedule(account.Schedule, a.MinInterval); err != nil {
			return invalid("schedule", "%s", err)
		}
	}
	if account.Baseline != BaselineSilent && account.Baseline != BaselineEmit {
		return invalid("baseline", "must be silent or emit")
	}
	if account.PageSize < 0 {
		return invalid("page_size", "must not be negative")
	}
	if err := connector.Check(account.target(credentials)); err != nil {
		return invalid("credentials", "%s", err)
	}
	return checkSetup(connector, credentials, given)
}

// chosen are the record types of an account's streams.
func chosen(connector *providers.Connector, t providers.Target, wanted []string) ([]string, error) {
	served := connector.Serves(t)
	if len(wanted) == 0 {
		return served, nil
	}
	for _, recordType := range wanted {
		if !slices.Contains(served, recordType) {
			return nil, invalid("record_types", "%s does not serve %q: it serves %s", connector.Name, recordType, strings.Join(served, ", "))
		}
	}
	wanted = slices.Clone(wanted)
	slices.Sort(wanted)
	return slices.Compact(wanted), nil
}
