"""What worker processes did with the queue, written down as they did it, and whether the model allows it.

record.py writes, events.py reads, search.py replays one task through the functions of tests/model/rules.py in every
order that the times allow, check.py decides on all of it. Statements whose answer never came (a process was killed, a
connection cut) may have been carried out or not.

Not checked: what persons write by hand (.update(), .save()), as nobody writes that down; `expires`; pruning.
"""
