"""What the operator types, `tayyar billrun PERIOD`, with chunks and leases small enough for a fault test.

Prints the certificate as JSON. Exit 2 with a message when the run cannot be finished now, as the command does.
"""

import json
import sys

from tayyar.config.cli import kindly, prepare_database
from tayyar.core.periods import Period


def bill() -> int:
    """bill.py PERIOD WORKERS CHUNK_ACCOUNTS LEASE_SECONDS"""
    period, workers, chunk_accounts, lease_seconds = sys.argv[1:]
    prepare_database()
    from tayyar.billing.conduct import conduct
    from tayyar.profiles.installation import installed_profile

    certificate = conduct(
        period=Period.parse(period),
        profile=installed_profile(),
        workers=int(workers),
        chunk_accounts=int(chunk_accounts),
        lease_seconds=float(lease_seconds),
    )
    print(json.dumps(certificate))
    return 0


if __name__ == "__main__":
    sys.exit(kindly(bill))
