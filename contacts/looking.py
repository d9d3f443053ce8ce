"""What looking for people may cost a page: some seconds, then a sentence instead of a wait.

Rules, and what stands in own fields, can ask for what no index finds.
"""

from contextlib import AbstractContextManager
from typing import Final

from common.deadline import within
from contacts.errors import ListTooLong

LOOK_S: Final = 3.0


def looking() -> AbstractContextManager[None]:
    """Each statement inside is given up after a few seconds. Reads only.

    Raises:
        ListTooLong: one took longer.
    """
    return within(LOOK_S, late=ListTooLong)
