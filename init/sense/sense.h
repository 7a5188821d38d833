/* SPDX-License-Identifier: Apache-2.0
 *
 * The role `sense`, in one process: looks at processes, ports and files from time to time, compares
 * them with what they were and with what the policy expects, and says what it finds. Changes
 * nothing, connects to nobody. One event loop, one thread.
 */
#ifndef LAZ_INIT_SENSE_SENSE_H
#define LAZ_INIT_SENSE_SENSE_H

#include <event2/event.h>
#include <stddef.h>
#include <sys/types.h>

#include "core/json.h"
#include "init/role/orders.h"
#include "init/sense/kept.h"
#include "init/sense/volumes.h"
#include "ipc/msg.h"
#include "policy/sense.h"
#include "sense/events.h"
#include "sense/file.h"
#include "sense/process.h"
#include "sense/socket.h"

#define LAZ_SENSE_THREADS_MAX 8192 /* that one look looks at, beside each process's first */
#define LAZ_SENSE_FOLDERS_MAX 8192 /* that inotify watches */
#define LAZ_SENSE_PATH_MAX    4096
#define LAZ_SENSE_WHY_MAX     256
#define LAZ_SENSE_PROC_PATH   64 /* "4194304/task/4194304/cmdline" */

/* ---- What is this process's alone ---- */

struct laz_sense_folder {
    int wd;
    char *path; /* owned */
};

/* Watched files: files.c. */
struct laz_sense_files {
    int inotify; /* -1: there is none */
    struct event *event;
    struct laz_sense_folder *folders; /* owned; that inotify watches */
    size_t n_folders;
    uint32_t *index;      /* owned; by hash of the path: number in state->files, plus 1 */
    uint32_t *seen;       /* owned; by number: the sweep that saw it */
    uint8_t *is_due;      /* owned; by number: its content is to be read */
    uint64_t *checked_ns; /* owned; by number: when it was looked at for an event */
    uint64_t *busy_ns;    /* owned; by number: since when it cannot be read in peace; 0: it can */
    uint32_t sweep;
    uint32_t next_due; /* where the reading of contents goes on */
    uint64_t next_sweep_ns;
    uint64_t next_rehash_ns;
    uint64_t took_ns; /* the last sweep */
    bool is_beginning;
    uint32_t n_unwatched;
    uint32_t n_unreadable;
    char first_unreadable[LAZ_SENSE_WHY_MAX];
};

struct laz_sense {
    struct laz_role_ear ear;
    struct event_base *base;
    struct event *orders_event;
    struct event *timer;
    uint8_t section[LAZ_SENSE_MAX];
    struct laz_sense_config config; /* points into it */
    bool has_config;
    bool has_begun;
    int state_fd;
    int events;                    /* the pipe for what is found */
    struct laz_sense_state *state; /* mapped */
    bool is_first;                 /* what is there now is what is to stay */
    bool is_late; /* the workload was there before us: its files and ports are held to be right
                   */
    int proc;     /* the folder /proc */
    pid_t init;
    bool sees_programs;   /* of the workload's processes */
    bool sees_sockets;    /* which process has which: for the same user alone */
    int landlock_abi;     /* 0: not in use */
    uint16_t first_given; /* ports that the kernel gives to whoever asks for none */
    uint16_t last_given;
    char why[LAZ_DETECTOR_COUNT][LAZ_SENSE_WHY_MAX]; /* not "": it cannot work, and why */
    bool limit_said[LAZ_DETECTOR_COUNT];             /* there is more than there is room for */
    uint64_t next_look_ns;                           /* at processes and ports, at the earliest */
    uint32_t threads_left;                           /* that this look still looks at */
    struct laz_sense_files files;
    struct laz_sense_volumes volumes;
};

uint64_t laz_sense_now_ns(void);  /* CLOCK_BOOTTIME */
uint64_t laz_sense_used_ns(void); /* of the processor, so far */
bool laz_sense_is_on(const struct laz_sense *sense, enum laz_detector detector);

/* ---- tell.c: what is found, into the pipe ---- */

/* Begin a find; then add members of d through *json; then tell. */
void laz_sense_find(struct laz_find *ret, enum laz_sense_event_id event, struct laz_json *json,
        struct laz_buf *detail);
/* False if there is no room: then what was found is to be found again, or lost and counted. */
LAZ_MUST_CHECK bool laz_sense_try(
        struct laz_sense *sense, struct laz_find *find, struct laz_buf *detail);
/* It is written by the next flush: by then the state says that it has been found. */
void laz_sense_tell(struct laz_sense *sense, struct laz_find *find, struct laz_buf *detail);
/* Write what is due; all of it, if that is the end. */
void laz_sense_flush(struct laz_sense *sense, bool all);

/* ---- status.c: one process, as /proc has it ---- */

enum laz_sense_status {
    LAZ_SENSE_STATUS_NONE, /* it is gone, or will be when its parent looks */
    LAZ_SENSE_STATUS_READ,
    LAZ_SENSE_STATUS_ILLEGIBLE,
};

struct laz_sense_process {
    struct laz_process_status status; /* of a thread that lives; its pid is the process's */
    pid_t thread;                     /* which one */
    uint32_t drifts;                  /* of all threads that live */
    bool is_headless;                 /* the first has ended */
};

/* `said` are drifts that are known: of the threads, one with another drift is the one in ret. */
enum laz_sense_status laz_sense_read_process(
        struct laz_sense *sense, pid_t pid, uint32_t said, struct laz_sense_process *ret);
/* The path below /proc of a file that says what a living thread has: "42/exe". */
void laz_sense_path(const struct laz_sense *sense, const struct laz_sense_known *known,
        const char *file, char *ret, size_t size);
/* Bytes that were read; 0 if it cannot be. */
size_t laz_sense_read_text(int proc, const char *path, char *memory, size_t size);

/* ---- processes.c ---- */

void laz_sense_look_at_processes(struct laz_sense *sense);

enum laz_sense_owner {
    LAZ_SENSE_OWNER_OURS, /* a helper of init's */
    LAZ_SENSE_OWNER_WORKLOAD,
    LAZ_SENSE_OWNER_UNKNOWN, /* nobody of this container, as far as we can see */
};

/* Whose is something of this user, which this process has; 0: nobody whom we may ask. Where
 * helpers have no users of their own, a process that we may not ask could be one of them. */
enum laz_sense_owner laz_sense_judge_owner(const struct laz_sense *sense, pid_t pid, uint32_t uid);

/* ---- programs.c: what a process of the workload executes ---- */

/* A process that has not executed yet what init started it for may be hidden. */
void laz_sense_look_at_program(
        struct laz_sense *sense, struct laz_sense_known *known, bool may_be_hidden);
/* Who has this socket open? 0: nobody whom we may ask. */
pid_t laz_sense_find_owner(struct laz_sense *sense, uint64_t inode, char *ret_name, size_t size);

/* ---- ports.c ---- */

void laz_sense_look_at_ports(struct laz_sense *sense);

/* ---- plain.c ---- */

/* A line of /proc/net/tcp: is it clear text that leaves the container? */
void laz_sense_look_at_connection(struct laz_sense *sense, const struct laz_socket *socket);

/* ---- files.c, facts.c ---- */

LAZ_MUST_CHECK int laz_sense_files_open(struct laz_sense *sense, struct laz_err *err);
LAZ_MUST_CHECK int laz_sense_files_begin(struct laz_sense *sense, struct laz_err *err);
/* A turn of the timer: the sweep if it is due, and some contents. */
void laz_sense_look_at_files(struct laz_sense *sense, uint64_t now_ns);
/* At the end: the sweep, if it is a short one. */
void laz_sense_sweep_at_last(struct laz_sense *sense);

/* What there is by that name; is_there 0: nothing. The content is LAZ_CONTENT_NONE so far. False
 * if we may not know. */
bool laz_sense_stat(const char *path, struct laz_file_facts *ret);
/* The content of what `facts` describes, into it. False if it changed meanwhile. */
bool laz_sense_read_content(const char *path, struct laz_file_facts *facts);

/* ---- narrow.c ---- */

LAZ_MUST_CHECK int laz_sense_take_user(struct laz_sense *sense, struct laz_err *err);
LAZ_MUST_CHECK int laz_sense_narrow(struct laz_sense *sense, struct laz_err *err);

/* ---- start.c ---- */

/* LAZ_E_SENSE if a detector that is required cannot work. */
LAZ_MUST_CHECK int laz_sense_check_required(const struct laz_sense *sense, struct laz_err *err);
void laz_sense_tell_start(struct laz_sense *sense);
/* There is more of something than it can look at: said once. */
void laz_sense_tell_limit(
        struct laz_sense *sense, enum laz_detector detector, const char *what, uint32_t max);

/* The role itself; the channel is descriptor 3. */
_Noreturn void laz_role_sense(int chan);

#endif
