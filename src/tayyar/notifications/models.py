"""What must be told (Message), each attempt to tell it (Delivery), and the proof that it arrived (Reach).

Message, Delivery and Reach are partitioned by period; the migrations write their tables. Providers' state, the gates
of released batches, sealed facts, early receipts and edited templates are small ordinary tables.
"""

from django.db import models

from tayyar.customers.models import Channel, Language
from tayyar.notifications.kinds import MessageKind

__all__ = ["MessageKind"]


class MessageState(models.IntegerChoices):
    """Where a message stands; its deliveries tell the details."""

    QUEUED = 0, "QUEUED"
    SENDING = 1, "SENDING"
    SENT = 2, "SENT"
    DELIVERED = 3, "DELIVERED"
    READ = 4, "READ"
    FAILED = 5, "FAILED"  # the plan is at its end and nothing was taken
    EXPIRED = 6, "EXPIRED"  # the plan is at its end; something was sent, nothing proves that it arrived
    IN_DOUBT = 7, "IN_DOUBT"
    DEFERRED = 8, "DEFERRED"  # QUEUED again when `next_at` has come: a retry, or the end of quiet hours
    CANCELLED = 9, "CANCELLED"  # by staff, an opt-out, or because it has no object any more
    MERGED = 10, "MERGED"  # told by another message to the same person (digest)
    PARKED = 11, "PARKED"  # could not be worded, or ended in doubt too often: a person must look


class Message(models.Model):
    """One thing one person must be told about one document. Partitioned by `period`.

    `step` and `channel` say where in its plan it stands: what the next claim does, or the last one did.
    """

    pk = models.CompositePrimaryKey("period", "kind", "ref", "recipient")
    period = models.IntegerField()
    kind = models.SmallIntegerField(choices=MessageKind)
    ref = models.BigIntegerField(help_text="number of the document it tells of, or of its sealed facts")
    recipient = models.SmallIntegerField(help_text="0: the holder; else the delegate's number")
    account_id = models.BigIntegerField()
    language = models.SmallIntegerField(choices=Language)
    step = models.SmallIntegerField(default=0, help_text="0, 1, ... in the plan")
    channel = models.SmallIntegerField(choices=Channel)
    state = models.SmallIntegerField(choices=MessageState)
    created_at = models.DateTimeField()
    next_at = models.DateTimeField(
        null=True, help_text="DEFERRED: when it is QUEUED again; SENT, DELIVERED: when the plan goes on"
    )
    contact_point_id = models.BigIntegerField(
        null=True, help_text="this contact point and no other: a one-time code to a new number"
    )

    class Meta:
        managed = False
        db_table = "notifications_message"


class MessageBatch(models.Model):
    """The gate: messages of one kind and period may be sent once their module released them, while `is_open`.

    It is closed when nothing of it is left to send, so that the search for work never grows with history.
    """

    pk = models.CompositePrimaryKey("period", "kind")
    period = models.IntegerField()
    kind = models.SmallIntegerField(choices=MessageKind)
    is_open = models.BooleanField()
    released_at = models.DateTimeField()
    paused_at = models.DateTimeField(null=True, help_text="by staff; nothing is claimed until it is resumed")
    stopped_at = models.DateTimeField(null=True, help_text="by staff; what was queued is CANCELLED")
    has_digests = models.BooleanField(default=False, help_text="some messages speak for several documents")


class Delivery(models.Model):
    """One attempt to tell a message through one contact point. Partitioned by `period`; the outbox.

    The attempt's number is its fence: a worker that comes back from the dead can settle its own attempt only.
    """

    pk = models.CompositePrimaryKey("period", "kind", "ref", "recipient", "channel", "attempt")
    period = models.IntegerField()
    kind = models.SmallIntegerField(choices=MessageKind)
    ref = models.BigIntegerField()
    recipient = models.SmallIntegerField()
    channel = models.SmallIntegerField(choices=Channel)
    attempt = models.SmallIntegerField(help_text="1, 2, ... of this message through this channel")
    state = models.SmallIntegerField(choices=MessageState)
    account_id = models.BigIntegerField()
    contact_point_id = models.BigIntegerField(null=True, help_text="NULL: paper")
    provider = models.SmallIntegerField(null=True, help_text="Provider.number; NULL: by hand (call, paper)")
    worker = models.CharField(max_length=80)
    claimed_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True, help_text="when the provider answered, or time gave it up")
    received_at = models.DateTimeField(
        null=True, help_text="when the provider's last receipt says it happened"
    )
    reason = models.CharField(max_length=40, blank=True, help_text='"MAILBOX_FULL"; no address, ever')
    provider_ref = models.CharField(
        max_length=120, blank=True, help_text="the provider's name or code for it"
    )
    segments = models.SmallIntegerField(default=0, help_text="what the provider charges for")
    cost_micro = models.BigIntegerField(default=0, help_text="millionths of the currency's major unit")
    pricing = models.CharField(max_length=60, blank=True, help_text="how the provider says it charges for it")

    class Meta:
        managed = False
        db_table = "notifications_delivery"
        verbose_name_plural = "deliveries"


class ReachHow(models.IntegerChoices):
    """What proves that a bill reached a person."""

    RECEIPT = 1, "RECEIPT"  # the provider says that the device or mailbox has it
    READ_RECEIPT = 2, "READ_RECEIPT"
    LINK_VIEW = 3, "LINK_VIEW"
    PORTAL_VIEW = 4, "PORTAL_VIEW"
    PAYMENT = 5, "PAYMENT"
    CLERK = 6, "CLERK"  # handed over or shown at a branch
    CALLER = 7, "CALLER"  # told on the telephone
    PAPER = 8, "PAPER"  # the printed bill was handed over


class Reach(models.Model):
    """The first evidence that a bill got to a person; one row per reached bill. Partitioned by `period`."""

    pk = models.CompositePrimaryKey("period", "ref")
    period = models.IntegerField()
    ref = models.BigIntegerField(help_text="the bill's number")
    kind = models.SmallIntegerField(choices=MessageKind)
    account_id = models.BigIntegerField()
    how = models.SmallIntegerField(choices=ReachHow)
    channel = models.SmallIntegerField(choices=Channel, null=True, help_text="NULL: none of ours")
    recipient = models.SmallIntegerField(help_text="0: the holder; else the delegate's number")
    reached_at = models.DateTimeField()
    witness = models.CharField(max_length=80, help_text='"provider:sms-first", "link", "user:7"')

    class Meta:
        managed = False
        db_table = "notifications_reach"
        verbose_name_plural = "reach"


class Provider(models.Model):
    """What all workers share about one provider: its number, its weight at this moment, whether it is paused.

    The rest is in the providers' file (providers.py).
    """

    code = models.CharField(max_length=30, unique=True)
    number = models.SmallAutoField(primary_key=True)
    channel = models.SmallIntegerField(choices=Channel)
    weight = models.SmallIntegerField(
        help_text="falls on errors and slow receipts, drifts back to `most_weight`"
    )
    most_weight = models.SmallIntegerField(help_text="the file's weight")
    is_paused = models.BooleanField(default=False)
    window_began_at = models.DateTimeField(null=True)
    window_sent = models.IntegerField(default=0)
    window_failed = models.IntegerField(default=0, help_text="not the recipient's fault")
    window_received = models.IntegerField(default=0)
    window_slow = models.IntegerField(default=0, help_text="of the received: too late")

    def __str__(self) -> str:
        return self.code


class ProviderSlot(models.Model):
    """A provider's next moment that no worker has taken (pace.py). By itself: whoever waits for this row waits to send,
    so that nothing else may lock it."""

    provider = models.OneToOneField(Provider, on_delete=models.CASCADE, primary_key=True)
    next_free_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.provider_id}: {self.next_free_at}"


class Payload(models.Model):
    """The facts of a message that tells of no stored document (a one-time code), sealed; gone when it ended."""

    ref = models.BigAutoField(primary_key=True)
    period = models.IntegerField()
    kind = models.SmallIntegerField(choices=MessageKind)
    facts_sealed = models.BinaryField()
    created_at = models.DateTimeField(db_index=True)
    expires_at = models.DateTimeField(null=True, help_text="from then on it is worth nothing: not sent")


class EarlyReceipt(models.Model):
    """A receipt that fits no delivery yet: it overtook the answer, or belongs to an attempt in doubt."""

    provider = models.SmallIntegerField()
    provider_ref = models.CharField(max_length=120)
    delivery_key = models.CharField(max_length=80, blank=True)
    address_hash = models.BinaryField(max_length=16, null=True)
    state = models.CharField(max_length=12)
    reason = models.CharField(max_length=40, blank=True)
    at = models.DateTimeField(null=True)
    cost_micro = models.BigIntegerField(null=True)
    stored_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "provider_ref", "delivery_key", "address_hash", "state"],
                nulls_distinct=False,
                name="one_early_receipt_once",
            )
        ]


class TemplateVersion(models.Model):
    """Words that staff wrote over those that came with Tayyar; the newest version is the one in use."""

    template = models.CharField(max_length=40, help_text='"bill_issued"')
    channel = models.SmallIntegerField(choices=Channel)
    language = models.SmallIntegerField(choices=Language)
    version = models.IntegerField()
    words = models.JSONField(help_text="the channel's texts, by name")
    written_at = models.DateTimeField()
    written_by = models.CharField(max_length=80)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["template", "channel", "language", "version"], name="one_version_once"
            )
        ]


class Sheet(models.Model):
    """Work for people: bills printed for one service centre, or calls to be made. Its entries are deliveries whose
    `worker` is "sheet:<id>"; they stay SENDING until their outcome is entered."""

    channel = models.SmallIntegerField(choices=Channel, help_text="PAPER or CALL")
    period = models.IntegerField()
    service_centre_id = models.BigIntegerField(null=True, help_text="NULL: calls are made from one place")
    entries = models.IntegerField()
    made_at = models.DateTimeField()
    made_by = models.CharField(max_length=80)
    closed_at = models.DateTimeField(null=True, help_text="when every entry had its outcome")
    closed_by = models.CharField(max_length=80, blank=True, default="")

    def __str__(self) -> str:
        return f"sheet:{self.pk}"


class Snapshot(models.Model):
    """Figures of a period that cost too much to count for every reader; counted anew when they are too old."""

    pk = models.CompositePrimaryKey("period", "name")
    period = models.IntegerField()
    name = models.CharField(max_length=40, help_text='"delivery", "reach", "reach:C01"')
    computed_at = models.DateTimeField()
    cost_ms = models.IntegerField(help_text="how long counting took")
    data = models.JSONField()
