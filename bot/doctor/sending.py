"""What `scrumbut doctor --send-test` sends: at once and not through the outbox, for the answer is what it is about."""

from collections.abc import Iterator
from email.utils import parseaddr
from uuid import uuid4

from bot.doctor.case import TIMEOUT_S, Case
from bot.flows.finding import Finding, fine, wrong
from integrations.http import IntegrationError
from integrations.mail import Letter, Mailer
from integrations.slack import Identity

WORDS = "A test of scrumbut doctor --send-test: what the bot posts arrives here."


def send_message(case: Case) -> Iterator[Finding]:
    """One message to each channel that the configuration names."""
    if not isinstance(case.identity, Identity) or case.slack is None:
        return  # said already
    blocks = [{"type": "section", "text": {"type": "plain_text", "text": WORDS}}]
    for channel in case.channels:
        try:
            case.slack.post(channel, WORDS, blocks, f"doctor:{uuid4().hex}")
        except IntegrationError as error:
            yield wrong("test message", f"{channel}: {error.what}", error.remedy or "Look above.", "test-refused")
        else:
            yield fine("test message", f"it arrived in {channel}")


def send_mail(case: Case) -> Iterator[Finding]:
    """One mail from the bot's address to itself; nobody else is bothered."""
    mail = case.settings.mail
    if not mail.host:
        return
    address = parseaddr(mail.sender)[1]
    mailer = Mailer(mail.host, mail.port, mail.user, mail.password.get_secret_value(), mail.sender, TIMEOUT_S)
    letter = Letter(f"doctor-{uuid4().hex}", address, "A test of scrumbut", WORDS, f"<p>{WORDS}</p>", case.now())
    try:
        mailer.send(letter)
    except IntegrationError as error:
        yield wrong(
            "test mail", error.what, error.remedy or "Check [mail] host, port, user and password.", "test-refused"
        )
    else:
        yield fine("test mail", f"{mail.host} took it for {address}")
