"""What every test stands on."""

import structlog

# A log line is read by the tests that are about it; elsewhere it would only cost time.
structlog.configure(logger_factory=structlog.ReturnLoggerFactory(), processors=[])
