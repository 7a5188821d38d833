/* SPDX-License-Identifier: Apache-2.0
 *
 * The sink "ossec": an agent of an OSSEC manager, over UDP. Nothing acknowledges what is sent: a
 * record has arrived when the kernel has taken it, and only keepalives show that somebody is there.
 * What the manager pushes is never applied, what it orders is never done.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/trusted.h"
#include "net/dial.h"
#include "sink/form.h"
#include "sink/kind.h"
#include "sink/ossec_enrol.h"
#include "sink/ossec_text.h"

#define TICK_MS        10
#define TICK_RECORDS   20 /* 2,000 a second: an unpaced burst of 5,000 lost a seventh on loopback */
#define RETRY_MS       20 /* while the kernel has no room and would not say when */
#define CONTROL_MAX    512 /* bytes: a host name, a sum and some words */
#define LOCAL_PER_MS   9   /* of 9,997 for each second */
#define TRIES          5   /* that a control message is sent before nobody is there */
#define READ_MAX       64  /* datagrams in one turn of the loop */
#define KEYS_FILE_MAX  65536
#define STARTUP        "#!-agent startup "
#define CONTROL        "#!-"
#define ACKNOWLEDGMENT "#!-agent ack "
#define NO_SUM         "x" /* of a shared configuration that we do not have */

enum state {
    STATE_DOWN,
    STATE_STARTING, /* a startup is out */
    STATE_IDLE,     /* up; the last control message was answered */
    STATE_ASKING,   /* up; a keepalive is out */
};

/* Invariant: fd >= 0 unless it is down. */
struct ossec_sink {
    struct laz_sink sink;
    struct laz_dial *dial;
    struct laz_ossec_enrol *enrol; /* NULL: the key was given */
    struct laz_form form;
    struct laz_ossec_agent agent;
    bool has_agent;
    enum state state;
    int fd;
    uint32_t global; /* of the last datagram */
    uint32_t local;
    uint32_t their_global; /* of the manager's last one in this session */
    uint32_t their_local;
    unsigned tries;
    char sum[33]; /* of the configuration that the manager wants us to have */
    struct laz_buf payload;
    struct laz_buf datagram;
    struct laz_ossec_later later;
    struct event *turn;
    struct event *control; /* the next try, or the next keepalive */
    struct event *later_turn;
    struct event *readable; /* while fd is there */
    struct event *writable;
    uint64_t sent;
    uint64_t offered; /* the same, or one that is unfit */
    unsigned n_in_turn;
    int failed; /* errno of the last send, if it was bad */
    bool is_unfit;
    char heard[LAZ_ERR_MESSAGE_MAX]; /* what was wrong with the last answer */
};

static uint64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void forget_socket(struct ossec_sink *ossec)
{
    struct event **const events[] = {&ossec->readable, &ossec->writable};
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
        if (*events[i] != NULL) {
            event_free(*events[i]);
            *events[i] = NULL;
        }
    }
    laz_fd_close(&ossec->fd);
}

static void go_down(struct ossec_sink *ossec, const char *why)
{
    char text[LAZ_ERR_MESSAGE_MAX];
    forget_socket(ossec);
    (void)event_del(ossec->turn);
    (void)event_del(ossec->control);
    ossec->state = STATE_DOWN;
    ossec->offered = ossec->sent = ossec->sink.arrived;
    ossec->failed = 0;
    ossec->is_unfit = false;
    laz_ossec_later_forget(&ossec->later);
    (void)snprintf(text, sizeof(text), "%s port %u: %s", ossec->sink.config->host,
            ossec->sink.config->port, why);
    laz_sink_say_down(&ossec->sink, text);
}

/* ---- datagrams ---- */

/* Counters have to rise over all datagrams that this agent ever sent: they begin with the time. */
static void count_up(struct ossec_sink *ossec)
{
    if (ossec->local == LAZ_OSSEC_LOCAL_MAX) {
        ossec->global++;
        ossec->local = 0;
    }
    ossec->local++;
}

/* A millisecond has more counters than datagrams: who is started again within a second goes on
 * behind its predecessor. */
static void count_from_now(struct ossec_sink *ossec)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    uint32_t local = (uint32_t)(now.tv_nsec / 1000000) * LOCAL_PER_MS;
    if ((uint32_t)now.tv_sec > ossec->global) {
        ossec->global = (uint32_t)now.tv_sec;
        ossec->local = local;
    } else if ((uint32_t)now.tv_sec == ossec->global && local > ossec->local) {
        ossec->local = local;
    } else {
        ossec->global++;
        ossec->local = 0;
    }
}

/* 0, or errno. */
static int send_payload(struct ossec_sink *ossec, const char *payload, size_t length)
{
    uint8_t iv[LAZ_OSSEC_IV_SIZE];
    uint32_t random = 0;
    struct laz_err err = {0};
    ssize_t n = 0;
    if (getrandom(iv, sizeof(iv), 0) != (ssize_t)sizeof(iv) ||
            getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random)) {
        return EAGAIN;
    }
    count_up(ossec);
    const struct laz_ossec_message message = {.random = random % 65536,
            .global = ossec->global,
            .local = ossec->local,
            .payload = payload,
            .length = length};
    ossec->datagram.len = 0;
    ossec->datagram.overflow = false;
    if (laz_ossec_seal(&ossec->datagram, &ossec->agent, &message, iv, &err) != 0 ||
            ossec->datagram.overflow) {
        return EMSGSIZE;
    }
    do {
        n = send(ossec->fd, ossec->datagram.data, ossec->datagram.len, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? errno : 0;
}

/* ---- control ---- */

static uint32_t try_ms(const struct ossec_sink *ossec)
{
    return ossec->sink.pace.connect_ms / TRIES + 1;
}

static void send_control(struct ossec_sink *ossec)
{
    char text[CONTROL_MAX];
    if (ossec->state == STATE_STARTING) {
        (void)snprintf(text, sizeof(text), "%s", STARTUP);
    } else {
        (void)snprintf(text, sizeof(text), CONTROL "Linux %s - Lazaret\n%s merged.mg\n",
                ossec->form.origin.host, ossec->sum);
    }
    ossec->tries++;
    int failed = send_payload(ossec, text, strlen(text));
    if (failed != 0 && failed != EAGAIN && failed != ENOBUFS) {
        go_down(ossec, strerror(failed));
        return;
    }
    laz_sink_event_in(ossec->control, try_ms(ossec));
}

static void on_control(evutil_socket_t fd, short what, void *context)
{
    struct ossec_sink *ossec = context;
    char why[2 * LAZ_ERR_MESSAGE_MAX];
    (void)fd;
    (void)what;
    if (ossec->state == STATE_IDLE) {
        ossec->state = STATE_ASKING;
        ossec->tries = 0;
    }
    if (ossec->tries < TRIES) {
        send_control(ossec);
        return;
    }
    (void)snprintf(why, sizeof(why), "no answer from the manager to agent %s: %s", ossec->agent.id,
            ossec->heard[0] != '\0' ? ossec->heard
                                    : "does it know the key, does nobody else use it, was the "
                                      "clock set back");
    go_down(ossec, why);
}

static void take_acknowledgment(struct ossec_sink *ossec)
{
    enum state before = ossec->state;
    if (before != STATE_STARTING && before != STATE_ASKING) {
        return;
    }
    ossec->state = STATE_IDLE;
    ossec->sink.said_down = false;
    (void)event_del(ossec->control);
    /* The first keepalive at once: the manager knows us as connected by it. */
    laz_sink_event_in(
            ossec->control, before == STATE_STARTING ? 0 : 2 * ossec->sink.pace.answer_ms);
    if (before == STATE_STARTING) {
        laz_sink_say_up(&ossec->sink, ossec->offered);
    }
}

static void take_datagram(struct ossec_sink *ossec, const uint8_t *bytes, size_t length)
{
    char memory[LAZ_OSSEC_MESSAGE_MAX];
    char sum[sizeof(ossec->sum)];
    struct laz_ossec_message message;
    struct laz_err err = {0};
    if (laz_ossec_open(&ossec->agent, bytes, length, memory, &message, &err) != 0) {
        (void)snprintf(ossec->heard, sizeof(ossec->heard), "%s", err.message);
        return;
    }
    bool is_newer = message.global > ossec->their_global ||
            (message.global == ossec->their_global && message.local > ossec->their_local);
    if (!is_newer) {
        return; /* somebody plays it again */
    }
    ossec->their_global = message.global;
    ossec->their_local = message.local;
    if (message.length == sizeof(ACKNOWLEDGMENT) - 1 &&
            memcmp(message.payload, ACKNOWLEDGMENT, message.length) == 0) {
        take_acknowledgment(ossec);
    } else if (laz_ossec_read_offer(message.payload, message.length, sum) &&
            strcmp(sum, ossec->sum) != 0) {
        /* With the sum in the next keepalive it stops. */
        (void)snprintf(ossec->sum, sizeof(ossec->sum), "%s", sum);
        if (ossec->state == STATE_IDLE) {
            (void)event_del(ossec->control);
            laz_sink_event_in(ossec->control, 0);
        }
    }
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
    struct ossec_sink *ossec = context;
    uint8_t bytes[LAZ_OSSEC_DATAGRAM_MAX + 1];
    (void)what;
    for (int i = 0; i < READ_MAX && ossec->fd == fd; i++) {
        ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            go_down(ossec, strerror(errno));
            return;
        }
        if (n < 0) {
            return;
        }
        take_datagram(ossec, bytes, (size_t)n);
    }
}

/* ---- beginning ---- */

static void on_turn(evutil_socket_t fd, short what, void *context)
{
    struct ossec_sink *ossec = context;
    (void)fd;
    (void)what;
    laz_sink_say_arrived(&ossec->sink, laz_ossec_later_whole(&ossec->later, ossec->sent));
    if (ossec->failed != 0) {
        go_down(ossec, strerror(ossec->failed));
        return;
    }
    if (ossec->is_unfit) {
        ossec->is_unfit = false;
        laz_sink_say_rejected(
                &ossec->sink, ossec->offered, "it is not a record that OSSEC has room for");
    }
    ossec->n_in_turn = 0;
    if (ossec->sink.hungry) {
        laz_sink_say_wants(&ossec->sink, ossec->offered);
    }
}

static void on_connected(void *context, int fd)
{
    struct ossec_sink *ossec = context;
    ossec->fd = fd;
    ossec->n_in_turn = 0;
    ossec->readable =
            event_new(ossec->sink.means.base, fd, EV_READ | EV_PERSIST, on_readable, ossec);
    ossec->writable = event_new(ossec->sink.means.base, fd, EV_WRITE, on_turn, ossec);
    if (ossec->readable == NULL || ossec->writable == NULL ||
            event_add(ossec->readable, NULL) != 0) {
        go_down(ossec, "no memory");
        return;
    }
    count_from_now(ossec);
    ossec->their_global = ossec->their_local = 0;
    ossec->heard[0] = '\0';
    ossec->state = STATE_STARTING;
    ossec->tries = 0;
    send_control(ossec);
}

static void on_failed(void *context, const char *why)
{
    go_down(context, why);
}

/* So that the next ship of this container is the same agent. Whose key cannot be kept enrols
 * again. */
static void keep_key(const struct ossec_sink *ossec, const char *line, size_t length)
{
    char name[LAZ_OSSEC_FILE_MAX];
    int folder = ossec->sink.means.key_folder;
    laz_ossec_file_name(ossec->sink.config->name, name);
    laz_cleanup_fd int fd = folder < 0
            ? -1
            : openat(folder, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd >= 0 && write(fd, line, length) != (ssize_t)length) {
        laz_ignore(ftruncate(fd, 0));
    }
}

static void on_enrolled(void *context, const char *line, size_t length)
{
    struct ossec_sink *ossec = context;
    struct laz_err err = {0};
    if (laz_ossec_read_agent(line, length, &ossec->agent, &err) != 0) {
        go_down(ossec, err.message);
        return;
    }
    ossec->has_agent = true;
    keep_key(ossec, line, length);
    laz_dial_start(ossec->dial);
}

static void try_again(struct laz_sink *sink)
{
    struct ossec_sink *ossec = (struct ossec_sink *)sink;
    if (ossec->has_agent) {
        laz_dial_start(ossec->dial);
    } else {
        laz_ossec_enrol_start(ossec->enrol);
    }
}

/* ---- records ---- */

static enum laz_sink_answer reject_later(struct ossec_sink *ossec, uint64_t ticket)
{
    ossec->is_unfit = true;
    ossec->offered = ticket;
    laz_sink_event_in(ossec->turn, 0);
    return LAZ_SINK_TAKEN;
}

/* The kernel did not take it. */
static enum laz_sink_answer wait_for_room(struct ossec_sink *ossec, int failed)
{
    if (failed == EAGAIN && event_add(ossec->writable, NULL) == 0) {
        return LAZ_SINK_NOT_NOW;
    }
    if (failed == EAGAIN || failed == ENOBUFS) {
        laz_sink_event_in(ossec->turn, RETRY_MS);
        return LAZ_SINK_NOT_NOW;
    }
    ossec->failed = failed;
    laz_sink_event_in(ossec->turn, 0);
    return LAZ_SINK_NOT_NOW;
}

static void on_later(evutil_socket_t fd, short what, void *context)
{
    struct ossec_sink *ossec = context;
    const char *payload = NULL;
    (void)fd;
    (void)what;
    int failed = 0;
    while (ossec->state > STATE_STARTING && ossec->failed == 0) {
        size_t length = laz_ossec_later_next(&ossec->later, now_ms(), &payload);
        failed = length == 0 ? 0 : send_payload(ossec, payload, length);
        if (length == 0 || (failed != 0 && failed != EMSGSIZE)) {
            break;
        }
        laz_ossec_later_drop(&ossec->later);
        laz_sink_event_in(ossec->turn, 0); /* which says how far everything has arrived */
    }
    if (failed != 0 && failed != EMSGSIZE && failed != EAGAIN && failed != ENOBUFS) {
        ossec->failed = failed;
        laz_sink_event_in(ossec->turn, 0);
    } else if (ossec->later.n > 0) {
        laz_sink_event_in(ossec->later_turn, failed != 0 ? RETRY_MS : LAZ_OSSEC_LATER_MS / 4);
    }
}

static enum laz_sink_answer offer(struct laz_sink *sink, const struct laz_sink_record *record)
{
    struct ossec_sink *ossec = (struct ossec_sink *)sink;
    struct laz_err err = {0};
    if (ossec->is_unfit || ossec->failed != 0) {
        return LAZ_SINK_NOT_NOW;
    }
    if (ossec->n_in_turn++ >= TICK_RECORDS) {
        laz_sink_event_in(ossec->turn, TICK_MS);
        return LAZ_SINK_NOT_NOW;
    }
    ossec->payload.len = 0;
    ossec->payload.overflow = false;
    ossec->later.now_ms = now_ms();
    if (laz_ossec_text(&ossec->payload, &ossec->form, record->text, record->length, &ossec->later,
                &err) != 0) {
        return reject_later(ossec, record->ticket);
    }
    int failed = send_payload(ossec, ossec->payload.data, ossec->payload.len);
    if (failed == EMSGSIZE) {
        return reject_later(ossec, record->ticket);
    }
    if (failed != 0) {
        return wait_for_room(ossec, failed);
    }
    ossec->sent = ossec->offered = record->ticket;
    laz_ossec_later_keep(&ossec->later, record->ticket);
    laz_sink_event_in(ossec->turn, TICK_MS);
    if (ossec->later.n > 0) {
        laz_sink_event_in(ossec->later_turn, LAZ_OSSEC_LATER_MS / 4);
    }
    return LAZ_SINK_TAKEN;
}

static void flush(struct laz_sink *sink)
{
    struct ossec_sink *ossec = (struct ossec_sink *)sink;
    ossec->later.is_ending = true;
    if (ossec->later.n > 0) {
        on_later(-1, 0, ossec);
    }
}

static void close_ossec(struct laz_sink *sink)
{
    struct ossec_sink *ossec = (struct ossec_sink *)sink;
    struct event *const events[] = {ossec->turn, ossec->control, ossec->later_turn};
    forget_socket(ossec);
    laz_dial_free(ossec->dial);
    laz_ossec_enrol_free(ossec->enrol);
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
        if (events[i] != NULL) {
            event_free(events[i]);
        }
    }
    laz_buf_done(&ossec->payload);
    laz_buf_done(&ossec->datagram);
    laz_sink_done(sink);
    explicit_bzero(&ossec->agent, sizeof(ossec->agent));
    free(ossec);
}

static const struct laz_sink_kind ossec_kind = {
        .offer = offer,
        .flush = flush,
        .try = try_again,
        .close = close_ossec,
};

/* ---- opening ---- */

/* The first line of a key file that is not a comment or a removed agent. */
static int read_key(int fd, const char *path, struct laz_ossec_agent *ret, struct laz_err *err)
{
    char *text = calloc(1, KEYS_FILE_MAX + 1);
    size_t length = 0;
    int result = 0;
    if (text == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "%.200s: no memory", path);
    }
    if (laz_fd_read_all(fd, text, KEYS_FILE_MAX, &length, err) != 0) {
        result = laz_err_context(err, "%.200s", path);
    } else {
        const char *at = text;
        while (*at == '#' || *at == '\n') {
            at += strcspn(at, "\n");
            at += *at == '\n' ? 1 : 0;
        }
        result = laz_ossec_read_agent(at, strcspn(at, "\n"), ret, err);
        result = result == 0 ? 0 : laz_err_context(err, "%.200s", path);
    }
    explicit_bzero(text, KEYS_FILE_MAX);
    free(text);
    return result;
}

/* What an earlier ship of this container got from authd. */
static bool find_key(const struct ossec_sink *ossec, struct laz_ossec_agent *ret)
{
    char name[LAZ_OSSEC_FILE_MAX];
    struct laz_err ignored = {0};
    laz_ossec_file_name(ossec->sink.config->name, name);
    laz_cleanup_fd int fd = ossec->sink.means.key_folder < 0
            ? -1
            : openat(ossec->sink.means.key_folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    return fd >= 0 && read_key(fd, name, ret, &ignored) == 0;
}

int laz_sink_ossec_file(const struct laz_ship_sink *config, const struct laz_party *party, int *ret,
        struct laz_err *err)
{
    const char *path = config->path[0] != '\0' ? config->path : config->enrol_password;
    *ret = -1;
    if (path[0] == '\0') {
        return 0;
    }
    if (party != NULL) {
        struct laz_err why = {0};
        if (laz_trusted_open(path, party, ret, &why) != 0) {
            return laz_err_set(err, LAZ_E_SINK, why.sys_errno, "sink %s: %.200s: %s", config->name,
                    path, why.message);
        }
        return 0;
    }
    *ret = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (*ret < 0) {
        return laz_err_set(
                err, LAZ_E_SINK, errno, "sink %s: %.200s: %s", config->name, path, strerror(errno));
    }
    return 0;
}

/* From the file that the policy names; or from what an earlier ship of this container got; or by
 * enrolling, later. */
static int prepare_key(struct ossec_sink *ossec, struct laz_err *err)
{
    const struct laz_ship_sink *config = ossec->sink.config;
    const struct laz_ossec_enrol_owner owner = {
            .enrolled = on_enrolled, .failed = on_failed, .context = ossec};
    if (config->path[0] != '\0') {
        ossec->has_agent = true;
        return read_key(ossec->sink.means.fd, config->path, &ossec->agent, err);
    }
    ossec->has_agent = find_key(ossec, &ossec->agent);
    return laz_ossec_enrol_new(
            config, &ossec->sink.means, ossec->sink.pace.connect_ms, &owner, &ossec->enrol, err);
}

static int prepare(struct ossec_sink *ossec, struct laz_err *err)
{
    const struct laz_ship_sink *config = ossec->sink.config;
    const struct laz_dial_plan plan = {.host = config->host,
            .port = config->port,
            .datagram = true,
            .wait_ms = ossec->sink.pace.connect_ms};
    const struct laz_dial_owner owner = {
            .connected = on_connected, .failed = on_failed, .context = ossec};
    if (laz_sink_event_new(&ossec->sink, -1, 0, on_turn, &ossec->turn, err) != 0 ||
            laz_sink_event_new(&ossec->sink, -1, 0, on_control, &ossec->control, err) != 0 ||
            laz_sink_event_new(&ossec->sink, -1, 0, on_later, &ossec->later_turn, err) != 0) {
        return -1;
    }
    if (laz_ossec_probe(err) != 0 || prepare_key(ossec, err) != 0 ||
            laz_dial_new(ossec->sink.means.base, &plan, &owner, &ossec->dial, err) != 0) {
        return laz_err_context(err, "sink %s", config->name);
    }
    return 0;
}

int laz_sink_ossec_open(const struct laz_ship_sink *config, const struct laz_sink_means *means,
        const struct laz_sink_owner *owner, struct laz_sink **ret, struct laz_err *err)
{
    struct ossec_sink *ossec = calloc(1, sizeof(*ossec));
    if (ossec == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "sink %s: no memory", config->name);
    }
    ossec->fd = -1;
    ossec->sent = ossec->offered = means->last_ticket;
    (void)snprintf(ossec->sum, sizeof(ossec->sum), NO_SUM);
    laz_buf_init_heap(&ossec->payload, LAZ_OSSEC_MESSAGE_MAX);
    laz_buf_init_heap(&ossec->datagram, (size_t)2 * LAZ_OSSEC_DATAGRAM_MAX);
    laz_form_init(&ossec->form, LAZ_FORMAT_OSSEC, means->host);
    if (laz_sink_init(&ossec->sink, &ossec_kind, config, means, owner, err) != 0 ||
            prepare(ossec, err) != 0) {
        close_ossec(&ossec->sink);
        return -1;
    }
    *ret = &ossec->sink;
    return 0;
}
