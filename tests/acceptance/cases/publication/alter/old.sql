create publication p with (publish = 'insert');
create publication q;
create publication widened;
comment on publication q is 'before';
