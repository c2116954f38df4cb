# coordinator/sched_run.c
# An attempt that is over may go on reporting: >= for = in the fence.
s/r->is.attempt == t->ev->attempt \&\&/r->is.attempt >= t->ev->attempt \&\&/
