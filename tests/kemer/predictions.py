"""A small table of predictions whose scores can be worked out by hand."""

import pandas as pd

NEUTRAL = [0, 0, 0, 1, 0, 0, 0]
SAD = [0, 0, 0, 0, 1, 0, 0]
SAD_HAPPY = [0, 0, 0, 0, 1, 0, 1]


def make_predictions() -> pd.DataFrame:
    """Five utterances of two sessions: three right, one half right, one wrong."""
    predicted = [NEUTRAL, SAD, SAD, NEUTRAL, SAD_HAPPY]
    reference = [NEUTRAL, SAD_HAPPY, SAD, SAD, SAD_HAPPY]
    return pd.DataFrame(
        {
            "id": [f"kemdy20/Sess0{s}_script01_User00{s}F_00{i}" for i, s in enumerate("11122")],
            "corpus": "kemdy20",
            "session": [1, 1, 1, 2, 2],
            "dialogue": ["Sess01_script01"] * 3 + ["Sess02_script01"] * 2,
            "probabilities": [[0.9 * value for value in row] for row in predicted],
            "labels_predicted": predicted,
            "labels_reference": reference,
            "valence_predicted": [3.0, 2.0, 2.0, 3.0, 3.0],
            "arousal_predicted": [3.0, 3.0, 2.0, 3.0, 4.0],
            "valence_reference": [3.0, 3.0, 2.0, 2.0, 3.0],
            "arousal_reference": [3.0, 3.0, 2.0, 2.0, 4.0],
        }
    )
