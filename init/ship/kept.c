/* SPDX-License-Identifier: Apache-2.0
 *
 * What a successor of this `ship` finds, in the words of the spool's last block and in the state
 * that init holds, and how it goes on from there. Both are written so that a kill between any two
 * lines leaves one of them whole.
 */
#include "init/ship/kept.h"

#include <stdio.h>

#include "audit/bytes.h"
#include "audit/crypto.h"

#define RECORDS_BYTES (4U << 20) /* a batch, and the largest record behind it */
#define MEMBERS_BYTES (2U << 20)

/* Words of a block: its number, the generation of what was dropped, where the record of the start
 * is, how many notes were made, what was told of stdout and stderr, and of each stream the offset
 * and the place of its lines. */
#define STREAM_WORDS ((size_t)6)
#define META_WORDS   (STREAM_WORDS + 2 * (size_t)LAZ_STREAM_COUNT)

_Static_assert(8 * META_WORDS <= LAZ_SPOOL_META_MAX, "the words fit a block");

static uint64_t word_of(const struct laz_lines_place *place)
{
    uint64_t before = (uint64_t)(uint8_t)place->before[0] << 8 | (uint8_t)place->before[1];
    return (uint64_t)place->part << 16 | before;
}

static struct laz_lines_place place_of(uint64_t word)
{
    return (struct laz_lines_place){.part = (uint32_t)(word >> 16),
            .before = {(char)(uint8_t)(word >> 8), (char)(uint8_t)word}};
}

size_t laz_ship_kept_words(const struct laz_ship *ship, uint8_t ret[LAZ_SPOOL_META_MAX])
{
    const struct laz_ship_ledger *ledger = &ship->ledger;
    struct laz_spool_at end = laz_spool_end(ledger->spool);
    uint64_t start_at = (uint64_t)end.segment << 32 | end.offset;
    uint8_t *at = laz_put_be(ret, ledger->block + 1, 8);
    at = laz_put_be(at, ledger->generation, 8);
    at = laz_put_be(at, ledger->has_start ? start_at : ship->state->start_at, 8);
    at = laz_put_be(at, ship->state->notes, 8);
    at = laz_put_be(at, ledger->told[LAZ_STREAM_STDOUT], 8);
    at = laz_put_be(at, ledger->told[LAZ_STREAM_STDERR], 8);
    for (size_t i = 0; i < LAZ_STREAM_COUNT; i++) {
        const struct laz_ship_stream *stream = &ship->streams[i];
        struct laz_lines_place place = {0};
        if (stream->lines != NULL) {
            laz_lines_place(stream->lines, &place);
        }
        at = laz_put_be(at, stream->framed, 8);
        at = laz_put_be(at, word_of(&place), 8);
    }
    return 8 * META_WORDS;
}

static const struct laz_ship_dropped *dropped_of(const struct laz_ship_state *state)
{
    return &state->dropped[state->dropped_at & 1];
}

/* Into the slot that does not count, and then it does: a kill leaves one of the two. */
void laz_ship_kept_save_dropped(struct laz_ship *ship)
{
    struct laz_ship_state *state = ship->state;
    uint64_t other = (state->dropped_at + 1) & 1;
    struct laz_ship_dropped *slot = &state->dropped[other];
    slot->generation = ship->ledger.generation;
    slot->count = ship->ledger.dropped_count;
    slot->bytes = ship->ledger.dropped_bytes;
    for (size_t i = 0; i < LAZ_STREAM_COUNT; i++) {
        slot->recorded[i] = ship->streams[i].recorded;
        slot->places[i] = word_of(&ship->streams[i].place);
    }
    __atomic_store_n(&state->dropped_at, other, __ATOMIC_RELEASE);
}

int laz_ship_kept_save_slot(struct laz_ship *ship, struct laz_err *err)
{
    struct laz_ship_ledger *ledger = &ship->ledger;
    struct laz_ship_slot *slot = &ship->state->slots[(ledger->block + 1) & 1];
    slot->block = 0; /* not a slot, while it is written */
    if (laz_chain_save(ledger->chain, slot->chain, err) < 0) {
        return -1;
    }
    slot->is_final = ledger->is_final;
    __atomic_store_n(&slot->block, ledger->block + 1, __ATOMIC_RELEASE);
    return 0;
}

void laz_ship_kept_forget_slot(struct laz_ship *ship)
{
    struct laz_ship_slot *other = &ship->state->slots[(ship->ledger.block + 1) & 1];
    __atomic_store_n(&other->block, 0, __ATOMIC_RELEASE); /* not a slot, from here on */
    explicit_bzero(other, sizeof(*other));
}

bool laz_ship_kept_find_slot(
        struct laz_ship *ship, const struct laz_ship_slot **ret, uint64_t *ret_unsaid)
{
    uint8_t meta[LAZ_SPOOL_META_MAX];
    struct laz_ship_ledger *ledger = &ship->ledger;
    if (laz_spool_tail(ledger->spool, meta) != 8 * META_WORDS) {
        return false;
    }
    ledger->block = laz_get_be(meta, 8);
    const struct laz_ship_dropped *dropped = dropped_of(ship->state);
    ledger->generation = laz_get_be(meta + 8, 8);
    if (ship->state->start_at == 0) { /* killed before it was noted there */
        ship->state->start_at = laz_get_be(meta + 16, 8);
    }
    ledger->told[LAZ_STREAM_STDOUT] = laz_get_be(meta + 32, 8);
    ledger->told[LAZ_STREAM_STDERR] = laz_get_be(meta + 40, 8);
    *ret_unsaid = ship->state->notes - laz_get_be(meta + 24, 8);
    bool is_said = dropped->generation < ledger->generation;
    ledger->dropped_count = is_said ? 0 : dropped->count;
    ledger->dropped_bytes = is_said ? 0 : dropped->bytes;
    for (size_t i = 0; i < LAZ_STREAM_COUNT; i++) {
        struct laz_ship_stream *stream = &ship->streams[i];
        const uint8_t *words = meta + 8 * (STREAM_WORDS + 2 * i);
        uint64_t recorded = laz_get_be(words, 8);
        uint64_t later = dropped->recorded[i];
        bool is_later = later > recorded;
        stream->recorded = stream->framed = is_later ? later : recorded;
        stream->place = place_of(is_later ? dropped->places[i] : laz_get_be(words + 8, 8));
    }
    *ret = &ship->state->slots[ledger->block & 1];
    return (*ret)->block == ledger->block;
}

/* Of ship's own, which nobody makes again. This one is not counted: where it is lost too, the next
 * block is said to have had as many before it, and it is made again. */
void laz_ship_kept_tell_unsaid(struct laz_ship *ship, uint64_t unsaid)
{
    char members[48];
    if (unsaid > 0) {
        (void)snprintf(members, sizeof(members), "\"lost\":%llu", (unsigned long long)unsaid);
        laz_ship_note(ship, "events.gap", 6, "notes", "lost", members);
        ship->state->notes--;
    }
}

/* ---- opening ---- */

static void tell_left(struct laz_ship *ship, uint32_t segments, uint64_t bytes, const char *act)
{
    char members[96];
    if (segments > 0) {
        (void)snprintf(members, sizeof(members), "\"segments\":%u,\"bytes\":%llu", segments,
                (unsigned long long)bytes);
        laz_ship_note(
                ship, "spool.left", strcmp(act, "shipped") == 0 ? 2 : 7, "spool", act, members);
    }
}

/* The first of a run: its chain begins, and says what an earlier run has left. */
static int open_new(struct laz_ship *ship, const struct laz_spool_left *left, struct laz_err *err)
{
    struct laz_ship_ledger *ledger = &ship->ledger;
    uint64_t unsaid = ship->state->notes; /* of one who did not come to a first block */
    ship->start.when = laz_ship_wall();
    ship->start.before = left->has_place ? &left->place : NULL;
    ledger->batch_urgent = true;
    if (laz_chain_open(&ship->start, &ledger->chain, &ledger->batch, err) < 0) {
        return -1;
    }
    laz_ship_kept_tell_unsaid(ship, unsaid);
    tell_left(ship, left->segments, left->bytes, left->readable ? "shipped" : "kept");
    tell_left(ship, left->gone_segments, left->gone_bytes, "dropped");
    return 0;
}

/* A name and a key of its own for each run; a successor finds them. */
static int draw_names(struct laz_ship_state *state, struct laz_err *err)
{
    if (state->magic == LAZ_SHIP_STATE_MAGIC) {
        return 0;
    }
    if (laz_crypto_random(state->key, sizeof(state->key), err) < 0 ||
            laz_crypto_random(state->chain, sizeof(state->chain), err) < 0) {
        return -1;
    }
    __atomic_store_n(&state->magic, LAZ_SHIP_STATE_MAGIC, __ATOMIC_RELEASE);
    return 0;
}

static int open_spool(struct laz_ship *ship, const struct laz_ship_keys *keys,
        struct laz_spool_left *ret_left, struct laz_err *err)
{
    const struct laz_ship_config *config = &ship->orders.config;
    struct laz_spool_options options = {
            .dir = ship->spool_dir,
            .max_bytes = config->spool_max_bytes,
            .segment_bytes = config->spool_segment_bytes,
            .reserve_bytes = config->spool_segment_bytes,
            .n_seal_to = config->n_seal_to,
            .seal_files = config->seal_to,
            .seal_to = keys->seal_to,
            .open_with = keys->open_with,
    };
    (void)memcpy(options.chain, ship->state->chain, sizeof(options.chain));
    (void)memcpy(options.key, ship->state->key, sizeof(options.key));
    int result = laz_spool_open(&options, &ship->ledger.spool, ret_left, err);
    explicit_bzero(options.key, sizeof(options.key));
    return result;
}

int laz_ship_ledger_open(
        struct laz_ship *ship, const struct laz_ship_keys *keys, struct laz_err *err)
{
    struct laz_ship_ledger *ledger = &ship->ledger;
    const struct laz_ship_config *config = &ship->orders.config;
    const struct laz_redactor_options redactions = {.patterns = config->redact,
            .mrn = config->mrn,
            .n_literals = config->n_literals,
            .literals = config->literals};
    struct laz_spool_left left = {0};
    const struct laz_ship_slot *slot = NULL;
    uint64_t unsaid = 0;
    laz_buf_init_heap(&ledger->batch, RECORDS_BYTES);
    laz_buf_init_heap(&ledger->hot, RECORDS_BYTES);
    laz_buf_init_heap(&ledger->members, MEMBERS_BYTES);
    laz_buf_init_heap(&ship->hidden.masked, MEMBERS_BYTES);
    if (draw_names(ship->state, err) < 0 || open_spool(ship, keys, &left, err) < 0 ||
            laz_redactor_new(&redactions, &ledger->redactor, err) < 0 ||
            laz_ship_hide(ship, err) < 0) {
        return -1;
    }
    ship->start.id = ship->state->chain;
    if (!laz_ship_kept_find_slot(ship, &slot, &unsaid)) {
        return ledger->block == 0 ? open_new(ship, &left, err)
                                  : laz_err_set(err, LAZ_E_INTERNAL, 0,
                                            "the spool and what its writer left do not agree");
    }
    ledger->is_final = slot->is_final != 0;
    if (laz_chain_resume(&ship->start, slot->chain, &ledger->chain, err) < 0) {
        return -1;
    }
    laz_ship_kept_forget_slot(ship); /* a predecessor was killed before it could */
    ledger->batch_first = laz_chain_next(ledger->chain);
    laz_ship_kept_tell_unsaid(ship, unsaid);
    return 0;
}
