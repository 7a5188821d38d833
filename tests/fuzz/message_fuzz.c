/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a message from any role to any other. One that is taken is in the catalogue, with
 * the number of descriptors that it has there; its fields, read in whatever order the bytes say,
 * come from inside of it; and what was read, written again, is the message.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "ipc/msg.h"

static const struct {
    unsigned from; /* sets of roles */
    unsigned to;
    size_t n_fds;
} catalogue[] = {
#define LAZ_MESSAGE(id, from, to, fds, says) {LAZ_ROLES_##from, LAZ_ROLES_##to, fds},
#include "ipc/msg.def"
#undef LAZ_MESSAGE
};

/* Read fields as `choice` says until one is not there, and write each again. */
static void copy_fields(const struct laz_message *message, uint32_t choice, struct laz_buf *again)
{
    struct laz_fields fields;
    laz_fields_begin(&fields, message);
    laz_message_begin(again, message->type);
    while (!laz_fields_done(&fields)) {
        const struct laz_fields before = fields;
        unsigned kind = choice & 3;
        choice = choice >> 2 | choice << 30;
        if (kind == 0) {
            const char *text = laz_fields_string(&fields);
            require(fields.failed || text + strlen(text) + 1 == (const char *)fields.at);
            laz_message_string(again, text);
        } else if (kind == 1) {
            laz_message_u32(again, laz_fields_u32(&fields));
        } else if (kind == 2) {
            laz_message_u64(again, laz_fields_u64(&fields));
        }
        if (kind == 3 || fields.failed) { /* a byte is always there */
            again->len = LAZ_MESSAGE_HEADER + (size_t)(before.at - message->fields);
            fields = before;
            laz_message_u8(again, laz_fields_u8(&fields));
        }
        require(!fields.failed && fields.at > before.at && fields.at <= fields.end);
    }
    require(laz_message_end(again));
}

/* from, to, descriptors, choice (4 bytes), and the message */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char memory[LAZ_MESSAGE_MAX];
    if (size < 7 || size - 7 > LAZ_MESSAGE_MAX) {
        return 0;
    }
    enum laz_role from = (enum laz_role)(data[0] % LAZ_ROLE_COUNT);
    enum laz_role to = (enum laz_role)(data[1] % LAZ_ROLE_COUNT);
    size_t n_fds = data[2] % 4;
    uint32_t choice = 0;
    (void)memcpy(&choice, data + 3, sizeof(choice));
    size_t length = size - 7;
    uint8_t *bytes = exact_copy(data + 7, length);
    struct laz_message message;
    struct laz_err err = {0};
    if (laz_message_parse(bytes, length, n_fds, (struct laz_route){from, to}, &message, &err) ==
            0) {
        struct laz_buf again;
        require(message.type < LAZ_MESSAGE_COUNT &&
                (catalogue[message.type].from >> from & 1) != 0 &&
                (catalogue[message.type].to >> to & 1) != 0 &&
                catalogue[message.type].n_fds == n_fds);
        require(message.fields == bytes + LAZ_MESSAGE_HEADER &&
                message.length == length - LAZ_MESSAGE_HEADER);
        laz_buf_init_fixed(&again, memory, sizeof(memory));
        copy_fields(&message, choice, &again);
        require(again.len == length && memcmp(again.data, bytes, length) == 0);
    } else {
        require(err.kind == LAZ_E_INTERNAL && err.message[0] != '\0');
    }
    free(bytes);
    return 0;
}
