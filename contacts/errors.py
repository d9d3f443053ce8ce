"""Why the contacts app refuses something. Each is a fact with a sentence for a person."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from common.errors import Conflict, DomainError, Invalid, NotFound
from contacts.choices import WayBack


class ContactInvalid(Invalid):
    """Fields of a contact that cannot be used; `fields` has a sentence for each."""

    code = "contact_invalid"

    def __init__(self, fields: Mapping[str, str]) -> None:
        super().__init__(" ".join(fields.values()) + " Nothing was changed.", fields=fields)


class PhoneTaken(Conflict):
    """Another live contact of the account has this number."""

    code = "phone_taken"

    def __init__(self, *, contact_id: int) -> None:
        self.contact_id = contact_id
        sentence = "Another contact has this number. Nothing was changed. Open that one instead."
        super().__init__(sentence, fields={"phone": sentence})


class GroupNameTaken(Conflict):
    """Two groups of an account cannot have the same name."""

    code = "group_name_taken"

    def __init__(self, name: str) -> None:
        sentence = f"There is a group called “{name}” already. Choose another name."
        super().__init__(sentence, fields={"name": sentence})


class NobodyToGroup(Conflict):
    """A list with nobody in it makes no group."""

    code = "nobody_to_group"
    message = "Nobody in this list fits what you chose, so no group was made."


class GroupIsSmart(Conflict):
    """Rules decide who is in a smart group; nobody is put in or taken out by hand."""

    code = "group_is_smart"

    def __init__(self, name: str) -> None:
        sentence = (
            f"Rules decide who is in “{name}”. Nothing was changed. Change its rules, or choose a"
            " group without rules."
        )
        super().__init__(sentence, fields={"group": sentence, "groups": sentence})


class GroupIsStatic(Conflict):
    """People were put into the group by hand; it has no rules and gets none."""

    code = "group_is_static"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"“{name}” has no rules: people are put into it. Nothing was changed. Make a smart"
            " group instead."
        )


class NamedInRules(Conflict):
    """A smart group asks for this; without it, the rule would mean somebody else."""

    asks = ""

    def __init__(self, name: str, *, by: str) -> None:
        asks = self.asks.format(name)
        super().__init__(
            f"The rules of “{by}” ask {asks}. Nothing was changed. Change those rules first."
        )


class GroupInRules(NamedInRules):
    """A smart group asks who is in this group."""

    code = "group_in_rules"
    asks = "who is in “{}”"


class GroupInImport(Conflict):
    """An import is on its way into the group; without it, its people would be in none."""

    code = "group_in_import"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"An import is putting people into “{name}”, so it was not deleted. Wait until it is"
            " done, or cancel it, and delete the group then."
        )


class FieldNameTaken(Conflict):
    """Two fields of an account cannot have the same key."""

    code = "field_name_taken"

    def __init__(self, label: str) -> None:
        sentence = f"There is a field called “{label}” already, or one with almost that name."
        super().__init__(f"{sentence} Nothing was changed.", fields={"label": sentence})


class FieldMisfits(Conflict):
    """Values of contacts do not fit the type that a field was to get.

    Attributes:
        people: How many contacts have such a value.
        values: (value, people) of those that most people have.
    """

    code = "field_misfits"

    def __init__(self, people: int, values: Sequence[tuple[str, int]]) -> None:
        self.people = people
        self.values = values
        whose = (
            "1 person has a value that does"
            if people == 1
            else f"{people:,} people have values that do"
        )
        super().__init__(f"{whose} not fit this type. Nothing was changed. Correct them first.")


class FieldInRules(Conflict):
    """A smart group asks of a field what could no longer be asked."""

    code = "field_in_rules"

    def __init__(self, label: str, *, by: str) -> None:
        super().__init__(
            f"The rules of the smart group “{by}” ask for “{label}”, and could not be asked after"
            " this. Nothing was changed. Change those rules first."
        )


class FieldInImport(Conflict):
    """A list that is on its way in was read under the field's present type."""

    code = "field_in_import"

    def __init__(self, filename: str) -> None:
        super().__init__(
            f"“{filename}” is being imported into this field. Nothing was changed. Finish that"
            " import or throw its file away first."
        )


class TagNameTaken(Conflict):
    """Two tags of an account cannot have the same name."""

    code = "tag_name_taken"

    def __init__(self, name: str) -> None:
        sentence = f"There is a tag called “{name}” already. Choose another name."
        super().__init__(sentence, fields={"name": sentence})


class TagInRules(NamedInRules):
    """A smart group asks who has this tag."""

    code = "tag_in_rules"
    asks = "who has the tag “{}”"


class RulesInvalid(Invalid):
    """Rules that say what cannot be said; `path` is where, such as ``all[1].not``."""

    code = "rules_invalid"

    def __init__(self, code: str, sentence: str, *, path: str = "") -> None:
        self.path = path
        self.sentence = sentence
        at = f" It stands at {path}." if path else ""
        message = f"{sentence}{at} Nothing was changed."
        super().__init__(message, code=code, fields={"rules": f"{sentence}{at}"})


class RuleTargetMissing(NotFound):
    """A rule names a group, tag, blast, campaign or field that is not the account's."""

    code = "rule_target_missing"

    def __init__(self, what: str) -> None:
        sentence = f"A rule names a {what} that does not exist in this account."
        super().__init__(f"{sentence} Nothing was changed.", fields={"rules": sentence})


_WAYS_BACK = {
    WayBack.PERSON: "Only the person can undo that, by texting START to one of your numbers.",
    WayBack.REVIEW: (
        "It was read out of their own words: say under Contacts, Opt-outs to review, whether it was"
        " misread. The person can also text START."
    ),
    WayBack.SHOP: (
        "Your team entered it and can correct it on the contact's page, with the words of proof."
        " The person can also text START."
    ),
}


class OptedOut(Conflict):
    """The phone opted out, and what was tried cannot undo that."""

    code = "opted_out"

    def __init__(self, *, at: datetime, how: str, way_back: WayBack) -> None:
        super().__init__(
            f"This number opted out on {at:%d %b %Y} ({how.lower()}). Nothing was changed."
            f" {_WAYS_BACK[way_back]}"
        )


class ErasureWaits(Conflict):
    """Somebody cannot be erased at this moment; `sentence` says why, and what to do."""

    code = "erasure_waits"

    def __init__(self, sentence: str) -> None:
        super().__init__(f"Nothing was erased. {sentence}")


class ProofMissing(Invalid):
    """An opt-in entered by hand states how the person agreed."""

    code = "proof_missing"

    def __init__(self) -> None:
        sentence = "Say how and when this person agreed to get texts. Nothing was changed."
        super().__init__(sentence, fields={"wording": sentence})


class ReasonMissing(Invalid):
    """An opt-out is taken back only with the reason."""

    code = "reason_missing"

    def __init__(self) -> None:
        sentence = "Say why the text was no request to stop. Nothing was changed."
        super().__init__(sentence, fields={"reason": sentence})


class ReviewClosed(Conflict):
    """There is nothing left to decide about this opt-out."""

    code = "review_closed"

    def __init__(self) -> None:
        super().__init__(
            "This opt-out was reviewed already, or the person has since texted STOP."
            " Nothing was changed."
        )


class OptInInvalid(Invalid):
    """A form or keyword that carriers or the law would not take; `fields` has the sentences."""

    code = "optin_invalid"

    def __init__(self, fields: Mapping[str, str]) -> None:
        super().__init__(" ".join(fields.values()) + " Nothing was changed.", fields=fields)


class KeywordTaken(Conflict):
    """Two opt-in keywords of an account cannot be the same word."""

    code = "keyword_taken"

    def __init__(self, word: str) -> None:
        sentence = f"People can text {word.upper()} already. Choose another word."
        super().__init__(sentence, fields={"word": sentence})


class TooManyRows(Invalid):
    """More rows in one request than it may carry."""

    code = "too_many_rows"

    def __init__(self, *, limit: int) -> None:
        super().__init__(
            f"Send at most {limit:,} rows at a time. Nothing was changed. Larger lists: import a"
            " CSV file."
        )


class FileUnusable(Invalid):
    """An uploaded file that holds no readable rows."""

    code = "file_unusable"


class MappingInvalid(Invalid):
    """The chosen columns cannot be imported."""

    code = "mapping_invalid"


class ImportNotOpen(Conflict):
    """The import is past the step that was asked for."""

    code = "import_not_open"


class StaleRun(DomainError):
    """This run of an import was canceled or taken over; its worker stops and writes nothing."""

    code = "stale_run"


class CountTooLong(Conflict):
    """So many people, or texts to them, that counting takes longer than a page may."""

    code = "count_too_long"
    message = "Counting takes longer than a moment here. Have it counted in the background."


class ListTooLong(Conflict):
    """Finding the people who were asked for takes longer than a page may."""

    code = "list_too_long"
    message = (
        "Finding these people takes longer than a page may. Narrow the list down, or take it as a"
        " file, which is made in the background."
    )
