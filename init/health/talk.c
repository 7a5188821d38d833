/* SPDX-License-Identifier: Apache-2.0
 *
 * A question over HTTP/1, or over gRPC. Of HTTP/1, after the head of the answer the rest is read
 * until the server closes, or the owner stops: to close with something unread is a reset, of which
 * servers complain.
 */
#include "init/health/talk.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/buf.h"
#include "health/answer.h"
#include "health/grpc.h"
#include "net/stream.h"

#define REQUEST_MAX 2048
#define PIECE       4096
#define REPLY_MAX   4096 /* confirmations of what a server sends at once */
#define UNSENT_MS   30000U

struct laz_health_talk {
    const struct laz_health_check *check;
    struct laz_health_talk_owner owner;
    struct laz_stream *stream;
    struct laz_health_answer answer; /* of HTTP/1 */
    struct laz_health_grpc grpc;
    bool is_open;
    bool waits; /* for the answer */
};

static void end(struct laz_health_talk *talk, const char *why)
{
    if (talk->waits) {
        talk->waits = false;
        talk->owner.ended(talk->owner.context, why);
    }
}

static void on_up(void *context)
{
    struct laz_health_talk *talk = context;
    const struct laz_health_check *check = talk->check;
    const char *host = check->server_name[0] != '\0' ? check->server_name : check->host;
    char memory[REQUEST_MAX];
    struct laz_buf request;
    laz_buf_init_fixed(&request, memory, sizeof(memory));
    if (check->kind == LAZ_HEALTH_GRPC) {
        laz_health_grpc_ask(&request, host, check->port, check->service);
    } else {
        laz_health_answer_ask(&request, host, check->port, check->is_tls, check->path);
    }
    talk->is_open = true;
    talk->owner.connected(talk->owner.context);
    if (request.overflow || !laz_stream_write(talk->stream, request.data, request.len)) {
        laz_stream_stop(talk->stream);
        talk->is_open = false;
        end(talk, "the request does not fit");
    }
}

static void judge_status(struct laz_health_talk *talk)
{
    const struct laz_health_check *check = talk->check;
    uint16_t status = talk->answer.status;
    char why[64];
    if (status >= check->expect_min && status <= check->expect_max) {
        end(talk, NULL);
        return;
    }
    (void)snprintf(
            why, sizeof(why), "status %u, not %u-%u", status, check->expect_min, check->expect_max);
    end(talk, why);
}

static void judge_service(struct laz_health_talk *talk)
{
    unsigned status = talk->grpc.status;
    char why[64];
    (void)snprintf(why, sizeof(why),
            status == 0 ? "no health status: is the service there?" : "not serving: status %u",
            status);
    end(talk, status == LAZ_HEALTH_GRPC_SERVING ? NULL : why);
}

static void read_grpc(struct laz_health_talk *talk)
{
    uint8_t piece[PIECE];
    char memory[REPLY_MAX];
    struct laz_buf reply;
    enum laz_health_answered result = LAZ_HEALTH_ANSWER_MORE;
    laz_buf_init_fixed(&reply, memory, sizeof(memory));
    size_t n = laz_stream_read(talk->stream, piece, sizeof(piece));
    for (; n > 0 && result == LAZ_HEALTH_ANSWER_MORE;
            n = laz_stream_read(talk->stream, piece, sizeof(piece))) {
        result = laz_health_grpc_take(&talk->grpc, piece, n, &reply);
    }
    if (result == LAZ_HEALTH_ANSWER_MORE && !reply.overflow &&
            (reply.len == 0 || laz_stream_write(talk->stream, reply.data, reply.len))) {
        return;
    }
    /* Servers of gRPC wait for another call: there is none. */
    laz_stream_stop(talk->stream);
    talk->is_open = false;
    if (result == LAZ_HEALTH_ANSWER_DONE) {
        judge_service(talk);
    } else {
        end(talk, "the answer is not gRPC");
    }
}

static void on_read(void *context)
{
    struct laz_health_talk *talk = context;
    char piece[PIECE];
    if (talk->check->kind == LAZ_HEALTH_GRPC) {
        read_grpc(talk);
        return;
    }
    size_t n = laz_stream_read(talk->stream, piece, sizeof(piece));
    for (; n > 0; n = laz_stream_read(talk->stream, piece, sizeof(piece))) {
        if (!talk->waits) {
            continue;
        }
        enum laz_health_answered result = laz_health_answer_take(&talk->answer, piece, n);
        if (result == LAZ_HEALTH_ANSWER_DONE) {
            judge_status(talk);
        } else if (result == LAZ_HEALTH_ANSWER_BROKEN) {
            laz_stream_stop(talk->stream);
            talk->is_open = false;
            end(talk, "the answer is not HTTP/1");
            return;
        }
    }
}

static void on_written(void *context)
{
    (void)context;
}

static void on_ended(void *context, const char *why)
{
    struct laz_health_talk *talk = context;
    talk->is_open = false;
    end(talk, why);
}

int laz_health_talk_new(struct event_base *base, const struct laz_health_talk_plan *plan,
        const struct laz_health_talk_owner *owner, struct laz_health_talk **ret,
        struct laz_err *err)
{
    struct laz_health_talk *talk = calloc(1, sizeof(*talk));
    const struct laz_dial_plan way = {.host = plan->check->host,
            .port = plan->check->port,
            .wait_ms = plan->check->timeout_ms,
            .unsent_ms = UNSENT_MS,
            .resolver = plan->resolver};
    const struct laz_stream_owner streams = {.up = on_up,
            .can_read = on_read,
            .written = on_written,
            .ended = on_ended,
            .context = talk};
    if (talk == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for a check");
    }
    talk->check = plan->check;
    talk->owner = *owner;
    if (laz_stream_new(base, &way, plan->tls, &streams, &talk->stream, err) < 0) {
        free(talk);
        return -1;
    }
    *ret = talk;
    return 0;
}

void laz_health_talk_start(struct laz_health_talk *talk)
{
    laz_health_talk_stop(talk);
    laz_health_answer_init(&talk->answer);
    laz_health_grpc_init(&talk->grpc);
    talk->waits = true;
    laz_stream_start(talk->stream);
}

void laz_health_talk_stop(struct laz_health_talk *talk)
{
    laz_stream_stop(talk->stream);
    talk->is_open = false;
    talk->waits = false;
}

bool laz_health_talk_is_open(const struct laz_health_talk *talk)
{
    return talk->is_open;
}
