"""What a translation run is told, checked before anything is asked or paid."""

from __future__ import annotations

from dataclasses import dataclass

DRAFTS = ("none", "llm")  # or the name of a checkpoint
RESPONSE_FORMATS = ("json_schema", "json_object", "none")


@dataclass(frozen=True)
class ContextOptions:
    """How much of the dialogue is seen with an utterance.

    Attributes:
        before: utterances before it.
        after: utterances after it; 0 is the causal form, in which nothing later is known.
        targets: utterances that one request translates, at most. They see each other, so the causal
            form has one.

    Raises:
        ValueError: if a number is too small, or the causal form has several targets.
    """

    before: int = 3
    after: int = 3
    targets: int = 10

    def __post_init__(self) -> None:
        for name, flag, least in (
            ("before", "context_before", 0),
            ("after", "context_after", 0),
            ("targets", "targets", 1),
        ):
            if getattr(self, name) < least:
                raise ValueError(f"`{flag}` is {getattr(self, name)}; it must be {least} or more.")
        if self.after == 0 and self.targets > 1:
            raise ValueError(
                f"`targets` is {self.targets} with `context_after` 0: the first of several targets "
                "would see those after it; give `targets` 1, or a `context_after` of 1 or more."
            )


@dataclass(frozen=True)
class TranslationOptions:
    """What a run does; the defaults are those of the command.

    Attributes:
        model: name of the model, as the server knows it.
        draft: `none` (one request does both steps), `llm` (the same model drafts first), or the
            name of a translation checkpoint of `transformers`.
        draft_languages: codes of source and target language, for checkpoints of many languages.
        context: how much of the dialogue is seen.
        variants: further wordings of each translation; 0 for none.
        temperature: of the model, 0 to 2; None leaves it to the server.
        response_format: how the form of the answer is asked for: `json_schema`, or what an older
            server understands, `json_object` or `none`.
        concurrency: requests in flight at most.
        timeout: seconds that an answer may take.
        attempts: how often an utterance whose translation was refused is asked for again, alone.
        max_cost: US dollars that the store's requests may cost in all; None for no limit.

    Raises:
        ValueError: if a value is out of its range.
    """

    model: str = "gpt-4.1"
    draft: str = DRAFTS[0]
    draft_languages: tuple[str, str] | None = None
    context: ContextOptions = ContextOptions()
    variants: int = 0
    temperature: float | None = 0.0
    response_format: str = RESPONSE_FORMATS[0]
    concurrency: int = 16
    timeout: float = 120.0
    attempts: int = 3
    max_cost: float | None = None

    def __post_init__(self) -> None:
        for name in ("model", "draft"):
            if not getattr(self, name).strip():
                raise ValueError(f"`{name}` is empty; name one.")
        for name, least in (("variants", 0), ("concurrency", 1), ("attempts", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"`{name}` is {getattr(self, name)}; it must be {least} or more.")
        if self.temperature is not None and not 0 <= self.temperature <= 2:
            raise ValueError(f"`temperature` is {self.temperature}; it must be from 0 to 2.")
        if not self.timeout > 0:
            raise ValueError(f"`timeout` is {self.timeout}; it must be more than 0 seconds.")
        if self.max_cost is not None and not self.max_cost > 0:
            raise ValueError(f"`max_cost` is {self.max_cost}; it must be more than 0 dollars.")
        if self.response_format not in RESPONSE_FORMATS:
            raise ValueError(
                f"`response_format` is {self.response_format!r}; allowed are "
                f"{', '.join(RESPONSE_FORMATS)}."
            )
        if self.draft_languages is not None and self.draft in DRAFTS:
            raise ValueError(
                f"`draft_languages` is given and `draft` is {self.draft!r}; they are for a "
                "translation checkpoint: name it with `draft`."
            )

    @property
    def steps(self) -> tuple[str, ...]:
        """What is asked of the model for each utterance, in order; names of `prompts.PROMPTS`."""
        first = {"none": ("translate",), "llm": ("draft", "refine")}.get(self.draft, ("refine",))
        return (*first, *(("vary",) if self.variants else ()))

    @property
    def drafts_here(self) -> bool:
        """Whether a checkpoint on this machine writes the drafts."""
        return self.draft not in DRAFTS


@dataclass(frozen=True)
class ReportOptions:
    """What the report on a run looks at.

    Attributes:
        audit: translated utterances that are translated again without any context, to see what the
            context changes; 0 for none.
        lines: of whole dialogues, to be read as they are, at most.
        seed: of what is drawn.

    Raises:
        ValueError: if a number is negative.
    """

    audit: int = 0
    lines: int = 400
    seed: int = 0

    def __post_init__(self) -> None:
        for name, flag in (("audit", "audit"), ("lines", "report_lines")):
            if getattr(self, name) < 0:
                raise ValueError(f"`{flag}` is {getattr(self, name)}; it must be 0 or more.")
