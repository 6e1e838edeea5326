"""From recordings on disk to one line an utterance: `python -m kemer.predict`."""
