"""Mail of reports: one letter to each address that has not left, a link to leave in each, and who left.

Mail is sent at least once: a letter in doubt goes again with the same Message-ID, so that a mailbox shows one.
"""

from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import Connection

from bot.flows.services import ReportPlan, Services
from integrations.http import IntegrationError
from integrations.mail import BOUNCED, Letter
from reports.mail import PICTURE, Email, render_email
from store import outbox
from store.addresses import come_back, has_left, leave, note_bounce
from store.outbox import Effect
from store.reports import StoredReport, claim_place

KIND = "mail.report"
LEAVE = "/mail/leave"  # the page and the one-click endpoint


def mail_report(connection: Connection, services: Services, report: StoredReport, plan: ReportPlan) -> Iterator[str]:
    """Hand a letter to the outbox for each address of the plan that wants it and has not got it; yields those."""
    wanted = [address for address in plan.emails if not has_left(connection, address)]
    fresh = [to for to in wanted if claim_place(connection, report.id, f"mail:{to}", services.now())]
    if not fresh or services.mailer is None:
        return
    email = render_email(report.snapshot, plan.templates)
    for address in fresh:
        letter = _letter(email, address, leave_url(services, address))
        outbox.put(connection, f"mail:{report.id}:{address}", KIND, letter, services.now())
        yield address


def _letter(email: Email, address: str, url: str) -> dict[str, Any]:
    way_out = f'<p style="font-size:12px"><a href="{url.replace("&", "&amp;")}">No more of these by mail</a></p>'
    return {
        "to": address,
        "subject": email.subject,
        "text": f"{email.text}\n\nNo more of these by mail: {url}\n",
        "html": email.html.replace("</body>", way_out + "</body>"),
        "leave": url,
        "png": b64encode(email.png).decode(),
    }


def leave_url(services: Services, address: str) -> str:
    """Where that address, and nobody for another one, ends its mail; the link does not end."""
    query = urlencode({"to": address, "sig": services.links.sign("leave", address)})
    return f"{services.public_url}{LEAVE}?{query}"


def change_mail(services: Services, query: Mapping[str, str], *, back: bool = False) -> str:
    """End the mail to the address of that link, or begin it again. Returns the address, empty for no link of ours."""
    address = may_change(services, query)
    if address:
        with services.database.write() as connection:
            (come_back if back else leave)(connection, address, services.now())
    return address


def may_change(services: Services, query: Mapping[str, str]) -> str:
    """The address that such a link is for; empty where the link is not ours."""
    address = query.get("to", "")
    return address if services.links.holds(query.get("sig", ""), "leave", address) else ""


def send_letter(services: Services, effect: Effect, written_at: datetime) -> dict[str, Any]:
    """Deliver a letter; a refused address is remembered beside the failure."""
    p = effect.payload
    if services.mailer is None:
        raise IntegrationError("Mail", "it is not configured.", "Set [mail] host and from.", permanent=True)
    picture = (PICTURE, b64decode(p["png"])) if p["png"] else None
    letter = Letter(effect.key, p["to"], p["subject"], p["text"], p["html"], written_at, p["leave"], picture)
    try:
        return {"message_id": services.mailer.send(letter)}
    except IntegrationError as error:
        if error.code == BOUNCED:
            with services.database.write() as connection:
                note_bounce(connection, p["to"], error.what, services.now())
        raise
