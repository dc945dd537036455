package main

import (
	"fmt"
	"io"
	"net"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/synthook/synthook/cmd/synthook/internal/receiver"
)

func (a *app) listenCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "listen --secret SECRET",
		Short: "Receive webhooks, verify them, print a line each",
		Long: `A receiver for development. It takes events on every path, verifies
x-stackone-signature (over the raw body, and that the body survives
JSON.parse and JSON.stringify) and the Standard Webhooks headers, and prints one line
an event. It answers 204, 401 to what does not verify, or 500 as --fail-every says.
It runs until Ctrl-C and then prints the totals.`,
		Example: `  synthook listen --port 3333 --secret "$SECRET"
  synthook listen --port 3333 --secret "$SECRET" --fail-every 5 --json`,
		Args: arguments(),
	}
	flags := cmd.Flags()
	host := flags.String("host", "127.0.0.1", "Address to listen on")
	port := flags.Uint16("port", 3333, "Port to listen on; 0 takes a free one")
	secret := secretFlag(flags, "Signing secret of the webhook")
	second := flags.String("second-secret", "", "Another valid secret, during a rotation")
	failEvery := flags.Uint16("fail-every", 0, "Answer 500 to every nth request; 0: never")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		key, err := secret.required()
		if err != nil {
			return err
		}
		secrets := []string{key}
		if *second != "" {
			secrets = append(secrets, *second)
		}
		var config net.ListenConfig
		l, err := config.Listen(cmd.Context(), "tcp", net.JoinHostPort(*host, strconv.Itoa(int(*port))))
		if err != nil {
			return fmt.Errorf("listen for webhooks: %w", err)
		}
		r := receiver.New(receiver.Options{Secrets: secrets, FailEvery: int(*failEvery), OnReceipt: a.printReceipt})
		a.note("receiving on http://%s/ until Ctrl-C", l.Addr())
		if err := r.Serve(cmd.Context(), l); err != nil {
			return err
		}
		c := r.Counts()
		a.note("%d received: %d verified, %d bad, %d duplicates, %d answered 500", c.Requests, c.Verified, c.Bad, c.Duplicates, c.Failed)
		return nil
	}
	return cmd
}

func (a *app) printReceipt(r receiver.Receipt) {
	err := a.print(r, func(w io.Writer) { fmt.Fprintln(w, r) })
	if err != nil {
		a.note("%v", err)
	}
}
