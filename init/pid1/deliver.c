/* SPDX-License-Identifier: Apache-2.0
 *
 * Generations of files. Goes down one component at a time and follows no link, which is what
 * openat2 would promise, and works where that is missing or refused. libc only.
 */
#include "init/pid1/deliver.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "confine/sys.h"
#include "core/fd.h"
#include "core/format.h"
#include "core/num.h"

#define DATA          "..data"
#define NEXT          "..next" /* becomes ..data by a rename */
#define GENERATION    "..g"
#define NAME_SIZE     256 /* the kernel's NAME_MAX, and a NUL */
#define LINK_SIZE     (sizeof(DATA "/") + NAME_SIZE)
#define ENTRIES_BYTES 1024
#define PAGE_MAX      ((off_t)1 << 30)
#define DEPTH_MAX     130 /* folders in each other: a path has 255 bytes at the most */
#define PASSES_MAX    64
#define FOLDER_MODE   0755
#define FOLDER_FLAGS  (O_RDONLY | O_DIRECTORY | O_NOFOLLOW)

static int fail(struct laz_err *err, const char *step)
{
    return laz_err_set(err, LAZ_E_DELIVERY, errno, "%s", step);
}

void laz_deliver_init(struct laz_deliver *deliver)
{
    *deliver = (struct laz_deliver){.folder = -1, .generation = -1};
}

/* ---- listing ---- */

/* The names in a folder, without "." and "..". */
struct listing {
    int folder;
    long length;
    long at;
    _Alignas(struct laz_dirent) char entries[ENTRIES_BYTES];
};

static int list(struct listing *listing, int folder)
{
    listing->folder = folder;
    listing->length = listing->at = 0;
    return lseek(folder, 0, SEEK_SET) < 0 ? -1 : 0;
}

/* NULL: that was all, or it cannot be read. */
static const char *next_name(struct listing *listing)
{
    for (;;) {
        if (listing->at >= listing->length) {
            listing->at = 0;
            listing->length = syscall(
                    SYS_getdents64, listing->folder, listing->entries, sizeof(listing->entries));
            if (listing->length <= 0) {
                return NULL;
            }
        }
        const struct laz_dirent *entry =
                (const struct laz_dirent *)(const void *)(listing->entries + listing->at);
        listing->at += entry->length;
        if (strcmp(entry->name, ".") != 0 && strcmp(entry->name, "..") != 0) {
            return entry->name;
        }
    }
}

/* ---- removing ---- */

/* The file loses its pages before its name: whoever still has it open or mapped sees zeros. They
 * are not written over: one that was sent on without a copy, by splice or sendfile, is in
 * somebody's pipe, and is what he was to get. Where that is refused, the pages go with the last who
 * has it. */
static void take_pages(int folder, const char *name)
{
    struct stat status;
    const int flags = O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    /* It was given away: without CAP_DAC_OVERRIDE we open it only once it is ours again. */
    laz_ignore(fchownat(folder, name, geteuid(), (gid_t)-1, AT_SYMLINK_NOFOLLOW));
    laz_cleanup_fd int seen = openat(folder, name, O_RDONLY | flags);
    if (seen < 0 || fstat(seen, &status) < 0 || !S_ISREG(status.st_mode)) {
        return;
    }
    (void)fchmod(seen, S_IRUSR | S_IWUSR); /* its owner may need that */
    laz_cleanup_fd int fd = openat(folder, name, O_WRONLY | flags);
    /* to the end of the largest page that there is: of a part of one the kernel overwrites it */
    laz_ignore(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE_MAX));
}

/* Removes the first thing in a folder. 1: done; 0: there is none; 2: *ret_folder is not empty. */
static int remove_first(int folder, int *ret_folder)
{
    struct listing listing;
    const char *name = list(&listing, folder) < 0 ? NULL : next_name(&listing);
    if (name == NULL) {
        return 0;
    }
    if (unlinkat(folder, name, AT_REMOVEDIR) == 0) {
        return 1;
    }
    if (errno == ENOTDIR) {
        take_pages(folder, name);
        return unlinkat(folder, name, 0) < 0 ? -1 : 1;
    }
    *ret_folder = openat(folder, name, FOLDER_FLAGS | O_CLOEXEC);
    return *ret_folder < 0 ? -1 : 2;
}

/* Empty a folder, however deep. Takes it. */
static int empty(int folder)
{
    int open_folders[DEPTH_MAX] = {folder};
    int depth = 0;
    int result = 0;
    while (depth >= 0) {
        int inner = -1;
        int what = remove_first(open_folders[depth], &inner);
        if (what < 0 || (what == 2 && depth + 1 == DEPTH_MAX)) {
            result = -1;
            laz_fd_close(&inner);
            break;
        }
        if (what == 2) {
            open_folders[++depth] = inner;
        } else if (what == 0) {
            laz_fd_close(&open_folders[depth--]);
        }
    }
    int cause = errno;
    for (; depth >= 0; depth--) {
        laz_fd_close(&open_folders[depth]);
    }
    errno = cause;
    return result;
}

static bool is_generation(const char *name)
{
    size_t length = sizeof(GENERATION) - 1;
    return strncmp(name, GENERATION, length) == 0 && name[length] != '\0' &&
            name[length + laz_count_digits(name + length)] == '\0';
}

/* 1: it was ours, and is gone; 0: not ours; -1: it stays. */
static int remove_ours(int folder, const char *name)
{
    char target[LINK_SIZE];
    if (is_generation(name)) {
        int generation = openat(folder, name, FOLDER_FLAGS | O_CLOEXEC);
        bool is_gone = generation >= 0 && empty(generation) == 0 &&
                unlinkat(folder, name, AT_REMOVEDIR) == 0;
        return is_gone ? 1 : -1;
    }
    ssize_t n = readlinkat(folder, name, target, sizeof(target));
    bool leads_to_ours =
            n > (ssize_t)sizeof(DATA) && strncmp(target, DATA "/", sizeof(DATA "/") - 1) == 0;
    bool is_own_link = n > 0 && (strcmp(name, DATA) == 0 || strcmp(name, NEXT) == 0);
    if (!leads_to_ours && !is_own_link) {
        return 0;
    }
    return unlinkat(folder, name, 0) < 0 ? -1 : 1;
}

/* Removing moves what is behind it: again, until a pass finds nothing more. */
int laz_deliver_wipe(int folder, struct laz_err *err)
{
    for (unsigned pass = 0; pass < PASSES_MAX; pass++) {
        struct listing listing;
        unsigned n_gone = 0;
        int cause = 0;
        if (list(&listing, folder) < 0) {
            return fail(err, "list the folder");
        }
        for (const char *name = NULL; (name = next_name(&listing)) != NULL;) {
            int what = remove_ours(folder, name);
            n_gone += what > 0;
            cause = what < 0 ? errno : cause;
        }
        if (n_gone == 0) {
            errno = cause;
            return cause == 0 ? 0 : fail(err, "remove what was delivered");
        }
    }
    errno = EBUSY;
    return fail(err, "remove what was delivered");
}

/* ---- making ---- */

/* The umask is 077, and everybody is to come through. */
static int make_folder(int folder, const char *name, bool may_exist)
{
    if (mkdirat(folder, name, S_IRWXU) < 0 && (errno != EEXIST || !may_exist)) {
        return -1;
    }
    int made = openat(folder, name, FOLDER_FLAGS | O_CLOEXEC);
    if (made >= 0 && fchmod(made, FOLDER_MODE) < 0) {
        int cause = errno;
        laz_fd_close(&made);
        errno = cause;
    }
    return made;
}

static void generation_name(uint32_t number, char ret[NAME_SIZE])
{
    (void)laz_format(ret, NAME_SIZE, GENERATION "%u", number);
}

int laz_deliver_begin(struct laz_deliver *deliver, int folder, uint32_t number, struct laz_err *err)
{
    char name[NAME_SIZE];
    laz_fd_close(&deliver->folder);
    laz_fd_close(&deliver->generation);
    deliver->folder = folder;
    deliver->number = number;
    if (number == 1 && laz_deliver_wipe(folder, err) < 0) {
        return -1;
    }
    generation_name(number, name);
    deliver->generation = make_folder(folder, name, false);
    return deliver->generation < 0 ? fail(err, "make the folder of a generation") : 0;
}

/* The name alone, of at most NAME_SIZE - 1 bytes, of the next component. NULL: it is none. */
static const char *take_component(const char *path, char ret[NAME_SIZE])
{
    const char *end = strchrnul(path, '/');
    size_t length = (size_t)(end - path);
    if (length == 0 || length >= NAME_SIZE) {
        return NULL;
    }
    (void)memcpy(ret, path, length);
    ret[length] = '\0';
    return strcmp(ret, ".") == 0 || strcmp(ret, "..") == 0 ? NULL : end;
}

/* The folder in which the file is to be, which the caller closes, and the file's name. */
static int open_parent(int generation, const char *path, char name[NAME_SIZE])
{
    int folder = fcntl(generation, F_DUPFD_CLOEXEC, 0);
    while (folder >= 0) {
        const char *rest = take_component(path, name);
        if (rest == NULL) {
            laz_fd_close(&folder);
            errno = EINVAL;
            return -1;
        }
        if (*rest == '\0') {
            return folder;
        }
        int inner = make_folder(folder, name, true);
        int cause = errno;
        laz_fd_close(&folder);
        errno = cause;
        folder = inner;
        path = rest + 1;
    }
    return -1;
}

static int copy(int from, int to)
{
    struct stat status;
    off_t at = 0;
    if (fstat(from, &status) < 0) {
        return -1;
    }
    while (at < status.st_size) {
        ssize_t n = sendfile(to, from, &at, (size_t)(status.st_size - at));
        if (n == 0) {
            errno = EIO; /* sealed, it does not become shorter */
        }
        if (n == 0 || (n < 0 && errno != EINTR)) {
            return -1;
        }
    }
    return 0;
}

/* The mode first: without CAP_FOWNER only the owner sets it. */
static int give(int fd, const struct laz_deliver_as *as, struct laz_err *err)
{
    if (fchmod(fd, as->mode) < 0) {
        return fail(err, "set the mode");
    }
    return fchown(fd, as->uid, as->gid) < 0 ? fail(err, "set the owner") : 0;
}

int laz_deliver_put(const struct laz_deliver *deliver, int value, const struct laz_deliver_as *as,
        struct laz_err *err)
{
    char name[NAME_SIZE];
    if (as->path[0] == '\0') {
        if (fchown(value, geteuid(), (gid_t)-1) < 0) { /* it is still its maker's */
            return fail(err, "set the owner");
        }
        return give(value, as, err);
    }
    laz_cleanup_fd int folder = open_parent(deliver->generation, as->path, name);
    if (folder < 0) {
        return fail(err, "make the folders of the file");
    }
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    laz_cleanup_fd int fd = openat(folder, name, flags, S_IRUSR | S_IWUSR);
    if (fd < 0) {
        return fail(err, "make the file");
    }
    int result = copy(value, fd) < 0 ? fail(err, "write the file") : give(fd, as, err);
    if (result < 0) {
        take_pages(folder, name);
        (void)unlinkat(folder, name, 0);
    }
    return result;
}

/* ---- swapping ---- */

static int link_name(int folder, const char *name)
{
    char wanted[LINK_SIZE];
    char found[LINK_SIZE];
    (void)laz_format(wanted, sizeof(wanted), DATA "/%s", name);
    if (symlinkat(wanted, folder, name) == 0) {
        return 0;
    }
    int cause = errno;
    ssize_t n = cause == EEXIST ? readlinkat(folder, name, found, sizeof(found)) : -1;
    bool is_same = n == (ssize_t)strlen(wanted) && memcmp(found, wanted, (size_t)n) == 0;
    errno = cause;
    return is_same ? 0 : -1;
}

int laz_deliver_swap(struct laz_deliver *deliver, uint32_t number, struct laz_err *err)
{
    char name[NAME_SIZE];
    struct listing listing;
    if (deliver->generation < 0 || number != deliver->number) {
        errno = EINVAL;
        return fail(err, "find the generation");
    }
    if (list(&listing, deliver->generation) < 0) {
        return fail(err, "list the generation");
    }
    for (const char *top = NULL; (top = next_name(&listing)) != NULL;) {
        if (link_name(deliver->folder, top) < 0) {
            return fail(err, "link a name to the generation");
        }
    }
    generation_name(number, name);
    (void)unlinkat(deliver->folder, NEXT, 0);
    if (symlinkat(name, deliver->folder, NEXT) < 0 ||
            renameat(deliver->folder, NEXT, deliver->folder, DATA) < 0) {
        return fail(err, "swap the generation");
    }
    laz_fd_close(&deliver->generation);
    return 0;
}

/* ---- retiring ---- */

int laz_deliver_retire(struct laz_deliver *deliver, uint32_t number, struct laz_err *err)
{
    char name[NAME_SIZE];
    char seen[NAME_SIZE];
    generation_name(number, name);
    if (number == deliver->number) {
        laz_fd_close(&deliver->generation); /* it was not finished */
    }
    ssize_t n = readlinkat(deliver->folder, DATA, seen, sizeof(seen));
    if (n == (ssize_t)strlen(name) && memcmp(seen, name, (size_t)n) == 0) {
        errno = EBUSY;
        return fail(err, "remove the generation that counts");
    }
    errno = 0;
    bool is_gone = remove_ours(deliver->folder, name) == 1 || errno == ENOENT;
    return is_gone ? 0 : fail(err, "remove a generation");
}
