"""The sample corpus: synthetic Korean dialogue in the exact KEMDy20 layout, for demos and tests.

`lexicon` holds the lines and `parameters` the numbers; `generative` draws what is felt and heard,
`translator` renders the lines in English from the visible dialogue, `session` puts a session
together, `speech` lets espeak-ng say it and `writer` puts it on disk. `consensus` and `oracle` say
how well any model could do. Nothing here is a recording, a transcript or an annotation of KEMDy:
all of it is invented.
"""
