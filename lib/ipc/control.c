/* SPDX-License-Identifier: Apache-2.0
 *
 * Packets of the control socket, field by field. libc only: linked into PID 1.
 */
#include "ipc/control.h"

#include <sys/stat.h>

#include "core/format.h"
#include "core/words.h"

#define VERSION 1 /* of what is said here; another one is not understood */

const char *laz_control_folder(unsigned n)
{
    return laz_word("/run/lazaret\0/dev/shm/.lazaret", n);
}

void laz_control_socket_name(enum laz_control_socket which, char ret[LAZ_CONTROL_SOCKET_MAX])
{
    static const char names[] = LAZ_CONTROL_SOCKETS(LAZ_WORD);
    struct stat space = {0};
    (void)stat("/proc/self/ns/pid", &space); /* without /proc: 0, for both sides */
    (void)laz_format(ret, LAZ_CONTROL_SOCKET_MAX, "%s.%u", laz_word(names, (size_t)which),
            (unsigned)space.st_ino);
}

enum {
    KIND_REQUEST = 1,
    KIND_ITEM,
    KIND_END
};

static void begin(struct laz_buf *buf, uint8_t kind)
{
    buf->len = 0;
    buf->overflow = false;
    laz_message_u8(buf, VERSION);
    laz_message_u8(buf, kind);
}

/* The kind of a packet, with its fields behind it; 0: of no such version. */
static uint8_t open_packet(const void *packet, size_t length, struct laz_fields *ret)
{
    const struct laz_message all = {.fields = packet, .length = length};
    laz_fields_begin(ret, &all);
    uint8_t version = laz_fields_u8(ret);
    uint8_t kind = laz_fields_u8(ret);
    return version == VERSION ? kind : 0;
}

void laz_control_put_request(struct laz_buf *buf, enum laz_control_verb verb, const char *name)
{
    begin(buf, KIND_REQUEST);
    laz_message_u8(buf, (uint8_t)verb);
    laz_message_string(buf, name);
}

bool laz_control_take_request(
        const void *packet, size_t length, enum laz_control_verb *ret_verb, const char **ret_name)
{
    struct laz_fields fields;
    uint8_t kind = open_packet(packet, length, &fields);
    uint8_t verb = laz_fields_u8(&fields);
    const char *name = laz_fields_string(&fields);
    if (kind != KIND_REQUEST || !laz_fields_done(&fields) || verb >= LAZ_CONTROL_VERB_COUNT ||
            strlen(name) > LAZ_CONTROL_NAME_MAX) {
        return false;
    }
    *ret_verb = (enum laz_control_verb)verb;
    *ret_name = name;
    return true;
}

void laz_control_put_item(struct laz_buf *buf, const struct laz_control_item *item)
{
    begin(buf, KIND_ITEM);
    laz_message_string(buf, item->name);
    laz_message_u8(buf, (uint8_t)item->state);
    laz_message_u8(buf, item->is_renewed);
    laz_message_u32(buf, item->generation);
    laz_message_u32(buf, item->failures);
    laz_message_u64(buf, item->age_s);
    laz_message_u64(buf, item->next_s);
    laz_message_u64(buf, item->expires);
    laz_message_string(buf, item->version);
    laz_message_string(buf, item->fingerprint);
    laz_message_string(buf, item->why);
}

void laz_control_put_end(struct laz_buf *buf, enum laz_control_result result)
{
    begin(buf, KIND_END);
    laz_message_u8(buf, (uint8_t)result);
}

static bool take_item(struct laz_fields *fields, struct laz_control_item *ret)
{
    struct laz_control_item item = {.name = laz_fields_string(fields)};
    uint8_t state = laz_fields_u8(fields);
    uint8_t is_renewed = laz_fields_u8(fields);
    item.generation = laz_fields_u32(fields);
    item.failures = laz_fields_u32(fields);
    item.age_s = laz_fields_u64(fields);
    item.next_s = laz_fields_u64(fields);
    item.expires = laz_fields_u64(fields);
    item.version = laz_fields_string(fields);
    item.fingerprint = laz_fields_string(fields);
    item.why = laz_fields_string(fields);
    item.state = (enum laz_control_state)state;
    item.is_renewed = is_renewed == 1;
    *ret = item;
    return laz_fields_done(fields) && state < LAZ_CONTROL_STATE_COUNT && is_renewed <= 1;
}

enum laz_control_got laz_control_take_answer(const void *packet, size_t length,
        struct laz_control_item *ret_item, enum laz_control_result *ret_result)
{
    struct laz_fields fields;
    uint8_t kind = open_packet(packet, length, &fields);
    if (kind == KIND_ITEM) {
        return take_item(&fields, ret_item) ? LAZ_CONTROL_ITEM : LAZ_CONTROL_NOTHING;
    }
    uint8_t result = laz_fields_u8(&fields);
    if (kind != KIND_END || !laz_fields_done(&fields) || result >= LAZ_CONTROL_RESULT_COUNT) {
        return LAZ_CONTROL_NOTHING;
    }
    *ret_result = (enum laz_control_result)result;
    return LAZ_CONTROL_END;
}

const char *laz_control_state_name(enum laz_control_state state)
{
    switch (state) {
#define X(id, name)                                                                                \
    case LAZ_CONTROL_##id:                                                                         \
        return name;
        LAZ_CONTROL_STATES(X)
#undef X
    case LAZ_CONTROL_STATE_COUNT:
        break;
    }
    return "?";
}

const char *laz_control_result_text(enum laz_control_result result)
{
    switch (result) {
#define X(id, what)                                                                                \
    case LAZ_CONTROL_##id:                                                                         \
        return what;
        LAZ_CONTROL_RESULTS(X)
#undef X
    case LAZ_CONTROL_RESULT_COUNT:
        break;
    }
    return "?";
}
