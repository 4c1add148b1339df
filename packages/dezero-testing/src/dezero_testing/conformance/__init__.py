"""The conformance kit tests whether an array library can be a backend of DeZero.

    pip install dezero-testing dezero-nn dezero-io
    pytest --pyargs dezero_testing.conformance --dezero-backend NAME

The kit runs the op table and the checks of every installed package of DeZero on one backend, and
prints a table of the outcomes. Tests of a capability that the backend does not declare are skipped
and counted. docs/backends.md explains how to write a backend.
"""
