# coordinator/sched_run.c
# A run may be lost once more than its sweep allows: > for >=.
s/r->is.losses >= sweep_find/r->is.losses > sweep_find/
