/*
 * lioness.h - the wide-block cipher of Sphinx payloads: one key permutes the
 * whole payload, so any change of a byte turns all of it into noise.
 */
#ifndef SW_MIX_LIONESS_H
#define SW_MIX_LIONESS_H

#include <stddef.h>
#include <stdint.h>

#define LIONESS_KEY_LEN 192
#define LIONESS_MIN_LEN 33

/* In place; n >= LIONESS_MIN_LEN. */
void lioness_encrypt(uint8_t *block, size_t n,
    const uint8_t key[static LIONESS_KEY_LEN]);
void lioness_decrypt(uint8_t *block, size_t n,
    const uint8_t key[static LIONESS_KEY_LEN]);

#endif
