create access method kept type index handler bthandler;
create access method remade type index handler bthandler;
