"""What every hazard and every rule of the audit means: for `explain`, the documentation and the page. Pure text, one entry per code."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.audit.rules import RULES, Rule
from reconciler.audit.rules.examples import Example, example
from reconciler.errors import Usage
from reconciler.model import HazardCode
from reconciler.settings.fields import closest


@dataclass(frozen=True, slots=True)
class Explanation:
    """`means` says what the statement does, `matters` what that costs, `safely` what to do instead, `example` shows one."""

    code: str
    means: str
    matters: str
    safely: str
    example: str


@dataclass(frozen=True, slots=True)
class ExplainedRule:
    """A rule of the audit with its example."""

    rule: Rule
    example: Example | None


def explain(code: str) -> Explanation | ExplainedRule:
    """The explanation of a hazard or a rule, in upper or lower case. Raises Usage for one that does not exist."""
    wanted = code.strip().upper().replace("-", "_")
    for known in EXPLANATIONS:
        if known.code == wanted:
            return known
    if wanted in RULES:
        return ExplainedRule(RULES[wanted], example(wanted))
    codes = (*(known.code for known in EXPLANATIONS), *RULES)
    near = closest(wanted, codes)
    raise Usage(f"there is no hazard and no rule {code}{near}", hint="reconciler explain lists them all")


EXPLANATIONS: tuple[Explanation, ...] = (
    Explanation(
        HazardCode.DELETES_DATA,
        "The statement takes a table, a column or another object away together with the values it holds. In plans of `plan` and"
        " `apply` the values are kept in schema reconciler_quarantine; in those of `diff` and `apply --destroy` they are not.",
        "Who uses them finds nothing any more. What is kept comes back by the DOWN, until reconciler purge destroys it after the"
        " retention; what is not kept is gone once the transaction commits, and only a backup still has it.",
        "Look at the rows first. If the object only has a new name, say so with `renamed_from` and nothing is dropped. If"
        " the values must live on, copy them to their new place in a migration of your own, apply that, and drop later."
        " When they really may go: --allow DELETES_DATA.",
        "alter table public.invoices drop column if exists total",
    ),
    Explanation(
        HazardCode.LOSSY_CAST,
        "A column gets a type that cannot hold everything the old one could.",
        "Values are cut, rounded or refused. A cut value cannot be restored by the way back.",
        "Count the values that do not fit before you apply. Better: add a second column of the new type, fill it with an"
        " expression you have checked (`fill`), switch the readers, and drop the old column later.",
        "alter table public.invoices alter column note type varchar(20) using note::varchar(20)",
    ),
    Explanation(
        HazardCode.WEAKENS_ISOLATION,
        "A protection between tenants or roles is taken away: row-level security is switched off, a restrictive policy or a"
        " trigger goes, a function or view begins to run with its owner's rights.",
        "Somebody may from then on read or change rows of another organisation. No error will show it.",
        "Ask whether the declaration simply lost a line (`rls: forced`, `security_invoker: true`, `set search_path`). If the"
        " change is meant, add the policy that replaces the old one in the same migration, so that there is no gap.",
        "alter table public.invoices disable row level security",
    ),
    Explanation(
        HazardCode.REVOKES_ACCESS,
        "A grant or a permissive policy goes, so that a role may do less than today.",
        "Whoever relies on it gets `permission denied`, or sees no rows without any error, from the commit on.",
        "Find out who uses it (pg_stat_activity, the application's roles). Grant the replacement first, let the application"
        " change over, then revoke.",
        "revoke select on table public.invoices from reporting",
    ),
    Explanation(
        HazardCode.REWRITES_TABLE,
        "PostgreSQL writes every row of the table anew, with all its indexes, under an ACCESS EXCLUSIVE lock.",
        "Nobody can read or write the table meanwhile. The time grows with the rows, and the disk must hold both copies.",
        "For a large table add a new column without a default, fill it in batches, and swap the names in a short"
        " transaction. The plan says between how many seconds it takes on the rows there are.",
        "alter table public.events alter column id type bigint",
    ),
    Explanation(
        HazardCode.SCANS_UNDER_LOCK,
        "PostgreSQL reads the whole table to check a rule while it holds a lock that keeps others out.",
        "Writers, and for some statements readers, wait until the last row was read.",
        "Add the constraint as NOT VALID, which reads nothing, and VALIDATE it in a second migration: that takes a weaker"
        " lock. For NOT NULL, validate a check (column is not null) first; PostgreSQL then trusts it.",
        "alter table public.invoices alter column org_id set not null",
    ),
    Explanation(
        HazardCode.BLOCKS_WRITES,
        "The statement lets readers pass but keeps every writer of the table waiting until it is done.",
        "Inserts and updates queue up behind it; with a connection pool the queue reaches the application quickly.",
        "Build indexes with CREATE INDEX CONCURRENTLY in a migration of their own, and run the rest when little is written."
        " The lock timeout makes the migration give way to others instead of the reverse.",
        "create index invoices_by_day on public.invoices (day)",
    ),
    Explanation(
        HazardCode.DEPENDS_ON_DATA,
        "Whether the statement succeeds depends on the rows: it adds a rule that existing rows may break.",
        "On a database with such a row it fails, and the whole migration is rolled back; nothing is harmed, nothing is done.",
        "Look for the rows that break the rule before you apply. For a new NOT NULL column give a default or a `fill`.",
        "alter table public.invoices add constraint invoices_total_check check (total >= 0)",
    ),
    Explanation(
        HazardCode.NOT_TRANSACTIONAL,
        "The statement cannot run inside a transaction together with the others, or must commit before they may use it.",
        "If a later statement fails, this one stays. The history records it, and the next run goes on behind it.",
        "Keep such statements in a migration of their own. Run the same command again after a failure: it continues by"
        " itself, and an invalid index left by an interrupted build is dropped and built again.",
        "create index concurrently if not exists invoices_by_day on public.invoices (day)",
    ),
    Explanation(
        HazardCode.IRREVERSIBLE,
        "There is no statement that would undo this one.",
        "`reconciler rollback` refuses to go below this migration; only a backup leads back.",
        "Take a backup, or split the migration so that what cannot be undone comes last and alone.",
        "alter type public.payment_state add value if not exists 'refunded'",
    ),
    Explanation(
        HazardCode.ADDS_FINDING,
        "After the change the audit has an error or a warning that it did not have before: a table without row-level security, a"
        " policy that lets everybody through, a function that runs with its owner's rights and is open to all.",
        "Rows of one organisation may be read or changed by another, and no error will show it. What was wrong before is not counted,"
        " so that this is about this very change.",
        "Read the finding (reconciler explain RULE) and change the declaration; reconciler audit shows attacks and remedies. When it is"
        " meant, exempt it in the configuration with a reason and a last day, or allow it once: --allow ADDS_FINDING.",
        "create policy everybody on public.invoices using (true)",
    ),
)
