"""What must be told (Message) and each attempt to tell it (Delivery)."""

from django.db import models


class MessageKind(models.IntegerChoices):
    """Why a person is told something."""

    BILL_ISSUED = 1, "BILL_ISSUED"


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


class Delivery(models.Model):
    """One attempt through one contact point."""

    id = models.BigAutoField(primary_key=True)
    period = models.IntegerField()
    kind = models.SmallIntegerField(choices=MessageKind)
    ref = models.BigIntegerField()
    recipient = models.SmallIntegerField()
    account_id = models.BigIntegerField()
    channel = models.SmallIntegerField()
    contact_point_id = models.BigIntegerField()
    attempt = models.SmallIntegerField()
    state = models.SmallIntegerField(choices=MessageState)
    reason = models.CharField(max_length=200, blank=True)
    provider_ref = models.CharField(max_length=120, blank=True)
    claimed_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "deliveries"
        constraints = [
            models.UniqueConstraint(
                fields=["ref", "kind", "recipient", "channel", "attempt"], name="one_delivery_per_attempt"
            )
        ]
        indexes = [
            models.Index(
                fields=["claimed_at"],
                condition=models.Q(state__in=[MessageState.SENDING, MessageState.IN_DOUBT]),
                name="delivery_unsettled",
            )
        ]
