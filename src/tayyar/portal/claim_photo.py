"""The text of the QR code in a picture that somebody took of their bill.

The picture is made anew before it is searched (requests/documents.py), so that no reader but that one meets what was
sent. Keeps nothing. Next: claim_form.py looks for a bill's link in the text.
"""

import io

import numpy as np
import zxingcpp
from PIL import Image

from tayyar.core.errors import UserError
from tayyar.requests.documents import JPEG, UploadRefused, clean_upload


class NoCode(UserError):
    """There is no QR code in the picture that can be read."""


def text_of_picture(data: bytes) -> str:
    """What the picture's QR code says. UploadRefused for what is no picture, NoCode for a picture without a code."""
    made, media_type = clean_upload(data)
    if media_type != JPEG:
        raise UploadRefused("TYPE")
    with Image.open(io.BytesIO(made), formats=["JPEG"]) as picture:
        grey = np.asarray(picture.convert("L"))
    found = zxingcpp.read_barcodes(grey, formats=zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode))
    if not found:
        raise NoCode("There is no code in this picture that can be read. Take it closer and in good light.")
    return str(found[0].text)
