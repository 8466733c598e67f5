"""`tayyar serve` against nginx and a plain Django view, under wrk; bill pages at a fixed rate; a login storm.

`python -m tests.benchmarks.bench_portal run ACCOUNTS` sets up a made-up utility with 13 billed months in
TAYYAR_DATA and prints JSON as its last line. wrk and nginx are Debian's. Load, web processes and database share the
machine's cores. The rate is kept by portal_load.py, which counts each request from the moment that it was due.
"""

import contextlib
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.benchmarks import portal_load, portal_peers

MONTHS = 13
PEOPLE = 500
STORM = 200
PAGES_PER_SECOND = 200
SECONDS = int(os.environ.get("TAYYAR_BENCH_SECONDS", "8"))
CONNECTIONS = 32
OPENED_OFTEN = 500  # links of the run with links that are opened again within the minute
PASSWORD = "a long wish of somebody 2026"
FOLDER = Path(os.environ.get("TAYYAR_DATA", "."))


def run(accounts: int) -> dict[str, Any]:
    """Set up, serve, measure."""
    from tayyar.config.cli import prepare_database

    prepare_database()
    from tayyar.config.commands import serve

    periods = _billed(accounts)
    tokens = _tokens(periods)
    people = _people(PEOPLE)
    with contextlib.ExitStack() as stack:
        nginx = stack.enter_context(portal_peers.nginx(FOLDER))
        plain = stack.enter_context(portal_peers.plain_django(FOLDER, serve._options(0)))
        site = stack.enter_context(_served())
        result = {
            "accounts": accounts,
            "months": len(periods),
            **_requests_per_second(nginx, plain, site, tokens),
        }
        pages = _pages(people)
        portal_load.fixed_rate(
            site, pages, per_second=50, seconds=2
        )  # what a process keeps for its life is kept
        calm = portal_load.fixed_rate(site, pages, per_second=PAGES_PER_SECOND, seconds=SECONDS)
        storm = portal_load.fixed_rate(
            site,
            pages,
            per_second=PAGES_PER_SECOND,
            seconds=SECONDS,
            logins=[(person["id_number"], PASSWORD) for person in people[:STORM]],
        )
    return {
        **result,
        "bill_page": calm,
        "bill_page_in_storm": storm,
        "storm_p99_over_calm": round(storm["p99_ms"] / calm["p99_ms"], 2),
        "storm_p50_over_calm": round(storm["p50_ms"] / calm["p50_ms"], 2),
    }


def _requests_per_second(nginx: int, plain: int, site: int, tokens: dict[str, list[str]]) -> dict[str, Any]:
    """wrk on each in turn, the baselines before and after."""
    rates: dict[str, list[float]] = {}

    def warm(port: int, paths: list[str]) -> None:
        """What a process does once is done, and both have kept what they keep."""
        with contextlib.suppress(RuntimeError):
            portal_load.wrk(FOLDER, port, paths, CONNECTIONS, 3)

    def measure(name: str, port: int, paths: list[str]) -> None:
        rates.setdefault(name, []).append(portal_load.wrk(FOLDER, port, paths, CONNECTIONS, SECONDS))

    warm(plain, [f"/{number}" for number in tokens["accounts"]])
    for _ in range(2):
        measure("nginx_10kb", nginx, ["/ten.html"])
        measure("plain_view", plain, [f"/{number}" for number in tokens["accounts"]])
        warm(site, tokens["all"])
        measure("link_page_each_once", site, tokens["all"])
        warm(site, tokens["often"])
        measure("link_page_again", site, tokens["often"])
    best = {name: round(max(found)) for name, found in rates.items()}
    return {
        "per_second": best,
        "tries": {name: [round(rate) for rate in found] for name, found in rates.items()},
        **{
            f"{name}_over_{other}": round(best[name] / best[other], 2)
            for name in ("link_page_each_once", "link_page_again")
            for other in ("plain_view", "nginx_10kb")
        },
    }


def _billed(accounts: int) -> list[Any]:
    """`accounts` made-up accounts and their bills of 13 months; the periods."""
    from django.conf import settings
    from django.db import connection

    from tayyar.billing.conduct import conduct
    from tayyar.billing.worker import connect
    from tayyar.core import clock
    from tayyar.demo.answers import answer_for_demo
    from tayyar.demo.population import generate, last_readable_period
    from tayyar.profiles.installation import choose_profile

    answer_for_demo("sa")
    profile = choose_profile("sa")
    last = last_readable_period(clock.today(), profile)
    with connect(settings.DATABASE_URL) as loading:
        periods = generate(loading, profile=profile, accounts=accounts, last=last, months=MONTHS, seed=1)
    for period in periods:
        conduct(period=period, profile=profile, tell=False)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("CHECKPOINT")
    return periods


def _tokens(periods: list[Any]) -> dict[str, list[str]]:
    """Paths of links to bills of any month, in no order; a few of the newest month; and account numbers."""
    from tayyar.billing.models import Bill
    from tayyar.core.links import bill_token

    chosen = random.Random(4)
    every: list[str] = []
    often: list[str] = []
    for period in periods:
        rows = list(
            Bill.objects.filter(period=period.number)
            .order_by("?")
            .values_list("number", "due_date")[: 400_000 // len(periods)]
        )
        expires = periods[-1].plus(12).start
        links = [f"/b/{bill_token(number, expires=expires)}" for number, _ in rows]
        every += links
        often = links[:OPENED_OFTEN]
    chosen.shuffle(every)
    newest = Bill.objects.filter(period=periods[-1].number).values_list("account_id", flat=True)
    return {"all": every, "often": often, "accounts": [str(pk) for pk in newest[:50_000]]}


def _people(count: int) -> list[dict[str, Any]]:
    """Holders all over the books with a login, and a session that began a moment ago."""
    from importlib import import_module

    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.auth.hashers import make_password
    from django.contrib.auth.models import User
    from django.db import transaction

    from tayyar.billing.models import Bill
    from tayyar.claims.models import Holding
    from tayyar.core import clock
    from tayyar.customers.models import Channel, ContactPoint, CustomerAccount
    from tayyar.gateways.identity_authority.people import number_of
    from tayyar.identity import sessions, sign_in
    from tayyar.identity.models import IdType, Person
    from tayyar.identity.people import id_hash

    store = import_module(settings.SESSION_ENGINE).SessionStore
    now, password = clock.now(), make_password(PASSWORD)
    people: list[dict[str, Any]] = []
    mobiles: dict[int, int] = {}  # the account's first mobile of each customer
    total = CustomerAccount.objects.count()
    found = ContactPoint.objects.filter(channel=Channel.SMS, recipient=0).order_by("account_id")
    step = max(1, total // (count * 2))
    for pk, customer in found.values_list("pk", "account__customer_id")[: total * 2 : step]:
        mobiles.setdefault(customer, pk)
    for customer_id, mobile_id in mobiles.items():
        account = CustomerAccount.objects.filter(customer_id=customer_id).order_by("id")[0]
        bills = list(
            Bill.objects.filter(account_id=account.pk).order_by("-number").values_list("number", flat=True)
        )
        if len(bills) < MONTHS - 1 or len(people) == count:
            continue
        number = number_of("sa", customer_id)
        with transaction.atomic():
            user = User.objects.create(username=f"bench-{customer_id}", password=password)
            Person.objects.create(user=user, customer_id=customer_id, id_type=IdType.NATIONAL_ID, id_sealed=b"",
                                  id_hash=id_hash(IdType.NATIONAL_ID, number), nationality="SA",
                                  birth_date=now.date().replace(year=1980, day=1), mobile_id=mobile_id,
                                  verified_by="BRANCH", verified_at=now, created_at=now)  # fmt: skip
            Holding.objects.create(account=account, customer_id=customer_id, role="OWNER",
                                   start_date=account.opened_on, created_at=now)  # fmt: skip
        session = store()
        session[SESSION_KEY], session[BACKEND_SESSION_KEY] = str(user.pk), sign_in.BACKEND
        session[HASH_SESSION_KEY] = user.get_session_auth_hash()
        sessions.begin(session, now=now)
        session.create()
        people.append({"id_number": number, "cookie": f"sessionid={session.session_key}", "bills": bills})
    return people


def _pages(people: list[dict[str, Any]]) -> list[portal_load.Page]:
    """Every person's bills of all months, in no order."""
    pages = [
        portal_load.Page(f"/me/bills/{number:015d}", person["cookie"])
        for person in people
        for number in person["bills"]
    ]
    random.Random(4).shuffle(pages)
    return pages


@contextlib.contextmanager
def _served() -> Iterator[int]:
    """`tayyar serve` in a process of its own, one proxy before it; its port."""
    port = portal_peers.free_port()
    environment = {**os.environ, "TAYYAR_PROXIES": "1"}
    command = [str(Path(sys.executable).with_name("tayyar")), "serve", "--port", str(port)]
    with portal_peers.running(command, port, env=environment, stdout=subprocess.DEVNULL):
        yield port


def main() -> int:
    """Run it."""
    from tayyar.core import postgres

    try:
        result = run(int(sys.argv[2]))
    finally:
        postgres.stop(immediate=True)
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
