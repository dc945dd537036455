package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"github.com/spf13/cobra"

	"github.com/synthook/synthook/dispatch"
)

// maxInput bounds what is read from standard input or a file that a flag names.
const maxInput = 16 << 20

func (a *app) signCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "sign --secret SECRET < body",
		Short: "Sign a body as x-stackone-signature does",
		Long: `Reads a body from standard input and prints its x-stackone-signature: HMAC-SHA256
over the bytes as they are (a trailing newline counts), base64url without padding.`,
		Example: `  printf '%s' '{"project_id":"acme"}' | synthook sign --secret "$SECRET"`,
		Args:    arguments(),
	}
	secret := secretFlag(cmd.Flags(), "Signing secret")
	cmd.RunE = func(*cobra.Command, []string) error {
		key, err := secret.required()
		if err != nil {
			return err
		}
		body, err := a.readInput()
		if err != nil {
			return err
		}
		signature := dispatch.Sign(key, body)
		return a.print(map[string]string{"signature": signature}, func(w io.Writer) { fmt.Fprintln(w, signature) })
	}
	return cmd
}

func (a *app) verifyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify --secret SECRET --signature SIGNATURE < body",
		Short: "Verify a body against an x-stackone-signature",
		Long: `Reads a body from standard input and compares its signature with the one given.
Exit status 0: it matches; 1: it doesn't.`,
		Example: `  synthook verify --secret "$SECRET" --signature q0d7MMLd5k0ZymN9kYBfobiHw5JV4NA7nDTFZBEhnus < body.json`,
		Args:    arguments(),
	}
	secret := secretFlag(cmd.Flags(), "Signing secret")
	signature := cmd.Flags().String("signature", "", "Signature to verify: the header's value")
	cmd.RunE = func(*cobra.Command, []string) error {
		key, err := secret.required()
		if err != nil {
			return err
		}
		if *signature == "" {
			return usageError("--signature is missing: the value of the header x-stackone-signature")
		}
		body, err := a.readInput()
		if err != nil {
			return err
		}
		valid := dispatch.Verify(key, body, strings.TrimSpace(*signature))
		if err := a.print(map[string]bool{"valid": valid}, func(w io.Writer) {
			if valid {
				fmt.Fprintln(w, "the signature matches")
			}
		}); err != nil || valid {
			return err
		}
		return errors.New(mismatch(key, body, *signature))
	}
	return cmd
}

// mismatch says that a signature is wrong, and why where the usual mistakes explain it.
func mismatch(secret string, body []byte, signature string) string {
	message := "the signature does not match"
	if trimmed := bytes.TrimRight(body, "\r\n"); len(trimmed) < len(body) && dispatch.Verify(secret, trimmed, signature) {
		return message + ": it does without the newline at the end of the body"
	}
	if trimmed := strings.TrimRight(signature, "="); trimmed != signature && dispatch.Verify(secret, body, trimmed) {
		return message + ": it does without the padding"
	}
	return message
}

// readInput reads standard input to its end. A read from a terminal can't be broken
// off, and nothing is to be cleaned up here: Ctrl-C gets its plain meaning back.
func (a *app) readInput() ([]byte, error) {
	if a.stdin == os.Stdin {
		signal.Reset(os.Interrupt)
	}
	return readBounded(a.stdin, "standard input")
}

func readBounded(r io.Reader, name string) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxInput+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if len(data) > maxInput {
		return nil, usageError("%s exceeds %d MiB", name, maxInput>>20)
	}
	return data, nil
}
