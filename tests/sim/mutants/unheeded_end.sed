# coordinator/sched_worker.c
# A run is lost with its worker though its end came and only waits for the store.
s/return r->state == RUN_RUNNING \&\& !r->ending \&\& (/return r->state == RUN_RUNNING \&\& (/
