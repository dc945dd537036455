package keys

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
)

// readKeyFile reads a key file and refuses one that others may read; fs.ErrNotExist
// where there is none.
func readKeyFile(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("read key file: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return "", fmt.Errorf("the key file %s may be read by others (mode %04o): chmod 600 it", path, mode)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read key file: %w", err)
	}
	return strings.TrimSpace(string(data)), nil
}

// makeKeyFile makes a key and a new file for it, which is on the disk before the first
// thing is sealed under it.
func makeKeyFile(path string) (string, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", fmt.Errorf("make key file: %w", err)
	}
	key := newKey("")
	_, err = f.WriteString(key + "\n")
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return "", fmt.Errorf("write key file: %w", err)
	}
	return key, nil
}
