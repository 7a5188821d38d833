/* SPDX-License-Identifier: Apache-2.0
 *
 * What outlives a `ship` that crashes: memory that init holds for it and never looks into. Written
 * by one ship at a time.
 *
 * Each stream has a ring, a file in memory that ship fills with splice(2) from the stream's pipe.
 * The kernel moves the file's position with the bytes, both or neither, so a successor reads off
 * it how much had been taken, whenever its predecessor was killed.
 */
#ifndef LAZ_INIT_SHIP_STATE_H
#define LAZ_INIT_SHIP_STATE_H

#include "ipc/msg.h"

#define LAZ_RING_SIZE        1048576 /* bytes; a power of two, and of whole pages */
#define LAZ_SHIP_STATE_SIZE  4096
#define LAZ_SHIP_STATE_MAGIC UINT64_C(0x31706968737a616c) /* "lazship1" */
#define LAZ_SHIP_SAVED_MAX   192
#define LAZ_SHIP_CURSORS     8
#define LAZ_SHIP_ECS_SIZE    2048

/* What is known of the task; it counts for the whole run. */
enum laz_ship_ecs {
    LAZ_SHIP_ECS_UNASKED,
    LAZ_SHIP_ECS_ASKED, /* and nobody answered, yet or at all */
    LAZ_SHIP_ECS_KNOWN,
};

/* What init's records say of the container. */
enum laz_ship_readiness {
    LAZ_SHIP_IS_UNKNOWN,
    LAZ_SHIP_IS_NOT_READY,
    LAZ_SHIP_IS_READY,
};

/* How the chain stood when `block` was appended to the spool. Two of them, by turns, while a block
 * is being appended: the one that agrees with the spool's last block counts. The other one is wiped
 * as soon as that is known: its private key may be one that has signed for the last time. */
struct laz_ship_slot {
    uint64_t block;
    uint64_t is_final; /* the chain is closed */
    uint8_t chain[LAZ_SHIP_SAVED_MAX];
};

/* Lines that found no room. Two by turns, so that one is always whole. */
struct laz_ship_dropped {
    uint64_t generation; /* goes up when a gap record says it */
    uint64_t count;
    uint64_t bytes;
    uint64_t recorded[LAZ_STREAM_COUNT]; /* up to where the streams are done with */
    uint64_t places[LAZ_STREAM_COUNT];   /* of their lines there */
};

struct laz_ship_state {
    uint64_t magic;    /* 0: nothing has been written */
    uint8_t chain[16]; /* its identity */
    uint8_t key[32];   /* of the spool's segments */
    struct laz_ship_slot slots[2];
    uint64_t dropped_at; /* which of the two counts */
    struct laz_ship_dropped dropped[2];
    uint64_t wraps[LAZ_STREAM_COUNT];    /* how often each ring has begun anew */
    uint64_t wrapping[LAZ_STREAM_COUNT]; /* 1 while that is under way */
    uint64_t unpassed[LAZ_STREAM_COUNT]; /* bytes that were not, ever */
    uint64_t notes;                      /* records of ship's own, ever: made, or about to be */
    uint64_t cursors[LAZ_SHIP_CURSORS];  /* of each sink: segment, offset; 0: not yet */
    uint64_t start_at; /* where in the spool the record of the start is: segment, offset; 0: not yet
                        */
    uint64_t passed[LAZ_STREAM_COUNT];   /* bytes that were passed through */
    uint64_t rejected[LAZ_SHIP_CURSORS]; /* records of each sink, that no record has told yet */
    uint64_t ecs;                        /* enum laz_ship_ecs */
    uint64_t readiness;                  /* enum laz_ship_readiness */
    uint64_t drain_ms;                   /* 0: there was none, or none has ended */
    uint64_t ecs_told;                   /* 1: a record has it, or was about to */
    uint64_t ecs_facts[LAZ_SHIP_ECS_SIZE / sizeof(uint64_t)]; /* struct laz_ecs_facts */
    uint64_t refused_start; /* a bit for each sink: of what the gate waits for it has not all */
};

_Static_assert(sizeof(struct laz_ship_state) <= LAZ_SHIP_STATE_SIZE, "the state fits its file");

#endif
