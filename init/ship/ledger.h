/* SPDX-License-Identifier: Apache-2.0
 *
 * From bytes to records, chain and spool: what is written down.
 */
#ifndef LAZ_INIT_SHIP_LEDGER_H
#define LAZ_INIT_SHIP_LEDGER_H

#include <event2/event.h>

#include "audit/chain.h"
#include "audit/spool.h"
#include "init/ship/state.h"

struct laz_ship;

struct laz_ship_ledger {
    struct laz_chain *chain;
    struct laz_spool *spool;
    struct laz_redactor *redactor;
    struct laz_buf batch;   /* records that are not in the spool yet */
    struct laz_buf members; /* of the record that is being made */
    struct laz_buf hot;     /* the block that was appended last: most sinks are that far */
    struct laz_spool_at hot_at;
    struct laz_spool_at hot_next;
    uint64_t batch_first; /* `seq` of its first record */
    uint64_t block;       /* number of the last block in the spool */
    bool batch_urgent;    /* holds more than lines of the workload */
    bool is_stuck;    /* the spool does not take the batch: nothing more is made until it does */
    bool is_final;    /* the final record is in the spool */
    bool has_start;   /* the batch has the record of the start */
    uint64_t refused; /* lines of a helper that it may not say */
    uint64_t told[LAZ_STREAM_COUNT]; /* how many of the bytes that were not passed */
    uint64_t dropped_count;
    uint64_t dropped_bytes;
    uint64_t dropped_lines_ever; /* since this process began */
    uint64_t dropped_bytes_ever;
    uint64_t generation;
    uint64_t full_ns;   /* since when there is no room; 0: there is */
    struct event *tick; /* checkpoints */
    struct event *sync;
    struct event *soon;  /* something has been noted */
    struct event *again; /* after a failure of the spool */
    uint64_t stuck_ns;   /* since when it is stuck; 0: it is not */
    bool sheds;          /* stuck for so long that lines are dropped; the batch holds none */
    bool sync_due;
    bool sync_fails;
    uint64_t cursors_ns; /* when they were saved */
};

LAZ_MUST_CHECK int laz_ship_ledger_begin(struct laz_ship *ship, struct laz_err *err);
/* Make records of all that is there, and append them. */
void laz_ship_ledger_turn(struct laz_ship *ship);
/* Of what all sinks have had nothing is kept. */
void laz_ship_ledger_release(struct laz_ship *ship);
/* Gap, checkpoint, final record: true once they are in the spool and synced. */
bool laz_ship_ledger_finish(struct laz_ship *ship);

#endif
