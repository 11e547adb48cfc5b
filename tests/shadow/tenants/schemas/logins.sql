-- Every customer is a role of the server: policies ask for the current user.
create table jobs (id bigint primary key generated always as identity, holder name not null default current_user, title text not null);
create table job_steps (job_id bigint not null references jobs (id), n int not null, what text not null, primary key (job_id, n));
create table shifts (day date primary key);
alter table jobs enable row level security;
alter table job_steps enable row level security;
create policy own on jobs using (holder = current_user) with check (holder = current_user);
create policy own on job_steps using (exists (select from jobs where id = job_id and holder = current_user));
grant select, insert, update, delete on jobs, job_steps to worlds_app;
grant select on shifts to worlds_app;
