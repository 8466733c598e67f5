"""The words of the front door: what the site offers, and what is said when a pasted text opens nothing."""

from collections.abc import Mapping

FRONT_WORDS: Mapping[str, Mapping[str, str]] = {
    "ar": {
        "title": "فواتير الكهرباء وطلباتك في مكان واحد",
        "lead": "ما عليك وموعد دفعه، واستهلاكك شهرا بشهر، وطلباتك دون زيارة الفرع.",
        "sign_in": "دخول",
        "join": "مستخدم جديد",
        "open_title": "معك رابط أو رقم طلب",
        "open_label": "رابط الفاتورة أو رقم الطلب",
        "open_hint": "انسخ الرابط كاملا من رسالتنا، أو اكتب رقما مثل {example}. رابط الفاتورة يفتح بلا كلمة مرور.",
        "open": "افتح",
        "open_EMPTY": "الصق رابطا من رسالتنا أو اكتب رقم الطلب.",
        "open_FOREIGN": "هذا الرابط ليس من موقعنا. لا تفتحه ولا تكتب فيه شيئا من بياناتك.",
        "open_UNKNOWN": "لا يبدو هذا رابطا منا ولا رقم طلب. رقم الطلب حرف R وثمانية رموز، مثل {example}.",
        "open_NUMBER": "في رقم الطلب خطأ: حروف التحقق لا تتفق. قارنه بالرقم في رسالتنا.",
    },
    "en": {
        "title": "Your electricity bills and requests in one place",
        "lead": "What you owe and when, your use month by month, and your requests without visiting a branch.",
        "sign_in": "Sign in",
        "join": "I am new here",
        "open_title": "You have a link or a request number",
        "open_label": "Link to a bill, or number of a request",
        "open_hint": "Copy all of the link from our message, or type a number such as {example}. "
        "A bill’s link opens without a password.",
        "open": "Open",
        "open_EMPTY": "Paste a link from our message or type the request’s number.",
        "open_FOREIGN": "This link is not ours. Do not open it and type nothing of yours there.",
        "open_UNKNOWN": "This is neither a link of ours nor a request number. "
        "A request number is an R and eight symbols, such as {example}.",
        "open_NUMBER": "There is a slip in the request number: its check symbols do not agree. "
        "Compare it with our message.",
    },
    "fr": {
        "title": "Vos factures d’électricité et vos demandes au même endroit",
        "lead": "Ce que vous devez et quand, votre consommation mois par mois, vos demandes sans passer en agence.",
        "sign_in": "Se connecter",
        "join": "Je suis nouveau",
        "open_title": "Vous avez un lien ou un numéro de demande",
        "open_label": "Lien d’une facture ou numéro d’une demande",
        "open_hint": "Copiez le lien entier depuis notre message, ou écrivez un numéro comme {example}. "
        "Le lien d’une facture s’ouvre sans mot de passe.",
        "open": "Ouvrir",
        "open_EMPTY": "Collez un lien de notre message ou écrivez le numéro de la demande.",
        "open_FOREIGN": "Ce lien n’est pas le nôtre. Ne l’ouvrez pas et n’y écrivez rien de personnel.",
        "open_UNKNOWN": "Ce n’est ni un lien de notre part ni un numéro de demande. "
        "Un numéro de demande est un R et huit symboles, comme {example}.",
        "open_NUMBER": "Le numéro de demande contient une erreur : ses symboles de contrôle ne concordent pas. "
        "Comparez-le à notre message.",
    },
}
