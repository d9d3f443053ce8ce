"""The flower shop of the demo: who works there, what it texts, to whom and when. Data only."""

from dataclasses import dataclass

ACCOUNT_NAME = "Bloom & Stem"
BRAND = "Bloom & Stem"
HELP_TEXT = (
    "Bloom & Stem: flowers and offers, up to 6 texts a month. Call 555-0100 for help. "
    "Msg & data rates may apply. Reply STOP to end."
)
OWNER_NAME = "Dana Reyes"
COLLEAGUES = (
    ("sam@example.com", "Sam Okafor", "admin"),
    ("mia@example.com", "Mia Lindqvist", "marketer"),
    ("theo@example.com", "Theo Park", "viewer"),
)
CREDITS = 250_000
# Name, credits, price in cents.
PACKAGES = (("Starter", 500, 1_200), ("Shop", 2_500, 5_000), ("Season", 20_000, 36_000))

GROUPS = ("Newsletter", "Regulars", "Wedding enquiries")


@dataclass(frozen=True)
class PlannedBlast:
    """A blast of the history.

    Attributes:
        days_ago: Whole days before today, in the account's zone.
        hour: Local hour of sending.
        by: Index into (owner, *colleagues).
        click_share: Of delivered texts, people who tap; 0 where there is no link.
        has_picture: Whether a picture goes with it (`smsplatform.demo.drawing`).
    """

    campaign: str
    name: str
    body: str
    group: str
    days_ago: int
    hour: int
    by: int
    click_share: float
    reply_share: float
    has_picture: bool = False


_SITE = "https://bloomandstem.example"
_MOTHER = "Mother's Day"

HISTORY = (
    PlannedBlast(
        "Autumn at the shop",
        "Dahlias are in",
        "Hi {{first_name|there}}, the first dahlias are in: "
        f"{_SITE}/dahlias Bloom & Stem. Reply STOP to end",
        "Regulars", 27, 11, 2, 0.16, 0.03,
    ),
    PlannedBlast(
        _MOTHER,
        "1 of 4: Order early",
        "Hi {{first_name|there}}, Mother's Day is near. Order by Friday and delivery is on us: "
        f"{_SITE}/mothers-day Bloom & Stem. Reply STOP to end",
        "Newsletter", 21, 10, 0, 0.12, 0.028,
    ),
    PlannedBlast(
        _MOTHER,
        "2 of 4: Her favourites",
        "{{first_name|Hello}}, peonies, roses or something wild? Her favourites, hand-tied: "
        f"{_SITE}/favourites Bloom & Stem",
        "Newsletter", 18, 17, 2, 0.1, 0.024,
    ),
    PlannedBlast(
        "Autumn at the shop",
        "Wedding open day",
        "Hi {{first_name|there}}, our wedding open day is on Saturday, 10 to 4. "
        "Reply YES to save a seat. Bloom & Stem",
        "Wedding enquiries", 16, 12, 1, 0.0, 0.22,
    ),
    PlannedBlast(
        _MOTHER,
        "3 of 4: Last call for flowers",
        "Last call, {{first_name|friend}} \N{BOUQUET} Orders for Sunday close tonight at 8: "
        f"{_SITE}/last-call Bloom & Stem",
        "Newsletter", 15, 9, 0, 0.15, 0.03,
    ),
    PlannedBlast(
        _MOTHER,
        "4 of 4: Thank you",
        "Thank you, {{first_name|friend}}! You made a lot of mothers smile. 15% off your next "
        f"bunch: {_SITE}/thank-you Bloom & Stem",
        "Newsletter", 13, 16, 2, 0.07, 0.04,
    ),
    PlannedBlast(
        "Autumn at the shop",
        "Wreath workshop",
        "Hi {{first_name|there}}, 12 places at our wreath workshop on Thursday: "
        f"{_SITE}/wreaths Bloom & Stem",
        "Regulars", 6, 18, 1, 0.19, 0.05,
    ),
    PlannedBlast(
        "Autumn at the shop",
        "Friday bunch",
        "{{first_name|Hi}}, today's Friday bunch is eucalyptus and ranunculus, 24 dollars: "
        f"{_SITE}/friday Bloom & Stem",
        "Regulars", 2, 10, 2, 0.14, 0.03, has_picture=True,
    ),
)  # fmt: skip

DRAFT = (
    "Winter preview",
    "Amaryllis, ordered now",
    "Hi {{first_name|there}}, the winter list is up, you see it first: "
    f"{_SITE}/winter Bloom & Stem. Reply STOP to end",
    "Newsletter",
)

# Kind, folder, name, words, whether a picture goes with it.
SAVED_TEXTS = (
    (
        "template",
        "Offers",
        "Friday bunch",
        "{{first_name|Hi}}, today's Friday bunch is ready, 24 dollars: "
        f"{_SITE}/friday Bloom & Stem",
        True,
    ),
    (
        "template",
        "Events",
        "Workshop",
        "Hi {{first_name|there}}, places are free at our next workshop: "
        f"{_SITE}/workshops Bloom & Stem",
        False,
    ),
    ("snippet", "", "How to stop", "Reply STOP to end", False),
    ("snippet", "", "Opening hours", "Open Monday to Saturday, 9 to 6.", False),
)

# The newest threads that nobody has read yet; how many of the others somebody answered; every
# so-manieth of those is still open.
WAITING = 9
LOOKED_AFTER = 120
OPEN_EACH = 6

# What a colleague answers to each kind of reply.
ANSWERS = (
    ("?", "Hi! Yes, we can do that. Shall I put it aside for you?"),
    ("yes", "Lovely, you are on the list. See you soon!"),
)
NOTE = "Prefers pick-up after 5. Allergic to lilies."

# Shares of what goes wrong, as a shop's list of some years has it.
OUTCOMES = {
    "landline": 0.009,
    "filtered": 0.003,
    "unreachable": 0.012,
    "unknown_handset": 0.004,
    "unknown_error": 0.002,
}
REFUSALS = {"21211": 0.0015, "21614": 0.001}
REPLIES = {"YES": 0.45, "STOP": 0.13, "question": 0.38, "free_stop": 0.04}
PREVIEW_SHARE = 0.06
