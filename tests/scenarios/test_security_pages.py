"""What protects a page and a form, whoever asks: headers, tokens, methods, uploads, the audit of staff views.

The population and the table are those of test_security_matrix.py.
"""

import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image
from pytest_django.plugin import DjangoDbBlocker
from tests.scenarios import security_ground as population
from tests.scenarios.login_cast import number_of, post_login
from tests.scenarios.security_ground import Answer, Ground, browser, lines, send, signed_in
from tests.scenarios.security_table import (
    ALLOWED,
    APP,
    BY_ORIGIN,
    HOOK,
    KIOSK_DOORS,
    OF_A_PERSON,
    OPEN,
    ROWS,
    STAFF_DOORS,
    Row,
)

from tayyar.identity import people, recovery
from tayyar.requests.documents import JPEG
from tayyar.requests.models import RequestDocument
from tayyar.requests.queries import paper_of

SOURCES = Path(settings.PACKAGE)
MAIL = "notifications/templates/frame.html"  # what mail programs show: they know no style sheet of ours
PNG = population.PNG.getvalue()


@pytest.fixture(scope="module")
def committed(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Ground]:
    """The population of all tests here."""
    with django_db_blocker.unblock(), population.ground() as made:
        yield made


@pytest.fixture
def site(committed: Ground, db: None) -> Ground:
    """The same, in a transaction of the test's own."""
    return committed


def insider(row: Row) -> str:
    """Who sees most behind this door."""
    if row.door in STAFF_DOORS:
        return "manager"
    return "visitor" if row.door in KIOSK_DOORS else "fresh" if row.door in ALLOWED else "nobody"


@pytest.fixture(scope="module")
def shown(committed: Ground) -> list[tuple[Row, Answer]]:
    """Every address that can be read, as its insider sees it, and as nobody does."""
    found = []
    for row in ROWS:
        if "GET" in row.accepts and row.door not in (APP, HOOK):
            address = row.at(committed.things["own"])
            found += [(row, committed.ask(who, "GET", address)) for who in {insider(row), "nobody"}]
    return found


# ---------------------------------------------------------------------------------------------------------- headers


def test_every_answer_has_the_policy_of_the_site(shown: list[tuple[Row, Answer]]) -> None:
    wrong = []
    for row, answer in shown:
        policy = answer.headers.get("content-security-policy", "")
        rules = {rule.split()[0]: rule.split()[1:] for rule in policy.split(";") if rule.strip()}
        strict = rules.get("default-src") in (["'self'"], ["'none'"]) and "unsafe" not in policy
        fits = (
            strict
            and rules.get("frame-ancestors") == ["'none'"]
            and answer.headers.get("x-content-type-options") == "nosniff"
            and answer.headers.get("x-frame-options") == "DENY"
            and answer.headers.get("referrer-policy") in ("no-referrer", "same-origin")
            and answer.headers.get("cross-origin-opener-policy") == "same-origin"
            and "access-control-allow-origin" not in answer.headers
        )
        if rules.get("default-src") == ["'self'"]:
            fits = fits and rules.get("object-src") == rules.get("base-uri") == ["'none'"]
            fits = fits and rules.get("form-action") == ["'self'"]
        if not fits:
            wrong.append((row.route, answer.status, answer.headers))
    assert not wrong, lines(wrong)


def test_what_is_personal_is_kept_nowhere(shown: list[tuple[Row, Answer]]) -> None:
    """Redirects say nothing of anybody; the service workers and the manifest are the same for all."""
    wrong = [
        (row.route, answer.status, answer.headers.get("cache-control"))
        for row, answer in shown
        if row.door != OPEN
        and answer.status != 302
        and "no-store" not in answer.headers.get("cache-control", "")
    ]
    assert not wrong, lines(wrong)


def test_no_page_has_a_script_or_a_style_of_its_own(shown: list[tuple[Row, Answer]]) -> None:
    wrong = [(row.route, INLINE.findall(answer.body.decode())) for row, answer in shown if answer.is_html]
    assert [pair for pair in wrong if pair[1]] == []
    assert sum(answer.is_html for _, answer in shown) > 80


INLINE = re.compile(
    r"""<script(?![^>]*\ssrc=)[^>]*>|<style\b|\sstyle\s*=\s*["']|\son[a-z]+\s*=\s*["']|javascript:""",
    re.IGNORECASE,
)


def test_no_template_has_an_inline_script_style_or_handler() -> None:
    wrong, seen = {}, 0
    for path in SOURCES.rglob("*.html"):
        name = str(path.relative_to(SOURCES))
        seen += 1
        if name != MAIL and (found := INLINE.findall(path.read_text())):
            wrong[name] = found
    assert wrong == {}
    assert seen > 50


def test_no_script_of_ours_makes_markup_or_code_of_text() -> None:
    maker = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|postMessage\("
    )
    wrong = {}
    for path in SOURCES.rglob("static/**/*.js"):
        if "htmx" not in path.name and (found := set(maker.findall(path.read_text())) - {"postMessage("}):
            wrong[path.name] = found
    assert wrong == {}


# -------------------------------------------------------------------------------------------------- methods, tokens


def test_what_changes_something_refuses_to_be_read(site: Ground) -> None:
    wrong = []
    for row in ROWS:
        if "GET" not in row.accepts and row.door != HOOK:
            answer = site.ask(insider(row), "GET", row.at(site.things["own"]))
            if answer.status != 405:
                wrong.append((row.route, answer.status))
    assert not wrong, lines(wrong)


# Tables that reading a page may write: what was seen by whom, and that the session and the machine are in use.
READING_WRITES = {
    "core_auditentry", "core_pulse", "django_session", "usersessions_usersession", "devices_device", "kiosk_visit",
    "notifications_reach", "notifications_message", "notifications_snapshot", "shared_cache",
}  # fmt: skip
WRITE = re.compile(r'^(?:INSERT INTO|UPDATE|DELETE FROM) "?(?:public"?\.)?"?(\w+)', re.IGNORECASE)


def test_reading_a_page_changes_nothing_but_who_saw_what(shown: list[tuple[Row, Answer]]) -> None:
    wrong = [
        (row.route, found.group(1))
        for row, answer in shown
        for sql in answer.queries
        if (found := WRITE.match(sql)) and not found.group(1).startswith(tuple(READING_WRITES))
    ]
    assert not wrong, lines(wrong)


def test_a_form_without_its_token_is_refused_everywhere_but_where_the_table_says_why(site: Ground) -> None:
    careful = {name: Client(enforce_csrf_checks=True, raise_request_exception=False) for name in site.clients}
    for name, client in careful.items():
        client.cookies = site.clients[name].cookies
    forms = [row for row in ROWS if "POST" in row.accepts and row.door not in (APP, HOOK)]
    strict = Ground(site.things, careful)
    wrong = []
    for row in forms:
        refused = strict.ask(insider(row), "POST", row.at(site.things["own"]), row.data).status == 403
        if (
            refused == bool(row.no_token) and row.no_token != BY_ORIGIN
        ):  # that one asks for the Origin instead
            wrong.append((row.route, refused))
    assert not wrong, lines(wrong)
    assert len(forms) > 60


# ------------------------------------------------------------------------------------------------------------ audit


def test_every_staff_view_of_a_person_is_written_down(site: Ground) -> None:
    """Every console address that names something of a person, or lists persons: who looked is in the audit log."""
    silent, seen = [], 0
    for row in ROWS:
        if row.door not in STAFF_DOORS or not (row.lists_people or set(row.names.values()) & OF_A_PERSON):
            continue
        for method in sorted(row.accepts):
            answer = site.ask("manager", method, row.at(site.things["own"]), row.data)
            shows = answer.status in (200, 422) and answer.body
            if not shows:
                continue
            seen += 1
            if not any(entry.actor.startswith("user:") for entry in answer.audited):
                silent.append((row.route, method, answer.status))
    assert silent == []
    assert seen > 12


def test_a_reader_who_may_not_act_is_refused_before_anything_of_the_person_is_read(site: Ground) -> None:
    for row in ROWS:
        if row.door in ("SERVE", "ACT") and "POST" in row.accepts:
            answer = site.ask("reader", "POST", row.at(site.things["own"]), row.data)
            assert (answer.status, answer.audited) == (403, []), row.route


# ---------------------------------------------------------------------------------------------------------- uploads


def bomb() -> bytes:
    """A small PNG of 20,000 x 20,000 points."""
    held = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(held, "PNG")
    return held.getvalue()


def archive() -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as packed:
        packed.writestr("x.txt", b"0" * 1000)
    return held.getvalue()


SCRIPT = b"<html><script>alert(1)</script></html>"


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("photo.svg", b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'),
        ("photo.jpg", SCRIPT),
        ("photo.png", b"GIF89a" + SCRIPT),
        ("photo.jpg", b"\xff\xd8\xff\xe0" + SCRIPT),
        ("photo.png", bomb()),
        ("photo.jpg", archive()),
        ("photo.jpg", b"%PDF-1.7\n1 0 obj<</OpenAction<</S/JavaScript/JS(app.alert(1))>>>>endobj"),
        ("photo.jpg", b"MZ" + b"\0" * 100),
    ],
)
def test_an_upload_that_is_no_picture_is_refused_whatever_its_name(
    site: Ground, name: str, data: bytes
) -> None:
    before = RequestDocument.objects.count()
    answer = upload(site, name, data)
    assert answer.status_code == 422
    assert RequestDocument.objects.count() == before


def upload(site: Ground, name: str, data: bytes):
    form = {
        "account": str(site.things["own"]["account"]),
        "point": "1",
        "value": "1650",
        "day": "2026-09-30",
        "key": "k",
        "photo": SimpleUploadedFile(name, data, "image/jpeg"),
    }
    return send(signed_in(site.people["own"]), "POST", "/me/readings", form)


def test_a_picture_that_is_also_something_else_is_made_anew_without_it(site: Ground) -> None:
    assert upload(site, "../../etc/photo.php", PNG + archive() + SCRIPT).status_code == 200
    newest = RequestDocument.objects.select_related("request").latest("id")
    held = paper_of(newest.request, newest.pk)
    assert held is not None
    content, media_type = held
    assert media_type == JPEG and content.startswith(b"\xff\xd8\xff")
    assert b"script" not in content and b"PK\x03\x04" not in content and b"PNG" not in content


def test_a_paper_is_shown_without_power_under_a_name_of_ours(site: Ground) -> None:
    own = site.things["own"]
    answer = site.ask("reader", "GET", f"/console/requests/{own['request']}/papers/{own['paper']}")
    assert answer.status == 200
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.headers["content-disposition"] == f'inline; filename="{own["request"]}-{own["paper"]}.jpg"'
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"


# --------------------------------------------------------------------------------- sessions, and what identifiers tell


def test_a_session_key_that_was_planted_before_the_login_is_worth_nothing_after(site: Ground) -> None:
    attacker, victim = browser(), browser()
    send(attacker, "POST", "/login/forgotten", {"number": number_of(1), "mobile": "0500000071"})
    planted = attacker.cookies[settings.SESSION_COOKIE_NAME].value
    victim.cookies[settings.SESSION_COOKIE_NAME] = planted
    assert post_login_at(victim, number_of(8)).status_code == 302
    assert victim.cookies[settings.SESSION_COOKIE_NAME].value != planted
    assert send(victim, "GET", "/me").status_code == 200
    assert send(attacker, "GET", "/me").status_code == 302


def post_login_at(client: Client, typed: str, password: str | None = None):
    with population.clock.at(population.NOW):
        population.views.OPENINGS.clear()
        return post_login(client, typed, *([password] if password else []))


def comparable(answer: Answer, *typed: str) -> tuple[int, bytes, str, list[str]]:
    """Without what was typed, which the page repeats."""
    body = answer.body
    for text in typed:
        body = body.replace(text.encode(), b"TYPED")
    return answer.status, body, answer.where, answer.cookies


def test_a_wrong_password_and_an_unknown_person_are_answered_alike(site: Ground) -> None:
    known, unknown = number_of(1), number_of(555)
    answers = {
        comparable(site.ask("nobody", "POST", "/login", {"typed": typed, "password": "x"}), typed).__repr__()
        for typed in (known, unknown)
    }
    assert len(answers) == 1


def test_recovery_answers_alike_for_existing_and_unknown(
    site: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "ANSWER_SECONDS", 0.0)  # the wait itself: test_login.py
    pairs = [(number_of(1), "0500000071"), (number_of(1), "0500000099"), (number_of(555), "0500000071")]
    answers = {
        repr(comparable(site.ask("nobody", "POST", "/login/forgotten", {"number": n, "mobile": m}), n, m))
        for n, m in pairs
    }
    assert len(answers) == 1
    assert people.id_hash("NATIONAL_ID", number_of(1)) != people.id_hash("NATIONAL_ID", number_of(555))


def test_every_answer_of_the_unknown_address_is_the_same_page(site: Ground) -> None:
    bodies = {
        site.ask("nobody", "GET", address).body
        for address in ("/x", "/me/x", "/b/x", "/p/x/messages", "/d/y/z")
    }
    assert len({len(body) for body in bodies}) <= 2  # "no page here", and "this link does not open"


def test_a_method_that_an_address_does_not_know_is_refused_under_the_policy(site: Ground) -> None:
    answer = site.ask("nobody", "DELETE", "/terms")
    assert (answer.status, answer.body) == (405, b"")
    assert "default-src" in answer.headers["content-security-policy"]


def test_every_test_that_the_security_table_names_is_there() -> None:
    """docs/security.md names tests as file::name; the table must not outlive them."""
    root = SOURCES.parent.parent
    named = set(re.findall(r"([\w]+\.py)::(test_\w+)", (root / "docs" / "security.md").read_text()))
    said: dict[str, str] = {}
    for top in ("src", "tests"):
        for path in (root / top).rglob("test_*.py"):
            said[path.name] = said.get(path.name, "") + path.read_text()
    missing = [f"{file}::{name}" for file, name in sorted(named) if f"def {name}(" not in said.get(file, "")]
    assert not missing, lines(missing)
    assert len(named) > 60
