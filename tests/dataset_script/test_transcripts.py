import pytest

from dataset_script.transcripts import clean_transcript, decide_encoding, decode_transcript

KOREAN = "정말 잘했다. 믿을 수 없어."


def test_the_majority_decides_the_encoding():
    cp949, utf8 = KOREAN.encode("cp949"), KOREAN.encode("utf-8")
    assert decide_encoding([cp949, cp949, utf8], default="utf-8-sig") == "cp949"
    assert decide_encoding([cp949, utf8, utf8], default="cp949") == "utf-8-sig"


def test_ascii_has_no_say_and_the_default_stands():
    assert decide_encoding([b"b/", b""], default="cp949") == "cp949"
    assert decide_encoding([b"b/", "웃겨".encode("cp949")], default="utf-8-sig") == "cp949"


def test_utf8_text_that_cp949_would_read_too_is_utf8():
    both = "각나".encode()  # six bytes that CP949 reads as three other characters
    assert both.decode("cp949") != "각나"
    assert decide_encoding([both], default="cp949") == "utf-8-sig"


def test_a_transcript_in_the_other_encoding_is_read_all_the_same():
    assert decode_transcript(KOREAN.encode(), encoding="cp949")[1] in ("cp949", "utf-8-sig")
    assert decode_transcript(KOREAN.encode("cp949"), encoding="utf-8-sig") == (KOREAN, "cp949")
    assert decode_transcript(b"\xff\xff\xff", encoding="cp949") == (None, None)


def test_byte_order_mark_and_line_ends_are_no_text():
    content = b"\xef\xbb\xbf" + f"{KOREAN}\r\n".encode()
    assert decode_transcript(content, encoding="utf-8-sig") == (KOREAN, "utf-8-sig")


def test_a_syllable_beyond_euc_kr_is_read():
    assert decode_transcript("뷁 똠".encode("cp949"), encoding="cp949") == ("뷁 똠", "cp949")


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("b/ 아 l/ 진짜  웃겨.", "아 진짜 웃겨."),
        ("l/진짜", "진짜"),
        ("u/ b/", ""),
        ("N/ 네", "네"),
        ("네 /n", "네"),
        ("네/아니요", "네/아니요"),
        ("TV/라디오", "TV/라디오"),
        ("", ""),
        ("(응) 그건 아니야.", "그건 아니야."),
        ("그건 (뭐+아니야).", "그건 아니야."),
        ("b/ (l/ 뭐+ 아니 b/) (응)", "아니"),
        ("(그래)", ""),
        ("(뭐+)", ""),
        ("(뭐+아니+야)", "아니 야"),
        ("(가 (나+다))", ""),
        ("가+나 (다", "가+나 다"),
    ],
)
def test_markers_are_stripped_and_words_are_not(raw, clean):
    assert clean_transcript(raw) == clean


def test_markers_can_be_kept():
    assert clean_transcript(" b/ 아  (응+네)l/ ", keep_markers=True) == "b/ 아 (응+네)l/"
