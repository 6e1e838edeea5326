"""What requests cost: prices from a file, an estimate beforehand, a budget that is never passed.

The tokenizers of the models cannot be had offline, so the estimate counts letters: about one token
for a Korean syllable (recent models need less) and for three other characters. What is held against
the budget is what the server says it counted; before it says so, the most that it can be.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from .answers import HANGUL
from .options import TranslationOptions

PRICES_FILE = Path(__file__).with_name("prices.json")
SNAPSHOT = re.compile(r"-\d{4}-\d{2}-\d{2}$")  # a model's name ends so where it names its date
MILLION = 1_000_000

LETTERS_PER_TOKEN = 3  # other than Korean
TOKENS_PER_MESSAGE = 8  # of the protocol around it
EXPANSION = 2.5  # English letters for a Korean one, on average


@dataclass(frozen=True)
class Price:
    """US dollars for a million tokens.

    Attributes:
        input: tokens read.
        cached_input: tokens read that the server had in its cache.
        output: tokens written.
    """

    input: float
    cached_input: float
    output: float

    def cost(self, prompt: int, completion: int, *, cached: int = 0) -> float:
        """Return US dollars for tokens read (`cached` of them from the cache) and written."""
        read = (prompt - cached) * self.input + cached * self.cached_input
        return (read + completion * self.output) / MILLION


def load_price(model: str, *, path: str | Path | None = None, batch: bool = False) -> Price | None:
    """Find the price of a model.

    Args:
        model: its name; a date at its end may be missing in the file.
        path: JSON file in the form of `prices.json`; None takes that.
        batch: whether it is asked through the Batch API.

    Returns:
        The price; None if the file does not have the model.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is not in this form.
    """
    file = PRICES_FILE if path is None else Path(path).expanduser()
    if not file.is_file():
        raise FileNotFoundError(f"`prices` {str(path)!r} is not a file; check its name.")
    try:
        table = json.loads(file.read_text(encoding="utf-8-sig"))
        discount = float(table["batch_discount"]) if batch else 1.0
        models = {
            name: Price(
                *(discount * float(entry[key]) for key in ("input", "cached_input", "output"))
            )
            for name, entry in table["models"].items()
        }
        if not all(0 <= value < MILLION for price in models.values() for value in astuple(price)):
            raise ValueError("a price is below 0 or no number")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"`prices` {file.name!r} is not in the form of prices.json ({error!r}); give "
            '{"batch_discount": 0.5, "models": {"NAME": {"input": …, "cached_input": …, '
            '"output": …}}}.'
        ) from error
    return models.get(model, models.get(SNAPSHOT.sub("", model)))


def price_date(path: str | Path | None = None) -> str:
    """Return the date that a file of prices bears; "" if none."""
    file = PRICES_FILE if path is None else Path(path).expanduser()
    return str(json.loads(file.read_text(encoding="utf-8-sig")).get("date", ""))


def estimate_tokens(text: str) -> int:
    """Estimate how many tokens a text has, rather too many than too few.

    Example:
        >>> estimate_tokens("안녕 hello")
        4
    """
    korean = len(HANGUL.findall(text))
    return korean + -(-(len(text) - korean) // LETTERS_PER_TOKEN)


def estimate_usage(body: Mapping[str, Any], *, letters: int, targets: int) -> tuple[int, int]:
    """Estimate the tokens of one request.

    Args:
        body: arguments of the chat completion.
        letters: of the sources, times the texts asked for.
        targets: utterances that are asked for.

    Returns:
        Tokens read and tokens written.
    """
    prompt = sum(
        estimate_tokens(message["content"]) + TOKENS_PER_MESSAGE for message in body["messages"]
    )
    # Each target's id and keys are written again: about 80 characters.
    written = int(EXPANSION * letters / LETTERS_PER_TOKEN) + 27 * targets
    return prompt, min(written, body["max_completion_tokens"])


def largest_usage(body: Mapping[str, Any]) -> tuple[int, int]:
    """Return the most tokens that a request can have: one for each byte read, and its limit."""
    schema = len(json.dumps(body.get("response_format", "")))
    prompt = sum(
        len(message["content"].encode()) + TOKENS_PER_MESSAGE for message in body["messages"]
    )
    return prompt + schema, body["max_completion_tokens"]


class Budget:
    """Money spent and promised, against a limit.

    Args:
        options: `max_cost` is the limit.
        price: of the model; None if it is not known.
        spent: what earlier runs paid.

    Attributes:
        spent: US dollars for all answers so far.

    Raises:
        ValueError: if there is a limit and no price.
    """

    def __init__(self, options: TranslationOptions, price: Price | None, *, spent: float) -> None:
        if options.max_cost is not None and price is None:
            raise ValueError(
                f"`max_cost` is {options.max_cost} and the price of {options.model!r} is not "
                "known; give a file that has it with `--prices` (0 for a server of your own)."
            )
        self.spent = spent
        self._limit = options.max_cost
        self._price = price
        self._promised = 0.0

    @property
    def promised(self) -> float:
        """US dollars that the requests in flight can cost at most."""
        return self._promised

    def promise(self, body: Mapping[str, Any]) -> float | None:
        """Set aside the most that a request can cost.

        Returns:
            That sum, to be given back with `settle`; None if the limit could be passed.
        """
        if self._price is None:
            return 0.0
        most = self._price.cost(*largest_usage(body))
        if self._limit is not None and self.spent + self._promised + most > self._limit:
            return None
        self._promised += most
        return most

    @property
    def refusal(self) -> str:
        """Why nothing more can be asked for, in one sentence."""
        return (
            f"`max_cost` {self._limit or 0:g} would be passed by the next request "
            f"({self.spent:.4f} dollars are spent); raise it and run the command again to go on."
        )

    def settle(self, promised: float, cost: float) -> None:
        """Put what was paid in the place of what was set aside for it."""
        self._promised -= promised
        self.spent += cost

    def cost(self, prompt: int, completion: int, *, cached: int = 0) -> float:
        """Return what tokens cost; 0 if the price is not known."""
        return 0.0 if self._price is None else self._price.cost(prompt, completion, cached=cached)
