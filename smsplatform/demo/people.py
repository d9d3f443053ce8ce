"""The shop's customers: a believable CSV of some thousand people, the same on every machine.

Numbers are of the range set aside for fiction (555-0100 to 555-0149 in each area code), where
carriersim plays ordinary phones. A few rows are wrong on purpose, as in every exported list.
"""

import csv
import io
import random
from collections.abc import Iterator

_AREA_TEXT = (
    "201 202 203 205 206 207 208 209 210 212 213 214 215 216 217 218 219 225 228 229 231 234 239 "
    "240 248 251 252 253 254 256 260 262 267 269 270 276 281 301 302 303 304 305 307 308 309 310 "
    "312 313 314 315 316 317 318 319 320 321 323 325 330 334 336 337 339 347 351 352 360 361 386 "
    "401 402 404 405 406 407 408 409 410 412 413 414 415 417 419 423 424 425 432 434 435 440 443 "
    "469 470 478 479 480 484 501 502 503 504 505 507 508 509 510 512 513 515 516 517 518 520"
)
_FIRST_TEXT = (
    "Ada Aisha Alma Amir Ana Andre Anna Arjun Ava Ben Bianca Caleb Carmen Chloe Clara Daniel Diego "
    "Eleni Elijah Emma Esther Ethan Fatima Felix Freya Gabriel Grace Hana Hassan Hugo Ines Iris "
    "Isaac Ivy Jack Jada James Jasmin Jonas Jose Julia Kai Kamala Kofi Lara Leo Lena Liam Lucia "
    "Luis Mabel Maria Marcus Maya Mei Miguel Mila Mohamed Nadia Naomi Nina Noah Nora Olga Oliver "
    "Omar Owen Paula Pedro Priya Quinn Rafael Rosa Ruth Ruby Samir Sara Sofia Stella Tara Theo "
    "Tomas Uma Valeria Vera Victor Wei Willa Yara Yusuf Zara Zoe José Zoë Renée Jürgen"
)
_LAST_TEXT = (
    "Adams Ahmed Alvarez Baker Banerjee Bennett Brooks Carter Chen Clark Costa Cruz Davis Diaz "
    "Edwards Evans Fischer Flores Foster Garcia Gomez Gray Green Gupta Hall Hansen Harris Hill "
    "Hughes Ibrahim Jackson Jensen Johnson Jones Kaur Kelly Khan Kim King Kowalski Lee Lewis Li "
    "Lopez Martin Mensah Meyer Miller Moore Moreau Morgan Murphy Nguyen Novak Okafor Ortiz Park "
    "Patel Perez Phillips Ramirez Reed Rivera Roberts Rossi Sato Schmidt Scott Silva Singh Smith "
    "Stewart Sullivan Suzuki Taylor Thomas Torres Tran Turner Walker Wang White Williams Wilson "
    "Wood Wright Yamada Young Zhang O'Brien"
)
_AREA_CODES, _FIRST, _LAST = (text.split() for text in (_AREA_TEXT, _FIRST_TEXT, _LAST_TEXT))
_FICTIONAL = range(100, 150)

COLUMNS = ("First name", "Last name", "Mobile", "Email", "Favourite flower")
_FLOWERS = ("peony", "rose", "tulip", "dahlia", "ranunculus", "anemone", "sunflower", "")


def customers(count: int, *, seed: int = 7) -> bytes:
    """A UTF-8 CSV of `count` customers with distinct numbers, and nine bad rows among them.

    Args:
        count: At most `len(area codes) * 50`.
    """
    dice = random.Random(seed)
    numbers = [(area, line) for area in _AREA_CODES for line in _FICTIONAL]
    dice.shuffle(numbers)
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for index, (area, line) in enumerate(numbers[:count]):
        writer.writerow(_row(dice, area, line))
        if index and index % (count // 9 or 1) == 0:
            writer.writerow(_bad_row(dice, index))
    return out.getvalue().encode()


def _row(dice: random.Random, area: str, line: int) -> list[str]:
    first, last = dice.choice(_FIRST), dice.choice(_LAST)
    if dice.random() < 0.02:
        first = ""
    mail = f"{first or 'hello'}.{last}@example.com".lower().replace("'", "")
    return [first, last, f"({area}) 555-{line:04}", mail, dice.choice(_FLOWERS)]


def _bad_row(dice: random.Random, index: int) -> list[str]:
    phone = ("", "12345", "no mobile", "(415) 555-01", "+1 000 000 0000")[index % 5]
    return [dice.choice(_FIRST), dice.choice(_LAST), phone, "", ""]


def wedding_enquiries(everybody: bytes) -> bytes:
    """A semicolon CSV in Windows encoding, as another program would export it, of some of them."""
    rows = _rows(everybody)
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=";")
    writer.writerow(("Name", "Phone"))
    for row in list(rows)[::17]:
        writer.writerow((row[0], row[2]))
    return out.getvalue().encode("cp1252", errors="replace")


def regulars(everybody: bytes) -> bytes:
    """Every third customer, with header."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    writer.writerows(list(_rows(everybody))[::3])
    return out.getvalue().encode()


def _rows(everybody: bytes) -> Iterator[list[str]]:
    rows = csv.reader(io.StringIO(everybody.decode(), newline=""))
    next(rows)
    return rows
