"""Every address of the site: who may ask for it, by which methods, what it names, and why a form needs no token.

A new address without a line here fails the matrix. `names` maps a part of the address to what security_ground.py calls
such a thing. Next: test_security_matrix.py.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

# Who may ask. Everybody else is sent to the door's own login, or told 403.
OPEN, LINK, PERSON, FRESH = "OPEN", "LINK", "PERSON", "FRESH"
READ, SERVE, ACT = "READ", "SERVE", "ACT"
MACHINE, VISIT, APP, HOOK = "MACHINE", "VISIT", "APP", "HOOK"
STAFF_DOORS, PERSON_DOORS, KIOSK_DOORS = (READ, SERVE, ACT), (PERSON, FRESH), (MACHINE, VISIT)
ALLOWED: Mapping[str, frozenset[str]] = {
    PERSON: frozenset({"person", "fresh", "other", "viewer"}),
    FRESH: frozenset({"fresh"}),
    READ: frozenset({"reader", "clerk", "manager"}),
    SERVE: frozenset({"clerk", "manager"}),
    ACT: frozenset({"manager"}),
    MACHINE: frozenset({"machine", "visitor"}),
    VISIT: frozenset({"visitor"}),
}
G, P, GP = "GET", "POST", "GET POST"

BY_LINK = "no cookie gives any right here: the link alone does, and who has it could send the form himself"
BY_SECRET = "a provider's server calls: it proves itself by a signature or a secret, and has no cookie"
BY_TOKEN = "an app proves itself by its session token in a header, never by a cookie"
BY_ORIGIN = "the link is the authority, and the Origin header must be the site's own"

# Things that belong to a person: whoever of the staff opens one is written down.
OF_A_PERSON = {
    "account_id",
    "bill_int",
    "message",
    "contact",
    "recipient",
    "agreement",
    "review",
    "paper",
    "request",
}


@dataclass(frozen=True)
class Row:
    """One address. `address` is given where the route is a regular expression."""

    route: str
    door: str
    methods: str = G
    names: Mapping[str, str] = field(default_factory=dict)
    no_token: str = ""  # why its forms carry no CSRF token
    data: Mapping[str, Any] = field(default_factory=dict)
    address: str = ""
    lists_people: bool = False  # a staff page that shows persons without naming one in its address

    @property
    def accepts(self) -> frozenset[str]:
        """The methods that do something."""
        return frozenset(self.methods.split())

    def at(self, things: Mapping[str, Any], **instead: Any) -> str:
        """The address of these things; `instead` puts other text for a part of it."""
        text = self.address or _PART.sub(r"{\1}", self.route)
        return "/" + text.format(**{p: things.get(thing, thing) for p, thing in self.names.items()} | instead)


_PART = re.compile(r"<(?:\w+:)?(\w+)>")
_PERIOD = {"period": "2026-09"}
_BILL_LINK, _PERSON_LINK = {"token": "bill_link"}, {"token": "person_link"}
_BILL, _ACCOUNT = {"number": "bill"}, {"number": "account"}
_DESK = {"account_id": "account_id"}
_MESSAGE = {
    "account_id": "account_id",
    "period": "2026-09",
    "ref": "message",
    "recipient": "message_recipient",
}
_SHEET = {"sheet_id": "sheet"}
_REQUEST = {"reference": "request"}
_TEMPLATE = {"template": "BILL_ISSUED", "channel": "SMS", "language": "en"}
_WEB = "_allauth/app/v1/"

ROWS = (
    # the front
    Row("", OPEN),
    Row("open", OPEN),
    Row("simple", OPEN, P),
    Row("offline", OPEN),
    Row("manifest.webmanifest", OPEN),
    Row("sw.js", OPEN),
    Row("favicon.ico", OPEN),
    Row("healthz", OPEN),
    Row("terms", OPEN),
    # links
    Row("b/<str:token>", LINK, G, _BILL_LINK),
    Row("b/<str:token>/bill", LINK, G, _BILL_LINK),
    Row("b/<str:token>/bill.pdf", LINK, G, _BILL_LINK),
    Row("b/<str:token>/seen.gif", LINK, G, _BILL_LINK),
    Row("b/<str:token>/pay", LINK, G, _BILL_LINK),
    Row("b/<str:token>/not-mine", LINK, GP, _BILL_LINK, BY_LINK),
    Row(
        "b/<str:token>/not-mine/<str:reference>",
        LINK,
        G,
        {"token": "bill_link", "reference": "review_reference"},
    ),
    Row("b/<str:token>/wishes", LINK, GP, _BILL_LINK, BY_LINK),
    Row("p/<str:token>", LINK, GP, _PERSON_LINK, BY_LINK),
    Row("p/<str:token>/push", LINK, P, _PERSON_LINK, BY_ORIGIN),
    Row("p/<str:token>/messages", LINK, G, _PERSON_LINK),
    Row("p/<str:token>/bills/<int:number>", LINK, G, {"token": "person_link", "number": "bill_int"}),
    Row("p/<str:token>/delegates", LINK, P, _PERSON_LINK, BY_LINK),
    Row(
        "p/<str:token>/delegates/<int:recipient>/end",
        LINK,
        P,
        {"token": "person_link", "recipient": "recipient"},
        BY_LINK,
    ),
    Row("d/<str:token>", LINK, GP, {"token": "delegate_link"}, BY_LINK),
    # the sign-up: what a page shows depends on the sign-up that this browser's session began
    Row("join", OPEN, GP),
    Row("join/confirm", OPEN, GP),
    Row("join/status", OPEN),
    Row("join/back", OPEN),
    Row("join/resend", OPEN, P),
    Row("join/details", OPEN, GP),
    Row("join/mobile", OPEN, GP),
    Row("join/enter", OPEN),
    Row("join/email/<str:token>", OPEN, GP, {"token": "no such link"}),
    Row("join/done", PERSON),
    Row("join/address", PERSON, GP),
    Row("join/business", PERSON, GP),
    Row("join/business/confirm", PERSON, GP),
    # the login
    Row("login", OPEN, GP),
    Row("login/passkey", OPEN, GP),
    Row("login/again", PERSON, GP),
    Row("login/forgotten", OPEN, GP),
    Row("login/forgotten/code", OPEN, GP),
    Row("login/second", OPEN, GP),
    Row("login/trust", OPEN, GP),
    Row("logout", OPEN, P),
    Row("me/security", PERSON),
    Row("me/security/password", FRESH, GP),
    Row("me/security/passkey", FRESH, GP),
    Row("me/security/passkey/<int:passkey_id>/remove", FRESH, P, {"passkey_id": "passkey"}),
    Row("me/security/app", FRESH, GP),
    Row("me/security/app/remove", FRESH, P),
    Row("me/security/codes", FRESH, GP),
    Row("me/security/sessions/<int:session_id>/end", FRESH, P, {"session_id": "session"}),
    Row("me/security/sessions/end", FRESH, P),
    # behind the login
    Row("me", PERSON),
    Row("me/accounts/<str:number>", PERSON, G, _ACCOUNT),
    Row("me/bills", PERSON),
    Row("me/bills/archive.zip", PERSON),
    Row("me/bills/<str:number>", PERSON, G, _BILL),
    Row("me/bills/<str:number>/bill.pdf", PERSON, G, _BILL),
    Row("me/payments", PERSON),
    Row(
        "me/payments/<str:number>/<int:period>-<int:kind>-<int:ref>",
        PERSON,
        G,
        {"number": "account", "period": "payment_period", "kind": "payment_kind", "ref": "payment_ref"},
    ),
    Row("me/use", PERSON),
    Row("me/use/budget", PERSON, P),
    Row("me/use/<str:form>", PERSON, G, {"form": "bills.csv"}),
    Row("me/readings", PERSON, GP),
    # requests
    Row("me/requests", PERSON),
    Row("me/requests/new/<str:code>", PERSON, GP, {"code": "READING_DISPUTE"}),
    Row("me/requests/<str:reference>", PERSON, G, _REQUEST),
    Row("me/requests/<str:reference>/answer", PERSON, P, _REQUEST),
    Row("me/requests/<str:reference>/withdraw", PERSON, P, _REQUEST),
    Row(
        "me/requests/<str:reference>/papers/<int:document_id>",
        PERSON,
        G,
        {**_REQUEST, "document_id": "paper"},
    ),
    # claims
    Row("me/claim", PERSON, GP),
    Row("me/claim/done/<str:reference>", PERSON, G, _REQUEST),
    Row("me/claim/against/<str:reference>", PERSON, GP, _REQUEST),
    Row("me/claim/<str:key>", PERSON, GP, {"key": "no-such-draft"}),
    Row("me/claim/<str:key>/finish", PERSON, GP, {"key": "no-such-draft"}),
    Row("me/accounts/<str:number>/details", PERSON, GP, _ACCOUNT),
    Row("c/<str:token>", OPEN, GP, {"token": "no-such-link"}),
    # settings and businesses
    Row("me/settings", PERSON),
    Row("me/settings/language", PERSON, P),
    Row("me/settings/mobile", FRESH, GP),
    Row("me/settings/mobile/code", FRESH, GP),
    Row("me/settings/email", FRESH, GP),
    Row("me/settings/<str:number>", PERSON, GP, _ACCOUNT),
    Row("me/settings/<str:number>/messages", PERSON, G, _ACCOUNT),
    Row("me/settings/<str:number>/delegates", FRESH, GP, _ACCOUNT),
    Row(
        "me/settings/<str:number>/delegates/<int:recipient>/end",
        PERSON,
        P,
        {**_ACCOUNT, "recipient": "recipient"},
    ),
    Row("me/settings/<str:number>/whatsapp", FRESH, GP, _ACCOUNT),
    Row("me/settings/<str:number>/whatsapp/code", FRESH, GP, _ACCOUNT),
    Row("me/members", PERSON),
    Row("me/members/invitations/<int:membership_id>", PERSON, P, {"membership_id": "member"}),
    Row("me/members/files/<int:file_id>", PERSON, G, {"file_id": "file"}),
    Row("me/members/<int:business_id>", PERSON, G, {"business_id": "business"}),
    Row("me/members/<int:business_id>/invite", FRESH, GP, {"business_id": "business"}),
    Row("me/members/<int:business_id>/file", PERSON, GP, {"business_id": "business"}),
    Row(
        "me/members/<int:business_id>/<int:membership_id>/role",
        FRESH,
        P,
        {"business_id": "business", "membership_id": "member"},
    ),
    Row(
        "me/members/<int:business_id>/<int:membership_id>/end",
        PERSON,
        P,
        {"business_id": "business", "membership_id": "member"},
    ),
    # the console
    Row("console/", READ),
    Row("console/login", OPEN, GP),
    Row("console/logout", OPEN, P),
    Row("console/runs/<str:period>", READ, G, _PERIOD),
    Row("console/runs/<str:period>/live", READ, G, _PERIOD),
    Row("console/runs/<str:period>/start", ACT, GP, _PERIOD),
    Row("console/runs/<str:period>/verify", READ, P, _PERIOD),
    Row("console/runs/<str:period>/verification", READ, G, _PERIOD),
    Row("console/runs/<str:period>/certificate.json", READ, G, _PERIOD),
    Row("console/runs/<str:period>/certificate.pdf", READ, G, _PERIOD),
    Row("console/runs/<str:period>/held", READ, G, _PERIOD, lists_people=True),
    Row("console/runs/<str:period>/held/<int:agreement_id>", READ, G, {**_PERIOD, "agreement_id": "held"}),
    Row(
        "console/runs/<str:period>/held/<int:agreement_id>/<str:action>",
        ACT,
        P,
        {**_PERIOD, "agreement_id": "held", "action": "dismiss"},
    ),
    Row("console/bills/<int:number>", READ, G, {"number": "bill_int"}),
    Row("console/runs/<str:period>/delivery", READ, G, _PERIOD),
    Row("console/runs/<str:period>/delivery/live", READ, G, _PERIOD),
    Row("console/runs/<str:period>/delivery/<str:kind>/stop", ACT, GP, {**_PERIOD, "kind": "BILL_ISSUED"}),
    Row(
        "console/^runs/(?P<period>[^/]+)/delivery/(?P<kind>[A-Z_]+)/(?P<action>pause|resume)$",
        ACT,
        P,
        address="console/runs/2026-09/delivery/BILL_ISSUED/pause",
    ),
    Row(
        "console/^runs/(?P<period>[^/]+)/delivery/providers/(?P<code>[a-z0-9-]+)/(?P<action>pause|resume)$",
        ACT,
        P,
        address="console/runs/2026-09/delivery/providers/none/pause",
    ),
    Row("console/runs/<str:period>/reach", READ, G, _PERIOD),
    Row("console/runs/<str:period>/reach/unreached.csv", READ, G, _PERIOD, lists_people=True),
    Row("console/runs/<str:period>/reach/marked.csv", READ, G, _PERIOD, lists_people=True),
    Row("console/accounts", READ),
    Row("console/accounts/<int:account_id>/messages", READ, G, _DESK),
    Row(
        "console/accounts/<int:account_id>/messages/<str:period>/<int:kind>/<int:ref>/<int:recipient>/resend",
        SERVE,
        GP,
        {**_MESSAGE, "kind": "message_kind"},
    ),
    Row(
        "console/accounts/<int:account_id>/messages/<str:period>/<int:ref>/<int:recipient>/told",
        SERVE,
        P,
        _MESSAGE,
        data={"how": "CLERK"},
    ),
    Row("console/accounts/<int:account_id>/people", READ, G, _DESK),
    Row("console/accounts/<int:account_id>/people/contacts", SERVE, P, _DESK),
    Row(
        "console/accounts/<int:account_id>/people/contacts/<int:contact_id>/reveal",
        SERVE,
        P,
        {**_DESK, "contact_id": "contact"},
    ),
    Row(
        "console/accounts/<int:account_id>/people/contacts/<int:contact_id>/remove",
        SERVE,
        P,
        {**_DESK, "contact_id": "contact"},
    ),
    Row("console/accounts/<int:account_id>/people/wishes", SERVE, P, _DESK),
    Row("console/accounts/<int:account_id>/people/delegates", SERVE, P, _DESK),
    Row(
        "console/accounts/<int:account_id>/people/delegates/<int:recipient>/end",
        SERVE,
        P,
        {**_DESK, "recipient": "recipient"},
    ),
    Row("console/reviews", READ, lists_people=True),
    Row("console/reviews/<int:review_id>", SERVE, P, {"review_id": "review"}, data={"outcome": "KEPT"}),
    Row("console/templates", READ),
    Row("console/templates/<str:template>/<str:channel>/<str:language>", READ, G, _TEMPLATE),
    Row("console/templates/<str:template>/<str:channel>/<str:language>/preview", READ, P, _TEMPLATE),
    Row("console/templates/<str:template>/<str:channel>/<str:language>/save", ACT, P, _TEMPLATE),
    Row("console/templates/<str:template>/<str:channel>/<str:language>/restore", ACT, P, _TEMPLATE),
    Row("console/sheets", READ),
    Row("console/sheets/paper", ACT, P),
    Row("console/sheets/calls", SERVE, P),
    Row("console/sheets/<int:sheet_id>", READ, G, _SHEET, lists_people=True),
    Row("console/sheets/<int:sheet_id>/print", ACT, P, _SHEET),
    Row("console/sheets/<int:sheet_id>/printing", READ, G, _SHEET),
    Row(
        r"console/^sheets/(?P<sheet_id>\d+)/(?P<part>bills|list)\.pdf$",
        ACT,
        G,
        {"sheet_id": "sheet"},
        address="console/sheets/{sheet_id}/list.pdf",
    ),
    Row("console/sheets/<int:sheet_id>/send", ACT, P, _SHEET),
    Row("console/sheets/<int:sheet_id>/returned", ACT, P, _SHEET),
    Row("console/sheets/<int:sheet_id>/give-back", ACT, P, _SHEET),
    Row("console/sheets/<int:sheet_id>/calls.csv", SERVE, G, _SHEET),
    Row(
        "console/sheets/<int:sheet_id>/calls/<int:kind>/<int:ref>/<int:recipient>",
        SERVE,
        P,
        {**_SHEET, "kind": "message_kind", "ref": "message", "recipient": "message_recipient"},
    ),
    Row("console/bills/<int:number>/print", SERVE, GP, {"number": "bill_int"}),
    Row("console/bills/<int:number>/print.pdf", SERVE, G, {"number": "bill_int"}),
    Row("console/requests", READ, lists_people=True),
    Row("console/requests/find", READ),
    Row("console/requests/<str:reference>", READ, G, _REQUEST),
    Row(
        "console/requests/<str:reference>/papers/<int:document_id>",
        READ,
        G,
        {**_REQUEST, "document_id": "paper"},
    ),
    Row("console/requests/<str:reference>/<str:action>", SERVE, P, {**_REQUEST, "action": "take"}),
    Row("console/devices", READ),
    Row("console/devices/add", ACT, P),
    Row("console/devices/<int:device_id>/code", ACT, P, {"device_id": "device"}),
    Row("console/devices/<int:device_id>/revoke", ACT, P, {"device_id": "device"}),
    # the kiosk
    Row("kiosk/", OPEN),
    Row("kiosk/enrol", OPEN, P),
    Row("kiosk/offline", OPEN),
    Row("kiosk/alive", OPEN),
    Row("kiosk/sw.js", OPEN),
    Row("kiosk/begin", MACHINE, P, data={"goal": "BILLS"}),
    Row("kiosk/language", MACHINE, GP),
    Row("kiosk/leave", OPEN, GP),
    Row("kiosk/touch", VISIT, P),
    Row("kiosk/ways", VISIT),
    Row("kiosk/account", VISIT, GP),
    Row("kiosk/identity", VISIT),
    Row("kiosk/identity/<str:id_type>", VISIT, GP, {"id_type": "NATIONAL_ID"}),
    Row("kiosk/scan", VISIT, GP),
    Row("kiosk/code", VISIT, GP),
    Row("kiosk/bills", VISIT),
    Row("kiosk/bills/<int:number>", VISIT, G, {"number": "bill_int"}),
    Row(
        "kiosk/bills/<int:number>/print",
        VISIT,
        P,
        {"number": "bill_int"},
        data={"paper": "SLIP", "once": "1"},
    ),
    Row("kiosk/bills/<int:number>/bill.pdf", VISIT, G, {"number": "bill_int"}),
    Row("kiosk/bills/<int:number>/slip", VISIT, G, {"number": "bill_int"}),
    Row("kiosk/requests", VISIT),
    Row("kiosk/requests/done", VISIT),
    Row("kiosk/requests/done/print", VISIT, P),
    Row("kiosk/requests/done/slip", VISIT),
    Row("kiosk/requests/<str:type_code>", VISIT, GP, {"type_code": "PAPER_BILL"}),
    Row("kiosk/.*", MACHINE, GP, address="kiosk/nothing-here"),
    # servers that call us, and apps
    Row("hooks/whatsapp/<slug:code>", HOOK, GP, {"code": "nobody"}, BY_SECRET),
    Row("hooks/sms/<slug:code>", HOOK, GP, {"code": "nobody"}, BY_SECRET),
    Row("hooks/mail/<slug:code>", HOOK, P, {"code": "nobody"}, BY_SECRET),
    Row("hooks/nafath/<slug:code>", HOOK, P, {"code": "nobody"}, BY_SECRET),
    *(
        Row(_WEB + address, APP, GP, {}, BY_TOKEN)
        for address in (
            "config",
            "auth/session",
            "auth/login",
            "auth/reauthenticate",
            "auth/2fa/authenticate",
            "auth/2fa/reauthenticate",
            "auth/webauthn/login",
            "auth/webauthn/authenticate",
            "auth/webauthn/reauthenticate",
            "auth/sessions",
            "account/password/change",
            "account/authenticators",
            "account/authenticators/totp",
            "account/authenticators/recovery-codes",
            "account/authenticators/webauthn",
        )
    ),
)

# An account, named in a query or a form: (method, address, other fields). `?account=` is read alike everywhere.
ACCOUNT_FIELDS = (
    ("GET", "/me/bills", {}),
    ("GET", "/me/bills/archive.zip", {"year": "2026"}),
    ("GET", "/me/payments", {}),
    ("GET", "/me/use", {}),
    ("GET", "/me/use/bills.csv", {}),
    ("GET", "/me/use/payments.csv", {}),
    ("GET", "/me/use/days.csv", {}),
    ("GET", "/me/use/all.xlsx", {}),
    ("GET", "/me/use/greenbutton.xml", {}),
    ("GET", "/me/readings", {}),
    ("POST", "/me/readings", {"point": "1", "value": "1650", "day": "2026-09-30", "key": "k"}),
    ("POST", "/me/use/budget", {"budget": "250"}),
)


API_ROOT = "api/v1/"  # its operations are not in this table: tests of their own


def routes() -> dict[str, list[URLPattern]]:
    """Every route that Django knows, with its patterns."""
    found: dict[str, list[URLPattern]] = {}
    for route, pattern in _walk(get_resolver().url_patterns, ""):
        found.setdefault(route, []).append(pattern)
    return found


def _walk(patterns: list[Any], before: str) -> Iterator[tuple[str, URLPattern]]:
    for one in patterns:
        route = before + str(one.pattern)
        if isinstance(one, URLResolver):
            yield from _walk(one.url_patterns, route)
        else:
            yield route, one
