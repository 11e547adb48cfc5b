"""The audit: row-level security, policies, triggers, functions and grants, read by rules and attacked on the shadow.

Knows scratch databases only, never the live one. Promises that an error is something that happened there, with the statements
that make it happen again; what was not tried is undecided. Never changes a policy: a remedy is proposed.
"""
