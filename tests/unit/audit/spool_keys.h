/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys for tests of the spool; made for them and good for nothing else.
 */
#ifndef LAZ_TESTS_UNIT_AUDIT_SPOOL_KEYS_H
#define LAZ_TESTS_UNIT_AUDIT_SPOOL_KEYS_H

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
        "MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQCwusshhqdnfcc1\n"
        "Uu10XyWfFHdGsXVlI4MPIPvkf2bkryj83p0vTzaXUZGLOCt0pxRpr4hQVd0bFKCA\n"
        "j7jrLfZ+Of7yJlOGeeLWeWvgxH3GK9dfcJlvpYfGwwS1KloTaaISLFjqBLFT0Wi7\n"
        "7BMf8j0dEbaU8joqpqGIorviw7j3orxN14l/43PG5ZL+A4BNFwmIP699gJiDCg42\n"
        "K7B4mj98P5XT1ozUdQ4LIZrnhc8CjedN2nTkdOFlyvrzbmSHgbskQPE/XqypJ1O+\n"
        "8uDErwHAjN8nrHNbCtd6Akeey/vU0PGg73NITA+bA0E+VGhme6Aziey/TWLIGHNs\n"
        "pjTj434xAgMBAAECggEAJCTLsutaVNbbNTtkz2I/LDnwC+/yqbDZ1rAA/DIXHcl5\n"
        "+T9hB8IsUMWwnbeq4YRjLxskZoOtAOMW0Twzjjub+CRN0QHIHs5SN1llV/Zvn6Yr\n"
        "ObxqUPRaYKrVTWTgP6ygphVWSOQVTSZchGRrY+LznzyWaf9hKIRkMHDRurabH1/c\n"
        "Yqhrp4YgVF+NmekBBGbTPDUODgFArthBrGGSaPinF19jS7bjMdaozIbvpS6cNUvl\n"
        "J/aXbuEOty8R2kgF+qIA0o3E6rCzQMToU5neTAgBCEHiob99xJttRwHJ1YrEYrSn\n"
        "KvX+W+rXmEr2NpxVIbGSbjWZ3+DqvkDPyjCNb8OvLQKBgQDlMVebJVcvK0Mww/Bl\n"
        "AoqzHRpXlQm/MF1SJRlx1e9DWBQgo+gTmz7c5iQJC2e4ZmDsSNG8ck7pukJS7JLh\n"
        "gJo8IixbfrYGhqPG7yuuxNT03fYFohYhkBKaa2c1QhNt9viJKyV6Ht0kRxEeoqc2\n"
        "qS4Ob98O0HNXW3UA/ppShGsNLQKBgQDFZpAmgiCCbLLc0eW1KU7UJITGibpZVUEe\n"
        "+PyIOe7GG3rPQ9IOAI8/RSGM8uwyZH9oJjrJtnRNvShTWbhA2QlNv6AiPz2jbZGD\n"
        "1aSPR7upSLLXtt86Y437xmlvK+x0YNwop6fTghm4KWBAHbFuCYRdTlYkp8VXxJoM\n"
        "jljm6Gn/lQKBgQDZeUpxcqsZnOlymlm+3vyRHKpkNI09Fz1VttJADAmuUyM2HZEX\n"
        "GZY6sT28P1A5zxtk2Wv6blSmvxAz8zskMo0nRh3k64T5CETbfRJsEWUovHy3t6dc\n"
        "TYL5d7RE+t/I1jHaplA3YpXf2HdMJHaaDUogdNKpEe6AE84gFXaFmhSiOQKBgQC7\n"
        "B7ggpD5FFNRLIJxyDxdfLNKYgboMFhjDTcmHEMzI6xRq+Kk3FxSiL8/gCfH8tPd6\n"
        "KG6e275KQaTJhEJtPrXv8lW43Q57n761mGB4WNDXTcgVVnEek2DdYlpXONiqU3OF\n"
        "GYSLg8L2mE1XskqAJYhCF4zK4iK6S85hgyV8ckysGQKBgHMUfcEac1BR3URJ7JT2\n"
        "WxI15jdD5mi9vNGMNheME/GCuMyWu2KPZ/iiSCUXwhrW4CeSwKXHgfOe81Zmzn3V\n"
        "iBiu6jg5W7wbxEblXZIxj/zayy2zbaF0pRk7n4/xbDCLGR0Vd+Bzia8HBBugGO7q\n"
        "XHT3q6SlMestls6oXV2B9anw\n"
        "-----END PRIVATE KEY-----\n";

static const char rsa_public[] =
        "-----BEGIN PUBLIC KEY-----\n"
        "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAsLrLIYanZ33HNVLtdF8l\n"
        "nxR3RrF1ZSODDyD75H9m5K8o/N6dL082l1GRizgrdKcUaa+IUFXdGxSggI+46y32\n"
        "fjn+8iZThnni1nlr4MR9xivXX3CZb6WHxsMEtSpaE2miEixY6gSxU9Fou+wTH/I9\n"
        "HRG2lPI6KqahiKK74sO496K8TdeJf+NzxuWS/gOATRcJiD+vfYCYgwoONiuweJo/\n"
        "fD+V09aM1HUOCyGa54XPAo3nTdp05HThZcr6825kh4G7JEDxP16sqSdTvvLgxK8B\n"
        "wIzfJ6xzWwrXegJHnsv71NDxoO9zSEwPmwNBPlRoZnugM4nsv01iyBhzbKY04+N+\n"
        "MQIDAQAB\n"
        "-----END PUBLIC KEY-----\n";

static const char locked_private[] =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
        "MIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAjC9q82DWR5AAICCAAw\n"
        "DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEPcd+EhutjpTgKtE9qW8rdoEQASJ\n"
        "lEKCA3+AUTCEJMi1oIfZ2vj9q6TClFq2s8DzhdtsWMdcb0U5LgpinHeftbnHaybq\n"
        "6qnGS5nxmALEYNkEEus=\n"
        "-----END ENCRYPTED PRIVATE KEY-----\n";

static const char short_public[] =
        "-----BEGIN PUBLIC KEY-----\n"
        "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDE+RkNdPFqqCVUX968ZE47wWaW\n"
        "Jx4NbQcuBHjANjpw/7+z65MnUqr9dY24YNTzvUs4iBvGXvZqVpC/NaiMxnqtrPVj\n"
        "sTLyro9ewjDUkvrvu6POJGwfZwsCr1K2WUUJ4WXteMMRJgBgqycliP4rxg2AhDC5\n"
        "7F48KA7gyvXuE8jN2wIDAQAB\n"
        "-----END PUBLIC KEY-----\n";

static const char signing_public[] =
        "-----BEGIN PUBLIC KEY-----\n"
        "MCowBQYDK2VwAyEA5e+kOeh4WIGt9aTgJYCCmyDZrhPsJWdjwwlILn9kt2s=\n"
        "-----END PUBLIC KEY-----\n";

/* clang-format on */

#endif
