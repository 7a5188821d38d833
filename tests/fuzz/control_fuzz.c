/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a packet of the control socket, asked by anybody of PID 1, and answered by whoever
 * has its place to the command. What is taken borrows from inside the packet, is in range, and is
 * written again byte for byte.
 */
#include "ipc/control.h"

#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

#define ROOM (4 * LAZ_CONTROL_PACKET_MAX) /* more than a packet: what is taken fits in any case */

struct bytes {
    const char *start;
    size_t length;
};

static void check_text(struct bytes packet, const char *text)
{
    require(text >= packet.start && text < packet.start + packet.length);
    size_t rest = packet.length - (size_t)(text - packet.start);
    require(strnlen(text, rest) < rest);
}

static void check_again(struct bytes packet, const struct laz_buf *again)
{
    require(!again->overflow && again->len == packet.length &&
            memcmp(again->data, packet.start, packet.length) == 0);
}

static bool check_request(struct bytes packet, struct laz_buf *again)
{
    enum laz_control_verb verb = LAZ_CONTROL_VERB_COUNT;
    const char *name = NULL;
    if (!laz_control_take_request(packet.start, packet.length, &verb, &name)) {
        require(verb == LAZ_CONTROL_VERB_COUNT && name == NULL);
        return false;
    }
    require(verb < LAZ_CONTROL_VERB_COUNT);
    check_text(packet, name);
    require(strlen(name) <= LAZ_CONTROL_NAME_MAX);
    laz_control_put_request(again, verb, name);
    check_again(packet, again);
    return true;
}

static void check_item(
        struct bytes packet, const struct laz_control_item *item, struct laz_buf *again)
{
    const char *const texts[] = {item->name, item->version, item->fingerprint, item->why};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        check_text(packet, texts[i]);
    }
    require(item->state < LAZ_CONTROL_STATE_COUNT);
    require(strcmp(laz_control_state_name(item->state), "?") != 0);
    laz_control_put_item(again, item);
    check_again(packet, again);
}

static bool check_answer(struct bytes packet, struct laz_buf *again)
{
    struct laz_control_item item = {0};
    enum laz_control_result result = LAZ_CONTROL_RESULT_COUNT;
    switch (laz_control_take_answer(packet.start, packet.length, &item, &result)) {
    case LAZ_CONTROL_NOTHING:
        return false;
    case LAZ_CONTROL_ITEM:
        check_item(packet, &item, again);
        return true;
    case LAZ_CONTROL_END:
        require(result < LAZ_CONTROL_RESULT_COUNT);
        require(strcmp(laz_control_result_text(result), "?") != 0);
        laz_control_put_end(again, result);
        check_again(packet, again);
        return true;
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char memory[ROOM];
    if (size > LAZ_CONTROL_PACKET_MAX) {
        return 0;
    }
    char *copy = exact_copy(data, size);
    const struct bytes packet = {.start = copy, .length = size};
    struct laz_buf again;
    laz_buf_init_fixed(&again, memory, sizeof(memory));
    bool is_request = check_request(packet, &again);
    bool is_answer = check_answer(packet, &again);
    require(!is_request || !is_answer); /* nobody takes what the other side says */
    free(copy);
    return 0;
}
