create conversion public.remade for 'LATIN1' to 'UTF8' from iso8859_1_to_utf8;
create conversion public.kept for 'LATIN1' to 'UTF8' from iso8859_1_to_utf8;
