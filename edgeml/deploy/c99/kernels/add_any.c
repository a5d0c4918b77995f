/* ADD and SUB: both inputs on a common scale with 20 more bits, then to the output's. An input of one row is
 * repeated (`a_step`, `b_step` are 0 for it): `rows` times `columns` values in all. */
struct add_any {
    int32_t rows, columns, a_step, b_step;
    int32_t a_zero, b_zero, out_zero, low, high, subtract;
    int32_t a_multiplier, a_shift, b_multiplier, b_shift, multiplier, shift;
};

static void add_any(const struct add_any *p, const int8_t *a, const int8_t *b, int8_t *output)
{
    const struct add_any q = *p;
    int32_t row, i;
    for (row = 0; row < q.rows; row++, a += q.a_step, b += q.b_step, output += q.columns)
        for (i = 0; i < q.columns; i++) {
            const int32_t x = scaled((a[i] - q.a_zero) * (1 << 20), q.a_multiplier, q.a_shift);
            const int32_t y = scaled((b[i] - q.b_zero) * (1 << 20), q.b_multiplier, q.b_shift);
            const int32_t sum = q.subtract ? x - y : x + y;
            output[i] = (int8_t)clamp(scaled(sum, q.multiplier, q.shift) + q.out_zero, q.low, q.high);
        }
}
