/* SPDX-License-Identifier: Apache-2.0
 *
 * The role `ship`, in one process: streams (what is said), ledger (what is written down), feeds
 * (who has been told). One event loop, one thread.
 */
#ifndef LAZ_INIT_SHIP_SHIP_H
#define LAZ_INIT_SHIP_SHIP_H

#include <event2/event.h>

#include "init/role/cloud.h"
#include "init/role/orders.h"
#include "init/ship/cloud.h"
#include "init/ship/feed.h"
#include "init/ship/gauges.h"
#include "init/ship/hide.h"
#include "init/ship/ledger.h"
#include "init/ship/meter.h"
#include "init/ship/state.h"
#include "init/ship/stream.h"

#define LAZ_SHIP_UID      65311 /* and gid: of the range that Debian reserves and gives to nobody */
#define LAZ_SHIP_PATH_MAX 4096  /* the kernel's PATH_MAX */
#define LAZ_SHIP_WORD_MAX 256   /* names of hosts and of policies */
#define LAZ_SHIP_BATCH    (512U << 10) /* bytes of records that become one block of the spool */
/* Who takes nothing for so long holds the workload no longer, unless the policy says so. */
#define LAZ_SHIP_PATIENCE_NS UINT64_C(500000000)
#define LAZ_SHIP_PIECE_MAX   4096 /* of what is passed through at once */

_Static_assert(2 * LAZ_SHIP_SINKS_MAX + 1 < LAZ_NARROW_PORTS_MAX, "each sink may have two ports");
_Static_assert(LAZ_SHIP_SINKS_MAX <= LAZ_SHIP_CURSORS, "each sink has a cursor");
_Static_assert(LAZ_SHIP_LINE_MIN >= LAZ_LINES_LEAST && LAZ_SHIP_LINE_MAX <= LAZ_LINES_MOST,
        "lines as the policy has them");

/* What init has told, before BEGIN. */
struct laz_ship_orders {
    uint8_t section[LAZ_SHIP_MAX];
    struct laz_ship_config config; /* points into it */
    bool has_config;
    char name[LAZ_SHIP_WORD_MAX];
    char policy_digest[65];
    char spool_dir[LAZ_SHIP_PATH_MAX];
    int state_fd;
    int pipes[LAZ_STREAM_COUNT]; /* -1: there is no such stream */
    int rings[LAZ_STREAM_COUNT];
    int outputs[LAZ_STREAM_COUNT];
    struct laz_role_variables variables;
    bool has_begun;
};

struct laz_ship {
    struct laz_role_ear ear;
    struct event_base *base;
    struct laz_ship_orders orders;
    struct laz_ship_state *state; /* mapped */
    int spool_dir;
    struct laz_ship_stream streams[LAZ_STREAM_COUNT];
    struct laz_ship_ledger ledger;
    size_t n_feeds;
    struct laz_feed feeds[LAZ_SHIP_SINKS_MAX];
    struct laz_chain_start start;
    char boot[40];
    char binary[65];
    char host[LAZ_SHIP_WORD_MAX];
    struct event *orders_event;
    bool acked_said;
    char trouble[LAZ_ERR_MESSAGE_MAX]; /* what init was told */
    bool is_finishing;
    bool gives_up; /* what finds no room now is dropped and counted */
    int exit_code;
    uint64_t finish_began_ns;
    uint64_t finish_deadline_ns;
    struct event *finish_timer;
    struct laz_aws_environment aws; /* points into the orders */
    struct laz_ship_hidden hidden;
    struct laz_ship_counts counts;
    char ecs_why[LAZ_ERR_MESSAGE_MAX]; /* "": the agent's answers were understood */
    struct laz_ship_gauges gauges;
    size_t n_meters;
    struct laz_ship_meter meters[LAZ_SHIP_SINKS_MAX];
};

uint64_t laz_ship_now_ns(void); /* CLOCK_BOOTTIME */
struct timespec laz_ship_wall(void);
/* An event record of ship's own: members as JSON without the braces. */
void laz_ship_note(struct laz_ship *ship, const char *ev, int severity, const char *obj,
        const char *act, const char *members);
/* One whose only member is a message; what is too long of it is left out as a whole. */
void laz_ship_note_message(struct laz_ship *ship, const char *ev, int severity, const char *obj,
        const char *act, const char *message);
/* A sink's clock is another than ours. */
void laz_ship_note_clock(struct laz_ship *ship, const char *sink, int64_t seconds);
/* Something has arrived somewhere: is it the start, or the end? */
void laz_ship_look(struct laz_ship *ship);
_Noreturn void laz_ship_fail(const struct laz_ship *ship, const struct laz_err *err);

/* The role itself; the channel is descriptor 3. */
_Noreturn void laz_role_ship(int chan);

#endif
