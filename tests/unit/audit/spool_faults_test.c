/* SPDX-License-Identifier: Apache-2.0
 *
 * The spool where system calls fail, are interrupted, or write less than they should: what was
 * appended stays, and what was not is never there. The linker leads the library's calls here.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "tests/unit/audit/spool_fixture.h"

#define SIZE 3000 /* bytes of a block's records */

/* ---- What stands in for the kernel ---- */

static struct {
    unsigned long calls;   /* so far, of all that can fail */
    unsigned long fail_at; /* this one, with `with`, and all later ones if `on` */
    int with;
    bool on;
    bool is_short;
    bool interrupts;
    bool no_allocation;
} kernel;

static bool is_interrupted(void)
{
    if (kernel.interrupts && kernel.calls % 2 == 0) {
        kernel.calls++;
        errno = EINTR;
        return true;
    }
    return false;
}

static bool fails(void)
{
    kernel.calls++;
    if (kernel.fail_at != 0 &&
            (kernel.calls == kernel.fail_at || (kernel.on && kernel.calls > kernel.fail_at))) {
        errno = kernel.with;
        return true;
    }
    return false;
}

ssize_t __real_pwrite(int fd, const void *bytes, size_t size, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *bytes, size_t size, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *bytes, size_t size, off_t offset)
{
    if (is_interrupted()) {
        return -1;
    }
    if (fails()) {
        if (kernel.with == ENOSPC && size > 100) { /* some of it was written before */
            errno = 0;
            kernel.fail_at++;
            return __real_pwrite(fd, bytes, size / 2, offset);
        }
        return -1;
    }
    return __real_pwrite(fd, bytes, kernel.is_short && size > 1 ? size / 2 : size, offset);
}

ssize_t __real_pread(int fd, void *bytes, size_t size, off_t offset);
ssize_t __wrap_pread(int fd, void *bytes, size_t size, off_t offset);
ssize_t __wrap_pread(int fd, void *bytes, size_t size, off_t offset)
{
    return is_interrupted() || fails()
            ? -1
            : __real_pread(fd, bytes, kernel.is_short && size > 1 ? size / 2 : size, offset);
}

int __real_fallocate(int fd, int mode, off_t offset, off_t length);
int __wrap_fallocate(int fd, int mode, off_t offset, off_t length);
int __wrap_fallocate(int fd, int mode, off_t offset, off_t length)
{
    if (kernel.no_allocation) {
        errno = EOPNOTSUPP;
        return -1;
    }
    return fails() ? -1 : __real_fallocate(fd, mode, offset, length);
}

#define WRAP(name, parameters, arguments, interrupted)                                             \
    int __real_##name parameters;                                                                  \
    int __wrap_##name parameters;                                                                  \
    int __wrap_##name parameters                                                                   \
    {                                                                                              \
        return interrupted || fails() ? -1 : __real_##name arguments;                              \
    }

WRAP(fsync, (int fd), (fd), is_interrupted())
WRAP(fdatasync, (int fd), (fd), is_interrupted())
WRAP(ftruncate, (int fd, off_t length), (fd, length), false)
WRAP(renameat, (int from, const char *old, int to, const char *name), (from, old, to, name), false)
WRAP(unlinkat, (int dir, const char *name, int flags), (dir, name, flags), false)

static void kernel_works(void)
{
    kernel.fail_at = 0;
    kernel.interrupts = false;
    kernel.is_short = false;
    kernel.no_allocation = false;
}

/* ---- One call fails ---- */

/* A life in which anything may fail. Only what was said to be appended counts. */
static uint32_t live(const struct folder *folder, uint32_t appended, bool *ret_refused)
{
    struct laz_spool *spool = NULL;
    struct laz_spool_left left;
    struct laz_err err = {0};
    struct laz_spool_options options = options_of(folder, 1);
    *ret_refused = false;
    if (laz_spool_open(&options, &spool, &left, &err) < 0) {
        cr_assert(err.kind == LAZ_E_SPOOL, "%s", err.message);
        *ret_refused = true;
        return appended;
    }
    if (appended > 0) {
        expect_tail(spool, appended - 1); /* whoever opens it knows how far the chain has come */
    }
    for (int i = 0; i < 3; i++) {
        err = (struct laz_err){0};
        if (try_append(spool, appended, 400000, false, &err) == 0) {
            appended++;
        } else {
            cr_assert_eq(err.kind, LAZ_E_SPOOL, "%s", err.message);
            *ret_refused = true;
        }
        err = (struct laz_err){0};
        if (laz_spool_sync(spool, &err) < 0) {
            cr_assert_eq(err.kind, LAZ_E_SPOOL, "%s", err.message);
            *ret_refused = true;
        }
        err = (struct laz_err){0};
        if (laz_spool_save_cursor(spool, "siem", laz_spool_end(spool), &err) < 0) {
            cr_assert_eq(err.kind, LAZ_E_SPOOL, "%s", err.message);
            *ret_refused = true;
        }
    }
    kill_writer(spool);
    return appended;
}

/* Each call of two lives in turn: once, and from then on for good. */
static void every_call_fails(int with, bool on)
{
    struct folder folder = new_folder();
    unsigned long n = 0;
    unsigned long refusals = 0;
    for (;;) {
        empty_folder(&folder);
        kernel_works();
        kernel.calls = 0;
        kernel.fail_at = ++n;
        kernel.with = with;
        kernel.on = on;
        bool first = false;
        bool second = false;
        uint32_t appended = live(&folder, 0, &first);
        appended = live(&folder, appended, &second);
        bool was_reached = kernel.calls >= n;
        refusals += first || second;
        kernel_works();
        struct laz_spool *spool = open_run(&folder, 1);
        expect_blocks(spool, 0, appended, 400000);
        append(spool, appended, 400000);
        expect_blocks(spool, 0, appended + 1, 400000);
        laz_spool_free(spool);
        if (!was_reached) {
            break;
        }
    }
    cr_assert_gt(n, 40, "%lu calls", n);
    cr_assert_gt(refusals, n / 3, "%lu of %lu failures were told", refusals, n);
    drop_folder(&folder);
}

Test(spool_faults, one_error_of_the_disk_costs_no_block, .timeout = 240)
{
    every_call_fails(EIO, false);
}

Test(spool_faults, a_disk_that_is_broken_for_good_costs_no_block, .timeout = 240)
{
    every_call_fails(EIO, true);
}

Test(spool_faults, a_disk_that_is_full_for_a_moment_costs_no_block, .timeout = 240)
{
    every_call_fails(ENOSPC, false);
}

Test(spool_faults, a_failed_write_is_cut_off)
{
    static uint8_t bytes[2 * MIB];
    struct folder folder = new_folder();
    struct laz_spool *spool = open_run(&folder, 1);
    struct laz_err err = {0};
    append(spool, 0, SIZE);
    size_t end = laz_spool_end(spool).offset;
    kernel.calls = 0;
    kernel.fail_at = 1;
    kernel.with = ENOSPC; /* half of it was written */
    cr_assert_eq(try_append(spool, 1, SIZE, false, &err), -1);
    cr_assert_eq(err.kind, LAZ_E_SPOOL);
    cr_assert_eq(err.sys_errno, ENOSPC, "%s", err.message);
    kernel_works();
    cr_expect_eq(get_file(&folder, "00000001.lzs", bytes, sizeof(bytes)), end);
    cr_expect_eq(laz_spool_end(spool).offset, end);
    append(spool, 1, SIZE);
    cr_expect_eq(laz_spool_end(spool).segment, 2);
    expect_blocks(spool, 0, 2, SIZE);
    cr_expect(has_file(&folder, "00000002.lzs"));
    laz_spool_free(spool);
    drop_folder(&folder);
}

/* What could not be cut off is not taken for a block: the successor says where the segment ends. */
Test(spool_faults, what_cannot_be_cut_off_is_no_damage)
{
    static uint8_t bytes[2 * MIB];
    struct folder folder = new_folder();
    const char *const keys[] = {x25519_public};
    struct laz_spool_options options = options_of(&folder, 1);
    struct laz_spool_left left;
    options.n_seal_to = 1;
    options.seal_to = keys;
    struct laz_spool *spool = open_with(&options, &left);
    struct laz_err err = {0};
    append(spool, 0, SIZE);
    kernel.calls = 0;
    kernel.fail_at = 1;
    kernel.with = ENOSPC;
    kernel.on = true;
    cr_assert_eq(try_append(spool, 1, SIZE, false, &err), -1);
    kernel_works();
    cr_assert_gt(get_file(&folder, "00000001.lzs", bytes, sizeof(bytes)), 2 * SIZE);
    append(spool, 1, SIZE);
    expect_blocks(spool, 0, 2, SIZE);
    kill_writer(spool);
    for (uint8_t run = 2; run > 0; run--) { /* another, with the key; then a successor */
        options = options_of(&folder, run);
        options.open_with = x25519_private;
        spool = open_with(&options, &left);
        expect_blocks(spool, 0, 2, SIZE);
        kill_writer(spool);
    }
    cr_expect_lt(get_file(&folder, "00000001.lzs", bytes, sizeof(bytes)), 2 * SIZE);
    drop_folder(&folder);
}

Test(spool_faults, interrupted_and_short_calls_are_gone_on_with)
{
    for (int how = 0; how < 3; how++) {
        struct folder folder = new_folder();
        kernel.interrupts = how == 0;
        kernel.is_short = how == 1;
        kernel.no_allocation = how == 2;
        struct laz_spool *spool = open_run(&folder, 1);
        for (uint32_t n = 0; n < 5; n++) {
            append(spool, n, 400000);
        }
        expect_blocks(spool, 0, 5, 400000);
        kill_writer(spool);
        spool = open_run(&folder, 1);
        expect_blocks(spool, 0, 5, 400000);
        kernel_works();
        struct stat status;
        cr_expect_eq(fstatat(folder.fd, "00000004.lzs", &status, 0), 0);
        cr_expect_eq((uint64_t)status.st_size, MIB, "it is allocated whole");
        cr_expect_geq((uint64_t)status.st_blocks * 512, MIB);
        laz_spool_free(spool);
        drop_folder(&folder);
    }
}

/* ---- Disks that are full ---- */

/* A file system of three MiB over the folder. false: nobody lets us. */
static bool small_disk(struct folder *folder)
{
    if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount("tmpfs", folder->path, "tmpfs", 0, "size=3m") < 0) {
        return false;
    }
    laz_fd_close(&folder->fd);
    folder->fd = open(folder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return folder->fd >= 0;
}

/* Where nothing can be mounted, files may not grow that far: the same calls fail. */
static void small_files(void)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    const struct rlimit limit = {.rlim_cur = MIB / 2, .rlim_max = MIB / 2};
    cr_assert_eq(sigaction(SIGXFSZ, &ignore, NULL), 0);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

Test(spool_faults, a_full_disk_shows_when_a_segment_is_begun)
{
    struct folder folder = new_folder();
    struct laz_err err = {0};
    uint32_t n = 0;
    if (!small_disk(&folder)) {
        struct laz_spool *none = NULL;
        struct laz_spool_left left;
        const struct laz_spool_options options = options_of(&folder, 1);
        small_files();
        cr_assert_eq(laz_spool_open(&options, &none, &left, &err), -1);
        cr_assert_eq(err.kind, LAZ_E_SPOOL, "%s", err.message);
        cr_assert_eq(err.sys_errno, EFBIG);
        cr_assert(!has_file(&folder, "segment.new"), "nothing is left behind");
        drop_folder(&folder);
        return;
    }
    struct laz_spool *spool = open_run(&folder, 1);
    while (try_append(spool, n, 100000, false, &err) == 0) {
        n++;
    }
    cr_assert_eq(err.kind, LAZ_E_SPOOL, "%s", err.message);
    cr_assert_eq(err.sys_errno, ENOSPC, "%s", err.message);
    cr_assert(n >= 20 && n <= 31, "%u", n); /* three segments, the closed ones cut */
    cr_assert(!has_file(&folder, "segment.new"), "nothing is left behind");
    expect_blocks(spool, 0, n, 100000);
    laz_spool_release(spool, laz_spool_end(spool));
    append(spool, n, 100000);
    laz_spool_free(spool);
    empty_folder(&folder);
    cr_assert_eq(umount2(folder.path, MNT_DETACH), 0);
    laz_fd_close(&folder.fd);
    cr_assert_eq(rmdir(folder.path), 0);
}
