"""Who a user of the portal is: the person behind a login, a sign-up under way, codes, businesses and their members."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from tayyar.customers.models import Channel, ContactPoint, Customer, Language
from tayyar.identity.login_models import How as How  # Django looks for models here
from tayyar.identity.login_models import SignIn as SignIn
from tayyar.identity.login_models import SignInTry as SignInTry


class IdType(models.TextChoices):
    """The identity documents that a profile may accept (profile.yaml, `identity_types`)."""

    NATIONAL_ID = "NATIONAL_ID", "NATIONAL_ID"
    RESIDENCE = "RESIDENCE", "RESIDENCE"
    GULF_ID = "GULF_ID", "GULF_ID"
    PASSPORT = "PASSPORT", "PASSPORT"
    COMMERCIAL_REGISTER = "COMMERCIAL_REGISTER", "COMMERCIAL_REGISTER"


class Person(models.Model):
    """A verified human being with a login. As a customer they may hold accounts; so may businesses they belong to.

    Of the identity document only the sealed number and its keyed hash are kept; `id_hash` covers type and number.
    """

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.PROTECT)
    customer = models.OneToOneField(Customer, models.PROTECT)
    id_type = models.CharField(max_length=20, choices=IdType)
    id_sealed = models.BinaryField()
    id_hash = models.BinaryField(max_length=16, unique=True)
    nationality = models.CharField(max_length=2, help_text="ISO 3166-1")
    birth_date = models.DateField(help_text="Gregorian")
    language = models.SmallIntegerField(choices=Language, default=Language.ar)
    is_simple = models.BooleanField(default=False, help_text="fewer and larger things on each page")
    mobile = models.ForeignKey(ContactPoint, models.PROTECT, related_name="+")
    email = models.ForeignKey(ContactPoint, models.PROTECT, null=True, related_name="+")
    address = models.JSONField(
        default=dict, help_text="the national address as the authority writes it; {} for none"
    )
    address_checked_at = models.DateTimeField(null=True, help_text="NULL: typed, and confirmed by nobody")
    verified_by = models.CharField(max_length=30, help_text='the identity authority\'s code, or "BRANCH"')
    verified_at = models.DateTimeField()
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.customer.name


class TermsAcceptance(models.Model):
    """What a person agreed to, and when. Never changed."""

    person = models.ForeignKey(Person, models.PROTECT)
    terms = models.CharField(max_length=20, help_text='"PORTAL", "CLAIM"')
    version = models.CharField(max_length=20, help_text='"2026-11"')
    accepted_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["person", "terms", "version"], name="terms_accepted_once")
        ]


class SignUpStep(models.TextChoices):
    """What a sign-up waits for."""

    IDENTITY = "IDENTITY", "IDENTITY"  # the code sent to the phone that the authority knows, or its approval
    DETAILS = "DETAILS", "DETAILS"  # mobile, e-mail, password or passkey, terms
    MOBILE = "MOBILE", "MOBILE"  # the code sent to the new mobile
    DONE = "DONE", "DONE"  # the person is there; the e-mail's link may still wait


class SignUp(models.Model):
    """A registration under way. What was typed and what the authority said is sealed, and gone when it ends."""

    id = models.UUIDField(primary_key=True)
    step = models.CharField(max_length=8, choices=SignUpStep)
    facts_sealed = models.BinaryField(null=True)
    id_hash = models.BinaryField(max_length=16)
    authority = models.CharField(max_length=30)
    authority_ref = models.TextField(blank=True, default="", help_text="sealed by the authority's adapter")
    contact_point = models.ForeignKey(
        ContactPoint, models.SET_NULL, null=True, related_name="+", help_text="where the last code went"
    )
    person = models.ForeignKey(Person, models.SET_NULL, null=True)
    network = models.CharField(max_length=50, help_text="who asked, as core.web.client_address names it")
    started_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["expires_at"], name="sign_up_by_end"),
            models.Index(fields=["id_hash", "started_at"], name="sign_up_by_identity"),
            models.Index(fields=["network", "started_at"], name="sign_up_by_network"),
        ]


class AuthorityAnswer(models.Model):
    """What an authority told us by calling, until it is asked for: sealed, under a keyed hash of its reference."""

    authority = models.CharField(max_length=30)
    ref_hash = models.BinaryField(max_length=16)
    answer_sealed = models.BinaryField()
    received_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["authority", "ref_hash"], name="one_answer_for_each_reference")
        ]
        indexes = [models.Index(fields=["received_at"], name="authority_answer_by_time")]


class IdentityCode(models.Model):
    """Six digits sent to a phone or e-mail address outside any account. Kept as a keyed hash only.

    The other hashes are what its budgets are counted by: the identity, the address, the number's prefix, the network
    that asked.
    """

    subject = models.CharField(max_length=64, help_text='what it confirms: "signup:<id>:IDENTITY"')
    code_hash = models.BinaryField(max_length=16)
    identity_hash = models.BinaryField(max_length=16)
    address_hash = models.BinaryField(max_length=16)
    prefix = models.CharField(max_length=8, help_text='"966512": all that is kept of the number in the clear')
    network = models.CharField(max_length=50)
    contact_point = models.ForeignKey(
        ContactPoint, models.SET_NULL, null=True, related_name="+", help_text="where it went"
    )
    issued_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    tries = models.SmallIntegerField(default=0)
    used_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["subject", "-issued_at"], name="identity_code_by_subject"),
            models.Index(fields=["identity_hash", "issued_at"], name="identity_code_by_identity"),
            models.Index(fields=["address_hash", "issued_at"], name="identity_code_by_address"),
            models.Index(fields=["prefix", "issued_at"], name="identity_code_by_prefix"),
            models.Index(fields=["network", "issued_at"], name="identity_code_by_network"),
            models.Index(fields=["issued_at"], name="identity_code_by_time"),
        ]


class ContactChange(models.Model):
    """A new mobile number or e-mail address that waits until its owner proves it. The newest of a kind alone counts."""

    person = models.ForeignKey(Person, models.PROTECT)
    channel = models.SmallIntegerField(choices=Channel)
    contact_point = models.ForeignKey(ContactPoint, models.SET_NULL, null=True, related_name="+")
    replaced = models.ForeignKey(
        ContactPoint, models.SET_NULL, null=True, related_name="+", help_text="the old one; NULL: none"
    )
    asked_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    confirmed_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True, help_text="confirmed, taken over by a newer one, or too late")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["person", "channel"], condition=Q(ended_at=None), name="one_contact_change_at_a_time"
            )
        ]
        indexes = [models.Index(fields=["person", "asked_at"], name="contact_change_by_person")]


class MemberRole(models.TextChoices):
    """What a member may do for a business: everything; see and pay; see."""

    ADMIN = "ADMIN", "ADMIN"
    PAYER = "PAYER", "PAYER"
    VIEWER = "VIEWER", "VIEWER"


class Membership(models.Model):
    """A person acts for a business customer: the register confirmed it, or an admin invited their identity."""

    business = models.ForeignKey(Customer, models.PROTECT)
    person = models.ForeignKey(Person, models.PROTECT, null=True, help_text="NULL: invited, not yet answered")
    role = models.CharField(max_length=6, choices=MemberRole)
    invited_hash = models.BinaryField(
        max_length=16,
        null=True,
        help_text="the identity that was invited: type and number, as Person.id_hash",
    )
    invited_by = models.ForeignKey(Person, models.PROTECT, null=True, related_name="+")
    invited_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    ended_by = models.CharField(max_length=80, blank=True, default="", help_text='"user:7"')

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["business", "person"],
                condition=Q(ended_at=None, person__isnull=False),
                name="one_membership_at_a_time",
            ),
        ]
