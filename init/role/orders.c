/* SPDX-License-Identifier: Apache-2.0
 *
 * A helper's channel. What the catalogue does not allow ends the helper, whoever sent it.
 */
#include "init/role/orders.h"

#include <poll.h>
#include <unistd.h>

#include "policy/fetch.h"
#include "policy/health.h"
#include "policy/sense.h"
#include "policy/ship.h"
#include "policy/tunnel.h"

_Static_assert(LAZ_SENSE_MAX <= LAZ_SHIP_MAX && LAZ_FETCH_MAX <= LAZ_SHIP_MAX &&
                LAZ_TUNNEL_MAX <= LAZ_SHIP_MAX && LAZ_HEALTH_MAX <= LAZ_SHIP_MAX,
        "the longest order is a section");

void laz_role_say(int chan, struct laz_buf *message)
{
    struct laz_err ignored = {0};
    if (laz_message_end(message)) {
        laz_ignore(laz_chan_send(chan, message, NULL, 0, &ignored));
    }
}

void laz_role_say_only(int chan, enum laz_message_type type)
{
    char memory[64];
    struct laz_buf message;
    laz_buf_init_fixed(&message, memory, sizeof(memory));
    laz_message_begin(&message, type);
    laz_role_say(chan, &message);
}

void laz_role_say_ready(int chan, enum laz_fips_state fips)
{
    char memory[64];
    struct laz_buf message;
    laz_buf_init_fixed(&message, memory, sizeof(memory));
    laz_message_begin(&message, LAZ_MESSAGE_READY);
    laz_message_u8(&message, (uint8_t)fips);
    laz_role_say(chan, &message);
}

_Noreturn void laz_role_fail(int chan, const struct laz_err *err)
{
    char memory[LAZ_ERR_MESSAGE_MAX + 64];
    struct laz_buf message;
    laz_buf_init_fixed(&message, memory, sizeof(memory));
    laz_message_begin(&message, LAZ_MESSAGE_FAILED);
    laz_message_u32(&message, (uint32_t)err->kind);
    laz_message_string(&message, err->message);
    laz_role_say(chan, &message);
    _exit(1);
}

bool laz_role_read_orders(const struct laz_role_ear *ear)
{
    for (;;) {
        uint8_t memory[LAZ_SHIP_MAX + LAZ_MESSAGE_HEADER];
        struct laz_message message;
        struct laz_err err = {0};
        switch (laz_chan_receive(ear->chan, (struct laz_route){LAZ_ROLE_INIT, ear->role}, memory,
                sizeof(memory), &message, &err)) {
        case LAZ_CHAN_MESSAGE:
            if (ear->take(ear->context, &message, &err) < 0) {
                laz_role_fail(ear->chan, &err);
            }
            break;
        case LAZ_CHAN_NOTHING:
            return true;
        case LAZ_CHAN_VIOLATION:
            laz_role_fail(ear->chan, &err);
        case LAZ_CHAN_CLOSED:
            return false;
        }
    }
}

void laz_role_await_orders(const struct laz_role_ear *ear, const bool *has_begun)
{
    while (!*has_begun) {
        struct pollfd world = {.fd = ear->chan, .events = POLLIN};
        (void)poll(&world, 1, -1);
        if (!laz_role_read_orders(ear)) {
            _exit(0);
        }
    }
}
