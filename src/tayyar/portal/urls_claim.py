"""Addresses of claiming an account, of answering a claim, and of an account's settings; in the portal's namespace."""

from django.urls import path

from tayyar.portal import claim_contest_views, claim_holding_views, claim_views

urlpatterns = [
    path("me/claim", claim_views.start, name="claim"),
    path("me/claim/done/<str:reference>", claim_views.done, name="claim_done"),
    path("me/claim/against/<str:reference>", claim_contest_views.signed, name="contest"),
    path("me/claim/<str:key>", claim_views.review, name="claim_review"),
    path("me/claim/<str:key>/finish", claim_views.finish, name="claim_finish"),
    path("me/accounts/<str:number>/details", claim_holding_views.holding, name="holding"),
    path("c/<str:token>", claim_contest_views.by_link, name="contest_link"),
]
