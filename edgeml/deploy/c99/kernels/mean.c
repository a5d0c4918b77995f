/* MEAN over `count` rows of `channels` values. */
struct mean {
    int32_t batches, count, channels;
    int32_t in_sum, out_zero, multiplier, shift; /* in_sum: zero point times count */
};

static void mean(const struct mean *p, const int8_t *input, int8_t *output)
{
    int32_t batch, k, i;
    for (batch = 0; batch < p->batches; batch++, input += p->count * p->channels)
        for (k = 0; k < p->channels; k++) {
            const int8_t *value = input + k;
            int32_t sum = -p->in_sum;
            for (i = p->count; i > 0; i--, value += p->channels)
                sum += *value;
            *output++ = (int8_t)clamp8(scaled(sum, p->multiplier, p->shift) + p->out_zero);
        }
}
