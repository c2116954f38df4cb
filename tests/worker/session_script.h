// SPDX-License-Identifier: MIT
/* session_script: a session played from a script: a line is the time, what happens, and every
 * action that must follow, in order.
 *
 *   start | tick | unsent | terminate
 *   welcome W | refuse WORD | heartbeat | work RUN.ATTEMPT FAMILY | ack RUN.ATTEMPT EPOCH [ended]
 *   stop RUN.ATTEMPT | hello            (the last one is nothing that a coordinator says)
 *   ready SLOT FAMILY | epochs SLOT RUN.ATTEMPT FIRST LAST | ended SLOT RUN.ATTEMPT OUTCOME EPOCH
 *   died SLOT status|signal NUMBER
 *   large RUN.ATTEMPT FAMILY BYTES      (work with a checkpoint that comes in parts)
 *   part RUN.ATTEMPT EPOCH OFFSET/BYTES PIECE | got RUN.ATTEMPT EPOCH HELD [gap]
 *   file SLOT RUN.ATTEMPT EPOCH OFFSET/BYTES PIECE | named SLOT RUN.ATTEMPT EPOCH BYTES
 *
 *   hello [RUN.ATTEMPT@EPOCH]... | heartbeat [...]... | goodbye | epochs RUN.ATTEMPT FIRST-LAST
 *   ended RUN.ATTEMPT OUTCOME EPOCH | start SLOT FAMILY | work SLOT RUN.ATTEMPT
 *   stop SLOT RUN.ATTEMPT | kill SLOT | pause SLOT | resume SLOT | exit CODE
 *   part RUN.ATTEMPT EPOCH OFFSET+PIECE | fetch RUN.ATTEMPT OFFSET
 *   part SLOT RUN.ATTEMPT EPOCH OFFSET+PIECE
 *   refused             (session_on returned an error)
 *
 * Every message is packed and unpacked with all checks on its way in and out. Notes are left out.
 */
#ifndef GROKD_TESTS_WORKER_SESSION_SCRIPT_H
#define GROKD_TESTS_WORKER_SESSION_SCRIPT_H

#include "worker/session.h"

struct script_line {
    int64_t at_ms;
    const char *event, *actions; /* actions are parted by "; " */
};

/* Two families, Haswell first; two slots; the times of session_settings_default. */
void script_settings(struct session_settings *set, uint32_t slots);

/* Makes the message of an event in the words above; the envelope is the caller's to wire_free. */
wire_envelope *script_message(const char *event);

/* Writes one action in the words above; "" for a note. */
void script_action(const struct session_action *act, char *out, size_t size);

/* One line: plays it and fails the test when other actions follow. */
void script_play(struct session *s, const struct script_line *line);

/* A whole script with a session of its own, seed 1. */
void script_run(const struct session_settings *set, const struct script_line *lines, size_t count);
#define SCRIPT_RUN(set, lines) script_run(set, lines, sizeof(lines) / sizeof(lines)[0])

#endif
