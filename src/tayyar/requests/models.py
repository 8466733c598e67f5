"""Anything asked or complained of, under one reference number: what was asked, its papers, and all that happened."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from tayyar.customers.models import CustomerAccount, Language
from tayyar.identity.models import Person


class RequestState(models.TextChoices):
    """Where a request stands."""

    OPEN = "OPEN", "OPEN"  # with the staff
    WAITING = "WAITING", "WAITING"  # for the person: an answer or a document
    APPROVED = "APPROVED", "APPROVED"
    REFUSED = "REFUSED", "REFUSED"
    WITHDRAWN = "WITHDRAWN", "WITHDRAWN"  # by the person


ENDED = (RequestState.APPROVED, RequestState.REFUSED, RequestState.WITHDRAWN)


class Via(models.TextChoices):
    """Where it was asked."""

    WEB = "WEB", "WEB"
    APP = "APP", "APP"
    KIOSK = "KIOSK", "KIOSK"
    BRANCH = "BRANCH", "BRANCH"
    CALL = "CALL", "CALL"
    FILE = "FILE", "FILE"  # one of many that a business sent in a file: not counted against a person's limit


class ServiceRequest(models.Model):
    """One thing asked. `type` names a type of requests/types/; `step` one of its steps."""

    reference = models.CharField(max_length=20, unique=True, help_text='"R-7F3K-22AB": what people read out')
    type = models.CharField(max_length=30)
    step = models.CharField(max_length=30, help_text='the step it stands at: "REVIEW"')
    state = models.CharField(max_length=10, choices=RequestState)
    person = models.ForeignKey(Person, models.PROTECT, null=True)
    account = models.ForeignKey(CustomerAccount, models.PROTECT, null=True)
    via = models.CharField(max_length=10, choices=Via)
    language = models.SmallIntegerField(choices=Language)
    form_sealed = models.BinaryField(help_text="JSON: what was filled in, by the type's field names")
    opened_at = models.DateTimeField()
    due_on = models.DateField(help_text="the last day to decide, by the type's working days")
    ended_at = models.DateTimeField(null=True)
    ended_by = models.CharField(max_length=80, blank=True, default="", help_text='"user:7", "person:12"')
    assigned_to = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, help_text="staff who work on it"
    )
    once_key = models.CharField(
        max_length=64, null=True, help_text="of the form that was sent: twice changes nothing"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["person", "once_key"], name="a_form_opens_one_request"),
            models.CheckConstraint(
                condition=Q(state__in=["OPEN", "WAITING"], ended_at=None)
                | (~Q(state__in=["OPEN", "WAITING"]) & Q(ended_at__isnull=False)),
                name="an_ended_request_says_when",
            ),
        ]
        indexes = [
            models.Index(fields=["due_on"], condition=Q(ended_at=None), name="request_open_by_due"),
            models.Index(fields=["account", "opened_at"], name="request_by_account"),
            models.Index(fields=["person", "opened_at"], name="request_by_person"),
        ]

    def __str__(self) -> str:
        return self.reference


class RequestDocument(models.Model):
    """A picture or PDF that came with a request: checked, made anew from its content, sealed."""

    request = models.ForeignKey(ServiceRequest, models.PROTECT, related_name="documents")
    kind = models.CharField(max_length=30, help_text='as the type names it: "DEED"')
    media_type = models.CharField(max_length=40, help_text='"image/jpeg", "application/pdf"')
    content_sealed = models.BinaryField()
    size_bytes = models.IntegerField()
    added_at = models.DateTimeField()
    added_by = models.CharField(max_length=80)


class RequestEvent(models.Model):
    """One thing that happened to a request. Never changed."""

    request = models.ForeignKey(ServiceRequest, models.PROTECT, related_name="events")
    at = models.DateTimeField()
    actor = models.CharField(max_length=80, help_text='"person:12", "user:7", "system"')
    what = models.CharField(
        max_length=12,
        help_text="OPENED, STEP, ASKED, ANSWERED, DOCUMENT, NOTE, ASSIGNED, OVERDUE, DECIDED, WITHDRAWN",
    )
    step = models.CharField(max_length=30)
    text_sealed = models.BinaryField(
        null=True, help_text="said to the person, by them, or among staff (NOTE)"
    )
    is_internal = models.BooleanField(default=False, help_text="staff alone see it")

    class Meta:
        indexes = [models.Index(fields=["request", "at"], name="request_event_in_order")]
