/* Start of a Cortex-M program in QEMU, its input and output (semihosting), and a run of the model per input.
 *
 * Reads inputs from the file "in", writes outputs to the file "out" of QEMU's working directory; with STEPS, what
 * every operator wrote instead. The DBG hints around a run are what count.c looks for.
 */
#include <stdint.h>
#include <string.h>

#include "model.h"

void reset(void);
void write_step(const void *values, uint32_t bytes);

extern void stack_end(void); /* of the linker script */
extern uint32_t data_start[], data_end[], data_source[], bss_start[], bss_end[];

enum { SYS_OPEN = 1, SYS_CLOSE = 2, SYS_WRITE = 5, SYS_READ = 6, SYS_EXIT = 0x18 };

static int32_t semihosting(int32_t operation, const void *arguments)
{
    register int32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = arguments;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

static int32_t open_file(const char *name, int32_t mode)
{
    const uint32_t block[3] = {(uint32_t)name, (uint32_t)mode, strlen(name)};
    return semihosting(SYS_OPEN, block);
}

static int32_t transfer(int32_t operation, int32_t file, void *bytes, uint32_t count)
{
    const uint32_t block[3] = {(uint32_t)file, (uint32_t)bytes, count};
    return semihosting(operation, block);
}

static int32_t out;

void write_step(const void *values, uint32_t bytes)
{
    transfer(SYS_WRITE, out, (void *)values, bytes);
}

static void fault(void)
{
    semihosting(SYS_EXIT, (void *)0x20023); /* ADP_Stopped_RunTimeErrorUnknown */
    for (;;)
        ;
}

void reset(void)
{
    int32_t in;
    memcpy(data_start, data_source, (size_t)((char *)data_end - (char *)data_start));
    memset(bss_start, 0, (size_t)((char *)bss_end - (char *)bss_start));
    in = open_file("in", 1), out = open_file("out", 5);
    while (transfer(SYS_READ, in, model_input(), MODEL_INPUT_BYTES) == 0) {
        __asm__ volatile("dbg #1" ::: "memory");
        model_run();
        __asm__ volatile("dbg #2" ::: "memory");
#if !defined(STEPS)
        write_step(model_output(), MODEL_OUTPUT_BYTES);
#endif
    }
    {
        const uint32_t block[1] = {(uint32_t)out};
        semihosting(SYS_CLOSE, block);
    }
    semihosting(SYS_EXIT, (void *)0x20026); /* ADP_Stopped_ApplicationExit */
    for (;;)
        ;
}

__attribute__((section(".vectors"), used)) static void (*const vectors[16])(void) = {
    stack_end, reset, fault, fault, fault, fault, fault, 0, 0, 0, 0, fault, fault, 0, fault, fault,
};
