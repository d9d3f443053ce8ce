"""What looking for people may cost a page: some seconds, then a sentence instead of a wait.

Rules, and what stands in own fields, can ask for what no index finds.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from common.deadline import TimeUp, within
from contacts.errors import ListTooLong

LOOK_S: Final = 3.0


@contextmanager
def looking() -> Iterator[None]:
    """Each statement inside is given up after a few seconds. Reads only.

    Raises:
        ListTooLong: one took longer.
    """
    try:
        with within(LOOK_S):
            yield
    except TimeUp as error:
        raise ListTooLong from error
