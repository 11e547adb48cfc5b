-- An example: put your own files into this folder and name them in ../kustomization.yaml.
create table public.notes (
  id bigint generated always as identity primary key,
  body text not null
);
