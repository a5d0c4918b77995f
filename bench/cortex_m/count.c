/* QEMU plugin for Cortex-M programs: instructions executed between "dbg #1" and "dbg #2", one line a pair.
 *
 *   qemu-system-arm -plugin libcount.so,out=FILE ...
 *
 * The prototypes are those of QEMU's include/qemu/qemu-plugin.h (plugin API 1, QEMU 4.2 to 8.2; Debian ships no
 * header). A block counts when it is entered; markers end nothing, so a few instructions around them count too.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define EXPORTED __attribute__((visibility("default")))

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum qemu_plugin_op { QEMU_PLUGIN_INLINE_ADD_U64 };
enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS };

extern void qemu_plugin_register_vcpu_tb_trans_cb(
    qemu_plugin_id_t, void (*)(qemu_plugin_id_t, struct qemu_plugin_tb *));
extern void qemu_plugin_register_atexit_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, void *), void *);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
extern struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
extern const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *);
extern size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *);
extern void qemu_plugin_register_vcpu_tb_exec_inline(
    struct qemu_plugin_tb *, enum qemu_plugin_op, void *counter, uint64_t step);
extern void qemu_plugin_register_vcpu_insn_exec_cb(
    struct qemu_plugin_insn *, void (*)(unsigned, void *), enum qemu_plugin_cb_flags, void *);

EXPORTED int qemu_plugin_version = 1;

static uint64_t executed, at_start;
static FILE *output;

static void on_marker(unsigned vcpu, void *second)
{
    (void)vcpu;
    if (second)
        fprintf(output, "%llu\n", (unsigned long long)(executed - at_start));
    at_start = executed;
}

static void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *block)
{
    size_t count = qemu_plugin_tb_n_insns(block), i;
    (void)id;
    qemu_plugin_register_vcpu_tb_exec_inline(block, QEMU_PLUGIN_INLINE_ADD_U64, &executed, count);
    for (i = 0; i < count; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(block, i);
        uint16_t halves[2];
        if (qemu_plugin_insn_size(insn) != 4)
            continue;
        memcpy(halves, qemu_plugin_insn_data(insn), 4);
        if (halves[0] == 0xf3af && (halves[1] == 0x80f1 || halves[1] == 0x80f2))
            qemu_plugin_register_vcpu_insn_exec_cb(insn, on_marker, QEMU_PLUGIN_CB_NO_REGS,
                                                   halves[1] == 0x80f2 ? &executed : NULL);
    }
}

static void on_exit(qemu_plugin_id_t id, void *data)
{
    (void)id, (void)data;
    fclose(output);
}

EXPORTED int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv)
{
    (void)info;
    if (argc != 1 || strncmp(argv[0], "out=", 4) != 0 || !(output = fopen(argv[0] + 4, "w"))) {
        fprintf(stderr, "count.c: expected out=FILE\n");
        return -1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_atexit_cb(id, on_exit, NULL);
    return 0;
}
