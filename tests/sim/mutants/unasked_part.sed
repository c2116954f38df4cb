# worker/session_run.c
# After a reconnect a worker does not ask again for the next part of a checkpoint.
s/        if (rc == OK) rc = session_file_fetch(s, t, r);//
