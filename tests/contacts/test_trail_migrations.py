"""How the trail came to name the public form by its title."""

from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import Account, AuditEvent, User
from accounts.services import audit_record
from contacts.models import OptInForm

pytestmark = pytest.mark.django_db


def test_a_form_that_was_named_by_its_address_is_named_by_its_title(
    shop: Account, other_shop: Account, alice: User, migrate: Callable[..., None]
) -> None:
    of: dict[str, Any] = {"wording": "Yes", "frequency": "Up to 4"}
    form = OptInForm.objects.create(account=shop, token="a" * 22, title="Join us", **of)
    OptInForm.objects.create(account=other_shop, token="b" * 22, title="Cheese", **of)

    def changed(account: Account, subject: str, **data: str) -> int:
        action = "optin.form_changed"
        return audit_record(
            account=account, actor=alice, action=action, subject=subject, data=data
        ).pk

    ids = [
        changed(shop, form.token, title="Garden news"),
        changed(shop, form.token),
        changed(shop, "Newer", title="Newer"),
        changed(other_shop, form.token, title="Not theirs"),
    ]

    migrate("contacts", "0023_forms_by_name_in_the_trail")

    found = dict(AuditEvent.objects.filter(pk__in=ids).values_list("pk", "subject"))
    assert [found[pk] for pk in ids] == ["Garden news", "Join us", "Newer", form.token]
