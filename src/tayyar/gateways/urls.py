"""Where providers tell what became of messages."""

from django.urls import path

from tayyar.gateways.http_sms import callback_views
from tayyar.gateways.smtp import webhook_views as mail_views
from tayyar.gateways.whatsapp import webhook_views

app_name = "gateways"
urlpatterns = [
    path("hooks/whatsapp/<slug:code>", webhook_views.webhook, name="whatsapp"),
    path("hooks/sms/<slug:code>", callback_views.callback, name="sms"),
    path("hooks/mail/<slug:code>", mail_views.webhook, name="mail"),
]
