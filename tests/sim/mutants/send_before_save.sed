# coordinator/hub.c
# An acknowledgement, and every other message, goes out before what it says is durable.
s/while (h->count \&\& h->queue\[h->first\].ticket <= h->durable)/while (h->count)/
