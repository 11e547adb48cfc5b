"""ATK: what attacks of one tenant upon another showed. Only words: `audit/probe.py` finds them, each error with a script that shows it.

An attack that changed or showed a row of the other tenant is an error; one whose answer merely depends on whether the other tenant has a
certain row, an oracle, is a warning.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from reconciler.audit.rule import Rule

_RLS = "manual: Row Security Policies"

RULES: Final[tuple[Rule, ...]] = (
    Rule(
        "ATK001",
        "rows of another tenant can be read",
        "error",
        "A query by somebody of tenant A returned rows of tenant B.",
        "Whoever has this role reads the other tenants' data.",
        "Enable and force row-level security on the table; give every policy the condition on the tenant; make views security_invoker, or"
        " filter in them; revoke SELECT on materialized views and partitions from the roles of the API.",
        (_RLS, "splinter 0010", "splinter 0013", "splinter 0016"),
    ),
    Rule(
        "ATK002",
        "a row can be inserted for another tenant",
        "error",
        "An INSERT by somebody of tenant A made a row that belongs to tenant B.",
        "Rows can be forged in the other tenants' data: members, invoices, log entries.",
        "Give the policy for INSERT a WITH CHECK on the tenant, and on every column through which a row gets its tenant.",
        (_RLS,),
    ),
    Rule(
        "ATK003",
        "rows of another tenant can be changed",
        "error",
        "An UPDATE, MERGE or INSERT … ON CONFLICT by somebody of tenant A changed rows of tenant B.",
        "The other tenants' data can be overwritten, also where it cannot be read.",
        "Give the policy for UPDATE a USING condition on the tenant; without a WHERE clause no policy for SELECT protects the row.",
        (_RLS,),
    ),
    Rule(
        "ATK004",
        "rows of another tenant can be deleted",
        "error",
        "A DELETE or MERGE by somebody of tenant A removed rows of tenant B.",
        "The other tenants' data can be destroyed, also where it cannot be read.",
        "Give the policy for DELETE a USING condition on the tenant.",
        (_RLS,),
    ),
    Rule(
        "ATK005",
        "TRUNCATE empties every tenant's rows",
        "error",
        "A role of the application holds TRUNCATE, which row-level security does not bind, and the table was emptied. A warning for the roles of"
        " Supabase's Data API, which has no request that truncates.",
        "One statement destroys the rows of all tenants.",
        "Revoke TRUNCATE from every role of the application.",
        (_RLS,),
    ),
    Rule(
        "ATK006",
        "a row crosses the border between tenants",
        "error",
        "An UPDATE by somebody of tenant A gave a row of A to tenant B, or took one of B's over.",
        "Rows are forged in, or stolen from, the other tenants' data.",
        "Give the policy for UPDATE both USING and WITH CHECK on the tenant, or grant UPDATE on the other columns alone.",
        (_RLS,),
    ),
    Rule(
        "ATK007",
        "a function shows or changes rows of another tenant",
        "error",
        "A function that somebody of tenant A may call, given keys of tenant B, returned or changed rows of B.",
        "Row-level security is walked around by a call.",
        "Check inside the function that the arguments belong to the caller's tenant, or make it SECURITY INVOKER; revoke EXECUTE from PUBLIC"
        " and from the roles that need not call it.",
        ("manual: Writing SECURITY DEFINER Functions Safely",),
    ),
    Rule(
        "ATK008",
        "a foreign key's action reaches rows of another tenant",
        "error",
        "Deleting or changing a row of tenant A removed or changed a row of tenant B that refers to it.",
        "Referential actions run without row-level security: one tenant destroys another's rows.",
        "Put the tenant into the foreign key, so that a row can refer to rows of its own tenant only.",
        ("manual: Row Security Policies", "manual: Constraints, Foreign Keys"),
    ),
    Rule(
        "ATK009",
        "what users write about themselves decides whose rows they see",
        "error",
        "With keys of tenant B in user_metadata, which users write themselves, somebody of tenant A reached rows of B.",
        "Any user makes themselves a member of any tenant.",
        "Take the tenant from app_metadata or from a table of memberships, never from user_metadata.",
        ("splinter 0015",),
    ),
    Rule(
        "ATK010",
        "a prepared statement answers for another tenant",
        "error",
        "A statement that was prepared for tenant B and executed for tenant A in the same session showed rows of B.",
        "In a pool of connections one tenant is given another's rows.",
        "Declare the functions in the policy STABLE: an IMMUTABLE one is computed once, when the plan is made.",
        ("manual: Function Volatility Categories",),
    ),
    Rule(
        "ATK011",
        "a session without claims is let in",
        "error",
        "With empty or missing claims rows of tenant B were reached.",
        "A request that the gateway did not mark sees the tenants' rows.",
        "Treat a missing and an empty setting alike: nullif(current_setting('…', true), ''), compared so that NULL is no row.",
        (_RLS,),
    ),
    Rule(
        "ATK012",
        "who makes themself more sees rows of another tenant",
        "error",
        "Somebody of tenant A changed a flag or a role in a row that they may write, or put in a row that refers to one of B or says"
        " what stands there (an e-mail address), and rows of tenant B were shown to them afterwards.",
        "Two statements of any user open the other tenants' data.",
        "Grant UPDATE on the columns that people may change about themselves, never on those that policies ask; or let only an"
        " administrator's policy reach them.",
        (_RLS,),
    ),
    Rule(
        "ATK013",
        "who was a member once still sees rows of the tenant",
        "error",
        "Somebody of tenant A whose membership of tenant B has ended, as a column of the members' table says, was shown rows of B.",
        "Whoever leaves, or is shown the door, keeps reading along.",
        "Ask in every policy, and in the functions that policies ask, whether the membership counts, not only whether there is one.",
        (_RLS,),
    ),
    Rule(
        "ATK020",
        "an answer depends on rows of another tenant",
        "warning",
        "The same query, function or command answered differently where tenant B has no rows, without showing one of them.",
        "Counts, existence or sizes of the other tenants' data can be told.",
        "Aggregate within the tenant; let the function look at the caller's tenant only.",
    ),
    Rule(
        "ATK021",
        "a unique constraint tells whether another tenant has a value",
        "warning",
        "An INSERT with a value that tenant B holds failed, and would have succeeded where B does not exist.",
        "Values of the other tenants (an e-mail address, a name) can be guessed and confirmed.",
        "Put the tenant's column into the unique constraint.",
        (_RLS,),
    ),
    Rule(
        "ATK022",
        "a row may refer to a row of another tenant",
        "warning",
        "A row of tenant A was stored with a reference to a row of tenant B.",
        "That the key exists can be told; B may be unable to delete its row, and joins follow the reference across the border.",
        "Put the tenant into the foreign key: (tenant, id) on both sides.",
        (_RLS,),
    ),
    Rule(
        "ATK023",
        "rows of nobody can be written by anybody",
        "warning",
        "A role of the application changed a table whose rows all tenants share.",
        "One tenant changes what the others see.",
        "Revoke the privilege to write, or let only an administrator's policy allow it.",
    ),
    Rule(
        "ATK024",
        "a sequence can be set",
        "warning",
        "A role of the application may call setval() on a sequence.",
        "Set back, the next inserts of every tenant fail with a duplicate key.",
        "Grant USAGE on the sequence alone, or nothing: identity columns need no grant.",
    ),
    Rule(
        "ATK025",
        "a foreign key's action would reach rows of another tenant",
        "warning",
        "Deleting or changing a row of tenant A removes or changes any row of tenant B that refers to it; B could not make such a reference itself.",
        "If one ever arises, by a job or an import, one tenant destroys another's row.",
        "Put the tenant into the foreign key, so that such a reference cannot exist.",
    ),
    Rule(
        "ATK026",
        "people may say themselves what they may do",
        "warning",
        "Somebody of tenant A who is no administrator changed the role, the level or the flag of a member or user, their own or another's.",
        "Any member makes themself an administrator of their tenant.",
        "Grant UPDATE on the other columns alone, or give the policy for UPDATE a condition that only administrators meet.",
        (_RLS,),
    ),
)

BY_ID: Final[Mapping[str, Rule]] = MappingProxyType({rule.id: rule for rule in RULES})
