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
    ),
    drift=(
        Change("alter", ObjectId("function", "public", EVIL, "()"), ("body",)),
        Change("create", ObjectId("policy", "public", "accounts", "read own")),
    ),
    extra=(ObjectId("table", "public", "forgotten"),),
    pending=("20261123040000_later",),
    facts={
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
                    "locks": [{"relation": EVIL, "mode": "ShareLock", "blocks": ["INSERT", "UPDATE"]}],
                    "seconds_on_live": {"low": 1.24, "high": 3.5},
                }
            ],
            "down": [],
            "proof": {"passed": False, "residue": ["after down: it stays"]},
        },
        "history": [
            {
                "version": "20261122000000",
                "slug": "first",
                "direction": "up",
                "applied_by": EVIL,
                "started_at": "2026-11-22T00:00:00Z",
                "seconds": 0.25,
            }
        ],
    },
)
NEW = Status("new", "")
GONE = Status(
    "gone",
    "2026-11-23T04:00:02+00:00",
    (Condition("InSync", "Unknown", "Waiting", "the server is not reachable"),),
)
