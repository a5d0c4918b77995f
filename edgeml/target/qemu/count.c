/* qemu-user plugin: instructions that the guest executed between its getppid calls.
 *
 *   qemu-aarch64 -plugin libcount.so,fd=N,parent=PID ...
 *
 * At every getppid of the guest one decimal number and a newline go to descriptor N: the instructions since
 * the call before. The process dies with the thread that started it; PID is that thread's process.
 *
 * The prototypes are those of QEMU's include/qemu/qemu-plugin.h (plugin API 1, QEMU 4.2 to 8.2; Debian ships
 * no header with qemu-user). A block counts when it is entered. The counter is not atomic: the guest has one
 * thread.
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define EXPORTED __attribute__((visibility("default")))

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
enum qemu_plugin_op { QEMU_PLUGIN_INLINE_ADD_U64 };

extern void qemu_plugin_register_vcpu_tb_trans_cb(
    qemu_plugin_id_t, void (*)(qemu_plugin_id_t, struct qemu_plugin_tb *));
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
extern void qemu_plugin_register_vcpu_tb_exec_inline(
    struct qemu_plugin_tb *, enum qemu_plugin_op, void *counter, uint64_t step);
extern void qemu_plugin_register_vcpu_syscall_cb(
    qemu_plugin_id_t, void (*)(qemu_plugin_id_t, unsigned, int64_t, uint64_t, uint64_t, uint64_t, uint64_t,
                               uint64_t, uint64_t, uint64_t, uint64_t));

EXPORTED int qemu_plugin_version = 1;

static const int64_t GETPPID = 173; /* of aarch64: asm-generic/unistd.h */
static uint64_t executed, at_last_marker;
static int output = -1;

static void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *block)
{
    (void)id;
    qemu_plugin_register_vcpu_tb_exec_inline(block, QEMU_PLUGIN_INLINE_ADD_U64, &executed,
                                             qemu_plugin_tb_n_insns(block));
}

static void on_syscall(qemu_plugin_id_t id, unsigned vcpu, int64_t number, uint64_t a, uint64_t b, uint64_t c,
                       uint64_t d, uint64_t e, uint64_t f, uint64_t g, uint64_t h)
{
    (void)id, (void)vcpu, (void)a, (void)b, (void)c, (void)d, (void)e, (void)f, (void)g, (void)h;
    if (number != GETPPID)
        return;
    if (dprintf(output, "%llu\n", (unsigned long long)(executed - at_last_marker)) < 0)
        _exit(1);
    at_last_marker = executed;
}

EXPORTED int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv)
{
    (void)info;
    long parent = 0;
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "fd=", 3) == 0)
            output = atoi(argv[i] + 3);
        else if (strncmp(argv[i], "parent=", 7) == 0)
            parent = atol(argv[i] + 7);
    }
    if (output < 0 || parent <= 0) {
        fprintf(stderr, "count.c: expected fd=N,parent=PID\n");
        return -1;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) /* it died before prctl */
        return -1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_vcpu_syscall_cb(id, on_syscall);
    return 0;
}
