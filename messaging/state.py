"""Rules by which an outbound message's state moves. Pure: no database, no clock.

Owns rank, finality and the permitted moves. What a carrier's word means as a state is the gateway's
affair (`messaging.gateways`); why a message stands where it does is its `Reason`.

::

    pending --> accepted --> sent --> delivered | undelivered | failed
       |--> refused                  (the carrier refused at once: its answer says why)
       |--> unknown                  (its answer was lost) --> accepted, or its later words
       |                                                   --> pending (proven not accepted)
       \\--> skipped                  (we did not ask: opted out, landline, canceled ...)

`refused` and `failed` differ: refused was never taken by the carrier and costs nothing; failed was
taken (a 201) and never left it. Both carry a reason.

Carriers' callbacks come in any order and repeatedly, so a move is allowed only upward in rank, and
nothing leaves a final state: the first final word wins, later ones are kept as events and change
nothing. `unknown` ranks below `accepted`, since any word of the carrier is better than no answer.
The three acts that open a new attempt (a refusal that is safe to retry, a proof of non-acceptance,
a person's "retry these") are no moves: they put the message back to pending on purpose.
"""

from typing import Final

from messaging.choices import MessageState

RANKS: Final[dict[str, int]] = {
    MessageState.PENDING: 0,
    MessageState.UNKNOWN: 1,
    MessageState.ACCEPTED: 2,
    MessageState.SENT: 3,
    MessageState.DELIVERED: 4,
    MessageState.UNDELIVERED: 4,
    MessageState.FAILED: 4,
    MessageState.REFUSED: 4,
    MessageState.SKIPPED: 4,
}

FINAL: Final[frozenset[str]] = frozenset(state for state, rank in RANKS.items() if rank == 4)

# Only before the carrier has answered can we decide not to ask, or can it refuse.
_ONLY_FROM: Final[dict[str, frozenset[str]]] = {
    MessageState.UNKNOWN: frozenset({MessageState.PENDING}),
    MessageState.REFUSED: frozenset({MessageState.PENDING, MessageState.UNKNOWN}),
    MessageState.SKIPPED: frozenset({MessageState.PENDING}),
}


def rank(state: str) -> int:
    """How far along `state` is: 0 (pending) to 4 (final).

    Raises:
        KeyError: if `state` is not a state of an outbound message (`received` is none).
    """
    return RANKS[state]


def is_final(state: str) -> bool:
    """Whether nothing the carrier says later can change `state`."""
    return state in FINAL


def may_move(old: str, new: str) -> bool:
    """Whether a message of one attempt may go from `old` to `new`.

    Never true for `old == new`: a repeated word is no move. Steps may be left out (a callback
    `delivered` may be the first thing heard), but never taken back.

    Raises:
        KeyError: if either is not a state of an outbound message.
    """
    if RANKS[new] <= RANKS[old]:
        return False
    only_from = _ONLY_FROM.get(new)
    return only_from is None or old in only_from
