"""A paper as an answer to a browser: a picture to look at, a PDF to keep, and neither with any power over the page.

The face has asked already who may look, and written it down. Next: console and portal.
"""

from django.http import HttpResponse

from tayyar.requests.documents import JPEG

POLICY = "default-src 'none'; sandbox; frame-ancestors 'none'"


def paper_answer(content: bytes, media_type: str, *, name: str) -> HttpResponse:
    """The paper under a file name without its ending ("R-0007-F3K2-12")."""
    is_picture = media_type == JPEG
    answer = HttpResponse(content, content_type=media_type)
    how, ending = ("inline", "jpg") if is_picture else ("attachment", "pdf")
    answer["Content-Disposition"] = f'{how}; filename="{name}.{ending}"'
    answer["Content-Security-Policy"] = POLICY
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Cache-Control"] = "private, no-store"
    answer["Cross-Origin-Resource-Policy"] = "same-origin"
    return answer
