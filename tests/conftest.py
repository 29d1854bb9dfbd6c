"""What every test stands on."""

import structlog
from hypothesis import HealthCheck, settings

# A log line is read by the tests that are about it; elsewhere it would only cost time.
structlog.configure(logger_factory=structlog.ReturnLoggerFactory(), processors=[])

# A machine that stalls for a moment fails no test: no example has a time bound.
settings.register_profile("midstream", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("midstream")
