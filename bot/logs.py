"""Where log lines go and which libraries may speak; nothing here decides what is logged."""

import logging
import sys

import structlog

# At DEBUG these log tokens, OAuth codes and addresses with keys in them.
QUIET = ("slack_sdk", "urllib3", "httpx2", "httpcore2", "alembic", "jira")


def configure_logs(level: int = logging.INFO) -> None:
    """Key-value lines on standard error, one per event; libraries from WARNING on."""
    logging.basicConfig(level=level, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    # Its warnings are advice to whoever writes the app, with the request's body in them.
    logging.getLogger("slack_bolt").setLevel(logging.ERROR)
    # A beat that is left out while the one before still works is nothing to warn of: the next one asks the same.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,  # the request's and the experiment's key
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),  # whatever stderr is at that moment
    )
