"""TRG and SRV: how triggers are designed, what they do when they fire, what the service role may be made to do.

Only words. What the design rules say is found in `audit/triggers/design.py` from the texts, what the others say by firing triggers and
calling functions in a world of two tenants.
"""

from __future__ import annotations

from reconciler.audit.rule import Rule

_TRIGGERS = "manual: Overview of Trigger Behavior"
_PLPGSQL = "manual: PL/pgSQL, Trapping Errors"

RULES: tuple[Rule, ...] = (
    Rule(
        "TRG001",
        "a BEFORE trigger writes other tables",
        "warning",
        "The function of a BEFORE trigger inserts, updates or deletes rows of a table other than its own.",
        "The row may still be changed by a later BEFORE trigger, refused by a constraint, or not come at all (ON CONFLICT DO NOTHING): the"
        " other table then holds what never happened.",
        "Validate and transform in BEFORE; write other tables in an AFTER trigger.",
        (_TRIGGERS,),
    ),
    Rule(
        "TRG002",
        "an AFTER trigger assigns NEW",
        "warning",
        "The function of an AFTER trigger sets NEW or one of its columns.",
        "The row is stored already; the assignment is lost without an error.",
        "Set columns in a BEFORE ROW trigger.",
        (_TRIGGERS,),
    ),
    Rule(
        "TRG003",
        "triggers fire triggers",
        "warning",
        "What one trigger writes fires another one that writes more; writing a log does not count.",
        "One statement reaches tables that its author does not see; locks are taken in an order that nobody chose, and an error appears"
        " far from its cause.",
        "Let one trigger, or the function that is called, do all of it.",
        (_TRIGGERS,),
    ),
    Rule(
        "TRG004",
        "a trigger can fire itself",
        "warning",
        "What a trigger writes fires it again, directly or by way of others, and nothing in it ends that.",
        "The statement fails at the limit of the stack depth, or writes once more for every level.",
        "Give it a condition under which nothing changes: WHEN (old.x is distinct from new.x), UPDATE OF other columns, or, as a last resort,"
        " WHEN (pg_trigger_depth() = 0).",
        (_TRIGGERS,),
    ),
    Rule(
        "TRG005",
        "WHEN OTHERS without RAISE",
        "warning",
        "A trigger's function catches every error and does not raise it again.",
        "What the trigger had to do did not happen, and nobody is told.",
        "Let errors through. To catch one that is expected, name it; to keep a rejection, let the calling function record it and return it.",
        (_PLPGSQL,),
    ),
    Rule(
        "TRG006",
        "an error does not name its object",
        "warning",
        "A RAISE in a trigger names neither the table nor a column, in its message, its detail or USING.",
        "Whoever reads the message has to guess which of several triggers refused which row.",
        "raise exception using message = …, detail = …, hint = …, schema = tg_table_schema, table = tg_table_name",
        ("manual: PL/pgSQL, Errors and Messages",),
    ),
    Rule(
        "TRG007",
        "a trigger writes a placeholder row",
        "warning",
        "A trigger inserts a row made of constants, or of words like 'unknown', into a table that is no log.",
        "The row satisfies a constraint and means nothing; what is really missing is never noticed.",
        "Raise when what is needed is not there, or make the column nullable.",
    ),
    Rule(
        "TRG008",
        "REFRESH MATERIALIZED VIEW in a trigger",
        "warning",
        "A trigger refreshes a materialized view.",
        "Every write reads everything the view reads and waits for every other write: writers stand in a queue.",
        "Refresh by a schedule that calls a function.",
        ("manual: REFRESH MATERIALIZED VIEW",),
    ),
    Rule(
        "TRG009",
        "a row trigger where a transition table does",
        "info",
        "An AFTER ROW trigger does nothing but append one row to another table for each of its own.",
        "Writing 10,000 rows costs more than twice what it does with one statement-level trigger over a transition table.",
        "One AFTER STATEMENT trigger per event, REFERENCING NEW TABLE AS new_rows (OLD TABLE AS old_rows), with INSERT … SELECT.",
        ("manual: CREATE TRIGGER, REFERENCING",),
    ),
    Rule(
        "TRG010",
        "a log that its subjects may write",
        "warning",
        "A table that triggers keep a log in may be inserted into, updated, deleted from or truncated by an ordinary role.",
        "What the log says can be forged, changed or removed by those it is about.",
        "Let the trigger's function write as the table's owner (SECURITY DEFINER, set search_path = ''), and revoke insert, update, delete and"
        " truncate from everybody else.",
    ),
    Rule(
        "TRG011",
        "what a trigger writes is not logged",
        "warning",
        "A trigger writes a table, and neither it nor a trigger of that table writes a log of it.",
        "Afterwards nobody can tell what the trigger changed, when, and for whom.",
        "Write the log row in the same transaction: by the trigger itself, or by a log trigger of the table it writes.",
    ),
    Rule(
        "TRG012",
        "design questions without an answer",
        "info",
        "The declaration of a trigger does not say which invariant it protects, what happens when it fails, how it meets concurrency, or"
        " how it meets row-level security.",
        "Nobody can check the trigger against what it is for.",
        "Write invariants, on_error, concurrency and tenancy beside the trigger.",
    ),
    Rule(
        "TRG013",
        "a SECURITY DEFINER trigger without search_path",
        "warning",
        "The function of a trigger, or one that it calls, runs with its owner's rights and whatever search_path its caller has.",
        "The caller can put an object of their own in front of what the function means, and it runs with the owner's rights.",
        "alter function … set search_path = '', and qualify every name in it.",
        ("manual: CREATE FUNCTION, Writing SECURITY DEFINER Functions Safely", "splinter 0011"),
    ),
    Rule(
        "TRG014",
        "a trigger looks up rows without the tenant",
        "warning",
        "A statement in a trigger reads, updates or deletes rows of a table with a tenant column and does not name that column.",
        "A key that a client chose finds another tenant's row, if row-level security does not hide it there.",
        "Add the tenant to the condition: and x.tenant_id = new.tenant_id.",
    ),
    Rule(
        "TRG015",
        "a trigger whose text cannot be read",
        "info",
        "The function of a trigger is not written in SQL or PL/pgSQL, or executes a text that is only made when it runs.",
        "The rules on trigger design say nothing about it; only what it was seen to do is known.",
        "Write it in PL/pgSQL with static SQL where that can be done.",
    ),
    Rule(
        "TRG101",
        "a trigger writes another tenant's rows",
        "error",
        "Fired by a row of one tenant, a trigger inserted, changed or deleted a row of another one.",
        "Whoever may write the first table writes the second one for anybody.",
        "Take the tenant of every row from the row that fired the trigger, and join with it; make foreign keys include the tenant.",
    ),
    Rule(
        "TRG102",
        "a trigger changes nothing because rows are hidden",
        "error",
        "A write of a trigger that changes rows without row-level security changes none as this identity, and no error is raised.",
        "What the trigger keeps true is silently no longer true.",
        "Let the function run as a role that may see the rows (SECURITY DEFINER with set search_path = '' and the tenant in every condition), or"
        " check FOUND and raise.",
        ("manual: Row Security Policies",),
    ),
    Rule(
        "TRG103",
        "a trigger takes the tenant from what the client sent",
        "error",
        "A trigger wrote a row for the tenant that stood in a column the client had set, while the row itself belonged to another tenant.",
        "A client chooses for whom the trigger writes.",
        "Take the tenant from the row's own tenant column, which its policies check.",
    ),
    Rule(
        "TRG104",
        "a log row was changed by whom it is about",
        "error",
        "The identity whose statement a trigger had logged could update, delete or forge the log row.",
        "The log proves nothing.",
        "Let only the trigger's function write the log: SECURITY DEFINER, set search_path = '', and revoke insert, update, delete and truncate"
        " from everybody else.",
    ),
    Rule(
        "TRG105",
        "a trigger swallows errors",
        "warning",
        "A write in a trigger was made to fail; the statement that fired it succeeded all the same, and no row says so.",
        "What the trigger had to do did not happen, and nobody is told.",
        "Remove the handler, or raise in it.",
        (_PLPGSQL,),
    ),
    Rule(
        "TRG106",
        "triggers seen firing triggers",
        "warning",
        "A statement was seen to run several writing triggers inside each other, or to fail at the limit of the stack depth.",
        "One statement reaches tables that its author does not see; recursion without an end fails when there are rows enough.",
        "Let one trigger do all of it; end recursion by a condition under which nothing changes.",
        (_TRIGGERS,),
    ),
    Rule(
        "TRG107",
        "a trigger fails for those who may fire it",
        "warning",
        "A statement that an identity is allowed ended in an error inside a trigger's function: a privilege that its role does not have, or a"
        " name that does not exist.",
        "The table cannot be written by those who are meant to, or the grants that let them are a mistake.",
        "Let the function run with its owner's rights (SECURITY DEFINER, set search_path = ''), or grant its caller what it needs.",
    ),
    Rule(
        "TRG108",
        "a trigger shows another tenant's data",
        "error",
        "Fired by a row of one tenant with another tenant's key in it, a trigger put what is the other one's into that row, another row or an"
        " error.",
        "Whoever may write the table reads what the trigger looks up, for anybody.",
        "Look rows up with the tenant of the row that fired the trigger; make foreign keys include the tenant.",
    ),
    Rule(
        "SRV001",
        "a function of the service role mixes tenants",
        "error",
        "A function that only roles beyond row-level security may call was given one tenant's key together with another tenant's row, and wrote.",
        "Row-level security does not bind its caller: nothing else stands between a mistaken or forged request and the other tenant's rows.",
        "Check before any write that the row belongs to the tenant, and raise.",
    ),
    Rule(
        "SRV002",
        "a function of the service role reads across tenants",
        "error",
        "A function that only roles beyond row-level security may call was given one tenant's key together with another tenant's row, and"
        " returned what belongs to the other one.",
        "A caller that speaks for one tenant is shown another one's data.",
        "Check that the row belongs to the tenant, and raise; or put the tenant into the condition.",
    ),
)
BY_ID = {rule.id: rule for rule in RULES}
