create schema app;
create type app.pair as (x integer, y integer);
create function app.into_language(internal) returns internal language internal immutable strict as 'textin';
create function app.out_of_language(internal) returns app.pair language internal immutable strict as 'textin';
create function app.another(internal) returns internal language internal immutable strict as 'textout';
