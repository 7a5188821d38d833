/* SPDX-License-Identifier: Apache-2.0
 *
 * The decoder of HTTP replies. Decides by what the head says alone; what does not fit a ceiling is
 * refused, never cut.
 */
#include "net/http_reply.h"

#include <stdio.h>
#include <strings.h>
#include <time.h>

#include <openssl/crypto.h>

#include "core/num.h"

static const char token[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                            "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

void laz_http_reply_again(struct laz_http_reply *reply)
{
    reply->state = LAZ_HTTP_HEAD;
    reply->status = 0;
    reply->keeps_open = reply->is_http_1_0 = false;
    reply->n_extra = 0;
    reply->left = 0;
    reply->length = 0;
    reply->head[0] = reply->line[0] = '\0';
    if (reply->body.cap > 0) {
        OPENSSL_cleanse(reply->body.data, reply->body.cap);
    }
    reply->body.len = 0;
    reply->body.overflow = false;
}

void laz_http_reply_init(struct laz_http_reply *reply, size_t body_max)
{
    laz_buf_init_wiped(&reply->body, body_max + 1);
    laz_http_reply_again(reply);
}

void laz_http_reply_done(struct laz_http_reply *reply)
{
    laz_http_reply_again(reply);
    laz_buf_done(&reply->body);
}

bool laz_http_reply_is_empty(const struct laz_http_reply *reply)
{
    return reply->state == LAZ_HTTP_HEAD && reply->length == 0 && reply->n_extra == 0;
}

static enum laz_http_progress broken(
        struct laz_http_reply *reply, const char *why, struct laz_err *err)
{
    reply->state = LAZ_HTTP_BROKEN;
    (void)laz_err_set(err, LAZ_E_SINK, 0, "not HTTP: %s", why);
    return LAZ_HTTP_IS_BROKEN;
}

/* ---- the head ---- */

const char *laz_http_reply_header(
        const struct laz_http_reply *reply, const char *name, size_t *ret_length)
{
    size_t length = strlen(name);
    for (const char *line = strstr(reply->head, "\r\n"); line != NULL && line[2] != '\r';
            line = strstr(line + 2, "\r\n")) {
        const char *at = line + 2;
        if (strncasecmp(at, name, length) != 0 || at[length] != ':') {
            continue;
        }
        at += length + 1;
        at += strspn(at, " \t");
        size_t n = strcspn(at, "\r");
        while (n > 0 && (at[n - 1] == ' ' || at[n - 1] == '\t')) {
            n--;
        }
        *ret_length = n;
        return at;
    }
    return NULL;
}

static size_t count_headers(const struct laz_http_reply *reply, const char *name)
{
    size_t n = 0;
    size_t length = strlen(name);
    for (const char *line = strstr(reply->head, "\r\n"); line != NULL && line[2] != '\r';
            line = strstr(line + 2, "\r\n")) {
        n += strncasecmp(line + 2, name, length) == 0 && line[2 + length] == ':' ? 1 : 0;
    }
    return n;
}

static bool is_word(const char *text, size_t length, const char *word)
{
    return length == strlen(word) && strncasecmp(text, word, length) == 0;
}

/* HTTP/1.1 200 and perhaps a reason. */
static bool read_status(struct laz_http_reply *reply)
{
    const char *head = reply->head;
    uint64_t status = 0;
    if (strncmp(head, "HTTP/1.", 7) != 0 || (head[7] != '0' && head[7] != '1') || head[8] != ' ' ||
            strspn(head + 9, "0123456789") != 3 || (head[12] != ' ' && head[12] != '\r') ||
            !laz_parse_u64(head + 9, 3, 599, &status) || status < 100) {
        return false;
    }
    reply->is_http_1_0 = head[7] == '0';
    reply->status = (unsigned)status;
    return true;
}

/* Each line of the head is printable and NAME: VALUE. */
static bool are_headers(const struct laz_http_reply *reply)
{
    for (const char *c = reply->head; *c != '\0'; c++) {
        unsigned char byte = (unsigned char)*c;
        bool is_end = byte == '\r' && c[1] == '\n';
        if (!is_end && (byte < 0x20 || byte == 0x7F) && byte != '\t') {
            return false;
        }
        c += is_end ? 1 : 0;
    }
    for (const char *line = strstr(reply->head, "\r\n"); line != NULL && line[2] != '\r';
            line = strstr(line + 2, "\r\n")) {
        size_t name = strspn(line + 2, token);
        if (name == 0 || line[2 + name] != ':') {
            return false;
        }
    }
    return strlen(reply->head) == reply->length;
}

/* How long the body is. NULL, or what is wrong with it. */
static const char *read_length(struct laz_http_reply *reply)
{
    size_t n = 0;
    const char *coding = laz_http_reply_header(reply, "Transfer-Encoding", &n);
    size_t n_lengths = count_headers(reply, "Content-Length");
    if (coding != NULL) {
        reply->state = LAZ_HTTP_CHUNK_SIZE;
        return n_lengths > 0 || reply->is_http_1_0 ? "a coding, and a length"
                : count_headers(reply, "Transfer-Encoding") == 1 && is_word(coding, n, "chunked")
                ? NULL
                : "a transfer coding that was not asked for";
    }
    if (reply->status == 204 || reply->status == 304) {
        reply->state = LAZ_HTTP_DONE;
        return n_lengths > 0 ? "a body where there is none" : NULL;
    }
    const char *text = laz_http_reply_header(reply, "Content-Length", &n);
    if (n_lengths != 1 || !laz_parse_u64(text, n, UINT64_MAX, &reply->left)) {
        return n_lengths == 0 ? "it does not say how long it is" : "a length that is none";
    }
    reply->state = reply->left > 0 ? LAZ_HTTP_BODY : LAZ_HTTP_DONE;
    return reply->left < reply->body.max ? NULL : "longer than is read";
}

/* The head is whole. */
static const char *read_head(struct laz_http_reply *reply)
{
    size_t n = 0;
    if (!read_status(reply)) {
        return "no status line";
    }
    if (!are_headers(reply)) {
        return "a header that is none";
    }
    if (reply->status < 200) {
        bool is_interim = reply->status != 101 && ++reply->n_extra <= LAZ_HTTP_INTERIM_MAX;
        reply->length = 0;
        return is_interim ? NULL : "another protocol, or too many interim replies";
    }
    const char *connection = laz_http_reply_header(reply, "Connection", &n);
    reply->keeps_open =
            !reply->is_http_1_0 && (connection == NULL || is_word(connection, n, "keep-alive"));
    reply->n_extra = 0;
    reply->length = 0;
    return read_length(reply);
}

static const char *take_head(struct laz_http_reply *reply, char c)
{
    if (reply->length == LAZ_HTTP_HEAD_MAX) {
        return "a longer head than is read";
    }
    reply->head[reply->length++] = c;
    reply->head[reply->length] = '\0';
    if (c != '\n') {
        return NULL;
    }
    bool is_end = reply->length >= 4 && memcmp(reply->head + reply->length - 4, "\r\n\r\n", 4) == 0;
    return is_end ? read_head(reply) : NULL;
}

/* ---- chunks ---- */

static const char *read_chunk_size(struct laz_http_reply *reply)
{
    size_t n = strspn(reply->line, "0123456789abcdefABCDEF");
    uint64_t size = 0;
    if (n == 0 || n > 8 || (reply->line[n] != '\0' && reply->line[n] != ';')) {
        return "no chunk";
    }
    for (size_t i = 0; i < n; i++) {
        char c = reply->line[i];
        size = size << 4 | (uint64_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    if (size >= reply->body.max - reply->body.len) {
        return "longer than is read";
    }
    reply->left = size;
    reply->state = size > 0 ? LAZ_HTTP_CHUNK : LAZ_HTTP_TRAILER;
    return NULL;
}

/* A line without its end. */
static const char *read_line(struct laz_http_reply *reply)
{
    if (reply->state == LAZ_HTTP_CHUNK_SIZE) {
        return read_chunk_size(reply);
    }
    if (reply->state == LAZ_HTTP_CHUNK_END) {
        reply->state = LAZ_HTTP_CHUNK_SIZE;
        return reply->line[0] == '\0' ? NULL : "a chunk that goes on";
    }
    if (reply->line[0] == '\0') {
        reply->state = LAZ_HTTP_DONE;
    }
    return ++reply->n_extra > LAZ_HTTP_TRAILER_MAX ? "too many trailers" : NULL;
}

static const char *take_line(struct laz_http_reply *reply, char c)
{
    if (c == '\n') {
        if (reply->length == 0 || reply->line[reply->length - 1] != '\r') {
            return "a line that does not end in CR LF";
        }
        reply->line[reply->length - 1] = '\0';
        reply->length = 0;
        return read_line(reply);
    }
    bool is_text = (unsigned char)c >= 0x20 || c == '\t' || c == '\r';
    bool was_end = reply->length > 0 && reply->line[reply->length - 1] == '\r';
    if (!is_text || was_end || reply->length == LAZ_HTTP_LINE_MAX) {
        return "a line that is none, or too long";
    }
    reply->line[reply->length++] = c;
    return NULL;
}

/* Of the body or a chunk. How many bytes. */
static size_t take_data(struct laz_http_reply *reply, const char *bytes, size_t length)
{
    size_t n = reply->left < length ? (size_t)reply->left : length;
    laz_buf_put(&reply->body, bytes, n);
    reply->left -= n;
    if (reply->left == 0) {
        reply->state = reply->state == LAZ_HTTP_BODY ? LAZ_HTTP_DONE : LAZ_HTTP_CHUNK_END;
    }
    return n;
}

enum laz_http_progress laz_http_reply_take(struct laz_http_reply *reply, const void *bytes,
        size_t length, size_t *ret_used, struct laz_err *err)
{
    const char *text = bytes;
    size_t at = 0;
    while (at < length && reply->state != LAZ_HTTP_DONE) {
        const char *wrong = NULL;
        if (reply->state == LAZ_HTTP_BODY || reply->state == LAZ_HTTP_CHUNK) {
            at += take_data(reply, text + at, length - at);
            wrong = reply->body.overflow ? "no memory for it" : NULL;
        } else if (reply->state == LAZ_HTTP_HEAD) {
            wrong = take_head(reply, text[at++]);
        } else {
            wrong = reply->state == LAZ_HTTP_BROKEN ? "broken" : take_line(reply, text[at++]);
        }
        if (wrong != NULL) {
            *ret_used = at;
            return broken(reply, wrong, err);
        }
    }
    *ret_used = at;
    return reply->state == LAZ_HTTP_DONE ? LAZ_HTTP_HAS_REPLY : LAZ_HTTP_NEEDS_MORE;
}

bool laz_http_reply_date(const struct laz_http_reply *reply, int64_t *ret)
{
    char text[40];
    struct tm parts = {0};
    size_t length = 0;
    const char *value = laz_http_reply_header(reply, "Date", &length);
    if (value == NULL || length >= sizeof(text)) {
        return false;
    }
    (void)snprintf(text, sizeof(text), "%.*s", (int)length, value);
    const char *end = strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    if (end == NULL || *end != '\0') {
        return false;
    }
    *ret = timegm(&parts);
    return true;
}
