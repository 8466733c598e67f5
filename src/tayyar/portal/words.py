"""Every word of the portal's own pages, in Arabic, English and French: landing and refusals here, others beside.

The bill's words lie in billing/documents/words.py. test_words.py holds that the three languages are complete.
"""

from collections.abc import Mapping

from tayyar.portal import link_words, wishes_words

_FRAME: Mapping[str, Mapping[str, str]] = {
    "ar": {
        "skip": "إلى المحتوى",
        "language": "اللغة",
        "site": "فواتير الكهرباء",
        "landing_lost_title": "لم يصلك الرابط أو انتهى",
        "landing_lost": "اذكر رقم حسابك لنرسل رابطا جديدا.",
        "landing_care_title": "قبل أن تفتح رابطا",
        "landing_care": "روابطنا تبدأ بعنوان هذا الموقع. لا نطلب كلمة مرور ولا رقم بطاقة لعرض الفاتورة.",
        "staff": "دخول الموظفين",
        "gone_title": "هذا الرابط لم يعد يفتح",
        "gone_text": "ربما انتهت مدته أو نقص منه حرف. انسخ الرابط كاملا من الرسالة، أو اطلب رابطا جديدا.",
        "missing_title": "لا صفحة في هذا العنوان",
        "missing_text": "راجع العنوان، أو افتح فاتورتك من الرابط الذي أرسلناه إليك.",
        "busy_title": "طلبات كثيرة من شبكتك الآن",
        "busy_text": "انتظر دقيقة ثم افتح الرابط مرة أخرى.",
        "signing_in_title": "كثيرون يسجلون الدخول الآن",
        "signing_in_text": "لم نفحص كلمة المرور بعد. انتظر ثواني ثم حاول مرة أخرى.",
        "error_title": "حدث خطأ عندنا",
        "error_text": "لم يتغير شيء في حسابك. حاول بعد دقائق.",
        "contact_PHONE": "هاتف",
        "contact_SMS": "رسالة قصيرة",
        "contact_EMAIL": "بريد",
        "contact_WEB": "موقع",
        "contact_APP": "تطبيق",
        "contact_OFFICE": "مكتب",
    },
    "en": {
        "skip": "Skip to the content",
        "language": "Language",
        "site": "Electricity bills",
        "landing_lost_title": "No link, or it no longer opens",
        "landing_lost": "Give your account number, and we send a new link.",
        "landing_care_title": "Before you open a link",
        "landing_care": "Our links begin with this site’s address. We ask for no password and no card to show a bill.",
        "staff": "Staff sign-in",
        "gone_title": "This link no longer opens",
        "gone_text": "It may have expired or lost a letter. Copy all of it from the message or ask for a new one.",
        "missing_title": "There is no page at this address",
        "missing_text": "Check the address, or open your bill from the link we sent you.",
        "busy_title": "Many requests from your network just now",
        "busy_text": "Wait a minute, then open the link again.",
        "signing_in_title": "Many people are signing in just now",
        "signing_in_text": "We did not check the password yet. Wait a few seconds, then try again.",
        "error_title": "Something failed on our side",
        "error_text": "Nothing changed in your account. Try again in a few minutes.",
        "contact_PHONE": "Phone",
        "contact_SMS": "SMS",
        "contact_EMAIL": "E-mail",
        "contact_WEB": "Web",
        "contact_APP": "App",
        "contact_OFFICE": "Office",
    },
    "fr": {
        "skip": "Aller au contenu",
        "language": "Langue",
        "site": "Factures d’électricité",
        "landing_lost_title": "Pas de lien, ou il ne s’ouvre plus",
        "landing_lost": "Donnez votre numéro de compte et nous vous envoyons un nouveau lien.",
        "landing_care_title": "Avant d’ouvrir un lien",
        "landing_care": "Nos liens commencent par l’adresse de ce site. "
        "Nous ne demandons ni mot de passe ni carte pour montrer une facture.",
        "staff": "Accès du personnel",
        "gone_title": "Ce lien ne s’ouvre plus",
        "gone_text": "Il a peut-être expiré ou perdu une lettre. "
        "Copiez le lien entier depuis le message, ou demandez-en un nouveau.",
        "missing_title": "Il n’y a pas de page à cette adresse",
        "missing_text": "Vérifiez l’adresse, ou ouvrez votre facture par le lien que nous vous avons envoyé.",
        "busy_title": "Beaucoup de demandes depuis votre réseau",
        "busy_text": "Attendez une minute, puis rouvrez le lien.",
        "signing_in_title": "Beaucoup de personnes se connectent en ce moment",
        "signing_in_text": "Le mot de passe n’a pas encore été vérifié. Attendez quelques secondes, puis réessayez.",
        "error_title": "Une erreur s’est produite chez nous",
        "error_text": "Rien n’a changé sur votre compte. Réessayez dans quelques minutes.",
        "contact_PHONE": "Téléphone",
        "contact_SMS": "SMS",
        "contact_EMAIL": "E-mail",
        "contact_WEB": "Site",
        "contact_APP": "Application",
        "contact_OFFICE": "Agence",
    },
}

WORDS: Mapping[str, Mapping[str, str]] = {
    language: {**_FRAME[language], **link_words.WORDS[language], **wishes_words.WORDS[language]}
    for language in _FRAME
}
