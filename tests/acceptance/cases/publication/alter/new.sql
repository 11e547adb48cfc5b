create publication p with (publish = 'insert, delete', publish_via_partition_root = true);
create publication q;
create publication widened for all tables;
comment on publication q is 'after';
