create schema app;
create type app.pair as (x integer, y integer);
create function app.into_language(internal) returns internal language internal immutable strict as 'textin';
create function app.out_of_language(internal) returns app.pair language internal immutable strict as 'textin';
create function app.another(internal) returns internal language internal immutable strict as 'textout';


create transform for app.pair language plpgsql (
    from sql with function app.into_language(internal), to sql with function app.out_of_language(internal)
);
comment on transform for app.pair language plpgsql is 'as a record';
create function app.uses(p app.pair) returns integer transform for type app.pair language plpgsql as 'begin return 1; end';
