"""Addresses of the staff screens about contact points, delegates and reviews."""

from django.urls import URLPattern, path

from tayyar.console import people, reviews

_PEOPLE = "accounts/<int:account_id>/people"

urlpatterns: list[URLPattern] = [
    path(_PEOPLE, people.people, name="contacts"),
    path(f"{_PEOPLE}/contacts", people.add_contact, name="contact_add"),
    path(f"{_PEOPLE}/contacts/<int:contact_id>/reveal", people.reveal, name="contact_reveal"),
    path(f"{_PEOPLE}/contacts/<int:contact_id>/remove", people.remove, name="contact_remove"),
    path(f"{_PEOPLE}/wishes", people.save_wishes, name="people_wishes"),
    path(f"{_PEOPLE}/delegates", people.register_delegate, name="delegate_add"),
    path(f"{_PEOPLE}/delegates/<int:recipient>/end", people.end_delegate, name="delegate_end"),
    path("reviews", reviews.open_reviews, name="reviews"),
    path("reviews/<int:review_id>", reviews.decide, name="review_decide"),
]
