create access method kept type index handler bthandler;
comment on access method kept is 'a tree';
create access method remade type index handler hashhandler;
