"""`python -m dataset_script translate`: Korean transcripts become English, each in its dialogue.

Two steps, as in the paper (figure 1): a *draft* and a *refinement* that sees the dialogue around
the utterance; by default one request does both. In the order in which a run uses them:

    cli.py         the command
    options.py     what a run is told, checked
    dialogues.py   utterances of a corpus, dialogue by dialogue
    prompts.py     what the model is told, and the form of its answer
    jobs.py        what is asked for: context, key, and windows of several utterances a request
    chain.py       which steps an utterance has behind it, by what the store holds
    estimate.py    what is left to do and what it will cost
    run.py         one run, from the dialogues to the file
    draft.py       drafts by a translation checkpoint on this machine
    live.py        requests one by one, many at a time
    batch.py       the same through the Batch API
    batch_requests.py  what is due, in chunks, and which request an answer belongs to
    batch_server.py    files and batches at the server, and the lines of what it answers
    ledger.py      what an answer is worth and what it cost, kept together
    failures.py    what can come of a request
    client.py      the server's answers and failures, told apart
    limit.py       how many requests at a time, by what the server bears
    answers.py     whether an answer is a translation
    store.py       what was answered, kept for ever
    prices.py      what it costs, and when to stop
    output.py      the file that `build` takes
    audit.py       what the context is worth: a sample translated again without it
    quality.py     what to distrust, in numbers
    page.py        the same as a page for a person to read (page.html, page.js)
"""
