"""Whole sentences set into messages about codes and delegates, in Arabic, English and French."""

from collections.abc import Mapping

WORDS: Mapping[str, Mapping[str, str]] = {
    "ar": {
        "code_valid": "60 ثانية",
        "may_see": "أن ترى فواتيره",
        "may_pay": "أن ترى فواتيره وتدفعها",
        "invited": "سجل الفرع طلبا ليستلم {name} فواتير هذا الحساب. ننتظر موافقته.",
        "accepted": "{name} يستلم الآن فواتير هذا الحساب.",
        "declined": "لم يقبل {name} استلام فواتير هذا الحساب.",
        "ended": "لم يعد {name} يستلم فواتير هذا الحساب.",
        "expired": "انتهت مدة {name}، ولا تصله فواتير هذا الحساب.",
        "you_accepted": "تصلك الآن فواتير هذا الحساب. يمكنك إنهاء ذلك في أي وقت.",
        "you_ended": "لم تعد تصلك فواتير هذا الحساب.",
        "you_expired": "انتهت المدة، ولم تعد تصلك فواتير هذا الحساب.",
    },
    "en": {
        "code_valid": "60 seconds",
        "may_see": "see its bills",
        "may_pay": "see and pay its bills",
        "invited": "The branch registered {name} to receive the bills of this account. We wait for their consent.",
        "accepted": "{name} now receives the bills of this account.",
        "declined": "{name} declined to receive the bills of this account.",
        "ended": "{name} no longer receives the bills of this account.",
        "expired": "The time of {name} is over; the bills of this account no longer go there.",
        "you_accepted": "You now receive the bills of this account. You can end this at any time.",
        "you_ended": "You no longer receive the bills of this account.",
        "you_expired": "The time is over: you no longer receive the bills of this account.",
    },
    "fr": {
        "code_valid": "60 secondes",
        "may_see": "voir ses factures",
        "may_pay": "voir et payer ses factures",
        "invited": "L’agence a inscrit {name} pour recevoir les factures de ce compte. Nous attendons son accord.",
        "accepted": "{name} reçoit désormais les factures de ce compte.",
        "declined": "{name} n’a pas accepté de recevoir les factures de ce compte.",
        "ended": "{name} ne reçoit plus les factures de ce compte.",
        "expired": "La durée accordée à {name} est passée ; les factures de ce compte n’y vont plus.",
        "you_accepted": "Vous recevez désormais les factures de ce compte. Vous pouvez y mettre fin à tout moment.",
        "you_ended": "Vous ne recevez plus les factures de ce compte.",
        "you_expired": "La durée est passée : vous ne recevez plus les factures de ce compte.",
    },
}
