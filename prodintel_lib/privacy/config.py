"""What `privacy:` in prodintel.yaml may say."""

from __future__ import annotations

import re
from typing import Final, Literal

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, field_validator

from prodintel_lib.privacy.fields import Kind

RuleKind = Literal[
    "secret", "id", "email", "phone", "name", "address", "postcode", "card", "iban", "national_id", "ip", "pin"
]
MAX_PATTERN_LENGTH: Final = 1000


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Rule(_Strict):
    """A form of value of one's own.

    Attributes
    ----------
    name : str
    pattern : str
        A regular expression without lookaround; the value is its first group, or all of it where it has none.
    replace_with : str
        The kind of stand-in.
    """

    name: str = Field(min_length=1)
    pattern: str = Field(min_length=1, max_length=MAX_PATTERN_LENGTH)
    replace_with: RuleKind = "secret"

    @field_validator("pattern")
    @classmethod
    def _understood(cls, pattern: str) -> str:
        """Check that both engines read it: one finds the lines, the other the place."""
        try:
            compiled = re.compile(pattern)
            pl.Series([""], dtype=pl.String()).str.contains(pattern)
        except (re.error, pl.exceptions.ComputeError) as error:
            raise ValueError(f"not a regular expression without lookaround: {error}") from error
        if compiled.match(""):
            raise ValueError("it matches an empty text")
        return pattern

    @property
    def kind(self) -> Kind:
        """The kind of stand-in."""
        return Kind(self.replace_with)


class PrivacyConfig(_Strict):
    """What prodintel.yaml says of privacy.

    Attributes
    ----------
    rules : tuple of Rule
        Further values to replace; they come before the built-in ones.
    keep : tuple of str
        Fields that hold nothing personal: names, or regular expressions for whole names, in any case of letters.
    made_up_data_phrase : str or None
        Where all data are made up, as in a demo: derive the key from this phrase, so that every copy has the same
        pseudonyms. Whoever knows the phrase can try guesses; never set it for real data.
    """

    rules: tuple[Rule, ...] = ()
    keep: tuple[str, ...] = ()
    made_up_data_phrase: str | None = Field(default=None, min_length=1)

    @field_validator("keep")
    @classmethod
    def _expressions(cls, keep: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in keep:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"`{pattern}` is not a regular expression: {error}") from error
        return keep
