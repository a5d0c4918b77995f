/* Arithmetic of LiteRT's int8 reference kernels: a Q31 multiplication rounded to nearest, then a shift rounded
 * to nearest with halves away from zero. On Arm cores with the DSP extension the same in fewer instructions. */
#if defined(__GNUC__) && defined(__OPTIMIZE__) && defined(__ARM_FEATURE_SIMD32) && \
    defined(__ARM_FEATURE_UNALIGNED) && !defined(__ARM_BIG_ENDIAN) && !defined(EDGEML_PLAIN_C)
#define EDGEML_DSP 1
#else
#define EDGEML_DSP 0
#endif

#if defined(__GNUC__)
#define EDGEML_INLINE static inline __attribute__((always_inline, unused))
#else
#define EDGEML_INLINE static inline
#endif

/* What is added to values to take off their zero point: twice in a word for the DSP instructions. */
#if EDGEML_DSP
#define EDGEML_OFFSET(zero) ((int32_t)(((uint32_t) - (zero)&0xffffu) * 0x10001u))
#else
#define EDGEML_OFFSET(zero) (-(zero))
#endif

/* One output channel: what its sum starts from, and real scale = multiplier * 2^(-31 - shift). */
struct channel {
    int32_t bias;
    int32_t multiplier;
    int32_t shift;
};

/* round(2 * a * b / 2^32), halves up. The compiler has checked that |a| < 2^30. */
EDGEML_INLINE int32_t doubling_high_mul(int32_t a, int32_t b)
{
#if EDGEML_DSP
    int32_t result;
    __asm__("smmulr %0, %1, %2" : "=r"(result) : "r"(a * 2), "r"(b));
    return result;
#else
    return (int32_t)(((int64_t)a * b + (1 << 30)) >> 31);
#endif
}

EDGEML_INLINE int32_t clamp8(int32_t value)
{
#if EDGEML_DSP
    int32_t result;
    __asm__("ssat %0, #8, %1" : "=r"(result) : "r"(value));
    return result;
#else
    return value < -128 ? -128 : value > 127 ? 127 : value;
#endif
}

EDGEML_INLINE int32_t clamp(int32_t value, int32_t low, int32_t high)
{
    return value < low ? low : value > high ? high : value;
}

/* value * multiplier * 2^(-31 - shift); a negative shift goes left. */
EDGEML_INLINE int32_t scaled(int32_t value, int32_t multiplier, int32_t shift)
{
    int32_t high;
    if (shift <= 0)
        return doubling_high_mul(value * (int32_t)(1u << -shift), multiplier);
    high = doubling_high_mul(value, multiplier);
    return (high + (high >> 31) + (1 << (shift - 1))) >> shift;
}

/* One output value. `any` is a constant where it is called: 0 where the compiler has checked that shifts are in
 * 1..22 and that the whole int8 range is allowed, which saves branches. `twice` is 2 * zero point + 1. */
EDGEML_INLINE int8_t requantised(int32_t sum, const struct channel *q, int32_t twice, int32_t low, int32_t high, int any)
{
    if (any) {
        return (int8_t)clamp(scaled(sum, q->multiplier, q->shift) + (twice >> 1), low, high);
    } else {
        const int32_t product = doubling_high_mul(sum, q->multiplier);
        return (int8_t)clamp8((product + (product >> 31) + twice * (1 << (q->shift - 1))) >> q->shift);
    }
}
