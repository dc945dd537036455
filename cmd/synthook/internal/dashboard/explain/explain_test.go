package explain

import (
	"os"
	"regexp"
	"testing"
)

// Every class of failure that dispatch knows is explained, and so is every status.
func TestEveryFailureIsExplained(t *testing.T) {
	source, err := os.ReadFile("../../../../../dispatch/post.go")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`class[A-Z]\w+ += "(\w+)"`).FindAllSubmatch(source, -1)
	if len(found) < 10 {
		t.Fatalf("only %d classes found", len(found))
	}
	for _, class := range found {
		if name := string(class[1]); name != "cancelled" && Attempt(500, name) == "" { // which is none that is kept
			t.Errorf("%s is not explained", name)
		}
	}
	said := map[string]bool{}
	for status := 400; status < 600; status++ {
		text := Attempt(status, "status")
		if text == "" {
			t.Errorf("status %d is not explained", status)
		}
		said[text] = true
	}
	if len(said) < 8 {
		t.Errorf("%d explanations for all statuses", len(said))
	}
	if text := Attempt(204, ""); text != "" {
		t.Errorf("a success means %q", text)
	}
}
