/* SPDX-License-Identifier: Apache-2.0
 *
 * HTTP/2 (RFC 9113), HPACK (RFC 7541) without its table and without Huffman's code, and gRPC's
 * framing, as far as one call with one message each way needs them.
 */
#include "health/grpc.h"

#include <stdio.h>
#include <string.h>

#define PREFACE       "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define METHOD        "/grpc.health.v1.Health/Check"
#define FRAME_MAX     16384U /* what we let a server send, the protocol's least */
#define HEAD_SIZE     9U
#define PING_SIZE     8U
#define PREFIX_SIZE   5U /* of a message: compressed or not, its length */
#define OUR_STREAM    1U
#define ACK           0x1U
#define END_STREAM    0x1U
#define END_HEADERS   0x4U
#define PADDED        0x8U
#define AUTHORITY_MAX 272 /* bytes: a name, brackets and a port */
#define HEADERS_MAX   512

enum frame {
    FRAME_DATA = 0,
    FRAME_HEADERS = 1,
    FRAME_RST_STREAM = 3,
    FRAME_SETTINGS = 4,
    FRAME_PING = 6,
    FRAME_GOAWAY = 7,
};

/* Entries of HPACK's static table. */
enum known {
    KNOWN_AUTHORITY = 1,
    KNOWN_POST = 3,
    KNOWN_PATH = 4,
    KNOWN_HTTP = 6,
    KNOWN_CONTENT_TYPE = 31,
    KNOWN_USER_AGENT = 58,
};

/* ---- the request ---- */

static void put_byte(struct laz_buf *buf, unsigned value)
{
    laz_buf_char(buf, (char)(uint8_t)value);
}

static void put_head(
        struct laz_buf *buf, size_t length, enum frame type, unsigned flags, uint32_t stream)
{
    put_byte(buf, (unsigned)(length >> 16));
    put_byte(buf, (unsigned)(length >> 8));
    put_byte(buf, (unsigned)length);
    put_byte(buf, type);
    put_byte(buf, flags);
    put_byte(buf, stream >> 24);
    put_byte(buf, stream >> 16);
    put_byte(buf, stream >> 8);
    put_byte(buf, stream);
}

/* An integer behind so many bits of something else (RFC 7541, 5.1). */
static void put_number(struct laz_buf *buf, unsigned above, unsigned bits, size_t value)
{
    size_t most = ((size_t)1 << bits) - 1;
    if (value < most) {
        put_byte(buf, above | (unsigned)value);
        return;
    }
    put_byte(buf, above | (unsigned)most);
    for (value -= most; value >= 128; value /= 128) {
        put_byte(buf, (unsigned)(value % 128) | 0x80U);
    }
    put_byte(buf, (unsigned)value);
}

static void put_string(struct laz_buf *buf, const char *text)
{
    put_number(buf, 0, 7, strlen(text));
    laz_buf_str(buf, text);
}

/* A header that nobody has to remember; its name is known (its number), or said. */
static void put_header(struct laz_buf *buf, unsigned known, const char *name, const char *value)
{
    put_number(buf, 0, 4, known);
    if (known == 0) {
        put_string(buf, name);
    }
    put_string(buf, value);
}

static void put_headers(struct laz_buf *buf, const char *host, uint16_t port)
{
    char authority[AUTHORITY_MAX];
    bool is_v6 = strchr(host, ':') != NULL;
    (void)snprintf(authority, sizeof(authority), "%s%s%s:%u", is_v6 ? "[" : "", host,
            is_v6 ? "]" : "", port);
    put_number(buf, 0x80, 7, KNOWN_POST);
    put_number(buf, 0x80, 7, KNOWN_HTTP);
    put_header(buf, KNOWN_PATH, "", METHOD);
    put_header(buf, KNOWN_AUTHORITY, "", authority);
    put_header(buf, 0, "te", "trailers");
    put_header(buf, KNOWN_CONTENT_TYPE, "", "application/grpc");
    put_header(buf, KNOWN_USER_AGENT, "", "lazaret-health/" LAZARET_VERSION);
}

/* As protobuf has numbers below 2^14. */
static void put_varint(struct laz_buf *buf, size_t value)
{
    if (value >= 128) {
        put_byte(buf, (unsigned)(value % 128) | 0x80U);
        value /= 128;
    }
    put_byte(buf, (unsigned)value);
}

/* HealthCheckRequest: field 1, the service. "" is left out, as the default always is. */
static void put_message(struct laz_buf *buf, const char *service)
{
    size_t length = strlen(service);
    size_t size = length == 0 ? 0 : length + (length < 128 ? 2 : 3);
    put_head(buf, PREFIX_SIZE + size, FRAME_DATA, END_STREAM, OUR_STREAM);
    put_byte(buf, 0);
    put_byte(buf, 0);
    put_byte(buf, 0);
    put_byte(buf, (unsigned)(size >> 8));
    put_byte(buf, (unsigned)size);
    if (length != 0) {
        put_byte(buf, 0x0a);
        put_varint(buf, length);
        laz_buf_str(buf, service);
    }
}

void laz_health_grpc_ask(struct laz_buf *ret, const char *host, uint16_t port, const char *service)
{
    char memory[HEADERS_MAX];
    struct laz_buf headers;
    laz_buf_init_fixed(&headers, memory, sizeof(memory));
    put_headers(&headers, host, port);
    ret->overflow = ret->overflow || headers.overflow;
    laz_buf_str(ret, PREFACE);
    put_head(ret, 0, FRAME_SETTINGS, 0, 0);
    put_head(ret, headers.len, FRAME_HEADERS, END_HEADERS, OUR_STREAM);
    laz_buf_put(ret, headers.data, headers.len);
    put_message(ret, service);
}

/* ---- the answer ---- */

void laz_health_grpc_init(struct laz_health_grpc *grpc)
{
    (void)memset(grpc, 0, sizeof(*grpc));
}

static uint32_t stream_of(const struct laz_health_grpc *grpc)
{
    return ((uint32_t)(grpc->head[5] & 0x7fU) << 24) | ((uint32_t)grpc->head[6] << 16) |
            ((uint32_t)grpc->head[7] << 8) | grpc->head[8];
}

/* A varint of protobuf; false: it does not end. */
static bool take_varint(const uint8_t **at, const uint8_t *end, uint64_t *ret)
{
    *ret = 0;
    for (unsigned shift = 0; *at < end && shift < 64; shift += 7) {
        uint8_t byte = *(*at)++;
        *ret |= (uint64_t)(byte & 0x7fU) << shift;
        if ((byte & 0x80U) == 0) {
            return true;
        }
    }
    return false;
}

/* HealthCheckResponse: field 1, a varint; 0 where it is not there. -1: it is no such message. */
static int status_of(const struct laz_health_grpc *grpc)
{
    const uint8_t *at = grpc->message + PREFIX_SIZE;
    const uint8_t *end = grpc->message + grpc->n_message;
    uint64_t key = 0;
    uint64_t value = 0;
    if (grpc->n_message == 0) {
        return 0;
    }
    if (grpc->n_message < PREFIX_SIZE || grpc->message[0] != 0 || grpc->message[1] != 0 ||
            grpc->message[2] != 0 || grpc->message[3] != 0 ||
            grpc->message[4] != grpc->n_message - PREFIX_SIZE) {
        return -1;
    }
    while (at < end) {
        if (!take_varint(&at, end, &key) || key != 8 || !take_varint(&at, end, &value) ||
                value > UINT8_MAX) {
            return -1;
        }
    }
    return (int)value;
}

static enum laz_health_answered end_stream(struct laz_health_grpc *grpc)
{
    int status = status_of(grpc);
    grpc->status = status < 0 ? 0 : (unsigned)status;
    return status < 0 ? LAZ_HEALTH_ANSWER_BROKEN : LAZ_HEALTH_ANSWER_DONE;
}

/* A frame has begun: may it? */
static bool begin_frame(struct laz_health_grpc *grpc)
{
    uint32_t stream = stream_of(grpc);
    unsigned type = grpc->head[3];
    grpc->left = ((uint32_t)grpc->head[0] << 16) | ((uint32_t)grpc->head[1] << 8) | grpc->head[2];
    grpc->n_kept = 0;
    grpc->padding = 0;
    grpc->has_padding = type != FRAME_DATA || (grpc->head[4] & PADDED) == 0;
    if (grpc->left > FRAME_MAX || type == FRAME_RST_STREAM || type == FRAME_GOAWAY) {
        return false;
    }
    if (type == FRAME_PING) {
        return grpc->left == PING_SIZE && stream == 0;
    }
    if (type == FRAME_SETTINGS) {
        return stream == 0;
    }
    return type != FRAME_DATA || stream == OUR_STREAM;
}

/* One byte of a payload. */
static bool take_byte(struct laz_health_grpc *grpc, uint8_t byte)
{
    unsigned type = grpc->head[3];
    grpc->left--;
    if (grpc->n_kept < sizeof(grpc->kept)) {
        grpc->kept[grpc->n_kept++] = byte;
    }
    if (!grpc->has_padding) {
        grpc->has_padding = true;
        grpc->padding = byte;
        return byte <= grpc->left;
    }
    if (type != FRAME_DATA || grpc->left < grpc->padding) {
        return true;
    }
    if (grpc->n_message == sizeof(grpc->message)) {
        return false;
    }
    grpc->message[grpc->n_message++] = byte;
    return true;
}

static enum laz_health_answered end_frame(struct laz_health_grpc *grpc, struct laz_buf *reply)
{
    unsigned type = grpc->head[3];
    unsigned flags = grpc->head[4];
    grpc->n_head = 0;
    if (!grpc->has_padding) {
        return LAZ_HEALTH_ANSWER_BROKEN;
    }
    if (type == FRAME_SETTINGS && (flags & ACK) == 0) {
        put_head(reply, 0, FRAME_SETTINGS, ACK, 0);
    }
    if (type == FRAME_PING && (flags & ACK) == 0) {
        put_head(reply, PING_SIZE, FRAME_PING, ACK, 0);
        laz_buf_put(reply, grpc->kept, PING_SIZE);
    }
    bool is_ours = stream_of(grpc) == OUR_STREAM;
    if (is_ours && (type == FRAME_DATA || type == FRAME_HEADERS) && (flags & END_STREAM) != 0) {
        return end_stream(grpc);
    }
    return LAZ_HEALTH_ANSWER_MORE;
}

enum laz_health_answered laz_health_grpc_take(
        struct laz_health_grpc *grpc, const uint8_t *bytes, size_t length, struct laz_buf *reply)
{
    for (size_t i = 0; i < length; i++) {
        if (++grpc->length > LAZ_HEALTH_GRPC_MAX) {
            return LAZ_HEALTH_ANSWER_BROKEN;
        }
        if (grpc->n_head < HEAD_SIZE) {
            grpc->head[grpc->n_head++] = bytes[i];
            if (grpc->n_head < HEAD_SIZE) {
                continue;
            }
            if (!begin_frame(grpc)) {
                return LAZ_HEALTH_ANSWER_BROKEN;
            }
        } else if (!take_byte(grpc, bytes[i])) {
            return LAZ_HEALTH_ANSWER_BROKEN;
        }
        if (grpc->left == 0) {
            enum laz_health_answered result = end_frame(grpc, reply);
            if (result != LAZ_HEALTH_ANSWER_MORE) {
                return result;
            }
        }
    }
    return LAZ_HEALTH_ANSWER_MORE;
}
