"""E-mail over SMTP, with TLS and a login where the server has them. One message to one address; never sends again by
itself."""

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from email.errors import MessageError
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from functools import cached_property
from typing import Literal

from integrations.http import IntegrationError

IMPLICIT_TLS = 465  # the port on which TLS begins before the first word
Tls = Literal["auto", "implicit", "starttls"]
LOCAL = ("127.0.0.1", "::1", "localhost")
BOUNCED = "bounced"  # the code of a refusal of the address itself


@dataclass(frozen=True, slots=True)
class Letter:
    """One mail. `key` makes its Message-ID, so that a second copy is known as one; `leave` is the address that ends
    them; `picture` is (Content-ID, PNG)."""

    key: str
    to: str
    subject: str
    text: str
    html: str
    written_at: datetime
    leave: str = ""
    picture: tuple[str, bytes] | None = None


class Mailer:
    """One account at one server. Every failure is an IntegrationError that says whether the mail may have arrived."""

    def __init__(
        self, host: str, port: int, user: str, password: str, sender: str, timeout_s: float, tls: Tls = "auto"
    ) -> None:
        self._host, self._port, self._timeout_s = host, port, timeout_s
        self._user, self._password, self._sender = user, password, sender
        self.tls_first = tls == "implicit" or (tls == "auto" and port == IMPLICIT_TLS)

    def send(self, letter: Letter) -> str:
        """Hand a letter to the server; returns its Message-ID."""
        message = self._message(letter)
        with _told(letter.to), self._connected() as server:
            server.send_message(message, self._sender, [letter.to])
        return str(message["Message-ID"])

    def _message(self, letter: Letter) -> EmailMessage:
        message = EmailMessage(SMTP)
        try:
            message["From"], message["To"], message["Subject"] = self._sender, letter.to, letter.subject
        except (MessageError, ValueError) as error:
            raise IntegrationError("Mail", f'"{letter.to[:60]}" cannot be written to.', permanent=True) from error
        domain = self._sender.rpartition("@")[2].strip(">")
        message["Message-ID"] = f"<{letter.key}@{domain}>"
        message["Date"] = format_datetime(letter.written_at)
        message["Auto-Submitted"] = "auto-generated"
        if letter.leave:
            message["List-Unsubscribe"] = f"<{letter.leave}>"
            message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        message.set_content(letter.text)
        message.add_alternative(letter.html, subtype="html")
        if letter.picture:
            cid, png = letter.picture
            html = message.get_payload()[1]  # type: ignore[index]
            html.add_related(png, "image", "png", cid=f"<{cid}>", disposition="inline")  # type: ignore[union-attr]
        for nth, part in enumerate(part for part in message.walk() if part.is_multipart()):
            part.set_boundary(f"=_{letter.key}_{nth}")  # not by chance: a second copy is the same to the byte
        return message

    @cached_property
    def _trust(self) -> ssl.SSLContext:
        """The machine's certificates; to read them takes longer than to send a letter."""
        return ssl.create_default_context()

    @contextmanager
    def _connected(self) -> Iterator[smtplib.SMTP]:
        if self.tls_first:
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                self._host, self._port, timeout=self._timeout_s, context=self._trust
            )
        else:
            server = smtplib.SMTP(self._host, self._port, timeout=self._timeout_s)
        with server:
            self._secure(server)
            self._log_in(server)
            yield server

    def _log_in(self, server: smtplib.SMTP) -> None:
        if not self._user:
            return
        try:
            server.login(self._user, self._password)
        except (smtplib.SMTPAuthenticationError, smtplib.SMTPServerDisconnected):  # some hang up on a wrong password
            raise IntegrationError("Mail", "the login was refused.", "Check [mail] user and password.") from None
        except smtplib.SMTPNotSupportedError:
            raise IntegrationError(
                "Mail", f"{self._host} takes no login here.", "Empty [mail] user, or check [mail] port and tls."
            ) from None

    def _secure(self, server: smtplib.SMTP) -> None:
        server.ehlo()
        if self.tls_first:
            return
        if server.has_extn("starttls"):
            server.starttls(context=self._trust)
            server.ehlo()
        elif self._host not in LOCAL or self._user:
            raise IntegrationError(
                "Mail", f"{self._host} offers no TLS.", "Name a server that does, or its TLS port 465, in [mail]."
            )


@contextmanager
def _told(address: str) -> Iterator[None]:
    """Failures of SMTP in our own words; the server's are kept short, and the password is never among them."""
    try:
        yield
    except smtplib.SMTPRecipientsRefused as error:
        code, said = next(iter(error.recipients.values()))
        raise _refusal(code, said, f"{address} was refused", BOUNCED) from None
    except smtplib.SMTPResponseException as error:
        raise _refusal(error.smtp_code, error.smtp_error, "the mail was refused", "") from None
    except ConnectionRefusedError:
        raise IntegrationError("Mail", "nothing listens there.", "Check [mail] host and port.") from None
    except ssl.SSLError as error:
        raise IntegrationError("Mail", f"TLS failed ({error.reason}).", "Check [mail] host.") from None
    except (smtplib.SMTPException, OSError) as error:
        # A line that broke after the text was sent leaves it open whether the server has it.
        raise IntegrationError("Mail", f"the connection broke ({type(error).__name__}).", unknown=True) from None


def _refusal(code: int, said: bytes | str, what: str, kind: str) -> IntegrationError:
    words = " ".join((said.decode(errors="replace") if isinstance(said, bytes) else said).split())[:200]
    final = code >= 500
    return IntegrationError("Mail", f"{what} ({code} {words})", permanent=final, code=kind if final else "")
