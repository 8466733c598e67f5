"""Addresses of the sign-up and of what follows it; part of the portal's namespace."""

from django.urls import path

from tayyar.portal import join_after_views, join_views

urlpatterns = [
    path("join", join_views.start, name="join"),
    path("join/confirm", join_views.confirm, name="join_confirm"),
    path("join/status", join_views.status, name="join_status"),
    path("join/back", join_views.back, name="join_back"),
    path("join/resend", join_views.resend, name="join_resend"),
    path("join/details", join_views.details, name="join_details"),
    path("join/mobile", join_views.mobile, name="join_mobile"),
    path("join/enter", join_views.enter, name="join_enter"),
    path("join/done", join_after_views.done, name="join_done"),
    path("join/address", join_after_views.address, name="join_address"),
    path("join/business", join_after_views.business, name="join_business"),
    path("join/business/confirm", join_after_views.business_confirm, name="join_business_confirm"),
    path("join/email/<str:token>", join_after_views.email, name="join_email"),
    path("terms", join_after_views.terms, name="terms"),
]
