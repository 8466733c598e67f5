"""What must be told (Message) and each attempt to tell it (Delivery)."""

from django.db import models


class MessageKind(models.IntegerChoices):
    """Why a person is told something."""

    BILL_ISSUED = 1, "BILL_ISSUED"  # by the run; sent once it is certified
    SINGLE_BILL_ISSUED = 2, "SINGLE_BILL_ISSUED"  # made by itself, sent at once


class MessageState(models.IntegerChoices):
    """Where a message stands; its deliveries tell the details."""

    QUEUED = 0, "QUEUED"
    SENDING = 1, "SENDING"
    SENT = 2, "SENT"
    DELIVERED = 3, "DELIVERED"
    READ = 4, "READ"
    FAILED = 5, "FAILED"
    EXPIRED = 6, "EXPIRED"
    IN_DOUBT = 7, "IN_DOUBT"
    DEFERRED = 8, "DEFERRED"  # an attempt failed for now; QUEUED again when its `retry_at` has come


class Message(models.Model):
    """One thing one person must be told about one document. Partitioned by `period`."""

    pk = models.CompositePrimaryKey("period", "kind", "ref", "recipient")
    period = models.IntegerField()
    kind = models.SmallIntegerField(choices=MessageKind)
    ref = models.BigIntegerField(help_text="number of the document it tells of")
    recipient = models.SmallIntegerField(help_text="0: the holder; delegates follow")
    account_id = models.BigIntegerField()
    language = models.SmallIntegerField()
    channels = models.SmallIntegerField(
        help_text="bit mask of the channels that had a contact point when queued"
    )
    priority = models.SmallIntegerField(help_text="0 overtakes everything: one-time codes")
    state = models.SmallIntegerField(choices=MessageState)
    created_at = models.DateTimeField()

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


class Delivery(models.Model):
    """One attempt to tell a message through one contact point. Partitioned by `period`; the outbox.

    The attempt's number is its fence: a worker that comes back from the dead can settle its own attempt only.
    Indexes: the unsettled by `claimed_at`, the deferred by `retry_at`, the second and later attempts.
    """

    pk = models.CompositePrimaryKey("period", "kind", "ref", "recipient", "channel", "attempt")
    period = models.IntegerField()
    kind = models.SmallIntegerField(choices=MessageKind)
    ref = models.BigIntegerField()
    recipient = models.SmallIntegerField()
    channel = models.SmallIntegerField()
    attempt = models.SmallIntegerField(help_text="1, 2, ... of this message through this channel")
    state = models.SmallIntegerField(choices=MessageState)
    account_id = models.BigIntegerField()
    contact_point_id = models.BigIntegerField(null=True, help_text="NULL: there was none to try")
    worker = models.CharField(max_length=80)
    claimed_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)
    retry_at = models.DateTimeField(null=True, help_text="set while the message is DEFERRED on this attempt")
    reason = models.CharField(max_length=40, blank=True, help_text='"MAILBOX_FULL"; no address, ever')
    provider_ref = models.CharField(
        max_length=120, blank=True, help_text="the provider's name or code for it"
    )

    class Meta:
        managed = False
        db_table = "notifications_delivery"
        verbose_name_plural = "deliveries"
