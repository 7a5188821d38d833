/* SPDX-License-Identifier: Apache-2.0
 *
 * Secrets, as PID 1 has them: sealed memory files that come from `fetch` and go to `launch` and to
 * the workload. It checks seals and sizes and passes descriptors on; it never reads or maps a
 * value. libc only.
 */
#ifndef LAZ_INIT_PID1_SECRETS_H
#define LAZ_INIT_PID1_SECRETS_H

#include "confine/probe.h"
#include "ipc/chan.h"
#include "policy/image.h"

#define LAZ_SECRET_VERSION_MAX     64 /* bytes of a version, as records show it */
#define LAZ_SECRET_FINGERPRINT_MAX 16
/* After `fetch` has had all its time, for it to say which item it was. */
#define LAZ_SECRETS_SLACK_MS 2000

enum laz_secrets_phase {
    LAZ_SECRETS_NONE,    /* the policy has none */
    LAZ_SECRETS_WAITING, /* until who is needed first is ready */
    LAZ_SECRETS_FETCHING,
    LAZ_SECRETS_DELIVERING,
    LAZ_SECRETS_HIDING, /* until the logs do not show them */
    LAZ_SECRETS_THERE,  /* the workload may start */
    LAZ_SECRETS_OVER,   /* and nothing more is delivered */
};

/* What launch was told to do last. */
enum laz_secrets_order {
    LAZ_SECRETS_ORDER_NONE,
    LAZ_SECRETS_ORDER_FOLDER,
    LAZ_SECRETS_ORDER_PUT,
    LAZ_SECRETS_ORDER_SWAP,
    LAZ_SECRETS_ORDER_WIPE,
};

struct laz_secret_item {
    int value;     /* owned; -1: it has not come, or is absent */
    int inherited; /* owned; -1: it is not a variable, or that is not set */
    bool is_known; /* what came of it has been said */
    enum laz_outcome outcome;
    char version[LAZ_SECRET_VERSION_MAX + 1];
    char fingerprint[LAZ_SECRET_FINGERPRINT_MAX + 1];
};

/* Zero, and untouched, where the policy has no secrets: then it takes no page. */
struct laz_secrets {
    const struct laz_image *image; /* borrowed; NULL: there are none */
    enum laz_secrets_phase phase;
    int folder; /* owned; -1: nothing becomes a file */
    int masks;  /* owned; -1: nothing is to be hidden; kept for every later ship */
    enum laz_secrets_order ordered;
    unsigned n_ordered;           /* and not answered */
    bool is_told;                 /* what was fetched is in the trail */
    bool has_folder;              /* something may lie there */
    bool is_narrow;               /* we may not remove it ourselves any more */
    unsigned n_given;             /* deliveries that launch has made, or is making */
    const uint8_t *next;          /* walks the image's deliveries */
    struct laz_image_delivery at; /* the one that launch makes now */
    struct laz_err err;           /* why nothing starts */
    uint32_t n_fds;
    int fds[LAZ_IMAGE_DELIVERIES_MAX]; /* the workload's, by their numbers; ours until it starts */
    struct laz_secret_item items[LAZ_IMAGE_FETCHED_MAX];
};

/* Before anything else is opened: look at the folder, keep the workload's numbers free, and take
 * the variables that are secrets out of `environment`. LAZ_E_DELIVERY, LAZ_E_SYSTEM. */
LAZ_MUST_CHECK int laz_secrets_begin(struct laz_secrets *secrets, const struct laz_image *image,
        const struct laz_probe *probe, char **environment, struct laz_err *err);

/* Another `fetch` begins: what came of the one before does not count. */
void laz_secrets_forget(struct laz_secrets *secrets);
/* What `fetch` says of them. Takes the descriptors. -1: it breaks the rules. LAZ_E_SECRET. */
LAZ_MUST_CHECK int laz_secrets_told(
        struct laz_secrets *secrets, struct laz_message *message, struct laz_err *err);
/* Nothing starts any more, and this is why. The first counts. */
void laz_secrets_refuse(struct laz_secrets *secrets, const struct laz_err *why);

/* Order the next delivery, if nothing is under way. */
void laz_secrets_deliver(struct laz_secrets *secrets, int launcher_chan);
/* What launch answers. */
void laz_secrets_delivered(struct laz_secrets *secrets, const struct laz_message *message);
/* The next delivery, of a walk over all that has something to deliver. */
bool laz_secrets_next(const struct laz_secrets *secrets, const uint8_t **cursor, unsigned *n,
        struct laz_image_delivery *ret);
/* The name of an item, as the policy has it; "?" beyond. */
const char *laz_secrets_name(const struct laz_secrets *secrets, uint32_t item);

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
