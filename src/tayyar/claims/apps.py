"""Registers the module with Django, and with the requests whose decisions it carries out."""

from django.apps import AppConfig


class ClaimsConfig(AppConfig):
    """The `claims` module."""

    name = "tayyar.claims"
    label = "claims"

    def ready(self) -> None:
        """Claims, objections and transfers are ours; so is who may ask in the name of an account's holder."""
        from tayyar.claims.handlers import ClaimHandler, DisputeHandler
        from tayyar.claims.queries import may_manage
        from tayyar.requests import registry

        registry.register("ACCOUNT_CLAIM", ClaimHandler())
        registry.register("TRANSFER", ClaimHandler())
        registry.register("CLAIM_DISPUTE", DisputeHandler())
        registry.use_holders(may_manage)
