"""The list of countries to choose from is that of the numbers we can read."""

import phonenumbers

from common.countries import COUNTRIES


def test_every_country_with_numbers_has_a_name_of_its_own() -> None:
    assert set(COUNTRIES) == set(phonenumbers.SUPPORTED_REGIONS)
    assert len(set(COUNTRIES.values())) == len(COUNTRIES)
    assert all(COUNTRIES.values())
