import pytest

from messaging.advice import SHORTENERS, TOPICS, Advice, advise
from messaging.keywords import normalise
from messaging.rendering import TemplateError

BRAND = "Bloom & Stem"
END = " Bloom & Stem. Reply STOP to end"


def codes(body: str, *, brand: str = BRAND, is_first: bool = True) -> list[str]:
    return [advice.code for advice in advise(body=body, brand=brand, is_first=is_first)]


@pytest.mark.parametrize(
    "body",
    [
        "Bloom & Stem: tulips are in. Reply STOP to end",
        "BLOOM AND STEM: tulips are in, come by. Txt stop to opt-out",
        "Hi {{first_name|there}}, tulips! https://shop.example/sale" + END,
        "BloomStem: two for $10, stop by today! STOP2END",
        "Bloom &amp; Stem’s tulips. STOP to unsubscribe".replace("&amp;", "&"),
        "Free delivery this week, really? Yes!" + END,
        "We loan vases, you bet. Version 1.2.3.4 of our list, 10.5/kg" + END,
        "VIP: NEW IN" + END,
        "Write to us at hi@bit.ly or see habit.ly/x" + END,
        "Your order no. 4/5 is at https://shop.example/bit.ly/THC" + END,
        "{{first_name|friend}}, {{last_name}}: see you" + END,
        "Блум: тюльпаны. 花が届きました 🌷" + END,
    ],
)
def test_harmless_texts_get_no_advice(body: str) -> None:
    assert codes(body) == []


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("Tulips are in", ["no_opt_out", "no_brand"]),
        ("Bloom & Stem: stop by today", ["no_opt_out"]),
        ("Blooming stems are in. Reply STOP to end", ["no_brand"]),
        ("See https://bit.ly/abc" + END, ["public_shortener"]),
        ("See https://www.TinyURL.com/abc." + END, ["public_shortener"]),
        ("See bit.ly/abc" + END, ["public_shortener"]),
        ("See http://192.0.2.7/sale" + END, ["raw_address"]),
        ("See 192.0.2.7:8080/sale" + END, ["raw_address"]),
        ("See http://[2001:db8::1]/sale" + END, ["raw_address"]),
        ("See http://3221225991/sale" + END, ["raw_address"]),
        ("Get a PAYDAY loan" + END, ["filtered_words"]),
        ("Casino night with CBD oil" + END, ["filtered_words", "filtered_words"]),
        ("You’ve won a bouquet" + END, ["filtered_words"]),
        ("COME IN TODAY FOR FRESH TULIPS" + END, ["capitals"]),
        ("Tulips FREE!!" + END, ["loud_marks"]),
        ("Tulips!!!" + END, ["loud_marks"]),
        ("Save $$ on tulips" + END, ["loud_marks"]),
        ("A! B! C! D! E!" + END, ["loud_marks"]),
        ("Hi {{first_name|FRIEND!!!}}" + END, ["loud_marks"]),
        (
            "FREE!!! CASINO MONEY FOR YOU, GO TO BIT.LY/X NOW",
            [
                "no_opt_out",
                "no_brand",
                "public_shortener",
                "filtered_words",
                "capitals",
                "loud_marks",
            ],
        ),
    ],
)
def test_each_finding_has_its_code(body: str, expected: list[str]) -> None:
    assert codes(body) == expected


def test_every_piece_of_advice_says_what_and_how_to_mend_it() -> None:
    found = advise(
        body="TULIPS FREE!!! See https://bit.ly/x or http://192.0.2.7/ for a CASH ADVANCE",
        brand=BRAND,
        is_first=True,
    )

    assert found == [
        Advice(
            "no_opt_out",
            "For some it is your first text, and it does not say how to stop.",
            "Add “Reply STOP to end” at its end.",
        ),
        Advice(
            "no_brand",
            "The text does not name Bloom & Stem.",
            "Say who writes, such as “Bloom & Stem:” at its start.",
        ),
        Advice(
            "public_shortener",
            "bit.ly is a public link shortener; carriers filter those.",
            "Put the full address, with https://. It becomes a short link of your own.",
        ),
        Advice(
            "raw_address",
            "A link goes to 192.0.2.7, a bare number, which looks like phishing.",
            "Use the address with your site's name.",
        ),
        Advice(
            "filtered_words",
            "“cash advance” is among the words carriers tend to filter (risky loans and debt).",
            "Say it in other words, or ask your carrier first if it is your trade.",
        ),
        Advice(
            "capitals",
            "Most of the text is in capitals, which reads as shouting and as spam.",
            "Write it as you would to a friend; capitals for a word at most.",
        ),
        Advice(
            "loud_marks",
            "“FREE!!!” is what spam filters look for.",
            "One exclamation mark is enough; write a price as a number.",
        ),
    ]


def test_people_texted_before_know_how_to_stop() -> None:
    assert codes("Bloom & Stem: tulips", is_first=False) == []


@pytest.mark.parametrize("brand", ["", "🌷", "The Co."])
def test_a_brand_without_a_name_is_not_missed(brand: str) -> None:
    assert codes("Tulips. Reply STOP to end", brand=brand) == []


def test_what_cannot_be_sent_is_refused_as_everywhere() -> None:
    with pytest.raises(TemplateError):
        advise(body="Hi {{first_name", brand=BRAND, is_first=True)


def test_the_tables_are_written_as_texts_are_read() -> None:
    terms = [term for terms in TOPICS.values() for term in terms]

    assert [term for term in terms if normalise(term) != term] == []
    assert len(set(terms)) == len(terms)
    assert [host for host in SHORTENERS if host != host.lower() or "/" in host] == []
