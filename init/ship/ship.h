/* SPDX-License-Identifier: Apache-2.0
 *
 * The role `ship`, in one process: streams (what is said), ledger (what is written down), feeds
 * (who has been told). One event loop, one thread.
 */
#ifndef LAZ_INIT_SHIP_SHIP_H
#define LAZ_INIT_SHIP_SHIP_H

#include <event2/event.h>

#include "audit/chain.h"
#include "audit/packed.h"
#include "audit/spool.h"
#include "init/role/cloud.h"
#include "init/role/orders.h"
#include "init/ship/cloud.h"
#include "init/ship/meter.h"
#include "init/ship/reject.h"
#include "init/ship/state.h"
#include "log/lines.h"
#include "sink/sink.h"

#define LAZ_SHIP_UID      65311 /* and gid: of the range that Debian reserves and gives to nobody */
#define LAZ_SHIP_PATH_MAX 4096  /* the kernel's PATH_MAX */
#define LAZ_SHIP_WORD_MAX 256   /* names of hosts and of policies */
#define LAZ_SHIP_BATCH    (512U << 10) /* bytes of records that become one block of the spool */
/* A reader that takes nothing for so long holds the workload no longer, unless the policy says so.
 */
#define LAZ_SHIP_PATIENCE_NS UINT64_C(500000000)
#define LAZ_SHIP_PIECE_MAX   4096 /* of what is passed through at once */

_Static_assert(2 * LAZ_SHIP_SINKS_MAX < LAZ_NARROW_PORTS_MAX, "each sink may have two ports");
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

struct laz_ship;

/* ---- role_ship_stream.c: from a pipe, through its ring ---- */

/* Offsets count the stream's bytes from its beginning. Invariant: recorded <= framed <= taken,
 * passed <= taken, and taken - min(recorded, passed) fits the ring. */
struct laz_ship_stream {
    struct laz_ship *ship;
    enum laz_stream id;
    int pipe; /* -1: there is no such stream, or it has ended */
    int ring;
    const char *map; /* the ring twice, one behind the other: every window is in one piece */
    uint64_t taken;
    uint64_t framed;
    uint64_t recorded;
    struct laz_lines_place place; /* of the lines, at `recorded` */
    uint64_t passed;              /* = taken where nothing is passed through */
    uint64_t passing;             /* what has been offered */
    uint64_t passed_ns;           /* when it last moved */
    struct laz_sink *output;
    uint64_t out_ticket;
    bool out_full;
    struct laz_lines *lines;
    struct event *readable;
    struct event *nap;
    uint64_t last_ns; /* when something came */
    bool has_ended;
    enum laz_lines_until until; /* for what is not whole, in the turn under way */
};

LAZ_MUST_CHECK int laz_ship_stream_open(
        struct laz_ship *ship, enum laz_stream id, int output, struct laz_err *err);
/* Listen to it from now on. */
LAZ_MUST_CHECK int laz_ship_stream_begin(struct laz_ship_stream *stream, struct laz_err *err);
/* Everything that is there and fits. Returns how many bytes came. */
size_t laz_ship_stream_take(struct laz_ship_stream *stream);
/* Is there nothing more in its pipe? For when nobody writes any more. */
bool laz_ship_stream_is_dry(struct laz_ship_stream *stream);
/* At the end: what nobody reads is passed over, and counted; `is_late`: so is what is read slowly.
 */
void laz_ship_stream_settle(struct laz_ship_stream *stream, bool is_late);
/* What is taken and not framed yet. */
const char *laz_ship_stream_window(const struct laz_ship_stream *stream, size_t *ret_length);
/* `framed` went back to `recorded`: a line begins there. */
LAZ_MUST_CHECK int laz_ship_stream_rewound(struct laz_ship_stream *stream, struct laz_err *err);
/* Up to here it is in the spool, or lost and counted. */
void laz_ship_stream_recorded(struct laz_ship_stream *stream);

/* ---- role_ship_ledger.c: from bytes to records, chain and spool ---- */

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

/* ---- role_ship_events.c: what init and sense say ---- */

/* Of this stream, into the batch. */
void laz_ship_events_make(struct laz_ship *ship, enum laz_stream id);
/* Lines of a helper that it may not say: counted in a record. */
void laz_ship_events_tell_refused(struct laz_ship *ship);

/* ---- role_ship_feed.c: one sink each ---- */

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
    size_t n_blocks; /* in flight, the last one being offered */
    struct laz_feed_block blocks[LAZ_FEED_BLOCKS_MAX];
    struct laz_spool_at cursor; /* everything before has arrived */
    bool wants;
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

/* ---- role_ship.c ---- */

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
    struct laz_ship_counts counts;
    size_t n_meters;
    struct laz_ship_meter meters[LAZ_SHIP_SINKS_MAX];
};

uint64_t laz_ship_now_ns(void); /* CLOCK_BOOTTIME */
struct timespec laz_ship_wall(void);
/* An event record of ship's own: members as JSON without the braces. */
void laz_ship_note(struct laz_ship *ship, const char *ev, int severity, const char *obj,
        const char *act, const char *members);
/* Something has arrived somewhere: is it the start, or the end? */
void laz_ship_look(struct laz_ship *ship);
_Noreturn void laz_ship_fail(const struct laz_ship *ship, const struct laz_err *err);

/* The role itself; the channel is descriptor 3. */
_Noreturn void laz_role_ship(int chan);

#endif
