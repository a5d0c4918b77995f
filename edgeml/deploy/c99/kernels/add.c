/* ADD of two tensors of one size where `a` has the larger scale: on the common scale with 20 more bits it is
 * then half of itself, exactly. */
struct add {
    int32_t count;
    int32_t b_zero, b_multiplier, b_shift; /* shift 0 where both scales are equal */
    int32_t offset; /* what a's zero point takes off the sum */
    int32_t multiplier, shift, twice; /* as in requantised() */
};

static void add(const struct add *p, const int8_t *a, const int8_t *b, int8_t *output)
{
    const int32_t multiplier = p->multiplier, shift = p->shift, rounding = p->twice * (1 << (shift - 1));
    const int32_t b_multiplier = p->b_multiplier, b_shift = p->b_shift;
    const int32_t signs = b_shift ? -1 : 0, b_rounding = b_shift ? 1 << (b_shift - 1) : 0;
    const int32_t b_zero = p->b_zero * (1 << 20), offset = p->offset;
    int32_t i;
    for (i = p->count; i > 0; i--) {
        const int32_t y = doubling_high_mul(*b++ * (1 << 20) - b_zero, b_multiplier);
        const int32_t sum = *a++ * (1 << 19) - offset + ((y + ((y >> 31) & signs) + b_rounding) >> b_shift);
        const int32_t product = doubling_high_mul(sum, multiplier);
        *output++ = (int8_t)clamp8((product + (product >> 31) + rounding) >> shift);
    }
}
