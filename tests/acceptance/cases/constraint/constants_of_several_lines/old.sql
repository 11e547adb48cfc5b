-- A statement that is written into a block is pushed to the right: what stands between quotes must not be.
create table t (v text, w text);
