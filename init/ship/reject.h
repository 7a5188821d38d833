/* SPDX-License-Identifier: Apache-2.0
 *
 * What a sink rejects, as records of the trail: few, with counts. Part of the role `ship`.
 */
#ifndef LAZ_INIT_SHIP_REJECT_H
#define LAZ_INIT_SHIP_REJECT_H

#include <event2/event.h>

#include "core/err.h"

struct laz_feed;
struct laz_ship;

#define LAZ_REJECT_INTERVAL_NS UINT64_C(10000000000)
/* Remembered while they may be rejected; one that is older than so many others is told of once. */
#define LAZ_REJECT_OWN_MAX 16

struct laz_rejects {
    struct event *timer;
    uint64_t told_ns; /* when the last record was made; 0: none was */
    bool is_due;      /* something is to be told when the interval is over */
    size_t n_own;
    uint64_t own[LAZ_REJECT_OWN_MAX]; /* tickets of records that tell of this sink's rejections */
    char why[LAZ_ERR_MESSAGE_MAX];    /* of the last one */
    char start_why[LAZ_ERR_MESSAGE_MAX]; /* it has rejected a record of the start; "": it has not */
};

LAZ_MUST_CHECK int laz_ship_rejects_open(struct laz_feed *feed, struct laz_err *err);
/* A record that tells of this sink's rejections was offered to it. */
void laz_ship_rejects_offered(struct laz_feed *feed, uint64_t ticket);
void laz_ship_rejects_add(struct laz_feed *feed, uint64_t ticket, const char *why);
/* With `durability: acked`, of a required sink: has it rejected one of the first records, up to
 * that of the start, in this process or in one before it? Then it never has the start. */
bool laz_ship_rejects_start(const struct laz_feed *feed);
/* At the end: whatever no record has told yet. */
void laz_ship_rejects_tell(struct laz_ship *ship);

#endif
