"""What the page says, in Korean and in English.

Every text of the page stands here, so that both languages can be set side by side.
"""

from __future__ import annotations

LANGUAGES = {"한국어": "ko", "English": "en"}

TEXTS: dict[str, dict[str, str]] = {
    "ko": {
        "title": "# KEMER: 한국어 대화 속 감정",
        "about": (
            "한국어 발화를 녹음하거나 올리면, 듣는 사람에게 들릴 일곱 가지 감정과 "
            "정서가(불쾌–유쾌), 각성도(차분–흥분)를 1에서 5까지 추정합니다. 긴 녹음은 발화 단위로 "
            "나누어 시간순으로 보여 줍니다. 사용 중인 모델: `{model}`"
        ),
        "audio": "발화 (녹음 또는 파일)",
        "text": "영어 번역 (선택)",
        "text_help": "이 모델은 영어를 읽습니다. 비워 두면 음성만으로 답합니다.",
        "listen": "감정 듣기",
        "examples": "예시 (합성 음성)",
        "answer": "결과",
        "emotions": "감정별 확률",
        "plane": "정서가와 각성도",
        "valence": "정서가 (불쾌 → 유쾌)",
        "arousal": "각성도 (차분 → 흥분)",
        "timeline": "시간순 감정",
        "utterance": "발화 선택",
        "attention": "메타 어텐션이 보는 곳",
        "attention_axis": "어텐션 (1 = 고르게)",
        "waveform": "파형",
        "words": "단어별 어텐션 (1 = 고르게)",
        "no_attention": "이 모델에는 메타 어텐션이 없습니다.",
        "seconds": "초",
        "probability": "확률",
        "values": "값 (JSON)",
        "excited_unpleasant": "분노·불안",
        "excited_pleasant": "기쁨·흥분",
        "calm_unpleasant": "슬픔·지침",
        "calm_pleasant": "편안함",
        "limits": (
            "라벨은 듣는 사람이 들은 감정이지 말하는 사람이 느낀 감정이 아닙니다. 사람에 관한 "
            "결정에 쓰지 마십시오. 녹음은 저장하지 않습니다. 어텐션은 모델이 입력을 어디서 "
            "가져오는지를 보일 뿐, 무엇이 답을 정했는지는 말하지 않습니다."
        ),
        "no_audio": "먼저 녹음하거나 파일을 올려 주십시오.",
        "unreadable": "이 파일에서 소리를 읽을 수 없습니다. 다른 파일을 올려 주십시오.",
        "silent": "이 녹음에서 말소리를 찾지 못했습니다. 더 크게 녹음해 주십시오.",
        "too_long": "녹음이 너무 깁니다({seconds}초). {longest}초까지 올릴 수 있습니다.",
        "korean": "이 모델은 한국어 글을 읽지 못합니다. 영어 번역을 쓰거나 비워 두십시오.",
        "surprise": "놀람",
        "angry": "분노",
        "fear": "두려움",
        "neutral": "중립",
        "sad": "슬픔",
        "disgust": "혐오",
        "happy": "기쁨",
    },
    "en": {
        "title": "# KEMER: emotion in Korean dialogue",
        "about": (
            "Record or upload an utterance in Korean: KEMER estimates which of seven emotions a "
            "listener would hear, and valence (unpleasant to pleasant) and arousal (calm to "
            "excited), from 1 to 5. A long recording becomes a timeline, an utterance at a time. "
            "Model: `{model}`"
        ),
        "audio": "Utterance (record or upload)",
        "text": "English translation (optional)",
        "text_help": "This model reads English. Leave it empty to answer from speech alone.",
        "listen": "Listen",
        "examples": "Examples (synthetic speech)",
        "answer": "Answer",
        "emotions": "Probability of each emotion",
        "plane": "Valence and arousal",
        "valence": "valence (unpleasant → pleasant)",
        "arousal": "arousal (calm → excited)",
        "timeline": "Emotions over time",
        "utterance": "Utterance shown",
        "attention": "Where the meta-attention looks",
        "attention_axis": "attention (1 = all alike)",
        "waveform": "waveform",
        "words": "attention to words (1 = all alike)",
        "no_attention": "This model has no meta-attention.",
        "seconds": "seconds",
        "probability": "probability",
        "values": "Values (JSON)",
        "excited_unpleasant": "angry, afraid",
        "excited_pleasant": "happy, excited",
        "calm_unpleasant": "sad, tired",
        "calm_pleasant": "at ease",
        "limits": (
            "Labels are what listeners heard, not what speakers felt. Do not decide about people "
            "with it. Recordings are not kept. Attention shows where the model takes its input "
            "from, not what decided the answer."
        ),
        "no_audio": "Record or upload an utterance first.",
        "unreadable": "No sound can be read from this file. Upload another one.",
        "silent": "Nobody speaks in this recording. Record it louder.",
        "too_long": "The recording is too long ({seconds} seconds); {longest} are allowed.",
        "korean": "This model does not read Korean. Give an English translation, or nothing.",
        "surprise": "surprise",
        "angry": "angry",
        "fear": "fear",
        "neutral": "neutral",
        "sad": "sad",
        "disgust": "disgust",
        "happy": "happy",
    },
}
"""By language and name; `{…}` is filled in by the page."""


def preferred_language(accepted: str | None) -> str:
    """Return the name of the language to begin with.

    Args:
        accepted: the browser's `Accept-Language`, None if it sent none.

    Example:
        >>> preferred_language("ko-KR,ko;q=0.9,en;q=0.8"), preferred_language("de,en")
        ('한국어', 'English')
    """
    first = (accepted or "").split(",")[0].strip().lower()
    return "한국어" if first.startswith("ko") else "English"


def emotion_name(emotion: str, language: str) -> str:
    """Return an emotion's name; that of a model of other emotions as it is."""
    return TEXTS[language].get(emotion, emotion)
