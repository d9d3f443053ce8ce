"""How often Python looks for cycles of objects, in processes whose work makes none.

Looking every 700 objects, as is usual, goes through everything that is under way again and again,
and now and then through all of Django: a tenth of sending, much of the edge's own work at a
webhook (docs/performance.md).
"""

import gc
from typing import Final

# Objects made and not yet given back before Python looks.
_COLLECT_EVERY: Final = 100_000


def collect_rarely() -> None:
    """Leave out what is there already, and look at the rest rarely. Once, when a process is up."""
    gc.freeze()
    gc.set_threshold(_COLLECT_EVERY, *gc.get_threshold()[1:])
