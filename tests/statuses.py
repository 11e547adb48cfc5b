"""Statuses to look at: one in sync, one with everything that can be wrong, one nobody has looked at."""

from __future__ import annotations

from reconciler.model import Change, Condition, ObjectId, Status
from reconciler.web.durations import added

EVIL = '<script>alert("1")</script>'

GOOD = Status(
    "good",
    "2026-11-23T04:00:00Z",
    (Condition("InSync", "True", "Equal", "The database is what its files say.", "2026-11-23T03:00:00Z"),),
    facts={
        "last_success": 1_800_000_000.5,
        "rehearsals": {"passed": 2},
        "migrations_applied": {"up": {"done": 3}},
        "plan_statements": {"migra": 4, "catalog": 1},
        "plan": {"up": [], "down": []},
        "drift_since": None,
        "hazards_awaiting_approval": 0,
        "leader": True,
        "ddl_events": 7,
        "deadlocks": 1,
        "reconciles": {"timer": {"in_sync": 4, "waiting": 1}, "files": {"applied": 2}},
        "reconcile_duration": {"observe": added(added(None, 0.04), 7.5), "apply": added(None, 1300.0)},
        "lock_wait": added(None, 0.25),
    },
)
BAD = Status(
    "bad",
    "2026-11-23T04:00:01Z",
    (
        Condition("InSync", "False", "Drifted", f"Two objects differ, one called {EVIL}."),
        Condition("ExtraObjects", "True", "Undeclared", "One table is not declared."),
        Condition("Ready", "True", "Observed", "Looked at."),
        Condition(
            "Suspended",
            "True",
            "Paused",
            f"suspended by ann {EVIL}: nothing is proposed",
            "2026-11-23T03:00:00Z",
        ),
    ),
    drift=(
        Change("alter", ObjectId("function", "public", EVIL, "()"), ("body",)),
        Change("create", ObjectId("policy", "public", "accounts", "read own")),
    ),
    extra=(ObjectId("table", "public", "forgotten"),),
    pending=("20261123040000_later",),
    facts={
        "audit": {
            "at": "2026-11-26T10:00:00+00:00",
            "attacked": True,
            "findings": {"error": 1, "warning": 2, "info": 0},
            "decided": 0.987,
            "worst": [
                {
                    "rule": "ATK001",
                    "severity": "error",
                    "kind": "table",
                    "id": "public.<b>notes</b>",
                    "says": "shows rows of others",
                }
            ],
        },
        "invariants": {"rows": {"balanced": 2, "logged": 0}, "unknown": {"slow": "canceling statement"}},
        "drift_since": 1_795_400_000.0,
        "hazards_awaiting_approval": 2,
        "leader": False,
        "rehearsals": {"passed": 1, "failed": 1},
        "engine_failures": {"migra": 1},
        "differences": [
            {
                "verb": "alter",
                "kind": "function",
                "id": f"public.{EVIL}()",
                "live": {"body": f"begin\n  return '{EVIL}';\nend", "owner": "me"},
                "declared": {"body": "begin\n  return 'x';\nend", "owner": "me"},
                "since": "2026-11-23T03:59:00Z",
                "by": {
                    "user": f"ann {EVIL}",
                    "application": f"psql {EVIL}",
                    "client": "10.0.0.4",
                    "at": "2026-11-23T03:58:59Z",
                    "command": f"CREATE FUNCTION {EVIL}",
                },
            },
            {
                "verb": "create",
                "kind": "policy",
                "id": "read own",
                "live": None,
                "declared": {"using": "org_id = 1", "roles": ["authenticated"]},
            },
        ],
        "plan": {
            "up": [
                {
                    "sql": f"create function {EVIL}",
                    "reason": "it differs",
                    "source": "catalog",
                    "transactional": True,
                    "hazards": ["WEAKENS_ISOLATION"],
                    "consequences": [f"Rows of other tenants are seen by {EVIL}."],
                    "locks": [{"relation": EVIL, "mode": "ShareLock", "blocks": ["INSERT", "UPDATE"]}],
                    "seconds_on_live": {"low": 1.24, "high": 3.5},
                }
            ],
            "down": [
                {
                    "sql": f"drop function {EVIL}",
                    "reason": "",
                    "source": "migra",
                    "transactional": False,
                    "hazards": [],
                }
            ],
            "form": "quarantine",
            "proof": {
                "passed": False,
                "scope": "slice",
                "up": True,
                "up_again": True,
                "down": False,
                "down_again": None,
                "reup": None,
                "rows_kept": True,
                "residue": [f"after down: it stays {EVIL}"],
                "unseeded": [f"table {EVIL}"],
                "seconds": 4.26,
            },
        },
        "drift_as_of": "2026-11-23T03:30:00Z",
        "suspension": {"who": f"ann {EVIL}", "at": "2026-11-23T03:00:00Z", "reason": EVIL},
        "source": {
            "commit": f"0a1b2c {EVIL}",
            "branch": f"main {EVIL}",
            "url": f"https://example.org/{EVIL}",
        },
        "quarantine": [
            {
                "kind": "table",
                "id": f"public.{EVIL}",
                "kept_as": f"q_{EVIL}",
                "kept_at": "2026-11-20T00:00:00Z",
                "kept_by": f"bob {EVIL}",
                "rows": 12,
                "bytes": 8192,
                "held": f"lawsuit {EVIL}",
            }
        ],
        "history": [
            {
                "version": "20261122000000",
                "slug": "first",
                "direction": "up",
                "applied_by": EVIL,
                "started_at": "2026-11-22T00:00:00Z",
                "seconds": 0.25,
                "state": "applied",
            },
            {
                "version": "20261122000001",
                "slug": EVIL,
                "direction": "down",
                "applied_by": "me",
                "started_at": "2026-11-22T00:00:01Z",
                "seconds": 1,
                "state": "rolled back",
            },
        ],
    },
)
NEW = Status("new", "")
GONE = Status(
    "gone",
    "2026-11-23T04:00:02+00:00",
    (Condition("InSync", "Unknown", "Waiting", "the server is not reachable"),),
)
