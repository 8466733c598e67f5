"""What the API says of each problem, in Arabic, English and French, by kind and reason.

Owns the sentences only: what happened and what to do. Codes come from the modules that refuse. Next: problems.py.
"""

from collections.abc import Mapping

# (kind.)reason: Arabic, English, French. A kind is named where two modules use one reason for different things.
_WORDS: Mapping[str, tuple[str, str, str]] = {
    "UNAUTHENTICATED": (
        "سجّل الدخول أولًا.",
        "Sign in first.",
        "Connectez-vous d’abord.",
    ),
    "CSRF": (
        "لم يصل رمز النموذج. أعد تحميل الصفحة ثم أرسل من جديد.",
        "The form’s token did not come along. Load the page again, then send it again.",
        "Le jeton du formulaire manque. Rechargez la page, puis renvoyez.",
    ),
    "REAUTHENTICATE": (
        "أثبت هويتك من جديد، ثم أعد المحاولة.",
        "Prove again who you are, then try again.",
        "Prouvez de nouveau votre identité, puis réessayez.",
    ),
    "NOT_FOUND": (
        "لا يوجد شيء هنا. راجع الرقم.",
        "There is nothing here. Check the number.",
        "Il n’y a rien ici. Vérifiez le numéro.",
    ),
    "METHOD": (
        "هذا العنوان لا يقبل هذه العملية.",
        "This address does not take this method.",
        "Cette adresse n’accepte pas cette méthode.",
    ),
    "TOO_LARGE": (
        "ما أرسلته أكبر من المسموح. أرسل أقل.",
        "What you sent is larger than allowed. Send less.",
        "L’envoi dépasse la taille permise. Envoyez moins.",
    ),
    "MALFORMED": (
        "لا يمكن قراءة ما أرسلته.",
        "What you sent cannot be read.",
        "L’envoi ne peut pas être lu.",
    ),
    "INVALID": (
        "راجع الحقول المذكورة.",
        "Look at the fields that are named.",
        "Vérifiez les champs indiqués.",
    ),
    "TOO_FAST": (
        "طلبات كثيرة في وقت قصير. انتظر دقيقة.",
        "Too many calls in a short time. Wait a minute.",
        "Trop d’appels en peu de temps. Attendez une minute.",
    ),
    "BUSY": (
        "كثيرون يسجلون الدخول الآن. أعد المحاولة بعد لحظات.",
        "Many people are signing in just now. Try again in a moment.",
        "Beaucoup de personnes se connectent. Réessayez dans un instant.",
    ),
    "ERROR": (
        "حدث خطأ عندنا. أعد المحاولة بعد قليل.",
        "Something went wrong on our side. Try again in a while.",
        "Une erreur est survenue chez nous. Réessayez dans un moment.",
    ),
    "REFUSED": (
        "لا يمكن قبول هذا. راجع ما كتبته.",
        "This cannot be taken. Check what you wrote.",
        "Cela ne peut pas être accepté. Vérifiez votre saisie.",
    ),
    # Fields
    "FIELD.MISSING": ("هذا الحقل مطلوب.", "This field is needed.", "Ce champ est nécessaire."),
    "FIELD.LENGTH": ("النص طويل أو لا يُقرأ.", "The text is too long or unreadable.", "Texte trop long ou illisible."),
    "FIELD.DATE": (
        "اكتب التاريخ مثل 2026-11-02.",
        "Write the date like 2026-11-02.",
        "Écrivez la date comme 2026-11-02.",
    ),
    "FIELD.NUMBER": ("اكتب رقمًا صحيحًا مقبولًا.", "Write a whole number in range.", "Écrivez un nombre entier admis."),
    "FIELD.CHOICE": ("اختر من القائمة.", "Choose one of the list.", "Choisissez dans la liste."),
    "FIELD.YES_NO": ("أجب بنعم أو لا.", "Answer yes or no.", "Répondez par oui ou non."),
    "FIELD.UNKNOWN": ("لا يوجد حقل بهذا الاسم.", "There is no such field.", "Ce champ n’existe pas."),
    "FIELD.INVALID": ("هذه القيمة لا تصلح.", "This value will not do.", "Cette valeur ne convient pas."),
    # Limits
    "BUDGET": (
        "محاولات كثيرة اليوم. عد غدًا.",
        "Tried too often today. Come tomorrow.",
        "Trop de tentatives aujourd’hui. Revenez demain.",
    ),
    "WAIT": (
        "انتظر قليلًا قبل رمز آخر.",
        "Wait a little before another code.",
        "Attendez un peu avant un autre code.",
    ),
    "TRIES": (
        "جُرّب هذا الرمز كثيرًا. اطلب رمزًا آخر.",
        "This code was tried too often. Ask for another one.",
        "Ce code a été essayé trop souvent. Demandez-en un autre.",
    ),
    "NETWORK": (
        "محاولات كثيرة من شبكتك. أعد بعد عشر دقائق.",
        "Many attempts failed from your network. Try again in ten minutes.",
        "Trop d’échecs depuis votre réseau. Réessayez dans dix minutes.",
    ),
    "TOO_MANY": (
        "عدد كبير مفتوح الآن. انتظر ردًا أو اسحب واحدًا.",
        "Too many are open already. Wait for an answer, or end one of them.",
        "Trop de demandes en cours. Attendez une réponse ou retirez-en une.",
    ),
    # Codes
    "CODE": (
        "ليس هذا هو الرمز الذي أُرسل.",
        "This is not the code that was sent.",
        "Ce n’est pas le code envoyé.",
    ),
    "EXPIRED": (
        "انتهت صلاحيته. ابدأ من جديد أو اطلب رمزًا آخر.",
        "It is not valid any more. Begin again, or ask for another code.",
        "Ce n’est plus valable. Recommencez ou demandez un autre code.",
    ),
    # Claims
    "CLAIM.EVIDENCE": (
        "أضف الصك أو عقد الإيجار: نقارنه برقم الحساب.",
        "Add the deed or the lease: we compare it with the account number.",
        "Ajoutez le titre ou le bail : nous le comparons au numéro de compte.",
    ),
    "CLAIM.UNKNOWN": (
        "لا نعرف حسابًا بهذا الرقم. قارنه بفاتورة.",
        "We know no account with this number. Compare it with a bill.",
        "Aucun compte ne porte ce numéro. Comparez-le à une facture.",
    ),
    "START_EARLY": (
        "هذا التاريخ أبكر مما يمكن.",
        "This first day is too early.",
        "Ce premier jour est trop tôt.",
    ),
    "START_LATE": (
        "هذا التاريخ أبعد مما يمكن.",
        "This first day is too far ahead.",
        "Ce premier jour est trop lointain.",
    ),
    "TERMS": (
        "اقرأ الشروط الحالية ووافق عليها.",
        "Read and accept the present terms.",
        "Lisez et acceptez les conditions actuelles.",
    ),
    "HELD": ("هذا الحساب لك بالفعل.", "This account is yours already.", "Ce compte est déjà à vous."),
    "CLAIM.OPEN": (
        "لك طلب قائم لهذا الحساب. نخبرك عند القرار.",
        "You claimed this account already. We tell you when it is decided.",
        "Votre déclaration est en cours. Nous vous dirons la décision.",
    ),
    "MOVED_ON": (
        "تُفوتر هذه الكهرباء برقم آخر. خذه من آخر فاتورة.",
        "This supply is billed under another number. Take it from the newest bill.",
        "Cette fourniture a un autre numéro. Prenez celui de la dernière facture.",
    ),
    "CLERK": (
        "الأوراق يتحقق منها موظف في الفرع.",
        "Papers are checked by a clerk at a branch.",
        "Les documents sont vérifiés en agence.",
    ),
    "TEXT": (
        "اكتب كلمة على الأقل و2000 حرف على الأكثر.",
        "Write at least a word and at most 2,000 characters.",
        "Écrivez au moins un mot et 2 000 caractères au plus.",
    ),
    "NICKNAME": (
        "الاسم 40 حرفًا على الأكثر، والميزانية أكثر من صفر.",
        "A name has at most 40 letters; a budget is above zero.",
        "Un nom a 40 lettres au plus ; un budget dépasse zéro.",
    ),
    # Requests and papers
    "ENDED": (
        "انتهى هذا الطلب. افتح طلبًا جديدًا عند الحاجة.",
        "This request has ended. Open a new one if need be.",
        "Cette demande est close. Ouvrez-en une autre au besoin.",
    ),
    "OTHER_FORM": (
        "أُرسل هذا المفتاح من قبل مع محتوى آخر. استعمل مفتاحًا جديدًا.",
        "This key was sent before with other content. Use a new key.",
        "Cette clé a déjà servi pour un autre contenu. Prenez-en une nouvelle.",
    ),
    "DOCUMENTS": ("الأوراق أكثر من المسموح.", "There are too many papers.", "Il y a trop de documents."),
    "DOCUMENT_KIND": (
        "هذا الطلب لا يقبل ورقة من هذا النوع.",
        "This request takes no paper of that kind.",
        "Cette demande n’accepte pas ce type de document.",
    ),
    "DOCUMENT_MISSING": ("هذا الطلب يحتاج ورقة.", "This request needs a paper.", "Cette demande exige un document."),
    "EMPTY": ("الملف فارغ. اختر غيره.", "The file is empty. Choose another one.", "Le fichier est vide. Changez-le."),
    "SIZE": (
        "الملف أكبر من 8 ميغابايت.",
        "The file is larger than 8 MB.",
        "Le fichier dépasse 8 Mo.",
    ),
    "TYPE": (
        "أرسل صورة (JPEG أو PNG أو WebP) أو ملف PDF.",
        "Send a picture (JPEG, PNG, WebP) or a PDF.",
        "Envoyez une image (JPEG, PNG, WebP) ou un PDF.",
    ),
    "BROKEN": (
        "لا يمكن قراءة الملف. احفظه من جديد وأرسله.",
        "The file cannot be read. Save it again and send that.",
        "Le fichier est illisible. Enregistrez-le de nouveau.",
    ),
    "PIXELS": (
        "الصورة كبيرة جدًا. التقطها بدقة أقل.",
        "The picture is too large. Take it with fewer pixels.",
        "L’image est trop grande. Prenez-la avec moins de pixels.",
    ),
    "PAGES": (
        "صفحات كثيرة. أرسل ما يهم فقط.",
        "Too many pages. Send only those that matter.",
        "Trop de pages. N’envoyez que celles qui comptent.",
    ),
    "LOCKED": (
        "ملف PDF مقفل بكلمة سر. احفظه بدونها.",
        "The PDF is locked. Save it without a password.",
        "Le PDF est verrouillé. Enregistrez-le sans mot de passe.",
    ),
    "SCRIPT": (
        "في ملف PDF برنامج. اطبعه إلى ملف جديد.",
        "The PDF holds a script. Print it into a new PDF.",
        "Le PDF contient un script. Imprimez-le dans un nouveau PDF.",
    ),
    # Readings
    "FUTURE_DATE": (
        "التاريخ في المستقبل. أرسل ما يظهر اليوم.",
        "The date lies in the future. Send what the meter shows today.",
        "La date est à venir. Envoyez ce que le compteur indique aujourd’hui.",
    ),
    "NO_METER": (
        "لم يكن هنا عداد في ذلك اليوم.",
        "No meter was installed here on that day.",
        "Aucun compteur n’était posé ici ce jour-là.",
    ),
    "SEVERAL_REGISTERS": (
        "هذا العداد يُقرأ عن بعد. لا حاجة لإرسال شيء.",
        "This meter is read at a distance. Nothing to send.",
        "Ce compteur est relevé à distance. Rien à envoyer.",
    ),
    "OUT_OF_RANGE": (
        "للعداد أرقام أقل. اكتب الرقم كما يظهر.",
        "The meter shows fewer digits. Write the number as it stands there.",
        "Le compteur a moins de chiffres. Écrivez le nombre affiché.",
    ),
    "OTHER_VALUE": (
        "للعداد قراءة أخرى في ذلك اليوم. أرسل صورة لننظر فيها.",
        "The meter has another reading for that day. Send a photo and we look into it.",
        "Un autre relevé existe pour ce jour. Envoyez une photo, nous vérifierons.",
    ),
    "METER": (
        "اختر أحد العدادات المذكورة لهذا الحساب.",
        "Choose one of the meters listed for this account.",
        "Choisissez l’un des compteurs de ce compte.",
    ),
    # Wishes and delegates
    "NOTHING_LEFT": (
        "كل القنوات مغلقة. اترك واحدة أو اطلب فاتورة ورقية.",
        "Every channel is off. Leave one on, or ask for paper.",
        "Tous les canaux sont coupés. Gardez-en un ou demandez le papier.",
    ),
    "PAST": (
        "آخر يوم مضى. اختر يومًا بعده.",
        "The last day lies in the past. Choose a later one.",
        "Le dernier jour est passé. Choisissez plus tard.",
    ),
    "NOT_OPEN": (
        "انتهى هذا ولا يُجاب عنه بعد.",
        "This is over and cannot be answered any more.",
        "C’est terminé, on ne peut plus y répondre.",
    ),
    # Contacts and sign-up
    "ADDRESS": (
        "راجع الرقم أو البريد حرفًا حرفًا.",
        "Check the number or address letter by letter.",
        "Vérifiez le numéro ou l’adresse lettre par lettre.",
    ),
    "SAME": ("هذا هو الحالي.", "This is the present one.", "C’est l’actuel."),
    "NOT_ACCEPTED": (
        "هذه الوثيقة لا تُقبل هنا. اختر غيرها.",
        "This document is not accepted here. Choose another one.",
        "Ce document n’est pas accepté ici. Choisissez-en un autre.",
    ),
    "FORMAT": ("راجع رقم الوثيقة.", "Check the document’s number.", "Vérifiez le numéro du document."),
    "NATIONALITY": (
        "الجنسية لا توافق هذه الوثيقة.",
        "This nationality does not go with this document.",
        "Cette nationalité ne va pas avec ce document.",
    ),
    "BIRTH_DATE": ("راجع سنة الميلاد.", "Check the year of birth.", "Vérifiez l’année de naissance."),
    "TOO_YOUNG": ("الدخول للبالغين فقط.", "A login is for adults only.", "Un compte est réservé aux adultes."),
    "MISMATCH": (
        "الرقم وتاريخ الميلاد لا يتفقان. راجعهما.",
        "The number and the birth date do not belong together. Check both.",
        "Le numéro et la date de naissance ne correspondent pas. Vérifiez-les.",
    ),
    "REJECTED": (
        "رُفض الطلب في تطبيق الجهة. ابدأ من جديد.",
        "It was refused in the authority’s app. Begin again.",
        "Refusé dans l’application de l’autorité. Recommencez.",
    ),
    "DOWN": (
        "الجهة لا تجيب الآن. أعد المحاولة بعد قليل.",
        "The authority does not answer just now. Try again in a while.",
        "L’autorité ne répond pas. Réessayez dans un moment.",
    ),
    "NOT_COVERED": (
        "لا يمكن التحقق من هذه الوثيقة هنا. زر مركز خدمة.",
        "This document cannot be checked here. Visit a service centre.",
        "Ce document ne peut être vérifié ici. Allez dans une agence.",
    ),
    "NO_PHONE": (
        "لا رقم جوال مسجل لدى الجهة. زر مركز خدمة.",
        "The authority has no phone on record. Visit a service centre.",
        "Aucun téléphone n’est enregistré. Allez dans une agence.",
    ),
    "NAME": (
        "اكتب الاسم كما في الوثيقة.",
        "Write the name as on the document.",
        "Écrivez le nom comme sur le document.",
    ),
    "MOBILE": ("راجع رقم الجوال.", "Check the mobile number.", "Vérifiez le numéro de mobile."),
    "EMAIL": ("راجع عنوان البريد.", "Check the e-mail address.", "Vérifiez l’adresse électronique."),
    "PASSWORD": (
        "اختر كلمة سر من 12 حرفًا على الأقل وغير شائعة.",
        "Choose a password of at least 12 characters that is not common.",
        "Choisissez un mot de passe peu courant d’au moins 12 caractères.",
    ),
    "ORDER": ("خطوة أخرى تأتي أولًا.", "Another step comes first.", "Une autre étape vient d’abord."),
    "HAS_LOGIN": (
        "لهذه الهوية دخول بالفعل. سجّل الدخول أو استعده.",
        "This identity has a login already. Sign in, or recover it.",
        "Cette identité a déjà un compte. Connectez-vous ou récupérez-le.",
    ),
}  # fmt: skip

WORDS: Mapping[str, Mapping[str, str]] = {
    lang: {code: said[at] for code, said in _WORDS.items()} for at, lang in enumerate(("ar", "en", "fr"))
}
