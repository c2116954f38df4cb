// SPDX-License-Identifier: MIT
/* action: the list of what the scheduler decided. */
#include "coordinator/action.h"

#include <stdlib.h>
#include <string.h>

static struct action *next(struct actions *a, enum action_kind kind)
{
    if (a->count == a->room) {
        size_t room = a->room ? 2 * a->room : 16;
        struct action *items = a->failed ? NULL : realloc(a->items, room * sizeof *items);
        if (!items) {
            static struct action scrap;
            free(scrap.kind == ACTION_SAVE ? scrap.u.save.text : NULL);
            memset(&scrap, 0, sizeof scrap);
            scrap.kind = kind;
            a->failed = true;
            return &scrap;
        }
        a->items = items;
        a->room = room;
    }
    struct action *x = &a->items[a->count++];
    memset(x, 0, sizeof *x);
    x->kind = kind;
    return x;
}

struct save *actions_save(struct actions *a, enum save_kind kind)
{
    struct save *s = &next(a, ACTION_SAVE)->u.save;
    s->kind = kind;
    return s;
}

struct send *actions_send(struct actions *a, enum send_kind kind, uint64_t peer)
{
    struct send *s = &next(a, ACTION_SEND)->u.send;
    s->kind = kind;
    s->peer = peer;
    return s;
}

struct note *actions_note(struct actions *a)
{
    return &next(a, ACTION_NOTE)->u.note;
}

void actions_with_message(struct actions *a)
{
    if (!a->failed && a->count) a->items[a->count - 1].with_message = true;
}

void actions_clear(struct actions *a)
{
    for (size_t i = 0; i < a->count; i++)
        if (a->items[i].kind == ACTION_SAVE) free(a->items[i].u.save.text);
    a->count = 0;
    a->failed = false;
}

void actions_free(struct actions *a)
{
    actions_clear(a);
    free(a->items);
    memset(a, 0, sizeof *a);
}
