"""The screens of bill runs: the list, one run live, its certificate, starting one and verifying one.

A view asks queries, puts figures into words and renders; work is left to the job queue. Next: billing/tasks.py.
"""

import datetime as dt
import json
from typing import Any

from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.safestring import mark_safe
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from tayyar.billing import tasks
from tayyar.billing.certificate_pdf import certificate_pdf
from tayyar.billing.models import BillRun
from tayyar.billing.queries import certificate_of, find_run, run_status
from tayyar.console import charts, delivery, queries
from tayyar.console.screen import Screen, staff
from tayyar.core import audit, clock
from tayyar.core.errors import UserError
from tayyar.core.periods import Period
from tayyar.tariffs.book import load_book

POLL = "every 2s"


@require_safe
@staff()
def home(screen: Screen) -> HttpResponse:
    """Every run, and the one that comes next."""
    runs = [_row(screen, run) for run in queries.all_runs()]
    upcoming = queries.next_period(screen.profile, today=clock.today())
    issue_date = screen.profile.issue_date(upcoming.year, upcoming.month)
    running = next((run for run in runs if run["is_running"]), None)
    context = {
        "title": screen.words["runs"],
        "runs": runs,
        "upcoming": {
            "period": str(upcoming),
            "title": screen.say("next_run", month=screen.month(upcoming)),
            "text": screen.say("next_issue", day=screen.day(issue_date)),
            "can_start": issue_date <= clock.today() and running is None,
            "job": queries.open_job(task="bill_period", period=upcoming),
        },
    }
    return screen.page("console/home.html", context)


@require_safe
@staff()
def run_page(screen: Screen, period: str) -> HttpResponse:
    """One run: the line of truth, totals, what was held, the certificate, the messages."""
    wanted = Period.parse(period)
    run = BillRun.objects.filter(period=wanted.number).first()
    if run is None and not queries.open_job(task="bill_period", period=wanted):
        stopped = queries.last_entry(action="BILL_RUN_STOPPED", period=wanted)
        if stopped is None:
            find_run(period=wanted)  # says that there is none, and how to start it
    return screen.page("console/run.html", {**_live(screen, wanted, run), **_whole(screen, wanted, run)})


@require_safe
@staff()
def live(screen: Screen, period: str) -> HttpResponse:
    """The part of the run's page that changes while it lasts; tells the page to load anew once it is certified."""
    wanted = Period.parse(period)
    run = BillRun.objects.filter(period=wanted.number).first()
    context = _live(screen, wanted, run)
    response = screen.page("console/run_live.html", context)
    if not context["poll"]:
        response["HX-Refresh"] = "true"
    return response


@require_http_methods(["GET", "HEAD", "POST"])
@staff(acting=True)
def start(screen: Screen, period: str) -> HttpResponse:
    """Ask once more, then leave the run to a worker. Starting a run again goes on where it stopped."""
    wanted = Period.parse(period)
    issue_date = screen.profile.issue_date(wanted.year, wanted.month)
    if issue_date > clock.today():
        raise UserError(f"Bills of {wanted} are issued on {issue_date}; that day has not come.")
    if screen.request.method == "POST":
        with transaction.atomic():
            if queries.open_job(task="bill_period", period=wanted) is None:
                tasks.bill_period.defer(period=str(wanted))
                audit.record(
                    actor=screen.actor, action="BILL_RUN_ASKED", subject=f"run:{wanted}", now=clock.now()
                )
        return redirect("console:run", period=str(wanted))
    context = {
        "title": screen.say("start_title", month=screen.month(wanted)),
        "period": str(wanted),
        "facts": [
            {"label": screen.words["issue_date"], "value": screen.day(issue_date)},
            {"label": screen.words["accounts_about"], "value": screen.num(queries.account_estimate())},
        ],
    }
    return screen.page("console/start.html", context)


@require_safe
@staff()
def certificate_json(screen: Screen, period: str) -> HttpResponse:
    """The signed certificate as a file."""
    certificate, signature = certificate_of(period=Period.parse(period))
    content = {"certificate": certificate, "signature": signature.hex()}
    response = HttpResponse(
        json.dumps(content, indent=1, ensure_ascii=False), content_type="application/json"
    )
    response["Content-Disposition"] = f'attachment; filename="certificate-{period}.json"'
    return screen.seal(response)


@require_safe
@staff()
def certificate_document(screen: Screen, period: str) -> HttpResponse:
    """The same as a PDF."""
    certificate, signature = certificate_of(period=Period.parse(period))
    response = HttpResponse(
        certificate_pdf(certificate, signature, screen.lang), content_type="application/pdf"
    )
    response["Content-Disposition"] = f'attachment; filename="certificate-{period}.pdf"'
    return screen.seal(response)


@require_POST
@staff()
def verify(screen: Screen, period: str) -> HttpResponse:
    """Leave the reading of every bill to a worker; the answer appears on the run's page."""
    wanted = Period.parse(period)
    certificate_of(period=wanted)
    with transaction.atomic():
        if queries.open_job(task="verify_run", period=wanted) is None:
            tasks.verify_run.defer(period=str(wanted), actor=screen.actor)
            audit.record(
                actor=screen.actor, action="BILL_RUN_VERIFY_ASKED", subject=f"run:{wanted}", now=clock.now()
            )
    return redirect(reverse("console:run", kwargs={"period": str(wanted)}) + "#certificate")


@require_safe
@staff()
def verification(screen: Screen, period: str) -> HttpResponse:
    """How the verification stands: polled while it lasts."""
    return screen.page("console/verification.html", _verification(screen, Period.parse(period)))


# ------------------------------------------------------------------------------------------------------------ contexts


def _row(screen: Screen, run: BillRun) -> dict[str, Any]:
    period = Period.from_number(run.period)
    row: dict[str, Any] = {
        "period": str(period),
        "month": screen.month(period),
        "issued": screen.day(run.issue_date),
        "state": screen.words[f"state_{run.state}"],
        "is_running": run.state == "RUNNING",
    }
    if run.certificate:
        accounts = run.certificate["accounts"]
        row |= {name: screen.num(accounts[name]) for name in ("billed", "held", "rejected")}
        row["total"] = screen.money(run.certificate["money"]["total_minor"])
        row["energy"] = screen.energy(run.certificate["energy_wh"])
    return row


def _live(screen: Screen, period: Period, run: BillRun | None) -> dict[str, Any]:
    """Truth and progress, while it changes and after."""
    job = queries.open_job(task="bill_period", period=period)
    context: dict[str, Any] = {
        "period": str(period),
        "poll": POLL if job or (run and run.state == "RUNNING") else "",
        "notice": "",
        "stopped": "",
        "can_go_on": False,
        "failures": [],
        "progress": None,
    }
    if job:
        context["notice"] = screen.words["job_doing" if job.is_running else "job_todo"]
    elif run is None or (run.state == "RUNNING" and not _is_moving(run)):
        stopped = queries.last_entry(action="BILL_RUN_STOPPED", period=period)
        context |= {"stopped": stopped.detail.get("why", "") if stopped else "", "can_go_on": True}
    if run is None:
        context["truth"] = screen.say("truth_none", month=screen.month(period))
        return context
    status = run_status(period=period)
    total = status["eligible"] if run.certificate else max(queries.account_estimate(), status["eligible"])
    figures = {name: screen.num(status[name]) for name in ("billed", "held", "rejected")}
    context["truth"] = screen.say("truth", total=screen.num(total), **figures)
    speed = queries.rate(run, now=clock.now())
    if speed:
        context["rate"] = screen.say(
            "rate", accounts=screen.num(speed.accounts_per_second), money=screen.money(speed.minor_per_minute)
        )
    parts = [(name, status[name]) for name in ("billed", "held", "rejected")]
    context["progress"] = mark_safe(  # noqa: S308 - charts escapes every text
        charts.stack_svg(parts, total, rtl=screen.rtl, alt=_alt(screen, status, total))
    )
    if run.state == "RUNNING":
        context["chunks"] = screen.say(
            "chunks", done=screen.num(status["done"]), total=screen.num(status["chunks"])
        )
        context["failures"] = [
            {"text": screen.say("chunk_failed", index=screen.num(row["index"])), "error": row["error"]}
            for row in status["failures"]
        ]
    return context


def _is_moving(run: BillRun) -> bool:
    """Somebody works on it: a chunk is leased, or one was finished just now."""
    now = clock.now()
    return (
        run.chunks.filter(state="LEASED", leased_until__gte=now).exists()
        or run.chunks.filter(done_at__gte=now - dt.timedelta(seconds=queries.RATE_SECONDS)).exists()
    )


def _alt(screen: Screen, status: dict[str, Any], total: int) -> str:
    shown = {name: screen.plain(status[name]) for name in ("billed", "held", "rejected")}
    return screen.words["truth"].format(total=screen.plain(total), **shown)


def _whole(screen: Screen, period: Period, run: BillRun | None) -> dict[str, Any]:
    """What stands under the line of truth."""
    context: dict[str, Any] = {"title": screen.say("run_title", month=screen.month(period))}
    if run is None:
        return context
    context["dates"] = screen.say("dates", issued=screen.day(run.issue_date), due=screen.day(run.due_date))
    context |= _tariffs(screen, run) | _held(screen, run)
    if run.certificate:
        context |= _certificate(screen, run) | _verification(screen, period) | _deliveries(screen, period)
    return context


def _tariffs(screen: Screen, run: BillRun) -> dict[str, Any]:
    totals = queries.tariff_totals(run, screen.profile)
    before = queries.tariff_totals(run.previous, screen.profile) if run.previous else {}
    book = load_book(screen.profile)

    def row(name: str, now: dict[str, int], then: dict[str, int]) -> dict[str, Any]:
        return {
            "name": name,
            "bills": screen.num(now["bills"]),
            "energy": screen.energy(now["energy_wh"], unit=False),
            "tax": screen.money(now["tax_minor"], unit=False),
            "total": screen.money(now["total_minor"], unit=False),
            "before": screen.money(then["total_minor"], unit=False) if then else "",
            "change": screen.percent(now["total_minor"], then["total_minor"]) if then else "",
        }

    def names(tariff_id: str) -> str:
        version = book.find(tariff_id)
        return version.names.get(screen.lang, tariff_id) if version else tariff_id

    rows = [row(names(tariff), figures, before.get(tariff, {})) for tariff, figures in totals.items()]
    return {
        "tariffs": rows,
        "tariff_sum": row(screen.words["sum"], _sum(totals), _sum(before) if before else {})
        if totals
        else None,
        "has_previous": bool(before),
        "currency": screen.profile.symbols.get(screen.lang, screen.profile.currency.code),
    }


def _sum(totals: dict[str, dict[str, int]]) -> dict[str, int]:
    names = {name for figures in totals.values() for name in figures}
    return {name: sum(figures[name] for figures in totals.values()) for name in names}


def _held(screen: Screen, run: BillRun) -> dict[str, Any]:
    counts = queries.exception_counts(run)
    most = max((row["accounts"] for row in counts), default=0)
    return {
        "reasons": [
            {
                "code": row["reason"],
                "text": screen.reason(row["reason"]),
                "outcome": screen.words[f"outcome_{row['outcome']}"],
                "accounts": screen.num(row["accounts"]),
                "waiting": screen.num(row["waiting"]),
                "bar": mark_safe(charts.share_svg(row["accounts"], most, rtl=screen.rtl)),  # noqa: S308 - numbers
            }
            for row in counts
        ],
        "waiting": sum(row["waiting"] for row in counts),
    }


def _certificate(screen: Screen, run: BillRun) -> dict[str, Any]:
    certificate = run.certificate or {}
    money = certificate["money"]
    facts = [
        ("certified_at", screen.moment(dt.datetime.fromisoformat(certificate["certified_at"]))),
        ("energy", screen.energy(certificate["energy_wh"])),
        *((f"money_{name}", screen.money(money[f"{name}_minor"])) for name in ("energy", "fixed")),
        *((f"money_{name}", screen.money(money[f"{name}_minor"])) for name in ("subsidy", "tax", "total")),
        ("ledger", screen.money(certificate["ledger"]["debited_to_customers"])),
        ("messages", screen.num(certificate["messages"])),
        ("first_number", screen.code(certificate["first_number"])),
        ("last_number", screen.code(certificate["last_number"])),
        ("hash", screen.code(certificate["bills_sha256"])),
        ("signature", screen.code(bytes(run.signature or b"").hex())),
    ]
    return {"certificate": [{"label": screen.words[f"cert_{key}"], "value": value} for key, value in facts]}


def _verification(screen: Screen, period: Period) -> dict[str, Any]:
    job = queries.open_job(task="verify_run", period=period)
    entry = queries.last_entry(action="BILL_RUN_VERIFIED", period=period)
    context: dict[str, Any] = {"period": str(period), "verifying": "", "verified": "", "problems": []}
    if job:
        context["verifying"] = screen.words["verify_doing" if job.is_running else "job_todo"]
    elif entry:
        problems = entry.detail.get("problems", [])
        key = "verify_broken" if problems else "verify_intact"
        context |= {"verified": screen.say(key, moment=screen.moment(entry.at)), "problems": problems}
    return context


def _deliveries(screen: Screen, period: Period) -> dict[str, Any]:
    """How far the run's bills are on their way to people; the whole is on a page of its own."""
    kept = delivery.latest(period)
    return {
        "deliveries": {
            **delivery.standing_context(screen, kept.data["standings"]),
            "as_of": screen.say("as_of", moment=screen.moment(kept.computed_at)),
        }
    }
