"""The KEMDy corpora as a Hugging Face dataset: readers, builder, folds, release and sample corpus.

The folder imports nothing of this repository outside itself: it can be uploaded alone.
"""
