# worker/session_run.c
# After a reconnect a worker does not send again what was not acknowledged.
s/        outbox_rewind(\&r->box);//
