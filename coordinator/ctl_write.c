// SPDX-License-Identifier: MIT
/* ctl_write: the verbs that a coordinator carries out: one Command, one Answer, over the endpoint
 * that only the owner of DIR can open.
 *
 * How long an answer may take is the coordinator's affair (a million points take a while), so the
 * wait goes on while a coordinator holds DIR's lock, up to ten minutes.
 */
#include "common/clock.h"
#include "common/file.h"
#include "common/keys.h"
#include "common/sock.h"
#include "coordinator/ctl.h"
#include "proto/grid.h"
#include "proto/spec.h"
#include "proto/wire.h"

#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MS  (600 * 1000)
#define CONNECT_MS 5000
#define LOOK_MS    250
#define PING_MS    2000

static int nobody(const struct ctl *c, struct err *e)
{
    return err_set(e, E_NET, "no coordinator runs on %s; start one: grokd-coord --dir %s", c->dir,
                   c->dir);
}

/* Whether there is any use in waiting on: OK, or E_NET with what is the matter. */
static int may_answer(const struct ctl *c, struct sock *s, int64_t waited_ms, int64_t patience_ms,
                      struct err *e)
{
    pid_t holder = file_lock_holder(c->dir);
    if (holder == 0)
        return err_set(e, E_NET,
                       "the coordinator on %s ended before it answered; ask again (a sweep that "
                       "was submitted twice is one sweep)",
                       c->dir);
    if (sock_state(s) != SOCK_READY &&
        waited_ms > (patience_ms < CONNECT_MS ? patience_ms : CONNECT_MS))
        return err_set(e, E_NET,
                       "the coordinator on %s (process %ld) cannot be reached: it is about to "
                       "start or end, or its XDG_RUNTIME_DIR is another than yours",
                       c->dir, (long)holder);
    if (waited_ms > patience_ms)
        return err_set(e, E_NET, "the coordinator on %s did not answer within %lld s", c->dir,
                       (long long)(patience_ms / 1000));
    return OK;
}

static int wait_for_answer(struct ctl *c, struct sock *s, wire_envelope **answer,
                           int64_t patience_ms, struct err *e)
{
    struct sock_message m;
    int64_t start = clock_now_ms();
    int rc = OK;
    while (!sock_recv(s, &m)) {
        struct pollfd p = {.fd = sock_fd(s), .events = POLLIN};
        if (rc < 0) return rc;
        rc = may_answer(c, s, clock_now_ms() - start, patience_ms, e);
        poll(&p, 1, LOOK_MS); /* even then: its last words may be on their way */
    }
    if ((rc = wire_unpack(answer, m.bytes, m.size, e)) < 0) return rc;
    if ((*answer)->body_case == GROKD__ENVELOPE__BODY_ANSWER) return OK;
    wire_free(answer);
    return err_set(e, E_PROTO, "the coordinator on %s answered with something else", c->dir);
}

static int exchange(struct ctl *c, const wire_envelope *m, wire_envelope **answer,
                    int64_t patience_ms, struct err *e)
{
    char endpoint[KEYS_PATH];
    uint8_t *bytes = NULL;
    size_t size;
    struct sock *s = NULL;
    int rc = keys_control_path(c->dir, endpoint, e);
    if (rc == OK) rc = wire_pack(m, &bytes, &size, e);
    if (rc < 0 || (rc = sock_start(e)) < 0) goto end;
    rc =
        sock_dealer(&s, &(struct sock_dealer_config){.endpoint = endpoint, .limit = WIRE_LIMIT}, e);
    if (rc == OK && sock_send(s, 0, bytes, size) != SOCK_SENT)
        rc = err_set(e, E_NET, "%s: the question cannot be sent", endpoint);
    if (rc == OK) rc = wait_for_answer(c, s, answer, patience_ms, e);
    sock_close(&s);
    sock_finish();
end:
    free(bytes);
    return rc;
}

/* What the coordinator said: to the reader if it went well, else as our own error. */
static int say(struct ctl *c, const Grokd__Answer *a, struct err *e)
{
    c->exit_code = a->code;
    if (c->output == CTL_JSON) {
        fprintf(c->out, "{\"code\": %d, \"text\": ", a->code);
        export_json_text(c->out, a->text);
        fputs("}\n", c->out);
    } else if (a->code)
        err_set(e, E_RUN, "%s", a->text);
    else if (c->output == CTL_HUMAN)
        fprintf(c->out, "%s%s", a->text,
                *a->text && a->text[strlen(a->text) - 1] == '\n' ? "" : "\n");
    return OK;
}

static int ask(struct ctl *c, Grokd__Command *command, struct err *e)
{
    wire_envelope m = GROKD__ENVELOPE__INIT, *answer = NULL;
    if (file_lock_holder(c->dir) == 0) return nobody(c, e);
    m.major = WIRE_MAJOR;
    m.body_case = GROKD__ENVELOPE__BODY_COMMAND;
    m.command = command;
    int rc = exchange(c, &m, &answer, ANSWER_MS, e);
    if (rc == OK) rc = say(c, answer->answer, e);
    wire_free(&answer);
    return rc;
}

int ctl_ping(struct ctl *c, char *trouble, size_t size, struct err *e)
{
    wire_envelope m = GROKD__ENVELOPE__INIT, *answer = NULL;
    Grokd__Command command = GROKD__COMMAND__INIT;
    char verb[] = "ping";
    command.verb = verb;
    m.major = WIRE_MAJOR;
    m.body_case = GROKD__ENVELOPE__BODY_COMMAND;
    m.command = &command;
    int rc = exchange(c, &m, &answer, PING_MS, e);
    if (rc < 0) return rc;
    const char *colon = strstr(answer->answer->text, ": ");
    snprintf(trouble, size, "%s", colon ? colon + 2 : "");
    wire_free(&answer);
    return OK;
}

int ctl_tell_keys(struct ctl *c, struct err *e)
{
    struct err why = {0};
    Grokd__Command command = GROKD__COMMAND__INIT;
    char verb[] = "keys";
    struct ctl quiet = *c;
    quiet.output = CTL_QUIET;
    command.verb = verb;
    if (file_lock_holder(c->dir) == 0) return OK;
    int rc = ask(&quiet, &command, &why);
    if (rc == OK && quiet.exit_code) rc = E_STATE;
    return rc < 0 ? err_set(e, rc, "the list is changed, the coordinator does not know it yet: %s",
                            why.text)
                  : OK;
}

int ctl_tell_stiff(struct ctl *c, int64_t run, char *text, struct err *e)
{
    Grokd__Command command = GROKD__COMMAND__INIT;
    char verb[] = "stiff", number[32], *arguments[] = {number};
    struct ctl quiet = *c;
    quiet.output = CTL_QUIET;
    snprintf(number, sizeof number, "%" PRId64, run);
    command.verb = verb;
    command.arguments = arguments;
    command.n_arguments = 1;
    command.text = text;
    int rc = ask(&quiet, &command, e);
    return rc == OK && quiet.exit_code ? E_STATE : rc;
}

/* Checked here first, so that a bad file is named by its own name. */
int ctl_submit(struct ctl *c, const struct ctl_verb *v, struct err *e)
{
    Grokd__Command command = GROKD__COMMAND__INIT;
    struct spec *spec = NULL;
    char verb[32];
    int rc = spec_read(&spec, c->arguments[0], e);
    if (rc == OK) rc = grid_check(spec, e);
    if (rc == OK) {
        for (int i = 0; i < spec->warning_count && c->output == CTL_HUMAN; i++)
            fprintf(c->out, "warning: %s\n", spec->warning[i]);
        snprintf(verb, sizeof verb, "%s", v->name);
        command.verb = verb;
        command.arguments = c->arguments;
        command.n_arguments = 1;
        command.text = spec->text;
        rc = ask(c, &command, e);
    }
    spec_free(&spec);
    return rc;
}

int ctl_command(struct ctl *c, const struct ctl_verb *v, struct err *e)
{
    Grokd__Command command = GROKD__COMMAND__INIT;
    char verb[32], failed[] = "--failed", fresh[] = "--fresh", runs[] = "--runs";
    char *arguments[CTL_ARGUMENTS + 3];
    if (!strcmp(v->name, "retry") && !c->failed && !c->fresh)
        return err_set(e, E_USAGE, "Usage: grokctl %s %s", v->name, v->usage);
    snprintf(verb, sizeof verb, "%s", v->name);
    command.verb = verb;
    command.arguments = arguments;
    if (c->runs) arguments[command.n_arguments++] = runs;
    if (c->failed && !c->fresh) arguments[command.n_arguments++] = failed;
    if (c->fresh) arguments[command.n_arguments++] = fresh;
    for (int i = 0; i < c->argument_count; i++) arguments[command.n_arguments++] = c->arguments[i];
    return ask(c, &command, e);
}
