/* SPDX-License-Identifier: Apache-2.0
 *
 * What init and sense say, from their rings into the chain. Each may say its own events and nobody
 * else's; nothing of it is believed beyond its form.
 */
#include "init/ship/events.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "audit/trail.h"
#include "core/json_read.h"
#include "core/record.h"
#include "init/ship/ship.h"
#include "sense/events.h"

#define JSON_NODES 512 /* a record of 4096 bytes with lists has fewer */

static bool make_event(struct laz_ship *ship, const char *line, size_t length)
{
    static const char start[] = "{\"lz\":1,\"ev\":\"init.start\"";
    struct laz_ship_ledger *ledger = &ship->ledger;
    const struct laz_bytes said = {.at = line, .length = length};
    struct laz_err err = {0};
    ship->hidden.masked.len = 0;
    if (laz_ship_mask(ledger->redactor, LAZ_SHIP_RECORD, &said, &ship->hidden.masked)) {
        line = ship->hidden.masked.data;
        length = ship->hidden.masked.len;
    }
    if (laz_chain_adopt(ledger->chain, line, length, &ledger->batch, &err) < 0) {
        if (err.kind != LAZ_E_MEMORY) { /* no room: later */
            laz_ship_fail(ship, &err);  /* it is still in its ring: the successor tries it */
        }
        return false;
    }
    laz_ship_count_event(ship, line, length);
    ledger->has_start = ledger->has_start ||
            (length > sizeof(start) && memcmp(line, start, sizeof(start) - 1) == 0);
    ledger->batch_urgent = true;
    return true;
}

/* A record whose name sense may use, which the chain can take over, and whose form leaves no two
 * ways to read it: one object without a key twice, `d` its last member, no byte that is no text.
 * Taken over, sense still neither speaks for init nor ends the run with a line that is none. */
static bool is_senses(const char *line, size_t length)
{
    static const char start[] = "{\"lz\":1,\"ev\":\"";
    const size_t skip = sizeof(start) - 1;
    struct laz_json_node nodes[JSON_NODES];
    const struct laz_json_room room = {.nodes = nodes, .max = JSON_NODES, .kind = LAZ_E_SENSE};
    struct laz_json_doc doc;
    struct laz_err ignored = {0};
    if (length >= LAZ_RECORD_MAX || length <= skip || memcmp(line, start, skip) != 0 ||
            memchr(line, 0x7f, length) != NULL ||
            !laz_trail_is_unchained((struct laz_span){.at = line, .length = length}) ||
            laz_json_read(line, length, &room, &doc, &ignored) < 0) {
        return false;
    }
    const char *end = memchr(line + skip, '"', length - skip);
    const struct laz_json_node *d = laz_json_member(&doc, laz_json_root(&doc), "d");
    return end != NULL && d != NULL && laz_json_next(&doc, laz_json_root(&doc), d) == NULL &&
            laz_sense_event_find(line + skip, (size_t)(end - line) - skip) != NULL;
}

static bool may_say(const struct laz_ship_stream *stream, const char *line, size_t length)
{
    return stream->id == LAZ_STREAM_EVENTS || is_senses(line, length);
}

void laz_ship_events_make(struct laz_ship *ship, enum laz_stream id)
{
    struct laz_ship_stream *stream = &ship->streams[id];
    size_t length = 0;
    const char *window = laz_ship_stream_window(stream, &length);
    while (length > 0 && ship->ledger.batch.len < LAZ_SHIP_BATCH) {
        const char *feed = memchr(window, '\n', length);
        size_t line = feed == NULL ? length : (size_t)(feed - window);
        bool is_cut = feed == NULL && line < LAZ_RECORD_MAX;
        if (is_cut && stream->until != LAZ_LINES_END) {
            break; /* the rest may come */
        }
        if (is_cut || !may_say(stream, window, line)) {
            ship->ledger.refused++; /* and the loop says so, when it is back */
        } else if (!make_event(ship, window, line)) {
            break;
        }
        line += feed == NULL ? 0 : 1;
        stream->framed += line;
        window += line;
        length -= line;
    }
}

void laz_ship_events_tell_refused(struct laz_ship *ship)
{
    char members[64];
    uint64_t refused = ship->ledger.refused;
    if (refused == 0) {
        return;
    }
    ship->ledger.refused = 0;
    (void)snprintf(members, sizeof(members), "\"count\":%" PRIu64, refused);
    laz_ship_note(ship, "helper.refused", 8, "sense", "dropped", members);
}
