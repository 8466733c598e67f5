"""Papers of a request: checked and made anew before the transaction begins, counted and sealed inside it."""

import datetime as dt
from collections import Counter
from collections.abc import Sequence

from tayyar.requests.catalogue import RequestType, request_type
from tayyar.requests.documents import Upload, clean_upload
from tayyar.requests.errors import RequestRefused
from tayyar.requests.history import happen
from tayyar.requests.models import RequestDocument, ServiceRequest
from tayyar.requests.sealed import open_paper, seal_paper

MOST_DOCUMENTS = 5  # of one request

Paper = tuple[str, bytes, str]  # kind, content made anew, media type


def clean_papers(kind: RequestType, uploads: Sequence[Upload]) -> list[Paper]:
    """Each upload made anew, the same one once. UploadRefused; RequestRefused DOCUMENTS and DOCUMENT_KIND."""
    _check_counts(kind, Counter(upload.kind for upload in uploads))
    return list(dict.fromkeys((upload.kind, *clean_upload(upload.data)) for upload in uploads))


def keep_papers(request: ServiceRequest, papers: Sequence[Paper], *, actor: str, now: dt.datetime) -> None:
    """Store those that are not there yet. The request is locked. RequestRefused DOCUMENTS when they become too many."""
    if not papers:
        return
    held = list(RequestDocument.objects.filter(request=request))
    sizes = {len(content) for _, content, _ in papers}
    known = {(one.kind, open_paper(one.content_sealed)) for one in held if one.size_bytes in sizes}
    fresh = [paper for paper in papers if paper[:2] not in known]
    _check_counts(
        request_type(request.type), Counter([*(one.kind for one in held), *(kind for kind, _, _ in fresh)])
    )
    for kind, content, media_type in fresh:
        made = RequestDocument.objects.create(
            request=request,
            kind=kind,
            media_type=media_type,
            content_sealed=seal_paper(content),
            size_bytes=len(content),
            added_at=now,
            added_by=actor,
        )
        happen(request, "DOCUMENT", actor=actor, now=now, text=kind, document=made.pk)


def _check_counts(kind: RequestType, counts: Counter[str]) -> None:
    if counts.total() > MOST_DOCUMENTS:
        raise RequestRefused("DOCUMENTS", f"A request takes {MOST_DOCUMENTS} papers at most.")
    for code, count in counts.items():
        allowed = kind.document(code)
        if allowed is None:
            raise RequestRefused("DOCUMENT_KIND", f"This request takes no paper of the kind {code!r}.")
        if count > allowed.max:
            raise RequestRefused("DOCUMENTS", f"{allowed.names['en']}: {allowed.max} at most.")
