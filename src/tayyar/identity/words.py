"""Whole sentences set into messages about logins and contacts, in Arabic, English and French."""

from collections.abc import Mapping

WORDS: Mapping[str, Mapping[str, str]] = {
    "ar": {
        "valid": "24 ساعة",
        "MOBILE": "رقم جوالك لدينا الآن {address}.",
        "EMAIL": "بريدك لدينا الآن {address}.",
        "PASSWORD": "تغيّرت كلمة مرورك.",
        "LOGIN": "تغيّرت طريقة دخولك.",
        "DEVICE": "دخل جهاز جديد إلى حسابك.",
    },
    "en": {
        "valid": "24 hours",
        "MOBILE": "Your mobile number with us is now {address}.",
        "EMAIL": "Your e-mail address with us is now {address}.",
        "PASSWORD": "Your password was changed.",
        "LOGIN": "The way you sign in was changed.",
        "DEVICE": "A new device signed in to your account.",
    },
    "fr": {
        "valid": "24 heures",
        "MOBILE": "Votre numéro de mobile chez nous est désormais {address}.",
        "EMAIL": "Votre adresse e-mail chez nous est désormais {address}.",
        "PASSWORD": "Votre mot de passe a été changé.",
        "LOGIN": "Votre façon de vous connecter a été changée.",
        "DEVICE": "Un nouvel appareil s’est connecté à votre compte.",
    },
}
