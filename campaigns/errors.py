"""Why the campaigns app refuses something. Each is a fact with a sentence for a person."""

from collections.abc import Sequence
from datetime import timedelta

from common.errors import Conflict, Invalid, NotAllowed


class NameInvalid(Invalid):
    """A campaign or blast needs a name of reasonable length."""

    code = "name_invalid"

    def __init__(self, *, limit: int) -> None:
        sentence = f"Give it a name of up to {limit} characters."
        super().__init__(sentence, fields={"name": sentence})


class CampaignArchived(Conflict):
    """Nothing new is written into an archived campaign."""

    code = "campaign_archived"
    message = "This campaign is archived. Bring it back first, or choose another one."


class AudienceTooLong(Conflict):
    """Counting whom a draft reaches, and for how much, takes longer than a page may."""

    code = "audience_too_long"
    message = (
        "Counting these people takes longer than a page may. You can save this and send it all the"
        " same: who is texted and what it costs is counted then. To see it before, choose fewer"
        " groups, or groups with simpler rules."
    )


class BlastNotEditable(Conflict):
    """What was scheduled or sent cannot be rewritten."""

    code = "blast_not_editable"
    message = (
        "This blast is scheduled or sent, so its text and people stay as they are. Take it back"
        " first, or use it again as a new draft."
    )


class BlastNotMovable(Conflict):
    """Another day is only for what has not gone out."""

    code = "blast_not_movable"
    message = (
        "Only a draft or a blast that still waits can be moved. One that repeats gets another rule"
        " instead: open it and change those to come."
    )


class BlastNotScheduled(Conflict):
    """There is no schedule to take back."""

    code = "blast_not_scheduled"
    message = "This blast is not waiting to be sent. Reload the page to see where it stands."


class BlastGone(Conflict):
    """Undo came after the launch."""

    code = "blast_gone"
    message = (
        "It has begun to go out, so it cannot be undone as a whole. You can still pause it, or"
        " cancel what is left."
    )


class ApprovalMissing(Conflict):
    """The account lets no blast of this size go without a second person."""

    code = "approval_missing"
    message = (
        "A second person has to approve this blast first. Ask for it from the draft, which is kept."
    )


class ApprovalVoid(Conflict):
    """What was approved is not what would be sent."""

    code = "approval_void"

    def __init__(self, changed: Sequence[str]) -> None:
        """Take what changed, as noun phrases: "its text"."""
        self.changed = list(changed)
        super().__init__(
            "Since it was asked or approved something changed, so the approval no longer holds:"
            f" {', '.join(changed)}. Ask for it again; the draft is kept."
        )


class ApprovalGone(Conflict):
    """Somebody was faster, or the request was replaced."""

    code = "approval_gone"
    message = "This request was decided or replaced meanwhile. Reload the page."


class ApprovalOwn(NotAllowed):
    """Nobody approves their own blast."""

    code = "approval_own"
    message = "You wrote or asked for this blast, so somebody else has to approve it."


class BlastRepeats(Conflict):
    """A repeating blast is ended as a series, not canceled as one blast."""

    code = "blast_repeats"
    message = "This blast repeats. Pause it, skip the next one, or end it on its page."


class SeriesOver(Conflict):
    """A series without another occurrence cannot be changed."""

    code = "series_over"
    message = "This one has ended. Use it again as a new draft instead."


class OccurrenceGone(Conflict):
    """Only an occurrence that is still to come can be skipped or brought back."""

    code = "occurrence_gone"
    message = "Nothing of this goes out on that day any more. Reload the page to see what comes."


class OccurrenceSent(Conflict):
    """Of what was made already, only its own blast can be held."""

    code = "occurrence_sent"
    message = "It has gone out or is going out: open its report to pause or cancel it."


class OccurrenceFar(Conflict):
    """Nothing is scheduled further ahead, so nothing is left out there."""

    code = "occurrence_far"
    message = "Only the year to come can be skipped."


class SeriesNotPaused(Conflict):
    """Only what is paused can be resumed."""

    code = "series_not_paused"
    message = "It is not paused. Reload the page to see where it stands."


class SeriesNeverDue(Invalid):
    """A rule without a day to come would never send anything."""

    code = "series_never_due"

    def __init__(self) -> None:
        sentence = "No day of this rule is still to come. Choose a later end. The draft is kept."
        super().__init__(sentence, fields={"ends_on": sentence})


class RuleInvalid(Invalid):
    """A rule of repetition that makes no sense."""

    code = "rule_invalid"

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(f"{sentence} Nothing was changed.", fields={field: sentence})


class BlastNotRunning(Conflict):
    """Pause, resume and cancel need a blast that was launched."""

    code = "blast_not_running"
    message = "This blast has not been sent yet, so there is nothing to hold back."


class TextMissing(Invalid):
    """A blast needs a text."""

    code = "text_missing"

    def __init__(self) -> None:
        sentence = "Write the text first. The draft is kept."
        super().__init__(sentence, fields={"body": sentence})


class AudienceMissing(Invalid):
    """A blast needs at least one group."""

    code = "audience_missing"

    def __init__(self) -> None:
        sentence = "Choose at least one group of people to text. The draft is kept."
        super().__init__(sentence, fields={"groups": sentence})


class NobodyTextable(Invalid):
    """The groups hold nobody who may be texted."""

    code = "nobody_textable"

    def __init__(self, *, people: int) -> None:
        sentence = (
            "Nobody is in the groups you chose. The draft is kept; add people to a group or choose"
            " another one."
            if people == 0
            else f"None of the {people:,} people in these groups can be texted; the reasons stand"
            " beside the text. The draft is kept."
        )
        super().__init__(sentence, fields={"groups": sentence})


class SchedulePast(Invalid):
    """A blast cannot be sent in the past."""

    code = "schedule_past"

    def __init__(self) -> None:
        sentence = "That time has passed. Choose a later one, or send now. The draft is kept."
        super().__init__(sentence, fields={"scheduled_at": sentence})


class ScheduleTooFar(Invalid):
    """Schedules further ahead than anybody plans are typing errors."""

    code = "schedule_too_far"

    def __init__(self, *, limit: timedelta) -> None:
        sentence = f"Choose a time within the next {limit.days} days. The draft is kept."
        super().__init__(sentence, fields={"scheduled_at": sentence})


class TestPhoneUnverified(Conflict):
    """A test goes only to a phone that somebody of the account proved to hold."""

    __test__ = False  # not pytest's
    code = "test_phone_unverified"
    message = (
        "A test goes only to a phone of yours. Verify it under Settings, Numbers, then send again."
    )


class TemplateNotApproved(Conflict):
    """The account's rule lets only approved templates out."""

    code = "template_not_approved"
    message = (
        "Here only approved templates are sent, word for word. Start from one under Templates, or"
        " save this text as a template and ask an admin to approve it. The draft is kept."
    )

    def __init__(self) -> None:
        super().__init__(fields={"body": self.message})
