"""Stands, on a path, before the package of this name: ``jsonschema`` then goes without it, as where it is missing.

Whoever reads a notebook loads ``jsonschema``, and that a grammar of internet addresses that nobody here asks for: more
than a CPU second a process, in some fifty processes of the tests.
"""

raise ImportError("not needed by the tests")
