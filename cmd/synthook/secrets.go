package main

import (
	"encoding/base64"
	"os"
	"strings"

	"github.com/spf13/pflag"
)

// secretValue is a signing secret given on the command line or, so that it stays out of
// the shell's history, in a file.
type secretValue struct {
	text, file string
}

func secretFlag(flags *pflag.FlagSet, usage string) *secretValue {
	s := new(secretValue)
	flags.StringVar(&s.text, "secret", "", usage)
	flags.StringVar(&s.file, "secret-file", "", "File that holds the secret, instead of --secret")
	return s
}

// value is the secret; "" where none was given.
func (s *secretValue) value() (string, error) {
	switch {
	case s.file == "":
		return s.text, nil
	case s.text != "":
		return "", usageError("--secret and --secret-file are both set: give one")
	}
	return readSecretFile(s.file)
}

// required is the secret in its plain form, also where its whsec_ form was given: no
// secret of ours begins like that.
func (s *secretValue) required() (string, error) {
	text, err := s.value()
	if err == nil && text == "" {
		return "", usageError("--secret is missing: the webhook's signing secret, as its creation printed it (or --secret-file)")
	}
	if encoded, ok := strings.CutPrefix(text, "whsec_"); ok {
		plain, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			return "", usageError("--secret starts with whsec_ and is not base64 after it")
		}
		return string(plain), nil
	}
	return text, err
}

// readSecretFile reads a file that holds one secret; the newline at its end is no part
// of it.
func readSecretFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", usageError("read secret: %w", err)
	}
	defer f.Close()
	data, err := readBounded(f, path)
	if err != nil {
		return "", err
	}
	text := strings.TrimRight(string(data), "\r\n")
	if text == "" {
		return "", usageError("%s is empty: it must hold the secret", path)
	}
	return text, nil
}

// credentialFlags are an account's credentials, from the command line, from files and
// from the environment.
type credentialFlags struct {
	values, files, variables []string
}

func bindCredentials(flags *pflag.FlagSet) *credentialFlags {
	c := new(credentialFlags)
	flags.StringArrayVar(&c.values, "credential", nil, "Credential as `KEY=VALUE` (repeat for several)")
	flags.StringArrayVar(&c.files, "credential-file", nil, "Credential as `KEY=PATH` of a file that holds it; KEY=- reads standard input")
	flags.StringArrayVar(&c.variables, "credential-env", nil, "Credential as `KEY=VARIABLE` of the environment")
	return c
}

// read gathers the credentials; nil where none were given.
func (c *credentialFlags) read(a *app) (map[string]string, error) {
	credentials := map[string]string{}
	add := func(flag, pair string, value func(string) (string, error)) error {
		key, source, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			return usageError("--%s is not of the form KEY=…", flag) // not quoted: it may be the secret itself
		}
		if _, twice := credentials[key]; twice {
			return usageError("credential %q is given twice", key)
		}
		var err error
		credentials[key], err = value(source)
		return err
	}
	for _, pair := range c.values {
		if err := add("credential", pair, func(v string) (string, error) { return v, nil }); err != nil {
			return nil, err
		}
	}
	for _, pair := range c.files {
		if err := add("credential-file", pair, a.credentialFile); err != nil {
			return nil, err
		}
	}
	for _, pair := range c.variables {
		if err := add("credential-env", pair, a.credentialVariable); err != nil {
			return nil, err
		}
	}
	if len(credentials) == 0 {
		return nil, nil
	}
	return credentials, nil
}

func (a *app) credentialFile(path string) (string, error) {
	if path != "-" {
		return readSecretFile(path)
	}
	data, err := a.readInput()
	return strings.TrimRight(string(data), "\r\n"), err
}

func (a *app) credentialVariable(name string) (string, error) {
	for _, pair := range a.environ {
		if key, value, _ := strings.Cut(pair, "="); key == name && value != "" {
			return value, nil
		}
	}
	return "", usageError("the variable %s is not set", name)
}

// keyValues reads KEY=VALUE pairs that are no secrets.
func keyValues(flag string, pairs []string) (map[string]string, error) {
	if len(pairs) == 0 {
		return nil, nil
	}
	values := map[string]string{}
	for _, pair := range pairs {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			return nil, usageError("--%s %q is not of the form KEY=VALUE", flag, pair)
		}
		values[key] = value
	}
	return values, nil
}
