"""Account tables from files: canonical columns from what people call them, numbers from text, labels from words.

Rules, each noted in ``Accounts.notes`` when it was applied: a cell that is no number is missing, and so are negative
and infinite counts; a byte that is no UTF-8 counts as one unknown character; rows without a label are left out where
labels are needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import polars as pl

from kolray.connectors.files import load_text_table
from kolray.errors import InvalidInputError
from kolray.features.accounts import COLUMNS, COUNTS, FLAGS, TEXTS

ALIASES: dict[str, tuple[str, ...]] = {
    "account_id": ("id", "id_str", "user_id", "account", "userid", "index", "unnamed_0", ""),
    "username": ("screen_name", "user_name", "handle", "login"),
    "username_length": ("screen_name_length", "usernamelength", "length_username"),
    "username_digits": ("screen_name_digits", "usernamedigitcount", "username_digit_count"),
    "name": ("full_name", "fullname", "display_name"),
    "name_length": ("full_name_length", "fullname_length", "userfullnamelength"),
    "followers": (
        "followers_count", "follower_count", "userfollowercount", "n_followers", "num_followers", "edge_followed_by",
    ),
    "following": (
        "following_count", "friends_count", "userfollowingcount", "follows", "friends", "followings", "edge_follow",
    ),
    "posts": ("statuses_count", "posts_count", "post_count", "usermediacount", "media_count", "tweet_count", "tweets"),
    "likes_given": ("favourites_count", "favorites_count", "likes_count", "favourites"),
    "lists": ("listed_count", "listed"),
    "verified": ("is_verified", "isverified"),
    "has_profile_image": ("profile_pic", "userhasprofilpic", "userhasprofilepic", "has_profile_pic", "profile_image"),
    "private": ("is_private", "userisprivate", "protected", "isprivate"),
    "bio": ("biography", "description"),
    "bio_length": ("description_length", "userbiographylength", "biography_length"),
    "has_url": ("external_url", "has_external_url", "userhasexternalurl", "url"),
    "default_profile": (),
    "platform": (),
    "account_age_days": ("age_days", "account_age"),
    "label": ("fake", "is_fake", "isfake", "bot", "is_bot", "isbot", "target", "class", "account_type"),
    "created_at": ("created", "account_created_at", "creation_date"),
    "default_profile_image": (),
}  # fmt: skip
FAKE = ("1", "1.0", "true", "yes", "fake", "bot", "spam", "spammer", "fraud", "bought", "automated")
REAL = ("0", "0.0", "false", "no", "real", "human", "genuine", "legit", "legitimate", "honest", "authentic")
_NULLS = ("", "null", "none", "nan", "na", "n/a", "?")
_TRUE, _FALSE = ("true", "yes", "t", "y"), ("false", "no", "f", "n")
_DATES = (
    "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d", "%a %b %d %H:%M:%S %z %Y", "%m/%d/%Y %H:%M",
    "%d/%m/%Y %H:%M", "%m/%d/%Y", "%d/%m/%Y",
)  # fmt: skip
"""Of creation times; month before day where both are possible."""


@dataclass(frozen=True)
class Accounts:
    """A table with canonical columns (and further numeric ones) and what was done to read it.

    ``as_of`` is when the ages of a table with creation times count from; None where it has none.
    """

    table: pl.DataFrame
    notes: list[str]
    as_of: datetime | None = None


def read_accounts(
    file: Path,
    mapping: Mapping[str, str] | None = None,
    drop: Sequence[str] = (),
    as_of: datetime | None = None,
) -> Accounts:
    """Reads a CSV, JSON Lines or Parquet file.

    Args:
        mapping: canonical column → the file's, before the names known by themselves (``ALIASES``).
        drop: columns, canonical or the file's, to leave out.
        as_of: what ages count to when the file has creation times; none: the newest of them.

    Raises:
        InvalidInputError: no file, no rows, an unreadable format, a mapped column that is not there, two columns for
            one, or a label that is neither fake nor real.
    """
    raw, notes = load_text_table(file)
    if not raw.height:
        raise InvalidInputError(f"{file} holds no rows: an account table needs a header and one account a row")
    named = _renamed(raw, mapping or {}, file, notes).drop(drop, strict=False)
    table = pl.DataFrame({name: _column(name, named[name], notes) for name in named.columns})
    table = table.drop(name for name, dtype in table.schema.items() if dtype == pl.Null)
    table, born = _age(table, as_of, notes)
    return Accounts(table.drop(drop, strict=False), notes, born)


def labelled_accounts(accounts: Accounts, file: Path) -> Accounts:
    """The rows with a label.

    Raises:
        InvalidInputError: there is no label column, or one class alone.
    """
    if "label" not in accounts.table.columns:
        raise InvalidInputError(f"{file} has no column label (1 = fake, 0 = real): name it with --map label=COLUMN")
    known = accounts.table.filter(pl.col("label").is_not_null())
    counts = [int((known["label"] == label).sum()) for label in (0, 1)]
    if not all(counts):
        raise InvalidInputError(
            f"{file} has {counts[0]} real and {counts[1]} fake accounts: learning and judging need both"
        )
    left = accounts.table.height - known.height
    notes = [*accounts.notes, f"{left} rows without a label were left out"] if left else accounts.notes
    return Accounts(known, notes, accounts.as_of)


def _renamed(raw: pl.DataFrame, mapping: Mapping[str, str], file: Path, notes: list[str]) -> pl.DataFrame:
    missing = [column for column in mapping.values() if column not in raw.columns]
    if missing:
        raise InvalidInputError(f"{file}: no column {', '.join(missing)}; the file has {', '.join(raw.columns)}")
    taken = {column: field for field, column in mapping.items()}
    held = {*taken.values(), *(c for c in raw.columns if c in COLUMNS and c not in taken)}
    plain = {alias: field for field, aliases in ALIASES.items() for alias in (field, *aliases)}
    names = {}
    for column in raw.columns:
        field = taken.get(column) or (column if column in COLUMNS else plain.get(_plain(column)))
        if field is None or (field in held and column not in taken and column != field):
            field = column
        held.add(field)
        names[column] = field.translate(str.maketrans("[]<", "___"))  # XGBoost takes none of these in a name
    spare = [column for column in raw.columns if names[column] == column and plain.get(_plain(column)) == "label"]
    spare = [column for column in spare if column != "label" and "label" in held]
    if spare:
        notes.append(f"{', '.join(spare)} may say what label says, and is not used")
        raw, names = raw.drop(spare), {column: field for column, field in names.items() if column not in spare}
    twice = sorted({name for name in names.values() if list(names.values()).count(name) > 1})
    if twice:
        raise InvalidInputError(f"{file}: two columns for {', '.join(twice)}; drop one with --drop")
    return raw.rename(names)


def _plain(column: str) -> str:
    return "_".join(part for part in "".join(c if c.isalnum() else " " for c in column.lower()).split())


def _column(name: str, values: pl.Series, notes: list[str]) -> pl.Series:
    """As its canonical type; a further column as numbers where all its cells are, else Null: not used."""
    text = values.cast(pl.String, strict=False).str.strip_chars()
    text = text.set(text.str.to_lowercase().is_in(_NULLS), None)
    if name in TEXTS or name == "created_at":
        return text.alias(name)
    if name == "label":
        return _labels(text)
    numbers = _numbers(text)
    lost = int((numbers.is_null() & text.is_not_null()).sum())
    if name in FLAGS and lost == text.len() - text.null_count():
        return text.is_not_null().cast(pl.Float64).alias(name)  # an address where a truth value is wanted
    if name in COUNTS:
        bad = int((numbers < 0).sum())
        if bad:
            notes.append(f"{name}: {bad} negative values count as missing")
        numbers = numbers.set(numbers < 0, None)
    elif name not in FLAGS and lost:
        notes.append(f"{name} is text and not used")
        return pl.Series(name, [None] * len(text), pl.Null)
    if lost:
        notes.append(f"{name}: {lost} cells that are no numbers count as missing")
    return numbers.alias(name)


def _numbers(text: pl.Series) -> pl.Series:
    low = text.str.to_lowercase()
    numbers = text.cast(pl.Float64, strict=False)
    numbers = numbers.set(low.is_in(_TRUE), 1.0).set(low.is_in(_FALSE), 0.0)
    return numbers.set(~numbers.is_finite(), None)


def _labels(text: pl.Series) -> pl.Series:
    low = text.str.to_lowercase()
    label = pl.Series("label", [None] * len(text), pl.Int8).set(low.is_in(FAKE), 1).set(low.is_in(REAL), 0)
    strange = text.filter(label.is_null() & text.is_not_null()).unique().sort()
    if len(strange):
        raise InvalidInputError(
            f"label {', '.join(repr(value) for value in strange.head(5))}: write 1 or 0, or one of {', '.join(FAKE)} "
            f"for fake and {', '.join(REAL)} for real"
        )
    return label


def _age(table: pl.DataFrame, as_of: datetime | None, notes: list[str]) -> tuple[pl.DataFrame, datetime | None]:
    """With ``account_age_days`` from ``created_at``, and ``has_profile_image`` from its opposite."""
    if "default_profile_image" in table.columns and "has_profile_image" not in table.columns:
        table = table.with_columns(has_profile_image=1.0 - pl.col("default_profile_image"))
    table = table.drop("default_profile_image", strict=False)
    if "created_at" not in table.columns or "account_age_days" in table.columns:
        return table.drop("created_at", strict=False), None
    text = table["created_at"]
    at = pl.select(pl.coalesce(_epoch(text), *(_parsed(text, form) for form in _DATES))).to_series()
    lost = int((at.is_null() & text.is_not_null()).sum())
    if lost:
        notes.append(f"created_at: {lost} cells that are no times count as missing")
    newest: datetime | None = as_of or at.max()  # type: ignore[assignment]
    if newest is None:
        return table.drop("created_at"), None
    notes.append(f"ages count to {newest:%Y-%m-%d %H:%M}" + ("" if as_of else ", the newest created_at"))
    days = (pl.lit(newest) - at).dt.total_milliseconds() / 86_400_000
    table = table.drop("created_at").with_columns(account_age_days=days.clip(lower_bound=0.0))
    return table, newest


def _epoch(text: pl.Series) -> pl.Series:
    """Milliseconds since the epoch, or seconds where they would lie before March 1973."""
    number = text.cast(pl.Float64, strict=False)
    number = number.set(~number.is_between(1e8, 1e13), None)
    ms = pl.select(pl.when(number < 1e11).then(number * 1000).otherwise(number)).to_series()
    return ms.cast(pl.Int64).cast(pl.Datetime("ms", "UTC"))


def _parsed(text: pl.Series, form: str) -> pl.Series:
    plain = text.str.replace(r"(\.[0-9]+)?(Z|[+-]00:?00)?$", "") if "%z" not in form else text
    at = plain.str.to_datetime(form, strict=False, time_unit="ms")
    return at.dt.replace_time_zone("UTC") if at.dtype.time_zone is None else at  # type: ignore[attr-defined]
