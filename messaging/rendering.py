"""Message bodies with merge fields: ``Hi {{first_name|there}}, see https://example.com/sale``.

Owns the template's grammar, what may stand in it, and rendering. Where values come from is the
contacts app's, short links are tracking's, segments are counted in `messaging.segments`.

Grammar: ``{{name}}`` or ``{{name|fallback}}``, spaces around both ignored. A name is a letter and
then letters, digits and underscores, or ``custom.`` and such a name. A fallback is any text
without braces; an empty one (``{{first_name|}}``) means "nothing, and that is fine". Doubled braces
never stand for themselves; single ones do.

``{{#if name}}…{{else}}…{{/if}}`` renders what fits: the first part where the field has a value, the
second, which may be left out, where it is blank. Conditions do not nest, and fields inside have a
fallback, but for the one that is asked for, in the first part: so nobody is left out by them.

A field whose value is blank renders as its fallback. Each http(s) address in the text (not one that
a value brings) is a link: a tracked short link takes its place by ordinal.
"""

import difflib
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Final, NamedTuple

from common.errors import Invalid
from messaging.graphemes import has_joiners

BODY_LIMIT: Final = 1600  # Twilio error 21617
NAME_LIMIT: Final = 80

_FIELD: Final = re.compile(r"\{\{([^{}]*)\}\}")
_NAME: Final = re.compile(r"(?:custom\.)?[A-Za-z][A-Za-z0-9_]*")
# Up to white space, quotation marks, what no address holds, and punctuation of other scripts.
_URL: Final = re.compile(
    r"(?<![A-Za-z0-9])[Hh][Tt]{2}[Pp][Ss]?://[^\s<>\"“”«»{}|\\^`，。、！？；：（）「」『』【】《》،؛؟۔।]+"
)
# What ends a sentence or quotation rather than an address.
_TRAILING: Final = ".,;:!?'’‘…"
_CLOSING: Final = {")": "(", "]": "["}


class TemplateError(Invalid):
    """A body that cannot be sent; `message` is a sentence for whoever wrote it.

    Codes: template_blank, template_too_long, template_braces, template_field_name,
    template_field_in_link, template_unknown_field, template_if, template_if_field.
    """

    code = "template_invalid"


class Field(NamedTuple):
    """A merge field as used: its name, and the fallback (None: the value must not be blank)."""

    name: str
    fallback: str | None


class Condition(NamedTuple):
    """What is said where a field has a value, and where it is blank."""

    name: str
    then: "Template"
    other: "Template"


Part = str | Field | int | Condition


class Template:
    """A compiled body.

    Attributes:
        body: As written.
        fields: Every use of a field, in order (a name may come twice, with different fallbacks);
            those under a condition come after all others.
        links: Addresses in the text, in order; equal ones each have their own ordinal.
        names: Names of all fields.
        required: Names that stand somewhere without a fallback, under no condition.
    """

    __slots__ = (
        "_conditions",
        "_literals",
        "_parts",
        "_places",
        "_slots",
        "body",
        "fields",
        "links",
        "names",
        "required",
    )

    def __init__(self, body: str, parts: Sequence[Part], links: Sequence[str]):
        self.body = body
        self.links = tuple(links)
        self._parts = tuple(parts)
        self._conditions = [
            (at, part) for at, part in enumerate(parts) if isinstance(part, Condition)
        ]
        own = [part for part in parts if isinstance(part, Field)]
        inner = [branch for _, part in self._conditions for branch in (part.then, part.other)]
        self.fields: tuple[Field, ...] = (
            *own,
            *(field for branch in inner for field in branch.fields),
        )
        self.names = frozenset(field.name for field in self.fields) | frozenset(
            part.name for _, part in self._conditions
        )
        self.required = frozenset(field.name for field in own if field.fallback is None)
        # Rendering copies the literals and sets what varies at its places: half the time of
        # formatting, since all that does not vary is joined once.
        self._literals = [part if isinstance(part, str) else "" for part in parts]
        self._slots = [
            (at, part.name, part.fallback or "")
            for at, part in enumerate(parts)
            if isinstance(part, Field)
        ]
        self._places = [(at, part) for at, part in enumerate(parts) if isinstance(part, int)]

    def render(self, values: Mapping[str, str | None], links: Sequence[str] = ()) -> str:
        """The text for one recipient.

        Args:
            values: Field name to value; missing, None and blank values give the fallback, or
                nothing where there is none (`blank_fields` tells beforehand).
            links: What replaces `self.links`, one each, or empty to leave the addresses as written.

        Raises:
            ValueError: if `links` are neither none nor as many as `self.links`.
        """
        if len(links) != len(self.links):
            if links:
                raise ValueError(f"{len(links)} links given, {len(self.links)} in the text")
            links = self.links
        return self._filled(values, links)

    def _filled(self, values: Mapping[str, str | None], links: Sequence[str]) -> str:
        text = self._literals.copy()
        get = values.get
        for at, name, fallback in self._slots:
            value = get(name)
            text[at] = value if value and not value.isspace() else fallback
        for at, ordinal in self._places:
            text[at] = links[ordinal]
        for at, (name, then, other) in self._conditions:
            value = get(name)
            branch = then if value and not value.isspace() else other
            text[at] = branch._filled(values, links)
        return "".join(text)

    def fullest(self, links: Sequence[str]) -> str:
        """All that may ever stand in the text: both sides of conditions, fields as fallbacks.

        Nobody reads it; it bounds what anybody reads.
        """
        conditions = [
            branch.fullest(links)
            for _, part in self._conditions
            for branch in (part.then, part.other)
        ]
        plain = Template(
            "", ["" if isinstance(part, Condition) else part for part in self._parts], self.links
        )
        return plain._filled({}, links) + "".join(conditions)

    def blank_fields(self, values: Mapping[str, str | None]) -> list[str]:
        """Names of required fields that are blank in `values`, in order of first use."""
        found = []
        for field in self.fields:
            if field.name in self.required and field.fallback is None and field.name not in found:
                value = values.get(field.name)
                if not value or value.isspace():
                    found.append(field.name)
        return found

    @property
    def composes_values(self) -> bool:
        """Whether the end of a value may become one character with what follows it.

        So it is where a field touches another one, or a text with combining characters.
        """
        touching = any(
            isinstance(one, Field | Condition) and isinstance(other, Field | Condition)
            for one, other in pairwise(self._parts)
        )
        inner = (branch for _, part in self._conditions for branch in (part.then, part.other))
        return (
            touching
            or has_joiners("".join(part for part in self._parts if isinstance(part, str)))
            or any(branch.composes_values for branch in inner)
        )

    def validate(self, known_fields: Collection[str]) -> None:
        """Check that every field exists.

        Raises:
            TemplateError: template_unknown_field, naming the field and the nearest known one.
        """
        asked_for = [part.name for _, part in self._conditions]
        for name in [*(field.name for field in self.fields), *asked_for]:
            if name not in known_fields:
                raise _unknown(name, known_fields)

    def encoded(self, encode: Callable[[str], str]) -> "Template":
        """This template with its fixed texts encoded, to be rendered with encoded values and links.

        Args:
            encode: Of pieces as of the whole: encode(a + b) == encode(a) + encode(b). Must leave
                nothing blank that is not, and nothing else.
        """
        parts: list[Part] = []
        for part in self._parts:
            if isinstance(part, Field):
                fallback = None if part.fallback is None else encode(part.fallback)
                parts.append(Field(part.name, fallback))
            elif isinstance(part, Condition):
                then, other = part.then.encoded(encode), part.other.encoded(encode)
                parts.append(Condition(part.name, then, other))
            else:
                parts.append(encode(part) if isinstance(part, str) else part)
        return Template(self.body, parts, [encode(link) for link in self.links])

    def __repr__(self) -> str:
        return f"Template({self.body!r})"


@lru_cache(maxsize=1024)
def compile_body(body: str) -> Template:
    """Compile a body once; equal bodies share one `Template`, which is never changed.

    Raises:
        TemplateError: if it is blank, longer than `BODY_LIMIT`, or its fields are not well formed.
    """
    if not body.strip():
        raise _error("template_blank", "The message is empty. Write something to send.")
    if len(body) > BODY_LIMIT:
        raise _error(
            "template_too_long",
            f"The message has {len(body):,} characters; {BODY_LIMIT:,} is the most that can be "
            "sent. Shorten the text.",
        )
    _refuse_unbalanced(body)
    _refuse_fields_in_links(body)
    compiler = _Compiler()
    done = 0
    for match in _FIELD.finditer(body):
        compiler.add_text(body[done : match.start()])
        compiler.add_braces(match[1])
        done = match.end()
    compiler.add_text(body[done:])
    return compiler.template(body)


class _Compiler:
    """Parts as they are read; while a condition is open, those of its branch."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.links: list[str] = []
        self.asked_for: str | None = None
        self.branches: list[list[Part]] = []

    def add_text(self, text: str) -> None:
        _add_literal(text, self._here, self.links)

    def add_braces(self, inside: str) -> None:
        word = " ".join(inside.split())
        if word.startswith("#if ") or word == "#if":
            if self.asked_for is not None:
                raise _if_error("A condition stands inside another one. Close the first one first.")
            if "|" in word:
                raise _if_error("A condition only asks for a field, and takes no fallback.")
            self.asked_for, self.branches = _field(word[4:]).name, [[]]
        elif word == "else":
            if len(self.branches) != 1:
                raise _if_error("There is an {{else}} without its {{#if}}.")
            self.branches.append([])
        elif word == "/if":
            if self.asked_for is None:
                raise _if_error("There is an {{/if}} without its {{#if}}.")
            self._close(self.asked_for)
        else:
            field = _field(inside)
            is_sure = field.name == self.asked_for and len(self.branches) == 1
            if self.asked_for is not None and field.fallback is None and not is_sure:
                raise _error(
                    "template_if_field",
                    f"Inside a condition “{field.name}” needs a fallback, such as "
                    f"{{{{{field.name}|there}}}}, or people without it would be left out.",
                )
            self._here.append(field)

    def template(self, body: str) -> Template:
        if self.asked_for is not None:
            raise _if_error("A condition is not closed. Put {{/if}} where it ends.")
        return Template(body, self.parts, self.links)

    @property
    def _here(self) -> list[Part]:
        return self.branches[-1] if self.branches else self.parts

    def _close(self, name: str) -> None:
        # Ordinals of links count over the whole text, so branches know no links of their own.
        then, other = (Template("", parts, ()) for parts in [*self.branches, []][:2])
        self.asked_for, self.branches = None, []
        self.parts.append(Condition(name, then, other))


def _add_literal(text: str, parts: list[Part], links: list[str]) -> None:
    done = 0
    for match in _URL.finditer(text):
        url = _trimmed(match[0])
        if not url:
            continue
        if match.start() > done:
            parts.append(text[done : match.start()])
        parts.append(len(links))
        links.append(url)
        done = match.start() + len(url)
    if done < len(text):
        parts.append(text[done:])


def _trimmed(url: str) -> str:
    """`url` without the punctuation around it; "" if no host is left."""
    while url[-1:] and (
        url[-1] in _TRAILING
        or (url[-1] in _CLOSING and url.count(url[-1]) > url.count(_CLOSING[url[-1]]))
    ):
        url = url[:-1]
    host = url.partition("://")[2]
    return url if host[:1].isalnum() or host[:1] == "[" else ""


def _field(inside: str) -> Field:
    name, bar, fallback = inside.partition("|")
    name = name.strip()
    if not _NAME.fullmatch(name) or len(name) > NAME_LIMIT:
        raise _error(
            "template_field_name",
            f"“{{{{{_short(inside)}}}}}” is not a merge field. Write a field's name between the "
            "braces, like {{first_name}} or {{first_name|there}}.",
        )
    return Field(name, fallback.strip() if bar else None)


def _refuse_unbalanced(body: str) -> None:
    rest = _FIELD.sub(lambda match: " " * len(match[0]), body)
    at = min((i for i in (rest.find("{{"), rest.find("}}")) if i >= 0), default=-1)
    if at < 0:
        return
    raise _error(
        "template_braces",
        f"The braces at “{_short(body[at:])}” are not closed. A merge field has two on each side, "
        "like {{first_name}}, and none inside."
        if rest[at] == "{"
        else f"There is a “}}}}” without its “{{{{” after “{_short(body[:at], is_end=True)}”. "
        "A merge field has two on each side, like {{first_name}}.",
    )


def _refuse_fields_in_links(body: str) -> None:
    """A tracked link has one destination for all recipients, so no field can stand in it."""
    for match in _FIELD.finditer(body):
        # Would one more character in the field's place belong to an address that began before?
        probe = body[: match.start()] + "x"
        if any(url.end() == len(probe) for url in _URL.finditer(probe)):
            raise _error(
                "template_field_in_link",
                f"“{_short(match[0])}” stands inside a link. A link has to lead everybody to the "
                "same page to be tracked: put a space before the field, or take it out.",
            )


def _unknown(name: str, known_fields: Collection[str]) -> TemplateError:
    near = difflib.get_close_matches(name.lower(), known_fields, n=1, cutoff=0.6)
    hint = f" Did you mean {{{{{near[0]}}}}}?" if near else " Pick one from the list of fields."
    return _error("template_unknown_field", f"There is no field called “{_short(name)}”.{hint}")


def _if_error(sentence: str) -> TemplateError:
    return _error("template_if", f"{sentence} It is written {{{{#if first_name}}}}…{{{{/if}}}}.")


def _error(code: str, sentence: str) -> TemplateError:
    return TemplateError(sentence, code=code, fields={"body": sentence})


def _short(text: str, *, is_end: bool = False) -> str:
    shown = " ".join(text.split())
    if len(shown) <= 30:
        return shown
    return "…" + shown[-29:] if is_end else shown[:29] + "…"
