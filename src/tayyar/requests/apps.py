"""Registers the module with Django, reads the types and registers the handlers that lower modules suffice for."""

from django.apps import AppConfig


class RequestsConfig(AppConfig):
    """The `requests` module. A type's file that cannot be used stops the process here, with a UserError."""

    name = "tayyar.requests"
    label = "requests"

    def ready(self) -> None:
        """Types first: a handler of an unknown type is refused."""
        from tayyar.requests import handlers, registry
        from tayyar.requests.catalogue import request_types

        request_types()
        registry.register("PAPER_BILL", handlers.PaperBill())
        registry.register("CONTACT_UPDATE", handlers.ContactUpdate())
        registry.register("BILL_COPY", handlers.BillCopy())
