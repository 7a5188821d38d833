/* SPDX-License-Identifier: Apache-2.0
 *
 * `lazaret secrets status` and `rotate`: a request to the init of this container, and its answer in
 * words. Whatever answers there is its user's own, and still nothing of it is believed to be text.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/output.h"
#include "core/buf.h"
#include "core/fd.h"
#include "core/format.h"
#include "ipc/believe.h"
#include "ipc/control.h"
#include "policy/image.h"

#define ANSWER_MS 5000
#define ITEMS_MAX LAZ_IMAGE_FETCHED_MAX

/* What was answered. */
struct answer {
    uint32_t n;
    struct laz_control_item items[ITEMS_MAX];
    char packets[ITEMS_MAX][LAZ_CONTROL_PACKET_MAX + 1]; /* the strings are in here */
    enum laz_control_result result;
};

/* ---- asking ---- */

static int call(struct laz_err *err)
{
    char name[LAZ_CONTROL_SOCKET_MAX];
    int cause = 0;
    bool is_other = false;
    laz_control_socket_name(LAZ_CONTROL_SOCKET_CONTROL, name);
    for (unsigned i = 0; i < LAZ_CONTROL_FOLDER_COUNT; i++) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        (void)laz_format(
                address.sun_path, sizeof(address.sun_path), "%s/%s", laz_control_folder(i), name);
        int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0) {
            if (laz_control_is_init(fd, laz_control_folder(i))) {
                return fd;
            }
            is_other = true;
        } else {
            cause = errno == EACCES || cause == 0 ? errno : cause;
        }
        laz_fd_close(&fd);
    }
    if (is_other) {
        return laz_err_set(err, LAZ_E_SYSTEM, 0,
                "somebody else listens at %s, where init should: it is not the init of this "
                "container",
                name);
    }
    return laz_err_set(err, LAZ_E_SYSTEM, cause,
            "no init answers at /run/lazaret/%s or /dev/shm/.lazaret/%s: %s%s", name, name,
            strerror(cause),
            cause == EACCES ? "; only the user that lazaret-init runs as may ask"
                            : "; there is one inside a container whose policy has secrets");
}

static ssize_t next_packet(int fd, char *ret, size_t size)
{
    struct pollfd world = {.fd = fd, .events = POLLIN};
    if (poll(&world, 1, ANSWER_MS) != 1) {
        errno = ETIMEDOUT;
        return -1;
    }
    return recv(fd, ret, size, MSG_DONTWAIT);
}

static int hear(int fd, struct answer *ret, struct laz_err *err)
{
    for (uint32_t i = 0; i <= ITEMS_MAX; i++) {
        char last[LAZ_CONTROL_PACKET_MAX + 1];
        char *packet = i < ITEMS_MAX ? ret->packets[i] : last;
        struct laz_control_item item;
        ssize_t n = next_packet(fd, packet, LAZ_CONTROL_PACKET_MAX + 1);
        if (n <= 0) {
            return laz_err_set(err, LAZ_E_SYSTEM, n < 0 ? errno : 0, "init did not answer: %s",
                    n < 0 ? strerror(errno) : "it has closed the connection");
        }
        enum laz_control_got got = n > LAZ_CONTROL_PACKET_MAX
                ? LAZ_CONTROL_NOTHING
                : laz_control_take_answer(packet, (size_t)n, &item, &ret->result);
        if (got == LAZ_CONTROL_END) {
            return 0;
        }
        if (got == LAZ_CONTROL_NOTHING || i == ITEMS_MAX) {
            break;
        }
        ret->items[ret->n++] = item;
    }
    return laz_err_set(
            err, LAZ_E_SYSTEM, 0, "what answers is another version of lazaret-init, or none");
}

static int ask(
        enum laz_control_verb verb, const char *name, struct answer *ret, struct laz_err *err)
{
    char memory[LAZ_CONTROL_PACKET_MAX];
    struct laz_buf request;
    laz_cleanup_fd int fd = call(err);
    if (fd < 0) {
        return -1;
    }
    laz_buf_init_fixed(&request, memory, sizeof(memory));
    laz_control_put_request(&request, verb, name);
    if (send(fd, request.data, request.len, MSG_NOSIGNAL) < 0) {
        return laz_err_set(err, LAZ_E_SYSTEM, errno, "init does not listen: %s", strerror(errno));
    }
    return hear(fd, ret, err);
}

/* ---- saying ---- */

static bool is_well(const struct laz_control_item *item)
{
    return item->state == LAZ_CONTROL_GOOD || item->state == LAZ_CONTROL_ABSENT;
}

/* As a person would say it. */
static void put_seconds(struct laz_buf *buf, uint64_t seconds)
{
    uint64_t in_hours = 2 * UINT64_C(3600);
    if (seconds >= in_hours) {
        laz_buf_printf(buf, "%" PRIu64 " h", seconds / 3600);
    } else if (seconds >= 120) {
        laz_buf_printf(buf, "%" PRIu64 " min", seconds / 60);
    } else {
        laz_buf_printf(buf, "%" PRIu64 " s", seconds);
    }
}

static void put_next(struct laz_buf *buf, const struct laz_control_item *item)
{
    if (item->next_s == LAZ_CONTROL_NEVER) {
        laz_buf_str(buf, item->is_renewed ? ", asked for no more" : ", not renewed");
    } else if (item->next_s == 0) {
        laz_buf_str(buf, ", asked for now");
    } else {
        laz_buf_str(buf, ", asked for in ");
        put_seconds(buf, item->next_s);
    }
}

/* Seconds of Unix time, as a person reads them. */
static void put_end(struct laz_buf *buf, uint64_t seconds)
{
    char text[sizeof("2026-11-24T12:05:06Z")];
    time_t end = (time_t)seconds;
    struct tm tm;
    if (gmtime_r(&end, &tm) != NULL &&
            strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm) > 0) {
        laz_buf_printf(buf, ", good until %s", text);
    }
}

static void put_item(struct laz_buf *buf, const struct laz_control_item *item)
{
    laz_buf_printf(buf, "%-16s %-8s", item->name, laz_control_state_name(item->state));
    if (item->state != LAZ_CONTROL_ABSENT) {
        laz_buf_printf(buf, " generation %u, version %s, fingerprint %s", item->generation,
                item->version[0] == '\0' ? "-" : item->version, item->fingerprint);
    }
    laz_buf_str(buf, item->state != LAZ_CONTROL_ABSENT ? ", confirmed " : " asked ");
    put_seconds(buf, item->age_s);
    laz_buf_str(buf, " ago");
    put_next(buf, item);
    if (item->expires != 0) {
        put_end(buf, item->expires);
    }
    if (item->why[0] != '\0') {
        laz_buf_printf(buf, "\n%-16s failed %u time%s: %s", "", item->failures,
                item->failures == 1 ? "" : "s", item->why);
    }
    laz_buf_char(buf, '\n');
}

static void json_item(struct laz_json *json, const struct laz_control_item *item)
{
    laz_json_object(json, NULL);
    laz_json_string(json, "name", item->name);
    laz_json_string(json, "state", laz_control_state_name(item->state));
    laz_json_bool(json, "renewed", item->is_renewed);
    laz_json_string(json, "version", item->version);
    laz_json_string(json, "fingerprint", item->fingerprint);
    laz_json_u64(json, "generation", item->generation);
    laz_json_u64(json, "age_s", item->age_s);
    if (item->next_s != LAZ_CONTROL_NEVER) {
        laz_json_u64(json, "next_s", item->next_s);
    }
    if (item->expires != 0) {
        laz_json_u64(json, "expires", item->expires);
    }
    laz_json_u64(json, "failures", item->failures);
    laz_json_string(json, "message", item->why);
    laz_json_object_end(json);
}

static void put_json(struct laz_buf *buf, const struct answer *answer, bool ok)
{
    struct laz_json json;
    laz_json_init(&json, buf);
    laz_json_object(&json, NULL);
    laz_json_bool(&json, "ok", ok);
    laz_json_array(&json, "secrets");
    for (uint32_t i = 0; i < answer->n; i++) {
        json_item(&json, &answer->items[i]);
    }
    laz_json_array_end(&json);
    laz_json_object_end(&json);
    laz_buf_char(buf, '\n');
}

static int show(const struct answer *answer, bool ok, bool is_json)
{
    laz_cleanup_buf struct laz_buf buf;
    laz_buf_init_heap(&buf, LAZ_CLI_OUTPUT_MAX);
    if (is_json) {
        put_json(&buf, answer, ok);
    }
    for (uint32_t i = 0; i < answer->n && !is_json; i++) {
        put_item(&buf, &answer->items[i]);
    }
    return laz_cli_print(&buf, ok ? LAZ_EXIT_FINE : LAZ_EXIT_FINDINGS);
}

/* ---- the commands ---- */

/* Ask, and have the answer judged and shown. 32 packets are too many for a stack. */
static int converse(enum laz_control_verb verb, const char *name, bool is_json,
        int (*judge)(const struct answer *answer, const char *name, bool is_json))
{
    struct laz_err err = {0};
    struct answer *answer = calloc(1, sizeof(*answer));
    if (answer == NULL) {
        (void)laz_err_set(&err, LAZ_E_MEMORY, errno, "no memory for an answer");
        return laz_cli_fail(&err, is_json);
    }
    int result = ask(verb, name, answer, &err) < 0 ? laz_cli_fail(&err, is_json)
                                                   : judge(answer, name, is_json);
    free(answer);
    return result;
}

static int judge_status(const struct answer *answer, const char *name, bool is_json)
{
    bool ok = true;
    (void)name;
    for (uint32_t i = 0; i < answer->n; i++) {
        ok = ok && is_well(&answer->items[i]);
    }
    return show(answer, ok, is_json);
}

int laz_cli_secrets_status(const struct laz_cli_arguments *arguments)
{
    return converse(LAZ_CONTROL_STATUS, "", arguments->json, judge_status);
}

static int judge_rotate(const struct answer *answer, const char *name, bool is_json)
{
    struct laz_err err = {0};
    if (answer->result == LAZ_CONTROL_DONE) {
        return show(answer, true, is_json);
    }
    enum laz_err_kind kind =
            answer->result == LAZ_CONTROL_UNKNOWN ? LAZ_E_USAGE : LAZ_E_ENVIRONMENT;
    (void)laz_err_set(
            &err, kind, 0, "item \"%s\": %s", name, laz_control_result_text(answer->result));
    return laz_cli_fail(&err, is_json);
}

int laz_cli_secrets_rotate(const struct laz_cli_arguments *arguments)
{
    struct laz_err err = {0};
    if (arguments->all == (arguments->n_operands == 1)) {
        (void)laz_err_set(&err, LAZ_E_USAGE, 0, "secrets rotate needs NAME or --all");
        return laz_cli_fail(&err, arguments->json);
    }
    const char *name = arguments->all ? LAZ_CONTROL_ALL : arguments->operands[0];
    if (strlen(name) > LAZ_CONTROL_NAME_MAX) {
        (void)laz_err_set(&err, LAZ_E_USAGE, 0, "%.64s...: %s", name,
                laz_control_result_text(LAZ_CONTROL_UNKNOWN));
        return laz_cli_fail(&err, arguments->json);
    }
    return converse(LAZ_CONTROL_ROTATE, name, arguments->json, judge_rotate);
}
