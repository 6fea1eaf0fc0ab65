"""The pages people open: reports and experiments. Each opens by a signed link of the bot's, or after a login.

A signed link opens its own page; for half a day it also lets its reader look at the experiments which that page names.
Whoever signed in with Slack reads everything.
"""

from collections.abc import Callable
from datetime import timedelta
from html import escape
from urllib.parse import quote, urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from backlog.errors import NotFound
from bot.flows.links import is_ahead
from bot.flows.mail_report import LEAVE, change_mail, may_change
from bot.flows.services import Caller, Services
from bot.terminal import to_text
from bot.verbs import Request as VerbRequest
from bot.verbs import answer
from store.reports import find_report, list_reports

VISITOR = Caller("", "")  # reads only, so nothing is done in anybody's name
COOKIE = "scrumbut"
READER, MEMBER = "reader", "member"  # came by a link | signed in
VISIT = timedelta(hours=12)
# A page is one file without script or request; the headers hold it to that, whatever a template says. The address
# may carry a signature, so it is never told to another site nor kept.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "private, no-store",
    "X-Robots-Tag": "noindex",
    "Cross-Origin-Opener-Policy": "same-origin",
}
HOW = "It opens by a link of the bot's, which ends after a while. In Slack, <code>/exp report archive</code> gives one."


class Pages:
    """The pages of one server; `can_sign_in` offers the login to whoever comes without a link."""

    def __init__(self, services: Services, can_sign_in: bool = False) -> None:
        self._services, self._can_sign_in = services, can_sign_in
        self._under = place_of(services)

    def routes(self) -> list[Route]:
        """The pages by their paths."""
        return [
            Route("/reports/", self._guarded(self._reports)),
            Route("/reports/{id}", self._guarded(self._report)),
            Route("/experiments/", self._guarded(self._experiments, READER)),
            Route("/experiments/{key}", self._guarded(self._experiment, READER)),
            Route(LEAVE, self._ask_to_leave, methods=["GET"]),
            Route(LEAVE, self._leave, methods=["POST"]),
        ]

    def _guarded(self, page: Callable[[Request], Response], enough: str = MEMBER) -> Callable[[Request], Response]:
        def guarded(request: Request) -> Response:
            now, links = self._services.now(), self._services.links
            visitor = visitor_of(request, self._services)
            by_link = links.admits(request.url.path, request.query_params, now)
            if not by_link and visitor not in (MEMBER, enough):
                return self._denied(request)
            response = page(request)
            if by_link and not visitor:
                let_in(response, self._services, READER)
            return response

        return guarded

    def _denied(self, request: Request) -> Response:
        login = f'<p><a href="{self._under}/login?next={quote(request.url.path)}">Sign in with Slack</a></p>'
        return simple_page("Not open", f"<p>{HOW}</p>{login if self._can_sign_in else ''}", 403)

    def _report(self, request: Request) -> Response:
        try:
            with self._services.database.read() as connection:
                found = find_report(connection, request.path_params["id"])
        except NotFound as error:
            return simple_page("Not found", f"<p>{escape(str(error))}</p>", 404)
        return HTMLResponse(found.html, headers=HEADERS)

    def _reports(self, request: Request) -> Response:
        with self._services.database.read() as connection:
            known = list_reports(connection)
        rows = "".join(
            f"<li>{self._link(f'/reports/{id_}', id_)}, {made_at:%d %b %Y}</li>" for id_, _, made_at in known
        )
        return simple_page("Reports", f"<ul>{rows}</ul>" if rows else "<p>None yet.</p>")

    def _link(self, path: str, text: str) -> str:
        """Whoever sees the archive may open what is in it, signed in or not."""
        link = self._under + self._services.links.to(quote(path), self._services.now())
        return f'<a href="{escape(link)}">{escape(text)}</a>'

    def _ask_to_leave(self, request: Request) -> Response:
        """What opens in a browser; only the button changes anything, for programs follow links before people do."""
        address = may_change(self._services, request.query_params)
        if not address:
            return simple_page("Not open", "<p>This link is not one of ours, or not whole.</p>", 403)
        return simple_page(
            "No more mail?", f"<p>{escape(address)}</p>{self._button('No more reports by mail', request.url.query)}"
        )

    def _leave(self, request: Request) -> Response:
        """What the button does, and a mail program with one click (RFC 8058)."""
        back = request.query_params.get("back") == "1"
        address = change_mail(self._services, request.query_params, back=back)
        if not address:
            return simple_page("Not open", "<p>This link is not one of ours, or not whole.</p>", 403)
        if back:
            return simple_page("Welcome back", f"<p>{escape(address)} gets reports again.</p>")
        again = self._button("I did not mean that", f"{request.url.query}&back=1")
        return simple_page("No more mail", f"<p>{escape(address)} gets no more reports.</p>{again}")

    def _button(self, label: str, query: str) -> str:
        action = f"{self._under}{LEAVE}?{escape(query)}"
        return f'<form method=post action="{action}"><button>{escape(label)}</button></form>'

    def _experiment(self, request: Request) -> Response:
        return self._said(["show", request.path_params["key"]])

    def _experiments(self, request: Request) -> Response:
        stage = request.query_params.get("stage", "")
        return self._said(["list", *([stage] if stage else [])])

    def _said(self, words: list[str]) -> Response:
        said = answer(words, VerbRequest(self._services, VISITOR))
        return simple_page(said.text, f"<pre>{escape(to_text(said))}</pre>", 404 if said.problem else 200)


def visitor_of(request: Request, services: Services) -> str:
    """What the cookie says its bearer is, READER or MEMBER; empty for none of ours."""
    kind, _, rest = request.cookies.get(COOKIE, "").partition(".")
    until, _, signature = rest.partition(".")
    ours = is_ahead(until, services.now()) and services.links.holds(signature, "cookie", kind, until)
    return kind if ours else ""


def let_in(response: Response, services: Services, kind: str) -> None:
    """Remember for half a day what this visitor is."""
    until = str(int((services.now() + VISIT).timestamp()))
    value = f"{kind}.{until}.{services.links.sign('cookie', kind, until)}"
    secure, path = services.public_url.startswith("https://"), place_of(services) or "/"
    response.set_cookie(COOKIE, value, int(VISIT.total_seconds()), path, httponly=True, samesite="lax", secure=secure)


def place_of(services: Services) -> str:
    """The path that stands before ours in an address; whoever passes a request on to us takes it off."""
    return urlsplit(services.public_url).path


def simple_page(title: str, body: str, status: int = 200) -> HTMLResponse:
    head = f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(title)}</title><h1>{escape(title)}</h1>"
    return HTMLResponse(head + body, status, HEADERS)
