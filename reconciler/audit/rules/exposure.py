"""Rules about what shows rows beside tables and views: foreign tables, extensions, publications, files."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.audit.rule import Rule
from reconciler.audit.rules import names, reach
from reconciler.audit.rules.catalog import COMMANDS, Policy
from reconciler.audit.rules.conditions import always, called, mentioned
from reconciler.audit.rules.subject import Subject
from reconciler.model import Finding, ObjectId
from reconciler.pg import ident


def _foreign(subject: Subject) -> Iterator[Finding]:
    for table in subject.catalog.relations_of("f"):
        held = reach.holders(subject.catalog, table, *COMMANDS)
        if held:
            yield FOREIGN.finding(
                table.id,
                f"Foreign table {table.id} cannot have policies, and {reach.words(held)}.",
                remedy=f"revoke all on {names.on(table)} from {names.roles(tuple(held))};",
            )


FOREIGN = Rule(
    id="STO005",
    title="A foreign table is open",
    severity="warning",
    condition="A role that row-level security binds holds SELECT, INSERT, UPDATE or DELETE on a foreign table.",
    consequence="Foreign tables have no row-level security: whoever may read one reads everything that its server shows.",
    remedy="Revoke it, and let a view or a function show each caller their own.",
    references=("splinter 0017", "pgrls SEC053"),
    check=_foreign,
)


def _in_public(subject: Subject) -> Iterator[Finding]:
    for found in subject.catalog.extensions:
        if found.schema == "public" and "public" in subject.catalog.ours:
            yield IN_PUBLIC.finding(
                ObjectId("extension", "", found.name),
                f"Extension {found.name} is in schema public, and its functions are in everybody's reach there.",
                remedy=f"create schema if not exists extensions;\nalter extension {ident(found.name)} set schema extensions;"
                if found.relocatable
                else "",
            )


IN_PUBLIC = Rule(
    id="STO006",
    title="An extension is in schema public",
    severity="warning",
    condition="An extension was created in public.",
    consequence="Its functions and operators stand among those of the application, in the API and on every search path; everybody may call"
    " them.",
    remedy="create schema extensions; alter extension … set schema extensions. Those that cannot move: drop and create them there.",
    references=("splinter 0014",),
    check=_in_public,
)


def _published(subject: Subject) -> Iterator[Finding]:
    catalog = subject.catalog
    for publication in catalog.publications:
        tables = [t for t in catalog.tables() if t.oid in publication.tables]
        live = publication.name == "supabase_realtime"
        concerned = [t for t in tables if (not t.rls if live else t.rls) and not subject.is_shared(t)]
        if not concerned:
            continue
        listed = ", ".join(str(table.id) for table in concerned)
        if live:
            says = f"Changes of {listed} are sent to every subscriber: without row-level security nothing is held back."
        else:
            says = f"Publication {publication.name} sends every row of {listed}: policies do not hold for subscribers."
        yield PUBLISHED.finding(
            ObjectId("publication", "", publication.name), says, severity="warning" if live else "info"
        )


PUBLISHED = Rule(
    id="STO007",
    title="A publication sends rows past the policies",
    severity="warning",
    condition="A publication contains tables with row-level security (an information); or Supabase's supabase_realtime contains tables without.",
    consequence="Logical replication sends whole tables: the subscriber's side decides who sees what. Realtime asks policies where there are"
    " any, and sends everything to everybody where there are none.",
    remedy="Publish what must leave, by row filters (where (…)) and column lists; enable row-level security on what realtime sends.",
    references=("pgrls SEC051", "manual: Row Filters"),
    check=_published,
)


def _borrowed_key(subject: Subject) -> Iterator[Finding]:
    catalog = subject.catalog
    primary = {index.table: set(index.columns) for index in catalog.indexes if index.primary}
    for key in catalog.foreign_keys if catalog.platform == "supabase" else ():
        child, target = catalog.relations.get(key.table), catalog.relations.get(key.target)
        if (
            child is None
            or target is None
            or target.id.schema != "auth"
            or child.id.schema not in catalog.ours
        ):
            continue
        if set(key.target_columns) != primary.get(target.oid, set()):
            yield BORROWED_KEY.finding(
                key.id,
                f"Foreign key {key.id.part} of {child.id} stands on {target.id} ({', '.join(key.target_columns)}), which is not its primary key.",
            )


BORROWED_KEY = Rule(
    id="STO008",
    title="A foreign key stands on a constraint that the platform may drop",
    severity="warning",
    condition="On Supabase, a foreign key references columns of a table in auth that are not its primary key.",
    consequence="The platform's own migrations change those constraints; the key stands in their way, and security updates with them.",
    remedy="Reference auth.users (id).",
    references=("splinter 0021",),
    check=_borrowed_key,
)


def _any_bucket(subject: Subject) -> Iterator[Finding]:
    catalog = subject.catalog
    objects = catalog.by_id.get(ObjectId("table", "storage", "objects"))
    if objects is None or catalog.platform != "supabase":
        return
    for policy in catalog.policies_of(objects):
        conditions = [condition for _, condition in policy.conditions]
        if (
            policy.permissive
            and conditions
            and not any("bucket_id" in mentioned(objects, c.tree) for c in conditions)
        ):
            if all(always(condition) is False for condition in conditions):
                continue
            yield ANY_BUCKET.finding(
                policy.id,
                f"Policy {policy.name} on storage.objects is for the files of every bucket: it does not ask bucket_id.",
            )


ANY_BUCKET = Rule(
    id="STO009",
    title="A policy on files is for every bucket",
    severity="warning",
    condition="On Supabase, a permissive policy of storage.objects does not mention bucket_id.",
    consequence="Written for one bucket, it lets the same callers at the files of all others, those of later ones too.",
    remedy="Begin with bucket_id = '…' and …",
    references=("pgrls SEC050",),
    check=_any_bucket,
)


def _of_everybody(subject: Subject, table: str, *whose: str) -> Iterator[tuple[Policy, str]]:
    """Permissive policies of a table of the platform that pass rows without asking for any of these columns, and for which commands."""
    catalog = subject.catalog
    relation = catalog.by_id.get(ObjectId("table", *table.split(".")))
    if relation is None or catalog.platform != "supabase":
        return
    for policy in catalog.policies_of(relation):
        loose = [
            command
            for command in policy.commands
            if policy.permissive
            and (filters := policy.filters(command))
            and not any(always(one) is False or mentioned(relation, one.tree) & set(whose) for one in filters)
        ]
        if loose:
            yield policy, f"{' and '.join(loose)} for {', '.join(sorted(policy.roles)).lower()}"


def _every_file(subject: Subject) -> Iterator[Finding]:
    whose = ("name", "owner", "owner_id", "path_tokens", "id", "metadata", "user_metadata")
    for policy, what in _of_everybody(subject, "storage.objects", *whose):
        yield EVERY_FILE.finding(
            policy.id,
            f"Policy {policy.name} on storage.objects allows {what} whoever's file it is: it asks neither its path nor its owner.",
        )


EVERY_FILE = Rule(
    id="STO010",
    title="A policy on files does not ask whose the file is",
    severity="warning",
    condition="On Supabase, a permissive policy of storage.objects mentions neither the file's name, nor its path_tokens, its owner or owner_id.",
    consequence="Whoever it is for reads, lists, replaces or deletes the files of all tenants in the bucket. A public bucket needs no policy to be"
    " downloaded from; one for SELECT lets everybody list it.",
    remedy="Compare the folder with the tenant or user, as in (storage.foldername(name))[1] = (select auth.uid())::text, or owner_id with"
    " auth.uid(). Where the files are meant for everybody, exempt the finding with that reason.",
    references=("splinter 0025",),
    check=_every_file,
)


def _every_topic(subject: Subject) -> Iterator[Finding]:
    catalog = subject.catalog
    for policy, what in _of_everybody(subject, "realtime.messages", "topic"):
        asked = {str(function.id) for _, one in policy.conditions for function in called(catalog, one.tree)}
        if "realtime.topic()" not in asked:
            yield EVERY_TOPIC.finding(
                policy.id,
                f"Policy {policy.name} on realtime.messages allows {what} on every topic: it does not ask realtime.topic().",
            )


EVERY_TOPIC = Rule(
    id="STO011",
    title="A policy on messages is for every topic",
    severity="warning",
    condition="On Supabase, a permissive policy of realtime.messages neither calls realtime.topic() nor mentions the topic.",
    consequence="Whoever it is for may join the private channels of all tenants, and hear or send what it allows.",
    remedy="Ask who may join: … where realtime.topic() = 'room:' || room_id::text, with the caller's membership.",
    check=_every_topic,
)

RULES = (FOREIGN, IN_PUBLIC, PUBLISHED, BORROWED_KEY, ANY_BUCKET, EVERY_FILE, EVERY_TOPIC)
