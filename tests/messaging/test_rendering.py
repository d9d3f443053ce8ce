import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.rendering import BODY_LIMIT, Field, TemplateError, compile_body

SHOP = "Hi {{first_name|there}}, size {{ custom.size | M }} is back: https://example.com/new?x=1."


def test_fields_and_links_in_order() -> None:
    template = compile_body(
        SHOP + " {{last_name}} HTTP://two.example/(a) and https://example.com/b"
    )

    assert template.fields == (
        Field("first_name", "there"),
        Field("custom.size", "M"),
        Field("last_name", None),
    )
    assert template.names == {"first_name", "custom.size", "last_name"}
    assert template.required == {"last_name"}
    assert template.links == (
        "https://example.com/new?x=1",
        "HTTP://two.example/(a)",
        "https://example.com/b",
    )


def test_render_puts_values_fallbacks_and_short_links_in_their_places() -> None:
    template = compile_body(SHOP)

    full = template.render({"first_name": "Ann", "custom.size": "S"}, ["https://l.test/Ab3"])
    blank = template.render({"first_name": " \n", "custom.size": None}, ["https://l.test/Ab3"])

    assert full == "Hi Ann, size S is back: https://l.test/Ab3."
    assert blank == "Hi there, size M is back: https://l.test/Ab3."


def test_without_short_links_the_addresses_stay_as_written() -> None:
    assert compile_body("See https://a.test and https://b.test/").render({}) == (
        "See https://a.test and https://b.test/"
    )


def test_equal_addresses_are_links_of_their_own() -> None:
    template = compile_body("https://a.test or https://a.test")

    assert template.links == ("https://a.test", "https://a.test")
    assert template.render({}, ["https://l.test/1", "https://l.test/2"]) == (
        "https://l.test/1 or https://l.test/2"
    )


@pytest.mark.parametrize("links", [["one"], ["one", "two", "three"]])
def test_the_number_of_short_links_has_to_fit(links: list[str]) -> None:
    with pytest.raises(ValueError, match="2 in the text"):
        compile_body("https://a.test https://b.test").render({}, links)


def test_a_value_is_never_read_as_a_template_or_a_link() -> None:
    template = compile_body("{{first_name}} {{last_name}}")

    text = template.render({"first_name": "{{last_name}}", "last_name": "https://x.test %s {0}"})

    assert text == "{{last_name}} https://x.test %s {0}"
    assert template.links == ()


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("https://a.test.", "https://a.test"),
        ("(https://a.test/b)", "https://a.test/b"),
        ("https://a.test/b_(c)", "https://a.test/b_(c)"),
        ("“https://a.test/b”", "https://a.test/b"),
        ("'https://a.test/b'!", "https://a.test/b"),
        ("https://a.test/b?c=d&e=f#g...", "https://a.test/b?c=d&e=f#g"),
        ("https://a.test/b/", "https://a.test/b/"),
        ("<https://a.test/b>", "https://a.test/b"),
        ("https://münchen.test/ä", "https://münchen.test/ä"),
        ("看https://a.test/b，谢谢", "https://a.test/b"),
        ("انظر (https://a.test/بيع)، شكرا", "https://a.test/بيع"),
        ("یہاں https://a.test/b۔ شکریہ", "https://a.test/b"),
        ("यहाँ https://a.test/b। धन्यवाद", "https://a.test/b"),
        ("https://[2001:db8::1]/x]", "https://[2001:db8::1]/x"),
        ("https://a.test:8080/b,https", "https://a.test:8080/b,https"),
    ],
)
def test_addresses_end_where_a_reader_ends_them(text: str, link: str) -> None:
    template = compile_body(text)

    assert template.links == (link,)
    assert template.render({}, ["#"]) == text.replace(link, "#", 1)


@pytest.mark.parametrize(
    "text", ["https://", "http:// x", "https://...", "xhttps://a.test", "ftp://a.test", "a.test/b"]
)
def test_what_is_no_address_stays_text(text: str) -> None:
    assert compile_body(text).links == ()
    assert compile_body(text).render({}) == text


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        ("", "template_blank", "is empty"),
        (" \n\u00a0", "template_blank", "is empty"),
        ("a" * 1601, "template_too_long", "1,601 characters; 1,600 is the most"),
        ("Hi {{first_name}", "template_braces", "“{{first_name}” are not closed"),
        ("Hi {{first_name", "template_braces", "are not closed"),
        ("Hi first_name}} you", "template_braces", "without its “{{” after “Hi first_name”"),
        ("{{a {{b}} c}}", "template_braces", "are not closed"),
        ("Hi {{}}", "template_field_name", "“{{}}” is not a merge field"),
        ("Hi {{first name}}", "template_field_name", "“{{first name}}” is not"),
        ("Hi {{1st}}", "template_field_name", "not a merge field"),
        ("Hi {{custom.}}", "template_field_name", "not a merge field"),
        ("Hi {{x.y}}", "template_field_name", "not a merge field"),
        ("https://a.test/{{first_name}}", "template_field_in_link", "inside a link"),
        ("https://{{custom.host}}/a", "template_field_in_link", "“{{custom.host}}” stands"),
        ("https://a.test?n={{a|b}}&m=1", "template_field_in_link", "put a space before"),
    ],
)
def test_bad_bodies_are_refused_with_a_sentence(body: str, code: str, words: str) -> None:
    with pytest.raises(TemplateError) as caught:
        compile_body(body)

    assert caught.value.code == code
    assert words in caught.value.message
    assert caught.value.fields == {"body": caught.value.message}


def test_limits_are_inclusive_and_single_braces_are_text() -> None:
    assert compile_body("a" * BODY_LIMIT).render({}) == "a" * BODY_LIMIT
    assert compile_body("{a} {b|c} }{").render({}) == "{a} {b|c} }{"


def test_a_field_after_a_link_and_a_space_is_fine() -> None:
    template = compile_body("https://a.test/b {{first_name}}, (https://a.test) {{last_name|x}}")

    assert len(template.links) == len(template.fields) == 2


def test_unknown_fields_are_named_with_the_nearest_known() -> None:
    known = ["first_name", "last_name", "custom.size"]

    compile_body(SHOP).validate(known)
    for name, hint in [
        ("firstname", "Did you mean {{first_name}}?"),
        ("First_Name", "Did you mean {{first_name}}?"),
        ("custom.sise", "Did you mean {{custom.size}}?"),
        ("zzz", "Pick one from the list of fields."),
    ]:
        with pytest.raises(TemplateError) as caught:
            compile_body(f"Hi {{{{{name}}}}}").validate(known)
        assert caught.value.code == "template_unknown_field"
        assert caught.value.message == f"There is no field called “{name}”. {hint}"


def test_blank_fields_are_the_required_ones_without_a_value() -> None:
    template = compile_body("{{a}} {{b|x}} {{c}} {{a}} {{d|}}")

    assert template.blank_fields({}) == ["a", "c"]
    assert template.blank_fields({"a": "1", "c": "\u00a0"}) == ["c"]
    assert template.blank_fields({"a": "1", "c": "2"}) == []
    assert template.render({"a": "1", "c": "2"}) == "1 x 2 1 "


def test_equal_bodies_are_compiled_once() -> None:
    assert compile_body("Hi {{a}}") is compile_body("Hi {{a}}")


names = st.sampled_from(["first_name", "last_name", "custom.size"])
values = st.dictionaries(names, st.one_of(st.none(), st.text(max_size=20)))
bodies = st.lists(
    st.one_of(
        st.text(max_size=20).filter(lambda t: not re.search(r"[{}]|://", t)),
        st.builds("{{{{{}}}}}".format, names),
        st.builds("{{{{{}|{}}}}}".format, names, st.from_regex("[a-z ]{0,5}", fullmatch=True)),
        st.just(" https://a.test/b "),
    ),
    max_size=12,
).map("".join)


@given(bodies, values)
def test_rendering_equals_plain_substitution(
    body: str, given_values: dict[str, str | None]
) -> None:
    if not body.strip():
        return

    def plain(match: re.Match[str]) -> str:
        name, _, fallback = match[1].partition("|")
        value = given_values.get(name)
        return value if value and value.strip() else fallback.strip()

    expected = "".join(
        re.sub(r"\{\{([^{}]*)\}\}", plain, part) if at % 2 == 0 else "https://l.test/1"
        for at, part in enumerate(re.split(r"(https://a\.test/b)", body))
    )

    template = compile_body(body)

    assert template.render(given_values, ["https://l.test/1"] * len(template.links)) == expected


@given(st.text(alphabet=st.one_of(st.sampled_from("{}|h tp:/s.a_x\n"), st.characters())))
def test_any_text_compiles_or_is_refused_in_words(body: str) -> None:
    try:
        template = compile_body(body)
    except TemplateError as error:
        refused = error.message
    else:
        refused = ""
        assert len(template.links) <= body.count("://")

    assert not refused or refused.endswith((".", "fields."))


# --- Conditions ---

CONDITION = "{{#if first_name}}Hi {{first_name}}{{else}}Hello {{last_name|there}}{{/if}}, see us"


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"first_name": "Ann"}, "Hi Ann, see us"),
        ({"first_name": " "}, "Hello there, see us"),
        ({"last_name": "Lee"}, "Hello Lee, see us"),
        ({}, "Hello there, see us"),
    ],
)
def test_a_condition_says_what_fits(values: dict[str, str], text: str) -> None:
    template = compile_body(CONDITION)

    assert template.render(values) == text
    assert template.encoded(str.upper).render({k: v.upper() for k, v in values.items()}) == (
        text.upper()
    )
    assert template.blank_fields(values) == []
    assert template.required == frozenset()
    assert template.names == {"first_name", "last_name"}
    assert len(template.fullest([])) >= len(template.render({}))


def test_links_under_a_condition_keep_their_place() -> None:
    template = compile_body(
        "https://a.example {{#if email}}https://b.example {{/if}}https://c.example "
        "{{#if phone}}x{{/if}}"
    )

    assert template.links == ("https://a.example", "https://b.example", "https://c.example")
    assert template.render({"email": "x"}, ["A", "B", "C"]) == "A B C "
    assert template.render({}, ["A", "B", "C"]) == "A C "
    assert template.render({"email": "x"}) == (
        "https://a.example https://b.example https://c.example "
    )


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("{{#if first_name}}Hi", "template_if"),
        ("Hi {{/if}}", "template_if"),
        ("Hi {{else}}", "template_if"),
        ("{{#if first_name}}a{{else}}b{{else}}c{{/if}}", "template_if"),
        ("{{#if first_name}}{{#if last_name}}x{{/if}}{{/if}}", "template_if"),
        ("{{#if}}x{{/if}}", "template_field_name"),
        ("{{#if first_name|x}}x{{/if}}", "template_if"),
        ("{{#if email}}https://b.example{{/if}}", "template_field_in_link"),
        ("{{#if first_name}}{{last_name}}{{/if}}", "template_if_field"),
        ("{{#if first_name}}x{{else}}{{first_name}}{{/if}}", "template_if_field"),
    ],
)
def test_a_condition_that_is_not_well_formed_says_so(body: str, code: str) -> None:
    with pytest.raises(TemplateError) as refused:
        compile_body(body)

    assert refused.value.code == code


def test_a_condition_on_an_unknown_field_names_it() -> None:
    with pytest.raises(TemplateError, match="no field called “nick”"):
        compile_body("Hi {{#if nick}}you{{/if}}").validate({"first_name"})
