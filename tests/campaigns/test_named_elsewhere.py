"""Wherever a blast is named, its name leads to its report."""

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Account, User
from messaging.choices import BatchKind
from messaging.models import Batch
from tests.contracts.world import world_create
from tracking.models import Link

pytestmark = pytest.mark.django_db


def test_its_name_in_threads_logs_and_link_reports_leads_to_its_report(
    account: Account, alice: User
) -> None:
    world = world_create(account, alice)
    Batch.objects.filter(pk=world.batch.pk).update(name="Roses")
    Link.objects.filter(pk=world.link.pk).update(label="Roses")
    browser = Client()
    browser.force_login(alice)
    report = reverse("batch_report", args=[world.batch.pk])
    pages = [
        reverse("message_log"),
        reverse("link_list"),
        reverse("link_report", args=[world.link.pk]),
        reverse("conversation", args=[world.conversation.pk]),
    ]

    named = {page: browser.get(page).content.decode() for page in pages}

    for page, content in named.items():
        assert f'<a href="{report}">Roses</a>' in content, page
    assert browser.get(report).headers["Location"] == reverse("blast_report", args=[world.sent.pk])


def test_a_message_that_is_no_blast_s_is_called_by_what_asked_for_it(
    account: Account, alice: User
) -> None:
    world = world_create(account, alice)
    Batch.objects.filter(pk=world.batch.pk).update(kind=BatchKind.REPLY)
    browser = Client()
    browser.force_login(alice)

    page = browser.get(reverse("message_log")).content.decode()

    assert "Inbox reply" in page
    assert reverse("batch_report", args=[world.batch.pk]) not in page
