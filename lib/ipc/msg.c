/* SPDX-License-Identifier: Apache-2.0
 *
 * Encoding, decoding and permission of messages. Never touches a descriptor. libc only: linked into
 * PID 1.
 */
#include "ipc/msg.h"

#include "core/words.h"

static const struct {
    uint8_t from;
    uint8_t to;
    uint8_t n_fds;
} rules[LAZ_MESSAGE_COUNT] = {
#define LAZ_MESSAGE(id, from, to, fds, says) {LAZ_ROLES_##from, LAZ_ROLES_##to, fds},
#include "ipc/msg.def"
#undef LAZ_MESSAGE
};

const char *laz_role_name(enum laz_role role)
{
    static const char names[] = LAZ_ROLES(LAZ_WORD);
    return laz_word(names, role);
}

const char *laz_variable_name(enum laz_variable variable)
{
    static const char names[] = LAZ_VARIABLES(LAZ_WORD);
    return laz_word(names, variable);
}

static void put(struct laz_buf *buf, uint64_t value, unsigned size)
{
    uint8_t bytes[sizeof(value)];
    for (unsigned i = 0; i < size; i++) {
        bytes[i] = (uint8_t)(value >> (8 * i));
    }
    laz_buf_put(buf, bytes, size);
}

static uint64_t get(const uint8_t *bytes, unsigned size)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < size; i++) {
        value |= (uint64_t)bytes[i] << (8 * i);
    }
    return value;
}

void laz_message_begin(struct laz_buf *buf, enum laz_message_type type)
{
    buf->len = 0;
    buf->overflow = false;
    put(buf, (uint64_t)type, 2);
    put(buf, 0, 2);
    put(buf, 0, 4); /* the length: laz_message_end */
}

void laz_message_u8(struct laz_buf *buf, uint8_t value)
{
    put(buf, value, 1);
}

void laz_message_u32(struct laz_buf *buf, uint32_t value)
{
    put(buf, value, 4);
}

void laz_message_u64(struct laz_buf *buf, uint64_t value)
{
    put(buf, value, 8);
}

void laz_message_string(struct laz_buf *buf, const char *text)
{
    laz_buf_put(buf, text, strlen(text) + 1);
}

bool laz_message_end(struct laz_buf *buf)
{
    if (buf->overflow || buf->len < LAZ_MESSAGE_HEADER || buf->len > LAZ_MESSAGE_MAX) {
        return false;
    }
    size_t length = buf->len - LAZ_MESSAGE_HEADER;
    for (unsigned i = 0; i < 4; i++) {
        buf->data[4 + i] = (char)(uint8_t)(length >> (8 * i));
    }
    return true;
}

int laz_message_parse(const uint8_t *bytes, size_t length, size_t n_fds, struct laz_route route,
        struct laz_message *ret, struct laz_err *err)
{
    if (length < LAZ_MESSAGE_HEADER || get(bytes + 2, 2) != 0 ||
            get(bytes + 4, 4) != length - LAZ_MESSAGE_HEADER) {
        return laz_err_set(err, LAZ_E_INTERNAL, 0, "%s sent %zu bytes that are no message",
                laz_role_name(route.from), length);
    }
    uint64_t type = get(bytes, 2);
    if (type >= LAZ_MESSAGE_COUNT || (rules[type].from >> route.from & 1) == 0 ||
            (rules[type].to >> route.to & 1) == 0) {
        return laz_err_set(err, LAZ_E_INTERNAL, 0, "%s may not send message %u",
                laz_role_name(route.from), (unsigned)type);
    }
    if (rules[type].n_fds != n_fds) {
        return laz_err_set(err, LAZ_E_INTERNAL, 0,
                "%s sent message %u with %zu descriptors instead of %u", laz_role_name(route.from),
                (unsigned)type, n_fds, rules[type].n_fds);
    }
    *ret = (struct laz_message){.type = (enum laz_message_type)type,
            .fields = bytes + LAZ_MESSAGE_HEADER,
            .length = length - LAZ_MESSAGE_HEADER,
            .n_fds = n_fds};
    return 0;
}

void laz_fields_begin(struct laz_fields *fields, const struct laz_message *message)
{
    *fields = (struct laz_fields){
            .at = message->fields, .end = message->fields + message->length, .failed = false};
}

static uint64_t take(struct laz_fields *fields, unsigned size)
{
    if (fields->failed || (size_t)(fields->end - fields->at) < size) {
        fields->failed = true;
        return 0;
    }
    uint64_t value = get(fields->at, size);
    fields->at += size;
    return value;
}

uint8_t laz_fields_u8(struct laz_fields *fields)
{
    return (uint8_t)take(fields, 1);
}

uint32_t laz_fields_u32(struct laz_fields *fields)
{
    return (uint32_t)take(fields, 4);
}

uint64_t laz_fields_u64(struct laz_fields *fields)
{
    return take(fields, 8);
}

const char *laz_fields_string(struct laz_fields *fields)
{
    size_t left = fields->failed ? 0 : (size_t)(fields->end - fields->at);
    const uint8_t *nul = left == 0 ? NULL : memchr(fields->at, 0, left);
    if (nul == NULL) {
        fields->failed = true;
        return "";
    }
    const char *text = (const char *)fields->at;
    fields->at = nul + 1;
    return text;
}

bool laz_fields_done(const struct laz_fields *fields)
{
    return !fields->failed && fields->at == fields->end;
}
