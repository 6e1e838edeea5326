"""From a run, a data set or the metric to a repository of the Hub: `python -m kemer.release`."""
