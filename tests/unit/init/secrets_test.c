/* SPDX-License-Identifier: Apache-2.0
 *
 * What PID 1 takes from `fetch` and what it does not, without either.
 */
#include "init/pid1/secrets.h"

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
        .inherited = {.n = 2, .first = "\0PASSWORD"},
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

static int tell_item(uint32_t item, uint8_t outcome, const char *version, const char *fingerprint)
{
    fields();
    laz_message_u32(&message, item);
    laz_message_u8(&message, outcome);
    laz_message_string(&message, version);
    laz_message_string(&message, fingerprint);
    return tell(LAZ_MESSAGE_ITEM, -1);
}

static int tell_value(uint32_t item, int fd)
{
    fields();
    laz_message_u32(&message, item);
    return tell(LAZ_MESSAGE_VALUE, fd);
}

static int tell_done(void)
{
    fields();
    return tell(LAZ_MESSAGE_DONE, -1);
}

Test(secrets, keeps_what_was_a_variable_in_a_sealed_file)
{
    char text[64] = "";
    cr_expect_lt(secrets.items[0].inherited, 0);
    cr_assert_geq(secrets.items[1].inherited, 0);
    cr_expect_eq((unsigned)fcntl(secrets.items[1].inherited, F_GET_SEALS), (unsigned)SEALS);
    cr_assert_gt(pread(secrets.items[1].inherited, text, sizeof(text) - 1, 0), 0);
    cr_expect_str_eq(text, "laz-test-value");
}

Test(secrets, are_whole_when_each_item_is_there_or_absent)
{
    cr_assert_eq(tell_item(0, LAZ_OUTCOME_FETCHED, "v1", "0011223344556677"), 0);
    cr_assert_eq(tell_value(0, sealed(9, SEALS)), 0, "%s", err.message);
    cr_assert_eq(tell_item(1, LAZ_OUTCOME_ABSENT, "", ""), 0);
    cr_assert_eq(tell_done(), 0, "%s", err.message);
    cr_expect_eq(secrets.phase, LAZ_SECRETS_DELIVERING);
    cr_expect_lt(secrets.items[1].inherited, 0, "nobody needs it any more");
}

Test(secrets, that_could_still_change_or_are_too_large_are_not_taken)
{
    static const unsigned few[] = {0, F_SEAL_WRITE, SEALS & ~(unsigned)F_SEAL_WRITE,
            SEALS & ~(unsigned)F_SEAL_GROW, SEALS & ~(unsigned)F_SEAL_SHRINK,
            SEALS & ~(unsigned)F_SEAL_SEAL};
    for (size_t i = 0; i < sizeof(few) / sizeof(few[0]); i++) {
        cr_expect_eq(tell_value(1, sealed(9, few[i])), -1, "%x", few[i]);
        cr_expect_eq(err.kind, LAZ_E_SECRET);
        cr_expect_str_eq(err.message,
                "secrets.items[two]: lazaret-helper fetch sent a value that is not sealed");
    }
    cr_expect_eq(tell_value(1, open("/dev/null", O_RDONLY | O_CLOEXEC)), -1);
    cr_expect_eq(tell_value(1, sealed(2 * LAZ_IMAGE_SECRET_MAX + 2, SEALS)), -1);
    cr_expect_str_eq(
            err.message, "secrets.items[two]: lazaret-helper fetch sent a value that is too large");
    cr_expect_eq(tell_value(1, sealed(2 * LAZ_IMAGE_SECRET_MAX + 1, SEALS)), 0);
    fields();
    cr_expect_eq(tell(LAZ_MESSAGE_MASKS, sealed(9, F_SEAL_WRITE)), -1);
    cr_expect_lt(secrets.masks, 0);
    cr_expect_eq(tell(LAZ_MESSAGE_MASKS, sealed(9, SEALS)), 0);
    cr_expect_geq(secrets.masks, 0);
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
    cr_expect_not(secrets.items[0].is_known);
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
    laz_secrets_forget(&secrets);
    cr_expect_lt(secrets.items[0].value, 0);
    cr_expect_geq(secrets.items[1].inherited, 0, "its successor needs it");
    cr_assert_eq(tell_item(1, LAZ_OUTCOME_ABSENT, "", ""), 0);
    cr_expect_eq(tell_done(), -1);
}

Test(secrets, are_taken_only_while_they_are_fetched)
{
    secrets.phase = LAZ_SECRETS_OVER;
    int before = dup(0);
    (void)close(before);
    cr_expect_eq(tell_value(0, sealed(9, SEALS)), 0);
    cr_expect_lt(secrets.items[0].value, 0);
    int after = dup(0);
    cr_expect_eq(before, after, "its descriptor is closed");
}

Test(secrets, are_lost_with_launch_until_they_are_delivered)
{
    laz_secrets_lose_launch(&secrets);
    cr_expect_eq(secrets.phase, LAZ_SECRETS_OVER);
    cr_expect_eq(secrets.err.kind, LAZ_E_DELIVERY);
    cr_expect_str_eq(secrets.err.message, "the process that delivers secrets has ended");
    struct laz_secrets there = {.image = &image, .phase = LAZ_SECRETS_THERE, .folder = -1};
    laz_secrets_lose_launch(&there);
    cr_expect_eq(there.phase, LAZ_SECRETS_THERE);
}

Test(secrets, cannot_be_given_away_without_the_capability)
{
    char *environment[] = {NULL};
    struct laz_secrets others = {0};
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
