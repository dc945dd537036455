package service

import (
	"io"
	"time"

	"github.com/rs/zerolog"

	"github.com/synthook/synthook/cmd/synthook/internal/settings"
)

// Logger is the logger that the settings ask for, writing to w.
func Logger(s settings.Settings, w io.Writer) zerolog.Logger {
	if s.LogFormat == "console" {
		w = zerolog.ConsoleWriter{Out: w, TimeFormat: time.TimeOnly}
	}
	return zerolog.New(w).Level(s.LogLevel).With().Timestamp().Logger()
}
