/* PAD of up to four dimensions. */
struct pad {
    int16_t in[4], before[4], out[4];
    int16_t value;
};

static void pad(const struct pad *p, const int8_t *input, int8_t *output)
{
    const size_t row = (size_t)p->in[3];
    int32_t b, y, x;
    memset(output, p->value, (size_t)(p->out[0] * p->out[1]) * (size_t)(p->out[2] * p->out[3]));
    for (b = 0; b < p->in[0]; b++)
        for (y = 0; y < p->in[1]; y++)
            for (x = 0; x < p->in[2]; x++, input += row)
                memcpy(output + (((b + p->before[0]) * p->out[1] + y + p->before[1]) * p->out[2] + x +
                                 p->before[2]) * p->out[3] + p->before[3],
                       input, row);
}
