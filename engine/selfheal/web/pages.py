"""The small page behind a signed link. Looking at it does nothing: chat programs look first."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape

from aiohttp import web

from selfheal.approvals import Approvals, Link, Links, link_used, verdict
from selfheal.approvals.links import PATH
from selfheal.clock import Clock
from selfheal.errors import NotFoundError
from selfheal.model import Answer, Approval, ApprovalState, Channel, Heard
from selfheal.ports import Record

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:40em;margin:3em auto;padding:0 1em}"
    "button{font:inherit;padding:.5em 2em}input{font:inherit;width:100%;margin-bottom:1em}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
_LONGEST_WHY = 2000


@dataclass(frozen=True, slots=True)
class Shown:
    """A link whose signature is right."""

    token: str
    """As in the URL."""
    link: Link
    """What it says."""


class LinkPages:
    """Shows what a link would do, and does it when its button is pressed."""

    def __init__(
        self,
        record: Record,
        approvals: Approvals,
        links: Links,
        mask: Callable[[str], str],
        clock: Clock,
    ) -> None:
        self._record = record
        self._approvals = approvals
        self._links = links
        self._mask = mask
        self._clock = clock

    def link(self, path: str) -> Shown | None:
        """Return the link of that path; None when this engine has not signed it."""
        if not path.startswith(PATH):
            return None
        token = path.removeprefix(PATH)
        link = self._links.read(token)
        return Shown(token, link) if link else None

    def show(self, shown: Shown) -> web.Response:
        """Answer a look at the link."""
        try:
            approval = self._record.approval(shown.link.approval_id)
        except NotFoundError:
            return self._page("This question is no longer on record.", status=410)
        if link_used(self._record, shown.token):
            return self._page(f"This link was used already. {_stands(approval)}", status=410)
        if approval.state is not ApprovalState.PENDING:
            return self._page(f"No answer is needed any more. {_stands(approval)}", status=410)
        if self._clock.now() >= shown.link.expires_at:
            return self._page("The time to answer is over: that counts as a no.", status=410)
        return self._page(f"{shown.link.verb.capitalize()}?", approval, shown.link)

    def answer(self, shown: Shown, form: Mapping[str, str]) -> web.Response:
        """Answer a press of the button."""
        link, now = shown.link, self._clock.now()
        if now >= link.expires_at:
            return self.show(shown)
        why = form.get("why", "").strip()[:_LONGEST_WHY]
        given = Answer(link.who, link.verb == "approve", why, now, Channel.LINK)
        try:
            heard, approval = self._approvals.answer(link.approval_id, given, link=shown.token)
        except NotFoundError:
            return self.show(shown)
        if heard in (Heard.COUNTED, Heard.REPEATED):
            return self._page(f"Your answer is on record. {_stands(approval)}")
        return self.show(shown)

    def _page(
        self,
        said: str,
        approval: Approval | None = None,
        link: Link | None = None,
        *,
        status: int = 200,
    ) -> web.Response:
        body = f"<h1>{self._text(said)}</h1>"
        if approval and link:
            body += self._question(approval) + self._form(link)
        html = (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width">'
            '<meta name="robots" content="noindex">'
            f"<title>selfheal</title><style>{_STYLE}</style></head><body>{body}</body></html>"
        )
        headers = {"Content-Security-Policy": _POLICY}
        return web.Response(
            status=status,
            body=html.encode("utf-8", "replace"),  # half characters have no UTF-8
            content_type="text/html",
            charset="utf-8",
            headers=headers,
        )

    def _question(self, approval: Approval) -> str:
        what = f"{approval.solution} on {approval.target}, {approval.risk.value} risk"
        reasons = "".join(f"<li>{self._text(one)}</li>" for one in approval.reasons)
        return f"<p>{self._text(what)}</p><ul>{reasons}</ul>"

    def _form(self, link: Link) -> str:
        return (
            f'<form method="post"><p>The answer is recorded as that of {self._text(link.who)}.</p>'
            f'<label>Why <input name="why" maxlength="{_LONGEST_WHY}"></label>'
            f"<button>{link.verb.capitalize()}</button></form>"
        )

    def _text(self, text: str) -> str:
        return escape(self._mask(text))


def _stands(approval: Approval) -> str:
    if approval.state is ApprovalState.PENDING:
        return "More answers are needed."
    return f"It is {verdict(approval)}."
