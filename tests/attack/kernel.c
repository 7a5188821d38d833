/* SPDX-License-Identifier: Apache-2.0
 *
 * Attempts on parts of the kernel that a web service has no business with. Calls that would change
 * the machine are made with arguments that the kernel refuses after the check of permissions.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <linux/landlock.h>
#include <linux/perf_event.h>
#include <linux/userfaultfd.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "attack.h"
#include "numbers.h"

int attack_io_uring_setup(struct attack_note *note)
{
    (void)note;
    struct io_uring_params params = {0};
    return attack_result_fd(syscall(SYS_io_uring_setup, 4, &params));
}

static void *map_ring(int ring, size_t size, long offset)
{
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, offset);
    return at == MAP_FAILED ? NULL : at;
}

static uint32_t *ring_word(void *ring, uint32_t offset)
{
    return (uint32_t *)(void *)((char *)ring + offset);
}

/* Opening a file without the system call that opens files. */
int attack_io_uring_open(struct attack_note *note)
{
    (void)note;
    struct io_uring_params params = {0};
    int ring = (int)syscall(SYS_io_uring_setup, 4, &params);
    if (ring < 0) {
        return errno;
    }
    void *queues = map_ring(ring, 8192, IORING_OFF_SQ_RING);
    struct io_uring_sqe *entry =
            map_ring(ring, params.sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
    if (queues == NULL || entry == NULL) {
        return errno;
    }
    *entry = (struct io_uring_sqe){.opcode = IORING_OP_OPENAT,
            .fd = AT_FDCWD,
            .addr = (uint64_t)(uintptr_t) "/secret",
            .open_flags = O_RDONLY};
    *ring_word(queues, params.sq_off.array) = 0;
    __atomic_store_n(ring_word(queues, params.sq_off.tail), 1, __ATOMIC_RELEASE);
    if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) != 1) {
        return errno;
    }
    const struct io_uring_cqe *done =
            (const struct io_uring_cqe *)(void *)((char *)queues + params.cq_off.cqes);
    return done->res < 0 ? -done->res : 0;
}

int attack_bpf(struct attack_note *note)
{
    (void)note;
    union bpf_attr map;
    memset(&map, 0, sizeof(map));
    map.map_type = BPF_MAP_TYPE_ARRAY;
    map.key_size = 4;
    map.value_size = 4;
    map.max_entries = 1;
    return attack_result_fd(syscall(SYS_bpf, BPF_MAP_CREATE, &map, sizeof(map)));
}

int attack_perf(struct attack_note *note)
{
    (void)note;
    struct perf_event_attr event = {.type = PERF_TYPE_SOFTWARE,
            .size = sizeof(event),
            .config = PERF_COUNT_SW_TASK_CLOCK,
            .exclude_kernel = 1,
            .exclude_hv = 1};
    return attack_result_fd(syscall(SYS_perf_event_open, &event, 0, -1, -1, 0));
}

int attack_userfaultfd(struct attack_note *note)
{
    (void)note;
    return attack_result_fd(syscall(SYS_userfaultfd, O_CLOEXEC | 1 /* UFFD_USER_MODE_ONLY */));
}

int attack_keyctl(struct attack_note *note)
{
    (void)note;
    return attack_result(
            syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_PROCESS_KEYRING, 1, 0, 0));
}

int attack_add_key(struct attack_note *note)
{
    (void)note;
    return attack_result(syscall(SYS_add_key, "user", "attack", "x", 1, KEY_SPEC_PROCESS_KEYRING));
}

int attack_request_key(struct attack_note *note)
{
    (void)note;
    /* ENOKEY: looked for, and not there. */
    return attack_reached(syscall(SYS_request_key, "user", "attack-absent", NULL, 0), ENOKEY);
}

int attack_init_module(struct attack_note *note)
{
    (void)note;
    return attack_reached(syscall(SYS_init_module, "", 0, ""), ENOEXEC);
}

int attack_finit_module(struct attack_note *note)
{
    (void)note;
    return attack_reached(syscall(SYS_finit_module, -1, "", 0), EBADF);
}

int attack_kexec_load(struct attack_note *note)
{
    (void)note;
    return attack_reached(
            syscall(SYS_kexec_load, 0, 17, NULL, 0), EINVAL); /* 17 segments: too many */
}

int attack_reboot(struct attack_note *note)
{
    (void)note;
    return attack_reached(syscall(SYS_reboot, 0, 0, 0, NULL), EINVAL); /* no magic numbers */
}

int attack_clock_settime(struct attack_note *note)
{
    (void)note;
    struct timespec never = {.tv_sec = -1, .tv_nsec = -1};
    return attack_result(syscall(SYS_clock_settime, CLOCK_REALTIME, &never));
}

int attack_settimeofday(struct attack_note *note)
{
    (void)note;
    return attack_result(syscall(SYS_settimeofday, NULL, NULL)); /* nothing to set */
}

int attack_sethostname(struct attack_note *note)
{
    (void)note;
    char name[65] = "";
    if (gethostname(name, sizeof(name) - 1) != 0) {
        return errno;
    }
    return attack_result(sethostname(name, strlen(name))); /* the name that it has */
}

#if defined(__x86_64__)
int attack_iopl(struct attack_note *note)
{
    (void)note;
    return attack_result(syscall(SYS_iopl, 3));
}

int attack_ioperm(struct attack_note *note)
{
    (void)note;
    return attack_result(syscall(SYS_ioperm, 0x80, 1, 1));
}

int attack_modify_ldt(struct attack_note *note)
{
    (void)note;
    char table[16];
    return attack_result(syscall(SYS_modify_ldt, 0, table, sizeof(table)));
}
#else
int attack_iopl(struct attack_note *note)
{
    return attack_say(note, "n/a");
}

int attack_ioperm(struct attack_note *note)
{
    return attack_say(note, "n/a");
}

int attack_modify_ldt(struct attack_note *note)
{
    return attack_say(note, "n/a");
}
#endif

int attack_personality_norandom(struct attack_note *note)
{
    (void)note;
    return attack_result(personality(ADDR_NO_RANDOMIZE));
}

int attack_personality_exec(struct attack_note *note)
{
    (void)note;
    return attack_result(personality(READ_IMPLIES_EXEC));
}

int attack_fanotify(struct attack_note *note)
{
    (void)note;
    return attack_result_fd(fanotify_init(FAN_CLASS_NOTIF | FAN_REPORT_FID, O_RDONLY));
}

int attack_syslog(struct attack_note *note)
{
    (void)note;
    return attack_result(syscall(SYS_syslog, 10 /* SYSLOG_ACTION_SIZE_BUFFER */, NULL, 0));
}

int attack_memfd_secret(struct attack_note *note)
{
    (void)note;
    return attack_result_fd(syscall(SYS_memfd_secret, 0));
}

int attack_remap_file_pages(struct attack_note *note)
{
    (void)note;
    size_t page = (size_t)sysconf(_SC_PAGESIZE); /* aarch64 has three sizes */
    void *at = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return at == MAP_FAILED ? errno : attack_result(remap_file_pages(at, page, 0, 1, 0));
}

int attack_vmsplice(struct attack_note *note)
{
    (void)note;
    int ends[2];
    struct iovec data = {.iov_base = ends, .iov_len = 1};
    if (pipe(ends) != 0) {
        return errno;
    }
    return attack_result(vmsplice(ends[1], &data, 1, 0));
}

int attack_set_mempolicy(struct attack_note *note)
{
    (void)note;
    return attack_result(syscall(SYS_set_mempolicy, 0 /* MPOL_DEFAULT */, NULL, 0));
}

int attack_landlock_own(struct attack_note *note)
{
    (void)note;
    return attack_result(
            syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION));
}
