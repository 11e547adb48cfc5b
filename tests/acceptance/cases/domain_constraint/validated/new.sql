create domain d as int constraint pos check (value > 0);
comment on constraint pos on domain d is 'positive';
