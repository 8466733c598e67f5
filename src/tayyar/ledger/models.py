"""Double-entry accounts and the transfers between them.

A transfer moves one amount from a credit account to a debit account, so debits equal credits by construction.
`balance_minor` is debits minus credits of the transfers posted one by one; transfers of a bill run are posted by
the million and carried forward on the bills themselves (`Bill.billed_to_date_minor`), so that a run never
rewrites nine million rows. The balance of a customer is the sum of the two; `tayyar check` proves it.
"""

from django.db import models
from django.db.models import F, Q


class SystemAccount(models.IntegerChoices):
    """The utility's own ledger accounts. Customers' receivables have the customer account's id."""

    BILLING_CLEARING = 10, "BILLING_CLEARING"
    REVENUE_ENERGY = 20, "REVENUE_ENERGY"
    REVENUE_FIXED = 21, "REVENUE_FIXED"
    SUBSIDY = 30, "SUBSIDY"
    TAX_PAYABLE = 40, "TAX_PAYABLE"
    CASH = 50, "CASH"


class TransferKind(models.IntegerChoices):
    """What a transfer is for; with `ref` it is the idempotency key."""

    BILL = 1, "BILL"
    REVENUE_ENERGY = 2, "REVENUE_ENERGY"
    REVENUE_FIXED = 3, "REVENUE_FIXED"
    SUBSIDY = 4, "SUBSIDY"
    TAX = 5, "TAX"
    CREDIT_NOTE = 6, "CREDIT_NOTE"
    PAYMENT = 7, "PAYMENT"
    ADJUSTMENT = 8, "ADJUSTMENT"


class LedgerAccount(models.Model):
    """One side of transfers. `balance_minor` > 0: owes the utility, or an asset."""

    id = models.BigIntegerField(primary_key=True)
    balance_minor = models.BigIntegerField(default=0)


class Transfer(models.Model):
    """One amount from credit to debit. Never changed. Partitioned by `period`."""

    pk = models.CompositePrimaryKey("period", "kind", "ref")
    period = models.IntegerField()
    kind = models.SmallIntegerField(choices=TransferKind)
    ref = models.BigIntegerField(help_text="number of the document it posts")
    debit_account_id = models.BigIntegerField()
    credit_account_id = models.BigIntegerField()
    amount_minor = models.BigIntegerField()
    posted_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "ledger_transfer"
        constraints = [
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="transfer_amount_positive"),
            models.CheckConstraint(
                condition=~Q(debit_account_id=F("credit_account_id")), name="transfer_two_accounts"
            ),
        ]
