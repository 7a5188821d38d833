/* SPDX-License-Identifier: Apache-2.0
 *
 * When which secret is asked for again, and which has become too old. Pure: no system call, no
 * clock, no memory but its own, so that a test can let days pass. Knows nothing of values. libc
 * only.
 */
#ifndef LAZ_INIT_PID1_ROTATION_H
#define LAZ_INIT_PID1_ROTATION_H

#include "policy/image.h"

/* Who is due within this of one that is, is asked for with it. */
#define LAZ_ROTATION_TOGETHER_MS 1000

/* After `fetch` has had all its time, for it to say which item it was. */
#define LAZ_SECRETS_SLACK_MS 2000

/* Items of one group are one here: the first of them has the times of all. */
struct laz_rotation_item {
    uint32_t members; /* of its group, a bit for each, itself included; 0: it is not the first */
    uint32_t first;   /* of its group */
    bool is_renewed;
    bool is_timed; /* its source says when: it expires, and is never stale */
    bool is_asked; /* in what is under way */
    bool is_stale;
    bool is_expired;
    unsigned failures;   /* in a row */
    uint64_t due_ns;     /* when it is asked for next */
    uint64_t asked_ns;   /* when it was last */
    uint64_t good_ns;    /* when its source last confirmed it */
    uint64_t expires_ns; /* 0: it does not */
    uint64_t expires;    /* the same, in seconds of Unix time */
    uint64_t renew;      /* likewise, what due_ns is by; 0: it is by the interval, or by somebody */
};

struct laz_rotation {
    const struct laz_image *image; /* borrowed; NULL: nothing is renewed */
    uint64_t random;               /* where the sequence of them stands */
    bool is_over;                  /* nobody is asked any more */
    bool has_times;                /* the wall clock counts, too */
    uint32_t asked;                /* what is under way; 0: nothing */
    uint64_t until_ns;             /* and until when */
    struct laz_rotation_item items[LAZ_IMAGE_FETCHED_MAX];
};

/* What a source has said about an item's times: seconds of Unix time, 0 where it has said nothing.
 */
struct laz_rotation_said {
    uint64_t renew;
    uint64_t expires;
    uint64_t now; /* the same clock, now */
};

/* All have just been fetched; what was said of each follows by laz_rotation_told. `seed` makes the
 * waits of one container others than its neighbour's. From here on `item` may be any of a group,
 * and what came of a group is said once.
 */
void laz_rotation_begin(struct laz_rotation *rotation, const struct laz_image *image, uint64_t seed,
        uint64_t now_ns);

/* What is planned of an item. */
const struct laz_rotation_item *laz_rotation_at(const struct laz_rotation *rotation, uint32_t item);

/* What its source says of an item's times. */
void laz_rotation_told(struct laz_rotation *rotation, uint32_t number,
        const struct laz_rotation_said *said, uint64_t now_ns);

/* When something is to be done at the latest; 0: never. */
uint64_t laz_rotation_due_ns(const struct laz_rotation *rotation);
/* The items to ask for now, a bit for each: those that are due, or one that has failed before, by
 * itself; 0: none, or some are under way. What it returns is under way, for laz_rotation_patience.
 */
uint32_t laz_rotation_take(struct laz_rotation *rotation, uint64_t now_ns);
/* How long the answer may take. */
uint32_t laz_rotation_patience_ms(const struct laz_rotation *rotation);
/* One that has failed before is under way, and others are due: it has to make room. */
bool laz_rotation_yields(const struct laz_rotation *rotation, uint64_t now_ns);

/* What came of one that was asked for. */
void laz_rotation_good(struct laz_rotation *rotation, uint32_t number,
        const struct laz_rotation_said *said, uint64_t now_ns);
void laz_rotation_failed(struct laz_rotation *rotation, uint32_t item, uint64_t now_ns);
/* It had to make room: it is asked for again, and has not failed. */
void laz_rotation_put_off(struct laz_rotation *rotation, uint32_t item, uint64_t now_ns);
/* What came of it last was taken back, or would be again, and `said` is of what was before: a CA is
 * asked again after half of what is left of that, every other source at its interval. */
void laz_rotation_back(struct laz_rotation *rotation, uint32_t number,
        const struct laz_rotation_said *said, uint64_t now_ns);
/* Nothing is under way any more. */
void laz_rotation_settled(struct laz_rotation *rotation);

/* Items that have become stale, or have expired, and were not said to be; a bit for each, and for a
 * group that of its first. */
uint32_t laz_rotation_stale(struct laz_rotation *rotation, uint64_t now_ns);
uint32_t laz_rotation_expired(struct laz_rotation *rotation, uint64_t now_ns);

/* The wall clock says `now`, and may have been set since a time of it was planned: what its sources
 * said is planned by it again. Those that had expired and have not, a bit for each, likewise. */
uint32_t laz_rotation_look(struct laz_rotation *rotation, uint64_t now, uint64_t now_ns);

/* Somebody wants it now: as soon as min-interval lets it. */
void laz_rotation_want(struct laz_rotation *rotation, uint32_t number, uint64_t now_ns);

#endif
