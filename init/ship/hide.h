/* SPDX-License-Identifier: Apache-2.0
 *
 * What was delivered to the workload, and must be in no record: what init hands over, and every
 * string that came from outside on its way into a record of ship's own, of init's or of sense's.
 * Lines of the workload are masked where they are taken apart.
 */
#ifndef LAZ_INIT_SHIP_HIDE_H
#define LAZ_INIT_SHIP_HIDE_H

#include "ipc/msg.h"
#include "log/lines.h"

struct laz_ship;

#define LAZ_SHIP_HIDDEN_ITEMS     32
#define LAZ_SHIP_HIDDEN_OLDER_MAX (4U << 20) /* bytes of what was in force before, of all items */

/* The last three files of each item stay open, the newest first, and the first that it had, and
 * are mapped only while the redactor is made anew. */
struct laz_ship_hidden {
    int fds[LAZ_SHIP_HIDDEN_ITEMS][LAZ_MASKS_KEPT]; /* -1: none */
    uint32_t n_asked;                               /* init waits for so many answers */
    struct laz_buf masked; /* words of a record, without what they had of it */
};

/* Nothing is hidden. */
void laz_ship_hidden_init(struct laz_ship_hidden *hidden);
/* HIDE: kept, and not looked at. LAZ_E_INTERNAL: of no item. */
LAZ_MUST_CHECK int laz_ship_take_hide(
        struct laz_ship *ship, const struct laz_message *message, struct laz_err *err);
/* What came before BEGIN, when root is given up and there is a redactor; and the answers, when no
 * line can be read without it any more. LAZ_E_INTERNAL: it is not what it has to be. */
LAZ_MUST_CHECK int laz_ship_hide(struct laz_ship *ship, struct laz_err *err);
void laz_ship_tell_hidden(struct laz_ship *ship);
/* What came later, both: all that came together is one new redactor. */
LAZ_MUST_CHECK int laz_ship_hide_asked(struct laz_ship *ship, struct laz_err *err);
/* At the end: nothing of it is left in memory. */
void laz_ship_forget(struct laz_ship *ship);

enum laz_ship_words {
    LAZ_SHIP_RECORD,  /* of which exe, obj and all in d may be of outside origin */
    LAZ_SHIP_MEMBERS, /* of d, without the braces */
};

/* `text` appended with the secrets in its strings masked. False, and nothing appended, if there are
 * none. */
bool laz_ship_mask(const struct laz_redactor *redactor, enum laz_ship_words words,
        const struct laz_bytes *text, struct laz_buf *ret);
/* The same of a sentence, in place: cut where there is no room for the marks. */
void laz_ship_mask_text(const struct laz_redactor *redactor, char *text, size_t size);

#endif
