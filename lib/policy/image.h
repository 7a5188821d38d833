/* SPDX-License-Identifier: Apache-2.0
 *
 * The compiled policy: one bounded, self-describing block of bytes that lazaret-setup or `lazaret
 * policy compile` writes and PID 1 reads. Decoding copies nothing and allocates nothing: the
 * decoded form points into the block, which must outlive it. Format:
 * docs/reference/policy-image.md.
 */
#ifndef LAZ_POLICY_IMAGE_H
#define LAZ_POLICY_IMAGE_H

#include <linux/filter.h>

#include "core/buf.h"
#include "core/sha256.h"
#include "policy/vocabulary.h"

#define LAZ_IMAGE_MAGIC          "LAZPOLIC" /* the first eight bytes */
#define LAZ_IMAGE_VERSION        5
#define LAZ_IMAGE_MAX            131072 /* bytes, 128 KiB; a large policy is a tenth of it */
#define LAZ_IMAGE_BPF_MAX        2048   /* instructions; the kernel's own limit is 4096 */
#define LAZ_IMAGE_GROUPS_MAX     64
#define LAZ_IMAGE_PORTS_MAX      1024
#define LAZ_IMAGE_EXIT_MAP_MAX   256
#define LAZ_IMAGE_STRINGS_MAX    4096 /* entries of one list */
#define LAZ_IMAGE_PIPE_MAX       1048576
#define LAZ_IMAGE_SHIP_MAX       12288 /* bytes of what the helper is told: one message */
#define LAZ_IMAGE_SENSE_MAX      12288 /* likewise */
#define LAZ_IMAGE_FETCH_MAX      12288 /* likewise */
#define LAZ_IMAGE_TUNNEL_MAX     12288 /* likewise */
#define LAZ_IMAGE_HEALTH_MAX     12288 /* likewise */
#define LAZ_IMAGE_COMMANDS_MAX   8     /* checks that are commands */
#define LAZ_IMAGE_ARGS_MAX       32    /* words of one */
#define LAZ_IMAGE_IDENTITIES_MAX 16
#define LAZ_IMAGE_TUNNELS_MAX    16    /* sockets of it that listen */
#define LAZ_IMAGE_FETCHED_MAX    32    /* items that are fetched */
#define LAZ_IMAGE_SECRET_MAX     65536 /* bytes of the value of one, before it has its form */
#define LAZ_IMAGE_TOGETHER_MAX   8     /* groups of items that are renewed together */
#define LAZ_IMAGE_RENEWAL_BYTES  3     /* of what is said of the renewal of an item */
#define LAZ_IMAGE_DELIVERIES_MAX 96
#define LAZ_IMAGE_BELOW_MAX      255 /* bytes of the path of a file that is delivered */
#define LAZ_IMAGE_FD_MIN         10  /* of descriptors that are delivered: below are the shells' */
#define LAZ_IMAGE_FD_MAX         255
#define LAZ_IMAGE_FD_VARIABLE    1 /* stands for a variable of the workload's environment */

/* `n` strings, each ended by NUL, back to back. */
struct laz_strings {
    uint32_t n;
    const char *first; /* borrowed from the block */
};

struct laz_image_path {
    enum laz_path_class class;
    bool optional;
    const char *path;
};

struct laz_image_limit {
    uint32_t resource; /* RLIMIT_* */
    uint64_t value;
};

struct laz_image_exit {
    uint8_t from;
    uint8_t to;
    bool only_if_stop_requested;
};

/* Where the value of an item goes: one of each kind of it at the most. */
struct laz_image_delivery {
    uint32_t item;
    uint32_t fd;      /* the workload's descriptor; 0: a file; LAZ_IMAGE_FD_VARIABLE */
    uint32_t mode;    /* 0400, 0440 or 0444; of a descriptor or a variable 0400 */
    const char *path; /* of the file, below secrets_dir, without "." and ".."; of a descriptor "";
                       * or the variable's name */
};

/* Is an item asked for again, and who hears of a change? */
struct laz_image_renewal {
    bool is_renewed;
    uint8_t signal; /* 0: none */
    uint8_t group;  /* items with one number are renewed together, or not at all; 0: by itself */
};

struct laz_image_bpf {
    uint32_t n;
    const struct sock_filter *insns; /* borrowed, 8-byte aligned */
};

struct laz_image {
    uint32_t audit_arch;
    uint8_t source_digest[LAZ_SHA256_SIZE];
    const char *name;
    enum laz_mode mode;
    enum laz_level require[LAZ_REQUIRE_COUNT];
    uint32_t landlock_min_abi;

    uint32_t uid;
    uint32_t gid;
    uint32_t n_groups;
    uint32_t groups[LAZ_IMAGE_GROUPS_MAX];
    const char *cwd;
    uint32_t umask;
    struct laz_strings env_pass;
    struct laz_strings env_set;
    int32_t exec_budget; /* attempts of execve, the workload's own start included; -1 = no budget */

    uint64_t keep_capabilities;
    uint32_t n_limits;
    struct laz_image_limit limits[LAZ_LIMIT_COUNT];

    uint32_t n_paths;
    const uint8_t *paths;       /* walk with laz_image_path_next */
    const char *also_read_exec; /* in no block: of who enters (--read-exec); NULL: nothing */
    bool isolate_signals;
    bool isolate_abstract_sockets;
    bool tcp_bind_any;
    bool tcp_connect_any;
    enum laz_plain tls_plain; /* clear text to some ports: by these rules, and by sense */
    uint32_t n_tcp_bind;
    uint32_t n_tcp_connect;
    const uint16_t *tcp_bind;    /* borrowed, aligned */
    const uint16_t *tcp_connect; /* borrowed, aligned */

    /* with_events refuses by notification. plain refuses by errno; it is loaded where notifications
     * are not to be had, and it is what PID 1 evaluates to learn which errno a notified call gets.
     */
    struct laz_image_bpf with_events;
    struct laz_image_bpf plain;

    uint32_t flood_burst;
    uint32_t flood_per_second;
    uint32_t flood_hold_ms;
    uint32_t flood_kill_after;

    uint8_t signal_map[LAZ_SIGNAL_MAX + 1];
    uint64_t signal_guard; /* sets by LAZ_SIGNAL_BIT */
    uint64_t signal_group;
    uint64_t signal_stop;
    uint32_t n_exit_map;
    struct laz_image_exit exit_map[LAZ_IMAGE_EXIT_MAP_MAX];

    uint32_t stop_timeout_ms;
    uint32_t lb_grace_ms;
    uint32_t grace_ms;
    uint32_t drain_ms;
    uint32_t flush_ms;

    struct laz_strings relaxations;

    bool ships; /* there are sinks; if not, all up to `fetches` is zero */
    bool capture;
    bool passthrough;
    bool start_acked; /* the workload waits until every required sink has what the start wrote */
    uint32_t pipe_bytes;
    uint32_t start_wait_ms;
    const char *spool_dir;
    const uint8_t *ship; /* borrowed: for laz_ship_decode, in lazaret-helper */
    uint32_t ship_length;
    const uint8_t *sense;  /* borrowed: for laz_sense_decode, in lazaret-helper */
    uint32_t sense_length; /* 0: there is no such helper */
    bool sense_required;   /* nothing runs without it */

    bool fetches; /* there are secrets; if not, all that follows is zero */
    const char *secrets_dir;
    uint32_t fetch_wait_ms;
    const uint8_t *fetch; /* borrowed: for laz_fetch_decode, in lazaret-helper */
    uint32_t fetch_length;
    struct laz_strings fetched;   /* their names, and, by the same number, */
    struct laz_strings inherited; /* the variable of the environment that each is, and, one more,
                                   * that Vault's token is; "": none */
    uint32_t n_deliveries;
    const uint8_t *deliveries; /* walk with laz_image_delivery_next */
    uint32_t refresh_ms;       /* 0: nothing is renewed, and all that follows is zero */
    uint32_t refresh_jitter;   /* per cent of it */
    uint32_t refresh_least_ms;
    uint32_t stale_ms;
    enum laz_stale_then stale_then;
    uint32_t retire_ms;      /* secrets.grace */
    const uint8_t *renewals; /* LAZ_IMAGE_RENEWAL_BYTES for each item: laz_image_renewal_at */

    uint32_t n_tunnels;    /* sockets that listen; 0: there is no such helper, and no more */
    uint32_t tunnels_in;   /* bit n: the one of entry n is for others than the workload */
    uint32_t n_identities; /* that it shows, and of each, */
    const uint8_t
            *identities;   /* borrowed: the item that is its chain, and the one that is its key */
    const uint8_t *tunnel; /* borrowed: for laz_tunnel_decode, in lazaret-helper */
    uint32_t tunnel_length;

    bool watches;               /* there is the helper `health`; if not, all that follows is zero */
    bool health_shows;          /* an identity: its */
    uint8_t health_identity[2]; /* chain and key, numbers of items */
    uint32_t startup_deadline_ms; /* 0: no start-up checks */
    uint32_t lb_least_ms;         /* at most lb_grace_ms */
    struct laz_strings reported;  /* variables of the environment: colour and version; "": none */
    uint32_t n_commands;
    const uint8_t *commands; /* borrowed: laz_image_command */
    const uint8_t *health;   /* borrowed: for laz_health_decode, in lazaret-helper */
    uint32_t health_length;
};

/* Append the block to `ret`. LAZ_E_POLICY_TOO_LARGE if something is above its ceiling. */
LAZ_MUST_CHECK int laz_image_encode(
        const struct laz_image *image, struct laz_buf *ret, struct laz_err *err);

/* Decode a block of `length` bytes at an 8-byte aligned address. LAZ_E_IMAGE_CORRUPT, with what is
 * wrong, unless every field is in range, every string ends inside the block, no byte is left over,
 * the digest in the header matches and every filter is one that the kernel's checker would take. */
LAZ_MUST_CHECK int laz_image_decode(
        const void *block, size_t length, struct laz_image *ret, struct laz_err *err);

/* Walk the path rules: *cursor starts at image->paths; call n_paths times. */
void laz_image_path_next(const uint8_t **cursor, struct laz_image_path *ret);

/* Walk the deliveries: *cursor starts at image->deliveries; call n_deliveries times. */
void laz_image_delivery_next(const uint8_t **cursor, struct laz_image_delivery *ret);

/* Of one of the items that are fetched. */
struct laz_image_renewal laz_image_renewal_at(const struct laz_image *image, uint32_t item);

/* The words of a check's command, its absolute path first. */
struct laz_strings laz_image_command(const struct laz_image *image, uint32_t number);

/* Walk strings: *cursor starts at list->first; returns the current one and moves on. */
const char *laz_strings_next(const char **cursor);

/* SHA-256 over both filters: what init.start reports as the filter's digest. */
void laz_image_filter_digest(const struct laz_image *image, uint8_t ret[LAZ_SHA256_SIZE]);

#endif
