"""What a message costs in credits. Pure.

Owns the price of a route; balances and the ledger are accounts'.
"""

from typing import Final

CREDITS_PER_SEGMENT: Final = 1


def credits_for(segments: int) -> int:
    """Credits that a message of `segments` segments costs."""
    return segments * CREDITS_PER_SEGMENT
