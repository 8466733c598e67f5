"""The words that made-up people and addresses are made of. Common ones; any likeness to a person is chance."""

# the first eight are men's names: every person has a father
FIRST_NAMES = ("محمد", "أحمد", "علي", "يوسف", "إبراهيم", "خالد", "عبدالله", "حسن",
               "فاطمة", "مريم", "سلمى", "نورة", "هدى", "عائشة", "خديجة", "ليلى")  # fmt: skip
FAMILIES = ("السالم", "الأحمد", "الحسن", "العلي", "الشافعي", "المنصور", "الخالدي", "الزهراني")
BUSINESSES = ("مؤسسة النور للتجارة", "شركة الواحة للمقاولات", "مخبز السلام", "شركة البحر للأغذية")

STREETS = (
    {"ar": "شارع السلام", "en": "Al Salam Street", "fr": "Rue Al Salam"},
    {"ar": "شارع النور", "en": "Al Nour Street", "fr": "Rue Al Nour"},
    {"ar": "شارع الوحدة", "en": "Al Wahda Street", "fr": "Rue Al Wahda"},
    {"ar": "شارع البحر", "en": "Al Bahr Street", "fr": "Rue Al Bahr"},
)
DISTRICTS = (
    {"ar": "حي الورود", "en": "Al Wurud", "fr": "Al Wouroud"},
    {"ar": "حي الروضة", "en": "Al Rawdah", "fr": "Al Rawda"},
    {"ar": "حي المركز", "en": "Centre", "fr": "Centre"},
)
CITIES = {
    "sa": {"ar": "الرياض", "en": "Riyadh", "fr": "Riyad"},
    "eg": {"ar": "القاهرة", "en": "Cairo", "fr": "Le Caire"},
    "bh": {"ar": "المنامة", "en": "Manama", "fr": "Manama"},
    "mr": {"ar": "نواكشوط", "en": "Nouakchott", "fr": "Nouakchott"},
}
OTHER_CITY = {"ar": "العاصمة", "en": "Capital", "fr": "Capitale"}
