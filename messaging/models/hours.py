"""Rules of the law on when texts may arrive, as rows that staff add to."""

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q

from accounts.models import User
from common.clock import now, today
from messaging.hours_regions import REGIONS

WEEKDAYS = (
    (0, "Monday"),
    (1, "Tuesday"),
    (2, "Wednesday"),
    (3, "Thursday"),
    (4, "Friday"),
    (5, "Saturday"),
    (6, "Sunday"),
)


def weekdays_check(days: list[int]) -> None:
    """Refuse days that are none, and a day twice.

    Raises:
        ValidationError: with the sentence for a person.
    """
    if not days or set(days) - set(range(7)) or len(set(days)) < len(days):
        raise ValidationError("Choose the days of the week that it holds on.")


class HoursRule(models.Model):
    """From when to when texts may arrive in a region on some weekdays, and where that is written.

    A row is never rewritten: another hour is another row from a day on, which ends the one before
    it (`messaging.services.hours_rule_add`). No two rows of a region hold on the same day.
    """

    region = models.CharField(
        max_length=2,
        choices=list(REGIONS.items()),
        help_text="The rules of the United States hold in every state, beside its own.",
    )
    weekdays = ArrayField(
        models.PositiveSmallIntegerField(choices=WEEKDAYS), validators=[weekdays_check]
    )
    opens = models.TimeField("from", help_text="Local time at the recipient.")
    closes = models.TimeField("to", help_text="Local time; no text arrives from then on.")
    valid_from = models.DateField(default=today, help_text="The first day it holds.")
    valid_until = models.DateField(
        null=True, blank=True, help_text="The last day it holds; empty for no end."
    )
    source = models.CharField(max_length=200, help_text="The statute, or who says so.")
    link = models.URLField(max_length=300, blank=True, help_text="Where it can be read.")
    created_by = models.ForeignKey(
        User, null=True, blank=True, editable=False, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        verbose_name = "rule of allowed hours"
        verbose_name_plural = "rules of allowed hours"
        ordering = ["region", "valid_from", "pk"]
        constraints = [
            models.CheckConstraint(condition=Q(opens__lt=F("closes")), name="hours_rule_opens"),
            models.CheckConstraint(
                condition=Q(valid_until__isnull=True) | Q(valid_until__gte=F("valid_from")),
                name="hours_rule_ends_after_it_begins",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_region_display()}, {self.opens:%H:%M} to {self.closes:%H:%M}"
