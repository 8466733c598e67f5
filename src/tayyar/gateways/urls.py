"""Where providers tell what became of messages, and authorities who a person is."""

from django.urls import path

from tayyar.gateways.http_sms import callback_views
from tayyar.gateways.nafath import callback_views as nafath_views
from tayyar.gateways.smtp import webhook_views as mail_views
from tayyar.gateways.whatsapp import webhook_views

app_name = "gateways"
urlpatterns = [
    path("hooks/whatsapp/<slug:code>", webhook_views.webhook, name="whatsapp"),
    path("hooks/sms/<slug:code>", callback_views.callback, name="sms"),
    path("hooks/mail/<slug:code>", mail_views.webhook, name="mail"),
    path("hooks/nafath/<slug:code>", nafath_views.callback, name="nafath"),
]
