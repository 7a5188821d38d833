/* SPDX-License-Identifier: Apache-2.0
 *
 * The forms, and what they are told from: a date, an identifier or a measured value must not be
 * taken for one. What each finds and does not find: docs/reference/log-records.md, "Redaction".
 */
#include "log/forms.h"

#include <string.h>

#include "core/pattern.h"

#define PAN_LEAST       13
#define PAN_MOST        19
#define JWT_HEAD_LEAST  10 /* {"alg":""} has 10 bytes, 14 digits; shorter is a word */
#define JWT_PARTS       5  /* of an encrypted one; 3 of a signed one */
#define AWS_ID_LENGTH   20
#define AWS_SECRET      40
#define AWS_BETWEEN_MAX 12 /* bytes between the name and the secret */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alphanumeric(char c)
{
    return laz_is_word(c) && c != '_';
}

static char at_or_feed(const struct laz_redact_text *text, size_t at)
{
    if (at < text->length) {
        return text->text[at];
    }
    return '\n';
}

/* The byte `back` bytes in front of `at`: 1 or 2. */
static char in_front(const struct laz_redact_text *text, size_t at, size_t back)
{
    const char *from = at >= back ? text->text + (at - back) : text->before + (2 - (back - at));
    return *from;
}

bool laz_form_is_front(const struct laz_redact_text *text, size_t at)
{
    return !laz_is_word(in_front(text, at, 1));
}

/* ---- A social security number: 123-45-6789 ---- */

void laz_form_ssn_scan(struct laz_scan_form *form)
{
    laz_scan_form_front(form);
    for (size_t at = 0; at <= 10; at++) {
        laz_scan_form_range(form, at, '0', '9');
    }
    laz_scan_form_range(form, 0, '0', '8');
    laz_scan_form_range(form, 3, '-', '-');
    laz_scan_form_range(form, 6, '-', '-');
}

/* Areas 000, 666 and 900 to 999, group 00 and serial 0000 were never given out. */
size_t laz_form_ssn(struct laz_redact_text *text, size_t at)
{
    static const char form[] = "ddd-dd-dddd";
    size_t length = sizeof(form) - 1;
    const char *s = text->text + at;
    text->work += length;
    if (text->length - at < length || !laz_form_is_front(text, at) ||
            laz_is_word(at_or_feed(text, at + length))) {
        return 0;
    }
    for (size_t i = 0; i < length; i++) {
        if (form[i] == 'd' ? !is_digit(s[i]) : s[i] != '-') {
            return 0;
        }
    }
    bool never = s[0] == '9' || memcmp(s, "000", 3) == 0 || memcmp(s, "666", 3) == 0 ||
            memcmp(s + 4, "00", 2) == 0 || memcmp(s + 7, "0000", 4) == 0;
    return never ? 0 : length;
}

/* ---- The number of a payment card: 13 to 19 digits ---- */

void laz_form_pan_scan(struct laz_scan_form *form)
{
    laz_scan_form_front(form);
    for (size_t at = 0; at <= 10; at++) {
        laz_scan_form_range(form, at, '0', '9');
        if (at >= 4) {
            laz_scan_form_or(form, at, ' ', ' ');
            laz_scan_form_or(form, at, '-', '-');
        }
    }
    laz_scan_form_range(form, 0, '2', '6');
}

/* Bit n: the issuers of numbers that begin so (four digits) have numbers of n digits. */
static uint32_t lengths_of_issuer(unsigned first)
{
    static const struct {
        unsigned low;
        unsigned high;
        uint32_t lengths;
    } issuers[] = {
            {2221, 2720, 1U << 16},                       /* Mastercard */
            {3000, 3059, 1U << 14 | 1U << 16},            /* Diners Club */
            {3095, 3095, 1U << 14 | 1U << 16},            /* Diners Club */
            {3400, 3499, 1U << 15},                       /* American Express */
            {3528, 3589, 1U << 16 | 1U << 19},            /* JCB */
            {3600, 3699, 1U << 14 | 1U << 16},            /* Diners Club */
            {3700, 3799, 1U << 15},                       /* American Express */
            {3800, 3999, 1U << 14 | 1U << 16},            /* Diners Club */
            {4000, 4999, 1U << 13 | 1U << 16 | 1U << 19}, /* Visa */
            {5018, 5018, 0x7FU << PAN_LEAST},             /* Maestro */
            {5020, 5020, 0x7FU << PAN_LEAST},             /* Maestro */
            {5038, 5038, 0x7FU << PAN_LEAST},             /* Maestro */
            {5100, 5599, 1U << 16},                       /* Mastercard */
            {5893, 5893, 0x7FU << PAN_LEAST},             /* Maestro */
            {6011, 6011, 1U << 16 | 1U << 19},            /* Discover */
            {6200, 6299, 0xFU << 16},                     /* UnionPay */
            {6304, 6304, 0x7FU << PAN_LEAST},             /* Maestro */
            {6440, 6599, 1U << 16 | 1U << 19},            /* Discover */
            {6759, 6759, 0x7FU << PAN_LEAST},             /* Maestro */
            {6761, 6763, 0x7FU << PAN_LEAST},             /* Maestro */
    };
    uint32_t lengths = 0;
    for (size_t i = 0; i < sizeof(issuers) / sizeof(issuers[0]); i++) {
        lengths |= first >= issuers[i].low && first <= issuers[i].high ? issuers[i].lengths : 0;
    }
    return lengths;
}

/* Luhn's check (ISO/IEC 7812-1, annex B) of any number of digits at once: the sum with the digits
 * of each parity doubled. */
struct luhn {
    unsigned sums[2];
};

static void luhn_add(struct luhn *luhn, size_t position, char c)
{
    unsigned digit = (unsigned)(c - '0');
    unsigned twice = digit < 5 ? 2 * digit : 2 * digit - 9;
    luhn->sums[position % 2] += twice;
    luhn->sums[1 - position % 2] += digit;
}

/* The last digit counts once, the one in front of it twice, and so on. */
static bool luhn_holds(const struct luhn *luhn, size_t n_digits)
{
    return luhn->sums[n_digits % 2] % 10 == 0;
}

/* Not inside a word, and no digits with a point in front or behind: that is a fraction. */
static bool ends_number(const struct laz_redact_text *text, size_t end)
{
    char next = at_or_feed(text, end);
    return !laz_is_word(next) && !(next == '.' && is_digit(at_or_feed(text, end + 1)));
}

/* The groups in which cards show their numbers: of four digits each, or 4-6-5 and 4-6-4. Numbers in
 * a row with blanks between them are in every log. */
struct groups {
    char joint;    /* what stands between them; 0: nothing so far */
    size_t joints; /* how often */
    size_t digits; /* of the group that is read */
    bool has_six;
};

static bool begin_group(struct groups *groups, char joint)
{
    bool is_six = groups->joints == 1 && groups->digits == 6;
    bool goes_on = (groups->digits == 4 && !groups->has_six) || is_six;
    goes_on = goes_on && (groups->joint == 0 || groups->joint == joint);
    groups->has_six = groups->has_six || is_six;
    groups->joint = joint;
    groups->joints++;
    groups->digits = 0;
    return goes_on;
}

static bool are_whole(const struct groups *groups)
{
    return groups->joints == 0 || groups->digits <= (groups->has_six ? 5 : 4);
}

static size_t find_pan(struct laz_redact_text *text, size_t at, uint32_t lengths)
{
    struct luhn luhn = {{0}};
    struct groups groups = {0};
    size_t found = 0;
    size_t n = 0;
    for (size_t i = at; i < text->length && n < PAN_MOST; i++) {
        char c = text->text[i];
        text->work++;
        if ((c == ' ' || c == '-') && begin_group(&groups, c)) {
            continue;
        }
        if (!is_digit(c)) {
            break;
        }
        luhn_add(&luhn, n++, c);
        groups.digits++;
        if ((lengths >> n & 1) != 0 && are_whole(&groups) && luhn_holds(&luhn, n) &&
                ends_number(text, i + 1)) {
            found = i + 1 - at;
        }
    }
    return found;
}

size_t laz_form_pan(struct laz_redact_text *text, size_t at)
{
    text->work += 4;
    if (text->length - at < PAN_LEAST || !laz_form_is_front(text, at) ||
            (in_front(text, at, 1) == '.' && is_digit(in_front(text, at, 2)))) {
        return 0;
    }
    unsigned first = 0;
    for (size_t i = at; i < at + 4; i++) {
        if (!is_digit(text->text[i])) {
            return 0;
        }
        first = 10 * first + (unsigned)(text->text[i] - '0');
    }
    uint32_t lengths = lengths_of_issuer(first);
    return lengths == 0 ? 0 : find_pan(text, at, lengths);
}

/* ---- A JSON web token: three parts in base64url, the first of which begins with {" ---- */

void laz_form_jwt_scan(struct laz_scan_form *form)
{
    for (size_t at = 0; at < JWT_HEAD_LEAST; at++) {
        laz_scan_form_range(form, at, '0', '9');
        laz_scan_form_or(form, at, 'A', 'Z');
        laz_scan_form_or(form, at, 'a', 'z');
        laz_scan_form_or(form, at, '-', '-');
        laz_scan_form_or(form, at, '_', '_');
    }
    laz_scan_form_range(form, 0, 'e', 'e');
    laz_scan_form_range(form, 1, 'y', 'y');
    laz_scan_form_range(form, 2, 'J', 'J');
}

static bool is_base64url(char c)
{
    return laz_is_word(c) || c == '-';
}

static size_t skip_base64url(struct laz_redact_text *text, size_t at, size_t end)
{
    size_t from = at;
    while (at < end && is_base64url(text->text[at])) {
        at++;
    }
    text->work += at - from + 1;
    return at;
}

size_t laz_form_jwt(struct laz_redact_text *text, size_t at)
{
    size_t left = text->length - at;
    if (left < JWT_HEAD_LEAST || memcmp(text->text + at, "eyJ", 3) != 0 ||
            is_base64url(in_front(text, at, 1))) {
        return 0;
    }
    size_t end = at + (left < LAZ_REDACT_MATCH_MAX ? left : LAZ_REDACT_MATCH_MAX);
    size_t reached = skip_base64url(text, at, end);
    if (reached - at < JWT_HEAD_LEAST) {
        return 0;
    }
    size_t parts = 1;
    while (parts < JWT_PARTS && reached < end && text->text[reached] == '.') {
        size_t next = skip_base64url(text, reached + 1, end);
        if (parts >= 3 && next == reached + 1) {
            break; /* the full stop of a sentence */
        }
        reached = next;
        parts++;
    }
    return parts >= 3 ? reached - at : 0;
}

/* ---- Keys of AWS ---- */

void laz_form_aws_id_scan(struct laz_scan_form *form)
{
    laz_scan_form_front(form);
    for (size_t at = 4; at <= 10; at++) {
        laz_scan_form_range(form, at, '0', '9');
        laz_scan_form_or(form, at, 'A', 'Z');
    }
    laz_scan_form_range(form, 0, 'A', 'A');
    laz_scan_form_range(form, 1, 'K', 'K');
    laz_scan_form_or(form, 1, 'S', 'S');
    laz_scan_form_range(form, 2, 'I', 'I');
    laz_scan_form_range(form, 3, 'A', 'A');
}

size_t laz_form_aws_id(struct laz_redact_text *text, size_t at)
{
    const char *s = text->text + at;
    text->work += AWS_ID_LENGTH;
    if (text->length - at < AWS_ID_LENGTH || !laz_form_is_front(text, at) ||
            (memcmp(s, "AKIA", 4) != 0 && memcmp(s, "ASIA", 4) != 0) ||
            laz_is_word(at_or_feed(text, at + AWS_ID_LENGTH))) {
        return 0;
    }
    for (size_t i = 4; i < AWS_ID_LENGTH; i++) {
        if (!is_digit(s[i]) && !(s[i] >= 'A' && s[i] <= 'Z')) {
            return 0;
        }
    }
    return AWS_ID_LENGTH;
}

void laz_form_aws_secret_scan(struct laz_scan_form *form)
{
    static const char name[] = "secret";
    for (size_t at = 0; at < sizeof(name) - 1; at++) {
        unsigned char lower = (unsigned char)name[at];
        unsigned char upper = (unsigned char)(lower - 'a' + 'A');
        laz_scan_form_range(form, at, lower, lower);
        laz_scan_form_or(form, at, upper, upper);
    }
}

/* Behind `at`, if the word stands there in letters of either case. */
static size_t skip_word(const struct laz_redact_text *text, size_t at, const char *word)
{
    size_t length = strlen(word);
    return at <= text->length && text->length - at >= length &&
                    strncasecmp(text->text + at, word, length) == 0
            ? at + length
            : at;
}

static size_t skip_joint(const struct laz_redact_text *text, size_t at)
{
    char c = at_or_feed(text, at);
    return c == '_' || c == '-' || c == '.' || c == ' ' ? at + 1 : at;
}

/* Behind secret_access_key, SecretKey, secret-key ...; 0 if it is not there. */
static size_t skip_key_name(const struct laz_redact_text *text, size_t at)
{
    size_t reached = skip_word(text, at, "secret");
    if (reached == at) {
        return 0;
    }
    reached = skip_joint(text, reached);
    size_t access = skip_word(text, reached, "access");
    reached = access == reached ? reached : skip_joint(text, access);
    size_t key = skip_word(text, reached, "key");
    return key == reached ? 0 : key;
}

size_t laz_form_aws_secret(struct laz_redact_text *text, size_t at, size_t *ret_kept)
{
    text->work += 32;
    size_t name = skip_key_name(text, at);
    if (name == 0) {
        return 0;
    }
    size_t value = name;
    while (value < text->length && value - name < AWS_BETWEEN_MAX && text->text[value] != '\0' &&
            strchr(" \t\"'`\\:=>", text->text[value]) != NULL) {
        value++;
    }
    size_t end = value;
    while (end < text->length && end - value <= AWS_SECRET &&
            (is_alphanumeric(text->text[end]) || text->text[end] == '/' ||
                    text->text[end] == '+')) {
        end++;
    }
    text->work += end - at;
    if (value == name || end - value != AWS_SECRET || at_or_feed(text, end) == '=') {
        return 0;
    }
    *ret_kept = value - at;
    return end - at;
}
