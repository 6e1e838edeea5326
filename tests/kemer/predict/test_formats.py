import csv
import io
import json

from kemer.predict.formats import AnswerWriter

ANSWER = {
    "file": "a/very/long/folder/of/recordings/행복.wav",
    "start": 0.0,
    "end": 1.25,
    "emotions": ["sad", "happy"],
    "probabilities": {"sad": 0.75, "happy": 0.5},
    "valence": 2.5,
    "arousal": 4.0,
}


def written(style: str, times: int = 2) -> str:
    stream = io.StringIO()
    writer = AnswerWriter(stream, style, ["sad", "happy"])
    for _ in range(times):
        writer.write(ANSWER)
    return stream.getvalue()


def test_json_is_an_object_a_line() -> None:
    assert [json.loads(line) for line in written("json").splitlines()] == [ANSWER] * 2
    assert "행복" in written("json")


def test_csv_has_a_column_for_each_probability() -> None:
    first, _ = csv.DictReader(io.StringIO(written("csv")))
    assert first["emotions"] == "sad;happy" and first["p_sad"] == "0.75"
    assert first["file"] == ANSWER["file"] and first["end"] == "1.25"


def test_the_table_is_for_people() -> None:
    head, line = written("table", times=1).splitlines()
    assert head.split() == ["file", "start", "end", "emotions", "valence", "arousal"]
    assert line.split() == [
        "…ng/folder/of/recordings/행복.wav",
        *"0.00 1.25 sad, happy 2.50 4.00".split(),
    ]
    assert head.index("emotions") == line.index("sad")
