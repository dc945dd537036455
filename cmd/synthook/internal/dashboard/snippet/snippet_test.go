package snippet

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/synthook/synthook/dispatch"
)

// The guide for consumers shows the very same programs.
func TestGuideShowsTheSnippets(t *testing.T) {
	guide, err := os.ReadFile("../../../../../docs/consumers.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range All() {
		if !strings.Contains(string(guide), strings.TrimSpace(s.Code)) {
			t.Errorf("docs/consumers.md does not show %s as it is", s.File)
		}
	}
}

// Every snippet takes what is genuine and refuses what is not. A language that is not
// installed is named; Go always is.
func TestSnippetsVerify(t *testing.T) {
	const secret, body = "a secret of this test", `{"project_id":"p","record_id":"<é\u2028>"}`
	genuine := dispatch.Sign(secret, []byte(body))
	for _, s := range All() {
		t.Run(s.Language, func(t *testing.T) {
			program, err := exec.LookPath(s.command[0])
			if err != nil {
				t.Logf("not run: %s is not installed", s.command[0])
				if s.Language == "Go" || s.Language == "Node" {
					t.Errorf("%s has to be", s.command[0])
				}
				return
			}
			file := filepath.Join(t.TempDir(), s.File)
			if err := os.WriteFile(file, []byte(s.Code), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, c := range []struct {
				body, signature string
				genuine         bool
			}{
				{body, genuine, true},
				{body + " ", genuine, false},
				{body, strings.ToLower(genuine), false},
				{body, genuine + "=", false},
				{body, "", false},
			} {
				command := exec.CommandContext(t.Context(), program, append(s.command[1:], file)...)
				command.Stdin = strings.NewReader(c.body)
				command.Env = append(os.Environ(), "SECRET="+secret, "SIGNATURE="+c.signature)
				out, err := command.CombinedOutput()
				if want := map[bool]string{true: "genuine", false: "refused"}[c.genuine]; !strings.HasPrefix(string(out), want+"\n") || (err == nil) != c.genuine {
					t.Errorf("signature %q: %v\n%s", c.signature, err, out)
				}
			}
		})
	}
}
