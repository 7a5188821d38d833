/* SPDX-License-Identifier: Apache-2.0
 *
 * What `lazaret install runtime` changes of an engine, and how it is taken back. Nothing here runs
 * or reloads an engine.
 */
#ifndef LAZ_CLI_INSTALL_H
#define LAZ_CLI_INSTALL_H

#include <sys/stat.h>

#include "core/buf.h"
#include "core/sha256.h"

#define LAZ_INSTALL_STATE    "/var/lib/lazaret/install"
#define LAZ_INSTALL_NAME     "lazaret" /* of the runtime, in engines' files */
#define LAZ_INSTALL_FILE_MAX ((size_t)1 << 20)

/* What was there is kept by this: a digest in hexadecimal, or "absent". */
#define LAZ_INSTALL_ID_SIZE (2 * LAZ_SHA256_SIZE + 1)
#define LAZ_INSTALL_ABSENT  "absent"

/* An engine. */
struct laz_install_engine {
    const char *name;
    const char *path; /* the file that is changed */
    /* The text as it is wanted, of that which is there (NULL: no file). The same text: nothing is
     * to be done. LAZ_E_ENGINE_FILE. */
    int (*edit)(const struct laz_buf *before, bool is_default, struct laz_buf *ret,
            struct laz_err *err);
    const char *then;      /* by which the engine reads its file; NULL: it does so each time */
    const char *then_back; /* the same after --undo */
    const char *by_hand;   /* what to take out, where somebody else has changed the file too */
};

extern const struct laz_install_engine laz_install_docker;
extern const struct laz_install_engine laz_install_containerd;
extern const struct laz_install_engine laz_install_podman;
extern const struct laz_install_engine *const laz_install_engines[]; /* NULL behind the last */

/* A dockerd that runs on this host takes its file as it would be: LAZ_E_ENGINE_FILE. */
LAZ_MUST_CHECK int laz_install_dockerd_look(bool is_default, struct laz_err *err);
/* podman's folders of hooks: what is said of an entry for lazaret-hook there; appended. */
void laz_install_podman_hooks(struct laz_buf *ret);
/* Where the runtime that podman has without us is not that of runtime.yaml; appended. */
void laz_install_podman_runtime(struct laz_buf *ret);

/* ---- install_left.c ---- */

/* Containers that lazaret-shim has made and that are still there, of an engine (NULL: of any), each
 * an error of its own, LAZ_E_CONTAINERS_LEFT; the last one counts those that there is no room for.
 * Or the one why that cannot be known. max: at least 1. How many errors there are. */
LAZ_MUST_CHECK size_t laz_install_left(const char *engine, struct laz_err *ret, size_t max);

/* ---- install_kept.c ---- */

/* Engines that do not name the shim any more though a record says that they were told to, and
 * runc's place likewise: each an error of its own, LAZ_E_NOT_INSTALLED or why it cannot be known.
 * How many there are. */
LAZ_MUST_CHECK size_t laz_install_kept(struct laz_err *ret, size_t max);

/* ---- install_file.c: one file, and the record of what was there before ---- */

struct laz_install_record {
    bool exists;
    char before[LAZ_INSTALL_ID_SIZE];
    char known[2][LAZ_INSTALL_ID_SIZE]; /* what it was made to be; the second may be "" */
    uint64_t n_folders;                 /* above the file, that were made for it */
};

struct laz_install_file {
    const char *part; /* of the record's name: "docker" */
    const char *path;
    const char *by_hand;
    bool exists;
    struct stat status;
    struct laz_buf text; /* without a NUL of its own */
    char id[LAZ_INSTALL_ID_SIZE];
    unsigned n_missing; /* folders above it that are not there */
    struct laz_install_record record;
};

/* Both are looked at, and nothing is changed. LAZ_E_HOST_UNSAFE where the file, or a folder above
 * it, is not root's alone; LAZ_E_ENGINE_FILE where it is no regular file; LAZ_E_SYSTEM. */
LAZ_MUST_CHECK int laz_install_file_open(const char *part, const char *path, const char *by_hand,
        struct laz_install_file *ret, struct laz_err *err);
void laz_install_file_done(struct laz_install_file *file);
/* Somebody else has changed it since: LAZ_E_INSTALL_EDITED. */
LAZ_MUST_CHECK int laz_install_file_judge(const struct laz_install_file *file, struct laz_err *err);
/* The text is in its place, as a whole, with the mode and owner that it had; what was there is
 * recorded first. */
LAZ_MUST_CHECK int laz_install_file_apply(
        const struct laz_install_file *file, const struct laz_buf *text, struct laz_err *err);
/* What was there is there again, and the record is gone. */
LAZ_MUST_CHECK int laz_install_file_undo(const struct laz_install_file *file, struct laz_err *err);

/* ---- install_place.c: folders of root's ---- */

/* The folder above an absolute path, held with O_PATH; -1 in *ret where it is absent, and then how
 * many of its parts are. make: they are made, mode 0755. Each part is root's, no link, and writable
 * by nobody else: LAZ_E_HOST_UNSAFE. */
LAZ_MUST_CHECK int laz_install_folder(
        const char *path, bool make, int *ret, unsigned *ret_missing, struct laz_err *err);
/* The folder of records, open for reading and locked against another run; it is made. */
LAZ_MUST_CHECK int laz_install_lock(int *ret, struct laz_err *err);
/* So many folders above the path go, from the lowest up, as far as they are empty. */
void laz_install_remove_folders(const char *path, uint64_t n);
/* What a run that was killed has left of `name`; NULL: of any. */
void laz_install_sweep(int folder, const char *name);
void laz_install_sweep_beside(const char *path);
/* The same of the folder of records, which goes where it is empty. */
void laz_install_tidy(void);

/* ---- text_diff.c ---- */

/* One hunk with three lines around it, as `diff -u` prints it; nothing for the same text. */
void laz_text_diff(const char *path, const struct laz_buf *before, const struct laz_buf *after,
        struct laz_buf *ret);

#endif
