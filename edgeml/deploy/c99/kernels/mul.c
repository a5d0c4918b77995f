/* MUL, shapes as in ADD. */
struct mul {
    int32_t rows, columns, a_step, b_step;
    int32_t a_zero, b_zero, out_zero, low, high;
    int32_t multiplier, shift;
};

static void mul(const struct mul *p, const int8_t *a, const int8_t *b, int8_t *output)
{
    int32_t row, i;
    for (row = 0; row < p->rows; row++, a += p->a_step, b += p->b_step, output += p->columns)
        for (i = 0; i < p->columns; i++) {
            const int32_t product = (a[i] - p->a_zero) * (b[i] - p->b_zero);
            output[i] = (int8_t)clamp(scaled(product, p->multiplier, p->shift) + p->out_zero, p->low, p->high);
        }
}
