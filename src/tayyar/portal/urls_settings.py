"""Addresses of a signed-in person's requests, settings and businesses; part of the portal's namespace."""

from django.urls import path

from tayyar.portal import account_settings_views, ask_views, members_views, settings_views

urlpatterns = [
    path("me/requests", ask_views.requests_page, name="my_requests"),
    path("me/requests/new/<str:code>", ask_views.ask, name="ask"),
    path("me/requests/<str:reference>", ask_views.one, name="my_request"),
    path("me/requests/<str:reference>/answer", ask_views.answer, name="my_request_answer"),
    path("me/requests/<str:reference>/withdraw", ask_views.withdraw, name="my_request_withdraw"),
    path("me/requests/<str:reference>/papers/<int:document_id>", ask_views.paper, name="my_request_paper"),
    path("me/settings", settings_views.overview, name="settings"),
    path("me/settings/language", settings_views.language, name="settings_language"),
    path("me/settings/mobile", settings_views.mobile, name="settings_mobile"),
    path("me/settings/mobile/code", settings_views.mobile_code, name="settings_mobile_code"),
    path("me/settings/email", settings_views.email, name="settings_email"),
    path("me/settings/<str:number>", account_settings_views.wishes, name="account_settings"),
    path("me/settings/<str:number>/messages", account_settings_views.messages, name="account_messages"),
    path("me/settings/<str:number>/delegates", account_settings_views.invite, name="account_invite"),
    path(
        "me/settings/<str:number>/delegates/<int:recipient>/end",
        account_settings_views.end_delegate,
        name="account_end_delegate",
    ),
    path(
        "me/settings/<str:number>/whatsapp", account_settings_views.whatsapp_number, name="account_whatsapp"
    ),
    path(
        "me/settings/<str:number>/whatsapp/code",
        account_settings_views.whatsapp_code,
        name="account_whatsapp_code",
    ),
    path("me/members", members_views.overview, name="members"),
    path("me/members/invitations/<int:membership_id>", members_views.answer, name="members_answer"),
    path("me/members/files/<int:file_id>", members_views.file_result, name="members_file"),
    path("me/members/<int:business_id>", members_views.business, name="members_business"),
    path("me/members/<int:business_id>/invite", members_views.invite, name="members_invite"),
    path("me/members/<int:business_id>/file", members_views.send_file, name="members_send"),
    path(
        "me/members/<int:business_id>/<int:membership_id>/role",
        members_views.change_role,
        name="members_role",
    ),
    path("me/members/<int:business_id>/<int:membership_id>/end", members_views.end, name="members_end"),
]
