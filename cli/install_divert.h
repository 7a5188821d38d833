/* SPDX-License-Identifier: Apache-2.0
 *
 * runc's place on the host, with the shim in it and runc beside it: whoever calls runc gets the
 * shim. At no moment is there no runc, and a run that was killed is gone on with by the next.
 */
#ifndef LAZ_CLI_INSTALL_DIVERT_H
#define LAZ_CLI_INSTALL_DIVERT_H

#include "core/buf.h"

#define LAZ_DIVERT_PART "divert"

struct laz_divert {
    const char *place; /* /usr/sbin/runc; static */
    const char *real;  /* where runc is then; static */
    bool is_link;      /* the shim is in its place */
    bool has_real;
    bool is_stale;   /* ... which is an older runc: a package has put a new one into the place */
    bool has_dpkg;   /* which keeps packages away from the place */
    bool is_known;   /* to dpkg */
    bool is_renamed; /* runtime.yaml does not name the place */
    bool has_record;
};

/* Nothing is changed. LAZ_E_ENGINE_FILE where runc, or what dpkg says of it, is not what can be
 * diverted; LAZ_E_HOST_*, LAZ_E_SYSTEM. */
LAZ_MUST_CHECK int laz_divert_look(struct laz_divert *ret, struct laz_err *err);
bool laz_divert_is_done(const struct laz_divert *divert);
/* What would be done, a line for each step. */
void laz_divert_show(const struct laz_divert *divert, struct laz_buf *ret);
LAZ_MUST_CHECK int laz_divert_apply(const struct laz_divert *divert, struct laz_err *err);
LAZ_MUST_CHECK int laz_divert_undo(const struct laz_divert *divert, struct laz_err *err);

/* ---- install_divert_others.c ---- */

/* Programs by the name of runc in the folders in which engines look for it, that do not lead to the
 * place or to the shim: each an error of its own, LAZ_E_ENGINE_FILE. How many there are. */
LAZ_MUST_CHECK size_t laz_divert_others(
        const struct laz_divert *divert, struct laz_err *ret, size_t max);
/* Where runtime.yaml names a program that calls runc by its name itself; appended. */
void laz_divert_note(const struct laz_divert *divert, struct laz_buf *ret);

/* ---- runtime_line.c: the value of `runtime:` in runtime.yaml ---- */

/* Where it is `from`, it is `to` afterwards, and every other byte as it was; else nothing is done.
 * LAZ_E_ENGINE_FILE where that cannot be done exactly. */
LAZ_MUST_CHECK int laz_runtime_line_change(const char *from, const char *to, struct laz_err *err);
/* No key of it names this program. */
LAZ_MUST_CHECK int laz_runtime_line_look(
        const char *program, bool *ret_is_free, struct laz_err *err);

#endif
