/* SPDX-License-Identifier: Apache-2.0
 *
 * What PID 1 takes from `fetch` and what it does not, without either.
 */
#include "init/pid1/secrets.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "core/fd.h"

#define SEALS (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)

static const struct laz_image image = {
        .fetches = true,
        .secrets_dir = "/run/secrets",
        .fetched = {.n = 2, .first = "one\0two"},
        .inherited = {.n = 3, .first = "\0PASSWORD\0VAULT_TOKEN"},
};
static struct laz_secrets secrets;
static char memory[256];
static struct laz_buf message;
static struct laz_err err;

static void fetching(void)
{
    static char held[] = "PASSWORD=laz-test-value";
    static char other[] = "PASSWORDS=kept";
    char *environment[] = {held, other, NULL};
    const struct laz_probe probe = {.uid = 0, .effective = 0};
    cr_assert_eq(
            laz_secrets_begin(&secrets, &image, &probe, environment, &err), 0, "%s", err.message);
    cr_assert_str_eq(environment[0], "PASSWORDS=kept");
    cr_assert_null(environment[1]);
    cr_assert_eq(held[0], '\0', "it is wiped");
    secrets.phase = LAZ_SECRETS_FETCHING;
    laz_secrets_forget(&secrets, laz_secrets_all(&secrets));
}

TestSuite(secrets, .init = fetching);

static int sealed(size_t length, unsigned seals)
{
    int fd = memfd_create("value", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    cr_assert_eq(ftruncate(fd, (off_t)length), 0);
    cr_assert_eq(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

static int tell(enum laz_message_type type, int fd)
{
    struct laz_message told = {.type = type,
            .fields = (const uint8_t *)message.data,
            .length = message.len,
            .n_fds = fd >= 0,
            .fds = {fd}};
    err = (struct laz_err){0};
    return laz_secrets_told(&secrets, &told, &err);
}

static void fields(void)
{
    laz_buf_init_fixed(&message, memory, sizeof(memory));
}

static int tell_why(uint32_t item, uint8_t outcome, const char *version, const char *fingerprint,
        const char *why)
{
    fields();
    laz_message_u32(&message, item);
    laz_message_u8(&message, outcome);
    laz_message_u64(&message, 0);
    laz_message_u64(&message, 1800000000);
    laz_message_string(&message, version);
    laz_message_string(&message, fingerprint);
    laz_message_string(&message, why);
    return tell(LAZ_MESSAGE_ITEM, -1);
}

static int tell_item(uint32_t item, uint8_t outcome, const char *version, const char *fingerprint)
{
    return tell_why(item, outcome, version, fingerprint, "");
}

static int tell_value(uint32_t item, int fd)
{
    fields();
    laz_message_u32(&message, item);
    return tell(LAZ_MESSAGE_VALUE, fd);
}

static int tell_masks(uint32_t item, int fd)
{
    fields();
    laz_message_u32(&message, item);
    return tell(LAZ_MESSAGE_MASKS, fd);
}

static int tell_done(void)
{
    fields();
    return tell(LAZ_MESSAGE_DONE, -1);
}

Test(secrets, keeps_what_was_a_variable_in_a_sealed_file)
{
    char text[64] = "";
    cr_expect_lt(secrets.inherited[0], 0);
    cr_assert_geq(secrets.inherited[1], 0);
    cr_expect_eq((unsigned)fcntl(secrets.inherited[1], F_GET_SEALS), (unsigned)SEALS);
    cr_assert_gt(pread(secrets.inherited[1], text, sizeof(text) - 1, 0), 0);
    cr_expect_str_eq(text, "laz-test-value");
}

Test(secrets, are_whole_when_each_item_is_there_or_absent)
{
    cr_assert_eq(tell_item(0, LAZ_OUTCOME_FETCHED, "v1", "0011223344556677"), 0);
    cr_assert_eq(tell_value(0, sealed(9, SEALS)), 0, "%s", err.message);
    cr_assert_eq(tell_item(1, LAZ_OUTCOME_ABSENT, "", ""), 0);
    cr_expect_eq(tell_done(), -1, "without what logs must not show");
    cr_assert_eq(tell_masks(0, sealed(9, SEALS)), 0);
    cr_assert_eq(tell_done(), 0, "%s", err.message);
    cr_expect_eq(secrets.phase, LAZ_SECRETS_DELIVERING);
    cr_expect_lt(secrets.inherited[1], 0, "nobody needs it any more");
    cr_expect(secrets.items[0].value >= 0 && secrets.items[0].fresh < 0);
    cr_expect_str_eq(secrets.items[0].now.version, "v1");
    cr_expect_eq(secrets.items[0].now.expires, 1800000000);
    cr_expect_eq(secrets.items[1].now.outcome, LAZ_OUTCOME_ABSENT);
}

Test(secrets, that_could_still_change_or_are_too_large_are_not_taken)
{
    static const unsigned few[] = {0, F_SEAL_WRITE, SEALS & ~(unsigned)F_SEAL_WRITE,
            SEALS & ~(unsigned)F_SEAL_GROW, SEALS & ~(unsigned)F_SEAL_SHRINK,
            SEALS & ~(unsigned)F_SEAL_SEAL};
    for (size_t i = 0; i < sizeof(few) / sizeof(few[0]); i++) {
        cr_expect_eq(tell_value(1, sealed(9, few[i])), -1, "%x", few[i]);
        cr_expect_eq(err.kind, LAZ_E_SECRET);
        cr_expect_str_eq(
                err.message, "item \"two\": lazaret-helper fetch sent a value that is not sealed");
    }
    cr_expect_eq(tell_value(1, open("/dev/null", O_RDONLY | O_CLOEXEC)), -1);
    cr_expect_eq(tell_value(1, sealed(2 * LAZ_IMAGE_SECRET_MAX + 2, SEALS)), -1);
    cr_expect_str_eq(
            err.message, "item \"two\": lazaret-helper fetch sent a value that is too large");
    cr_expect_eq(tell_value(1, sealed(2 * LAZ_IMAGE_SECRET_MAX + 1, SEALS)), 0);
    cr_expect_eq(tell_masks(1, sealed(9, F_SEAL_WRITE)), -1);
    cr_expect_lt(secrets.items[1].fresh_masks, 0);
    cr_expect_eq(tell_masks(1, sealed(9, SEALS)), 0);
    cr_expect_geq(secrets.items[1].fresh_masks, 0);
}

Test(secrets, of_items_that_there_are_not_are_not_taken)
{
    char long_text[LAZ_SECRET_VERSION_MAX + 2];
    (void)memset(long_text, 'v', sizeof(long_text) - 1);
    long_text[sizeof(long_text) - 1] = '\0';
    cr_expect_eq(tell_item(2, LAZ_OUTCOME_FETCHED, "", ""), -1);
    cr_expect_eq(tell_item(0, LAZ_OUTCOME_COUNT, "", ""), -1);
    cr_expect_eq(tell_item(0, LAZ_OUTCOME_FETCHED, long_text, ""), -1);
    cr_expect_eq(tell_item(0, LAZ_OUTCOME_FETCHED, "", "00112233445566778"), -1);
    cr_expect_str_eq(
            err.message, "lazaret-helper fetch sent what came of an item that there is not");
    cr_expect_eq(tell_value(2, sealed(9, SEALS)), -1);
    cr_expect_str_eq(
            err.message, "lazaret-helper fetch sent the value of an item that there is not");
    cr_expect_eq(tell_masks(2, sealed(9, SEALS)), -1);
    cr_expect_str_eq(
            err.message, "lazaret-helper fetch sent the masks of an item that there is not");
    cr_expect_not(secrets.items[0].said.is_known);
    cr_expect_eq(tell_why(0, LAZ_OUTCOME_FAILED, "", "", "denied: no"), -1, "all or nothing");
}

Test(secrets, are_not_there_before_all_of_them_are)
{
    cr_expect_eq(tell_done(), -1, "nothing was said");
    cr_assert_eq(tell_item(0, LAZ_OUTCOME_FETCHED, "", ""), 0);
    cr_assert_eq(tell_item(1, LAZ_OUTCOME_ABSENT, "", ""), 0);
    cr_expect_eq(tell_done(), -1, "one has no value");
    cr_assert_eq(tell_value(0, sealed(9, SEALS)), 0);
    cr_assert_eq(tell_value(1, sealed(9, SEALS)), 0);
    cr_expect_eq(tell_done(), -1, "one that is absent has a value");
    cr_expect_str_eq(
            err.message, "lazaret-helper fetch sent the end, and not everything before it");
    cr_expect_eq(secrets.phase, LAZ_SECRETS_FETCHING);
}

Test(secrets, of_a_fetch_that_died_do_not_count)
{
    cr_assert_eq(tell_item(0, LAZ_OUTCOME_FETCHED, "", ""), 0);
    cr_assert_eq(tell_value(0, sealed(9, SEALS)), 0);
    laz_secrets_forget(&secrets, laz_secrets_all(&secrets));
    cr_expect_lt(secrets.items[0].fresh, 0);
    cr_expect_geq(secrets.inherited[1], 0, "its successor needs it");
    cr_assert_eq(tell_item(1, LAZ_OUTCOME_ABSENT, "", ""), 0);
    cr_expect_eq(tell_done(), -1);
}

Test(secrets, are_taken_only_while_they_are_fetched)
{
    secrets.phase = LAZ_SECRETS_OVER;
    int before = dup(0);
    (void)close(before);
    cr_expect_eq(tell_value(0, sealed(9, SEALS)), 0);
    cr_expect_lt(secrets.items[0].fresh, 0);
    int after = dup(0);
    cr_expect_eq(before, after, "its descriptor is closed");
}

Test(secrets, are_lost_with_launch_until_they_are_delivered)
{
    laz_secrets_lose_launch(&secrets);
    cr_expect_eq(secrets.phase, LAZ_SECRETS_OVER);
    cr_expect_eq(secrets.err.kind, LAZ_E_DELIVERY);
    cr_expect_str_eq(secrets.err.message, "the process that delivers secrets has ended");
    static struct laz_secrets there = {.image = &image, .phase = LAZ_SECRETS_THERE, .folder = -1};
    laz_secrets_lose_launch(&there);
    cr_expect_eq(there.phase, LAZ_SECRETS_THERE);
}

Test(secrets, cannot_be_given_away_without_the_capability)
{
    char *environment[] = {NULL};
    static struct laz_secrets others;
    struct laz_image theirs = image;
    theirs.uid = 10001;
    struct laz_probe probe = {.uid = 0, .effective = ~(UINT64_C(1) << 0)};
    err = (struct laz_err){0};
    cr_expect_eq(laz_secrets_begin(&others, &theirs, &probe, environment, &err), -1);
    cr_expect_eq(err.kind, LAZ_E_DELIVERY);
    cr_expect_str_eq(err.message,
            "secrets: lazaret-init lacks CAP_CHOWN, and cannot give a secret to user 10001");
    probe.uid = 10001;
    err = (struct laz_err){0};
    cr_expect_eq(laz_secrets_begin(&others, &theirs, &probe, environment, &err), 0);
}

/* ---- again ---- */

static void fetched_once(void)
{
    cr_assert_eq(tell_item(0, LAZ_OUTCOME_FETCHED, "v1", "0011223344556677"), 0);
    cr_assert_eq(tell_value(0, sealed(9, SEALS)), 0);
    cr_assert_eq(tell_masks(0, sealed(9, SEALS)), 0);
    cr_assert_eq(tell_item(1, LAZ_OUTCOME_ABSENT, "", ""), 0);
    cr_assert_eq(tell_done(), 0, "%s", err.message);
    secrets.phase = LAZ_SECRETS_REFETCHING;
}

Test(secrets, are_each_for_itself_when_they_are_fetched_again)
{
    fetched_once();
    laz_secrets_forget(&secrets, 3);
    cr_expect_eq(tell_why(1, LAZ_OUTCOME_FAILED, "", "", "denied: no\x1b[2J (id 7)"), 0);
    cr_expect_str_eq(secrets.why[1], "denied: no?[2J (id 7)");
    cr_expect_eq(tell_item(0, LAZ_OUTCOME_FETCHED, "v2", "8899aabbccddeeff"), 0);
    cr_expect_eq(tell_done(), -1, "without its value");
    cr_assert_eq(tell_value(0, sealed(5, SEALS)), 0);
    cr_expect_eq(tell_done(), -1, "without its masks");
    cr_assert_eq(tell_masks(0, sealed(5, SEALS)), 0);
    cr_assert_eq(tell_done(), 0, "%s", err.message);
    cr_expect_eq(secrets.phase, LAZ_SECRETS_REFETCHED);
    cr_expect(laz_secrets_differs(&secrets.items[0]));
    cr_expect(secrets.items[0].value >= 0 && secrets.items[0].fresh >= 0);
    cr_expect_str_eq(secrets.items[0].now.version, "v1", "until it is delivered");
    (void)memcpy(secrets.items[0].said.fingerprint, "0011223344556677", 17);
    cr_expect_not(laz_secrets_differs(&secrets.items[0]), "another version, the same value");
}

Test(secrets, that_nobody_asked_for_again_are_not_taken)
{
    fetched_once();
    laz_secrets_forget(&secrets, 2);
    cr_expect_eq(tell_item(0, LAZ_OUTCOME_FETCHED, "", ""), -1);
    cr_expect_eq(tell_value(0, sealed(9, SEALS)), -1);
    cr_expect_eq(tell_masks(0, sealed(9, SEALS)), -1);
    cr_expect_eq(tell_item(1, LAZ_OUTCOME_ABSENT, "", ""), 0);
    cr_expect_eq(tell_done(), 0, "%s", err.message);
}

Test(secrets, of_an_item_the_last_three_masks_are_kept)
{
    struct laz_secret_item *item = &secrets.items[0];
    int made[5];
    for (size_t i = 0; i < 5; i++) {
        made[i] = item->fresh_masks = sealed(i + 1, SEALS);
        laz_secrets_push_masks(item);
    }
    cr_expect(item->masks[0] == made[4] && item->masks[1] == made[3] && item->masks[2] == made[2]);
    cr_expect_eq(fcntl(made[1], F_GETFD), -1, "it is closed");
}

/* Of a launch that answers. */
static void answer_of(const char *step, int32_t result)
{
    fields();
    laz_message_u32(&message, 0);
    laz_message_u32(&message, (uint32_t)result);
    laz_message_string(&message, step);
    const struct laz_message told = {.type = LAZ_MESSAGE_DELIVERED,
            .fields = (const uint8_t *)message.data,
            .length = message.len};
    laz_secrets_delivered(&secrets, &told);
}

static void answer(int32_t result)
{
    answer_of(result < 0 ? "make the file" : "", result);
}

/* What was ordered: its type, and its first number. */
static enum laz_message_type ordered(int launch, uint32_t *ret_number, bool *ret_has_fd)
{
    uint8_t bytes[512];
    struct laz_message got;
    struct laz_fields taken;
    laz_secrets_deliver(&secrets, launch - 1);
    if (laz_chan_receive(launch, (struct laz_route){LAZ_ROLE_INIT, LAZ_ROLE_LAUNCH}, bytes,
                sizeof(bytes), &got, &err) != LAZ_CHAN_MESSAGE) {
        return LAZ_MESSAGE_COUNT;
    }
    laz_fields_begin(&taken, &got);
    *ret_number = laz_fields_u32(&taken);
    *ret_has_fd = got.n_fds == 1;
    return got.type;
}

static const uint8_t one_file[] = "\0\0\0\1one";

Test(secrets, become_another_generation_or_stay_what_they_were)
{
    static struct laz_image renewed;
    int pair[2];
    uint32_t number = 0;
    bool has_fd = false;
    renewed = image;
    renewed.refresh_ms = 10000;
    renewed.n_deliveries = 1;
    renewed.deliveries = one_file;
    secrets.image = &renewed;
    fetched_once();
    cr_assert_eq(laz_chan_pair(pair, &err), 0);
    cr_assert_eq(dup2(pair[0], 200), 200);
    cr_assert_eq(dup2(pair[1], 201), 201);
    secrets.folder = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    secrets.generation = secrets.current = 1;
    for (int round = 0; round < 2; round++) {
        bool is_good = round == 1;
        laz_secrets_forget(&secrets, 1);
        secrets.phase = LAZ_SECRETS_REFETCHING;
        cr_assert_eq(tell_item(0, LAZ_OUTCOME_FETCHED, "v2", "8899aabbccddeeff"), 0);
        cr_assert_eq(tell_value(0, sealed(5, SEALS)), 0);
        cr_assert_eq(tell_masks(0, sealed(5, SEALS)), 0);
        cr_assert_eq(tell_done(), 0);
        secrets.items[0].is_changed = true;
        laz_secrets_begin_generation(&secrets);
        uint32_t generation = secrets.generation;
        cr_expect_eq(generation, 2 + (unsigned)round, "a number is used once");
        cr_expect_eq(ordered(201, &number, &has_fd), LAZ_MESSAGE_FOLDER);
        cr_expect(number == generation && has_fd);
        answer(0);
        cr_expect_eq(ordered(201, &number, &has_fd), LAZ_MESSAGE_PUT);
        cr_expect(has_fd);
        answer(is_good ? 0 : -ENOSPC);
        if (!is_good) {
            cr_expect_eq(secrets.phase, LAZ_SECRETS_NOT_REDELIVERED);
            cr_expect_str_eq(secrets.err.message,
                    "item \"one\": make the file: No space left on device; the tmpfs at "
                    "secrets.dir is too small");
            laz_secrets_retire(&secrets, generation);
            cr_expect_eq(ordered(201, &number, &has_fd), LAZ_MESSAGE_RETIRE);
            cr_expect(number == generation && !has_fd);
            answer(-EBUSY);
            cr_expect_eq(secrets.phase, LAZ_SECRETS_NOT_RETIRED);
            cr_expect_str_eq(secrets.err.message,
                    "secrets.dir: /run/secrets: make the file: Device or resource busy");
            laz_secrets_retire(&secrets, generation);
            cr_expect_eq(ordered(201, &number, &has_fd), LAZ_MESSAGE_RETIRE);
            answer(0);
            cr_expect_eq(secrets.phase, LAZ_SECRETS_THERE);
            cr_expect_str_eq(secrets.items[0].now.version, "v1");
            continue;
        }
        cr_expect_eq(ordered(201, &number, &has_fd), LAZ_MESSAGE_SWAP);
        cr_expect_eq(number, generation);
        answer(0);
        cr_expect_eq(ordered(201, &number, &has_fd), LAZ_MESSAGE_COUNT, "that was all");
        cr_expect_eq(secrets.phase, LAZ_SECRETS_REDELIVERED);
    }
    laz_secrets_adopt(&secrets, 77);
    cr_expect_eq(secrets.phase, LAZ_SECRETS_THERE);
    cr_expect_str_eq(secrets.items[0].now.version, "v2");
    cr_expect(secrets.items[0].value >= 0 && secrets.items[0].fresh < 0);
    cr_expect(secrets.n_old == 1 && secrets.old[0].number == 1 && secrets.old[0].until_ns == 77);
    cr_expect_eq(secrets.current, 3);
    secrets.items[1].is_changed = true; /* which is no file */
    laz_secrets_begin_generation(&secrets);
    cr_expect_eq(secrets.phase, LAZ_SECRETS_REDELIVERED);
    laz_secrets_adopt(&secrets, 88);
    cr_expect(
            secrets.current == 3 && secrets.n_old == 1, "no folder is made for it, and none goes");
}

Test(secrets, that_may_not_be_delivered_say_what_is_missing)
{
    static const struct {
        const char *step;
        enum laz_secrets_order order;
        const char *message;
    } rows[] = {
            {"set the owner", LAZ_SECRETS_ORDER_PUT,
                    "item \"one\": set the owner: Operation not permitted; lazaret-init needs "
                    "CAP_CHOWN for it"},
            {"swap the generation", LAZ_SECRETS_ORDER_SWAP,
                    "secrets.dir: /run/secrets: swap the generation: Operation not permitted; "
                    "another user's files are in that folder, which is sticky: lazaret-init needs "
                    "CAP_FOWNER, or a folder of its own"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        secrets.phase = LAZ_SECRETS_REDELIVERING;
        secrets.ordered = rows[i].order;
        secrets.n_ordered = 1;
        answer_of(rows[i].step, -EPERM);
        cr_expect_eq(secrets.phase, LAZ_SECRETS_NOT_REDELIVERED, "%s", rows[i].step);
        cr_expect_eq(secrets.err.kind, LAZ_E_DELIVERY, "%s", rows[i].step);
        cr_expect_str_eq(secrets.err.message, rows[i].message);
    }
}
