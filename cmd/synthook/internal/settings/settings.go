// Package settings reads the settings of a process: flags, environment, defaults.
//
// It owns the one table that defines them; flags, variables, help text and the printed
// effective settings all come from it. It never holds what can change while the
// service runs (accounts, schedules, webhooks): those are rows of the database.
package settings

import (
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/synthook/synthook/cmd/synthook/internal/netguard"
)

// Settings are the settings of one process, as Load found them.
type Settings struct {
	// Of the service.
	DatabaseURL          Secret // postgres://… or the path of an embedded database
	Listen               string // host:port of the API; port 0 takes a free one
	MetricsListen        string // host:port of the metrics, for whoever can reach it; "": only at the API, with the admin key
	MasterKey            Secret // seals credentials and secrets; "" where it lives in the key file
	AdminKey             Secret // "" where it is made at the first start
	AllowPrivateNetworks bool   // poll and deliver to loopback and private addresses
	AllowNetwork         netguard.Allowed
	OutboundProxy        Secret        // URL of an HTTP proxy; "": none
	CAFile               string        // authorities to trust beside the system's; "": none
	Connectors           string        // folder of connectors beside the built-in ones; "": none
	MinInterval          time.Duration // floor of every schedule
	PollConcurrency      int           // polls at the same time in this process
	EventRetention       time.Duration // age at which events leave the log; 0: never
	AttemptRetention     time.Duration // age at which attempts are forgotten; 0: never
	OperatorURL          string        // told of webhooks that were disabled by their endpoints; "": nobody is
	ShutdownTimeout      time.Duration // longest time that an orderly end may take
	OTLPEndpoint         string        // base URL of an OpenTelemetry collector; "": no traces
	LogLevel             zerolog.Level
	LogFormat            string // json or console

	// Of the commands that talk to a service.
	Server  string
	APIKey  Secret
	Project string

	sources map[string]string // by setting: where its value came from
}

// Network is what netguard is made with.
func (s Settings) Network() netguard.Config {
	return netguard.Config{AllowPrivate: s.AllowPrivateNetworks, Allowed: s.AllowNetwork, Proxy: s.OutboundProxy.Reveal(), CAFile: s.CAFile}
}

// Group tells who reads a setting.
type Group string

const (
	Service Group = "service" // serve, check, migrate, demo
	Client  Group = "client"  // commands that talk to a running service
)

// Setting is one row of the table.
type Setting struct {
	Name    string // of the flag
	Group   Group
	Default string
	Form    string // what a value looks like
	Help    string
	Secret  bool // never printed; also readable from a file: --NAME-file, SYNTHOOK_NAME_FILE
	value   value
}

// Variable is the environment variable of the setting.
func (s Setting) Variable() string {
	return prefix + strings.ToUpper(strings.ReplaceAll(s.Name, "-", "_"))
}

const (
	prefix     = "SYNTHOOK_"
	fileSuffix = "_FILE"
)

// Table lists every setting there is, in the order of the documentation.
func Table() []Setting { return table(new(Settings)) }

func table(s *Settings) []Setting {
	return []Setting{
		{"database-url", Service, "synthook.db", "postgres://user:password@host:port/database, or a file path for the embedded database",
			"Database: a PostgreSQL URL, or the file of the embedded one", true, databaseValue{&s.DatabaseURL}},
		{"listen", Service, "127.0.0.1:8080", "host:port, such as 127.0.0.1:8080 or :8080", "Address of the HTTP API", false, addressValue{&s.Listen}},
		{"metrics-listen", Service, "", "host:port, such as 127.0.0.1:9090", "Address that serves /metrics and nothing else, without a key; the API serves it to the admin key alone", false, optionalValue{addressValue{&s.MetricsListen}}},
		{"master-key", Service, "", "at least 32 random characters, such as the output of `openssl rand -base64 32`",
			"Key that seals credentials and secrets; without one the embedded database makes a key file beside itself", true, secretValue{&s.MasterKey, 32}},
		{"admin-key", Service, "", "at least 8 characters", "Key that opens every project; without one it is made at the first start and printed once", true, secretValue{&s.AdminKey, 8}},
		{"allow-private-networks", Service, "false", "true or false", "Poll and deliver to loopback and private addresses too", false, boolValue{&s.AllowPrivateNetworks}},
		{"allow-network", Service, "", "networks, addresses and hosts, separated by commas, such as 10.1.0.0/16,hooks.example.com,*.corp.example.com",
			"Of the private and special addresses, poll and deliver to these", false, allowedValue{&s.AllowNetwork}},
		{"outbound-proxy", Service, "", "http://user:password@host:port, or https://", "HTTP proxy that polls and deliveries go through", true, proxyValue{&s.OutboundProxy}},
		{"ca-file", Service, "", "a file of PEM certificates", "Authorities that providers and receivers may be certified by, beside the system's", false, textValue{&s.CAFile}},
		{"connectors", Service, "", "a folder", "Folder with your own connectors (*.yaml)", false, textValue{&s.Connectors}},
		{"min-interval", Service, "5m", "a duration of at least 1s, such as 5m", "Shortest interval that a schedule may have", false, durationValue{&s.MinInterval, time.Second}},
		{"poll-concurrency", Service, "8", "a whole number from 1 to 1000", "Polls at the same time", false, countValue{&s.PollConcurrency, 1000}},
		{"event-retention", Service, "2160h", "a duration of at least 1h, such as 2160h; 0 keeps everything",
			"Age at which events leave the log (never before every enabled webhook is past them), and polls the record", false, retentionValue{&s.EventRetention}},
		{"attempt-retention", Service, "720h", "a duration of at least 1h, such as 720h; 0 keeps everything", "Age at which delivery attempts are forgotten", false, retentionValue{&s.AttemptRetention}},
		{"operator-url", Service, "", "an http:// or https:// URL", "URL that is told of webhooks that were disabled by their endpoints", false, endpointValue{&s.OperatorURL}},
		{"shutdown-timeout", Service, "20s", "a duration of at least 1s, such as 20s", "Longest time that an orderly end may take", false, durationValue{&s.ShutdownTimeout, time.Second}},
		{"otlp-endpoint", Service, "", "a URL, such as http://localhost:4318", "OpenTelemetry collector that is told of polls and deliveries (OTLP over HTTP)", false, optionalValue{urlValue{&s.OTLPEndpoint}}},
		{"log-level", Service, "info", "trace, debug, info, warn or error", "Least level that is logged", false, levelValue{&s.LogLevel}},
		{"log-format", Service, "json", "json or console", "Form of the log on standard error", false, choiceValue{&s.LogFormat, []string{"json", "console"}}},

		{"server", Client, "http://127.0.0.1:8080", "a URL, such as http://127.0.0.1:8080", "Service to talk to", false, urlValue{&s.Server}},
		{"api-key", Client, "", "a key of a project, or the admin key", "Key to talk with", true, secretValue{&s.APIKey, 1}},
		{"project", Client, "", "the id of a project", "Project the admin key acts in; a project's own key needs none", false, textValue{&s.Project}},
	}
}
