/* SPDX-License-Identifier: Apache-2.0
 *
 * A sink: takes records in order, and says which of them have arrived. It keeps nothing of its own:
 * after a break it is offered again what it has not acknowledged. Runs in the event loop of its
 * owner, who ignores SIGPIPE; never blocks on a peer, never reads a policy.
 */
#ifndef LAZ_SINK_SINK_H
#define LAZ_SINK_SINK_H

#include <event2/event.h>

#include "core/err.h"
#include "core/tls_words.h"
#include "net/tls.h"
#include "policy/ship.h"

#define LAZ_SINK_RECORD_MAX (1U << 20) /* bytes of a line, as in docs/reference/trail-format.md */

/* What the owner is told, always from the event loop, never from within a function below. It may
 * offer from within `wants`; it may not close from within any of them. */
struct laz_sink_owner {
    /* Everything up to this ticket has arrived, as far as this kind of sink can know, but for those
     * that were rejected. */
    void (*arrived)(void *context, uint64_t ticket);
    /* This record will not be taken, and is not to be offered again; the sink goes on behind it.
     * Said before an `arrived` that reaches over it, if anything arrives after it. */
    void (*rejected)(void *context, uint64_t ticket, const char *why);
    /* It can be offered more, from the record behind `ticket` on: after it was full, after it came
     * up, after a break. */
    void (*wants)(void *context, uint64_t ticket);
    /* It is not to be had. `why` is for people; said once for each break, and again when the reason
     * is another. */
    void (*down)(void *context, const char *why);
    /* What it was given to write to is no longer what the config names: who opened it may do so
     * again. It goes on as if nothing were. May be NULL. */
    void (*moved)(void *context, const char *why);
    /* What it signs and stamps has from now on another clock than this host's, by so many seconds:
     * the peer's. May be NULL. */
    void (*corrected)(void *context, int64_t seconds);
    void *context;
};

/* How long a sink waits for its peer. */
struct laz_sink_pace {
    uint32_t connect_ms;   /* to look a name up, connect and shake hands, for each address */
    uint32_t answer_ms;    /* for an answer while something is out */
    uint32_t retry_min_ms; /* the first wait after a break is a random part of this */
    uint32_t retry_max_ms; /* it doubles up to this */
};

struct laz_aws_environment;

struct laz_sink_means {
    struct event_base *base;
    int fd;     /* file: for reading and appending; stdout: the stream; ossec: below. Or -1 */
    int folder; /* file: the folder that it is in, O_PATH; no folder: where it is, is not watched */
    int key_folder;   /* ossec: where the key of an enrolled agent is kept; -1: nowhere */
    const char *host; /* what syslog headers say */
    enum laz_tls_profile tls_profile;
    const struct laz_tls_files *tls_files; /* from laz_sink_files_open; NULL: opened by path */
    const char *policy;                    /* its name */
    const char *task;                      /* its id; NULL or "": not known */
    const struct laz_aws_environment *aws; /* NULL: the environment says nothing */
    uint64_t last_ticket;                  /* what had arrived before this sink was opened */
    const struct laz_sink_pace *pace;      /* NULL: the usual one */
};

enum laz_sink_answer {
    LAZ_SINK_TAKEN,
    LAZ_SINK_NOT_NOW, /* `wants` will say when */
};

struct laz_sink_record {
    const char *text; /* the record's line, line feed included */
    size_t length;
    int severity;
    uint64_t ticket; /* 1, 2, 3, ... without a gap */
};

struct laz_sink;

/* What only who starts a sink may open: certificates and keys. None of it is read yet. With a
 * party, who may have no hand in it (core/trusted.h). */
LAZ_MUST_CHECK int laz_sink_files_open(const struct laz_ship_sink *config,
        const struct laz_party *party, struct laz_tls_files *ret, struct laz_err *err);

/* The same, of an OSSEC agent: the file with its key, or with the password of its enrolment. -1 if
 * it has neither. */
LAZ_MUST_CHECK int laz_sink_ossec_file(const struct laz_ship_sink *config,
        const struct laz_party *party, int *ret, struct laz_err *err);

/* Opens nothing of its own but resolv.conf and hosts, if the means have the rest: what others have
 * written is parsed in a process that has been narrowed before. Does not wait for a connection;
 * `wants` follows when there is one. The config is borrowed for the sink's life. */
LAZ_MUST_CHECK int laz_sink_open(const struct laz_ship_sink *config,
        const struct laz_sink_means *means, const struct laz_sink_owner *owner,
        struct laz_sink **ret, struct laz_err *err);
/* At once; after a flush a sink may take 200 ms to say goodbye. NULL is fine. */
void laz_sink_close(struct laz_sink *sink);

/* The text is not kept. */
enum laz_sink_answer laz_sink_offer(struct laz_sink *sink, const struct laz_sink_record *record);
/* Nothing more is coming: hurry (a file is synced, a batch is sent). */
void laz_sink_flush(struct laz_sink *sink);

#endif
