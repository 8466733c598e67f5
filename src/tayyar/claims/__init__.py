"""Claims owns whose an account is: claims of owners and tenants, disputes, transfers, who benefits, who may see what.
It never identifies a person (identity) and keeps no papers (requests).
Every face asks queries.py which accounts a person may see.
"""
