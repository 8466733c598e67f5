"""Addresses of the staff screens about delivery and reach."""

from django.urls import URLPattern, path, re_path

from tayyar.console import delivery, history, reach

_RUN = "runs/<str:period>"
_MESSAGES = "accounts/<int:account_id>/messages"

urlpatterns: list[URLPattern] = [
    path(f"{_RUN}/delivery", delivery.delivery, name="delivery"),
    path(f"{_RUN}/delivery/live", delivery.delivery_live, name="delivery_live"),
    path(f"{_RUN}/delivery/<str:kind>/stop", delivery.stop, name="delivery_stop"),
    re_path(
        r"^runs/(?P<period>[^/]+)/delivery/(?P<kind>[A-Z_]+)/(?P<action>pause|resume)$",
        delivery.switch,
        name="delivery_switch",
    ),
    re_path(
        r"^runs/(?P<period>[^/]+)/delivery/providers/(?P<code>[a-z0-9-]+)/(?P<action>pause|resume)$",
        delivery.switch_provider,
        name="provider_switch",
    ),
    path(f"{_RUN}/reach", reach.reach, name="reach"),
    path(f"{_RUN}/reach/unreached.csv", reach.unreached_csv, name="unreached_csv"),
    path(f"{_RUN}/reach/marked.csv", reach.marked_csv, name="marked_csv"),
    path("accounts", history.find, name="find_account"),
    path(_MESSAGES, history.message_history, name="message_history"),
    path(
        f"{_MESSAGES}/<str:period>/<int:kind>/<int:ref>/<int:recipient>/resend", history.resend, name="resend"
    ),
    path(f"{_MESSAGES}/<str:period>/<int:ref>/<int:recipient>/told", history.told, name="told"),
]
