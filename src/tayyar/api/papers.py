"""Papers that come with a call as parts of a form: read, bounded in size, each with the kind that the caller says.

Owns no check of their content: requests/documents.py makes each anew. Next: service_requests.py, claims.py.
"""

from collections.abc import Sequence
from typing import Annotated

from ninja import File, Form, Header, UploadedFile
from pydantic import AfterValidator

from tayyar.api.problems import invalid
from tayyar.api.shapes import storable
from tayyar.requests.documents import MOST_BYTES, Upload, UploadRefused
from tayyar.requests.papers import MOST_DOCUMENTS

Documents = Annotated[
    list[UploadedFile], File([], description="Pictures (JPEG, PNG, WebP) or PDFs, at most five of 8 MB.")
]
DocumentKinds = Annotated[
    list[Annotated[str, AfterValidator(storable)]],
    Form([], description="The kind of each document, in their order: DEED, LEASE, ..."),
]
OnceKey = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        min_length=8,
        max_length=64,
        pattern=r"^[A-Za-z0-9._:-]+$",
        description="Chosen by the caller, new for each form: sent again, it gives the same answer.",
        examples=["5b6a0a3e-8c0f-4d7e-9a55-0d8d6a3f6a11"],
    ),
]


def uploads(documents: Sequence[UploadedFile], kinds: Sequence[str]) -> list[Upload]:
    """The papers with their kinds. Problem INVALID when their numbers differ; UploadRefused SIZE."""
    if len(documents) != len(kinds) or len(documents) > MOST_DOCUMENTS:
        raise invalid(document_kinds="NUMBER")
    for one in documents:
        if (one.size or 0) > MOST_BYTES:
            raise UploadRefused("SIZE")
    return [Upload(kind, one.read()) for one, kind in zip(documents, kinds, strict=True)]
