// SPDX-License-Identifier: MIT
/* pipe_slot: a slot in a process of its own, and the worker's end of its pipe. */
#ifndef GROKD_TESTS_WORKER_PIPE_SLOT_H
#define GROKD_TESTS_WORKER_PIPE_SLOT_H

#include "common/blocks.h"
#include "proto/wire.h"
#include "tests/test.h"
#include "worker/num/blas.h"
#include "worker/train_pipe.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct slot {
    pid_t pid;
    int fd;
    struct blas blas;
};

static struct blas kernels; /* opened once: that takes a while */

static inline void slot_open(struct slot *s)
{
    int fd[2];
    struct err e;
    if (!kernels.family[0] && blas_open(&kernels, "auto", &e) < 0) fail_msg("%s", e.text);
    s->blas = kernels;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    const int room = 4096; /* a slot that nobody reads must wait soon */
    assert_int_equal(setsockopt(fd[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof room), 0);
    s->pid = fork();
    assert_true(s->pid >= 0);
    if (s->pid == 0) {
        close(fd[0]);
        _exit(train_pipe_serve(fd[1], &s->blas, &e) == OK ? 0 : 1);
    }
    close(fd[1]);
    s->fd = fd[0];
}

/* Closes our end and gives the exit status of the other. */
static inline int slot_close(struct slot *s)
{
    int status;
    close(s->fd);
    assert_int_equal(waitpid(s->pid, &status, 0), s->pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static inline wire_envelope *hear(struct slot *s)
{
    uint8_t *bytes;
    size_t size;
    wire_envelope *m;
    struct err e;
    int rc = blocks_read(s->fd, WIRE_LIMIT, &bytes, &size, &e);
    if (rc != 1) fail_msg("nothing more to hear: %d", rc);
    if (wire_unpack(&m, bytes, size, &e) < 0) fail_msg("%s", e.text);
    free(bytes);
    return m;
}

static inline void say(struct slot *s, wire_envelope *m, Grokd__Envelope__BodyCase body)
{
    uint8_t *bytes;
    size_t size;
    struct err e;
    m->major = WIRE_MAJOR;
    m->body_case = body;
    assert_int_equal(wire_pack(m, &bytes, &size, &e), OK);
    assert_int_equal(blocks_write(s->fd, bytes, size, &e), OK);
    free(bytes);
}

static inline void say_parts(struct slot *s, int64_t run, const ProtobufCBinaryData *file)
{
    wire_envelope m = GROKD__ENVELOPE__INIT;
    Grokd__Part part = GROKD__PART__INIT;
    part.run = run;
    part.attempt = 2;
    part.size = file->len;
    m.part = &part;
    for (size_t at = 0; at < file->len; at += part.data.len) {
        part.offset = at;
        part.data.data = file->data + at;
        part.data.len = file->len - at < WIRE_PART ? file->len - at : WIRE_PART;
        say(s, &m, GROKD__ENVELOPE__BODY_PART);
    }
}

static inline void say_work_from(struct slot *s, int64_t run, const char *fingerprint,
                                 const char *const *more, size_t count,
                                 const ProtobufCBinaryData *from)
{
    wire_envelope m = GROKD__ENVELOPE__INIT;
    Grokd__Work work = GROKD__WORK__INIT;
    Grokd__Blas blas = GROKD__BLAS__INIT;
    char *arguments[16] = {(char *)"modulus=11", (char *)"hidden=16", (char *)"batch_size=16"};
    for (size_t i = 0; i < count; i++) arguments[3 + i] = (char *)(uintptr_t)more[i];
    blas.family = s->blas.family;
    blas.fingerprint = (char *)(uintptr_t)fingerprint;
    work.run = run;
    work.attempt = 2;
    work.blas = &blas;
    work.arguments = arguments;
    work.n_arguments = 3 + count;
    work.has_checkpoint = from && wire_file_fits(from->len);
    work.has_checkpoint_size = from && !work.has_checkpoint;
    if (work.has_checkpoint) work.checkpoint = *from;
    if (work.has_checkpoint_size) work.checkpoint_size = from->len;
    m.work = &work;
    say(s, &m, GROKD__ENVELOPE__BODY_WORK);
    if (work.has_checkpoint_size) say_parts(s, run, from);
}

static inline void say_work(struct slot *s, int64_t run, const char *fingerprint,
                            const char *const *more, size_t count)
{
    say_work_from(s, run, fingerprint, more, count, NULL);
}

static inline void say_stop(struct slot *s, int64_t run, int64_t attempt)
{
    wire_envelope m = GROKD__ENVELOPE__INIT;
    Grokd__Stop stop = GROKD__STOP__INIT;
    stop.run = run;
    stop.attempt = attempt;
    m.stop = &stop;
    say(s, &m, GROKD__ENVELOPE__BODY_STOP);
}

static inline void hear_ready(struct slot *s)
{
    wire_envelope *m = hear(s);
    assert_int_equal(m->body_case, GROKD__ENVELOPE__BODY_READY);
    assert_string_equal(m->ready->blas->family, s->blas.family);
    assert_string_equal(m->ready->blas->fingerprint, s->blas.fingerprint);
    wire_free(&m);
}

#endif
