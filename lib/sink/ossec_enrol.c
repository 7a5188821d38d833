/* SPDX-License-Identifier: Apache-2.0
 *
 * Enrolment: one line to authd, one line back.
 */
#include "sink/ossec_enrol.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/fd.h"
#include "net/stream.h"

#define PASSWORD_MAX 256
#define ANSWER_MAX   2048
#define ANSWER_START "OSSEC K:'"
#define COMPLAINT    "ERROR: "
#define COMPLAINED   80 /* bytes of it that are repeated */
#define NAME_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

struct laz_ossec_enrol {
    struct laz_ossec_enrol_owner owner;
    struct laz_tls *tls;
    struct laz_stream *stream;
    struct event *deadline;
    uint32_t wait_ms;
    char name[LAZ_OSSEC_NAME_MAX + 1];
    char password[PASSWORD_MAX + 1]; /* "" for none */
    char answer[ANSWER_MAX];
    size_t answered; /* bytes */
};

int laz_ossec_read_answer(
        const char *text, size_t length, const char **ret, size_t *ret_length, struct laz_err *err)
{
    const size_t start = sizeof(ANSWER_START) - 1;
    const char *quote = length > start ? memchr(text + start, '\'', length - start) : NULL;
    if (length > start && memcmp(text, ANSWER_START, start) == 0 && quote != NULL) {
        *ret = text + start;
        *ret_length = (size_t)(quote - *ret);
        return 0;
    }
    const size_t complaint = sizeof(COMPLAINT) - 1;
    size_t n = 0;
    if (length <= complaint || memcmp(text, COMPLAINT, complaint) != 0) {
        return laz_err_set(err, LAZ_E_SINK, 0, "not authd's answer: %zu bytes", length);
    }
    text += complaint;
    length -= complaint;
    while (n < length && n < COMPLAINED && text[n] >= ' ' && text[n] <= '~') {
        n++;
    }
    return laz_err_set(err, LAZ_E_SINK, 0, "authd refuses: %.*s", (int)n, text);
}

static void fail(struct laz_ossec_enrol *enrol, const char *why)
{
    char text[LAZ_ERR_MESSAGE_MAX];
    (void)event_del(enrol->deadline);
    laz_stream_stop(enrol->stream);
    (void)snprintf(text, sizeof(text), "enrolment: %s", why);
    enrol->owner.failed(enrol->owner.context, text);
}

static void on_deadline(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    fail(context, "no answer");
}

static void on_up(void *context)
{
    struct laz_ossec_enrol *enrol = context;
    char request[LAZ_OSSEC_NAME_MAX + PASSWORD_MAX + 64];
    int n = snprintf(request, sizeof(request), "%s%s%sOSSEC A:'%s'\n",
            enrol->password[0] == '\0' ? "" : "OSSEC PASS: ", enrol->password,
            enrol->password[0] == '\0' ? "" : " ", enrol->name);
    bool is_written = laz_stream_write(enrol->stream, request, (size_t)n);
    explicit_bzero(request, sizeof(request));
    if (!is_written) {
        fail(enrol, "no memory");
    }
}

static void on_written(void *context)
{
    (void)context;
}

static void on_ended(void *context, const char *why)
{
    fail(context, why);
}

static void on_can_read(void *context)
{
    struct laz_ossec_enrol *enrol = context;
    struct laz_err err = {0};
    const char *line = NULL;
    size_t length = 0;
    enrol->answered += laz_stream_read(enrol->stream, enrol->answer + enrol->answered,
            sizeof(enrol->answer) - enrol->answered);
    const char *feed = memchr(enrol->answer, '\n', enrol->answered);
    if (feed == NULL && enrol->answered < sizeof(enrol->answer)) {
        return;
    }
    size_t all = feed == NULL ? enrol->answered : (size_t)(feed - enrol->answer);
    if (laz_ossec_read_answer(enrol->answer, all, &line, &length, &err) != 0) {
        fail(enrol, err.message);
    } else {
        (void)event_del(enrol->deadline);
        laz_stream_stop(enrol->stream);
        enrol->owner.enrolled(enrol->owner.context, line, length);
    }
    explicit_bzero(enrol->answer, sizeof(enrol->answer));
}

void laz_ossec_enrol_start(struct laz_ossec_enrol *enrol)
{
    const struct timeval wait = {.tv_sec = enrol->wait_ms / 1000,
            .tv_usec = (suseconds_t)(enrol->wait_ms % 1000) * 1000};
    enrol->answered = 0;
    (void)evtimer_add(enrol->deadline, &wait);
    laz_stream_start(enrol->stream);
}

static int read_password(int fd, const char *path, char *ret, struct laz_err *err)
{
    size_t length = 0;
    if (laz_fd_read_all(fd, ret, PASSWORD_MAX, &length, err) != 0) {
        return laz_err_context(err, "%.200s", path);
    }
    length -= length > 0 && ret[length - 1] == '\n' ? 1 : 0;
    ret[length] = '\0';
    for (size_t i = 0; i < length; i++) {
        if (ret[i] <= ' ' || ret[i] > '~') {
            length = 0;
        }
    }
    if (length == 0) {
        return laz_err_set(err, LAZ_E_SINK, 0,
                "%.200s: a password is one line of printable ASCII without blanks", path);
    }
    return 0;
}

static int take_name(struct laz_ossec_enrol *enrol, const char *name, struct laz_err *err)
{
    size_t length = strlen(name);
    if (length == 0 || length > LAZ_OSSEC_NAME_MAX || strspn(name, NAME_LETTERS) != length ||
            name[0] == '.' || name[0] == '-') {
        return laz_err_set(err, LAZ_E_SINK, 0,
                "the host's name is none for an OSSEC agent: give one as \"enrol.name\"");
    }
    (void)memcpy(enrol->name, name, length + 1);
    return 0;
}

int laz_ossec_enrol_new(const struct laz_ship_sink *config, const struct laz_sink_means *means,
        uint32_t wait_ms, const struct laz_ossec_enrol_owner *owner, struct laz_ossec_enrol **ret,
        struct laz_err *err)
{
    const struct laz_dial_plan plan = {.host = config->enrol_host,
            .port = config->enrol_port,
            .wait_ms = wait_ms,
            .unsent_ms = wait_ms};
    const struct laz_tls_plan tls_plan = {.ca = config->tls_ca,
            .cert = config->tls_cert,
            .key = config->tls_key,
            .peer = config->tls_peer,
            .profile = means->tls_profile,
            .files = means->tls_files};
    struct laz_ossec_enrol *enrol = calloc(1, sizeof(*enrol));
    if (enrol == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory");
    }
    const struct laz_stream_owner stream_owner = {.up = on_up,
            .can_read = on_can_read,
            .written = on_written,
            .ended = on_ended,
            .context = enrol};
    enrol->owner = *owner;
    enrol->wait_ms = wait_ms;
    enrol->deadline = evtimer_new(means->base, on_deadline, enrol);
    const char *name = config->enrol_name[0] != '\0' ? config->enrol_name : means->host;
    bool has_password = config->enrol_password[0] != '\0';
    if (enrol->deadline == NULL || take_name(enrol, name, err) != 0 ||
            (has_password &&
                    read_password(means->fd, config->enrol_password, enrol->password, err) != 0) ||
            laz_tls_new(&tls_plan, &enrol->tls, err) != 0 ||
            laz_stream_new(means->base, &plan, enrol->tls, &stream_owner, &enrol->stream, err) !=
                    0) {
        laz_ossec_enrol_free(enrol);
        return -1;
    }
    *ret = enrol;
    return 0;
}

void laz_ossec_enrol_free(struct laz_ossec_enrol *enrol)
{
    if (enrol == NULL) {
        return;
    }
    if (enrol->deadline != NULL) {
        event_free(enrol->deadline);
    }
    laz_stream_free(enrol->stream);
    laz_tls_free(enrol->tls);
    explicit_bzero(enrol, sizeof(*enrol));
    free(enrol);
}
