"""The pages of a smart group: building it, counting as one types, changing and deleting."""

import re

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Account, User
from contacts.models import Group, GroupMember
from contacts.services import contact_upsert, group_create

pytestmark = pytest.mark.django_db
ANN_OR_BEN = {
    "match": "all",
    "b0.match": "any",
    "b0.r0.what": "first_name",
    "b0.r0.op": "is",
    "b0.r0.value": "ann",
    "b0.r1.what": "first_name",
    "b0.r1.op": "is",
    "b0.r1.value": "ben",
}


@pytest.fixture
def page(alice: User, people: None) -> Client:
    client = Client()
    client.force_login(alice)
    return client


@pytest.fixture
def people(shop: Account) -> None:
    for n, name in enumerate(("Ann", "Ben", "Cleo")):
        contact_upsert(account=shop, actor=None, phone=f"+1305555010{n}", first_name=name)


def _count(html: str) -> str:
    found = re.search(r'id="people"[^>]*>(.*?)</p>', html, re.DOTALL)
    assert found is not None
    return " ".join(re.sub(r"<[^>]+>", "", found[1]).split())


def test_make_change_and_delete_a_smart_group(page: Client, shop: Account) -> None:
    made = page.post(reverse("group_smart"), {**ANN_OR_BEN, "name": "Two", "act": "save"})
    group = Group.objects.get(account=shop)
    shown = page.get(made["Location"]).content.decode()

    rules = reverse("group_rules", args=[group.pk])
    form = page.get(rules).content.decode()
    changed = {**ANN_OR_BEN, "b0.match": "none", "name": "Others", "act": "save"}
    page.post(rules, changed)
    after = page.get(reverse("group_detail", args=[group.pk])).content.decode()
    group.refresh_from_db()
    listed = page.get(reverse("group_list")).content.decode()
    page.post(reverse("group_delete", args=[group.pk]))

    assert made["Location"] == reverse("group_detail", args=[group.pk])
    assert "2 of 3 people fit its rules now." in shown
    assert "First name is “ann”" in shown
    assert ("Take out" in shown, "Add one" in shown) == (False, False)
    assert _count(form) == "2 of 3 people match now."
    assert 'value="ben"' in form
    assert "1 of 3 people fit its rules now." in after
    assert ("Cleo" in after, ">Ann<" in after) == (True, False)
    assert (group.name, group.people) == ("Others", 1)
    assert "smart" in listed
    assert not Group.objects.exists()


def test_the_count_follows_the_rules_and_keeps_nothing(page: Client) -> None:
    htmx = {"HX-Request": "true"}
    answers = [
        page.post(reverse("group_smart"), posted, headers=htmx).content.decode()
        for posted in (
            {},
            {**ANN_OR_BEN, "name": ""},
            {**ANN_OR_BEN, "act": "drop:0:1"},
            {**ANN_OR_BEN, "b0.r1.value": ""},
            {**ANN_OR_BEN, "act": "block"},
        )
    ]

    unfinished = "Fill in every rule: the number of people who match stands here."
    assert [_count(answer) for answer in answers] == [
        unfinished,
        "2 of 3 people match now.",
        "1 of 3 people match now.",
        unfinished,
        "2 of 3 people match now.",
    ]
    assert ["<html" in answer for answer in answers] == [False] * 5
    assert 'role="alert"' not in "".join(answers)
    assert answers[-1].count("<fieldset") == 2
    assert not Group.objects.exists()


def test_without_scripts_the_buttons_show_the_whole_page_again(page: Client) -> None:
    answer = page.post(reverse("group_smart"), {**ANN_OR_BEN, "name": "Two", "act": "row:0"})

    html = answer.content.decode()
    assert answer.status_code == 200
    assert ('value="Two"' in html, 'name="b0.r2.what"' in html) == (True, True)
    assert _count(html) == "2 of 3 people match now."


@pytest.mark.parametrize(
    ("posted", "sentence"),
    [
        ({"name": "X", "match": "all"}, "Choose at least one thing to ask."),
        ({**ANN_OR_BEN, "name": ""}, "This field is required."),
        ({**ANN_OR_BEN, "name": "Taken"}, "There is a group called “Taken” already."),
        ({**ANN_OR_BEN, "name": "X", "b0.r1.value": ""}, "Fill in the value of this rule."),
        ({**ANN_OR_BEN, "name": "X", "b0.r1.what": "secret"}, "There is no such field."),
    ],
)
def test_what_cannot_be_kept_is_said_and_what_was_typed_stays(
    page: Client, shop: Account, posted: dict[str, str], sentence: str
) -> None:
    group_create(account=shop, actor=None, name="Taken")

    answer = page.post(reverse("group_smart"), {**posted, "act": "save"})

    assert answer.status_code == 422
    assert sentence in answer.content.decode()
    assert ('value="ann"' in answer.content.decode()) == ("b0.match" in posted)
    assert Group.objects.count() == 1


def test_rules_deeper_than_the_form_are_shown_in_words(page: Client, shop: Account) -> None:
    ann = {"field": "first_name", "op": "is", "value": "Ann"}
    deep = {"all": [{"any": [{"all": [ann]}]}, {"not": {"all": [ann, ann]}}]}
    group = group_create(account=shop, actor=None, name="Deep", rules=deep)

    html = page.get(reverse("group_rules", args=[group.pk])).content.decode()

    assert "Not all of these together:" in html
    assert 'name="b0.match"' not in html


def test_hands_off_what_rules_decide(page: Client, shop: Account) -> None:
    rules = {"field": "first_name", "op": "filled"}
    smart = group_create(account=shop, actor=None, name="Smart", rules=rules)
    static = group_create(account=shop, actor=None, name="Static")
    without = group_create(
        account=shop, actor=None, name="Without", rules={"not": {"group": static.pk}}
    )
    contact = contact_upsert(account=shop, actor=None, phone="+13055550100")

    edit = page.get(reverse("contact_edit", args=[contact.pk])).content.decode()
    taken_out = page.post(reverse("group_remove", args=[smart.pk, contact.pk]))
    kept = page.post(reverse("group_delete", args=[static.pk]), follow=True).content.decode()
    not_smart = page.get(reverse("group_rules", args=[static.pk]), follow=True).content.decode()

    assert ("Static" in edit, "Smart" in edit) == (True, False)
    assert taken_out.status_code == 404
    assert "The rules of “Without” ask who is in “Static”" in kept
    assert "“Static” has no rules" in not_smart
    assert Group.objects.filter(pk__in=(smart.pk, static.pk, without.pk)).count() == 3
    assert not GroupMember.objects.exists()
