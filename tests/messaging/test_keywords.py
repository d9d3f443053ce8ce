from collections.abc import Callable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from messaging.keywords import HELP_WORDS, START_WORDS, STOP_WORDS, KeywordKind, classify, normalise

STOPS = """
stop|Stop|STOP|Stop.|STOP!|STOP!!!|“stop”|"STOP"|'Stop'|‘stop’|(stop)|*STOP*|_stop_|stop 🛑
🛑STOP🛑|STOP\\n|\\n stop \\t|ＳＴＯＰ|𝗦𝗧𝗢𝗣|S.T.O.P.|S T O P|st\u200bop|stop stop|STOP. STOP. STOP
Stop-|stop️|STOPALL|Stop all|STOP-ALL|stop, all|unsubscribe|Unsubscribe.|UN-SUBSCRIBE|cancel
Cancel!|END|End.|quit|QUIT|REVOKE|revoke.|OPTOUT|opt-out|OPT OUT|Opt out.|opt  out|“Opt-Out”
remove|REMOVE.|ARRET|arrêt|ARRÊT
"""
STARTS = "start|START|Start!|“start”|yes|YES.|Yes!|unstop|UNSTOP|un-stop|start 👍"
HELPS = "help|HELP|Help!|help?|info|INFO|“info”|help 🙏"

ASK_TO_BE_LEFT_ALONE = """
please stop texting me|Please stop|stop please|STOP PLEASE!!|stop now|Stop it|stop this
stop texting|Stop sending me messages|stop messaging me|stop contacting me|stop these texts
Stop all messages|stop spamming me|quit texting me|can you stop texting me?
could you please stop sending these|take me off your list|Take me off this list please
please remove me|remove me from your list|Remove my number|delete my number please
get me off this list|take my number off your list|wrong number stop|STOP wrong number
TD|Wrong number|you have the wrong number|sorry, wrong person|unsubscribe me|Please unsubscribe
how do I unsubscribe?|I can't unsubscribe|I want to opt out|I’d like to stop receiving these
opt me out|opt me out please
please opt us out|I'd like to opt out of this|don't text me|Do not text me again
dont contact me anymore|never text this number again|do not message me
don't send me any more texts|no more texts|No more messages please|I don't want these texts
i dont want to receive your messages|do not want to hear from you|leave me alone
Lose my number|f off|not interested|No thanks, not interested.|I'm not interested
I revoke my consent|I withdraw consent|how do i stop these|how to stop this
cancel my subscription|Cancel these alerts|end these messages|make it stop
I want this to stop|I said stop|hey stop|no stop|stopp|Stopp!|stpo|sotp|stoo|st0p|sto
unsubcribe|unsuscribe|Unsubscribed|stopall please|Stop\\nSent from my iPhone
STOP\\n\\n-- \\nAnn|🛑|✋🛑|Stop. I'm serious|STOP i mean it|I am blocking this number
"""

LEAVE_ALONE_NOT = """
I can't stop smiling|don't stop|Don't stop!|dont ever stop|when does it end?
When does the sale end? Text me|I won't stop coming back|never stop
please don't stop texting me|do not unsubscribe me|dont opt me out|Can I stop by later?
I'll stop by tomorrow|stop by the store|Stop in today?|bus stop|next stop|one stop shop
non stop|When does it stop?|will it ever stop|Where is the bus stop|I'm at the stop
let's stop and eat|cancel my order|Can I cancel my appointment?|how do I return it|the end
weekend|End of the month?|ended|help me|can you help?|more info|start over|start now
yes please|Yes I want it|YES!! 2 tickets|remove the onions please|take me to the sale
get me two|drop me off at the mall|did my order get lost?|first off, thanks|50 off?
is it forty off|shop|Shop now|step|top|post|spot|tops|story|Quitting time
Liked “Sale today! Reply STOP to opt out”|Loved “Reply STOP to unsubscribe”|👍 to “STOP”
Reacted 😂 to “Reply STOP to stop”|Laughed at “Text STOP to end”
Removed a like from “Txt STOP 2 end”|Emphasized “stop texting”
what does Reply STOP to opt out mean|not interested in that size, other colors?|who is this?
ok|thanks|no|👍|!!!|...|12345|When will you stop by?|I missed my stop|stop light is out
"""


def _table(text: str) -> list[str]:
    rows = text.strip().replace("\n", "|").split("|")
    return [row.replace("\\n", "\n").replace("\\t", "\t") for row in rows if row]


@pytest.mark.parametrize("text", _table(STOPS))
def test_stop(text: str) -> None:
    seen = classify(text)

    assert seen.kind == KeywordKind.STOP
    assert seen.matched in STOP_WORDS
    assert not seen.likely_opt_out
    assert seen.wording == text.strip()


@pytest.mark.parametrize("text", _table(STARTS))
def test_start(text: str) -> None:
    seen = classify(text)

    assert (seen.kind, seen.likely_opt_out) == (KeywordKind.START, False)
    assert seen.matched in START_WORDS


@pytest.mark.parametrize("text", _table(HELPS))
def test_help(text: str) -> None:
    seen = classify(text)

    assert (seen.kind, seen.likely_opt_out) == (KeywordKind.HELP, False)
    assert seen.matched in HELP_WORDS


@pytest.mark.parametrize("text", _table(ASK_TO_BE_LEFT_ALONE))
def test_asking_in_own_words_is_a_likely_opt_out(text: str) -> None:
    seen = classify(text)

    assert (seen.kind, seen.likely_opt_out) == (KeywordKind.NONE, True)
    assert seen.matched


@pytest.mark.parametrize("text", _table(LEAVE_ALONE_NOT))
def test_everyday_texts_mean_nothing_for_consent(text: str) -> None:
    seen = classify(text)

    assert (seen.kind, seen.matched, seen.likely_opt_out) == (KeywordKind.NONE, "", False)


def test_an_accounts_own_words_count_and_stop_wins() -> None:
    assert classify("No deals!", extra_stop=["no-deals"]).kind == KeywordKind.STOP
    assert classify("Join.", extra_start=["JOIN"]).kind == KeywordKind.START
    assert classify("bye", extra_stop=["bye"], extra_start=["bye"]).kind == KeywordKind.STOP
    assert classify("stop", extra_start=["stop"]).kind == KeywordKind.STOP
    assert classify("", extra_stop=["", " !"]).kind == KeywordKind.NONE


@pytest.mark.parametrize("word", sorted(HELP_WORDS))
def test_help_cannot_be_taken_away_by_an_accounts_own_words(word: str) -> None:
    seen = classify(word, extra_stop=[word], extra_start=[word])

    assert seen.kind == KeywordKind.HELP


@pytest.mark.parametrize("words", ["please stop", "TD", "no more texts", "stop please", "stopp"])
def test_no_own_start_word_turns_a_wish_to_be_left_alone_around(words: str) -> None:
    seen = classify(words, extra_start=[words])

    assert (seen.kind, seen.likely_opt_out) == (KeywordKind.NONE, True)


def test_the_wording_kept_as_proof_is_bounded() -> None:
    seen = classify("please stop texting me " + "x" * 10_000)

    assert seen.likely_opt_out
    assert len(seen.wording) == 500


@given(st.text())
def test_any_text_gets_one_meaning(text: str) -> None:
    seen = classify(text)

    assert (seen.matched == "") is (seen.kind == KeywordKind.NONE and not seen.likely_opt_out)
    assert not (seen.likely_opt_out and seen.kind != KeywordKind.NONE)


@given(
    st.sampled_from(sorted(STOP_WORDS)),
    st.text(alphabet=" .,!?\"'“”‘’()*-_…\n\t🛑👍\u00a0\ufe0f", max_size=6),
    st.text(alphabet=" .,!?\"'“”‘’()*-_…\n\t🛑👍\u00a0\ufe0f", max_size=6),
    st.sampled_from([str.upper, str.lower, str.title]),
)
def test_a_stop_word_in_any_dress_is_stop(
    word: str, before: str, after: str, case: Callable[[str], str]
) -> None:
    assert classify(before + case(word) + after).kind == KeywordKind.STOP


@given(
    st.sampled_from(sorted(STOP_WORDS | START_WORDS | HELP_WORDS)),
    st.lists(st.text(max_size=40), max_size=5),
    st.lists(st.text(max_size=40), max_size=5),
)
def test_no_words_of_an_account_change_what_the_fixed_words_mean(
    word: str, stop: list[str], start: list[str]
) -> None:
    assert classify(word, stop, start) == classify(word)


@given(st.text(alphabet=st.characters(categories=["L", "N"]), min_size=1, max_size=40))
def test_any_word_an_account_adds_is_matched(word: str) -> None:
    # One letter can be many once it is made plain; longer words are no keywords.
    assume(0 < len(normalise(word)) <= 40)

    assert classify(word, extra_stop=[word]).kind != KeywordKind.NONE


@given(st.text(alphabet="stop unsubcrie dontme,.\n", max_size=400))
def test_long_near_misses_do_not_raise(text: str) -> None:
    classify(text * 20)
