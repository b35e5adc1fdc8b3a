# SPDX-License-Identifier: BSD-3-Clause
"""What the nox sessions are made of; noxfile.py says which session does what.

Programs that run in a session's environment are started as `python -m ci.NAME` in the root of the repository.
"""
