// SPDX-License-Identifier: MIT
/* log: one line of key=value to stderr for each event, with UTC time and level.
 *
 *   log_info("worker_connected", "worker=%lld host=%s", id, host);
 *   2026-01-31T09:30:00.125Z info worker_connected worker=3 host="node 7"
 *
 * Logging never fails and never ends the process. It knows the conversions %s %.*s %c %d %u %x
 * (with l, ll, z, j) %f %g %e (with a precision); a string that is empty or holds a space, a
 * quote, = or a control character is quoted and escaped. More than LOG_BURST lines of one event
 * in LOG_WINDOW_MS are counted, not written; the next line of the event that is written carries
 * suppressed=N. Any thread may log: a line is one write. Lines end at LOG_LINE bytes.
 */
#ifndef GROKD_COMMON_LOG_H
#define GROKD_COMMON_LOG_H

#define LOG_LINE      2048
#define LOG_BURST     20
#define LOG_WINDOW_MS 10000

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_QUIET };

/* Lines below this level are not written. At first use it is read from GROKD_LOG (debug, info,
 * warn, error, quiet), else info. */
void log_set_level(enum log_level level);

/* Bytes that go out before each line, in the same write: "\r\033[K" clears the line of a progress
 * bar. NULL: none. The text must live on. */
void log_set_before(const char *bytes);

/* Where lines go; 2 (stderr) from the start. */
void log_set_fd(int fd);

void log_write(enum log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define log_debug(...) log_write(LOG_DEBUG, __VA_ARGS__)
#define log_info(...)  log_write(LOG_INFO, __VA_ARGS__)
#define log_warn(...)  log_write(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_write(LOG_ERROR, __VA_ARGS__)

#endif
