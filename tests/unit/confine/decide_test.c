/* SPDX-License-Identifier: Apache-2.0
 *
 * What is decided before the fork, from what was probed: for each thing that may be missing, a
 * refusal by name where the policy requires it, a degradation by name where it does not.
 */
#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "confine/landlock.h"
#include "confine/probe.h"
#include "confine/sys.h"

#define CAP(name) (UINT64_C(1) << CAP_##name)
#define BIT(name) LAZ_DEGRADED_BIT(name)
#define REQUIRE(...)                                                                               \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }
#define ALL       (CAP(SETUID) | CAP(SETGID) | CAP(SETPCAP) | CAP(KILL))
#define PREFERRED LAZ_LEVEL_PREFERRED
#define REQUIRED  LAZ_LEVEL_REQUIRED
#define DISABLED  LAZ_LEVEL_DISABLED

/* A container that has everything, and a policy that prefers everything. */
static struct laz_probe good_probe(void)
{
    return (struct laz_probe){.effective = ALL, .landlock_abi = 6};
}

static struct laz_image good_image(void)
{
    struct laz_image image = {.uid = 10001, .gid = 10002, .exec_budget = 1, .landlock_min_abi = 1};
    for (size_t i = 0; i < LAZ_REQUIRE_COUNT; i++) {
        image.require[i] = PREFERRED;
    }
    return image;
}

/* One row: what is changed of the two, and what comes of it. */
struct row {
    const char *name;
    void (*change)(struct laz_probe *probe, struct laz_image *image);
    laz_degraded degraded;     /* if it is decided */
    enum laz_err_kind refusal; /* LAZ_E_NONE: it is decided */
    const char *words;         /* of the refusal */
};

#define CHANGE(name, ...)                                                                          \
    static void name(struct laz_probe *probe, struct laz_image *image)                             \
    {                                                                                              \
        (void)probe;                                                                               \
        (void)image;                                                                               \
        __VA_ARGS__                                                                                \
    }

CHANGE(nothing, )
CHANGE(no_setuid, probe->effective &= ~CAP(SETUID);)
CHANGE(no_setgid, probe->effective &= ~CAP(SETGID);)
CHANGE(another_user, probe->effective = 0; probe->uid = 5; probe->gid = 6;)
CHANGE(his_user, probe->effective = 0; probe->uid = 10001; probe->gid = 10002;)
CHANGE(his_user_another_group, probe->effective = 0; probe->uid = 10001; probe->gid = 6;)
CHANGE(his_user_separate, probe->effective = 0; probe->uid = 10001; probe->gid = 10002;
        image->require[LAZ_REQUIRE_SEPARATE_USER] = REQUIRED;)
CHANGE(his_user_whatever, probe->effective = 0; probe->uid = 10001; probe->gid = 10002;
        image->require[LAZ_REQUIRE_SEPARATE_USER] = DISABLED;)
CHANGE(no_setpcap, probe->effective &= ~CAP(SETPCAP);)
CHANGE(no_setpcap_required, probe->effective &= ~CAP(SETPCAP);
        image->require[LAZ_REQUIRE_BOUNDING_SET] = REQUIRED;)
CHANGE(keeps_what_it_lacks, image->keep_capabilities = CAP(NET_BIND_SERVICE);)
CHANGE(keeps_what_it_has, image->keep_capabilities = CAP(NET_BIND_SERVICE);
        probe->effective |= CAP(NET_BIND_SERVICE);)
CHANGE(no_kill, probe->effective &= ~CAP(KILL);)
CHANGE(no_landlock, probe->landlock_abi = 0; probe->landlock_errno = ENOSYS;)
CHANGE(no_landlock_plain, probe->landlock_abi = 0; probe->landlock_errno = EOPNOTSUPP;
        image->tls_plain = LAZ_PLAIN_ENFORCE;)
CHANGE(no_landlock_detect, probe->landlock_abi = 0; probe->landlock_errno = EOPNOTSUPP;
        image->tls_plain = LAZ_PLAIN_DETECT;)
CHANGE(no_landlock_required, probe->landlock_abi = 0; probe->landlock_errno = EOPNOTSUPP;
        image->require[LAZ_REQUIRE_LANDLOCK] = REQUIRED;)
CHANGE(no_landlock_wanted, probe->landlock_abi = 0;
        image->require[LAZ_REQUIRE_LANDLOCK] = DISABLED;)
CHANGE(old_landlock_required, probe->landlock_abi = 3; image->landlock_min_abi = 4;
        image->require[LAZ_REQUIRE_LANDLOCK] = REQUIRED;)
CHANGE(old_landlock, probe->landlock_abi = 1; image->landlock_min_abi = 4;)
CHANGE(old_landlock_no_ports, probe->landlock_abi = 3; image->tcp_bind_any = true;
        image->tcp_connect_any = true;)
CHANGE(old_landlock_isolates, probe->landlock_abi = 5; image->isolate_signals = true;)
CHANGE(old_landlock_isolates_sockets, probe->landlock_abi = 5;
        image->isolate_abstract_sockets = true;)
CHANGE(no_events, probe->notify_errno = ENOSYS;)
CHANGE(no_events_no_budget, probe->notify_errno = ENOSYS; image->exec_budget = -1;)
CHANGE(no_events_required, probe->notify_errno = EBUSY;
        image->require[LAZ_REQUIRE_EVENTS] = REQUIRED;)
CHANGE(no_events_budget_required, probe->notify_errno = E2BIG;
        image->require[LAZ_REQUIRE_EXEC_BUDGET] = REQUIRED;)
CHANGE(no_events_no_budget_required, probe->notify_errno = E2BIG; image->exec_budget = -1;
        image->require[LAZ_REQUIRE_EXEC_BUDGET] = REQUIRED;)
CHANGE(no_events_observe, probe->notify_errno = ENOSYS; image->mode = LAZ_MODE_OBSERVE;
        image->require[LAZ_REQUIRE_EVENTS] = DISABLED;)
CHANGE(no_events_wanted, image->require[LAZ_REQUIRE_EVENTS] = DISABLED;)
CHANGE(no_mdwe, probe->mdwe_errno = EINVAL;)
CHANGE(no_mdwe_required, probe->mdwe_errno = EINVAL;
        image->require[LAZ_REQUIRE_WRITE_XOR_EXECUTE] = REQUIRED;)
CHANGE(no_mdwe_wanted, probe->mdwe_errno = EINVAL;
        image->require[LAZ_REQUIRE_WRITE_XOR_EXECUTE] = DISABLED;)

static const struct row rows[] = {
        {"everything", nothing, 0, LAZ_E_NONE, ""},
        {"no CAP_SETUID", no_setuid, 0, LAZ_E_PRIVILEGE,
                "CAP_SETUID is missing: cannot become 10001:10002"},
        {"no CAP_SETGID", no_setgid, 0, LAZ_E_PRIVILEGE,
                "CAP_SETGID is missing: cannot become 10001:10002"},
        {"another user", another_user, 0, LAZ_E_USER_MISMATCH,
                "started as 5:6, but workload.user is 10001:10002"},
        {"the workload's user", his_user,
                BIT(GROUPS) | BIT(SHARED_USER) | BIT(SECUREBITS) | BIT(BOUNDING_SET), LAZ_E_NONE,
                ""},
        {"the workload's user, another group", his_user_another_group, 0, LAZ_E_USER_MISMATCH,
                "started as 10001:6, but workload.user is 10001:10002"},
        {"the workload's user, a separate one required", his_user_separate, 0,
                LAZ_E_REQUIRED_ABSENT, "requires.separate-user: not possible here"},
        {"the workload's user, never mind", his_user_whatever,
                BIT(GROUPS) | BIT(SECUREBITS) | BIT(BOUNDING_SET), LAZ_E_NONE, ""},
        {"no CAP_SETPCAP", no_setpcap, BIT(SECUREBITS) | BIT(BOUNDING_SET), LAZ_E_NONE, ""},
        {"no CAP_SETPCAP, required", no_setpcap_required, 0, LAZ_E_REQUIRED_ABSENT,
                "requires.bounding-set: Operation not permitted"},
        {"keeps what it lacks", keeps_what_it_lacks, 0, LAZ_E_PRIVILEGE,
                "privileges.capabilities.keep names capability 10, which lazaret-init does not "
                "have"},
        {"keeps what it has", keeps_what_it_has, 0, LAZ_E_NONE, ""},
        {"no CAP_KILL", no_kill, BIT(KILL), LAZ_E_NONE, ""},
        {"no Landlock", no_landlock, BIT(LANDLOCK), LAZ_E_NONE, ""},
        {"no Landlock, and clear text is to be refused", no_landlock_plain,
                BIT(LANDLOCK) | BIT(PLAIN), LAZ_E_NONE, ""},
        {"no Landlock, and clear text is to be seen", no_landlock_detect, BIT(LANDLOCK), LAZ_E_NONE,
                ""},
        {"no Landlock, required", no_landlock_required, 0, LAZ_E_REQUIRED_ABSENT,
                "requires.landlock: Operation not supported"},
        {"no Landlock, not wanted", no_landlock_wanted, 0, LAZ_E_NONE, ""},
        {"an old Landlock, required", old_landlock_required, 0, LAZ_E_REQUIRED_ABSENT,
                "requires.landlock: the kernel has ABI 3, min-abi is 4"},
        {"an old Landlock", old_landlock,
                BIT(LANDLOCK_REFER) | BIT(LANDLOCK_TRUNCATE) | BIT(LANDLOCK_NETWORK) |
                        BIT(LANDLOCK_IOCTL),
                LAZ_E_NONE, ""},
        {"an old Landlock, any port", old_landlock_no_ports, BIT(LANDLOCK_IOCTL), LAZ_E_NONE, ""},
        {"an old Landlock, signals isolated", old_landlock_isolates, BIT(LANDLOCK_SCOPE),
                LAZ_E_NONE, ""},
        {"an old Landlock, sockets isolated", old_landlock_isolates_sockets, BIT(LANDLOCK_SCOPE),
                LAZ_E_NONE, ""},
        {"no events", no_events, BIT(EVENTS) | BIT(EXEC_BUDGET), LAZ_E_NONE, ""},
        {"no events and no budget", no_events_no_budget, BIT(EVENTS), LAZ_E_NONE, ""},
        {"no events, required", no_events_required, 0, LAZ_E_REQUIRED_ABSENT,
                "requires.events or requires.exec-budget needs seccomp notifications: Device or "
                "resource busy"},
        {"no events, the budget required", no_events_budget_required, 0, LAZ_E_REQUIRED_ABSENT,
                "requires.events or requires.exec-budget needs seccomp notifications: Argument "
                "list too long"},
        {"no events, a budget required that is none", no_events_no_budget_required, BIT(EVENTS),
                LAZ_E_NONE, ""},
        {"no events, mode observe", no_events_observe, 0, LAZ_E_REQUIRED_ABSENT,
                "mode: observe needs seccomp notifications: Function not implemented"},
        {"events not wanted", no_events_wanted, BIT(EXEC_BUDGET), LAZ_E_NONE, ""},
        {"no write-xor-execute", no_mdwe, BIT(WRITE_XOR_EXECUTE), LAZ_E_NONE, ""},
        {"no write-xor-execute, required", no_mdwe_required, 0, LAZ_E_REQUIRED_ABSENT,
                "requires.write-xor-execute: Invalid argument"},
        {"no write-xor-execute, not wanted", no_mdwe_wanted, 0, LAZ_E_NONE, ""},
};

Test(decide, refuses_or_degrades_by_name)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *row = &rows[i];
        struct laz_probe probe = good_probe();
        struct laz_image image = good_image();
        struct laz_decided decided = {.landlock_abi = 77};
        struct laz_err err = {0};
        row->change(&probe, &image);
        int result = laz_probe_decide(&probe, &image, &decided, &err);
        cr_expect_eq(result, row->refusal == LAZ_E_NONE ? 0 : -1, "%s", row->name);
        cr_expect_eq(err.kind, row->refusal, "%s: %s", row->name, err.message);
        cr_expect_str_eq(err.message, row->words, "%s: %s", row->name, err.message);
        if (result < 0) {
            cr_expect_eq(decided.landlock_abi, 77, "%s: decided all the same", row->name);
            continue;
        }
        cr_expect_eq(decided.degraded, row->degraded, "%s: %#llx", row->name,
                (unsigned long long)decided.degraded);
    }
}

/* What is decided is what the child does. */
Test(decide, leaves_out_what_cannot_be_done)
{
    struct laz_probe probe = good_probe();
    struct laz_image image = good_image();
    struct laz_decided decided;
    struct laz_err err = {0};
    cr_assert_eq(laz_probe_decide(&probe, &image, &decided, &err), 0);
    cr_expect(decided.events && !decided.events_required && decided.change_user &&
            decided.drop_bounding && decided.landlock_abi == 6 && decided.write_xor_execute);
    image.mode = LAZ_MODE_OBSERVE;
    cr_assert_eq(laz_probe_decide(&probe, &image, &decided, &err), 0);
    cr_expect(decided.events_required);
    his_user(&probe, &image);
    no_landlock(&probe, &image);
    no_mdwe(&probe, &image);
    cr_assert_eq(laz_probe_decide(&probe, &image, &decided, &err), 0);
    cr_expect(!decided.change_user && !decided.drop_bounding && decided.landlock_abi == 0 &&
            !decided.write_xor_execute);
}

/* A limit that was there already is kept, where it is the lower one. */
Test(decide, never_raises_a_limit)
{
    const struct rlimit own = {.rlim_cur = 100, .rlim_max = 200};
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &own), 0);
    struct laz_probe probe = good_probe();
    struct laz_image image = good_image();
    image.n_limits = 1;
    image.limits[0] = (struct laz_image_limit){RLIMIT_NOFILE, 200};
    struct laz_decided decided;
    struct laz_err err = {0};
    cr_assert_eq(laz_probe_decide(&probe, &image, &decided, &err), 0);
    cr_expect_eq(decided.limits[0], 200);
    cr_expect_eq(decided.degraded, 0);
    image.limits[0].value = 201;
    cr_assert_eq(laz_probe_decide(&probe, &image, &decided, &err), 0);
    cr_expect_eq(decided.limits[0], 200);
    cr_expect_eq(decided.degraded, BIT(LIMITS));
}

Test(probe, refuses_fewer_than_16_descriptors)
{
    struct rlimit own = {.rlim_cur = 15, .rlim_max = 100};
    struct laz_probe probe;
    struct laz_err err = {0};
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &own), 0);
    cr_expect_eq(laz_probe_run(&probe, &err), -1);
    cr_expect_eq(err.kind, LAZ_E_ENVIRONMENT);
    cr_expect_str_eq(
            err.message, "only 15 descriptors may be open (RLIMIT_NOFILE); at least 16 are needed");
    own.rlim_cur = 16;
    err = (struct laz_err){0};
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &own), 0);
    cr_expect_eq(laz_probe_run(&probe, &err), 0, "%s", err.message);
    cr_expect_eq(probe.open_files, 16);
}

/* ---- Landlock ---- */

#define EVERYTHING ((LAZ_LL_IOCTL_DEV << 1) - 1)
#define FILE_ONLY                                                                                  \
    (LAZ_LL_EXECUTE | LAZ_LL_WRITE_FILE | LAZ_LL_READ_FILE | LAZ_LL_TRUNCATE | LAZ_LL_IOCTL_DEV)

/* Each class grants its own rights, and an older kernel is asked for none that it does not know. */
Test(landlock, rights_are_those_of_the_class_and_the_abi)
{
    static const struct {
        enum laz_path_class class;
        uint64_t has;
        uint64_t lacks;
    } classes[] = {
            {LAZ_PATH_READ, LAZ_LL_READ_FILE | LAZ_LL_READ_DIR,
                    ~(LAZ_LL_READ_FILE | LAZ_LL_READ_DIR)},
            {LAZ_PATH_READ_EXEC, LAZ_LL_READ_FILE | LAZ_LL_READ_DIR | LAZ_LL_EXECUTE,
                    ~(LAZ_LL_READ_FILE | LAZ_LL_READ_DIR | LAZ_LL_EXECUTE)},
            {LAZ_PATH_WRITE,
                    LAZ_LL_READ_FILE | LAZ_LL_WRITE_FILE | LAZ_LL_MAKE_REG | LAZ_LL_REFER |
                            LAZ_LL_TRUNCATE | LAZ_LL_REMOVE_FILE,
                    LAZ_LL_EXECUTE | LAZ_LL_MAKE_CHAR | LAZ_LL_MAKE_BLOCK | LAZ_LL_IOCTL_DEV},
            {LAZ_PATH_WRITE_EXEC, LAZ_LL_WRITE_FILE | LAZ_LL_EXECUTE | LAZ_LL_MAKE_REG,
                    LAZ_LL_MAKE_CHAR | LAZ_LL_MAKE_BLOCK | LAZ_LL_IOCTL_DEV},
            {LAZ_PATH_DEVICES, LAZ_LL_READ_FILE | LAZ_LL_WRITE_FILE | LAZ_LL_IOCTL_DEV,
                    LAZ_LL_EXECUTE | LAZ_LL_MAKE_REG | LAZ_LL_REMOVE_FILE | LAZ_LL_MAKE_CHAR},
    };
    static const uint64_t known[] = {0, LAZ_LL_REFER - 1, (LAZ_LL_REFER << 1) - 1,
            (LAZ_LL_TRUNCATE << 1) - 1, (LAZ_LL_TRUNCATE << 1) - 1, EVERYTHING, EVERYTHING};
    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
        for (int abi = 1; abi <= 6; abi++) {
            uint64_t rights = laz_landlock_rights(classes[i].class, abi, true);
            cr_expect_eq(rights & known[abi], rights, "class %zu, ABI %d: %#llx", i, abi,
                    (unsigned long long)rights);
            cr_expect_eq(rights & classes[i].has, classes[i].has & known[abi], "class %zu, ABI %d",
                    i, abi);
            cr_expect_eq(rights & classes[i].lacks, 0, "class %zu, ABI %d: %#llx", i, abi,
                    (unsigned long long)rights);
            cr_expect_eq(laz_landlock_rights(classes[i].class, abi, false), rights & FILE_ONLY,
                    "class %zu, ABI %d, a file", i, abi);
        }
    }
    cr_expect_eq(laz_landlock_rights(LAZ_PATH_COUNT, 6, true), 0);
}

Test(landlock, each_abi_lacks_what_came_later)
{
    const laz_degraded came[] = {0, 0, BIT(LANDLOCK_REFER), BIT(LANDLOCK_TRUNCATE),
            BIT(LANDLOCK_NETWORK) | BIT(PLAIN), BIT(LANDLOCK_IOCTL), BIT(LANDLOCK_SCOPE)};
    const struct laz_image image = {
            .isolate_signals = true, .tcp_connect_any = true, .tls_plain = LAZ_PLAIN_ENFORCE};
    for (int abi = 1; abi <= 7; abi++) {
        laz_degraded wanted = 0;
        for (int later = abi + 1; later <= 6; later++) {
            wanted |= came[later];
        }
        cr_expect_eq(laz_landlock_missing(&image, abi), wanted, "ABI %d", abi);
    }
}

/* Where a rule names "/", nothing can be learnt from listing it. Without one, and without a ruleset
 * on, the list is there: that is what attestation refuses. */
Test(landlock, probe_sees_that_nothing_is_on)
{
    static const uint8_t root[] = {LAZ_PATH_READ, 0, '/', 0};
    const struct laz_image bare = {0};
    const struct laz_image with_root = {.n_paths = 1, .paths = root};
    cr_expect_eq(laz_landlock_probe_in_child(&bare), 0);
    cr_expect_eq(laz_landlock_probe_in_child(&with_root), -1);
}

/* What is asked of the kernel fits each ABI that it has; the path to blame is named. */
Test(landlock, builds_for_every_abi_and_names_the_path_that_is_missing)
{
    static const uint8_t paths[] = "\0\0/\0\1\1/nowhere/optional\0\1\0/nowhere/needed";
    static const uint16_t ports[] = {8080, 443};
    struct laz_image image = {.n_paths = 2,
            .paths = paths,
            .isolate_signals = true,
            .n_tcp_bind = 1,
            .n_tcp_connect = 2,
            .tcp_bind = ports,
            .tcp_connect = ports};
    int newest = laz_sys_landlock_create(NULL, 0, LAZ_LL_CREATE_VERSION);
    for (int abi = 1; abi <= newest; abi++) {
        const char *path = "left";
        image.n_paths = 2;
        int ruleset = laz_landlock_build(&image, abi, &path);
        cr_expect(ruleset >= 0, "ABI %d: %s", abi, strerror(errno));
        cr_expect_null(path);
        (void)close(ruleset);
        image.n_paths = 3;
        cr_expect_eq(laz_landlock_build(&image, abi, &path), -1, "ABI %d", abi);
        cr_expect_eq(errno, ENOENT);
        cr_expect(path != NULL && strcmp(path, "/nowhere/needed") == 0);
    }
}
