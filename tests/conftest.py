"""Settings of the whole test run: no network, and a cache of its own."""

import atexit
import os
import shutil
import tempfile

# Before any library of Hugging Face is imported: they read these once.
_HOME = tempfile.mkdtemp(prefix="kemer-tests-")
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)
os.environ["HF_HOME"] = _HOME
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["MPLCONFIGDIR"] = _HOME
