/* SPDX-License-Identifier: Apache-2.0
 *
 * The log is a path that the caller chose and that others may have prepared: it is appended to only
 * if it is a regular file of whoever calls.
 */
#include "shim/refuse.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/fd.h"
#include "core/format.h"
#include "core/json.h"

#define MESSAGE_MAX  (LAZ_ERR_MESSAGE_MAX + 512) /* with name and remedy */
#define LOG_LINE_MAX (6 * MESSAGE_MAX + 128)     /* each byte escaped, and what stands around it */
#define TIME_SIZE    32
#define LOG_MODE     0600

/* docker and podman make 126 and 127 of the first ones, containerd takes the rest for a kill or a
 * delete that had nothing left to do. */
static const char *const misread[] = {
        "no such file",
        "executable file not found",
        "cannot find the file",
        "open executable",
        "permission denied",
        "operation not permitted",
        "not a directory",
        "does not exist",
        "no such process",
        "already finished",
        "not running",
};

static void join_words(char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (text[i] == ' ') {
            text[i] = '-';
        }
    }
}

static void keep_from_being_misread(char *message)
{
    for (size_t i = 0; i < sizeof(misread) / sizeof(misread[0]); i++) {
        for (char *at = strcasestr(message, misread[i]); at != NULL;
                at = strcasestr(at, misread[i])) {
            join_words(at, strlen(misread[i]));
        }
    }
}

/* Not strftime, which would ask the environment for a time zone. */
static void put_time(char ret[TIME_SIZE])
{
    struct tm at = {0};
    time_t now = time(NULL);
    if (gmtime_r(&now, &at) == NULL) {
        at = (struct tm){.tm_year = 70, .tm_mday = 1};
    }
    (void)laz_format(ret, TIME_SIZE, "%04d-%02d-%02dT%02d:%02d:%02dZ", at.tm_year + 1900,
            at.tm_mon + 1, at.tm_mday, at.tm_hour, at.tm_min, at.tm_sec);
}

static void put_line(
        struct laz_buf *line, const char *format, const char *level, const char *message)
{
    char when[TIME_SIZE];
    struct laz_json json;
    put_time(when);
    laz_json_init(&json, line);
    if (format != NULL && strcmp(format, "json") == 0) {
        laz_json_object(&json, NULL);
        laz_json_string(&json, "level", level);
        laz_json_string(&json, "msg", message);
        laz_json_string(&json, "time", when);
        laz_json_object_end(&json);
    } else { /* as runc's own */
        laz_buf_printf(line, "time=\"%s\" level=%s msg=", when, level);
        laz_json_string(&json, NULL, message);
    }
    laz_buf_char(line, '\n');
}

static void log_line(const char *path, const char *format, const char *level, const char *message)
{
    struct stat status;
    struct laz_buf line;
    char memory[LOG_LINE_MAX];
    struct laz_err ignored = {0};
    laz_cleanup_fd int fd = open(path,
            O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
            LOG_MODE);
    if (fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
            status.st_uid == geteuid()) {
        laz_buf_init_fixed(&line, memory, sizeof(memory));
        put_line(&line, format, level, message);
        laz_ignore(laz_fd_write_all(fd, line.data, line.len, &ignored));
    }
}

/* Its length, as it would be without a ceiling. */
static int put_message(const struct laz_err *err, char ret[MESSAGE_MAX])
{
    int length = laz_format(ret, MESSAGE_MAX - 1, "lazaret: %s: %s (%s)", laz_err_name(err->kind),
            err->message, laz_err_remedy(err->kind));
    laz_format_printable(ret);
    keep_from_being_misread(ret);
    return length;
}

static void log_it(const struct laz_arguments *arguments, const char *own_log, const char *level,
        const char *message)
{
    const struct sigaction leave = {.sa_handler = SIG_IGN};
    struct sigaction before;
    (void)sigaction(SIGPIPE, &leave, &before);
    if (arguments->values[LAZ_OPTION_LOG] != NULL) {
        log_line(arguments->values[LAZ_OPTION_LOG], arguments->values[LAZ_OPTION_LOG_FORMAT], level,
                message);
    }
    if (own_log != NULL) {
        log_line(own_log, "text", level, message);
    }
    (void)sigaction(SIGPIPE, &before, NULL); /* the runtime gets what the caller gave */
}

void laz_warn(const struct laz_arguments *arguments, const char *own_log, const struct laz_err *err)
{
    char message[MESSAGE_MAX];
    (void)put_message(err, message);
    log_it(arguments, own_log, "warning", message);
}

int laz_refuse(
        const struct laz_arguments *arguments, const char *own_log, const struct laz_err *err)
{
    char message[MESSAGE_MAX];
    struct laz_err ignored = {0};
    const struct sigaction leave = {.sa_handler = SIG_IGN};
    int length = put_message(err, message);
    log_it(arguments, own_log, "error", message);
    (void)sigaction(SIGPIPE, &leave, NULL);
    size_t end = length < (int)sizeof(message) - 2 ? (size_t)length : sizeof(message) - 2;
    message[end] = '\n';
    laz_ignore(laz_fd_write_all(STDERR_FILENO, message, end + 1, &ignored));
    return 1;
}
