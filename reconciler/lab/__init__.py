"""The lab: concurrent sessions stepped through unmodified triggers and functions on a scratch copy, and what they cost.

Knows scratch databases only. Promises that a schedule it names can be replayed by that name, and that what it calls an anomaly is an
outcome that no order of the same transactions, one after another, can have. Says how many schedules it tried, and which it did not.
"""
