"""The sample corpus: synthetic Korean dialogue in the exact KEMDy20 layout, for demos and tests.

`lexicon` holds the lines, `generative` draws what is felt and said, `translator` renders it in
English from the visible dialogue, `speech` lets espeak-ng say it, `writer` puts it on disk and
`oracle` says how well any model could do. Nothing here is a recording, a transcript or an
annotation of KEMDy: all of it is invented.
"""
