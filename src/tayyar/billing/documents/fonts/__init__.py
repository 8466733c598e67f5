"""The fonts of the printed bill (TTF), subset and renamed by build_fonts.py; the licence is OFL.txt.

Owns font files only. Never touched at run time except to be read by Typst.
Next: documents/pdf.py.
"""
