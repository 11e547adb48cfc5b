create type t as enum ('a');
