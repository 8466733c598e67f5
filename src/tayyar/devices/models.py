"""One self-service machine: where it stands, how it prints, and the hashes of what lets it in."""

from django.db import models
from django.db.models import Q

from tayyar.metering.models import ServiceCentre


class Device(models.Model):
    """A kiosk. Of its enrolment code and of its key only keyed hashes are kept."""

    name = models.CharField(max_length=60, help_text='"Hall, by the door"')
    service_centre = models.ForeignKey(ServiceCentre, models.PROTECT)
    receipt_printer = models.GenericIPAddressField(
        null=True, help_text="a network receipt printer, port 9100; NULL: the machine's own print bridge"
    )
    prints_pages = models.BooleanField(
        default=False, help_text="an A4 printer stands behind the print bridge"
    )
    code_hash = models.BinaryField(max_length=16, null=True, unique=True)
    code_expires_at = models.DateTimeField(null=True)
    key_hash = models.BinaryField(max_length=16, null=True, unique=True)
    added_at = models.DateTimeField()
    enrolled_at = models.DateTimeField(null=True)
    last_seen_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["service_centre", "name"],
                condition=Q(revoked_at=None),
                name="one_device_of_a_name_in_a_centre",
            ),
            models.CheckConstraint(
                condition=Q(revoked_at=None) | Q(key_hash=None, code_hash=None),
                name="a_revoked_device_has_no_key",
            ),
            models.CheckConstraint(
                condition=Q(code_hash=None, code_expires_at=None)
                | Q(code_hash__isnull=False, code_expires_at__isnull=False),
                name="an_enrolment_code_ends",
            ),
        ]

    def __str__(self) -> str:
        return self.name
