"""Sessions of a shop that never was, of any number, with causes planted among them and the truth written beside.

`generate` walks visitors through the shop's pages as a Markov chain, a few thousand sessions at a time, and writes what
their browsers would have reported as Parquet. What makes people leave is known here exactly: each cause has a size, and
each leave that it brought about is counted as it is drawn (`causes.py`). Everything else, slow pages and errors that
nobody minds, is there as well: an analysis that names one of those is wrong.
"""
