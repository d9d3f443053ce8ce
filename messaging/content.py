"""What a batch says to each of its recipients: the frozen template with this person's words.

Owns the step from a batch's body and a message's merge values to the text. The grammar of bodies is
`messaging.rendering`'s, the codes of short links tracking's.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Final

from messaging.models import Batch
from messaging.rendering import BODY_LIMIT, Template, compile_body
from messaging.segments import cheaper, segments
from tracking.codes import CODE_LENGTH, encode_pairs
from tracking.models import Link
from tracking.selectors import batch_domain, link_base

# Separates texts on their way into the database (messaging.sending.results); no phone shows it.
SEPARATOR: Final = "\x1f"

Merge = Mapping[str, str] | None
Codes = tuple[str, ...]
Encode = Callable[[str], str]


class Content:
    """The text of one batch. Built once per window, used for each of its recipients.

    Attributes:
        template: The compiled body, or None when it is sent as it stands.
        link_length: Characters a short link takes, the same for everybody.
        is_smart: Whether look-alikes are replaced in texts that become cheaper by it; no picture
            message does.
        has_media: Whether pictures go with it.
    """

    def __init__(
        self,
        template: Template | None,
        literal: str = "",
        *,
        domain: str | None = None,
        is_smart: bool = False,
        has_media: bool = False,
    ) -> None:
        """Take a compiled template, or a literal text; `domain` is an account's own for links."""
        self.template = template
        self.is_smart = is_smart and not has_media
        self.has_media = has_media
        self._literal = literal
        self._domain = domain
        self._link_base = link_base(domain)
        self.link_length = len(self._link_base) + CODE_LENGTH
        self._sample = ["x" * self.link_length] * len(template.links) if template else []

    def reworded(
        self, template: Template | None = None, *, is_smart: bool | None = None
    ) -> "Content":
        """Another text in the same way, or the same text in another."""
        return Content(
            template or self.template,
            self._literal,
            domain=self._domain,
            is_smart=self.is_smart if is_smart is None else is_smart,
            has_media=self.has_media,
        )

    def segments(self, text: str) -> int:
        """How many segments one of its texts is billed as: a picture message is always one."""
        return 1 if self.has_media else segments(text)

    def is_blank(self, text: str) -> bool:
        """Whether there is nothing to send: no word, and no picture."""
        return not self.has_media and not text.strip()

    def sample(self, merge: Merge) -> str:
        """The text with stand-ins for short links: right in length and encoding, for counting."""
        if self.template is None:
            return self._literal
        text = self.template.render(merge or {}, self._sample)
        return cheaper(text, limit=BODY_LIMIT) if self.is_smart else text

    def texts(self, merges: Sequence[Merge], codes: Sequence[Codes]) -> list[str]:
        """The texts of many recipients.

        Args:
            merges: Their merge values.
            codes: The codes of their links, in the same order.
        """
        template = self.template
        if template is None:
            return [self._literal] * len(merges)
        urls = _urls(self._link_base, codes)
        texts = list(map(template.render, (merge or {} for merge in merges), urls))
        return [cheaper(text, limit=BODY_LIMIT) for text in texts] if self.is_smart else texts

    def wires(self, merges: Sequence[Merge], codes: Sequence[Codes], encode: Encode) -> list[str]:
        """The same texts as a gateway writes them into its requests.

        What is the same for everybody is encoded once for the batch: encoding a whole text for
        each recipient would cost more than rendering, counting and recording it.
        """
        template = self.template
        if template is None:
            return [encode(self._literal)] * len(merges)
        if self.is_smart:
            return [encode(text) for text in self.texts(merges, codes)]
        urls = _urls(encode(self._link_base), codes)
        render = _twin(template, encode).render
        wires = map(render, (_encoded(merge, encode) for merge in merges), urls)
        return list(wires)


def _urls(base: str, codes: Sequence[Codes]) -> list[list[str]]:
    return [[base + code for code in own] for own in codes]


@lru_cache(maxsize=256)
def _twin(template: Template, encode: Encode) -> Template:
    return template.encoded(encode)


def _encoded(merge: Merge, encode: Encode) -> dict[str, str]:
    """Merge values, encoded; blank ones stay blank, so that their fallbacks are used."""
    if not merge:
        return {}
    return {
        name: value
        if value.isalnum() and value.isascii()
        else encode(value)
        if value and not value.isspace()
        else ""
        for name, value in merge.items()
    }


def link_codes(groups: Sequence[tuple[Sequence[int], Sequence[int]]]) -> list[list[Codes]]:
    """The codes of recipients' short links by ordinal, of several batches in one pass.

    Args:
        groups: Of each batch its recipient numbers, and its links by ordinal.
    """
    codes = iter(
        encode_pairs([(link, no) for numbers, links in groups for link in links for no in numbers])
    )
    return [
        list(zip(*([next(codes) for _ in numbers] for _ in links), strict=True))
        if links
        else [()] * len(numbers)
        for numbers, links in groups
    ]


def content_of(batch: Batch) -> Content:
    """The content of a stored batch. One query if it is a template."""
    if not batch.is_template:
        return Content(None, batch.body, has_media=bool(batch.media_ids))
    return Content(
        compile_body(batch.body),
        domain=batch_domain(batch.pk),
        is_smart=batch.smart_encoding,
        has_media=bool(batch.media_ids),
    )


def link_ids(batch_id: int) -> list[int]:
    """The batch's links by ordinal. One query."""
    links = Link.objects.filter(batch_id=batch_id).order_by("ordinal")
    return list(links.values_list("pk", flat=True))
