/* SHA-256 as FIPS 180-4 has it. */

struct sha256 {
    unsigned state[8];
    unsigned char block[64];
    unsigned long long size;
};

static unsigned rotate(unsigned word, int by)
{
    return word >> by | word << (32 - by);
}

/* One of 64 steps. Instead of moving eight words on, each step has other names for them. */
#define STEP(a, b, c, d, e, f, g, h, number)                                                            \
    do {                                                                                                \
        h += (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + (g ^ (e & (f ^ g))) + constants[number] + words[number]; \
        d += h;                                                                                         \
        h += (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) | (c & (a | b)));                \
    } while (0)

static void hash_block(unsigned *state, const unsigned char *block)
{
    static const unsigned constants[64] = {
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
        0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
        0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
        0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
        0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
        0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
        0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
        0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
    };
    unsigned words[64], a, b, c, d, e, f, g, h;
    for (int i = 0; i < 16; i++, block += 4)
        words[i] = (unsigned)block[0] << 24 | block[1] << 16 | block[2] << 8 | block[3];
    for (int i = 16; i < 64; i++) {
        unsigned far = words[i - 15], near = words[i - 2];
        words[i] = words[i - 16] + (rotate(far, 7) ^ rotate(far, 18) ^ far >> 3) + words[i - 7] +
                   (rotate(near, 17) ^ rotate(near, 19) ^ near >> 10);
    }
    a = state[0], b = state[1], c = state[2], d = state[3], e = state[4], f = state[5], g = state[6], h = state[7];
    for (int i = 0; i < 64; i += 8) {
        STEP(a, b, c, d, e, f, g, h, i);
        STEP(h, a, b, c, d, e, f, g, i + 1);
        STEP(g, h, a, b, c, d, e, f, i + 2);
        STEP(f, g, h, a, b, c, d, e, i + 3);
        STEP(e, f, g, h, a, b, c, d, i + 4);
        STEP(d, e, f, g, h, a, b, c, i + 5);
        STEP(c, d, e, f, g, h, a, b, i + 6);
        STEP(b, c, d, e, f, g, h, a, i + 7);
    }
    state[0] += a, state[1] += b, state[2] += c, state[3] += d, state[4] += e, state[5] += f, state[6] += g, state[7] += h;
}

static void begin_hash(struct sha256 *hash)
{
    static const unsigned beginning[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                          0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    for (int i = 0; i < 8; i++)
        hash->state[i] = beginning[i];
    hash->size = 0;
}

static void add_to_hash(struct sha256 *hash, const unsigned char *content, long size)
{
    while (size > 0) {
        unsigned at = hash->size & 63;
        if (at == 0 && size >= 64) {
            hash_block(hash->state, content);
            hash->size += 64;
            content += 64;
            size -= 64;
            continue;
        }
        hash->block[at] = *content++;
        size--;
        hash->size++;
        if (at == 63)
            hash_block(hash->state, hash->block);
    }
}

/* Return whether all that was added has this digest. */
static int has_digest(struct sha256 *hash, const unsigned char *digest)
{
    unsigned long long bits = hash->size << 3;
    unsigned char end = 0x80;
    unsigned different = 0;
    add_to_hash(hash, &end, 1);
    end = 0;
    while ((hash->size & 63) != 56)
        add_to_hash(hash, &end, 1);
    for (int shift = 56; shift >= 0; shift -= 8) {
        end = (unsigned)(bits >> shift);
        add_to_hash(hash, &end, 1);
    }
    for (int i = 0; i < 32; i++)
        different |= digest[i] ^ (hash->state[i >> 2] >> (24 - 8 * (i & 3)) & 0xff);
    return !different;
}
