"""Inspect a notebook's parameters, check what is given for them, and run it.

`parameters` reads and checks; `run` executes through papermill; `run_folder` is the folder a run is written to.
The kernel imports this package too: nothing is imported here, so that it starts fast.
"""
