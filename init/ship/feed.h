/* SPDX-License-Identifier: Apache-2.0
 *
 * One sink, and what of the spool it has been told.
 */
#ifndef LAZ_INIT_SHIP_FEED_H
#define LAZ_INIT_SHIP_FEED_H

#include "audit/chain.h"
#include "audit/packed.h"
#include "audit/spool.h"
#include "init/ship/reject.h"
#include "sink/sink.h"

struct laz_ship;

#define LAZ_FEED_BLOCKS_MAX 64 /* of the spool, that a sink has taken and not acknowledged */

struct laz_feed_block {
    struct laz_spool_at at;
    struct laz_spool_at next;
    uint64_t first_ticket;
    uint64_t n;     /* records of it that the sink takes */
    bool has_place; /* a chained record is in it */
    uint64_t seq;
    uint8_t h[LAZ_SHA256_SIZE];
};

struct laz_feed {
    struct laz_ship *ship;
    const struct laz_ship_sink *config;
    struct laz_sink *sink;
    struct laz_spool_at next; /* the block after the one in `text` */
    struct laz_buf text;      /* the block that is being offered */
    size_t at;                /* how far in it */
    struct laz_unpacker unpacker;
    uint64_t ticket; /* of the last record that was taken */
    uint64_t arrived;
    uint64_t arrived_ns; /* when; 0: nothing has, in this process */
    size_t n_blocks;     /* in flight, the last one being offered */
    struct laz_feed_block blocks[LAZ_FEED_BLOCKS_MAX];
    struct laz_spool_at cursor; /* everything before has arrived */
    bool wants;
    bool has_wanted; /* it has been up */
    bool is_down;
    char why[LAZ_ERR_MESSAGE_MAX]; /* what is wrong with it; "": nothing */
    struct laz_anchor anchor;
    bool has_anchor;
    uint64_t rejected;
    struct laz_rejects rejects;
    int fd;
    int folder;               /* of a file sink's file */
    struct laz_tls_files tls; /* until the sink is open */
};

/* Open its file and its certificates, and look into none: while the process may still do that. */
LAZ_MUST_CHECK int laz_ship_feed_files(
        struct laz_ship *ship, const struct laz_ship_sink *config, struct laz_err *err);
LAZ_MUST_CHECK int laz_ship_feed_open(struct laz_feed *feed, struct laz_err *err);
/* The spool is there: where it was. */
void laz_ship_feed_begin(struct laz_feed *feed);
/* There is more in the spool. */
void laz_ship_feed_turn(struct laz_feed *feed);
/* Has it everything? */
bool laz_ship_feed_is_done(const struct laz_feed *feed);
void laz_ship_feed_save(struct laz_feed *feed);
/* Tell init which sink is down, if one is: its messages are all that some people have. */
void laz_ship_tell_trouble(struct laz_ship *ship);
/* At the end: or has not got everything. */
void laz_ship_tell_behind(struct laz_ship *ship);

#endif
