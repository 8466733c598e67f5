"""An account's bills, days and payments as files: CSV, Excel, Green Button (ESPI 4.0), a ZIP of its PDFs.

Owns the form of the files (docs/exports.md). Never decides who may have them: the caller passes `sees`.
Next: portal/use_views.py and bills_views.py, api, `tayyar greenbutton`.
"""
