"""What is done for every event of a log: typed Python that mypyc compiles (see `setup.py`).

Where it is not compiled, the tracker does without it: the same rows come about more slowly, by
`projections` alone. So nothing here decides anything; it takes the ordinary case a shorter way and
leaves every other to what it stands in for.
"""
