/* SPDX-License-Identifier: Apache-2.0
 *
 * What tunnel says to init, which makes records of it. Never more than a record for each reason of
 * each entry in a while: what comes meanwhile is counted.
 */
#include <string.h>
#include <time.h>

#include "init/tunnel/tunnel.h"

#define NS_PER_S UINT64_C(1000000000)
#define QUIET_NS (10 * NS_PER_S)
#define STAT_NS  (60 * NS_PER_S)
#define WORDS    1024 /* bytes of a message */

static const char *reason_name(enum laz_tunnel_reason reason)
{
    static const char *const words[] = {
#define X(id, word) word,
            LAZ_TUNNEL_REASONS(X)
#undef X
    };
    return words[reason];
}

uint64_t laz_tunnel_now_ns(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* An open connection that a client ends abruptly is an everyday thing where TLS comes in. */
static bool is_told(const struct laz_tunnel_port *port, enum laz_tunnel_reason reason)
{
    return reason != LAZ_TUNNEL_IS_IDLE &&
            (reason != LAZ_TUNNEL_IS_BROKEN || !port->entry->listens);
}

void laz_tunnel_tell_refused(struct laz_tunnel_port *port, enum laz_tunnel_reason reason,
        const char *peer, const char *why)
{
    struct laz_tunnel_tally *tally = &port->tally[reason];
    uint64_t now_ns = laz_tunnel_now_ns();
    char memory[WORDS];
    struct laz_buf message;
    bool was_open = reason == LAZ_TUNNEL_IS_BROKEN || reason == LAZ_TUNNEL_IS_IDLE;
    port->counts.broken += was_open ? 1 : 0;
    port->counts.refused += was_open ? 0 : 1;
    tally->n++;
    if (!is_told(port, reason) || now_ns < tally->quiet_until_ns) {
        return;
    }
    laz_buf_init_fixed(&message, memory, sizeof(memory));
    laz_message_begin(&message, LAZ_MESSAGE_REFUSED);
    laz_message_u32(&message, tally->n);
    laz_message_string(&message, port->entry->name);
    laz_message_string(&message, reason_name(reason));
    laz_message_string(&message, peer);
    laz_message_string(&message, why);
    laz_role_say(port->tunnel->ear.chan, &message);
    *tally = (struct laz_tunnel_tally){.quiet_until_ns = now_ns + QUIET_NS};
}

void laz_tunnel_tell_renewed(struct laz_tunnel *tunnel, uint32_t identity, const char *why)
{
    char memory[WORDS];
    struct laz_buf message;
    laz_buf_init_fixed(&message, memory, sizeof(memory));
    laz_message_begin(&message, LAZ_MESSAGE_RENEWED);
    laz_message_string(&message, tunnel->config.identities[identity]);
    laz_message_string(&message, why);
    laz_role_say(tunnel->ear.chan, &message);
}

static void tell_port(struct laz_tunnel_port *port)
{
    char memory[WORDS];
    struct laz_buf message;
    const struct laz_tunnel_counts *counts = &port->counts;
    const uint64_t numbers[] = {port->n_links, counts->opened, counts->refused, counts->broken,
            counts->bytes_up, counts->bytes_down};
    laz_buf_init_fixed(&message, memory, sizeof(memory));
    laz_message_begin(&message, LAZ_MESSAGE_COUNTED);
    laz_message_string(&message, port->entry->name);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        laz_message_u64(&message, numbers[i]);
    }
    laz_role_say(port->tunnel->ear.chan, &message);
    port->told = *counts;
    port->n_told = port->n_links;
}

void laz_tunnel_tell_counts(struct laz_tunnel *tunnel, bool all)
{
    uint64_t now_ns = laz_tunnel_now_ns();
    if (!all && now_ns < tunnel->stat_ns) {
        return;
    }
    tunnel->stat_ns = now_ns + STAT_NS;
    for (uint32_t i = 0; i < tunnel->config.n_entries; i++) {
        struct laz_tunnel_port *port = &tunnel->ports[i];
        if (port->n_links != port->n_told ||
                memcmp(&port->counts, &port->told, sizeof(port->told)) != 0) {
            tell_port(port);
        }
    }
}
