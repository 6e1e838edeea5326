import pytest

from dataset_script.layout import (
    COLUMNS_KEMDY19,
    COLUMNS_KEMDY20,
    EMOTIONS,
    KEMDY19_HEADER,
    KEMDY20_HEADER,
    LABEL_ALIASES,
    RATERS_KEMDY19,
    RATERS_KEMDY20,
    SEGMENT_ID_KEMDY19,
    SEGMENT_ID_KEMDY20,
    format_segment_id_kemdy19,
    format_segment_id_kemdy20,
    name_style,
)


def test_header_rows_are_those_of_the_corpus():
    first, second = KEMDY20_HEADER
    assert ",".join(first) == (
        "Numb,WAV, ,Segment ID,Total Evaluation, , ,Eval01F, , ,Eval02M, , ,Eval03M, , ,"
        "Eval04F, , ,Eval05M, , ,Eval06F, , ,Eval07F, , ,Eval08M, , ,Eval09F, , ,Eval10M, , "
    )
    assert ",".join(second) == " ,start,end, " + ",Emotion,Valence,Arousal" * 11
    assert len(first) == len(second) == COLUMNS_KEMDY20.count == 37


def test_columns_point_at_their_titles():
    first, second = KEMDY20_HEADER
    assert first[COLUMNS_KEMDY20.segment_id] == "Segment ID"
    assert first[COLUMNS_KEMDY20.total] == "Total Evaluation"
    assert tuple(first[COLUMNS_KEMDY20.first_rater :: 3]) == RATERS_KEMDY20
    assert set(second[COLUMNS_KEMDY20.first_rater :: 3]) == {"Emotion"}


def test_header_rows_of_kemdy19_have_empty_blanks():
    first, second = KEMDY19_HEADER
    assert ",".join(first) == (
        "Numb,Wav,,ECG,,E4-EDA,,E4-TEMP,,Segment ID,Total Evaluation,,,Eval01F,,,Eval02M,,,"
        "Eval03F,,,Eval04F,,,Eval05M,,,Eval06M,,,Eval07M,,,Eval08F,,,Eval09M,,,Eval10F,,"
    )
    assert ",".join(second) == (
        ",start,end,start,end,start,end,start,end," + ",Emotion,Valence,Arousal" * 11
    )
    assert len(first) == len(second) == COLUMNS_KEMDY19.count == 43
    assert first[COLUMNS_KEMDY19.segment_id] == "Segment ID"
    assert first[COLUMNS_KEMDY19.total] == "Total Evaluation"
    assert tuple(first[COLUMNS_KEMDY19.first_rater :: 3]) == RATERS_KEMDY19


def test_names_of_kemdy19_are_taken_apart_as_they_were_put_together():
    name = format_segment_id_kemdy19(4, "impro03", gender="F", number=25)
    assert name == "Sess04_impro03_F025"
    assert SEGMENT_ID_KEMDY19.match(name).groupdict() == {
        "session": "04",
        "script": "impro03",
        "gender": "F",
        "number": "025",
    }
    for scene, gender in (("impro05", "F"), ("script07", "F"), ("script01", "X")):
        with pytest.raises(ValueError, match="is no Segment ID of KEMDy19"):
            format_segment_id_kemdy19(1, scene, gender=gender, number=1)


def test_styles_follow_the_dialogue_of_kemdy19_alone():
    assert name_style("kemdy19", "Sess01_script06") == "script"
    assert name_style("kemdy19", "Sess01_impro01") == "impro"
    assert name_style("kemdy20", "Sess01_script06") == "free"


def test_aliases_lead_to_emotions():
    assert LABEL_ALIASES["disqust"] == "disgust"
    assert set(LABEL_ALIASES.values()) <= set(EMOTIONS)


def test_segment_id_is_taken_apart_as_it_was_put_together():
    name = format_segment_id_kemdy20(12, 3, user=81, gender="F", number=7)
    assert name == "Sess12_script03_User081F_007"
    assert SEGMENT_ID_KEMDY20.match(name).groupdict() == {
        "session": "12",
        "script": "script03",
        "user": "081",
        "gender": "F",
        "number": "007",
    }


@pytest.mark.parametrize("change", [{"script": 7}, {"gender": "X"}, {"gender": ""}])
def test_segment_id_that_the_corpus_cannot_hold_is_refused(change):
    parts = {"session": 1, "script": 1, "user": 1, "gender": "F", "number": 1} | change
    with pytest.raises(ValueError, match="is no Segment ID"):
        format_segment_id_kemdy20(
            parts["session"],
            parts["script"],
            user=parts["user"],
            gender=parts["gender"],
            number=parts["number"],
        )
