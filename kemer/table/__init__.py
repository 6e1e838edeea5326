"""The paper's Table 1 and what it leaves out: `python -m kemer.table`."""
