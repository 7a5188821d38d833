/* SPDX-License-Identifier: Apache-2.0
 *
 * Secrets, as PID 1 has them: sealed memory files that come from `fetch` and go to `launch` and to
 * the workload. It checks seals and sizes and passes descriptors on; it never reads or maps a
 * value. When which of them is renewed: rotation.h. libc only.
 */
#ifndef LAZ_INIT_PID1_SECRETS_H
#define LAZ_INIT_PID1_SECRETS_H

#include "confine/probe.h"
#include "init/pid1/rollback.h"
#include "init/pid1/rotation.h"
#include "ipc/chan.h"
#include "policy/image.h"

#define LAZ_SECRET_VERSION_MAX     64 /* bytes of a version, as records show it */
#define LAZ_SECRET_FINGERPRINT_MAX 16
/* Generations that may wait for their end. */
#define LAZ_GENERATIONS_KEPT 4
#define LAZ_GENERATIONS_OLD  (LAZ_GENERATIONS_KEPT + 1) /* the oldest is about to go */

enum laz_secrets_phase {
    LAZ_SECRETS_NONE,    /* the policy has none */
    LAZ_SECRETS_WAITING, /* until who is needed first is ready */
    LAZ_SECRETS_FETCHING,
    LAZ_SECRETS_DELIVERING,
    LAZ_SECRETS_HIDING, /* until the logs do not show them */
    LAZ_SECRETS_THERE,  /* the workload may start, or runs */
    /* From here on, one after the other and back to THERE: */
    LAZ_SECRETS_REFETCHING,
    LAZ_SECRETS_REFETCHED, /* fetch has said all that it will */
    LAZ_SECRETS_REHIDING,
    LAZ_SECRETS_REDELIVERING,
    LAZ_SECRETS_REDELIVERED,
    LAZ_SECRETS_NOT_REDELIVERED, /* err says why; its folder is to be removed */
    LAZ_SECRETS_RETIRING,
    LAZ_SECRETS_NOT_RETIRED, /* err says why; it is still there */
    LAZ_SECRETS_OVER,        /* and nothing more is delivered */
};

/* What launch was told to do last. */
enum laz_secrets_order {
    LAZ_SECRETS_ORDER_NONE,
    LAZ_SECRETS_ORDER_FOLDER,
    LAZ_SECRETS_ORDER_PUT,
    LAZ_SECRETS_ORDER_SWAP,
    LAZ_SECRETS_ORDER_RETIRE,
    LAZ_SECRETS_ORDER_WIPE,
};

/* What fetch says of an item. */
struct laz_secret_seen {
    bool is_known;
    enum laz_outcome outcome;
    uint64_t renew;   /* seconds of Unix time; 0: none */
    uint64_t expires; /* likewise */
    char version[LAZ_SECRET_VERSION_MAX + 1];
    char fingerprint[LAZ_SECRET_FINGERPRINT_MAX + 1];
};

struct laz_secret_item {
    int value;       /* owned; what the workload has; -1: nothing, or nobody needs it any more */
    int fresh;       /* owned; what fetch has brought since; -1: nothing */
    int fresh_masks; /* owned; likewise */
    /* Owned, the newest first, and the last is the first of all; -1: none; for every later ship. */
    int masks[LAZ_MASKS_KEPT];
    bool is_changed;            /* `fresh` is to become what the workload has */
    struct laz_secret_seen now; /* of `value` */
    struct laz_secret_seen said;
};

/* What an item was before its last renewal. */
struct laz_secret_before {
    int value; /* owned, where `kept` has its bit */
    struct laz_secret_seen seen;
    char refused[LAZ_SECRET_FINGERPRINT_MAX + 1]; /* what was taken back last; "": nothing was */
};

struct laz_generation {
    uint32_t number;
    uint64_t until_ns; /* it stays so long */
};

/* Zero, and untouched, where the policy has no secrets: then it takes no page. */
struct laz_secrets {
    const struct laz_image *image; /* borrowed; NULL: there are none */
    enum laz_secrets_phase phase;
    int folder; /* owned; -1: nothing becomes a file */
    int key;    /* owned; of the fingerprints of this run */
    enum laz_secrets_order ordered;
    unsigned n_ordered;           /* and not answered; what answers too late does not count */
    bool is_told;                 /* what was fetched is in the trail */
    bool has_folder;              /* something may lie there */
    bool is_narrow;               /* we may not remove it ourselves any more */
    bool is_begun;                /* the folder of this generation is ordered */
    bool is_done;                 /* fetch has said so */
    uint64_t seed;                /* of the plan's random waits */
    uint32_t wanted;              /* of which fetch may speak; a bit for each item */
    uint32_t generation;          /* the one that is made, or was made last */
    uint32_t current;             /* the one that the workload sees */
    uint32_t retiring;            /* the one that is removed just now */
    unsigned n_old;               /* generations that wait for their end, the oldest first */
    unsigned n_given;             /* deliveries that launch has made, or is making */
    const uint8_t *next;          /* walks the image's deliveries */
    struct laz_image_delivery at; /* the one that launch makes now */
    struct laz_generation old[LAZ_GENERATIONS_OLD];
    struct laz_err err; /* why nothing starts; later, why what was fetched was not delivered */
    uint32_t n_fds;
    int fds[LAZ_IMAGE_DELIVERIES_MAX]; /* the workload's, by their numbers; ours until it starts */
    /* Owned; of each item, and Vault's token; -1: it is not a variable, or that is not set. */
    int inherited[LAZ_IMAGE_FETCHED_MAX + 1];
    struct laz_secret_item items[LAZ_IMAGE_FETCHED_MAX];
    struct laz_rotation rotation;
    struct laz_rollback rollback;
    uint32_t kept; /* items of `before` that have a value, a bit for each */
    /* Last, as most of it is never touched: why each was not renewed the last time, "": it was; */
    char why[LAZ_IMAGE_FETCHED_MAX][LAZ_WHY_MAX + 1];
    struct laz_secret_before before[LAZ_IMAGE_FETCHED_MAX]; /* and this, of identities alone */
};

/* Before anything else is opened: look at the folder, keep the workload's numbers free, and take
 * the variables that are secrets out of `environment`. LAZ_E_DELIVERY, LAZ_E_SYSTEM. */
LAZ_MUST_CHECK int laz_secrets_begin(struct laz_secrets *secrets, const struct laz_image *image,
        const struct laz_probe *probe, char **environment, struct laz_err *err);

/* Another `fetch` begins, for these items: what came of the one before does not count. */
void laz_secrets_forget(struct laz_secrets *secrets, uint32_t wanted);
/* What `fetch` says of them. Takes the descriptors. -1: it breaks the rules. LAZ_E_SECRET. */
LAZ_MUST_CHECK int laz_secrets_told(
        struct laz_secrets *secrets, struct laz_message *message, struct laz_err *err);
/* Nothing starts any more, and this is why. The first counts. */
void laz_secrets_refuse(struct laz_secrets *secrets, const struct laz_err *why);
/* All of them. */
uint32_t laz_secrets_all(const struct laz_secrets *secrets);
/* Has the source said another value than the workload has? */
bool laz_secrets_differs(const struct laz_secret_item *item);
/* What was brought of it is the newest that the logs are to hide. */
void laz_secrets_push_masks(struct laz_secret_item *item);

/* ---- delivering.c ---- */

/* Order the next delivery, if nothing is under way. */
void laz_secrets_deliver(struct laz_secrets *secrets, int launcher_chan);
/* It does not answer, and nobody waits for it any more. */
void laz_secrets_lose_answer(struct laz_secrets *secrets);
/* What launch answers. */
void laz_secrets_delivered(struct laz_secrets *secrets, const struct laz_message *message);
/* The next delivery, of a walk over all that has something to deliver. */
bool laz_secrets_next(const struct laz_secrets *secrets, const uint8_t **cursor, unsigned *n,
        struct laz_image_delivery *ret);
/* The name of an item, as the policy has it; "?" beyond. */
const char *laz_secrets_name(const struct laz_secrets *secrets, uint32_t item);
/* What has changed, and all that has not, is to become another generation; there is none where
 * nothing of it is a file. */
void laz_secrets_begin_generation(struct laz_secrets *secrets);
/* It has: what was there before waits for its end until then. */
void laz_secrets_adopt(struct laz_secrets *secrets, uint64_t until_ns);
/* Remove a generation. Not while an answer is to come. */
void laz_secrets_retire(struct laz_secrets *secrets, uint32_t generation);

/* ---- before.c ---- */

/* What has changed is about to be adopted: keep what identities of it were, if their renewal is to
 * be watched, so long. */
void laz_secrets_keep_before(
        struct laz_secrets *secrets, enum laz_checks checks, uint64_t until_ns);
void laz_secrets_drop_before(struct laz_secrets *secrets);
/* What was kept of an item is what the next generation has of it, and what it is now is refused
 * from now on. */
void laz_secrets_restore(struct laz_secrets *secrets, uint32_t number);
/* It has: the words about this identity, `first` of which it is, are those of then, too. */
void laz_secrets_be_as_before(struct laz_secrets *secrets, uint32_t first);
/* Is what has changed of this identity, which is `first` of it, what was taken back last? */
bool laz_secrets_was_taken_back(const struct laz_secrets *secrets, uint32_t first);

/* ---- its end ---- */

/* The workload has what becomes of them: where nothing is renewed, nobody else needs them. */
void laz_secrets_close(struct laz_secrets *secrets);
/* The workload has a descriptor table of its own: what is its own, is its alone. */
void laz_secrets_part(struct laz_secrets *secrets);
/* Nothing is delivered from now on, and what became files is removed: by launch; by ourselves, if
 * it has gone and we still may. */
void laz_secrets_wipe(struct laz_secrets *secrets, int launcher_chan);
/* Nothing is left of them, or nobody can change it. */
bool laz_secrets_are_wiped(const struct laz_secrets *secrets);
/* Launch has ended. */
void laz_secrets_lose_launch(struct laz_secrets *secrets);

#endif
