"""The sample corpus: synthetic Korean dialogue in the exact layout of KEMDy20 or KEMDy19.

`lexicon` holds the lines and `parameters` the numbers; `generative` draws what is felt and heard,
`translator` renders the lines in English from the visible dialogue, `session` puts a session of
KEMDy20 together, `scripts` and `acted` one of KEMDy19, `speech` lets espeak-ng say it, `annotation`
and `writer` put it on disk. `consensus` and `oracle` say how well any model could do. Nothing here
is a recording, a transcript or an annotation of KEMDy: all of it is invented.
"""
