"""The words around the button that asks to be told on this device, in Arabic, English and French."""

from collections.abc import Mapping

PUSH_WORDS: Mapping[str, Mapping[str, str]] = {
    "ar": {
        "ask": "أخبروني على هذا الجهاز",
        "done": "ستصلك الفواتير القادمة إشعارا على هذا الجهاز. تُوقفه من إعدادات المتصفح.",
        "denied": "المتصفح لا يسمح لنا بالإشعارات. غيّر ذلك من إعداداته إن شئت.",
        "failed": "لم يُحفظ طلبك. حاول مرة أخرى بعد قليل.",
    },
    "en": {
        "ask": "Tell me on this device",
        "done": "Your next bills come as a notification on this device. The browser’s settings turn it off.",
        "denied": "The browser does not let us notify you. You can change that in its settings.",
        "failed": "Your request was not saved. Try again in a moment.",
    },
    "fr": {
        "ask": "Me prévenir sur cet appareil",
        "done": "Vos prochaines factures seront annoncées sur cet appareil. "
        "Les réglages du navigateur permettent de l’arrêter.",
        "denied": "Le navigateur ne nous laisse pas vous prévenir. Vous pouvez le changer dans ses réglages.",
        "failed": "Votre demande n’a pas été enregistrée. Réessayez dans un instant.",
    },
}
