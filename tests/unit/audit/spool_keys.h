/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys for tests of the spool; made for them and good for nothing else.
 */
#ifndef LAZ_AUDIT_SPOOL_KEYS_H
#define LAZ_AUDIT_SPOOL_KEYS_H

/* clang-format off */
static const char x25519_private[] =
        "-----BEGIN PRIVATE KEY-----\n"
        "MC4CAQAwBQYDK2VuBCIEIND9FJjcIsTIvRXUm8OpZayNrKEeFEse10FIBpj5Nb5c\n"
        "-----END PRIVATE KEY-----\n";

static const char x25519_public[] =
        "-----BEGIN PUBLIC KEY-----\n"
        "MCowBQYDK2VuAyEAqbo1eI104gSeE+n4/HQN3j4Ek1zkoorqi6wwp7IhlVU=\n"
        "-----END PUBLIC KEY-----\n";

static const char other_private[] =
        "-----BEGIN PRIVATE KEY-----\n"
        "MC4CAQAwBQYDK2VuBCIEIDgvt1P9SXd5edaPmTWMhlU2cc4FvUyqyttQUNXhGw5j\n"
        "-----END PRIVATE KEY-----\n";

static const char other_public[] =
        "-----BEGIN PUBLIC KEY-----\n"
        "MCowBQYDK2VuAyEA2QlsgFQ+meoepZSRxJYTZCUZZJNT0ehiF7nQSJTnpgU=\n"
        "-----END PUBLIC KEY-----\n";

static const char rsa_private[] =
        "-----BEGIN PRIVATE KEY-----\n"
        "MIIEvwIBADANBgkqhkiG9w0BAQEFAASCBKkwggSlAgEAAoIBAQC5IQWxoYKKEhfF\n"
        "iLekXCYuVv529bB0t6WcwlYTtZDl0w9+lxyu2vlCQHTYG7p6SnsNgfyWkxnCBRLT\n"
        "Ozl/IMtrcHmpV4y5g1LhjmWfN3aGNMFXhhwMY/+aQOZiqX9EzK1XRZtly7TBrCKv\n"
        "w66smpZd1sj/nCKDIx1Nq6A2bG0kpELwPW+4VJrUm54my/zUOx/dqXq1r/lmYzQM\n"
        "Qc954P2rZYhreujy23axXJZtcaGRQiJD9XbdfR+mk2kggcHbpD2z74J3OAGilir3\n"
        "pMJXDd3DFolEGyDeUxntaXudR8Gu2/Buq82PuW4/aC0JfGdGBTiHhFfAZXpMUIq+\n"
        "nLh7KfEzAgMBAAECggEANn7+ChgdMT+6N6/TP1LQ+nspVSNl2jXlTov2gr7D9KN4\n"
        "wC8DhoV3MoV+387pye364zMMg9axkmej7wJUHpQszWfCqJLZHhMGZtdgGspc3YzS\n"
        "DU2xHASjzWilaQ20JTCLJlGbORAKGajuXQcheDXZZa5AZN41Wp0PlzmaY+rvBgXE\n"
        "cwLEkuEB3SkXNR8b1Ob6tq7bjnHR0bf08zD6Qe7Ofz0F7UGxxshSjrLZpsHeH0TF\n"
        "hH39UfazvkEPZrR7L2Cj9xXjWBID3wzryLjhAfHlzkrnkBGO2j6pYodqSWYS/KeI\n"
        "9JxQ3ZhMMS1zvBpiMDJiBo1qBZKq17kvHpwV7GX4QQKBgQDamljtk1CZF2Z+mHnk\n"
        "waAJePf7UyBeY79i8CJBnW6Ej9D7lYfnpZFW9bd/YUQuWXU/wzgacEryLawS9Ufn\n"
        "YBiBnYsuyQK4lIQKcs+aM4knwpK0B7ct4A/3uuYyaM76wMR+yhys/ffjkiS68QcT\n"
        "rUTl2GZy3Da0Ftkdcms+A6f+WQKBgQDYzLGccy4WrTEIAzkUyBlC55C32AGrNJ3j\n"
        "wHu7rsj8c3xHD0eSoDli5BKIxkdk3x6430epLezwoY0vviZ0XEjdKMklDRhpQoCZ\n"
        "kfzIqkztoFOPPQMzU9vLL17c6btVQG/MkLDQE4TLrdNUq0y+aRQohuPsmeqCV5iQ\n"
        "R4hqKkdyawKBgQCSwvMXNUL0NQijz3xufywRj/x05/8gP7l7FBr7kFVlfCRi86YV\n"
        "eEvWZQs34rZio76a+1aMMX2vj8gpxjDq/tIVGw8Zbux7vYHUffYw4Y6gefoCEfgC\n"
        "PZ6axAjOKR1krcx+DvUnky48w54TP8RvinFqGlnVnVDAoWJMacfkD5JWqQKBgQCS\n"
        "XH57tHak8H9tfV+H3B7RwCs/MiDOSFNfco8WAcXGSODZyEL1hh232Wl51QJV4xuG\n"
        "i5aBbHPNcAM0/BZR8Atw4xwIW3LjfPX8t0YE4pPUyKwgw3vppu93mJ9eXJ0PzNSt\n"
        "MfFsSAEa0FsfihXhZmcphQdSsAZVwHVK0kASDED3yQKBgQC12vzyp/uYd8OotDC3\n"
        "sZKTyvnt1i3bG8uYVYtNs+Si69oRuLkZh0hIlaU8tgFpNBrJPXhs8Dbx+lVPLO7H\n"
        "LFvYxc5BM1lUC4/QAPVg8pOnK1dyCHddr8wQztg7nWENc7p2SIXVjvAFZDiMziCt\n"
        "vkmLNIFRm1TEQkV5Mx6m8KVCjg==\n"
        "-----END PRIVATE KEY-----\n";

static const char rsa_public[] =
        "-----BEGIN PUBLIC KEY-----\n"
        "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAuSEFsaGCihIXxYi3pFwm\n"
        "Llb+dvWwdLelnMJWE7WQ5dMPfpccrtr5QkB02Bu6ekp7DYH8lpMZwgUS0zs5fyDL\n"
        "a3B5qVeMuYNS4Y5lnzd2hjTBV4YcDGP/mkDmYql/RMytV0WbZcu0wawir8OurJqW\n"
        "XdbI/5wigyMdTaugNmxtJKRC8D1vuFSa1JueJsv81Dsf3al6ta/5ZmM0DEHPeeD9\n"
        "q2WIa3ro8tt2sVyWbXGhkUIiQ/V23X0fppNpIIHB26Q9s++CdzgBopYq96TCVw3d\n"
        "wxaJRBsg3lMZ7Wl7nUfBrtvwbqvNj7luP2gtCXxnRgU4h4RXwGV6TFCKvpy4eynx\n"
        "MwIDAQAB\n"
        "-----END PUBLIC KEY-----\n";

static const char locked_private[] =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
        "MIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAjgIDPtxvWGuAICCAAw\n"
        "DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEELKjeGM4gIrz6WU7kL40vjwEQNnF\n"
        "JIkDF8KgJhgy6gitvalhZ0acqCcQVGNRShu5duaCuGZ7M+wZ7Qe0jDTf0olGYCyO\n"
        "zqd+pKkAQRAZSWxlXkc=\n"
        "-----END ENCRYPTED PRIVATE KEY-----\n";

static const char short_public[] =
        "-----BEGIN PUBLIC KEY-----\n"
        "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCn9wtCoAU0OTri6UkrMN7618Yk\n"
        "mgOYVls8+j3err8shkA8B3Rx3WHojq8TEiDORL8dCmHjjXLg8BfqxLqrILA/Pk47\n"
        "IC30HPgxBGKMBcw7tIi98JcE7SCk+uvnLyTOoAFR1g6JYcU5QNx//Uq+Yb/WIq4W\n"
        "XEbyIF4dEIqpYK1b8QIDAQAB\n"
        "-----END PUBLIC KEY-----\n";

static const char signing_public[] =
        "-----BEGIN PUBLIC KEY-----\n"
        "MCowBQYDK2VwAyEA5e+kOeh4WIGt9aTgJYCCmyDZrhPsJWdjwwlILn9kt2s=\n"
        "-----END PUBLIC KEY-----\n";
/* clang-format on */

#endif
