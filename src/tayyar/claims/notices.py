"""What claims tell people outside the request itself: the present holder that somebody claims, both that it passed on.

Owns the sentences in Arabic, English and French. Names nobody: neither side learns who the other is. Next:
notifications.
"""

import datetime as dt
from collections.abc import Mapping

from django.conf import settings

from tayyar.claims.models import Claim, Holding
from tayyar.core.links import claim_token
from tayyar.core.references import with_check
from tayyar.core.text import format_date
from tayyar.customers.models import CustomerAccount, Language
from tayyar.notifications.kinds import MessageKind
from tayyar.notifications.services import MessageRef, queue_message
from tayyar.profiles.installation import installed_profile

LINK_DAYS = 30  # how long the link outlives the last day to answer: then it says that the time is over

WORDS: Mapping[str, Mapping[str, str]] = {
    "ar": {
        "subject": "الحساب {number}",
        "claimed": "طلب شخص آخر تعريف هذا الحساب باسمه ابتداء من {day}. إن كنت لا توافق فاعترض حتى {until}. "
        "لا يتغير شيء قبل أن يقرر موظف.",
        "passed_on": "انتقلت الكهرباء إلى غيرك ابتداء من {day}. تصلك فاتورتك الأخيرة، وما قبلها يبقى لك وحدك.",
        "let": "صارت الكهرباء باسم المستأجر ابتداء من {day}. تصلك فاتورتك الأخيرة، وتعود الكهرباء إلى حسابك حين يغادر.",
        "returned": "غادر المستأجر، وعادت الكهرباء إلى حسابك ابتداء من {day}.",
        "objection_upheld": "اعترض صاحب الحساب الحالي وثبت حقه.",
        "objection_refused": "رأى الموظف أن الطلب صحيح. تجد ما يتغير في الرسالة التالية.",
        "claim_ended": "انتهى الطلب الذي اعترضت عليه، ويبقى الحساب باسمك.",
        "yours": "الكهرباء باسمك ابتداء من {day}. رقم حسابك {number}، ولا يحمل شيئا ممن قبلك.",
    },
    "en": {
        "subject": "account {number}",
        "claimed": "Somebody claims this account from {day}. If you do not agree, object until {until}. "
        "Nothing changes before a member of staff decides.",
        "passed_on": "The supply passed to somebody else on {day}. You get a final bill; what came before stays yours "
        "alone.",
        "let": "The supply is in the tenant's name from {day}. You get a final bill; the supply returns to your "
        "account when the tenant leaves.",
        "returned": "The tenant left. The supply is on your account again from {day}.",
        "objection_upheld": "The present holder objected, and was found to be right.",
        "objection_refused": "The claim was found to be right. The next message says what changes.",
        "claim_ended": "The claim that you objected to is over. The account stays yours.",
        "yours": "The supply is in your name from {day}. Your account number is {number}; it carries nothing of "
        "whoever was there before.",
    },
    "fr": {
        "subject": "compte {number}",
        "claimed": "Une autre personne déclare ce compte à partir du {day}. Si vous n’êtes pas d’accord, faites "
        "opposition jusqu’au {until}. Rien ne change avant la décision d’un agent.",
        "passed_on": "L’électricité est passée à quelqu’un d’autre le {day}. Vous recevez une dernière facture ; ce "
        "qui précède reste à vous seul.",
        "let": "L’électricité est au nom du locataire à partir du {day}. Vous recevez une dernière facture ; elle "
        "revient à votre compte à son départ.",
        "returned": "Le locataire est parti. L’électricité revient à votre compte à partir du {day}.",
        "objection_upheld": "Le titulaire actuel a fait opposition et son droit est établi.",
        "objection_refused": "La déclaration a été jugée fondée. Le message suivant dit ce qui change.",
        "claim_ended": "La déclaration contestée est close. Le compte reste à votre nom.",
        "yours": "L’électricité est à votre nom à partir du {day}. Votre numéro de compte est {number} ; il ne porte "
        "rien de l’occupant précédent.",
    },
}


def tell_contested(claim: Claim, account_id: int, *, now: dt.datetime) -> MessageRef | None:
    """Tell the present holder, with a link to object. None when no message can reach them: staff must call or write."""
    assert claim.answer_until is not None
    token = claim_token(claim.pk, expires=claim.answer_until + dt.timedelta(days=LINK_DAYS))
    language = _language(account_id)
    text = WORDS[language.name]["claimed"].format(
        day=_day(claim.start_date, language), until=_day(claim.answer_until, language)
    )
    return queue_message(
        kind=MessageKind.REQUEST_UPDATE,
        account_id=account_id,
        facts=_facts(claim.request.reference, account_id, text, language),
        url=f"{settings.SITE_URL}/c/{token}",
        now=now,
    )


def tell_account(account_id: int, what: str, *, claim: Claim | None, day: dt.date, now: dt.datetime) -> None:
    """Tell an account's holder what became of the supply: `what` is passed_on, let or returned."""
    language = _language(account_id)
    text = WORDS[language.name][what].format(day=_day(day, language))
    reference = claim.request.reference if claim else str(with_check(account_id))
    queue_message(
        kind=MessageKind.REQUEST_UPDATE,
        account_id=account_id,
        facts=_facts(reference, account_id, text, language),
        url=f"{settings.SITE_URL}/me",
        now=now,
    )


def tell_claimant(claim: Claim, holding: Holding, *, now: dt.datetime) -> None:
    """Tell the claimant the number that is theirs now. To their own mobile: nobody else is meant."""
    language = Language(claim.person.language)
    text = WORDS[language.name]["yours"].format(
        day=_day(holding.start_date, language), number=holding.account.number
    )
    queue_message(
        kind=MessageKind.REQUEST_UPDATE,
        account_id=None,
        contact_point_id=claim.person.mobile_id,
        language=language,
        facts=_facts(claim.request.reference, holding.account_id, text, language),
        url=f"{settings.SITE_URL}/me/requests/{claim.request.reference}",
        now=now,
    )


def _facts(reference: str, account_id: int, text: str, language: Language) -> dict[str, str]:
    contacts = installed_profile().complaint_contacts
    phone = next((str(contact["value"]) for contact in contacts if contact["kind"] == "PHONE"), "")
    return {
        "reference": reference,
        "subject_text": WORDS[language.name]["subject"].format(number=with_check(account_id)),
        "update_text": text,
        "complaint_text": phone,
    }


def _language(account_id: int) -> Language:
    return Language(CustomerAccount.objects.get(id=account_id).language)


def _day(day: dt.date, language: Language) -> str:
    return format_date(day, language.name, installed_profile().formats)
