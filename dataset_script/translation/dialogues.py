"""The utterances of a corpus, dialogue by dialogue, as they are translated.

What a transcript says without its marks is translated; recordings are not looked at. An utterance
of which nothing is left says nothing, to the model neither.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from ..annotations import Annotation
from ..records import KemdyCorpus
from ..transcripts import clean_transcript


@dataclass(frozen=True)
class Utterance:
    """One turn of a dialogue.

    Attributes:
        id: of the data set's row, such as `kemdy20/Sess01_script01_User001F_001`.
        speaker: name of the person who speaks, unique in the dialogue.
        text_ko: what is said; "" if that is not known.
    """

    id: str
    speaker: str
    text_ko: str


@dataclass(frozen=True)
class Dialogue:
    """The turns of one dialogue in their order.

    Attributes:
        name: such as `kemdy20/Sess01_script01`.
        utterances: all turns.
    """

    name: str
    utterances: tuple[Utterance, ...]

    @property
    def spoken(self) -> tuple[Utterance, ...]:
        """The turns of which the words are known."""
        return tuple(utterance for utterance in self.utterances if utterance.text_ko)


def read_dialogues(corpus: KemdyCorpus) -> Iterator[Dialogue]:
    """Read the dialogues of a corpus.

    Args:
        corpus: the corpus; its recordings are not needed.

    Yields:
        The dialogues in the order of the annotation.
    """
    turns: dict[tuple[int, str], list[Utterance]] = {}
    for annotation, text in corpus.read_transcripts():
        place = (annotation.session, annotation.dialogue)
        turns.setdefault(place, []).append(_make_utterance(corpus.config, annotation, text))
    for (_, name), utterances in turns.items():
        yield Dialogue(f"{corpus.config}/{name}", tuple(utterances))


def _make_utterance(config: str, annotation: Annotation, transcript: str) -> Utterance:
    return Utterance(
        id=f"{config}/{annotation.segment_id}",
        speaker=annotation.speaker.split("_", 1)[1],
        text_ko=clean_transcript(transcript),
    )
