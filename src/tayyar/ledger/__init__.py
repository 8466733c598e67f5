"""The ledger owns double-entry accounts and the transfers between them; debits equal credits, always.
It knows no other module and never changes a transfer.
Billing posts bills to it, payments will post money.
"""
