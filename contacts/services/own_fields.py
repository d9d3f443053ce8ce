"""Fields of an account's own: made, renamed, given another type, deleted.

Owns that every stored value fits its field's type: a type changes only where all values fit, and
they are written in its form then. Whoever writes values reads the types under a shared lock
(`fields_read`), which a change of types waits for.
"""

import csv
import heapq
import io
from typing import Any, Final

from django.db import connection, transaction

from accounts.models import Account, User
from accounts.services import audit_record
from common.errors import Invalid, NotFound
from contacts.choices import FieldKind, ImportStatus
from contacts.errors import FieldInImport, FieldInRules, FieldMisfits, FieldNameTaken, RulesInvalid
from contacts.field_types import FieldType, options_read, value_read, words
from contacts.fields import CUSTOM_PREFIX, CustomReader, FieldError, clean_custom_value, custom_key
from contacts.models import ContactImport, CustomField, Group
from contacts.rules import Field, leaves, parse, plain
from contacts.rules_typed import typed
from contacts.selectors import custom_reader

_LABEL_LENGTH: Final = 80
_ADVISORY_CLASS: Final = 0x0F1E
_MISFITS_SHOWN: Final = 50
# What a field holds: of contacts, and of those that the undo of an import would write again.
# Whoever was deleted is nobody that a person could correct, so only `people` can refuse a type.
_VALUES: Final = """
    SELECT v, sum(people)::bigint FROM (
        SELECT c.custom ->> %(key)s AS v, count(*) FILTER (WHERE c.deleted_at IS NULL) AS people
        FROM contacts_contact c
        WHERE c.account_id = %(account)s AND c.custom ? %(key)s
        GROUP BY 1
        UNION ALL
        SELECT h.before -> 'custom' ->> %(key)s, 0
        FROM contacts_importchange h
        WHERE h.contact_import_id IN (SELECT i.id FROM contacts_contactimport i
                WHERE i.account_id = %(account)s AND i.merged_at IS NOT NULL)
            AND h.before -> 'custom' ? %(key)s
    ) held
    WHERE v <> ''
    GROUP BY 1
"""
_KEPT: Final = """
    CREATE TEMPORARY TABLE field_kept (old text PRIMARY KEY, new text) ON COMMIT DROP
"""
# A value with nothing to be kept of it goes. Contacts in the order in which merges write them.
_REWRITE: Final = (
    """
    UPDATE contacts_contact c
    SET custom = CASE WHEN k.new IS NULL THEN c.custom - %(key)s
        ELSE jsonb_set(c.custom, ARRAY[%(key)s], to_jsonb(k.new)) END
    FROM (
        SELECT o.id, f.new FROM contacts_contact o JOIN field_kept f ON f.old = o.custom ->> %(key)s
        WHERE o.account_id = %(account)s ORDER BY o.phone FOR NO KEY UPDATE OF o
    ) k
    WHERE c.id = k.id
    """,
    """
    UPDATE contacts_importchange h
    SET before = CASE WHEN k.new IS NULL THEN h.before #- ARRAY['custom', %(key)s]
        ELSE jsonb_set(h.before, ARRAY['custom', %(key)s], to_jsonb(k.new)) END
    FROM field_kept k
    WHERE k.old = h.before -> 'custom' ->> %(key)s
        AND h.contact_import_id IN (SELECT i.id FROM contacts_contactimport i
            WHERE i.account_id = %(account)s AND i.merged_at IS NOT NULL)
    """,
)
_FORGET: Final = (
    """
    UPDATE contacts_contact c SET custom = c.custom - %(key)s
    FROM (
        SELECT o.id FROM contacts_contact o
        WHERE o.account_id = %(account)s AND o.custom ? %(key)s
        ORDER BY o.phone FOR NO KEY UPDATE OF o
    ) k
    WHERE c.id = k.id
    """,
    """
    UPDATE contacts_importchange h SET before = h.before #- ARRAY['custom', %(key)s]
    WHERE h.before -> 'custom' ? %(key)s
        AND h.contact_import_id IN (SELECT i.id FROM contacts_contactimport i
            WHERE i.account_id = %(account)s AND i.merged_at IS NOT NULL)
    """,
)


@transaction.atomic
def custom_field_create(
    *,
    account: Account,
    actor: User | None,
    label: str,
    kind: str = FieldKind.TEXT,
    options: str = "",
) -> CustomField:
    """Make a field; its key is made of the label and stays.

    Args:
        account: Whose.
        actor: Who makes it.
        label: What it is called.
        kind: A FieldKind.
        options: Of a choice, one a line.

    Raises:
        Invalid: the label or the options cannot be used.
        FieldNameTaken: there is a field with this key.
        FieldInImport: a list that is on its way in fills a field of this name.

    Locks: the account's fields.
    """
    label, own = _read(label, kind, options)
    key = custom_key(label)
    if not key:
        raise _invalid("label", "Give the field a name with letters a to z.")
    _lock(account)
    if CustomField.objects.filter(account=account, key=key).exists():
        raise FieldNameTaken(label)
    _imports_check(account, key)
    field = CustomField.objects.create(
        account=account, key=key, label=label, kind=own.kind, options=own.options
    )
    _audit(account, actor, "field.created", field)
    return field


@transaction.atomic
def custom_field_change(
    *,
    account: Account,
    actor: User | None,
    field_id: int,
    label: str,
    kind: str,
    options: str = "",
) -> CustomField:
    """Give a field another name or type. Its key stays, and so do texts and rules that use it.

    Args:
        account: Whose.
        actor: Who changes it.
        field_id: A field of the account.
        label: What it is called from now on.
        kind: A FieldKind.
        options: Of a choice, one a line.

    Raises:
        Invalid: the label or the options cannot be used.
        NotFound: no such field in the account.
        FieldMisfits: values of contacts do not fit the type; nothing is changed.
        FieldInRules: a smart group asks what can no longer be asked of it.
        FieldInImport: a list that is on its way in fills it.

    Locks: the account's fields; smart groups whose rules name it; contacts whose value is written
        anew, in the order of phones.
    """
    label, own = _read(label, kind, options)
    _lock(account)
    field = _get(account, field_id)
    before = (field.kind, list(field.options))
    field.label, field.kind, field.options = label, own.kind, list(own.options)
    if (field.kind, field.options) != before:
        _imports_check(account, field.key)
        _rules_fit(account, field.key, own)
        _values_fit(account, field.key, own, before[0])
    field.save(update_fields=["label", "kind", "options"])
    _audit(account, actor, "field.changed", field)
    return field


@transaction.atomic
def custom_field_delete(*, account: Account, actor: User | None, field_id: int) -> CustomField:
    """Delete a field with everybody's value.

    A text that uses it is refused when it is to be sent.

    Raises:
        NotFound: no such field in the account.
        FieldInRules: a smart group's rules ask for it.
        FieldInImport: a list that is on its way in fills it.

    Locks: the account's fields; contacts that have a value, in the order of phones.
    """
    _lock(account)
    field = _get(account, field_id)
    _imports_check(account, field.key)
    for group, asked in _groups_naming(account, field.key):
        if asked:
            raise FieldInRules(field.label, by=group.name)
    with connection.cursor() as cursor:
        for statement in _FORGET:
            cursor.execute(statement, {"account": account.pk, "key": field.key})
    _audit(account, actor, "field.deleted", field)
    field.delete()
    return field


def fields_read(account: Account) -> CustomReader:
    """How the account's fields are read; their types stay as they are to the transaction's end.

    Locks: the account's fields, shared with others who write values.
    """
    _lock(account, shared=True)
    return custom_reader(account=account)


def fields_hold(account: Account) -> None:
    """Keep the types of the account's fields as they are to the transaction's end.

    Locks: as `fields_read`.
    """
    _lock(account, shared=True)


def _lock(account: Account, *, shared: bool = False) -> None:
    lock = "pg_advisory_xact_lock_shared" if shared else "pg_advisory_xact_lock"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {lock}(%s, hashint8(%s))", [_ADVISORY_CLASS, account.pk])


def _get(account: Account, field_id: int) -> CustomField:
    field = CustomField.objects.filter(account=account, pk=field_id).first()
    if field is None:
        raise NotFound
    return field


def _read(label: str, kind: str, options: str) -> tuple[str, FieldType]:
    """(label, type) as they can be kept.

    Raises:
        Invalid: they cannot be used.
    """
    label = " ".join(clean_custom_value("label", label[:500]).split())
    if not label or len(label) > _LABEL_LENGTH:
        raise _invalid("label", f"Give the field a name of at most {_LABEL_LENGTH} characters.")
    if kind not in FieldKind.values:
        raise _invalid("kind", f"A field can hold: {', '.join(FieldKind.values)}.")
    if kind != FieldKind.CHOICE:
        return label, FieldType(kind, (), label)
    try:
        chosen = options_read(options)
    except FieldError as error:
        raise _invalid("options", error.sentence) from error
    if not chosen:
        raise _invalid("options", "Write down what there is to choose from, one a line.")
    return label, FieldType(kind, tuple(chosen), label)


def _invalid(name: str, sentence: str) -> Invalid:
    return Invalid(f"{sentence} Nothing was changed.", fields={name: sentence})


def _imports_check(account: Account, key: str) -> None:
    """See that no list was read under the old type and waits to be written.

    Raises:
        FieldInImport: one was.
    """
    under_way = (ImportStatus.QUEUED, ImportStatus.RUNNING, ImportStatus.CHECKED)
    found = ContactImport.objects.filter(
        account=account, status__in=under_way, mapping__contains=[CUSTOM_PREFIX + key]
    ).first()
    if found is not None:
        raise FieldInImport(found.filename)


def _groups_naming(account: Account, key: str) -> list[tuple[Group, list[Field]]]:
    """Smart groups, locked, each with the rules that ask for the field."""
    groups = Group.objects.select_for_update(no_key=True).filter(
        account=account, rules__isnull=False
    )
    name = CUSTOM_PREFIX + key
    return [
        (
            group,
            [
                leaf
                for leaf in leaves(parse(group.rules))
                if isinstance(leaf, Field) and leaf.field == name
            ],
        )
        for group in groups.order_by("pk")
    ]


def _rules_fit(account: Account, key: str, own: FieldType) -> None:
    """Write the rules that ask for the field as its type has them.

    Raises:
        FieldInRules: one asks what cannot be asked of the type.
    """
    for group, asked in _groups_naming(account, key):
        if not asked:
            continue
        try:
            group.rules = plain(typed(parse(group.rules), {key: own}))
        except RulesInvalid as error:
            raise FieldInRules(own.label, by=group.name) from error
        group.save(update_fields=["rules"])


def _values_fit(account: Account, key: str, own: FieldType, was: str) -> None:
    """Write every value as the type has it, read from the words in which the old one said it.

    The values of an account may be a million: they pass through Python one by one, so that what
    fits here is what fits in a form, and only those that change are held.

    Raises:
        FieldMisfits: some do not fit.
    """
    people_misfit, most = 0, list[tuple[int, str]]()
    changed = io.StringIO()
    writer = csv.writer(changed)
    params: dict[str, Any] = {"account": account.pk, "key": key}
    with connection.chunked_cursor() as cursor:
        cursor.execute(_VALUES, params)
        for value, people in cursor:
            kept = _kept(account, key, own, words(was, value))
            if kept is None and people:
                people_misfit += people
                heapq.heappush(most, (people, value))
                if len(most) > _MISFITS_SHOWN:
                    heapq.heappop(most)
            elif kept != value:
                writer.writerow((value, kept))
    if people_misfit:
        told = [(value, people) for people, value in sorted(most, reverse=True)]
        raise FieldMisfits(people_misfit, told)
    changed.seek(0)
    with connection.cursor() as cursor:
        cursor.execute(_KEPT)
        cursor.copy_expert("COPY field_kept FROM STDIN WITH (FORMAT csv)", changed)
        for statement in _REWRITE:
            cursor.execute(statement, params)
        cursor.execute("DROP TABLE field_kept")


def _kept(account: Account, key: str, own: FieldType, value: str) -> str | None:
    """The value as the type keeps it; None where it does not fit."""
    try:
        return value_read(key, own, value, account.default_country)
    except FieldError:
        return None


def _audit(account: Account, actor: User | None, action: str, field: CustomField) -> None:
    audit_record(
        account=account,
        actor=actor,
        action=action,
        subject=field.label,
        data={"key": field.key, "kind": field.kind, "options": field.options},
    )
