"""The rules before the code: an exhaustive search over the table of states and the board.

The rules (rules.py) are written down as small pure functions, one for each row of
docs/decisions/0002-states.md and for what docs/decisions/0003-board.md says of workers. The search
(search.py) visits every state that they allow in a small world, up to the names of workers, runners
and numbers, and checks the invariants of onlooker.py in each. Each rule of broken.py is wrong in one
place, and the search has to find it out.

Modelled: 2 or 3 workers of 1 or 2 runners, 1 to 3 tasks, batches of one and two; enqueue, delete, claim
(sent, landed, answer lost), start, end, flush, release, settle, sweep, the keeper's taking back, rescue,
retry and promote, tidy, cancel_task, retry_task, .update() and a stale .save(); deaths of runners and
workers, suspension past the lease, statements that land after their sender has gone, tasks that kill.
Each world allows a few misfortunes (state.Left), so that it is finite and takes a second.

Not modelled: time (a lease has run out, a backoff is over, a task is slow: each simply may happen, where
the rules allow it), two statements inside each other (a claim reads and writes at once; the contract and
stateful tests hold it open), a keeper that dies between two statements (each is conditional on the
holder, so it is repeated), the death of the database, threads, `expires`, pruning, the order of queues.

Nothing here needs Django or a database. `python -m tests.model` prints what each world amounts to,
`python -m tests.model wide` searches larger ones, for minutes.
"""
