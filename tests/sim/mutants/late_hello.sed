# coordinator/sched_worker.c
# A Hello that comes late takes the worker away from its own connection.
s/t->ev->number <= w->hello/w->hello > UINT32_MAX/
