"""What a batch says to each of its recipients: the frozen template with this person's words.

Owns the step from a batch's body and a message's merge values to the text. The grammar of bodies is
`messaging.rendering`'s, the codes of short links tracking's.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from django.conf import settings

from messaging.models import Batch
from messaging.rendering import Template, compile_body
from tracking.codes import CODE_LENGTH, encode_many
from tracking.models import Link

# Separates texts on their way into the database (messaging.sending.results); no phone shows it.
SEPARATOR: Final = "\x1f"


class Content:
    """The text of one batch. Built once per window, used for each of its recipients.

    Attributes:
        template: The compiled body, or None when it is sent as it stands.
        link_length: Characters a short link takes, the same for everybody.
    """

    def __init__(self, template: Template | None, literal: str = "") -> None:
        """Take a compiled template, or a literal text where there is none."""
        self.template = template
        self._literal = literal
        self._link_base = f"{settings.LINK_URL}/"
        self.link_length = len(self._link_base) + CODE_LENGTH
        self._sample = ["x" * self.link_length] * len(template.links) if template else []

    def sample(self, merge: Mapping[str, str] | None) -> str:
        """The text with stand-ins for short links: right in length and encoding, for counting."""
        if self.template is None:
            return self._literal
        return self.template.render(merge or {}, self._sample)

    def texts(
        self,
        merges: Sequence[Mapping[str, str] | None],
        numbers: Sequence[int],
        link_ids: Sequence[int],
    ) -> list[str]:
        """The texts of many recipients.

        Args:
            merges: Their merge values.
            numbers: Their recipient numbers, in the same order.
            link_ids: The batch's links by ordinal.
        """
        template = self.template
        if template is None:
            return [self._literal] * len(numbers)
        render, base = template.render, self._link_base
        if not link_ids:
            texts = [render(merge or {}) for merge in merges]
        else:
            codes = [encode_many(link_id, numbers) for link_id in link_ids]
            texts = [
                render(merge or {}, [base + code for code in own])
                for merge, *own in zip(merges, *codes, strict=True)
            ]
        return [text.replace(SEPARATOR, " ") if SEPARATOR in text else text for text in texts]


def content_of(batch: Batch) -> Content:
    """The content of a stored batch."""
    if not batch.is_template:
        return Content(None, batch.body)
    return Content(compile_body(batch.body))


def link_ids(batch_id: int) -> list[int]:
    """The batch's links by ordinal. One query."""
    links = Link.objects.filter(batch_id=batch_id).order_by("ordinal")
    return list(links.values_list("pk", flat=True))
