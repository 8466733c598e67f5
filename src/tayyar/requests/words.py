"""What a person is told at each step of a request: one sentence each, in Arabic, English and French.

Owns the sentences, not the messages around them (notifications/templates/request_update). Next: telling.py.
"""

from collections.abc import Mapping

TOLD: Mapping[str, Mapping[str, str]] = {
    "ar": {
        "OPENED": "وصلنا طلبك. نجيب عنه حتى {due}.",
        "STEP": "طلبك الآن في خطوة: {step}.",
        "ASKED": "نحتاج منك إلى شيء: {text}",
        "APPROVED": "تم ما طلبت.",
        "APPROVED_text": "تم ما طلبت. {text}",
        "REFUSED": "لم نستطع تنفيذ طلبك. السبب: {text}",
        "WITHDRAWN": "سحب هذا الطلب، ولن ننفذ منه شيئا.",
        "CONTACT_ASKED": "طلب أحدهم تغيير وسيلة التواصل مع حسابك. إن لم تكن أنت فاتصل بنا الآن.",
        "CONTACT_CHANGED": "تغيرت وسيلة التواصل مع حسابك. إن لم تطلب ذلك فاتصل بنا الآن.",
    },
    "en": {
        "OPENED": "We have your request. We answer by {due}.",
        "STEP": "Your request is now at: {step}.",
        "ASKED": "We need something from you: {text}",
        "APPROVED": "What you asked for is done.",
        "APPROVED_text": "What you asked for is done. {text}",
        "REFUSED": "We could not do what you asked for. The reason: {text}",
        "WITHDRAWN": "This request was withdrawn. Nothing of it is done.",
        "CONTACT_ASKED": "Somebody asked to change how we reach you. If it was not you, call us now.",
        "CONTACT_CHANGED": "The way we reach you has changed. If you did not ask for this, call us now.",
    },
    "fr": {
        "OPENED": "Nous avons votre demande. Réponse au plus tard le {due}.",
        "STEP": "Votre demande en est à cette étape : {step}.",
        "ASKED": "Il nous manque quelque chose : {text}",
        "APPROVED": "C’est fait, selon votre demande.",
        "APPROVED_text": "C’est fait, selon votre demande. {text}",
        "REFUSED": "Nous n’avons pas pu donner suite à votre demande. Le motif : {text}",
        "WITHDRAWN": "Cette demande a été retirée. Rien n’en est exécuté.",
        "CONTACT_ASKED": "Quelqu’un demande à changer vos coordonnées. Si ce n’est pas vous, appelez-nous vite.",
        "CONTACT_CHANGED": "Vos coordonnées ont changé. Si vous ne l’avez pas demandé, appelez-nous vite.",
    },
}
