from itertools import permutations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging import state
from messaging.choices import MessageState as S

OUTBOUND = [one for one in S if one != S.RECEIVED]

# Every permitted move, as drawn in the module; all others are refused.
MOVES = {
    S.PENDING: {
        S.UNKNOWN,
        S.ACCEPTED,
        S.SENT,
        S.DELIVERED,
        S.UNDELIVERED,
        S.FAILED,
        S.REFUSED,
        S.SKIPPED,
    },
    S.UNKNOWN: {S.ACCEPTED, S.SENT, S.DELIVERED, S.UNDELIVERED, S.FAILED, S.REFUSED},
    S.ACCEPTED: {S.SENT, S.DELIVERED, S.UNDELIVERED, S.FAILED},
    S.SENT: {S.DELIVERED, S.UNDELIVERED, S.FAILED},
    S.DELIVERED: set(),
    S.UNDELIVERED: set(),
    S.FAILED: set(),
    S.REFUSED: set(),
    S.SKIPPED: set(),
}


def test_every_outbound_state_has_a_rank() -> None:
    assert set(state.RANKS) == set(OUTBOUND)


@pytest.mark.parametrize(("old", "new"), list(product(OUTBOUND, OUTBOUND)))
def test_moves_are_exactly_those_drawn(old: S, new: S) -> None:
    assert state.may_move(old, new) is (new in MOVES[old])


def test_plain_strings_from_the_database_work_like_the_enum() -> None:
    assert state.rank("sent") == 3
    assert state.may_move("sent", "delivered")
    assert not state.may_move("delivered", "sent")
    assert state.is_final("failed")


def test_inbound_messages_have_no_outbound_rank() -> None:
    with pytest.raises(KeyError):
        state.rank(S.RECEIVED)


@pytest.mark.parametrize("order", list(permutations([S.ACCEPTED, S.SENT, S.DELIVERED])))
def test_callbacks_in_any_order_end_at_the_final_state(order: tuple[S, ...]) -> None:
    at: S = S.PENDING

    for word in order:
        if state.may_move(at, word):
            at = word

    assert at == S.DELIVERED


@given(st.lists(st.sampled_from(OUTBOUND), max_size=30))
def test_rank_never_falls_and_the_first_final_word_wins(words: list[S]) -> None:
    at: S = S.PENDING

    for word in words:
        before = at
        if state.may_move(at, word):
            at = word
        assert state.rank(at) >= state.rank(before)
        if state.is_final(before):
            assert at == before
