create extension vector schema public;
