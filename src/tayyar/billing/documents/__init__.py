"""The bill as people receive it: one `BillView` in, a page, a PDF and a JSON document out.

Owns what a bill shows and in which words. Never reads the database, never computes a charge.
Next: portal/views.py renders the page; billing/services.py builds the `BillView` and caches the PDF.
"""
