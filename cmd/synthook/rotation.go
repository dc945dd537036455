package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/synthook/synthook/cmd/synthook/internal/api"
)

func (a *app) webhookRotateSecretCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rotate-secret WEBHOOK_ID",
		Short: "Add a secret, verify it, make it the active one, retire the old one",
		Long: `Step by step: the first adds a secret and prints it; teach it to your consumer beside the
old one. --verify sends test events that tell whether the consumer knows it: one signed
with the new secret alone, one with the old, one with a wrong one. --activate makes it the
one that signs x-stackone-signature. Meanwhile, and for the overlap after, both sign
webhook-signature; --retire ends the overlap at once. --activate verifies first, and refuses
where the consumer does not know the secret. --now adds and activates in one step.`,
		Example: `  synthook webhook rotate-secret WEBHOOK_ID
  synthook webhook rotate-secret WEBHOOK_ID --verify
  synthook webhook rotate-secret WEBHOOK_ID --activate
  synthook webhook rotate-secret WEBHOOK_ID --retire
  synthook webhook rotate-secret WEBHOOK_ID --now --overlap 1h`,
		Args: arguments("WEBHOOK_ID"),
	}
	flags := cmd.Flags()
	var rotation api.SecretRotation
	secret := secretFlag(flags, "The new secret; default: a generated one")
	activate := flags.Bool("activate", false, "Make the secret that was added the active one, if the consumer knows it")
	unverified := flags.Bool("unverified", false, "With --activate: whatever the consumer knows")
	flags.BoolVar(&rotation.Activate, "now", false, "Add a secret and make it the active one at once")
	flags.StringVar(&rotation.Overlap, "overlap", "", "How long the old one stays valid after; default 24h")
	verify := flags.Bool("verify", false, "Find out whether the consumer knows the secret that was added")
	retire := flags.Bool("retire", false, "Forget every secret but the active one now")
	cmd.MarkFlagsMutuallyExclusive("activate", "now", "verify", "retire")
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		if rotation.Secret, err = secret.value(); err != nil {
			return err
		}
		path := []string{"v1", "webhooks", args[0], "secrets"}
		if *unverified && !*activate {
			return usageError("--unverified goes with --activate")
		}
		if rotation.Secret != "" && (*activate || *verify || *retire) {
			return usageError("a secret is only taken when one is added: without --activate, --verify and --retire")
		}
		switch {
		case *verify:
			return a.verifySecret(cmd, append(path, "verify"))
		case *retire:
			return askAndPrint(a, cmd, post(nil, append(path, "retire")...), describeWebhook)
		case !*activate:
			return askAndPrint(a, cmd, post(rotation, path...), describeWebhook)
		}
		if !*unverified {
			v, err := ask[api.SecretVerification](a, cmd, post(nil, append(path, "verify")...))
			if err != nil {
				return err
			}
			if err := unproved(v); err != nil {
				return fmt.Errorf("not activated, because %w; --unverified activates it all the same", err)
			}
		}
		return askAndPrint(a, cmd, post(api.SecretActivation{Overlap: rotation.Overlap}, append(path, "activate")...), describeWebhook)
	}
	return cmd
}

func (a *app) verifySecret(cmd *cobra.Command, path []string) error {
	v, err := ask[api.SecretVerification](a, cmd, post(nil, path...))
	if err != nil {
		return err
	}
	unproved := unproved(v)
	if err := a.print(v, func(w io.Writer) {
		for _, try := range []struct {
			name string
			test api.WebhookTest
		}{{"the new secret", v.Waiting}, {"the active secret", v.Active}, {"a wrong secret", v.Wrong}} {
			field(w, "signed with "+try.name, outcome(try.test.Status, try.test.Error))
		}
		if unproved == nil {
			fmt.Fprintln(w, "verified: the consumer knows the new secret")
		}
	}); err != nil || unproved == nil {
		return err
	}
	return fmt.Errorf("not verified: %w", unproved)
}

// unproved is why a consumer can't be said to know the new secret; nil: it does.
func unproved(v api.SecretVerification) error {
	switch {
	case v.Verified:
		return nil
	case v.AcceptsAnything:
		return errors.New("the consumer accepts any signature, so anybody can send it events")
	}
	return fmt.Errorf("the consumer does not accept the new secret (it answers: %s)", outcome(v.Waiting.Status, v.Waiting.Error))
}

func (a *app) webhookSecretsCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "secrets WEBHOOK_ID",
		Short:   "List a webhook's secrets and where they stand",
		Example: "  synthook webhook secrets WEBHOOK_ID",
		Args:    arguments("WEBHOOK_ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return printAll(a, list[api.WebhookSecret](a, cmd, nil, "v1", "webhooks", args[0], "secrets"), table[api.WebhookSecret]{
				columns: []string{"ID", "STATE", "CREATED", "VALID UNTIL"},
				row: func(s api.WebhookSecret) []string {
					return []string{s.ID, s.State, moment(s.CreatedAt), momentOf(s.ExpiresAt)}
				},
			})
		},
	}
}
