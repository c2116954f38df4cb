# worker/session_file.c
# The slot of a run that goes on does not get the last part of its checkpoint.
s/at < r->fetch.size \&\& rc/at + s->set.part_bytes < r->fetch.size \&\& rc/
