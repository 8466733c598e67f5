"""What requests of claims do when they are opened, decided and withdrawn (requests/registry.py). Holds no rule."""

import datetime as dt
from typing import Any

from tayyar.claims import disputes, rules, services
from tayyar.claims.errors import ClaimRefused
from tayyar.claims.models import Claim, ClaimRole, ClaimState, Evidence
from tayyar.requests.errors import FormRefused
from tayyar.requests.models import ServiceRequest

# At which field of the form a page shows a refusal; what fits none is shown as it is.
_FIELDS = {
    "START_EARLY": "start_date",
    "START_LATE": "start_date",
    "EVIDENCE": "evidence",
    "CLERK": "evidence",
}


class ClaimHandler:
    """ACCOUNT_CLAIM, and TRANSFER: the same assertion, by papers."""

    def opened(self, *, request: ServiceRequest, form: dict[str, Any], now: dt.datetime) -> None:
        """The claim is registered; what the books or a clerk confirm is decided at once."""
        if request.person is None:
            raise ClaimRefused("NOT_YOURS", "A claim is made by a person.")
        role = ClaimRole(form["role"])
        papers = Evidence.DEED if role is ClaimRole.OWNER else Evidence.LEASE
        start_date = dt.date.fromisoformat(form["start_date"])
        try:
            rules.check_start(start_date, first=services.earliest_start(now), today=services.local_day(now))
            services.register(
                request=request,
                customer_id=form.get("customer", request.person.customer_id),
                role=role,
                is_beneficiary=form["is_beneficiary"],
                start_date=start_date,
                evidence=Evidence(form.get("evidence", papers)),
                now=now,
            )
        except ClaimRefused as refused:
            if refused.reason in _FIELDS:
                raise FormRefused({_FIELDS[refused.reason]: refused.reason}) from refused
            raise

    def decided(
        self, *, request: ServiceRequest, form: dict[str, Any], is_approved: bool, now: dt.datetime
    ) -> None:
        """Approved, it is carried out."""
        claim_id = Claim.objects.values_list("id", flat=True).get(request=request)
        if is_approved:
            services.approve(claim_id=claim_id, actor=request.ended_by, now=now)
        else:
            services.end_without(claim_id=claim_id, state=ClaimState.REFUSED, actor=request.ended_by, now=now)

    def withdrawn(self, *, request: ServiceRequest, form: dict[str, Any], now: dt.datetime) -> None:
        """Nothing changes hands."""
        claim_id = Claim.objects.values_list("id", flat=True).get(request=request)
        services.end_without(claim_id=claim_id, state=ClaimState.WITHDRAWN, actor=request.ended_by, now=now)


class DisputeHandler:
    """CLAIM_DISPUTE: the present holder's objection."""

    def opened(self, *, request: ServiceRequest, form: dict[str, Any], now: dt.datetime) -> None:
        """The claim learns of it."""
        try:
            disputes.objected(request=request, claim_reference=form["claim_reference"], now=now)
        except ClaimRefused as refused:
            raise FormRefused({"claim_reference": refused.reason}) from refused

    def decided(
        self, *, request: ServiceRequest, form: dict[str, Any], is_approved: bool, now: dt.datetime
    ) -> None:
        """Upheld, the claim is refused."""
        disputes.decide_objection(claim_reference=form["claim_reference"], is_upheld=is_approved, now=now)

    def withdrawn(self, *, request: ServiceRequest, form: dict[str, Any], now: dt.datetime) -> None:
        """The claim goes on to its own decision, as when the objection was refused."""
        disputes.decide_objection(claim_reference=form["claim_reference"], is_upheld=False, now=now)
