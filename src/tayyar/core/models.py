"""The installation's settings, and the audit log that nobody can rewrite."""

from django.db import models


class Setting(models.Model):
    """One fact of this installation, such as which profile it runs (`PROFILE` = "sa")."""

    key = models.CharField(max_length=40, primary_key=True)
    value = models.CharField(max_length=200)

    def __str__(self) -> str:
        return f"{self.key}={self.value}"


class AuditEntry(models.Model):
    """Who did or read what, when. A trigger refuses UPDATE and DELETE."""

    at = models.DateTimeField()
    actor = models.CharField(max_length=80, help_text='"user:7", "worker", "link"')
    action = models.CharField(max_length=60, help_text='"BILL_RUN_PLANNED"')
    subject = models.CharField(max_length=80, db_index=True, help_text='"bill:261100000001234"')
    detail = models.JSONField(default=dict)

    class Meta:
        verbose_name_plural = "audit entries"

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.actor} {self.action} {self.subject}"


class Pulse(models.Model):
    """How quickly one web process answered lately; written by core/pulse.py, at most every few seconds."""

    process = models.TextField(primary_key=True, help_text='"web-1.example-4711"')
    at = models.DateTimeField()
    requests = models.IntegerField()
    p95_ms = models.IntegerField()

    def __str__(self) -> str:
        return f"{self.process}: {self.p95_ms} ms"
