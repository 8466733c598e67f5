"""The address an HTTP SMS provider calls: receipts that are stored before they are acknowledged."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from tayyar.core import clock
from tayyar.gateways.hooks import bounded_body, options_of
from tayyar.gateways.http_sms.callback import parse_body
from tayyar.gateways.http_sms.options import read_options
from tayyar.notifications import receipts

GATEWAY = "HTTP_SMS"
MOST_BYTES = 1024 * 1024


@csrf_exempt  # the secret is the proof
@require_http_methods(["GET", "POST"])
def callback(request: HttpRequest, code: str) -> HttpResponse:
    """One receipt or several, in the query, as JSON or as a form; 200 once they are stored."""
    options = options_of(code, gateway=GATEWAY, read=read_options)
    if options is None or options.callback is None:
        return HttpResponse(status=404)
    rules = options.callback
    body = bounded_body(request, most_bytes=MOST_BYTES)
    if body is None:
        return HttpResponse(status=413)
    query = request.GET.dict()
    signed = request.META.get("QUERY_STRING", "").encode() if request.method == "GET" else body
    if not rules.is_genuine(headers=request.headers, query=query, signed=signed):
        return HttpResponse(status=403)
    told = rules.receipts(query if request.method == "GET" else parse_body(body, request.content_type or ""))
    if told:
        receipts.store(provider=code, receipts=told, now=clock.now())
    return HttpResponse(status=200)
